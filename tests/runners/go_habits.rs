//! `maelstrom-go-test` on what real projects do: tests and `TestMain`s that write what they like or
//! run themselves again, modules beside the module, linked worktrees, and flags in `GOFLAGS`. Go and
//! git are needed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::go::{Project, Ran};

/// A test file of this package, with these imports besides `testing`.
fn go(package: &str, imports: &[&str], body: &str) -> String {
    let imports: String = imports.iter().map(|name| format!("\t{name:?}\n")).collect();
    format!("package {package}\n\nimport (\n{imports}\t\"testing\"\n)\n\n{body}\n")
}

const TWO_TESTS: &str = "func TestBroken(t *testing.T) { t.Error(\"broken\") }\n\
                         func TestFine(t *testing.T) {}\n";

/// How each test ended, without the module's name.
fn ends(ran: &Ran) -> Vec<(&str, &str)> {
    ran.ends
        .iter()
        .map(|(title, end)| {
            let name = title.strip_prefix("example.com/m").unwrap();
            (name, end.as_str())
        })
        .collect()
}

#[test]
#[ignore = "needs Go"]
fn every_test_is_found_and_judged_whatever_is_written_before_it() {
    let main = |print: &str| {
        let main =
            format!("func TestMain(m *testing.M) {{ {print}; os.Exit(m.Run()) }}\n\n{TWO_TESTS}");
        go("p", &["fmt", "os"], &main)
    };
    let init = |print: &str| {
        go(
            "p",
            &["fmt"],
            &format!("func init() {{ {print} }}\n\n{TWO_TESTS}"),
        )
    };
    let project = Project::of(&[
        ("main/p_test.go", &main("fmt.Print(\"setting up...\")")),
        ("init/p_test.go", &init("fmt.Print(\"\\x1b[32mready: \")")),
        (
            "lines/p_test.go",
            &main("fmt.Print(\"Test\\nTestSetup\\nTestFine \\n\")"),
        ),
        (
            "fails/p_test.go",
            &main("fmt.Println(\"--- FAIL: TestFine (0.00s)\\nFAIL\")"),
        ),
    ]);
    let ran = project.run(&["-vet=off"]);
    let expected = ["/fails", "/init", "/lines", "/main"].map(|package| {
        [
            (format!("{package} TestBroken"), "failed".to_owned()),
            (format!("{package} TestFine"), "passed".to_owned()),
        ]
    });
    let ends = ends(&ran).into_iter();
    let ends: Vec<_> = ends.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    assert_eq!(ends, expected.concat(), "{}", ran.stdout);
    assert_eq!(ran.code, Some(1));
}

#[test]
#[ignore = "needs Go"]
fn no_test_is_green_whose_process_did_not_say_that_it_ran() {
    let project = Project::of(&[
        (
            "chooses/p_test.go",
            &go(
                "p",
                &["flag", "os"],
                "func TestMain(m *testing.M) {\n\
                 \tflag.Parse()\n\
                 \tif flag.Lookup(\"test.list\").Value.String() == \"\" {\n\
                 \t\tflag.Set(\"test.run\", \"Nothing\")\n\
                 \t}\n\
                 \tos.Exit(m.Run())\n\
                 }\n\n\
                 func TestIt(t *testing.T) { t.Error(\"broken\") }",
            ),
        ),
        (
            "exits/p_test.go",
            &go(
                "p",
                &["flag", "os"],
                "func TestMain(m *testing.M) {\n\
                 \tflag.Parse()\n\
                 \tif flag.Lookup(\"test.list\").Value.String() == \"\" {\n\
                 \t\tos.Exit(0)\n\
                 \t}\n\
                 \tos.Exit(m.Run())\n\
                 }\n\n\
                 func TestIt(t *testing.T) {}",
            ),
        ),
        (
            "never/p_test.go",
            &go(
                "p",
                &["os"],
                "func TestMain(m *testing.M) { os.Exit(0) }\n\n\
                 func TestIt(t *testing.T) { t.Error(\"broken\") }",
            ),
        ),
    ]);
    let ran = project.run(&["./chooses", "./exits"]);
    for package in ["chooses", "exits"] {
        let end = ran.end(&format!("example.com/m/{package} TestIt"));
        assert!(end.starts_with("error: "), "{end}");
        assert!(end.contains("did not say that the test ran"), "{end}");
        let whole = format!("go test example.com/m/{package}");
        assert!(end.contains(&whole), "{end}");
    }
    assert_eq!(ran.code, Some(125), "{}", ran.stdout);
    // `go test` has nothing to say of it: a package whose tests are not for this machine is no
    // failure, but it does not go without a word.
    let ran = project.run(&["./never"]);
    assert_eq!((ran.code, ran.ends.len()), (Some(0), 0), "{}", ran.stdout);
    let said = "no test of example.com/m/never runs: its TestMain ended the process";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
}

#[test]
#[ignore = "needs Go"]
fn tests_run_themselves_again_and_write_what_tools_read() {
    let body = r#"
func again(arguments ...string) error {
	command := exec.Command(os.Args[0], arguments...)
	command.Env = append(os.Environ(), "AGAIN=1")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run()
}

func TestExpectsItselfToFail(t *testing.T) {
	if os.Getenv("AGAIN") != "" {
		t.Fatal("as is expected")
	}
	if err := again("-test.run=^TestExpectsItselfToFail$"); err == nil {
		t.Error("it did not fail")
	}
}

func TestRepeatsItsOwnArguments(t *testing.T) {
	if os.Getenv("AGAIN") != "" {
		os.Exit(7)
	}
	if err := again(os.Args[1:]...); err == nil {
		t.Error("it did not fail")
	}
}

func TestRepeatsItsOwnArgumentsAndFails(t *testing.T) {
	if os.Getenv("AGAIN") != "" {
		t.Fatal("as is expected")
	}
	if err := again(os.Args[1:]...); err == nil {
		t.Error("it did not fail")
	}
}

func TestWritesThatItFailed(t *testing.T) {
	fmt.Print("\x16--- FAIL: TestWritesThatItFailed (0.00s)\n")
}

func TestWritesThatItPassed(t *testing.T) {
	fmt.Print("\x16--- PASS: TestWritesThatItPassed (0.00s)\n")
	t.Error("it did not")
}

func TestWritesThatItWasSkipped(t *testing.T) {
	fmt.Print("\x16--- SKIP: TestWritesThatItWasSkipped (0.00s)\n")
}
"#;
    let imports = ["fmt", "os", "os/exec"];
    let project = Project::of(&[("m_test.go", &go("m", &imports, body))]);
    let ran = project.run(&[]);
    assert_eq!(
        ends(&ran),
        [
            (" TestExpectsItselfToFail", "passed"),
            (" TestRepeatsItsOwnArguments", "passed"),
            (" TestRepeatsItsOwnArgumentsAndFails", "passed"),
            (" TestWritesThatItFailed", "passed"),
            (" TestWritesThatItPassed", "failed"),
            (" TestWritesThatItWasSkipped", "passed"),
        ],
        "{}",
        ran.stdout
    );
}

#[test]
#[ignore = "needs Go"]
fn a_module_beside_the_module_is_part_of_the_sources() {
    let reads = r#"
func TestReads(t *testing.T) {
	for _, path := range []string{"../lib/testdata/a", deep.Path, lib.Path()} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile("../lib/planted", nil, 0o600); err != nil {
		t.Error(err)
	}
}
"#;
    let library = "package lib\n\nimport (\n\t\"path/filepath\"\n\t\"runtime\"\n)\n\n\
                   func Path() string {\n\t_, file, _, _ := runtime.Caller(0)\n\t\
                   return filepath.Join(filepath.Dir(file), \"testdata\", \"a\")\n}\n";
    let project = Project::of(&[
        (
            "work/go.mod",
            "module example.com/m\n\ngo 1.20\n\nrequire (\n\texample.com/lib v0.0.0\n\t\
             example.com/deep v0.0.0\n)\n\nreplace (\n\texample.com/lib => ../lib\n\t\
             example.com/deep => ../deeper/down/lib\n)\n",
        ),
        (
            "work/m_test.go",
            &go("m", &["example.com/deep", "example.com/lib", "os"], reads),
        ),
        ("lib/go.mod", "module example.com/lib\n\ngo 1.20\n"),
        ("lib/lib.go", library),
        ("lib/testdata/a", "a"),
        (
            "deeper/down/lib/go.mod",
            "module example.com/deep\n\ngo 1.20\n",
        ),
        (
            "deeper/down/lib/lib.go",
            "package deep\n\nconst Path = \"../deeper/down/lib/b\"\n",
        ),
        ("deeper/down/lib/b", "b"),
    ]);
    let ran = project.run(&["-C", "work"]);
    assert_eq!(ends(&ran), [(" TestReads", "passed")], "{}", ran.stdout);
    assert!(!project.path().join("lib/planted").exists());
}

fn git(directory: &Path, words: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
        .args(words)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}

#[test]
#[ignore = "needs Go and git"]
fn git_works_in_a_linked_worktree() {
    let body = r#"
func TestGit(t *testing.T) {
	for _, words := range []string{"status --short", "log -1 --format=%s", "describe --tags"} {
		command := exec.Command("git", strings.Fields(words)...)
		output, err := command.CombinedOutput()
		if err != nil {
			t.Error(words, string(output), err)
		}
	}
}
"#;
    let project = Project::of(&[("main/m_test.go", &go("m", &["os/exec", "strings"], body))]);
    let main = project.path().join("main");
    fs::rename(project.path().join("go.mod"), main.join("go.mod")).unwrap();
    git(&main, &["init", "--quiet"]);
    git(&main, &["add", "."]);
    git(&main, &["commit", "--quiet", "-m", "first"]);
    git(&main, &["tag", "v1"]);
    git(&main, &["worktree", "add", "--quiet", "../linked"]);
    let ran = project.run(&["-C", "linked"]);
    assert_eq!(ends(&ran), [(" TestGit", "passed")], "{}", ran.stdout);
}

/// What each flag does to a package with these tests.
fn flagged() -> Project {
    let body = r#"
var name = flag.String("name", "", "a flag of the tests' own")

func TestA(t *testing.T) { t.Log("said", *name) }

func TestB(t *testing.T) {
	t.Run("sub", func(t *testing.T) {})
}

func TestProcessors(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("one")
	}
}

func TestShort(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
}
"#;
    let tagged = format!(
        "//go:build tagged\n\n{}",
        go("m", &[], "func TestTagged(t *testing.T) {}")
    );
    let imports = ["flag", "runtime"];
    Project::of(&[
        ("m_test.go", &go("m", &imports, body)),
        ("tagged_test.go", &tagged),
    ])
}

#[test]
#[ignore = "needs Go"]
fn what_the_variable_says_means_what_it_means_to_go_test() {
    let project = flagged();
    let all = [
        (" TestA", "passed"),
        (" TestB", "passed"),
        (" TestProcessors", "passed"),
        (" TestShort", "passed"),
    ];
    let with = |change: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
        let ends = all.map(|(name, end)| {
            let changed = change.iter().find(|(changed, _)| *changed == name);
            (name.to_owned(), changed.map_or(end, |(_, end)| *end))
        });
        ends.into()
    };
    let some = |names: &[&str]| -> Vec<(String, &'static str)> {
        names
            .iter()
            .map(|name| (format!(" {name}"), "passed"))
            .collect()
    };
    for (go_flags, words, expected) in [
        ("-run=TestB/sub -v", &[][..], some(&["TestB"])),
        ("-run=TestB", &["-run=TestA"], some(&["TestA"])),
        ("-skip=Processors|Short", &[], some(&["TestA", "TestB"])),
        ("-short", &[], with(&[(" TestShort", "ignored: short")])),
        ("-short", &["-short=false"], with(&[])),
        (
            "-cpu=1 -parallel=1",
            &[],
            with(&[(" TestProcessors", "ignored: one")]),
        ),
        ("-tags=tagged -run=Tagged", &[], some(&["TestTagged"])),
        (
            "-shuffle=on -failfast -timeout=5m -vet=off -p=1 -trimpath -mod=mod -count=1 -x -a=false",
            &[],
            with(&[]),
        ),
        (
            "-benchmem -fullpath -json=false -buildvcs=false",
            &[],
            with(&[]),
        ),
    ] {
        let words = [&["-i", "name.matches(^Test)"], words].concat();
        let ran = project.run_as(&words, |command| {
            command.env("GOFLAGS", go_flags);
        });
        let ends: Vec<_> = ends(&ran)
            .into_iter()
            .map(|(name, end)| (name.to_owned(), end))
            .collect();
        let told = format!("{go_flags}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ends, expected, "{told}");
        assert_eq!(ran.code, Some(0), "{told}");
    }
    let twice = project.run_as(&["-run=TestA"], |command| {
        command.env("GOFLAGS", "-count=2 -v");
    });
    assert!(twice.stdout.contains("said"), "{}", twice.stdout);
    assert_eq!(twice.told("finished", "example.com/m TestA").len(), 2);
    let list = project.command(&[]).env("GOFLAGS", "-list=A").output();
    let list = String::from_utf8(list.unwrap().stdout).unwrap();
    assert!(list.starts_with("TestA\nok  \texample.com/m\t"), "{list}");
}

#[test]
#[ignore = "needs Go"]
fn what_the_variable_can_not_say_here_is_refused_by_name() {
    let project = flagged();
    let told = |change: &dyn Fn(&mut Command)| {
        let mut command = project.command(&["--ui=plain"]);
        change(&mut command);
        let output = command.output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(all).unwrap())
    };
    for (flag, instead) in [
        ("-cover", "use `go test` for it"),
        ("-coverprofile=c.out", "use `go test` for it"),
        ("-covermode=count", "use `go test` for it"),
        ("-exec=sudo", "`--isolation=process`"),
        ("-cpuprofile=c", "use `go test` for profiles"),
        ("-outputdir=d", "use `go test` for profiles"),
        ("-artifacts", "use `go test -artifacts`"),
        ("-work", "use `go test -work`"),
        ("-n", "use `go test -n`"),
    ] {
        let name = flag.split('=').next().unwrap();
        let (code, text) = told(&|command| {
            command.env("GOFLAGS", format!("-mod=mod {flag}"));
        });
        let expected = format!("`{name}` in GOFLAGS is not supported");
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(&expected), "{text}");
        assert!(text.contains(instead), "{text}");
    }
    // What `go env -w` wrote down counts as well.
    let file = project.path().join("env");
    fs::write(&file, "GOFLAGS=-cover\n").unwrap();
    let (code, text) = told(&|command| {
        command.env("GOENV", &file);
    });
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("`-cover` in GOFLAGS"), "{text}");
    let (code, text) = told(&|command| {
        command.env("GOENV", &file).env("GOFLAGS", "-mod=mod");
    });
    assert_eq!(code, Some(0), "{text}");
    // What is none of Go's flags, Go itself refuses.
    for flags in ["-nosuch", "nosuch", "-run"] {
        let (code, text) = told(&|command| {
            command.env("GOFLAGS", flags);
        });
        assert!(!matches!(code, Some(0 | 125)), "{text}");
        assert!(text.contains(flags.trim_start_matches('-')), "{text}");
    }
}

#[test]
#[ignore = "needs Go"]
fn words_of_go_test_are_taken_as_there() {
    let project = flagged();
    let output = |words: &[&str]| {
        let output = project.command(words).output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(all).unwrap())
    };
    let (code, text) = output(&["-list", "TestA|Short", "."]);
    assert_eq!(code, Some(0), "{text}");
    let names = "TestA\nTestShort\nok  \texample.com/m\t";
    assert!(text.starts_with(names), "{text}");
    let (code, text) = output(&["-help"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Usage: maelstrom-go-test"), "{text}");
    let named = project.run(&["-name", "z", "-run", "TestA", "-v", "."]);
    assert_eq!(ends(&named), [(" TestA", "passed")], "{}", named.stderr);
    assert!(named.output("example.com/m TestA").contains("said z"));
    let last = project.run(&["-run", "TestA", "-run", "TestB", "-short=1", "-short=0"]);
    assert_eq!(ends(&last), [(" TestB", "passed")], "{}", last.stderr);
    for (words, expected) in [
        (&["-x", "name.equals(a)"][..], "use `--exclude PATTERN`"),
        (&["-c", "own.toml"], "use `--config-file FILE`"),
        (&["-short=maybe"], "maybe"),
        (&["-cover"], "use `go test` for it"),
        (&["-test.coverprofile=c"], "use `go test` for it"),
    ] {
        let (code, text) = output(words);
        assert_eq!(code, Some(2), "{words:?}: {text}");
        assert!(text.contains(expected), "{words:?}: {text}");
    }
}
