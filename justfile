# Recipes for https://just.systems. Each is a command that CONTRIBUTING.md explains; none is needed
# to build or test.

# Lists the recipes.
[private]
default:
    @{{ just_executable() }} --list --unsorted

# The tests that need a Rust toolchain and a C compiler only, of all members.
test *ARGUMENTS:
    cargo test {{ ARGUMENTS }}

# All tests, those included that need other programs: tmux, Go, Python with pytest, a registry, ...
test-all *ARGUMENTS:
    cargo test --features system-tests {{ ARGUMENTS }}

# What must pass before a change lands. As root it installs what is missing.
ci:
    .ci/run

# Formatting and lints, as `ci` checks them.
lint:
    cargo fmt --check
    cargo clippy --all-targets --features system-tests -- -D warnings

# Licenses, advisories and sources of the dependencies. Needs cargo-deny.
deny:
    cargo deny check

# Feeds garbage to one of the targets that fuzz/README.md lists. Needs cargo-fuzz.
fuzz TARGET SECONDS="600":
    mkdir -p fuzz/corpus/{{ TARGET }}
    cargo fuzz run -s none --release -a {{ TARGET }} fuzz/corpus/{{ TARGET }} fuzz/seeds/{{ TARGET }} -- \
        -max_total_time={{ SECONDS }} -rss_limit_mb=2048 -timeout=25

# A benchmark, such as `just bench compare ../ripgrep`. README.md lists them.
bench NAME *ARGUMENTS:
    cargo bench --bench {{ NAME }} -- {{ ARGUMENTS }}

# A client that does to a broker what it must not, beside an honest one. Needs Python and busybox.
hostile SECONDS="60":
    MAELSTROM_HOSTILE_SECONDS={{ SECONDS }} cargo test --features system-tests --test cluster_hostile
