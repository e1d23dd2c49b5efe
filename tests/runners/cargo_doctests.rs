//! Doctests of every kind: their names and results are those of `cargo test --doc`, and each runs in a
//! container of its own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::EXECUTABLE;

/// A library whose doctests rustdoc merges, and one whose doctests each have a program of their own:
/// the name, the edition, and the name that rustdoc gives to the doctest in the README.
const PACKAGES: [(&str, &str, &str); 2] = [
    ("merged", "2024", "src/../README.md - (line 1)"),
    ("single", "2021", "src/lib.rs - (line 1)"),
];

/// The same doctests in both.
const SOURCE: &str = r#"#![doc = include_str!("../README.md")]

/// ```
/// assert!(!std::path::Path::new("/tmp/left").exists());
/// std::fs::write("/tmp/left", "").unwrap();
/// assert_eq!(std::env::var("CARGO_PKG_VERSION").unwrap(), env!("CARGO_PKG_VERSION"));
/// ```
/// ```
/// assert!(!std::path::Path::new("/tmp/left").exists());
/// std::fs::write("/tmp/left", "").unwrap();
/// assert_eq!(std::env::current_dir().unwrap().join("src").exists(), true);
/// ```
/// ```should_panic
/// panic!("one");
/// ```
/// ```should_panic
/// panic!("two");
/// ```
/// ```should_panic
/// println!("no panic");
/// ```
/// ```compile_fail
/// let number: u8 = "";
/// ```
/// ```compile_fail
/// let number: u8 = 1;
/// ```
/// ```no_run
/// loop {}
/// ```
/// ```ignore
/// neither compiled nor run
/// ```
/// ```standalone_crate
/// panic!("the third line");
/// ```
pub fn item() {}
"#;

/// The names and results of `cargo test --doc` (Rust 1.95), without ` - should panic`, which it prints
/// of merged doctests only. There, of the first two, the second finds what the first left.
const EXPECTED: [(&str, &str); 10] = [
    ("src/lib.rs - item (line 3)", "PASS"),
    ("src/lib.rs - item (line 8)", "PASS"),
    ("src/lib.rs - item (line 13)", "PASS"),
    ("src/lib.rs - item (line 16)", "PASS"),
    ("src/lib.rs - item (line 19)", "FAIL"),
    ("src/lib.rs - item (line 22) - compile fail", "PASS"),
    ("src/lib.rs - item (line 25) - compile fail", "FAIL"),
    ("src/lib.rs - item (line 28) - compile", "PASS"),
    ("src/lib.rs - item (line 31)", "IGNORED"),
    ("src/lib.rs - item (line 34)", "FAIL"),
];

fn make(root: &Path) {
    fs::write(
        root.join("Cargo.toml"),
        "[workspace]\nmembers = [\"merged\", \"single\"]\nresolver = \"3\"\n",
    )
    .unwrap();
    for (name, edition, _) in PACKAGES {
        let package = root.join(name);
        fs::create_dir_all(package.join("src")).unwrap();
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"{edition}\"\n");
        fs::write(package.join("Cargo.toml"), manifest).unwrap();
        fs::write(package.join("README.md"), "\n```\nassert!(true);\n```\n").unwrap();
        fs::write(package.join("src/lib.rs"), SOURCE).unwrap();
    }
}

#[test]
fn doctests_are_what_cargo_says_they_are_each_in_its_container() {
    let project = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    make(project.path());
    let output = Command::new(EXECUTABLE)
        .args(["maelstrom", "--doc", "--offline", "--ui=plain"])
        .env("RUST_BACKTRACE", "0")
        .current_dir(&project)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines() {
        if let Some((before, test)) = line.split_once(" (doctest) ")
            && let Some((word @ ("PASS" | "FAIL" | "IGNORED"), _)) = before.split_once(' ')
        {
            let name = test.trim_end_matches(" - should panic");
            found.insert(name.to_owned(), word.to_owned());
        }
    }
    let expected = PACKAGES.iter().flat_map(|(package, _, readme)| {
        let all = EXPECTED.into_iter().chain([(*readme, "PASS")]);
        all.map(move |(name, word)| (format!("{package}/{name}"), word.to_owned()))
    });
    assert_eq!(found, expected.collect(), "{text}");
    for part in [
        "it is marked `should_panic`, but did not panic",
        "Test compiled successfully, but it's marked `compile_fail`",
        "at merged/src/lib.rs:34",
        "summary: 14 passed, 6 failed, 2 ignored",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

/// A rustdoc that records each time it compiles doctests.
fn recording_rustdoc(place: &Path, record: &Path) {
    let record = record.display();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--test*) echo compiled >> '{record}';; esac\nexec rustdoc \"$@\"\n"
    );
    fs::write(place, script).unwrap();
    fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn doctests_are_compiled_again_only_if_something_has_changed() {
    let project = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let tools = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (rustdoc, record) = (tools.path().join("mine"), tools.path().join("record"));
    recording_rustdoc(&rustdoc, &record);
    let root = project.path();
    fs::create_dir_all(root.join("src")).unwrap();
    fs::create_dir_all(root.join(".cargo")).unwrap();
    // The project is not part of this repository.
    fs::create_dir(root.join(".git")).unwrap();
    let write = |path: &str, text: &str| fs::write(root.join(path), text).unwrap();
    write(
        "Cargo.toml",
        "[package]\nname = \"kept\"\nedition = \"2021\"\n[workspace]\n",
    );
    let configuration = format!("[build]\nrustdoc = '{}'\n", rustdoc.display());
    write(".cargo/config.toml", &configuration);
    write(
        "src/lib.rs",
        "#![cfg_attr(doctest, doc = include_str!(\"../README.md\"))]\n//! ```\n\
         //! assert_eq!(option_env!(\"SEEN\"), None);\n//! ```\n//! ```should_panic\n//! panic!()\n\
         //! ```\n//! ```compile_fail\n//! let n: u8 = \"\";\n//! ```\n",
    );
    let readme = |assertion: &str| write("README.md", &format!("```\n{assertion}\n```\n"));
    readme("assert!(true);");
    // Runs the doctests, and returns how often rustdoc compiled, and the summary.
    let run = |words: &[&str], variable: Option<&str>| {
        drop(fs::remove_file(&record));
        let output = Command::new(EXECUTABLE)
            .args(["maelstrom", "--doc", "--offline", "--ui=plain"])
            .args(words)
            .envs(variable.map(|value| ("SEEN", value)))
            .current_dir(root)
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let summary = text.lines().find(|line| line.starts_with("summary: "));
        let summary = summary.unwrap_or(&text);
        let (summary, _) = summary.split_once(" in ").unwrap_or((summary, ""));
        let record = fs::read_to_string(&record).unwrap_or_default();
        (record.lines().count(), summary.to_owned())
    };
    let passed = "summary: 4 passed, 0 failed".to_owned();
    // The library has only just been built in the first run, so the doctests are kept in the second
    // one at the latest.
    assert_eq!(run(&[], None), (1, passed.clone()));
    assert_eq!(run(&[], None).1, passed);
    assert_eq!(run(&[], None), (0, passed.clone()));
    // A part of them is compiled, and the whole remains.
    let (compiled, part) = run(&["README"], None);
    assert_eq!(compiled, 1, "{part}");
    assert_eq!(run(&[], None), (0, passed));
    let failed = "summary: 3 passed, 1 failed".to_owned();
    assert_eq!(run(&[], Some("x")), (1, failed.clone()));
    // A file of which the library's own build knows nothing.
    readme("assert!(false);");
    assert_eq!(run(&[], None), (1, failed));
}
