//! `maelstrom-go-test` on Go projects, with real containers: what runs, how it ends, and what is
//! said of it. Go is needed, and a C compiler.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::support::executable;
use crate::support::files::tree;
use crate::support::go::Project;
use crate::support::homes::Homes;

const PROJECT: &str = "example.com/project";

/// How each test of the project is to end. Everything that Go runs is here, and nothing else.
const EXPECTED: [(&str, &str); 30] = [
    (" ExampleGreeting", "passed"),
    (" ExampleReverse", "failed"),
    (" FuzzFindsSomething", "failed"),
    (" FuzzReverse", "passed"),
    (" Test", "passed"),
    (" TestBuilds", "passed"),
    (" TestCustomFlag", "passed"),
    (" TestDirectory", "passed"),
    (
        " TestExitsBehindTheBack",
        "failed: the process ended in the middle of the test",
    ),
    (" TestExitsWithThree", "failed"),
    (" TestExitsWithZero", "failed"),
    (" TestFails", "failed"),
    (" TestPanics", "failed"),
    (" TestParallel", "passed"),
    (" TestPasses", "passed"),
    (" TestPrintsWhatTheHarnessPrints", "passed"),
    (" TestRace", "passed"),
    (" TestRunsItself", "passed"),
    (" TestShort", "passed"),
    (" TestSkips", "ignored: not on this machine"),
    (" TestSubtests", "failed"),
    (" TestTwice", "passed"),
    (" TestWritesAndSeesNoOther", "passed"),
    (" TestÜmlaut", "passed"),
    ("/cgo TestTwice", "passed"),
    ("/command TestMainly", "passed"),
    ("/external TestAnswer", "passed"),
    ("/external TestTwice", "passed"),
    (
        "/mainfails TestFine",
        "failed: the test was over, but its process failed",
    ),
    ("/mainprepares TestPrepared", "passed"),
];

fn title(name: &str) -> String {
    format!("{PROJECT}{name}")
}

#[test]
#[ignore = "needs Go"]
fn every_test_ends_as_go_has_it() {
    let project = Project::new("project");
    // Twice each: the second follows others in the same containers.
    let ran = project.run(&["-vet=off", "-count=2"]);
    let expected: Vec<_> = EXPECTED
        .iter()
        .map(|(name, end)| (title(name), (*end).to_owned()))
        .collect();
    let ends: Vec<_> = ran.ends.clone().into_iter().collect();
    assert_eq!(ends, expected);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let failed = expected.iter().filter(|(_, end)| end.starts_with("failed"));
    let failed = failed.count();
    let summary = format!(
        "{} passed, {failed} failed, 1 ignored",
        expected.len() - failed - 1
    );
    assert!(ran.stdout.contains(&summary), "{}", ran.stdout);
    let cache = Homes::of_project(&project.homes.cache(), "maelstrom-go-test");
    let left = fs::read_dir(cache.join("test-binaries")).unwrap();
    assert_eq!(left.count(), 0);
    assert!(!project.path().join("planted").exists());
}

#[test]
#[ignore = "needs Go"]
fn a_person_sees_the_test_and_not_the_harness() {
    let project = Project::new("project");
    let run = "-run=Fails|Prints|Subtests|Panics|ExampleReverse|Something";
    let ran = project.run(&[".", "-vet=off", run]);
    // How long a subtest took depends on what else the machine does.
    let seconds = regex::Regex::new(r"\(\d+\.\d\ds\)").unwrap();
    let output = |name: &str| {
        let output = ran.output(&title(name));
        seconds.replace_all(&output, "(0.00s)").into_owned()
    };
    assert_eq!(
        output(" TestFails"),
        "printed\n    project_test.go:21: got 1\n    project_test.go:22: a line with no newline at \
         its end\nheld"
    );
    assert_eq!(
        output(" TestPrintsWhatTheHarnessPrints"),
        "--- FAIL: TestPrintsWhatTheHarnessPrints (0.00s)\n=== RUN   TestNothing\nPASS\n"
    );
    assert_eq!(
        output(" TestSubtests"),
        "    project_test.go:31: deep down\n--- FAIL: TestSubtests/two_words/deep (0.00s)\n\
         --- FAIL: TestSubtests/two_words (0.00s)\n    project_test.go:33: later\n"
    );
    assert!(output(" ExampleReverse").contains("got:\ncba\nwant:\nabc\n"));
    assert!(output(" TestPanics").contains("index out of range"));
    let subtests = |name: &str| -> Vec<String> {
        let told = ran.told("subtest", &title(name)).into_iter();
        told.map(|event| format!("{} {}", event["name"], event["outcome"]["kind"]))
            .collect()
    };
    assert_eq!(
        subtests(" TestSubtests"),
        [
            r#""one" "passed""#,
            r#""two_words/deep" "failed""#,
            r#""two_words" "failed""#,
            r#""later" "ignored""#,
        ]
    );
    assert_eq!(
        subtests(" FuzzFindsSomething"),
        [r#""seed#0" "passed""#, r#""seed#1" "failed""#]
    );
    let place = |name: &str| {
        let told = ran.told("finished", &title(name));
        let location = &told.first().unwrap()["location"];
        format!(
            "{}:{}",
            location["path"].as_str().unwrap(),
            location["line"]
        )
    };
    assert_eq!(place(" TestSubtests"), "project_test.go:33");
    assert_eq!(place(" TestPanics"), "project.go:24");
}

#[test]
#[ignore = "needs Go"]
fn flags_of_go_test_mean_what_they_mean_there() {
    let project = Project::new("project");
    let short = project.run(&[".", "-vet=off", "-short", "-run", "Short|Tagged|Custom"]);
    assert_eq!(short.end(&title(" TestShort")), "ignored: short");
    assert_eq!(short.ends.len(), 2);
    let tagged = project.run(&["-tags", "tagged", "-vet=off", "-run=Tagged", "."]);
    assert_eq!(tagged.titles(), [title(" TestTagged")]);
    let custom = project.run(&[".", "-vet=off", "-run=Custom", "-custom=x", "-args", "y"]);
    assert_eq!(custom.end(&title(" TestCustomFlag")), "ignored: x [y]");
    let sub = project.run(&[".", "-vet=off", "-run=Subtests/one", "-skip=nothing"]);
    assert_eq!(sub.end(&title(" TestSubtests")), "passed");
    assert_eq!(sub.told("subtest", &title(" TestSubtests")).len(), 1);
    let skip = project.run(&[".", "-vet=off", "-run=Subtests|Twice", "-skip=/two|Twice"]);
    assert_eq!(skip.ends.len(), 1);
    assert_eq!(skip.end(&title(" TestSubtests")), "passed");
    let lenient = project
        .command(&["./mainfails"])
        .env("LENIENT", "1")
        .output()
        .unwrap();
    assert_eq!(lenient.status.code(), Some(0));
    let elsewhere = project.run(&["-C", "external", "-failfast"]);
    assert_eq!(elsewhere.ends.len(), 2);
    let fullpath = project.run(&[".", "-vet=off", "-fullpath", "-run=TestFails"]);
    let whole = format!("{}/project_test.go:21: got 1", project.path().display());
    assert!(fullpath.output(&title(" TestFails")).contains(&whole));
}

/// What the original's command line says stands in ours, too; what comes of it besides is Go's own.
#[test]
#[ignore = "needs Go"]
fn a_test_is_called_with_what_its_options_mean() {
    let project = Project::new("project");
    let told = "package project\n\nimport (\n\"fmt\"\n\"os\"\n\"testing\"\n)\n\n\
                func TestTold(t *testing.T) { fmt.Printf(\"%q\\n\", os.Args); t.Fail() }\n";
    fs::write(project.path().join("told_test.go"), told).unwrap();
    let called = |words: &[&str]| {
        let words = [&[".", "-vet=off", "-i", "name.equals(TestTold)"], words].concat();
        let output = project.run(&words).output(&title(" TestTold"));
        let arguments = output.lines().find(|line| line.starts_with('[')).unwrap();
        let words: Vec<&str> = arguments.trim_matches(['[', ']']).split(' ').collect();
        let words = words
            .into_iter()
            .map(|word| word.trim_matches('"').to_owned());
        words.collect::<Vec<_>>()
    };
    for (words, expected) in [
        (
            &["--short", "--fullpath", "--timeout=9"][..],
            &[
                "-test.short=true",
                "-test.fullpath=true",
                "-test.timeout=0s",
            ][..],
        ),
        (
            &["--timeout=0", "--", "-custom=x", "last"],
            &["-test.timeout=0s", "-custom=x", "last"],
        ),
    ] {
        let called = called(words);
        for expected in ["-test.run=^TestTold$"].iter().chain(expected) {
            assert!(
                called.iter().any(|word| word == expected),
                "{expected} in {called:?}"
            );
        }
        let extra = expected.last().unwrap();
        if !extra.starts_with('-') {
            assert_eq!(called.last().unwrap(), extra);
        }
        let lasting = called.iter().any(|word| word.starts_with("-test.v"));
        assert!(lasting, "{called:?}");
    }
}

#[test]
#[ignore = "needs Go"]
fn the_race_detector_finds_races() {
    let project = Project::new("project");
    let ran = project.run(&["-race", "-vet=off", "-run=Race|TestTwice", ".", "./cgo"]);
    assert_eq!(ran.end(&title(" TestRace")), "failed");
    assert_eq!(ran.end(&title("/cgo TestTwice")), "passed");
    assert!(ran.output(&title(" TestRace")).contains("DATA RACE"));
}

#[test]
#[ignore = "needs Go"]
fn patterns_choose_and_lists_tell() {
    let project = Project::new("project");
    let list = |words: &[&str]| {
        let output = project.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let twice = "name.equals(TestTwice)";
    let mut tests: Vec<_> = list(&["--list-tests", "-vet=off", "-i", twice])
        .lines()
        .map(str::to_owned)
        .collect();
    tests.sort();
    assert_eq!(
        tests,
        [" TestTwice", "/cgo TestTwice", "/external TestTwice"].map(title)
    );
    let packages = list(&[
        "--list-packages",
        "--exclude",
        "package_path.starts_with(main)",
    ]);
    let expected = ["", "/cgo", "/command", "/external", "/untested"].map(title);
    assert_eq!(packages.lines().collect::<Vec<_>>(), expected);
    let chosen = project.run(&["-i", "package_name.equals(external)", "--exclude", twice]);
    assert_eq!(chosen.titles(), [title("/external TestAnswer")]);
    assert!(list(&["--no-run", "./external"]).is_empty());
    let none = project.run(&["./external", "-run=Nothing"]);
    assert_eq!((none.code, none.ends.len()), (Some(0), 0));
    assert!(
        none.stdout.contains("no test was selected"),
        "{}",
        none.stdout
    );
    let none = project.run(&["./external", "-run=Nothing", "--no-tests=fail"]);
    assert_eq!((none.code, none.ends.len()), (Some(1), 0));
}

#[test]
#[ignore = "needs Go"]
fn without_the_toolbox_tests_have_the_libraries_they_need() {
    let project = Project::new("project");
    let ran = project.run(&["--strict", "./cgo", "./external", "./mainprepares"]);
    assert_eq!((ran.code, ran.ends.len()), (Some(0), 4), "{}", ran.stdout);
    let strict = project.run(&["--strict", ".", "-vet=off", "-run=TestBuilds"]);
    assert_eq!(strict.code, Some(1));
    let lacks = "failed: the container has no program `go`";
    assert!(strict.end(&title(" TestBuilds")).starts_with(lacks));
    assert!(
        strict
            .output(&title(" TestBuilds"))
            .contains("executable file not found")
    );
}

#[test]
#[ignore = "needs Go"]
fn without_containers_the_same_tests_run() {
    let project = Project::new("project");
    let words = [
        "--isolation=process",
        "./external",
        "./cgo",
        "./mainprepares",
    ];
    let ran = project.run(&words);
    assert_eq!((ran.code, ran.ends.len()), (Some(0), 4), "{}", ran.stdout);
}

#[test]
#[ignore = "needs Go"]
fn a_workspace_is_tested_as_one() {
    let project = Project::new("workspace");
    let before = tree(project.path(), "");
    let ran = project.run(&["./one", "./two"]);
    assert_eq!(
        ran.titles(),
        ["example.com/one TestOne", "example.com/two TestTwo"]
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    // One project, which is left as it was.
    let state = Homes::of_project(&project.homes.state(), "maelstrom-go-test");
    assert!(state.join("test-listing.toml").exists());
    assert_eq!(tree(project.path(), ""), before);
}

#[test]
#[ignore = "needs Go"]
fn what_was_linked_before_is_not_linked_again() {
    let project = Project::new("workspace");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    // What is kept, and how much of it was used since it was last looked at.
    let kept = || {
        let own = Homes::of_project(&project.homes.cache(), "maelstrom-go-test");
        let Ok(entries) = fs::read_dir(own.join("links")) else {
            return (0, 0);
        };
        let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        let used = |path: &&PathBuf| {
            let file = File::open(path).unwrap();
            let used = file.metadata().unwrap().modified().unwrap() != long_ago;
            file.set_modified(long_ago).unwrap();
            used
        };
        (files.len(), files.iter().filter(used).count())
    };
    let both = ["./one", "./two"];
    assert_eq!(project.run(&both).code, Some(0));
    assert_eq!(kept(), (2, 2));
    let again = project.run(&both);
    assert_eq!((again.code, again.ends.len()), (Some(0), 2));
    assert_eq!(kept(), (2, 2));
    // Other flags make another binary, and so does another source.
    assert_eq!(
        project.run(&["./one", "-ldflags=-X=main.a=b"]).code,
        Some(0)
    );
    assert_eq!(kept(), (3, 1));
    let failing = "package one\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) { t.Fail() }\n";
    fs::write(project.path().join("one/one_test.go"), failing).unwrap();
    let changed = project.run(&both);
    assert_eq!(changed.end("example.com/one TestOne"), "failed");
    assert_eq!(changed.end("example.com/two TestTwo"), "passed");
    assert_eq!(kept(), (4, 2));
    // Somebody else calls the tools.
    assert_eq!(project.run(&["./two", "-toolexec=env"]).code, Some(0));
    assert_eq!(kept(), (4, 0));
}

#[test]
#[ignore = "needs Go"]
fn what_the_systems_linker_made_is_linked_again() {
    let project = Project::new("project");
    assert_eq!(project.run(&["./cgo", "-vet=off"]).code, Some(0));
    let own = Homes::of_project(&project.homes.cache(), "maelstrom-go-test");
    assert!(!own.join("links").exists());
}

#[test]
#[ignore = "needs Go"]
fn a_timeout_ends_a_test_from_inside_or_outside() {
    let project = Project::new("project");
    let waiting = "package project\n\nimport (\n\"testing\"\n\"time\"\n)\n\n\
                   func TestWaits(t *testing.T) { time.Sleep(time.Hour) }\n";
    fs::write(project.path().join("waits_test.go"), waiting).unwrap();
    let words = [".", "-vet=off", "-run=TestWaits"];
    let inside = project.run(&[&words[..], &["-timeout", "2s"]].concat());
    assert_eq!(
        (inside.code, inside.end(&title(" TestWaits"))),
        (Some(1), "failed")
    );
    assert!(
        inside
            .output(&title(" TestWaits"))
            .contains("test timed out")
    );
    let outside = project.run(&[&words[..], &["-timeout", "5"]].concat());
    assert_eq!(
        (outside.code, outside.end(&title(" TestWaits"))),
        (Some(1), "timed_out")
    );
}

#[test]
#[ignore = "needs Go"]
fn a_packages_tests_run_while_others_are_built() {
    let project = Project::new("early");
    let outside = tempfile::tempdir().unwrap();
    let gate = outside.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Go calls its tools through this. It asks each for its version first, to know what is cached.
    let tool = outside.path().join("tool");
    let script = "#!/bin/sh\ncase \"$*\" in *-V=full*) ;; *'-p example.com/early/first '*) \
                  timeout 60 cat \"$GATE\" || exit 1;; esac\nexec \"$@\"\n";
    executable::write(&tool, script);
    let toolexec = format!("-toolexec={}", tool.display());
    // A pipe has the same two ends for both only where they see the same directory.
    let mut command = project.command(&["--isolation=process", "--no-tui", "-vet=off", "-p=2"]);
    let output = command.arg(toolexec).env("GATE", &gate).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("2 passed"), "{text}");
}
