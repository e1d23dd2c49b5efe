//! How `maelstrom-run` takes its input and ends, row by row: a stream, one job, and what is neither.

use crate::feed;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What a call with this input writes, and how it ends.
fn call(arguments: &[&str], input: &str) -> String {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-run"));
    command
        .args(["--slots=1", "--config-file=-"])
        .args(arguments)
        .current_dir(&directory);
    let output = feed::output(&mut command, input);
    let ended = match (output.status.code(), output.status.signal()) {
        (Some(code), _) => format!("ends with {code}"),
        (None, signal) => format!("ends by signal {}", signal.unwrap()),
    };
    let lines = |name: &str, bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().map(|line| format!("{name}: {line}\n"));
        lines.collect::<String>()
    };
    let streams = [lines("out", output.stdout), lines("err", output.stderr)];
    format!("{}{ended}\n", streams.concat())
}

/// A job that runs this in a shell.
fn job(script: &str) -> String {
    let arguments = serde_json::json!(["-c", script]);
    format!(r#"{{"program":"sh","arguments":{arguments},"parent":"default"}}"#)
}

const NAMES: &str = r#"{"containers":{"c":{"parent":"default","added_environment":{"A":"a"}}}}"#;

#[test]
fn inputs_and_how_they_end() {
    let one = job("echo one; echo aside >&2");
    let two = job("echo two; exit 2");
    let named = r#"{"program":"sh","arguments":["-c","echo $A"],"parent":"c"}"#;
    let slow = r#"{"program":"sh","arguments":["-c","echo begun; while :; do :; done"],"parent":"default","timeout":1}"#;
    let rows: [(&str, &[&str], String); 16] = [
        ("nothing at all", &[], String::new()),
        ("white space", &[], " \n\t\n".to_owned()),
        ("names and no job", &[], NAMES.to_owned()),
        ("jobs without anything between", &[], [&*one, &two].concat()),
        (
            "with white space between",
            &[],
            [&*one, &two].join(" \n\n\t"),
        ),
        (
            "names for the jobs after them",
            &[],
            [NAMES, named].concat(),
        ),
        ("and not for those before", &[], [named, NAMES].concat()),
        (
            "a malformed object after a good one",
            &[],
            format!("{one}{{\"program\":7}}{two}"),
        ),
        (
            "an object that is cut off",
            &[],
            format!("{one}{{\"program\":"),
        ),
        (
            "a program that only says its name",
            &[],
            r#"{"program":"true"}"#.to_owned(),
        ),
        ("a job that takes too long", &[], slow.to_owned()),
        (
            "one, with names before it",
            &["--one"],
            [NAMES, named, &two].concat(),
        ),
        (
            "one, and what follows is not looked at",
            &["-1"],
            format!("{one} nonsense"),
        ),
        ("one, that takes too long", &["--one"], slow.to_owned()),
        ("one, that a signal ends", &["--one"], job("kill -TERM $$")),
        ("one, of names alone", &["--one"], NAMES.to_owned()),
    ];
    let told =
        rows.map(|(title, arguments, input)| format!("== {title}\n{}", call(arguments, &input)));
    insta::assert_snapshot!(told.concat(), @r#"
    == nothing at all
    ends with 0
    == white space
    ends with 0
    == names and no job
    ends with 0
    == jobs without anything between
    out: one
    out: two
    err: aside
    err: job 2: exited with code 2
    ends with 2
    == with white space between
    out: one
    out: two
    err: aside
    err: job 2: exited with code 2
    ends with 2
    == names for the jobs after them
    out: a
    ends with 0
    == and not for those before
    err: job 1: standard input:1:55: there is no container `c`
    err:   help: define `c` among the `containers`
    ends with 1
    == a malformed object after a good one
    out: one
    err: aside
    err: error: standard input:1:93: expected a string, found an integer
    err:     {"program":7}
    err:                ^
    ends with 2
    == an object that is cut off
    out: one
    err: aside
    err: error: standard input:1:82: the input ends inside the job that begins here
    err: help: jobs are JSON objects such as {"program": "/bin/true", "parent": "default"}, one after the other
    ends with 2
    == a program that only says its name
    err: job 1: standard input:1:1: the container has no layer, so there would be nothing in it
    err:   help: add `layers`, an `image`, or `parent = "default"`
    ends with 1
    == a job that takes too long
    out: begun
    err: job 1: took longer than its timeout
    ends with 1
    == one, with names before it
    out: a
    ends with 0
    == one, and what follows is not looked at
    out: one
    err: aside
    ends with 0
    == one, that takes too long
    out: begun
    err: error: the job took longer than its timeout
    ends with 1
    == one, that a signal ends
    ends by signal 15
    == one, of names alone
    err: error: there is no job in the input
    ends with 2
    "#);
}

/// Whoever waits for a registry that says nothing can still say that it is enough.
#[test]
fn a_silent_registry_can_be_given_up() {
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("docker://{}/app", registry.local_addr().unwrap());
    let of_image = format!(r#"{{"program":"true","image":"{image}"}}"#);
    let named = ["--image", &image, "--", "true"];
    let rows: [(&[&str], &str); 3] = [(&named, ""), (&["--one"], &of_image), (&[], &of_image)];
    for (arguments, input) in rows {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_maelstrom-run"))
            .args([
                "--slots=1",
                "--config-file=-",
                "--container-image-depot-root=depot",
            ])
            .args(arguments)
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let (_asked, _) = registry.accept().unwrap();
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(id, Signal::SIGINT).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{arguments:?}");
    }
}
