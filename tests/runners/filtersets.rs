//! Filtersets select the tests that `cargo nextest` selects with them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Command, Output};

use maelstrom_runners::cargo::listing::IgnoreStatus;
use maelstrom_runners::cargo::metadata::CargoWorkspace;
use maelstrom_runners::cargo::selection::{CargoSelection, SelectionOutcome};
use maelstrom_runners::cargo::target::{PackageTarget, TargetKind};
use maelstrom_runners::cargo::{CargoOptions, ColorMode, Invocation};

/// Filtersets of every kind, for the workspace of [`write_workspace`].
const FILTERSETS: [&str; 43] = [
    "all()",
    "none()",
    "default()",
    "test(read)",
    "test(=io::reads)",
    "test(/^io::.*s$/)",
    "test(#io::*)",
    "test(#*reads)",
    "test( read)",
    "test(reads )",
    r"test(\u{72}eads)",
    "package(core)",
    "package(co*)",
    "package(~o)",
    "package(/^c/)",
    "deps(cli)",
    "deps(core)",
    "rdeps(core)",
    "rdeps(derive)",
    "deps(cli) - rdeps(core)",
    "kind(lib)",
    "kind(bin)",
    "kind(test)",
    "kind(example)",
    "kind(bench)",
    "kind(proc-macro)",
    "kind(~b)",
    "binary(cli)",
    "binary(net-io)",
    "binary(*e*)",
    "binary_id(core)",
    "binary_id(core::net-io)",
    "binary_id(cli::*)",
    "binary_id(cli::bin/cli)",
    "binary_id(derive)",
    "platform(host)",
    "platform(target)",
    "not test(read) & package(core) or kind(bin)",
    "package(core) | test(read) - kind(lib)",
    "package(core) - test(read) - kind(test)",
    "! (kind(lib) + kind(test))",
    "all() and not (test(a) or test(b))",
    r"test(a\)b) | kind(bin)",
];

/// What nextest refuses.
const MISTAKES: [&str; 15] = [
    "",
    "test",
    "test()",
    "tests(a)",
    "test(a",
    "test(a, b)",
    r"test(\d)",
    "test(/(/)",
    "package(nothing)",
    "package(=co)",
    "not rdeps(nothing)",
    "binary(nothing)",
    "binary_id(core::nothing)",
    "platform(moon)",
    "all() all()",
];

/// `cli` depends on `core`, and `core` on the macros of `derive`.
fn write_workspace(root: &Path) {
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
    };
    let test = |name: &str| format!("#[test] fn {name}() {{}}\n");
    let module = "mod io { #[test] fn reads() {} #[test] fn writes() {} }\n";
    for (path, text) in [
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"core\", \"cli\", \"derive\"]\n".to_owned(),
        ),
        (
            "core/Cargo.toml",
            package(
                "core",
                "[lib]\nname = \"core_lib\"\n[dependencies]\nderive = { path = \"../derive\" }\n",
            ),
        ),
        ("core/src/lib.rs", module.to_owned()),
        ("core/tests/net-io.rs", module.to_owned() + &test("b")),
        ("core/benches/speed.rs", test("a")),
        (
            "cli/Cargo.toml",
            package(
                "cli",
                "[[example]]\nname = \"demo\"\ntest = true\n[dependencies]\ncore = { path = \"../core\" }\n",
            ),
        ),
        (
            "cli/src/main.rs",
            "fn main() {}\n".to_owned() + &test("read"),
        ),
        (
            "cli/examples/demo.rs",
            "fn main() {}\n".to_owned() + &test("a"),
        ),
        (
            "derive/Cargo.toml",
            package("derive", "[lib]\nproc-macro = true\n"),
        ),
        ("derive/src/lib.rs", test("expands")),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Returns the output of a tool that succeeds.
fn output(root: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    output.stdout
}

/// Builds the workspace, and keeps what nextest needs in order not to do so for each list.
fn build(root: &Path) {
    let metadata = [
        "metadata",
        "--offline",
        "--format-version=1",
        "--all-features",
    ];
    fs::write(root.join("metadata.json"), output(root, "cargo", &metadata)).unwrap();
    let binaries = "nextest list --offline --workspace --all-targets --list-type=binaries-only \
                    --message-format=json";
    let binaries: Vec<&str> = binaries.split_whitespace().collect();
    let binaries = output(root, "cargo-nextest", &binaries);
    fs::write(root.join("binaries.json"), binaries).unwrap();
}

fn nextest(root: &Path, arguments: &[&str]) -> Output {
    Command::new("cargo-nextest")
        .args(["nextest", "list", "--binaries-metadata=binaries.json"])
        .arg("--cargo-metadata=metadata.json")
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap()
}

fn kind(word: &str) -> TargetKind {
    match word {
        "lib" | "proc-macro" => TargetKind::Library,
        "bin" => TargetKind::Binary,
        "test" => TargetKind::Test,
        "example" => TargetKind::Example,
        "bench" => TargetKind::Benchmark,
        other => panic!("nextest names a kind `{other}`"),
    }
}

/// Returns what we select of the tests that nextest lists, as `BINARY-ID NAME`, or the mistake.
fn selected(
    workspace: &CargoWorkspace,
    listed: &serde_json::Value,
    filterset: &str,
) -> Result<BTreeSet<String>, String> {
    let words = ["cargo-maelstrom", "run", "--workspace", "-E", filterset];
    let options =
        CargoOptions::read(words.map(OsString::from)).map_err(|error| error.to_string())?;
    let settings = options.resolve(NonZeroU32::MIN);
    let settings = settings.map_err(|error| error.to_string())?;
    let selection = CargoSelection::decide(&settings, workspace);
    let selection = selection.map_err(|error| error.to_string())?;
    let mut selected = BTreeSet::new();
    for (id, suite) in listed["rust-suites"].as_object().unwrap() {
        let mut packages = workspace.packages.iter();
        let package = packages.find(|package| suite["package-name"] == package.name());
        let target = PackageTarget {
            name: suite["binary-name"].as_str().unwrap().to_owned(),
            kind: kind(suite["kind"].as_str().unwrap()),
        };
        for name in suite["testcases"].as_object().unwrap().keys() {
            let outcome = selection.test(package.unwrap(), &target, name, IgnoreStatus::Wanted);
            if outcome == SelectionOutcome::Run {
                selected.insert(format!("{id} {name}"));
            }
        }
    }
    Ok(selected)
}

#[tokio::test]
#[ignore = "needs cargo-nextest"]
async fn filtersets_select_what_nextest_selects() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write_workspace(root);
    build(root);
    let all = nextest(root, &["--message-format", "json"]);
    let all: serde_json::Value = serde_json::from_slice(&all.stdout).unwrap();
    let invocation = Invocation {
        directory: root.to_owned(),
        environment: std::env::vars_os().collect(),
        colors: ColorMode::Unwanted,
    };
    let options = CargoOptions::read(["p", "--offline"].map(OsString::from)).unwrap();
    let workspace = CargoWorkspace::load(&invocation, &options.build)
        .await
        .unwrap();
    for filterset in FILTERSETS {
        let listed = nextest(root, &["--message-format", "oneline", "-E", filterset]);
        assert!(listed.status.success(), "nextest refuses `{filterset}`");
        let listed = String::from_utf8(listed.stdout).unwrap();
        let theirs: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
        let ours = selected(&workspace, &all, filterset);
        assert_eq!(ours, Ok(theirs), "{filterset}");
    }
    for filterset in MISTAKES {
        let listed = nextest(root, &["--message-format", "oneline", "-E", filterset]);
        assert!(!listed.status.success(), "nextest accepts `{filterset}`");
        assert!(
            selected(&workspace, &all, filterset).is_err(),
            "{filterset}"
        );
    }
}
