//! A job on a terminal, and jobs as rows of the dashboard: the real program in a real terminal.

use std::fs;

use crate::tmux::Tmux;

const PROGRAM: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// Whether the last line but empty ones is this.
fn ends_with(screen: &str, line: &str) -> bool {
    screen.trim_end().lines().last() == Some(line)
}

/// Presses keys without a pause, which would make the escape character one for the job.
fn press_at_once(tmux: &mut Tmux, keys: &str) {
    tmux.command(&format!("send-keys {keys}"));
}

#[test]
#[ignore = "needs tmux"]
fn a_shell_has_the_terminal_until_it_ends() {
    let mut tmux = Tmux::start(100, 30);
    let shell = "env PS1='in> ' sh";
    tmux.type_line(&format!("clear; {PROGRAM} --tty -- {shell}"));
    tmux.wait_for("the job's prompt", |screen| ends_with(screen, "in>"));
    tmux.type_line("echo process $$; stty size");
    tmux.wait_for("its size", |screen| {
        screen.contains("process 2") && screen.contains("30 100")
    });
    tmux.resize(90, 25);
    // The size travels beside the keys, and may come after them.
    tmux.type_line("until [ \"$(stty size)\" = '25 90' ]; do :; done; echo now $(stty size)");
    tmux.wait_for("its new size", |screen| screen.contains("now 25 90"));
    // The key is the job's: it ends what runs in it, not the program. It is pressed when that has
    // answered: a shell that is about to start something may lose it.
    tmux.type_line("clear; echo begun; cat; echo ended with $?");
    tmux.wait_for("its beginning", |screen| screen.starts_with("begun"));
    tmux.type_line("awake");
    tmux.wait_for("the answer", |screen| screen.matches("awake").count() == 2);
    tmux.press("C-c");
    tmux.wait_for("the interrupted job", |screen| {
        screen.contains("ended with 130") || ends_with(screen, "in>")
    });
    tmux.type_line("exit 5");
    tmux.wait_for("the outer prompt", |screen| ends_with(screen, "$"));
    tmux.type_line("echo status $?");
    tmux.wait_for("the status", |screen| screen.contains("status 5"));
}

#[test]
#[ignore = "needs tmux"]
fn the_exit_code_is_the_jobs_and_the_terminal_is_as_before() {
    let mut tmux = Tmux::start(100, 30);
    tmux.type_line(&format!(
        "clear; {PROGRAM} --tty -- sh -c 'exit 5'; echo code $?; stty -a"
    ));
    let screen = tmux.wait_for("the code", |screen| {
        screen.contains("code 5") && screen.contains("isig")
    });
    for flag in ["-icanon", "-echo ", "-isig", "-opost"] {
        assert!(!screen.contains(flag), "{flag}:\n{screen}");
    }
}

#[test]
#[ignore = "needs tmux"]
fn the_escape_character_takes_the_terminal_back() {
    let mut tmux = Tmux::start(100, 30);
    tmux.type_line(&format!(
        "clear; {PROGRAM} --tty --escape-char=^B -- cat; echo code $?"
    ));
    tmux.type_line("echoed");
    tmux.wait_for("what cat says", |screen| {
        screen.matches("echoed").count() >= 2
    });
    press_at_once(&mut tmux, "C-b C-z");
    tmux.wait_for("the stopped job", |screen| screen.contains("Stopped"));
    tmux.type_line("clear; fg");
    tmux.type_line("again");
    tmux.wait_for("cat to go on", |screen| {
        screen.matches("again").count() >= 2
    });
    press_at_once(&mut tmux, "C-b C-c");
    tmux.wait_for("the end", |screen| screen.contains("the job was stopped"));
}

#[test]
#[ignore = "needs tmux"]
fn jobs_of_a_file_are_rows_of_the_dashboard() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jobs.json");
    let job = |script: &str| {
        format!(r#"{{"program": "sh", "arguments": ["-c", "{script}"], "parent": "default"}}"#)
    };
    fs::write(
        &file,
        [job("echo fine"), job("echo bad; exit 3")].join("\n"),
    )
    .unwrap();
    let mut tmux = Tmux::start(120, 36);
    tmux.type_line(&format!("clear; {PROGRAM} --file {}", file.display()));
    // Both jobs have ended before the run has: only its end makes `q` leave without a question.
    tmux.wait_for("the end of the run", |screen| {
        screen
            .lines()
            .next()
            .is_some_and(|line| line.contains("FAILED"))
            && screen.contains("1 failed")
            && screen.contains("1 passed")
    });
    tmux.press("q");
    let left = tmux.wait_for("the report and the prompt", |screen| {
        screen.contains("job 2: sh -c 'echo bad") && screen.trim_end().ends_with('$')
    });
    assert!(left.contains("bad"), "{left}");
    tmux.type_line("echo status $?");
    tmux.wait_for("the status", |screen| screen.contains("status 3"));
}
