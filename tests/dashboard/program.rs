//! The dashboard's checks that need the real program over a real project: the numbered ones of
//! its design. The project is made for each check, so that none sees what another did.

use crate::pseudoterminal;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::tmux::Tmux;
use maelstrom_model::event::{AttemptEvent, Event, EventKind, RoundEvent, TestEvent};
use maelstrom_model::ids::TestId;
use maelstrom_ui::record::RecordingReader;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// Three tests that end at once, two of them badly.
const QUICK: &str = r#"
#[test] fn fails_first() { println!("first words"); assert_eq!(1 + 1, 3, "numbers differ"); }
#[test] fn fails_second() { panic!("second words"); }
#[test] fn passes() {}
"#;

/// Tests that end only when they are killed.
const ENDLESS: &str = r#"
fn forever() {
    unsafe extern "C" { fn signal(number: i32, handler: usize) -> usize; }
    // SIGTERM is left unheard, so that only the end of the grace period, or somebody's
    // impatience, ends this.
    unsafe { signal(15, 1); }
    println!("waiting for the end");
    loop { std::thread::park(); }
}
#[test] fn endless_1() { forever() }
#[test] fn endless_2() { forever() }
"#;

/// Tests that take a while, one after the other.
const STEADY: &str = r#"
fn a_while() { std::thread::sleep(std::time::Duration::from_secs(2)); }
#[test] fn steady_1() { a_while() }
#[test] fn steady_2() { a_while() }
#[test] fn steady_3() { a_while() }
"#;

/// A project with a library.
struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    fn new(tests: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let manifest = "[package]\nname = \"garden\"\nedition = \"2024\"\n[lib]\ndoctest = false\n";
        write("Cargo.toml", manifest);
        write("src/lib.rs", &tests.concat());
        Project { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn recording(&self) -> PathBuf {
        self.path().join("run.ndjson")
    }

    /// A terminal in which the program was started.
    fn started(&self, arguments: &str) -> Tmux {
        let mut tmux = Tmux::start(120, 36);
        tmux.type_line(&format!("cd {}; clear", self.path().display()));
        tmux.type_line(&self.command(arguments));
        tmux
    }

    fn command(&self, arguments: &str) -> String {
        let recording = self.recording();
        format!(
            "{PROGRAM} maelstrom --record {} {arguments}",
            recording.display()
        )
    }

    fn events(&self) -> Vec<Event> {
        let recording = RecordingReader::open(&self.recording()).unwrap();
        recording.map_while(Result::ok).collect()
    }

    /// The tests of each round.
    fn rounds(&self) -> Vec<Vec<TestId>> {
        let mut rounds = Vec::new();
        for event in self.events() {
            match event.kind {
                EventKind::Round(RoundEvent::Started { .. }) => rounds.push(Vec::new()),
                EventKind::Attempt(AttemptEvent::Queued { test, .. }) => {
                    rounds.last_mut().unwrap().push(test)
                }
                _ => {}
            }
        }
        rounds
    }

    /// How many rounds have ended; the screen may not have heard of the last one yet.
    fn rounds_over(&self) -> usize {
        let over =
            |event: &&Event| matches!(event.kind, EventKind::Round(RoundEvent::Finished { .. }));
        self.events().iter().filter(over).count()
    }

    fn test(&self, name: &str) -> TestId {
        let found = self
            .events()
            .into_iter()
            .find_map(|event| match event.kind {
                EventKind::Test(TestEvent::Discovered { tests }) => tests
                    .into_iter()
                    .find(|test| test.name == name)
                    .map(|test| test.test),
                _ => None,
            });
        found.unwrap_or_else(|| panic!("{name} was not found"))
    }
}

/// Whether the dashboard says that the run is over.
fn has_failed(screen: &str) -> bool {
    screen
        .lines()
        .next()
        .is_some_and(|line| line.contains("FAILED"))
}

fn is_shell(screen: &str) -> bool {
    screen.trim_end().ends_with('$')
}

#[test]
#[ignore = "needs tmux"]
fn check_01_the_first_frame_is_shown_before_discovery_ends() {
    let project = Project::new(&[QUICK]);
    let mut tmux = Tmux::start(120, 36);
    tmux.type_line(&format!("cd {}; clear", project.path().display()));
    tmux.wait_for("an empty screen", |screen| screen.trim() == "$");
    let from = tmux.raw.len();
    tmux.type_line(&project.command(""));
    tmux.wait_for_bytes(from, FRAME_END);
    let shown = String::from_utf8_lossy(&tmux.raw[from..]).into_owned();
    let (first, _) = shown.split_once("\x1b[?2026l").unwrap();
    assert!(
        first.contains("none so far") && !first.contains("total"),
        "{first:?}"
    );
    tmux.wait_for("the end", has_failed);
    tmux.press("q");
    tmux.wait_for("the shell", is_shell);
}

#[test]
#[ignore = "needs tmux"]
fn check_13_and_16_failures_are_shown_alone_and_visited_one_by_one() {
    let project = Project::new(&[QUICK]);
    let mut tmux = project.started("");
    tmux.wait_for("the end", has_failed);
    tmux.press("2");
    let before = tmux.wait_for("all tests", |screen| screen.contains(" passes"));
    tmux.press("f");
    tmux.wait_for("failures alone", |screen| {
        screen.contains("fails_first") && screen.contains("garden") && !screen.contains(" passes")
    });
    tmux.press("f");
    tmux.wait_for("what was there before", |screen| screen == before);
    tmux.press("1 ] ]");
    tmux.wait_for("the second failure", |screen| {
        screen.contains("Failures 2/2")
    });
    tmux.press("]");
    tmux.wait_for("the first again", |screen| {
        screen.contains("Failures 1/2") && screen.contains("back to the first")
    });
}

#[test]
#[ignore = "needs tmux"]
fn check_18_r_and_shift_r_run_exactly_the_selected_and_the_failed_tests() {
    let project = Project::new(&[QUICK]);
    let mut tmux = project.started("");
    tmux.wait_for("the end", has_failed);
    tmux.press("R");
    tmux.wait_for("the second round", |_| project.rounds_over() == 2);
    tmux.press("2 / p a s s e s");
    tmux.wait_for("the test", |screen| screen.contains("1 found"));
    tmux.press("Enter r");
    tmux.wait_for("the third round", |_| project.rounds_over() == 3);
    // Others are still red, so it stays until it is left.
    tmux.press("q");
    tmux.wait_for("the shell", is_shell);
    let mut rounds = project.rounds();
    rounds.iter_mut().for_each(|round| round.sort());
    let mut failed = vec![project.test("fails_first"), project.test("fails_second")];
    failed.sort();
    assert_eq!(rounds[1..], [failed, vec![project.test("passes")]]);
}

#[test]
#[ignore = "needs tmux"]
fn check_19_a_rerun_during_a_run_waits_says_so_and_is_run() {
    let project = Project::new(&[QUICK, STEADY]);
    let mut tmux = project.started("--slots 1");
    tmux.wait_for("a failure while others run", |screen| {
        screen.contains("✗ 2 failed") && screen.contains("RUNNING")
    });
    tmux.press("R");
    tmux.wait_for("what is said", |screen| {
        screen.contains("will run again when this round is over")
    });
    tmux.wait_for("both rounds", |_| project.rounds_over() == 2);
    // Should the screen not have heard of the end yet, it asks, and leaves when it has.
    tmux.press("q");
    tmux.wait_for("the shell", is_shell);
    assert_eq!(project.rounds()[1].len(), 2);
}

#[test]
#[ignore = "needs tmux"]
fn check_20_frozen_rows_stand_still_while_events_are_counted() {
    let project = Project::new(&[QUICK, STEADY]);
    let mut tmux = project.started("--slots 1 --on-finish stay");
    tmux.wait_for("a running test", |screen| {
        screen.contains("▶ garden steady_1")
    });
    tmux.press("p");
    tmux.wait_for("the end, counted only", |screen| {
        screen.contains("FROZEN +") && screen.contains("▶ garden") && project.rounds_over() == 1
    });
    tmux.press("p");
    tmux.wait_for("the end", |screen| {
        has_failed(screen) && screen.contains("✓ 4 passed")
    });
}

#[test]
#[ignore = "needs tmux"]
fn check_21_p_starts_no_more_tests_and_running_ones_finish() {
    let project = Project::new(&[STEADY]);
    let mut tmux = project.started("--slots 1");
    tmux.wait_for("a running test", |screen| screen.contains("Running 1"));
    tmux.press("P");
    let paused = tmux.wait_for("the running test's end", |screen| {
        screen.contains("PAUSED") && screen.contains("Running 0")
    });
    // On a slow machine the key may come while the second one runs.
    let counts = [("✓ 1 passed", "2 queued"), ("✓ 2 passed", "1 queued")];
    let found = counts
        .into_iter()
        .find(|(passed, queued)| paused.contains(passed) && paused.contains(queued));
    let (passed, _) = found.unwrap_or_else(|| panic!("{paused}"));
    // Longer than a test takes.
    tmux.watch_for(Duration::from_secs(3));
    let still = tmux.screen();
    assert!(
        still.contains(passed) && still.contains("Running 0"),
        "{still}"
    );
    tmux.press("P");
    tmux.wait_for("the end", |screen| screen.contains("✓ 3 passed"));
    // Who has pressed a key closes it, too.
    tmux.press("q");
    tmux.wait_for("the shell", is_shell);
    assert!(tmux.scrollback().contains("3 passed"));
}

#[test]
#[ignore = "needs tmux"]
fn check_27_the_first_interrupt_cancels_with_a_countdown_and_the_second_kills() {
    let project = Project::new(&[ENDLESS]);
    let mut tmux = project.started("--slots 2");
    tmux.wait_for("tests that hear no SIGTERM", |screen| {
        screen.contains("Running 2") && screen.contains("waiting for the end")
    });
    tmux.press("C-c");
    tmux.wait_for("a countdown", |screen| {
        screen.contains("CANCELLING: kill in")
    });
    tmux.press("C-c");
    tmux.wait_for("the shell", is_shell);
    tmux.type_line("echo exit=$?");
    tmux.wait_for("the exit code", |screen| screen.contains("exit=130"));
    let here = project.path().to_string_lossy().into_owned();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        assert!(
            !command.contains("endless_") && !command.contains(&here),
            "{command:?}"
        );
    }
}

#[test]
fn check_28_without_a_person_there_are_no_escapes_and_every_failure_is_printed() {
    let project = Project::new(&[QUICK]);
    let mut codes = Vec::new();
    let mut check = |what: &str, output: &[u8], code: Option<i32>| {
        let text = String::from_utf8_lossy(output).into_owned();
        assert!(!output.contains(&0x1b), "{what}: {text}");
        for part in [
            "first words",
            "numbers differ",
            "second words",
            "1 passed, 2 failed",
        ] {
            assert!(text.contains(part), "{what}: {part:?} is not in {text}");
        }
        codes.push(code);
    };
    let command = || {
        let mut command = Command::new(PROGRAM);
        command.arg("maelstrom").current_dir(project.path());
        command
            .env_remove("CI")
            .env("TERM", "xterm-256color")
            .stderr(Stdio::null());
        command
    };
    let piped = command().stdin(Stdio::null()).output().unwrap();
    check("| cat", &piped.stdout, piped.status.code());
    let mut dumb = command();
    dumb.env("TERM", "dumb");
    let (output, code) = in_a_terminal(dumb);
    check("TERM=dumb", &output, code);
    let mut plain = command();
    plain.arg("--no-tui").env("NO_COLOR", "1");
    let (output, code) = in_a_terminal(plain);
    check("--no-tui", &output, code);
    // Lines on a terminal have colors, whoever asked for lines.
    let mut colored = command();
    colored.arg("--no-tui").env_remove("NO_COLOR");
    let (output, code) = in_a_terminal(colored);
    assert!(output.contains(&0x1b), "colors of a terminal");
    codes.push(code);
    assert!(codes.iter().all(|code| *code == Some(101)), "{codes:?}");
}

/// Runs a command whose standard streams are a terminal, and gives what it wrote there.
fn in_a_terminal(mut command: Command) -> (Vec<u8>, Option<i32>) {
    let (mut terminal, programs) = pseudoterminal::open(80, 24);
    let end = || Stdio::from(programs.try_clone().unwrap());
    let mut child = command.stdin(end()).stdout(end()).spawn().unwrap();
    drop((command, programs));
    let mut output = Vec::new();
    // When the last end is closed, the kernel says EIO.
    let _ = terminal.read_to_end(&mut output);
    (output, child.wait().unwrap().code())
}

#[test]
#[ignore = "needs tmux"]
fn check_30_quitting_leaves_the_failures_the_summary_and_a_command_that_works() {
    let project = Project::new(&[QUICK]);
    let mut tmux = project.started("");
    tmux.wait_for("the end", has_failed);
    tmux.press("q");
    tmux.wait_for("the shell", is_shell);
    let left = tmux.scrollback();
    for part in [
        "numbers differ",
        "second words",
        "summary: ",
        "rerun the failures: ",
    ] {
        assert!(left.contains(part), "{part:?} is not in\n{left}");
    }
}

#[test]
#[ignore = "needs tmux"]
fn a_recording_shows_the_same_run_again() {
    let project = Project::new(&[QUICK]);
    let mut tmux = project.started("");
    let seen = tmux.wait_for("the end", has_failed);
    tmux.press("q");
    tmux.wait_for("the shell", is_shell);
    tmux.type_line("clear");
    tmux.wait_for("an empty screen", |screen| screen.trim() == "$");
    tmux.type_line(&format!(
        "{PROGRAM} maelstrom --replay {}",
        project.recording().display()
    ));
    let again = tmux.wait_for("the end", has_failed);
    let failures = |screen: &str| -> Vec<String> {
        let lines = screen.lines().filter(|line| line.contains("✗ garden"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(failures(&again), failures(&seen));
    assert_eq!(failures(&again).len(), 2);
}

#[test]
#[ignore = "needs tmux"]
fn changes_begin_rounds_in_the_open_dashboard() {
    let project = Project::new(&["#[test] fn passes() {}\n"]);
    let write = |text: &str| std::fs::write(project.path().join("src/lib.rs"), text).unwrap();
    let mut tmux = project.started("--watch");
    let passed = |screen: &str| screen.contains("PASSED") && screen.contains("WATCHING");
    tmux.wait_for("the wait for a change", passed);
    write(QUICK);
    tmux.wait_for("the second round", |screen| {
        has_failed(screen) && screen.contains("\u{2717} 2 failed") && screen.contains("WATCHING")
    });
    write("fn broken(");
    tmux.wait_for("a failed build", |screen| {
        let row = "an unclosed delimiter at src/lib.rs:1";
        screen.contains("BUILD FAILED") && screen.contains("WATCHING") && screen.contains(row)
    });
    write("#[test] fn passes() {}\n");
    tmux.wait_for("its cure", passed);
    tmux.press("q");
    tmux.wait_for("the shell", is_shell);
    assert_eq!(project.rounds().len(), 4);
}

#[test]
#[ignore = "needs tmux"]
fn a_shell_opens_in_the_container_of_the_selected_test() {
    let project = Project::new(&[QUICK]);
    let mut tmux = project.started("");
    tmux.wait_for("the end of the run", has_failed);
    tmux.press("!");
    tmux.wait_for("a prompt in the container", |screen| {
        screen.contains("@maelstrom:") || screen.trim_end().ends_with(['$', '#'])
    });
    tmux.type_line("clear; echo package $CARGO_PKG_NAME on $(hostname) && exit");
    tmux.wait_for_bytes(0, b"package garden on maelstrom");
    tmux.wait_for("the dashboard again", |screen| screen.contains("2 failed"));
    tmux.press("q");
    tmux.wait_for("the shell outside", is_shell);
    let left = tmux.scrollback();
    for part in ["look around where the first one failed", "--tty --job"] {
        assert!(left.contains(part), "{part:?} is not in\n{left}");
    }
}
