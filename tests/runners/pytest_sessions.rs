//! `maelstrom-pytest` and what is about a whole session of pytest's: tests that ask for one another,
//! options, configuration from elsewhere, warnings, and what is decided before a test's call.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::files::copy;
use crate::support::pytest::{FIXTURES, Told, run, said};
use maelstrom_model::exit_code;

/// Each test by its title, what became of it, and how the reason begins.
fn assert_outcomes(told: &Told, expected: &[(&str, &str, &str)]) {
    for (title, outcome, reason) in expected {
        assert_eq!(told.outcome(title), *outcome, "{:?}", told.outcomes);
        let found = told.reason(title);
        assert!(found.starts_with(reason), "{title}: {found}");
    }
    assert_eq!(told.outcomes.len(), expected.len(), "{:?}", told.outcomes);
}

fn has_notice(told: &Told, text: &str) -> bool {
    told.notices.iter().any(|notice| notice.contains(text))
}

const CHAIN: [(&str, &str, &str); 6] = [
    ("test_chain.py::test_first", "passed", ""),
    (
        "test_chain.py::test_second",
        "failed",
        "AssertionError: second is broken",
    ),
    (
        "test_chain.py::test_third",
        "ignored",
        "test_third depends on test_second",
    ),
    ("test_chain.py::test_fourth", "passed", ""),
    ("test_chain.py::test_of_the_same_file", "passed", ""),
    ("test_other.py::test_alone", "passed", ""),
];

#[test]
#[ignore = "needs Python with pytest"]
fn tests_that_depend_on_others_run_with_them() {
    for arguments in [&[][..], &["--fresh"], &["--repeat=1", "--slots=1"]] {
        let told = run("dependent", arguments);
        assert_outcomes(&told, &CHAIN);
        let notice = "5 tests run together, in one session of pytest and not each in its own \
                      container (pytest-dependency)";
        assert!(has_notice(&told, notice), "{:?}", told.notices);
        assert_eq!(told.code, Some(i32::from(exit_code::TEST_FAILURE)));
    }
}

/// What a group's test fails with is its own log.
#[test]
#[ignore = "needs Python with pytest"]
fn each_test_of_a_group_has_its_own_output() {
    let directory = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join("dependent"), directory.path());
    let (told, _) = said(directory.path(), &[], |_| {});
    assert!(told.contains("4 passed, 1 failed, 1 ignored"), "{told}");
    assert!(told.contains("what was said before"), "{told}");
    assert!(told.contains("assert 1 == 2"), "{told}");
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_dependent_test_that_is_named_alone_is_what_pytest_makes_of_it() {
    let told = run("dependent", &["test_chain.py::test_fourth"]);
    let skipped = "test_fourth depends on test_first";
    assert_outcomes(&told, &[("test_chain.py::test_fourth", "ignored", skipped)]);
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_pattern_lets_tests_run_together() {
    let pattern = "--together=name.equals(test_of_the_same_file) || file.equals(test_other.py)";
    let told = run("dependent", &[pattern]);
    // It finds what the other has left.
    assert_eq!(told.outcome("test_other.py::test_alone"), "failed");
    assert_eq!(told.outcome("test_chain.py::test_fourth"), "passed");
    assert!(
        has_notice(&told, "6 tests run together"),
        "{:?}",
        told.notices
    );
}

const SNAPSHOTS: [(&str, &str, &str); 3] = [
    ("test_one.py::test_one", "passed", ""),
    ("test_one.py::test_without", "passed", ""),
    ("test_two.py::test_two", "passed", ""),
];

#[test]
#[ignore = "needs Python with pytest"]
fn a_session_whose_tests_use_all_snapshots_passes() {
    for arguments in [&[][..], &["--fresh"]] {
        let told = run("snapshots", arguments);
        assert_outcomes(&told, &SNAPSHOTS);
        assert!(
            has_notice(&told, "2 tests run together"),
            "{:?}",
            told.notices
        );
        assert_eq!(told.code, Some(0));
    }
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_session_that_fails_when_all_tests_have_passed_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join("snapshots"), directory.path());
    let (told, code) = said(directory.path(), &[], |command| {
        command.env("SNAPSHOT", "other");
    });
    assert!(told.contains("2 passed, 1 failed"), "{told}");
    assert!(
        told.contains("it passed, but pytest failed afterwards"),
        "{told}"
    );
    assert!(told.contains("1 snapshots unused"), "{told}");
    assert_eq!(code, Some(i32::from(exit_code::TEST_FAILURE)));
}

fn odd_tests_end_as_under_pytest(arguments: &[&str]) {
    let told = run("odd", arguments);
    let bad = told
        .outcomes
        .iter()
        .filter(|(_, (kind, _))| kind != "passed");
    let bad: Vec<_> = bad
        .map(|(title, _)| title.split('[').next().unwrap())
        .collect();
    assert_eq!(
        bad,
        ["test_odd.py::test_ids_of_the_time"],
        "{:?}",
        told.outcomes
    );
    assert_eq!(told.outcomes.len(), 15, "{:?}", told.outcomes);
    let warning = "test_odd.py:76: DeprecationWarning: old (2 tests)";
    assert!(has_notice(&told, warning), "{:?}", told.notices);
}

#[test]
#[ignore = "needs Python with pytest"]
fn odd_tests_end_as_under_pytest_in_forks() {
    odd_tests_end_as_under_pytest(&["--slots=2"]);
}

#[test]
#[ignore = "needs Python with pytest"]
fn odd_tests_end_as_under_pytest_in_processes() {
    odd_tests_end_as_under_pytest(&["--fresh"]);
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_loop_of_the_projects_own_runs_the_one_test() {
    for arguments in [&[][..], &["--fresh"]] {
        let told = run("loop", arguments);
        let expected = [
            ("test_loop.py::test_passes", "passed", ""),
            ("test_loop.py::test_fails", "failed", "assert 1 == 2"),
        ];
        assert_outcomes(&told, &expected);
    }
}

/// A project of two tests, and its settings.
fn project(settings: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let tests = "def test_one():\n    pass\n\n\ndef test_two():\n    assert 1 == 2\n";
    fs::write(directory.path().join("test_it.py"), tests).unwrap();
    fs::write(directory.path().join("pytest.ini"), settings).unwrap();
    directory
}

/// pytest's exit code where no test has run.
const NO_TESTS: u8 = 5;

/// Arguments, what is said, and the exit code.
#[test]
#[ignore = "needs Python with pytest"]
fn what_pytest_is_told_is_done_or_refused() {
    let directory = project("");
    let cases: [(&[&str], &str, u8); 29] = [
        (&["--", "-k", "one"], "1 passed, 0 failed", 0),
        (
            &["--", "-k", "two"],
            "0 passed, 1 failed",
            exit_code::TEST_FAILURE,
        ),
        (&["--", "-k", "nobody"], "no test was selected", NO_TESTS),
        (
            &["-i", "name.equals(nobody)"],
            "no test was selected",
            NO_TESTS,
        ),
        (&["--", "test_it.py::test_one"], "1 passed, 0 failed", 0),
        (
            &["--", "--deselect=test_it.py::test_two"],
            "1 passed, 0 failed",
            0,
        ),
        (
            &["--", "-x"],
            "stopped after the first failure",
            exit_code::TEST_FAILURE,
        ),
        (
            &["--", "--co"],
            "error: --collect-only can't be had here",
            exit_code::USAGE,
        ),
        (
            &["--", "--html=r.html"],
            "unrecognized arguments: --html=r.html",
            exit_code::USAGE,
        ),
        (
            &["--", "--pdb"],
            "error: --pdb can't be had here",
            exit_code::USAGE,
        ),
        (
            &["--", "--help"],
            "has not collected any tests",
            exit_code::USAGE,
        ),
        (
            &["--", "--nosuch"],
            "unrecognized arguments: --nosuch",
            exit_code::USAGE,
        ),
        (
            &["nosuch.py"],
            "pytest says: file or directory not found: nosuch.py",
            exit_code::USAGE,
        ),
        (
            &["test_it.py::nosuch"],
            "test_it.py::nosuch",
            exit_code::USAGE,
        ),
        (
            &["-v", "--", "--tb=short"],
            "1 passed, 1 failed",
            exit_code::TEST_FAILURE,
        ),
        // The same without `--`, in any order.
        (&["-k", "one"], "1 passed, 0 failed", 0),
        (
            &["test_it.py", "-kone", "-v", "--slots=2"],
            "1 passed, 0 failed",
            0,
        ),
        (
            &["-k", "nobody", "--no-tests=pass"],
            "no test was selected",
            0,
        ),
        (
            &["-k", "nobody", "--no-tests=warn"],
            "no test was selected",
            0,
        ),
        (
            &["--deselect", "test_it.py::test_two", "."],
            "1 passed, 0 failed",
            0,
        ),
        (
            &["-x", "test_it.py"],
            "stopped after the first failure",
            exit_code::TEST_FAILURE,
        ),
        (
            &["--maxfail", "1"],
            "stopped after the first failure",
            exit_code::TEST_FAILURE,
        ),
        (
            &["--sw"],
            "stopped after the first failure",
            exit_code::TEST_FAILURE,
        ),
        (
            &["-n2", "--dist", "loadfile", "-ra"],
            "1 passed, 1 failed",
            exit_code::TEST_FAILURE,
        ),
        (
            &["-q", "--tb=line", "-Werror"],
            "1 passed, 1 failed",
            exit_code::TEST_FAILURE,
        ),
        (&["-vvs", "-k", "one"], "1 passed, 0 failed", 0),
        (
            &["-p", "no:such", "-o", "addopts=-x"],
            "stopped after",
            exit_code::TEST_FAILURE,
        ),
        (
            &["--durations=1", "--durations-min=0"],
            "test_it.py::test_",
            exit_code::TEST_FAILURE,
        ),
        (
            &["--tb", "wrong"],
            "pytest says: argument --tb",
            exit_code::USAGE,
        ),
    ];
    for (arguments, expected, code) in cases {
        let arguments = [&["--slots=1"], arguments].concat();
        let (told, ended) = said(directory.path(), &arguments, |_| {});
        assert!(told.contains(expected), "{arguments:?}: {told}");
        assert_eq!(ended, Some(i32::from(code)), "{arguments:?}: {told}");
        if code == exit_code::USAGE {
            assert!(!told.contains("usage: "), "{arguments:?}: {told}");
        }
    }
}

#[test]
#[ignore = "needs Python with pytest"]
fn what_addopts_says_is_done_or_told() {
    let cases: [(&str, &str, u8); 6] = [
        (
            "-x",
            "stopped after the first failure",
            exit_code::TEST_FAILURE,
        ),
        (
            "--maxfail=1",
            "stopped after the first failure",
            exit_code::TEST_FAILURE,
        ),
        (
            "--stepwise",
            "stopped after the first failure",
            exit_code::TEST_FAILURE,
        ),
        (
            "--last-failed",
            "`--failed` selects all of them",
            exit_code::TEST_FAILURE,
        ),
        ("--collect-only", "test_it.py::test_two\n", 0),
        (
            "--pdb",
            "--pdb of the project's `addopts`",
            exit_code::USAGE,
        ),
    ];
    for (option, expected, code) in cases {
        let directory = project(&format!("[pytest]\naddopts = {option}\n"));
        let (told, ended) = said(directory.path(), &["--slots=1"], |_| {});
        assert!(told.contains(expected), "{option}: {told}");
        assert_eq!(ended, Some(i32::from(code)), "{option}: {told}");
    }
}

/// pytest reads the variable in each process; what concerns the whole run has its effect there.
#[test]
#[ignore = "needs Python with pytest"]
fn what_the_variable_says_is_done() {
    let directory = project("");
    for (options, expected, code) in [
        ("-k one", "1 passed, 0 failed", 0),
        ("--maxfail=1", "stopped after", exit_code::TEST_FAILURE),
        ("-s -k one", "said by one", 0),
        ("--co", "test_it.py::test_two\n", 0),
        (
            "--pdb",
            "--pdb of pytest is not possible here",
            exit_code::USAGE,
        ),
        (
            "--nosuch",
            "unrecognized arguments: --nosuch",
            exit_code::USAGE,
        ),
    ] {
        let test =
            "def test_one():\n    print('said by one')\n\n\ndef test_two():\n    assert 1 == 2\n";
        fs::write(directory.path().join("test_it.py"), test).unwrap();
        let (told, ended) = said(directory.path(), &["--slots=1"], |command| {
            command.env("PYTEST_ADDOPTS", options);
        });
        assert!(told.contains(expected), "{options}: {told}");
        assert_eq!(ended, Some(i32::from(code)), "{options}: {told}");
    }
}

/// An option of a `conftest.py`, whose value only pytest can tell from a file.
#[test]
#[ignore = "needs Python with pytest"]
fn options_of_plugins_are_pytests() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "conftest.py",
        "def pytest_addoption(parser):\n    parser.addoption('--stage')\n    \
         parser.addoption('-E', action='append')\n    \
         parser.addoption('--flag', action='store_true')\n    \
         parser.addoption('--maybe', nargs='?', const='yes')\n",
    );
    write(
        "test_it.py",
        "def test_it(pytestconfig):\n    option = pytestconfig.option\n    assert \
         (option.stage, option.E, option.flag, option.maybe) == ('two', ['a', 'b'], True, 'yes')\n",
    );
    write("test_other.py", "def test_other():\n    assert False\n");
    for fresh in [&[][..], &["--fresh"], &["--together=all"]] {
        let words = [
            "--stage",
            "two",
            "-E",
            "a",
            "--flag",
            "test_it.py",
            "-Eb",
            "--maybe",
        ];
        let (told, code) = said(directory.path(), &[fresh, &words].concat(), |_| {});
        assert!(told.contains("1 passed, 0 failed"), "{fresh:?}: {told}");
        assert_eq!(code, Some(0), "{told}");
    }
}

#[test]
#[ignore = "needs Python with pytest"]
fn the_configuration_above_is_the_projects() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("pytest.ini", "[pytest]\npythonpath = src\n");
    write("src/helper.py", "VALUE = 7\n");
    write(
        "conftest.py",
        "import pytest\n\n\n@pytest.fixture\ndef above():\n    return 7\n",
    );
    let test = "import helper\n\n\ndef test_it(above):\n    assert above == helper.VALUE\n";
    write("tests/unit/test_it.py", test);
    for arguments in [&[][..], &["--fresh"]] {
        let (told, code) = said(&directory.path().join("tests/unit"), arguments, |_| {});
        assert!(told.contains("1 passed"), "{told}");
        assert_eq!(code, Some(0), "{told}");
    }
}

/// A virtual environment in the project, made of the active Python by hand.
#[test]
#[ignore = "needs Python with pytest"]
fn the_projects_own_environment_is_used_and_named() {
    let directory = project("");
    let question = "import sys, pytest; print(sys.executable); print(sys.base_prefix)";
    let answer = Command::new("python3")
        .args(["-c", question])
        .output()
        .unwrap();
    let answer = String::from_utf8(answer.stdout).unwrap();
    let (program, prefix) = answer.trim().split_once('\n').unwrap();
    let environment = directory.path().join(".venv");
    fs::create_dir_all(environment.join("bin")).unwrap();
    symlink(program, environment.join("bin/python")).unwrap();
    let settings = format!("home = {prefix}/bin\ninclude-system-site-packages = true\n");
    fs::write(environment.join("pyvenv.cfg"), settings).unwrap();
    let test = "import os, sys\n\n\ndef test_it():\n    assert sys.prefix.endswith('.venv')\n    \
                assert os.environ['VIRTUAL_ENV'] == sys.prefix\n";
    fs::write(directory.path().join("test_it.py"), test).unwrap();
    let (told, code) = said(directory.path(), &[], |command| {
        command.env_remove("VIRTUAL_ENV");
    });
    assert!(told.contains("the tests use .venv"), "{told}");
    assert_eq!(code, Some(0), "{told}");
}
