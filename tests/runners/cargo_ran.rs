//! A test passes only if its process has said that it ran: test binaries that exit with 0 without
//! having run what they were asked for, and those that print something else besides.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::EXECUTABLE;
use tempfile::TempDir;

/// A harness of its own that speaks like libtest, but for what its table of tests says.
const MIMIC: &str = r#"
/// Lists `listed`, and runs those of `known` that it is asked for. Names before `!` are those of
/// tests that fail.
pub fn main(listed: &[&str], known: &[&str]) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut names = Vec::new();
    let mut flags = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--" => names.extend(rest.by_ref().cloned()),
            "--format" => drop(rest.next()),
            flag if flag.starts_with("-") => flags.push(flag.to_owned()),
            name => names.push(name.to_owned()),
        }
    }
    if flags.iter().any(|flag| flag == "--list") {
        if !flags.iter().any(|flag| flag == "--ignored") && names.is_empty() {
            listed.iter().for_each(|name| println!("{}: test", name.trim_end_matches('!')));
        }
        return;
    }
    let runs = |known: &&&str| {
        names.is_empty() || names.iter().any(|name| name == known.trim_end_matches('!'))
    };
    let wanted: Vec<&&str> = known.iter().filter(runs).collect();
    println!("\nrunning {} test{}", wanted.len(), if wanted.len() == 1 { "" } else { "s" });
    let failed = wanted.iter().filter(|name| name.ends_with('!')).count();
    for name in &wanted {
        let outcome = if name.ends_with('!') { "FAILED" } else { "ok" };
        println!("test {} ... {outcome}", name.trim_end_matches('!'));
    }
    let (all, filtered) = (wanted.len() - failed, known.len() - wanted.len());
    let outcome = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {outcome}. {all} passed; {failed} failed; 0 ignored; 0 measured; \
              {filtered} filtered out; finished in 0.00s\n");
    std::process::exit(if failed == 0 { 0 } else { 101 });
}
"#;

/// Writes when the program is loaded, and when it ends.
const LOUD: &str = r#"
unsafe extern "C" { fn write(to: i32, text: *const u8, length: usize) -> isize; }
fn say(text: &str) { unsafe { write(1, text.as_ptr(), text.len()); } }
extern "C" fn before() { say(&first()); }
extern "C" fn after() { say(LAST); }
#[used] #[unsafe(link_section = ".init_array")] static BEFORE: extern "C" fn() = before;
#[used] #[unsafe(link_section = ".fini_array")] static AFTER: extern "C" fn() = after;
#[test] fn good() {}
#[test] fn bad() { panic!("broken") }
#[test] #[ignore] fn left_out() { panic!("broken") }
"#;

/// A target of the project: its name, whether libtest runs it, and its source.
type Target = (&'static str, bool, String);

fn targets() -> Vec<Target> {
    let mimic = |name: &'static str, body: &str| {
        (
            name,
            false,
            format!("#[path = \"mimic.inc\"] mod mimic;\nfn main() {{ {body} }}"),
        )
    };
    let loud = |name: &'static str, first: &str, last: &str| {
        let source =
            format!("fn first() -> String {{ {first} }}\nconst LAST: &str = {last:?};\n{LOUD}");
        (name, true, source)
    };
    let plain = r#"
#[test] fn passes() {}
#[test] #[should_panic] fn panics() { panic!("as it should") }
#[test] #[should_panic] fn should_panic() {}
#[test] fn fails() { panic!("broken") }
#[test] #[ignore = "slow"] fn left_out() {}
#[test] fn exits() { std::process::exit(0) }
const RESULT: &str = "\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
                      finished in 0.00s\n";
#[test] fn imitates_and_passes() {
    println!("\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; \
              1 filtered out; finished in 0.00s\n");
    println!("test imitates_and_passes ... FAILED\n{RESULT}");
    print!("no newline");
}
#[test] fn imitates_and_exits() {
    println!("\nrunning 1 test\ntest it_works ... ok\n{RESULT}");
    std::process::exit(0)
}
#[test] fn imitates_and_fails() { println!("test imitates_and_fails ... ok\n{RESULT}"); panic!() }
#[test] fn says_its_name() { println!("test says_its_name ... begins"); }
#[test] fn goes_on_writing() {
    std::thread::spawn(|| loop { println!("tick"); });
}
"#;
    vec![
        ("plain", true, plain.to_owned()),
        mimic("steady", r#"mimic::main(&["one", "two!", "-dash", "--list", "--"], &["one", "two!", "-dash", "--list", "--"])"#),
        mimic(
            "unsteady",
            r#"let name: &str = &format!("at {:?}!", std::time::SystemTime::now());
               mimic::main(&[name], &[name])"#,
        ),
        mimic("escaped", r#"let name = "\u{1b}[31mred\u{1b}[m"; mimic::main(&[name], &[name])"#),
        mimic("cleaned", r#"mimic::main(&["red"], &["\u{1b}[31mred\u{1b}[m!"])"#),
        mimic("greedy", r#"mimic::main(&["one", "two"], &["one", "one", "two"])"#),
        ("silent", false, r#"fn main() {
            if std::env::args().any(|argument| argument == "--list") && !std::env::args().any(|argument| argument == "--ignored") {
                println!("quiet: test");
            }
        }"#.to_owned()),
        ("tested", false, r#"fn main() {
            let arguments: Vec<String> = std::env::args().collect();
            if arguments.iter().any(|argument| argument == "--list") {
                if !arguments.iter().any(|argument| argument == "--ignored") { println!("group/bench: benchmark"); }
            } else {
                println!("Testing group/bench\nSuccess\n");
            }
        }"#.to_owned()),
        loud("glued", r#""loading ".to_owned()"#, "bye: test\n"),
        loud("lines", r#""mode: test\nloading\n".to_owned()"#, "bye\n"),
        loud("restless", r#"format!("{:?} ", std::time::SystemTime::now())"#, ""),
    ]
}

fn project() -> TempDir {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).unwrap();
    fs::create_dir_all(project.path().join("tests")).unwrap();
    fs::create_dir_all(project.path().join("src")).unwrap();
    let mut manifest = "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                        autotests = false\n[lib]\ntest = false\n[workspace]\n"
        .to_owned();
    for (name, harness, source) in targets() {
        manifest += &format!("[[test]]\nname = \"{name}\"\nharness = {harness}\n");
        write(&format!("tests/{name}.rs"), &source);
    }
    write("Cargo.toml", &manifest);
    write("tests/mimic.inc", MIMIC);
    write("src/lib.rs", "");
    project
}

/// What a call says, standard output and error together, and its exit code.
fn call(project: &Path, arguments: &[&str]) -> (String, i32) {
    let mut command = Command::new(EXECUTABLE);
    command.args(arguments).current_dir(project);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (text.concat(), output.status.code().unwrap())
}

/// A line for each test, with its outcome, and the exit code.
fn outcomes(project: &Path, arguments: &[&str]) -> (String, i32) {
    let record = project.join("record.jsonl");
    let path = record.to_str().unwrap();
    let arguments = [&["--ui=quiet", "--offline", "--record", path], arguments].concat();
    let (text, code) = call(project, &arguments);
    let mut titles = BTreeMap::new();
    let mut outcomes = BTreeMap::new();
    let record = fs::read_to_string(&record).unwrap_or_else(|_| panic!("{text}"));
    for line in record.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        match event["event"].as_str().unwrap() {
            "discovered" => {
                for test in event["tests"].as_array().unwrap() {
                    let title = test["title"].as_str().unwrap();
                    let title = title.split("SystemTime").next().unwrap().trim_end();
                    titles.insert(test["test"].to_string(), title.to_owned());
                }
            }
            "finished" => {
                let title = titles[&event["test"].to_string()]
                    .escape_debug()
                    .to_string();
                let outcome = &event["outcome"];
                let kind = outcome["kind"].as_str().unwrap();
                let detail = outcome["message"].as_str().or(outcome["reason"].as_str());
                let detail = detail
                    .unwrap_or_default()
                    .split([';', '(', '.'])
                    .next()
                    .unwrap();
                let line = format!("{title}: {kind} {detail}").trim_end().to_owned();
                outcomes.insert(title, line);
            }
            _ => {}
        }
    }
    let lines: Vec<String> = outcomes.into_values().collect();
    (lines.join("\n"), code)
}

#[test]
fn a_test_passes_only_if_its_process_says_so() {
    let project = project();
    for isolation in ["--isolation=container", "--isolation=process"] {
        let (outcomes, code) = outcomes(project.path(), &[isolation]);
        assert_eq!(code, 101);
        insta::allow_duplicates! {
            insta::assert_snapshot!(outcomes, @r"
            victim cleaned red: error its process exited with 0, but said that it ran no test
            victim escaped \u{1b}[31mred\u{1b}[m: passed
            victim glued bad: failed
            victim glued good: passed
            victim glued left_out: ignored
            victim greedy one: error its process exited with 0, but said that it ran 2 tests where it was to run this one
            victim greedy two: passed
            victim lines bad: failed
            victim lines good: passed
            victim lines left_out: ignored
            victim plain exits: error its process exited with 0, but did not say that the test ran to its end
            victim plain fails: failed
            victim plain goes_on_writing: passed
            victim plain imitates_and_exits: error its process exited with 0, but did not say that the test ran to its end
            victim plain imitates_and_fails: failed
            victim plain imitates_and_passes: passed
            victim plain left_out: ignored
            victim plain panics: passed
            victim plain passes: passed
            victim plain says_its_name: passed
            victim plain should_panic: failed
            victim restless main: failed
            victim silent quiet: error its process exited with 0, but did not say that the test ran
            victim steady --: passed
            victim steady --list: passed
            victim steady -dash: passed
            victim steady one: passed
            victim steady two: failed
            victim tested group/bench: passed
            victim unsteady at: error its process exited with 0, but said that it ran no test
            ");
        }
    }
    // Errors alone are no success either.
    let only = |target: &str| format!("test.equals({target})");
    for target in ["cleaned", "silent", "unsteady"] {
        let (outcomes, code) = outcomes(project.path(), &["--include", &only(target)]);
        assert_eq!(code, 125, "{outcomes}");
        // Whole, each does what it does by itself.
        let whole = ["--include", &only(target), "--whole", &only(target)];
        let (whole, code) = self::outcomes(project.path(), &whole);
        let expected = match target {
            "silent" => ("victim silent main: passed", 0),
            "cleaned" => ("victim cleaned main: failed", 101),
            _ => ("victim unsteady main: failed", 101),
        };
        assert_eq!((whole.as_str(), code), expected);
    }
    // libtest itself selects among its tests when it runs whole.
    let restless = only("restless");
    let good = ["--include", &restless, "good"];
    assert_eq!(
        outcomes(project.path(), &good).0,
        "victim restless main: passed"
    );
}

#[test]
fn words_that_run_nothing_are_no_success() {
    let project = tempfile::tempdir().unwrap();
    fs::create_dir(project.path().join("src")).unwrap();
    let manifest =
        "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(project.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(project.path().join("src/lib.rs"), "#[test] fn alone() {}").unwrap();
    for (arguments, code, text) in [
        (&["-v"][..], 0, "1 passed"),
        (&["-vv"], 0, "Fresh victim"),
        (&["maelstrom", "run"], 0, "1 passed"),
        (&["maelstrom", "test", "alone"], 0, "1 passed"),
        (&["nextest", "run"], 0, "1 passed"),
        (&["list"], 0, "victim alone"),
        (&["nextest", "list"], 0, "victim alone"),
        (&["-P", "ci"], 2, "--run-profile"),
        (&["no_such_test"], 4, "no test was selected"),
        (&["--", "run"], 4, "no test was selected"),
        (&["--skip", "alone"], 4, "no test was selected"),
        (&["-i", "package.equals(other)"], 4, "no tests"),
        (&["-x", "all"], 4, "no tests"),
        (&["-i", "name.equals(other)"], 4, "no test was selected"),
        (&["-E", "test(other)"], 4, "no test was selected"),
        (&["-E", "package(other)"], 2, "no package"),
        (
            &["--no-tests", "pass", "no_such_test"],
            0,
            "no test was selected",
        ),
        (&["run", "no_such_test"], 4, "no test was selected"),
        (&["run", "--ignored"], 4, "no test was selected"),
        (&["run", "-E", "test(alone) & kind(lib)"], 0, "1 passed"),
        (&["run", "-P", "ci"], 2, "profiles"),
        (
            &["run", "--partition", "slice:1/2"],
            0,
            "part 1 of 2: 1 of 1 test",
        ),
        (
            &["nextest", "run", "--partition", "count:2/2"],
            0,
            "part 2 of 2: 0 of 1 test",
        ),
        (&["--partition", "hash:3/2"], 2, "slice:1/4"),
        (&["nextest", "archive"], 2, "nextest run"),
        (&["--doc"], 0, "no tests to run"),
        (&["-r", "alone"], 0, "1 passed"),
        // Nothing is ignored here, which is as it should be.
        (&["--ignored"], 0, "no test was selected"),
    ] {
        let plain = [&["--no-tui"], arguments].concat();
        let words = if arguments[0].starts_with('-') {
            &plain[..]
        } else {
            arguments
        };
        let (told, ended) = call(project.path(), words);
        assert_eq!(ended, code, "{arguments:?}: {told}");
        assert!(told.contains(text), "{arguments:?}: {told}");
    }
}
