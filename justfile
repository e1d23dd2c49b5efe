# Recipes for https://just.systems. Each is a command that CONTRIBUTING.md explains; none is needed
# to build or test.

# Lists the recipes.
[private]
default:
    @{{ just_executable() }} --list --unsorted

# The tests of all members that need only a Rust toolchain and a C compiler.
test *ARGUMENTS:
    cargo test {{ ARGUMENTS }}

# All tests, including those that are ignored because they need tmux, Go, pytest, a registry, ...
test-all *ARGUMENTS:
    cargo test {{ ARGUMENTS }} -- --include-ignored

# Everything that must pass before a change lands. As root, it installs missing programs.
ci:
    .ci/run

# Formatting and lints, as in `ci`.
lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings

# `rustup toolchain install 1.95.0` installs that toolchain.
#
# Checks everything with the oldest Rust that `rust-version` in Cargo.toml allows.
msrv:
    cargo "+$(sed -n 's/^rust-version = "\(.*\)"$/\1.0/p' Cargo.toml)" check --workspace --all-targets --locked

# Needs `rustup target add aarch64-unknown-linux-gnu`, and a C compiler for it: gcc-aarch64-linux-gnu and
# libc6-dev-arm64-cross on Debian.
#
# Checks the libraries and programs for ARM64.
arm64-check:
    cargo check --workspace --locked --target aarch64-unknown-linux-gnu

# Licenses, advisories and sources of the dependencies. Needs cargo-deny.
deny:
    cargo deny check

# Fuzzes one of the targets in fuzz/README.md. Needs cargo-fuzz.
fuzz TARGET SECONDS="600":
    mkdir -p fuzz/corpus/{{ TARGET }}
    cargo fuzz run -s none --release -a {{ TARGET }} fuzz/corpus/{{ TARGET }} fuzz/seeds/{{ TARGET }} -- \
        -max_total_time={{ SECONDS }} -rss_limit_mb=2048 -timeout=25

# A benchmark, such as `just bench compare ../ripgrep`. README.md lists them.
bench NAME *ARGUMENTS:
    cargo bench --bench {{ NAME }} -- {{ ARGUMENTS }}

# A client that breaks the broker's rules, next to a well-behaved one. Needs Python and busybox.
hostile SECONDS="60":
    MAELSTROM_HOSTILE_SECONDS={{ SECONDS }} cargo test --test cluster hostile:: -- --include-ignored

# The example of docs/api.md in a project outside of this repository. Needs a static busybox.
client:
    cargo test --test cluster -- --include-ignored api_examples::the_documented_example

# An archive of the six programs for this machine's architecture: one executable under six names,
# which are hard links, with the documentation, manual pages, completion scripts and JSON schemas.
dist:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --profile dist --features multicall --bin maelstrom
    name=maelstrom-$(cargo pkgid | sed 's/.*[#@]//')-$(uname -m)-linux
    root=target/archive/$name
    rm -rf target/archive
    mkdir -p "$root/bin"
    cp README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$root"
    cp -r docs "$root"
    cargo run --profile dist --features multicall --example generate -- "$root"
    cp "${CARGO_TARGET_DIR:-target}/dist/maelstrom" "$root/bin/cargo-maelstrom"
    for program in maelstrom-go-test maelstrom-pytest maelstrom-run maelstrom-broker maelstrom-worker; do
        ln "$root/bin/cargo-maelstrom" "$root/bin/$program"
        "$root/bin/$program" --version
    done
    tar -C target/archive -czf "target/$name.tar.gz" "$name"
    ls -l "target/$name.tar.gz" "$root/bin/cargo-maelstrom"
