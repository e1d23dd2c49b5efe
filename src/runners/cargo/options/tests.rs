//! Parsing and resolving command lines.

use super::*;
use crate::options::{EventStreamFormat, ListFormatOption, NoTestsOption, PassingTestOutput};
use maelstrom_model::event::IsolationMode;
use std::num::NonZeroU32;

fn options(line: &str) -> Result<CargoOptions, clap::Error> {
    CargoOptions::read(line.split_whitespace().map(OsString::from))
}

fn resolve(line: &str) -> Result<CargoSettings, CargoOptionsError> {
    let cpus = NonZeroU32::new(8).unwrap();
    options(line).unwrap().resolve(cpus)
}

#[test]
fn the_command_is_sound() {
    use clap::CommandFactory;
    CargoOptions::command().debug_assert();
}

#[test]
fn cargo_passes_the_subcommand_and_a_person_does_not() {
    for line in ["cargo-maelstrom maelstrom -p a b", "cargo-maelstrom -p a b"] {
        let options = options(line).unwrap();
        assert_eq!(options.names, ["b"]);
        assert_eq!(options.packages.package, ["a"]);
    }
}

#[test]
fn what_fingers_type_from_cargo_test() {
    let settings = resolve(
        "cargo-maelstrom maelstrom -p one -p two -r --features x,y -F z --lib --test cli \
         --no-fail-fast -j 3 parse -- --skip slow --include-ignored --nocapture --color=always",
    )
    .unwrap();
    assert_eq!(
        settings.packages,
        PackageChoice::Named(vec!["one".to_owned(), "two".to_owned()])
    );
    assert!(settings.build.release && settings.targets.lib);
    assert_eq!(settings.build.features, ["x,y", "z"]);
    assert_eq!(settings.targets.test, ["cli"]);
    assert_eq!(settings.names.names, ["parse"]);
    assert_eq!(settings.names.skip, ["slow"]);
    assert_eq!(settings.ignored, IgnoredTests::Run);
    assert_eq!(settings.common.passing_output, PassingTestOutput::Shown);
    assert_eq!(settings.extra_arguments, ["--color=always"]);
    assert_eq!(settings.common.slots, 3);
    assert_eq!(settings.goal, CargoAction::Run);
}

#[test]
fn the_first_words_choose_the_grammar() {
    use CargoGrammar::{CargoTest, NextestList, NextestRun};
    for (typed, grammar, rest) in [
        ("p maelstrom run --lib x", NextestRun, "p --lib x"),
        ("p run", NextestRun, "p"),
        ("p maelstrom test test", CargoTest, "p test"),
        ("p maelstrom nextest run -p a", NextestRun, "p -p a"),
        ("p nextest r", NextestRun, "p"),
        ("p nextest list", NextestList, "p"),
        (
            "p nextest --color never list -p a",
            NextestList,
            "p --color never -p a",
        ),
        (
            "p nextest --manifest-path=x -v run",
            NextestRun,
            "p --manifest-path=x -v",
        ),
        ("p maelstrom list -p a", NextestList, "p -p a"),
        ("p help", CargoTest, "p --help"),
        ("p -- run", CargoTest, "p -- run"),
        ("p --lib run", CargoTest, "p --lib run"),
        ("p maelstrom maelstrom", CargoTest, "p maelstrom"),
        ("p", CargoTest, "p"),
    ] {
        let words =
            |line: &str| -> Vec<OsString> { line.split_whitespace().map(OsString::from).collect() };
        let read = grammar::CargoWords::read(words(typed)).unwrap();
        assert_eq!(
            (read.grammar, read.words),
            (grammar, words(rest)),
            "{typed}"
        );
    }
    for line in [
        "p nextest",
        "p nextest archive",
        "p nextest -- run",
        "p maelstrom nextest bench",
    ] {
        let error = options(line).unwrap_err().to_string();
        assert!(
            error.contains("cargo maelstrom nextest run"),
            "{line}: {error}"
        );
    }
}

#[test]
fn what_fingers_type_from_nextest() {
    let settings = resolve(
        "cargo-maelstrom maelstrom nextest run -p one -j 3 --build-jobs 2 --cargo-profile ci -E all() \
         --run-ignored all --no-fail-fast --success-output final --status-level fail -F x -P default \
         --no-tests auto --cargo-quiet --message-format libtest-json-plus parse -- --skip slow",
    )
    .unwrap();
    assert_eq!(settings.common.slots, 3);
    assert_eq!(settings.build.jobs, Some(2));
    assert_eq!(settings.build.profile.as_deref(), Some("ci"));
    assert_eq!(settings.build.cargo_quiet, 1);
    assert_eq!(settings.filtersets.len(), 1);
    assert_eq!(settings.ignored, IgnoredTests::Run);
    assert_eq!(settings.common.stop_after, None);
    assert_eq!(
        settings.common.passing_output,
        PassingTestOutput::ShownAtEnd
    );
    assert!(settings.common.report.quiet);
    assert_eq!(settings.common.no_tests, Some(NoTestsOption::Fail));
    assert_eq!(
        settings.common.stream,
        Some(EventStreamFormat::LibtestJsonPlus)
    );
    assert_eq!(settings.names.names, ["parse"]);
    assert_eq!(settings.names.skip, ["slow"]);
    assert_eq!(settings.goal, CargoAction::Run);
    let list = resolve("cargo-maelstrom list -T json-pretty").unwrap();
    assert_eq!(list.goal, CargoAction::ListTests);
    assert_eq!(list.common.list_format, Some(ListFormatOption::Json));
    let list = resolve("cargo-maelstrom nextest list --list-type binaries-only").unwrap();
    assert_eq!(list.goal, CargoAction::ListBinaries);
}

#[test]
fn failures_end_a_run_as_each_tool_says() {
    let stop_after = |line: &str| {
        resolve(line)
            .unwrap()
            .common
            .stop_after
            .map(NonZeroU32::get)
    };
    for (line, expected) in [
        ("p", None),
        ("p test", None),
        ("p --fail-fast", Some(1)),
        ("p -- --fail-fast", Some(1)),
        ("p --stop-after 3 --no-fail-fast", Some(3)),
        ("p run", Some(1)),
        ("p run --fail-fast", Some(1)),
        ("p run --ff", Some(1)),
        ("p run --no-fail-fast", None),
        ("p run --nff", None),
        ("p run --max-fail 3", Some(3)),
        ("p run --max-fail=2:immediate", Some(2)),
        ("p run --max-fail all", None),
        ("p run --stop-after 3", Some(3)),
    ] {
        assert_eq!(stop_after(line), expected, "{line}");
    }
}

#[test]
fn a_run_without_tests_ends_as_each_tool_says() {
    use NothingToRun::{LeftOut, NoneFound};
    for (line, nothing, expected) in [
        ("p", LeftOut, None),
        ("p x", LeftOut, Some(4)),
        ("p x", NoneFound, None),
        ("p -E none()", LeftOut, Some(4)),
        ("p --no-tests warn x", LeftOut, None),
        ("p --no-tests fail", NoneFound, Some(4)),
        ("p run", NoneFound, Some(4)),
        ("p run", LeftOut, Some(4)),
        ("p run --no-tests auto", NoneFound, Some(4)),
        ("p run --no-tests pass x", LeftOut, None),
        ("p list x", LeftOut, None),
        ("p run --no-run", NoneFound, None),
    ] {
        let settings = resolve(line).unwrap();
        assert_eq!(
            settings.without_tests(nothing),
            expected,
            "{line} {nothing:?}"
        );
    }
}

#[test]
fn doctests_are_tested_where_cargo_tests_them() {
    use DoctestChoice::{Also, Only, Without};
    for (line, expected) in [
        ("p", Also),
        ("p -p x name", Also),
        ("p test --workspace", Also),
        ("p --doc", Only),
        ("p run --doc", Only),
        ("p run", Without),
        ("p nextest list", Without),
        ("p --lib", Without),
        ("p --tests", Without),
        ("p --test x", Without),
        ("p --all-targets", Without),
    ] {
        assert_eq!(resolve(line).unwrap().doctests, expected, "{line}");
    }
    for line in ["p --doc --lib", "p --doc --test x", "p --doc --no-run"] {
        let words = line.split(' ').map(std::ffi::OsString::from);
        assert!(CargoOptions::read(words).is_err(), "{line}");
    }
}

#[test]
fn what_cannot_mean_the_same_is_refused_with_what_to_use() {
    let told = |line: &str| {
        let error = resolve(line).unwrap_err();
        let help = maelstrom_model::error::help_of(&error).unwrap_or_default();
        format!("{error}\n  help: {help}")
    };
    let lines = [
        "p run -R latest",
        "p run --failure-output never",
        "p run --build-jobs 0",
        "p run x -- --exact y",
        "p -- --logfile x",
        "p -E tests(a)",
    ];
    insta::assert_snapshot!(lines.map(told).join("\n"), @"
    `--rerun` of `cargo nextest run` is not supported
      help: use `--failed`, which runs the tests that failed in the last run
    `--failure-output=never` is not supported: the output of failed tests is always shown
      help: `--failure-output=final` is nearest
    `--build-jobs` must not be 0
      help: 
    `--exact` (after `--`) is about names after `--`, and `x` is before it
      help: put all names after `--`
    `--logfile` (after `--`) is not supported
      help: the file would be thrown away with the container; use `--junit FILE` or `--record FILE` before `--`
    invalid filterset: unknown predicate `tests`: expected `test`, `package`, `deps`, `rdeps`, `kind`, `binary`, `binary_id`, `platform`, `status`, `all`, `none` or `default`
      tests(a)
      ^^^^^
      help: did you mean `test`?
    ");
    for line in [
        "p run --retries 2 --flaky-result fail --slow-after 1m",
        "p run -P ci --config-file x --tool-config-file tool:y --ignore-default-filter",
        "p run -- --exact y",
        "p x -- --exact y",
        "p run -v",
    ] {
        assert!(resolve(line).is_ok(), "{line}");
    }
    let error = options("p --message-format json").unwrap_err().to_string();
    assert!(error.contains("libtest-json"), "{error}");
}

#[test]
fn what_fingers_type_from_the_original() {
    let settings = resolve(
        "cargo-maelstrom -i package.equals(a) -i n.c(x) -x name.contains(slow) --loop 3 -s 2 -t 9 \
         --slots=4 -l -F q",
    )
    .unwrap();
    assert_eq!(settings.patterns.include.len(), 2);
    assert_eq!(settings.patterns.exclude.len(), 1);
    assert_eq!(settings.packages, PackageChoice::Default);
    assert_eq!(settings.common.repeat.at_once(), 3);
    assert_eq!(settings.common.stop_after, NonZeroU32::new(2));
    assert_eq!(settings.timeout, Some(std::time::Duration::from_secs(9)));
    assert_eq!(settings.common.slots, 4);
    assert_eq!(settings.goal, CargoAction::ListTests);
}

#[test]
fn the_originals_letter_for_repeat_is_an_error() {
    for line in [
        "p -r 2",
        "p run -r 2",
        "p -p a -r 2 --lib",
        "p -r 2 -- --nocapture",
    ] {
        let help = maelstrom_model::error::help_of(&resolve(line).unwrap_err());
        assert!(
            help.is_some_and(|help| help.contains("--repeat 2")),
            "{line}"
        );
    }
    for line in [
        "p -r",
        "p -r two",
        "p -r 2 3",
        "p -r -- 2",
        "p 2 -r",
        "p -r --repeat 2",
    ] {
        resolve(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    assert!(options("p -r2").is_err());
}

#[test]
fn next_to_workspace_an_exclude_may_be_a_package() {
    let settings = resolve("cargo-maelstrom --all --exclude test").unwrap();
    assert_eq!(settings.exclude_undecided, ["test"]);
    assert!(settings.patterns.exclude.is_empty());
    let settings = resolve("cargo-maelstrom --exclude test").unwrap();
    assert!(settings.exclude_undecided.is_empty());
    assert_eq!(settings.patterns.exclude.len(), 1);
}

#[test]
fn the_strongest_word_decides_about_slots() {
    let slots = |line: &str| resolve(line).unwrap().common.slots;
    assert_eq!(slots("cargo-maelstrom"), 8);
    assert_eq!(slots("cargo-maelstrom -j2"), 2);
    assert_eq!(slots("cargo-maelstrom -j-2"), 6);
    assert_eq!(slots("cargo-maelstrom -j-20"), 1);
    assert_eq!(slots("cargo-maelstrom -j 5000"), 1000);
    assert_eq!(slots("cargo-maelstrom -j2 -- --test-threads 5"), 5);
    assert_eq!(
        slots("cargo-maelstrom -j2 --slots 7 -- --test-threads 5"),
        7
    );
}

#[test]
fn a_timeout_of_nothing_is_none() {
    assert_eq!(resolve("cargo-maelstrom -t0").unwrap().timeout, None);
}

#[test]
fn names_match_in_part_unless_exact() {
    let part = resolve("cargo-maelstrom alpha beta --skip gamma")
        .unwrap()
        .names;
    assert!(part.selects("x::alphabet") && part.selects("beta"));
    assert!(!part.selects("alpha::gamma") && !part.selects("delta"));
    let whole = resolve("cargo-maelstrom alpha --skip gamma -- --exact")
        .unwrap()
        .names;
    assert!(whole.selects("alpha") && !whole.selects("alphabet"));
    let all = resolve("cargo-maelstrom").unwrap().names;
    assert!(all.selects("anything at all"));
}

#[test]
fn isolation_is_weakened_only_by_name() {
    assert_eq!(
        resolve("cargo-maelstrom").unwrap().common.isolation(),
        IsolationMode::Container
    );
    assert_eq!(
        resolve("cargo-maelstrom --isolation=process")
            .unwrap()
            .common
            .isolation(),
        IsolationMode::Process
    );
    assert_eq!(
        resolve("cargo-maelstrom --strict").unwrap().toolbox,
        Toolbox::Absent
    );
}

#[test]
fn contradictions_are_errors() {
    for line in [
        "cargo-maelstrom --ignored --include-ignored",
        "cargo-maelstrom --release --profile dev",
        "cargo-maelstrom -p a --workspace",
        "cargo-maelstrom --list-tests --list-binaries",
        "cargo-maelstrom --ui fancy --no-tui",
        "cargo-maelstrom --slots 0",
        "cargo-maelstrom --slots 1001",
        "cargo-maelstrom --repeat 0",
        "cargo-maelstrom --timeout 1 --timeout 2",
    ] {
        assert!(options(line).is_err(), "{line}");
    }
    let messages: Vec<String> = [
        "cargo-maelstrom --ignored -- --include-ignored",
        "cargo-maelstrom -j 0",
        "cargo-maelstrom --strict --isolation process",
    ]
    .into_iter()
    .map(|line| resolve(line).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(messages.join("\n"), @"
    `--ignored` and `--include-ignored` exclude one another
    `--jobs` must not be 0
    `--strict` needs a container, and `--isolation=process` gives none
    ");
    assert!(matches!(
        resolve("cargo-maelstrom -i nonsense"),
        Err(CargoOptionsError::Pattern(_))
    ));
}

#[test]
fn the_help_text_is_complete() {
    use clap::CommandFactory;
    insta::assert_snapshot!(CargoOptions::command().term_width(100).render_help());
}
