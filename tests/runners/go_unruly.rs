//! `maelstrom-go-test` where something is wrong with the tests, the packages, the toolchain or the
//! call: what is to blame fails with its reason, and everything else runs.

use std::fs;
use std::process::Command;

use crate::support::executable;
use crate::support::go::Project;

#[test]
#[ignore = "needs Go"]
fn an_unruly_test_fails_alone() {
    let project = Project::new("unruly");
    // One at a time, so that each follows another where that is possible.
    let words = ["-timeout=0", "--slots=1", "--repeat=2", "-vet=off"];
    let packages = [".", "./removes", "./deadlock", "./fine"];
    let ran = project.run(&[&words[..], &packages].concat());
    let ends: Vec<_> = ran
        .ends
        .iter()
        .map(|(title, end)| {
            let name = title.strip_prefix("example.com/unruly").unwrap();
            (name, end.as_str())
        })
        .collect();
    assert_eq!(
        ends,
        [
            (" TestClosesItsOutput", "failed"),
            (" TestDereferencesNil", "failed"),
            (" TestFailsInGoroutine", "failed"),
            (" TestFine", "passed"),
            (" TestIgnoresSignals", "passed"),
            (" TestIsKilled", "failed"),
            (" TestLeavesProcesses", "passed"),
            (" TestLimitsItself", "passed"),
            (" TestPanicsInCleanup", "failed"),
            (" TestPanicsInGoroutine", "failed"),
            ("/deadlock TestFine", "passed"),
            ("/deadlock TestWaitsForNobody", "failed"),
            ("/fine TestFine", "passed"),
            ("/removes TestFindsItsDirectory", "passed"),
            ("/removes TestRemovesItsDirectory", "passed"),
        ]
    );
    for (name, said) in [
        (" TestDereferencesNil", "nil pointer dereference"),
        (" TestFailsInGoroutine", "from elsewhere"),
        (" TestPanicsInCleanup", "panic: in cleanup"),
        (" TestPanicsInGoroutine", "panic: in a goroutine"),
        ("/deadlock TestWaitsForNobody", "all goroutines are asleep"),
    ] {
        let output = ran.output(&format!("example.com/unruly{name}"));
        assert!(output.contains(said), "{name}: {output}");
    }
    let killed = ran.told("finished", "example.com/unruly TestIsKilled");
    let outcome = killed.first().unwrap()["outcome"].to_string();
    assert!(outcome.contains('9'), "{outcome}");
    assert!(project.path().join("removes/removes_test.go").exists());
}

#[test]
#[ignore = "needs Go"]
fn a_package_that_hangs_before_its_tests_fails_alone() {
    let project = Project::new("unruly");
    // The limit is everybody's, so the one that does not hang needs room on a slow machine.
    let ran = project.run(&["-timeout=5", "-vet=off", "./hangs", "./fine"]);
    let end = ran.end("example.com/unruly/hangs");
    assert!(end.contains("did not list its tests in time"), "{end}");
    assert_eq!(ran.end("example.com/unruly/fine TestFine"), "passed");
    assert_eq!(ran.ends.len(), 2);
}

#[test]
#[ignore = "needs Go"]
fn what_can_not_be_built_does_not_stop_the_rest() {
    let project = Project::new("broken");
    let ran = project.run(&[]);
    let broken = |name: &str, why: &str| {
        let package = format!("example.com/broken/{name}");
        let end = ran.end(&package).to_owned();
        assert!(
            end.starts_with("error: ") && end.contains(&package),
            "{end}"
        );
        assert!(end.contains(why), "{end}");
        ran.output(&package)
    };
    assert_eq!(ran.end("example.com/broken/fine TestFine"), "passed");
    assert!(broken("compile", "build failed").contains("compile.go:3:23"));
    assert!(broken("needs", "build failed").contains("compile.go:3:23"));
    assert!(broken("vet", "build failed").contains("%d"));
    assert!(broken("syntax", "setup failed").contains("syntax_test.go"));
    assert!(broken("missing", "setup failed").contains("broken/nowhere"));
    assert!(broken("inits", "exited with code 2").contains("panic: in init"));
    assert_eq!(ran.ends.len(), 7, "{:?}", ran.ends);
    assert_eq!(ran.code, Some(1));
}

#[test]
#[ignore = "needs Go"]
fn mistakes_are_told_with_their_codes() {
    let project = Project::new("project");
    let empty = tempfile::tempdir().unwrap();
    let told = |command: &mut Command| {
        let output = command.output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(all).unwrap())
    };
    let (code, text) = told(
        project
            .command(&["--ui=plain", "./nowhere"])
            .env("NO_COLOR", "1"),
    );
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("nowhere"), "{text}");
    let (code, text) = told(project.command(&["--ui=plain"]).current_dir(&empty));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("go.mod"), "{text}");
    let (code, text) = told(project.command(&["--ui=plain"]).env("PATH", empty.path()));
    assert_eq!(code, Some(125), "{text}");
    assert!(
        text.contains("can't start `go`") && text.contains("https://go.dev/dl"),
        "{text}"
    );
    let (code, text) = told(&mut project.command(&["--ui=plain", "-C", "nowhere"]));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("can't change to"), "{text}");
    for (words, expected) in [
        (&["-cover"][..], "use `go test` for it"),
        (&["-run", "("], "`(` is not a regular expression"),
        (&["-i", "nonsense"], "unknown word `nonsense`"),
        (
            &["-timeout", "soon"],
            "neither a number of seconds nor a duration",
        ),
    ] {
        let (code, text) = told(&mut project.command(words));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let (code, text) = told(&mut project.command(&["--ui=plain", "-mod=nonsense"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("-mod"), "{text}");
}

#[test]
#[ignore = "needs Go"]
fn an_old_go_is_told_of() {
    let project = Project::new("project");
    let bin = tempfile::tempdir().unwrap();
    let old = bin.path().join("go");
    let script = "#!/bin/sh\necho '{\"GOVERSION\": \"go1.19.13\"}'\n";
    executable::write(&old, script);
    let output = project
        .command(&["--ui=plain"])
        .env("PATH", format!("{}:/usr/bin:/bin", bin.path().display()))
        .output()
        .unwrap();
    let all = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(125), "{all}");
    assert!(all.contains("go1.19.13 is too old"), "{all}");
}

#[test]
#[ignore = "needs Go"]
fn a_module_for_a_newer_go_is_told_of() {
    let project = Project::new("workspace/one");
    fs::write(
        project.path().join("go.mod"),
        "module example.com/one\n\ngo 1.999\n",
    )
    .unwrap();
    let ran = project.run(&[]);
    assert_eq!((ran.code, ran.ends.len()), (Some(1), 0), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("go.mod requires go >= 1.999"),
        "{}",
        ran.stdout
    );
}
