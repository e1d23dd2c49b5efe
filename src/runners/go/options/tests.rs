//! Parsing and resolving command lines.

use super::*;
use crate::options::{EventStreamFormat, PassingTestOutput};
use crate::sandbox::container::Toolbox;
use maelstrom_model::error::help_of;
use maelstrom_model::event::IsolationMode;
use std::time::Duration;

fn resolve(line: &str) -> Result<GoSettings, GoOptionsError> {
    let words = format!("maelstrom-go-test {line}");
    let words = words.split_whitespace().map(OsString::from);
    let options = GoOptions::read(words).unwrap();
    options.resolve(NonZeroU32::new(3).unwrap())
}

fn resolved(line: &str) -> GoSettings {
    resolve(line).unwrap()
}

#[test]
fn the_values_are_options() {
    assert_eq!(PROGRAM.disagreements(&GoOptions::command()), [""; 0]);
}

#[test]
fn nothing_said_means_the_whole_module() {
    let settings = resolved("");
    assert_eq!(settings.goal, GoAction::Run);
    assert_eq!(settings.packages, ["./..."]);
    assert_eq!(settings.common.slots, 3);
    assert_eq!(settings.common.isolation(), IsolationMode::Container);
    assert_eq!(settings.toolbox, Toolbox::Present);
    assert_eq!(settings.go_test_flags, [""; 0]);
    assert_eq!(settings.timeout, None);
}

#[test]
fn flags_go_where_they_are_meant_to() {
    let settings = resolved(
        "-v -race -tags=a,b -short -p 4 -vet=off -count=3 -failfast -run A/b -skip C -cpu 1,2 \
         -update=all . ./x -args -z",
    );
    assert_eq!(settings.packages, [".", "./x"]);
    assert_eq!(settings.build_flags, ["-race", "-tags=a,b"]);
    assert_eq!(settings.go_test_flags, ["-p=4", "-vet=off", "-short"]);
    assert_eq!(settings.test_flags, ["-cpu=1,2", "-update=all"]);
    assert_eq!(settings.extra_arguments, ["-z"]);
    assert_eq!(settings.common.repeat.at_once(), 3);
    assert_eq!(settings.common.stop_after, NonZeroU32::new(1));
    assert_eq!(settings.common.passing_output, PassingTestOutput::Shown);
    assert_eq!(settings.run.unwrap().as_written(), "A/b");
    assert_eq!(settings.skip.unwrap().as_written(), "C");
}

#[test]
fn a_timeout_is_ours_or_gos() {
    let seconds = resolved("-t 30");
    assert_eq!(seconds.timeout, Some(Duration::from_secs(30)));
    assert_eq!(seconds.go_test_flags, ["-timeout=0"]);
    let go = resolved("-timeout 1m30s");
    assert_eq!(go.timeout, None);
    assert_eq!(go.go_test_flags, ["-timeout=1m30s"]);
    assert_eq!(resolved("--timeout=0").timeout, None);
    for bad in ["", "s", "1x", "1m2", "-1s", "1.2.3s"] {
        assert!(bad.parse::<GoTimeout>().is_err(), "{bad}");
    }
}

#[test]
fn benchmarks_and_fuzzing_run_alone_unless_the_user_says_otherwise() {
    let bench = resolved("-bench Sort/big -benchtime=2x");
    assert_eq!(bench.bench.unwrap().as_written(), "Sort/big");
    assert_eq!(bench.common.slots, 1);
    assert_eq!(bench.common.passing_output, PassingTestOutput::Shown);
    assert_eq!(bench.test_flags, ["-benchtime=2x"]);
    assert_eq!(bench.packages, ["./..."]);
    assert_eq!(resolved("-bench . -j 2").common.slots, 2);
    assert!(resolved("-bench=").bench.is_none());
    let fuzz = resolved("-fuzz=FuzzA -fuzztime 10x");
    assert_eq!(fuzz.go_test_flags, ["-fuzz=FuzzA"]);
    assert_eq!(
        (fuzz.common.slots, fuzz.packages),
        (1, vec![".".to_owned()])
    );
}

#[test]
fn binaries_are_written_where_go_writes_them() {
    let compile = resolved("-c -o out/");
    assert_eq!(compile.goal, GoAction::Build);
    assert_eq!(compile.go_test_flags, ["-c", "-o=out/"]);
    assert_eq!(compile.packages, ["."]);
    assert_eq!(resolved("-o x.test ./a").goal, GoAction::Run);
    assert_eq!(resolved("-count=0").goal, GoAction::Build);
}

#[test]
fn streams_are_chosen_by_gos_flags() {
    for (line, expected) in [
        ("", None),
        ("-json", Some(EventStreamFormat::Test2Json)),
        ("-json -list=.", Some(EventStreamFormat::Test2Json)),
        ("-list .", Some(EventStreamFormat::GoList)),
        ("--list", None),
    ] {
        assert_eq!(resolved(line).common.stream, expected, "{line}");
    }
}

#[test]
fn an_empty_expression_says_nothing() {
    let settings = resolved("-run= -skip=");
    assert!(settings.run.is_none() && settings.skip.is_none());
    assert_eq!(resolved("-list=").goal, GoAction::Run);
    assert_eq!(resolved("-list=A").goal, GoAction::ListTests);
    assert_eq!(resolved("-list=A").run.unwrap().as_written(), "A");
}

#[test]
fn of_what_is_said_twice_the_last_counts() {
    let settings = resolved("-run A -run B -count 2 -count=3 -failfast --stop-after 4");
    assert_eq!(settings.run.unwrap().as_written(), "B");
    assert_eq!(settings.common.repeat.at_once(), 3);
    assert_eq!(settings.common.stop_after, NonZeroU32::new(4));
    let both = resolved("-tags=a -tags=b -i name.eq(a) -i name.eq(b)");
    assert_eq!(both.build_flags, ["-tags=a", "-tags=b"]);
}

#[test]
fn what_makes_no_sense_is_refused_with_advice() {
    let told: Vec<String> = [
        "-cpuprofile=f",
        "-exec sudo",
        "-x name.equals(a)",
        "-c my.toml",
        "--strict --isolation=process",
        "-run (",
        "-i nonsense",
    ]
    .map(|line| {
        let error = resolve(line).unwrap_err();
        let help = help_of(&error).unwrap_or_default();
        let first = error.to_string();
        format!("{} | {help}", first.lines().next().unwrap_or_default())
    })
    .to_vec();
    insta::assert_snapshot!(told.join("\n"), @"
    `-cpuprofile` is not supported | containers discard the files of tests: use `go test` for profiles
    `-exec` is not supported | tests run in containers; `--isolation=process` runs them as plain processes
    `-x` is a flag of `go test` and takes no value | use `--exclude PATTERN`
    `-c` is a flag of `go test` and takes no value | use `--config-file FILE`
    `--strict` needs a container, and `--isolation=process` gives none | 
    the value of `-run` can't be used | 
    invalid filter pattern: unknown word `nonsense`: expected `all`, `any`, `true`, `none`, `false`, `failed`, `flaky`, `slow`, `new`, `name`, `package_import_path`, `package_path` or `package_name` |
    ");
}

#[test]
fn the_help_text_is_complete() {
    insta::assert_snapshot!(GoOptions::command().term_width(100).render_help());
}
