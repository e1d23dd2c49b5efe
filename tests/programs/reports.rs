//! What a run prints for people, and how it runs the failed tests again.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use crate::support::EXECUTABLE;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

const MANIFEST: &str =
    "[package]\nname = \"garden\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";

fn project(source: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("Cargo.toml"), MANIFEST).unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    fs::write(directory.path().join("src/lib.rs"), source).unwrap();
    directory
}

fn maelstrom(project: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(EXECUTABLE);
    command.args(arguments).current_dir(project.path());
    for variable in ["CARGO_TERM_COLOR", "CI", "FORCE_COLOR", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}

/// Standard output and the exit code.
fn run(command: &mut Command) -> (String, i32) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.stdin(Stdio::null()).output().unwrap();
    let code = status.code().unwrap();
    assert_ne!(code, 125, "{}", String::from_utf8_lossy(&stderr));
    (String::from_utf8(stdout).unwrap(), code)
}

/// The names of the tests that a report has lines of, sorted.
fn tests_of(report: &str) -> Vec<&str> {
    let is_outcome = |line: &&str| line.starts_with("PASS ") || line.starts_with("FAIL ");
    let lines = report.lines().filter(is_outcome);
    let mut names: Vec<&str> = lines.map(|line| line.rsplit(' ').next().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_failed_tests_run_again_until_they_pass() {
    const FAILING: &str = "#[test] fn a() { panic!(\"weeds\") } #[test] fn b() { panic!() }
                           #[test] fn c() {} #[test] fn d() {}";
    let project = project(FAILING);
    let (first, code) = run(&mut maelstrom(&project, &["--slots", "2"]));
    assert_eq!((tests_of(&first).len(), code), (4, 101), "{first}");
    assert!(first.contains("(4/4)  garden "), "{first}");

    // The command that the report prints, as a shell runs it.
    let command_after = |mark: &str, report: &str| {
        let lines = report
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(mark));
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    let shell = |command: &str| {
        let mut shell = Command::new("sh");
        run(shell.args(["-c", command]).current_dir(project.path()))
    };
    let [all] = &command_after("rerun the failures: ", &first)[..] else {
        panic!("one command: {first}")
    };
    assert!(all.ends_with(" --slots 2 --failed"), "{all}");
    let (again, code) = shell(all);
    assert_eq!((tests_of(&again), code), (vec!["a", "b"], 101), "{again}");
    assert!(
        again.contains("2 tests found, 2 left out by filters"),
        "{again}"
    );
    let alone = command_after("run it alone: ", &again);
    assert!(alone.len() >= 2, "{again}");
    let of_b = alone
        .iter()
        .find(|command| command.contains("name.equals(b)"));
    let (only, code) = shell(of_b.unwrap());
    assert_eq!((tests_of(&only), code), (vec!["b"], 101), "{only}");

    // A failure stays known while others run, and until it passes.
    fs::write(
        project.path().join("src/lib.rs"),
        FAILING.replace("panic!()", ""),
    )
    .unwrap();
    let (mended, code) = run(&mut maelstrom(&project, &["--failed", "b"]));
    assert_eq!((tests_of(&mended), code), (vec!["b"], 0), "{mended}");
    let (rest, code) = run(&mut maelstrom(&project, &["--lf"]));
    assert_eq!((tests_of(&rest), code), (vec!["a"], 101), "{rest}");
    fs::write(
        project.path().join("src/lib.rs"),
        FAILING
            .replace("panic!(\"weeds\")", "")
            .replace("panic!()", ""),
    )
    .unwrap();
    let (mended, code) = run(&mut maelstrom(&project, &["--failed"]));
    assert_eq!((tests_of(&mended), code), (vec!["a"], 0), "{mended}");
    let (all, code) = run(&mut maelstrom(&project, &["--failed"]));
    assert_eq!(
        (tests_of(&all), code),
        (vec!["a", "b", "c", "d"], 0),
        "{all}"
    );
    assert!(
        all.contains("no selected test failed in the last run"),
        "{all}"
    );
}

#[test]
fn the_output_of_a_lone_test_is_seen_while_it_runs() {
    let project = project(
        "#[test] fn waits() {
            use std::io::Write;
            println!(\"first line\");
            print!(\"no line so far\");
            std::io::stdout().flush().unwrap();
            println!(\" {}\", std::fs::read_to_string(\"pipe\").unwrap());
        }",
    );
    let pipe = project.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    // Doctests would be others that can run.
    let mut child = maelstrom(
        &project,
        &["--lib", "--isolation=process", "--", "--nocapture"],
    )
    .stdin(Stdio::null())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut told = Vec::new();
    let mut piece = [0; 1024];
    while !told.ends_with(b"first line\nno line so far") {
        let length = stdout.read(&mut piece).unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&piece[..length]);
    }
    let mut pipe = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    pipe.write_all(b"at last").unwrap();
    drop(pipe);
    stdout.read_to_end(&mut told).unwrap();
    assert!(child.wait().unwrap().success());
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("no line so far at last\nPASS "), "{told}");
    assert_eq!(told.matches("first line").count(), 1, "{told}");
}

#[test]
fn styles_colors_and_notices_follow_options_and_variables() {
    let project = project("#[test] fn a() {} #[test] #[ignore] fn b() {}");
    let (first, _) = run(&mut maelstrom(&project, &[]));
    let note = "could read this machine's programs";
    assert!(first.contains(note), "{first}");
    assert!(!first.contains('\u{1b}'), "{first}");
    let (dots, _) = run(&mut maelstrom(&project, &["--style", "dots"]));
    assert!(dots.contains("i ignored"), "{dots}");
    assert_eq!(tests_of(&dots).len(), 0, "{dots}");
    // Once a day.
    assert!(!dots.contains(note), "{dots}");
    let mut names = maelstrom(&project, &[]);
    let (names, _) = run(names.env("MAELSTROM_STYLE", "names"));
    assert_eq!(
        names
            .lines()
            .filter(|line| line.ends_with(" garden a"))
            .count(),
        1,
        "{names}"
    );
    // What is typed takes precedence over a variable that contradicts it.
    let mut quiet = maelstrom(&project, &["--quiet"]);
    let (quiet, _) = run(quiet.env("MAELSTROM_STYLE", "names"));
    assert!(!quiet.contains("garden a"), "{quiet}");
    let mut colored = maelstrom(&project, &[]);
    let (colored, _) = run(colored.env("CARGO_TERM_COLOR", "always"));
    assert!(colored.contains("\u{1b}[32mPASS"), "{colored}");
    for contradiction in [
        &["--style=dots", "--quiet"][..],
        &["--style=dots", "--ui=dashboard"],
        &["--style=colors"],
        &["--terminal=sound"],
    ] {
        let output = maelstrom(&project, contradiction).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{contradiction:?}");
    }
}
