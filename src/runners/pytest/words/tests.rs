//! Tests of the division of a command line.

use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::pytest::options::PytestOptions;
use clap::CommandFactory;

fn with(added: &str, line: &str) -> String {
    in_project("", added, line)
}

fn in_project(project: &str, added: &str, line: &str) -> String {
    let variables = RunVariables {
        project: shlex::split(project).unwrap(),
        added: added.to_owned(),
        automatic: None,
        cpus: 6,
    };
    let own = OwnOptions::of(&PytestOptions::command(), ["fresh", "no-tui"].into_iter());
    let words = line.split(' ').map(OsString::from);
    let words = rewrite(words, &own, &variables).into_iter().skip(1);
    let words = words.map(|word| word.into_string().unwrap().replace("--pytest-word=", ""));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_word_goes_to_whom_it_belongs() {
    for (line, expected) in [
        ("x", ""),
        ("x tests a.py::b", "p:tests p:a.py::b"),
        // pytest's letters, together and with their values.
        ("x -xvs", "-x -v -s --pytest-passing-output"),
        ("x -qq t", "a:-q a:-q p:t --quiet"),
        ("x -v -q", "-v a:-q"),
        ("x -q --ui=plain", "a:-q --ui=plain"),
        ("x -ra -l", "a:-ra a:-l"),
        ("x -r fE t", "a:-r a:fE p:t"),
        ("x --setup-show", "a:--setup-show --pytest-passing-output"),
        ("x -rA", "a:-rA --pytest-passing-output"),
        ("x -k -x -mslow", "-k=-x -m=slow"),
        ("x -Werror -p no:x", "a:-Werror a:-p a:no:x"),
        ("x -oa=b -c f", "a:-oa=b c:-c c:f"),
        ("x --capture no", "a:--capture a:no --pytest-passing-output"),
        // Effects on the whole run.
        ("x -n 4", "--slots=4"),
        ("x -n4", "--slots=4"),
        ("x -n=4", "--slots=4"),
        ("x --numprocesses=auto", "--slots=6"),
        ("x -n logical --maxprocesses 2", "--slots=2"),
        ("x -n0", "--slots=1"),
        ("x -n", "--slots="),
        ("x -n 2 --slots 3", "--slots=3"),
        ("x --slots 3 -n 2", "--slots=3 --slots=2"),
        (
            "x --color=yes --color no --color always",
            "--color=always --color=never --color=always",
        ),
        ("x --durations 3", "--durations=3 --slowest=0"),
        ("x --durations=3 --slowest 2", "--durations=3 --slowest=2"),
        ("x --durations-min=1", "a:--durations-min=1"),
        ("x --sw", "a:--maxfail=1"),
        ("x --sw-skip", "a:--maxfail=2"),
        ("x --dist loadfile --ff --no-header t", "a:--no-header p:t"),
        ("x --lfnf=all --lfnf none", "--pytest-refused=--lfnf"),
        (
            "x --pdb --fixtures=1",
            "--pytest-refused=--pdb --pytest-refused=--fixtures",
        ),
        // Selection is for the collection only.
        (
            "x --ignore=a --deselect b --tb short",
            "c:--ignore=a c:--deselect c:b a:--tb a:short",
        ),
        // Options of plugins: pytest knows whether the next word is a value.
        ("x a --cov b c -x d", "p:a a:--cov a:b a:c -x p:d"),
        ("x --cov=b c", "a:--cov=b p:c"),
        ("x -E stage1 -Zx", "a:-E a:stage1 a:-Zx"),
        ("x -vZ1", "-v a:-Z1"),
        // Our own.
        (
            "x t --repeat 2 -i all --exclude=none -w -t 3 --fresh --no-fresh --tui",
            "p:t --repeat=2 -i=all --exclude=none -w -t=3 --fresh --no-fresh --tui",
        ),
        ("x --lf --co --list -V -h -P", "--lf --co --list -V -h -P"),
        ("x --log-level=INFO -L debug", "a:--log-level=INFO -L=debug"),
        ("x --config-file f", "c:--config-file c:f"),
        ("x --maelstrom-config-file -", "--maelstrom-config-file=-"),
        ("x --fresh=1 --repeat", "--fresh=1 --repeat"),
        // What follows `--` is left alone.
        ("x t -- -n 4 --pdb", "p:t -- -n 4 --pdb"),
        ("x - @file", "p:- p:@file"),
    ] {
        assert_eq!(with("", line), expected, "{line}");
    }
}

#[test]
fn the_variable_has_its_effects_on_the_run_and_pytest_reads_the_rest() {
    for (added, line, expected) in [
        ("-n 3 --cov x -vv -k 'a b' t", "x", "--slots=3"),
        ("-n 3", "x -n auto", "--slots=3 --slots=6"),
        ("-n 3", "x --slots=2", "--slots=3 --slots=2"),
        ("-q", "x", "--quiet"),
        ("-q", "x -v", "-v"),
        ("-s", "x", "--pytest-passing-output"),
        ("--durations=5", "x", "--slowest=0"),
        ("--lf --co", "x", "--failed --list"),
        ("--pdb", "x", "--pytest-refused=--pdb"),
        ("--repeat=2 -w -t 3 --junitxml=x", "x", ""),
        ("'unclosed", "x t", "p:t"),
    ] {
        assert_eq!(with(added, line), expected, "{added} | {line}");
    }
}

#[test]
fn the_projects_file_counts_less_than_the_variable() {
    for (project, added, line, expected) in [
        ("-n 3 --cov x -v --dist=loadfile t", "", "x", "--slots=3"),
        ("--numprocesses auto --ff", "", "x", "--slots=6"),
        ("-n 3", "-n 2", "x", "--slots=2"),
        ("-n auto", "--maxprocesses=2", "x -k a", "--slots=2 -k=a"),
        ("-n 3", "", "x -n 4", "--slots=3 --slots=4"),
        ("--lf", "", "x t", "--failed p:t"),
        ("-q -rA", "", "x", "--quiet --pytest-passing-output"),
        // What is refused there is reported with the collection, or does no harm.
        ("--pdb --tx popen", "", "x", ""),
    ] {
        let all = in_project(project, added, line);
        assert_eq!(all, expected, "{project} | {added} | {line}");
    }
}

#[test]
fn a_word_is_read_back_as_it_was() {
    for role in [WordRole::Always, WordRole::Collecting, WordRole::Path] {
        for text in [&b"--x=p:y"[..], b"", b"\xff"] {
            let word = PytestWord {
                role,
                text: OsStr::from_bytes(text).to_owned(),
            };
            let written = word.written().into_vec();
            let value = written.strip_prefix(b"--pytest-word=").unwrap();
            assert_eq!(PytestWord::read(OsStr::from_bytes(value)), word);
        }
    }
}
