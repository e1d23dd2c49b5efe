//! Holds the source itself to the rules that neither the compiler nor clippy can hold: those about
//! comments and files, and those that differ between tests and the rest. The lints in `Cargo.toml` and
//! `clippy.toml` hold the others.
//!
//! Each rule is a function from a file to complaints, tried on a file that breaks it as well, so
//! that a rule that has gone blind is noticed.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the package's root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Its lines without comments and raw strings, each with its number from 1. Good enough for
    /// code that is formatted: `//` in a string is taken for a comment only after a space.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut in_string = false;
        self.text.lines().enumerate().map(move |(index, line)| {
            let code = match (in_string, line.split_once("r#\"")) {
                (false, Some((before, after))) => {
                    in_string = !after.contains("\"#");
                    before
                }
                (false, None) if line.trim_start().starts_with("//") => "",
                (false, None) => line.split(" // ").next().unwrap_or_default(),
                (true, _) => {
                    in_string = !line.contains("\"#");
                    ""
                }
            };
            (index + 1, code)
        })
    }

    fn complain(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// The line from which on everything is a test.
    fn tests_begin(&self) -> usize {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let is_test =
            |part: &str| part == "tests" || part.starts_with("tests_") || part == "testing";
        if self.path.split('/').any(is_test) || is_test(name.trim_end_matches(".rs")) {
            return 0;
        }
        let mut lines = self.text.lines();
        let last = lines.position(|line| line == "#[cfg(test)]");
        last.map_or(usize::MAX, |index| index + 1)
    }
}

/// All Rust files below these directories. Projects that tests are run on are not ours to judge.
fn sources(directories: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = directories.iter().map(|name| root.join(name)).collect();
    let mut found = Vec::new();
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("fixtures") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 1, "no sources in {directories:?}");
    found
}

fn check(directories: &[&str], rule: fn(&Source) -> Vec<String>) {
    let complaints: Vec<String> = sources(directories).iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn breaks(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) {
    let complaints = rule(&Source::new(path, text));
    assert!(!complaints.is_empty(), "not noticed in {path}: {text}");
}

fn keeps(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) {
    assert_eq!(rule(&Source::new(path, text)), [""; 0]);
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(index, _)| {
        let of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let before = line[..index].chars().next_back();
        let after = line[index + word.len()..].chars().next();
        !of_name(before) && !of_name(after)
    })
}

/// Clippy holds this for threads. For tasks it can't: it knows no rule for tests alone.
fn sleeps(source: &Source) -> Vec<String> {
    let call = ["sle", "ep("].concat();
    let begin = source.tests_begin();
    let code = source.code().filter(|(number, _)| *number >= begin);
    let sleeping = code.filter(|(_, line)| line.contains(&call) && has_word(line, "sleep"));
    sleeping
        .map(|(number, _)| source.complain(number, "tests do not sleep"))
        .collect()
}

#[test]
fn tests_do_not_sleep() {
    check(&["src", "tests"], sleeps);
    let sleep = ["thread::sle", "ep(second);"].concat();
    breaks(sleeps, "tests/x.rs", &sleep);
    breaks(sleeps, "src/engine/run/machine/tests.rs", &sleep);
    breaks(
        sleeps,
        "src/ui/log/mod.rs",
        &format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{sleep}"),
    );
    keeps(sleeps, "src/ui/record.rs", &sleep);
    // What a test gives to Maelstrom to run may well sleep.
    keeps(
        sleeps,
        "tests/x.rs",
        &format!("const A: &str = r#\"\n{sleep}\n\"#;"),
    );
}

/// Marks of what is not finished, put together so that this file does not hold them. Clippy looks for
/// the macros.
fn unfinished(source: &Source) -> Vec<String> {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|halves| halves.concat());
    let mut complaints = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for mark in &marks {
            // A name or a string may hold the letters; a mark stands alone, and outside strings.
            let outside = line.split('"').step_by(2).collect::<Vec<_>>().join(" ");
            if has_word(&outside, mark) {
                complaints.push(source.complain(index + 1, &format!("holds {mark}")));
            }
        }
    }
    complaints
}

/// A test is ignored because it needs programs that not every machine has, and names them. A module's
/// own tests need none.
fn ignored(source: &Source) -> Vec<String> {
    let is_of_programs = source.path.starts_with("tests/");
    let ignored = source.code().filter(|(_, line)| {
        let line = line.trim_start();
        let names_its_needs = line.starts_with("#[ignore = \"needs ");
        line.starts_with("#[ignore") && !(is_of_programs && names_its_needs)
    });
    ignored
        .map(|(number, _)| source.complain(number, "a test is ignored"))
        .collect()
}

#[test]
fn tests_are_ignored_for_the_programs_that_they_need() {
    check(&["src", "tests"], ignored);
    breaks(ignored, "tests/x.rs", "    #[ignore]");
    breaks(ignored, "tests/x.rs", "#[ignore = \"slow\"]");
    let needs = "#[ignore = \"needs tmux\"]";
    breaks(ignored, "src/x.rs", needs);
    keeps(ignored, "tests/x.rs", needs);
    keeps(ignored, "src/x.rs", "/// On demand (`#[ignore]`).");
}

#[test]
fn nothing_is_left_for_later() {
    check(&["src", "tests"], unfinished);
    breaks(unfinished, "src/x.rs", &["// TO", "DO: this"].concat());
}

fn header(source: &Source) -> Vec<String> {
    match source.text.starts_with("//!") {
        true => Vec::new(),
        false => vec![source.complain(1, "does not say what it is for")],
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    check(&["src", "tests"], header);
    breaks(header, "src/x.rs", "use std::fs;");
}

/// A file has one subject. Longer than this, it has two.
const LINES_MAX: usize = 500;

fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    match lines {
        0..=LINES_MAX => Vec::new(),
        more => vec![source.complain(more, "is too long to be about one subject")],
    }
}

#[test]
fn no_file_is_too_long() {
    check(&["src", "tests", "benches"], length);
    breaks(length, "src/x.rs", &"//!\n".repeat(LINES_MAX + 1));
}

/// Code for one processor needs its twin for the other that is supported.
fn twins(source: &Source) -> Vec<String> {
    let text = source.text.to_lowercase();
    let asks = text.contains(&["target", "_arch"].concat());
    match asks && !(text.contains("x86_64") && text.contains("aarch64")) {
        true => vec![source.complain(1, "is for one processor architecture only")],
        false => Vec::new(),
    }
}

#[test]
fn code_for_one_processor_has_its_twin() {
    check(&["src", "tests"], twins);
    let lonely = ["#[cfg(target_arch", " = \"x86_64\")]"].concat();
    breaks(twins, "src/x.rs", &lonely);
}

/// Clippy can't hold this: tests make files, too, and it knows no rule for everything but tests.
///
/// Who may make files without `container::private`, which keeps them from other users: what stands in
/// a container has the modes that programs there expect, and what the user names or commits is the
/// umask's business.
const MAKERS: [(&str, &str); 16] = [
    ("src/container/private.rs", "it is the one"),
    ("src/container/init/files.rs", "files of a container"),
    (
        "src/container/init/startup_files.rs",
        "files of a container",
    ),
    ("src/container/init/level.rs", "files of a container"),
    ("src/container/init/namespaces.rs", "it writes to /proc"),
    ("src/container/spawner.rs", "it writes to /proc"),
    ("src/container/layer/elf/file.rs", "it reads"),
    ("src/engine/spec/init.rs", "a file of the project"),
    (
        "src/engine/cluster/security/authority.rs",
        "certificates are for everybody, and keys have 0600",
    ),
    ("src/engine/wire/build.rs", "it builds"),
    (
        "src/runners/cargo/doctests/wrapper.rs",
        "it opens its named pipes, which have 0700",
    ),
    (
        "src/runners/cargo/doctests/run_tool.rs",
        "it opens a named pipe",
    ),
    ("src/ui/record/mod.rs", "the user names it; it has 0600"),
    (
        "src/runners/pytest/junit.rs",
        "the user names the report, for tools to read",
    ),
    (
        "src/ui/export/target.rs",
        "the user names it, for other programs to read",
    ),
    (
        "src/ui/export/github/summary.rs",
        "GitHub names and makes it",
    ),
];

fn makes_files(source: &Source) -> Vec<String> {
    let calls = [
        "fs::write(",
        "File::create",
        "create_dir(",
        "create_dir_all(",
        "File::options()",
        "OpenOptions::new()",
        "DirBuilder::new()",
        "tempdir(",
        "tempdir_in(",
        "Database::create(",
    ];
    if MAKERS.iter().any(|(path, _)| source.path == *path) {
        return Vec::new();
    }
    let begin = source.tests_begin();
    let code = source.code().filter(|(number, _)| *number < begin);
    code.filter(|(_, line)| calls.iter().any(|call| line.contains(call)))
        .map(|(number, _)| source.complain(number, "files are made by container::private"))
        .collect()
}

#[test]
fn files_are_made_for_the_user_alone() {
    check(&["src"], makes_files);
    for line in [
        "    fs::write(&path, text)?;",
        "let file = File::create(path)?;",
        "fs::create_dir_all(&self.directory)",
        "let file = OpenOptions::new()",
        "let directory = tempfile::tempdir()?;",
    ] {
        breaks(makes_files, "src/engine/log.rs", line);
        keeps(makes_files, "src/container/private.rs", line);
        keeps(
            makes_files,
            "src/engine/log.rs",
            &format!("#[cfg(test)]\n{line}"),
        );
    }
}
