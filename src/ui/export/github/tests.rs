//! The log of made-up runs.

use super::*;
use crate::export::testing::RunScript;
use crate::report::{PassingOutputDisplay, ReportStyle, RunReport, RunReportOptions, SlowestTests};
use crate::terminal_features::TerminalFeatureSet;
use maelstrom_model::event::{ExitStatus, OutputStream, RoundCause, TestOutcome, UserNotice};

fn log(script: &RunScript, summary: Option<PathBuf>) -> String {
    let options = RunReportOptions {
        style: ReportStyle::Lines,
        color: OutputColor::Never,
        passing_output: PassingOutputDisplay::AtEnd,
        slowest: SlowestTests::NONE,
        terminal: TerminalFeatureSet::NONE,
    };
    let context = GithubContext {
        workspace: Some("/home/dev".into()),
        summary,
        token: "secret".to_owned(),
    };
    let mut report = GithubReport::new(RunReport::new(options), context);
    let mut out = Vec::new();
    for event in &script.events {
        report.apply(event, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

/// What GitHub takes for commands, as it reads a log: those after white space, unless the token of
/// `stop-commands` has to come first.
fn commands(log: &str) -> Vec<String> {
    let mut stopped: Option<String> = None;
    let mut found = Vec::new();
    for line in log.lines() {
        let Some(command) = line.trim_start().strip_prefix("::") else {
            continue;
        };
        match &stopped {
            Some(token) if command.trim_end_matches(':') == token => stopped = None,
            Some(_) => {}
            None => match command.strip_prefix("stop-commands::") {
                Some(token) => stopped = Some(token.to_owned()),
                None => found.push(format!("::{command}")),
            },
        }
    }
    assert_eq!(stopped, None, "commands stay off");
    found
}

fn script() -> RunScript {
    let mut script = RunScript::new();
    script.builds(b"   Compiling net\n::error::forged by the build\n", true);
    script.discover("net", "tcp(test)", &["passes", "fails, 100%"]);
    script.round(1, RoundCause::Start);
    script.starts(0, 1);
    script.writes(
        0,
        1,
        OutputStream::Joined,
        b"::error::forged\n##[error]forged\n",
    );
    script.finishes(0, 1, TestOutcome::Passed);
    script.starts(1, 1);
    script.writes(
        1,
        1,
        OutputStream::Joined,
        b"\x1b[31mat 50%\r\n::set-env name=A::b\n",
    );
    script.location = Some(SourceLocation {
        path: "tests/a,b.rs".to_owned(),
        line: 3,
        column: None,
    });
    script.finishes(
        1,
        1,
        TestOutcome::Failed {
            exit: Some(ExitStatus::Code(101)),
            reason: None,
        },
    );
    // A second attempt adds no annotation.
    script.starts(1, 2);
    script.finishes(1, 2, TestOutcome::TimedOut { limit_us: 1 });
    script.push(UserNotice {
        severity: maelstrom_model::event::NoticeSeverity::Warning,
        text: "::error::forged".to_owned(),
        help: None,
        in_summary: true,
    });
    script.ends(101);
    script
}

#[test]
fn only_our_own_commands_are_taken() {
    let log = log(&script(), None);
    assert_eq!(
        commands(&log),
        [
            "::group::build",
            "::endgroup::",
            "::error file=project/tests/a%2Cb.rs,line=3,title=net fails%2C 100%25::exit code \
             101%0Aat 50%25%0A::set-env name=A::b",
        ],
        "{log}"
    );
    assert!(log.contains("::error::forged"), "{log}");
}

#[test]
fn the_summary_names_counts_failures_and_the_slowest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("summary");
    std::fs::write(&path, "before\n").unwrap();
    log(&script(), Some(path.clone()));
    insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap());
}

#[test]
fn a_summary_has_a_limit_and_its_cells_are_text() {
    let mut script = RunScript::new();
    let names: Vec<String> = (0..1_000)
        .map(|number| format!("t{number} <img> [x](y) {}", "|".repeat(2_000)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    script.discover("net", "tcp(test)", &names);
    script.round(1, RoundCause::Start);
    for test in 0..1_000 {
        script.starts(test, 1);
        script.finishes(
            test,
            1,
            TestOutcome::Error {
                message: "no".repeat(2_000),
            },
        );
    }
    script.ends(1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("summary");
    let log = log(&script, Some(path.clone()));
    assert_eq!(commands(&log).len(), ANNOTATIONS_MAX);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.len() < 300 << 10, "{}", text.len());
    assert!(text.contains(" more failures"), "{text}");
    assert!(!text.contains("<img>") && !text.contains("[x]("), "{text}");
}
