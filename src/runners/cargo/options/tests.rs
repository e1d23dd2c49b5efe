//! Parsing and resolving command lines.

use super::*;
use crate::options::PassingTestOutput;
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
        "cargo-maelstrom maelstrom -p one -p two --release --features x,y -F z --lib --test cli \
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
fn what_fingers_type_from_the_original() {
    let settings = resolve(
        "cargo-maelstrom -i package.equals(a) -i n.c(x) -x name.contains(slow) --loop 3 -s 2 -t 9 \
         --slots=4 -l -F q",
    )
    .unwrap();
    assert_eq!(settings.patterns.include.len(), 2);
    assert_eq!(settings.patterns.exclude.len(), 1);
    assert_eq!(settings.packages, PackageChoice::Default);
    assert_eq!(settings.common.repeat.get(), 3);
    assert_eq!(settings.common.stop_after, NonZeroU32::new(2));
    assert_eq!(settings.timeout, Some(std::time::Duration::from_secs(9)));
    assert_eq!(settings.common.slots, 4);
    assert_eq!(settings.goal, CargoAction::ListTests);
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
