//! The commands that rerun failed tests and no others.
//!
//! The failed tests together are rerun by the original command and `--failed`, which is short and
//! relies on the history of this machine. A single one is rerun by the original command with its
//! include patterns replaced by a pattern for the test, so it also works on another machine, for
//! instance when you copy it from a CI log. Exclude patterns and other options stay, since they did
//! not exclude the test.
//!
//! A binary whose tests could not be listed has no test in the history, so patterns select it.

use crate::model::{RunModel, TestIdentity};
use maelstrom_model::ids::TestId;

/// The maximum length of the command, in bytes. If a pattern per test is too long, the command
/// reruns whole targets or whole packages.
const COMMAND_BYTES_MAX: usize = 4_000;

/// The target kinds that can follow the name of a cargo artifact, as in `cli(test)`.
const KINDS_WITH_NAME: [&str; 4] = ["binary", "test", "example", "benchmark"];

/// The option that selects the failed tests, and its other names.
const FAILED: [&str; 3] = ["--failed", "--last-failed", "--lf"];

/// The options that commands which run tests again leave out: those that name a file that a run writes,
/// since the file would replace a report of all tests, and those of a partition, which would leave out
/// tests.
const LEFT_OUT_OPTIONS: [&str; 7] = [
    "--junit",
    "--junitxml",
    "--junit-xml",
    "--record",
    "--write-times",
    "--partition",
    "--partition-times",
];

/// The words after which all arguments are for the tests.
const ENDS_OF_OPTIONS: [&str; 3] = ["--", "-args", "--args"];

/// Returns the command line that reruns all failed tests, quoted for a shell. `None` if no test
/// failed, and for programs whose tests can't be selected by name.
pub(super) fn command(model: &RunModel) -> Option<String> {
    let run = model.run.as_ref()?;
    let form = PatternDialect::of(&run.program)?;
    let failed: Vec<TestId> = model.failed_tests().collect();
    if failed.is_empty() {
        return None;
    }
    let called = without_left_out(&run.command);
    let is_listed = |test: &TestId| !model.tests.identity(*test).name.is_empty();
    if failed.iter().all(is_listed) {
        let words = with_failed(&called);
        return shlex::try_join(words.iter().map(String::as_str)).ok();
    }
    [
        PatternGranularity::Case,
        PatternGranularity::Artifact,
        PatternGranularity::Package,
    ]
    .into_iter()
    .map(|detail| {
        let patterns = patterns(model, form, &failed, detail);
        let words = with_includes(&called, &patterns);
        shlex::try_join(words.iter().map(String::as_str))
    })
    .find_map(|command| command.ok().filter(|line| line.len() <= COMMAND_BYTES_MAX))
}

/// Returns the command line that runs one test and no other, quoted for a shell. `None` for programs
/// whose tests can't be selected by name, and if the name is too long.
pub(super) fn command_of(model: &RunModel, test: TestId) -> Option<String> {
    let run = model.run.as_ref()?;
    let form = PatternDialect::of(&run.program)?;
    let patterns = patterns(model, form, &[test], PatternGranularity::Case);
    let words = without_failed(&with_includes(&without_left_out(&run.command), &patterns));
    let command = shlex::try_join(words.iter().map(String::as_str)).ok()?;
    (command.len() <= COMMAND_BYTES_MAX).then_some(command)
}

/// The selectors that a program's patterns use for a test.
#[derive(Clone, Copy)]
enum PatternDialect {
    Cargo,
    Go,
    Pytest,
}

impl PatternDialect {
    fn of(program: &str) -> Option<PatternDialect> {
        match program {
            "cargo-maelstrom" => Some(PatternDialect::Cargo),
            "maelstrom-go-test" => Some(PatternDialect::Go),
            "maelstrom-pytest" => Some(PatternDialect::Pytest),
            _ => None,
        }
    }
}

/// How precisely the patterns select the failed tests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PatternGranularity {
    Case,
    Artifact,
    Package,
}

/// Returns one pattern for each artifact, or package, with failed tests.
fn patterns(
    model: &RunModel,
    form: PatternDialect,
    tests: &[TestId],
    detail: PatternGranularity,
) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for &test in tests {
        let (group, case) = terms(model, form, test);
        let group = match detail {
            PatternGranularity::Case | PatternGranularity::Artifact => group.join(" && "),
            PatternGranularity::Package => group.into_iter().take(1).collect(),
        };
        let index = match groups.iter().position(|(known, _)| *known == group) {
            Some(index) => index,
            None => {
                groups.push((group, Vec::new()));
                groups.len() - 1
            }
        };
        if let Some((_, cases)) = groups.get_mut(index) {
            cases.push(case);
        }
    }
    groups
        .into_iter()
        .map(|(group, cases)| match (detail, cases.as_slice()) {
            (PatternGranularity::Artifact | PatternGranularity::Package, _) => group,
            (PatternGranularity::Case, cases) if cases.iter().any(String::is_empty) => group,
            (PatternGranularity::Case, [only]) => format!("{group} && {only}"),
            (PatternGranularity::Case, several) => format!("{group} && ({})", several.join(" || ")),
        })
        .collect()
}

/// Returns the terms that select the artifact of a test, the package first, and the term that
/// selects the test within it. The latter is empty if the artifact failed as a whole.
fn terms(model: &RunModel, form: PatternDialect, test: TestId) -> (Vec<String>, String) {
    let TestIdentity {
        package,
        artifact,
        name,
    } = model.tests.identity(test);
    let case = if name.is_empty() {
        String::new()
    } else {
        equals("name", name)
    };
    match form {
        PatternDialect::Cargo => {
            let mut group = vec![equals("package", package)];
            group.extend(target(artifact));
            (group, case)
        }
        PatternDialect::Go => (vec![equals("package", package)], case),
        PatternDialect::Pytest => (vec![equals("file", artifact)], case),
    }
}

/// Converts an artifact such as `cli(test)` to a pattern term.
fn target(artifact: &str) -> Option<String> {
    let (name, kind) = artifact.strip_suffix(')')?.rsplit_once('(')?;
    if KINDS_WITH_NAME.contains(&kind) {
        Some(equals(kind, name))
    } else {
        ["library", "doctest"]
            .contains(&kind)
            .then(|| kind.to_owned())
    }
}

/// Returns a comparison with the argument in the first kind of brackets that are balanced in
/// `text`. If there is none, and `text` contains `/`, returns a match with a regular expression
/// that escapes all special characters.
fn equals(selector: &str, text: &str) -> String {
    for (open, close) in [('(', ')'), ('[', ']'), ('<', '>')] {
        if is_balanced(text, open, close) {
            return format!("{selector}.equals{open}{text}{close}");
        }
    }
    if !text.contains('/') {
        return format!("{selector}.equals/{text}/");
    }
    let spelled: String = text
        .chars()
        .map(|character| match character {
            plain if plain.is_alphanumeric() || plain == '_' => plain.to_string(),
            other => format!(r"\x{{{:x}}}", u32::from(other)),
        })
        .collect();
    format!("{selector}.matches(^{spelled}$)")
}

fn is_balanced(text: &str, open: char, close: char) -> bool {
    let mut depth = 0_usize;
    for character in text.chars() {
        if character == open {
            depth += 1;
        } else if character == close {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            }
        }
    }
    depth == 0
}

/// Splits a command into its own words and the arguments for the tests.
fn split(command: &[String]) -> (&[String], &[String]) {
    let ends_options = |word: &String| ENDS_OF_OPTIONS.contains(&word.as_str());
    let end = command.iter().position(ends_options);
    command.split_at(end.unwrap_or(command.len()))
}

fn is_failed(word: &str) -> bool {
    FAILED.contains(&word)
}

/// Returns the command with the option that selects the failed tests.
fn with_failed(command: &[String]) -> Vec<String> {
    let (options, arguments) = split(command);
    let mut words = options.to_vec();
    if !words.iter().any(|word| is_failed(word)) {
        words.push("--failed".to_owned());
    }
    words.extend_from_slice(arguments);
    words
}

/// Returns the command without the option that selects the failed tests.
fn without_failed(command: &[String]) -> Vec<String> {
    let (options, arguments) = split(command);
    let options = options.iter().filter(|word| !is_failed(word));
    options.chain(arguments).cloned().collect()
}

/// Returns the command without [`LEFT_OUT_OPTIONS`].
fn without_left_out(command: &[String]) -> Vec<String> {
    let (options, arguments) = split(command);
    let mut words = Vec::new();
    let mut rest = options.iter();
    while let Some(word) = rest.next() {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        if !LEFT_OUT_OPTIONS.contains(&name) {
            words.push(word.clone());
        } else if !word.contains('=') {
            rest.next();
        }
    }
    words.extend_from_slice(arguments);
    words
}

/// Returns the command with its include patterns replaced by `patterns`.
fn with_includes(command: &[String], patterns: &[String]) -> Vec<String> {
    let (options, arguments) = split(command);
    let mut words = Vec::new();
    let mut rest = options.iter();
    while let Some(word) = rest.next() {
        if word == "--include" || word == "-i" {
            rest.next();
        } else if !word.starts_with("--include=")
            && (!word.starts_with("-i") || word.starts_with("--"))
        {
            words.push(word.clone());
        }
    }
    for pattern in patterns {
        words.push("--include".to_owned());
        words.push(pattern.clone());
    }
    words.extend_from_slice(arguments);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        shlex::split(line).unwrap()
    }

    #[test]
    fn include_patterns_are_replaced_and_all_else_stays() {
        let given =
            "cargo maelstrom -p core -i all --include=x --include y -ilib -x z --ignored -- -i w";
        let expected = "cargo maelstrom -p core -x z --ignored --include new -- -i w";
        assert_eq!(
            with_includes(&words(given), &["new".to_owned()]),
            words(expected)
        );
    }

    #[test]
    fn no_report_of_the_whole_run_is_replaced_and_no_part_left_out() {
        let command = words(
            "r --junit a.xml -x --record=b --junitxml=c --junit-xml d --partition hash:1/2 \
                   --write-times=x t -- --junit e",
        );
        assert_eq!(without_left_out(&command), words("r -x t -- --junit e"));
    }

    #[test]
    fn the_option_is_added_once_and_before_the_arguments_of_the_tests() {
        for (given, with, without) in [
            (
                "cargo maelstrom",
                "cargo maelstrom --failed",
                "cargo maelstrom",
            ),
            (
                "cargo maelstrom -p core --failed -- --lf",
                "cargo maelstrom -p core --failed -- --lf",
                "cargo maelstrom -p core -- --lf",
            ),
            (
                "maelstrom-go-test ./... -args -v",
                "maelstrom-go-test ./... --failed -args -v",
                "maelstrom-go-test ./... -args -v",
            ),
            (
                "maelstrom-pytest --lf x",
                "maelstrom-pytest --lf x",
                "maelstrom-pytest x",
            ),
        ] {
            assert_eq!(with_failed(&words(given)), words(with));
            assert_eq!(without_failed(&words(given)), words(without));
        }
    }

    #[test]
    fn any_name_can_be_said() {
        for (name, expected) in [
            ("a::b", "name.equals(a::b)"),
            ("a(b)", "name.equals(a(b))"),
            ("a)b", "name.equals[a)b]"),
            ("a)](b", "name.equals<a)](b>"),
            (")]>", "name.equals/)]>/"),
            (")]>/ü", r"name.matches(^\x{29}\x{5d}\x{3e}\x{2f}ü$)"),
        ] {
            assert_eq!(equals("name", name), expected);
        }
    }

    #[test]
    fn artifacts_of_cargo_are_targets() {
        assert_eq!(target("cli(test)").unwrap(), "test.equals(cli)");
        assert_eq!(target("core(library)").unwrap(), "library");
        assert_eq!(target("core(doctest)").unwrap(), "doctest");
        assert_eq!(target("odd").as_deref(), None);
    }
}
