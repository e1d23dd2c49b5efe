//! A command line in the words of another tool, and that tool's variables.

use super::*;

static VARIABLES: &[ReplacedVariable] = &[
    ReplacedVariable {
        name: "TOOL_JOBS",
        option: ConfigOption::new("slots", ConfigOptionKind::Number),
        read: |text| (text != "auto").then(|| text.to_owned()),
    },
    ReplacedVariable {
        name: "TOOL_QUIET",
        option: ConfigOption::new("quiet", ConfigOptionKind::Boolean),
        read: |_| Some("true".to_owned()),
    },
];

/// The command line of another tool: what is `--slots` here is `--jobs` there, whose `--slots`,
/// `-P` and `--config-file` are something else.
fn dialect() -> ConfigDialect<'static> {
    let command = <Options as clap::CommandFactory>::command()
        .mut_arg("slots", |arg| arg.long("jobs"))
        .arg(clap::Arg::new("other slots").long("slots"))
        .arg(clap::Arg::new("profile").short('P').long("profile"))
        .arg(clap::Arg::new("their file").long("config-file"));
    ConfigDialect {
        command,
        variables: VARIABLES,
        project: None,
    }
}

#[test]
fn a_dialect_has_the_names_of_the_replaced_tool() {
    let slots = |world: &World, line: &str| {
        let words = ["counter"].into_iter().chain(line.split_whitespace());
        let words: Vec<OsString> = words.map(OsString::from).collect();
        let settled = resolve_dialect::<Options>(&PROGRAM, dialect(), &words, world);
        settled.map_err(|error| error.to_string())
    };
    let file = || World::default().configured("slots = 7\n");
    let tool = || file().with("TOOL_JOBS", "3").with("TOOL_QUIET", "1");
    let own = || tool().with("MAELSTROM_SLOTS", "4");
    for (world, line, expected) in [
        (file(), "", Some(7)),
        (file(), "--slots 9 -P x --config-file y", Some(7)),
        (file(), "-c -", None),
        (tool(), "", Some(3)),
        (file().with("TOOL_JOBS", "auto"), "", Some(7)),
        (own(), "", Some(4)),
        (own(), "--jobs 5", Some(5)),
    ] {
        assert_eq!(
            slots(&world, line).unwrap().options.slots,
            expected,
            "{line}"
        );
    }
    let settled = slots(&tool(), "--print-config").unwrap();
    assert!(settled.options.quiet);
    let printed = settled.print.unwrap();
    assert!(printed.contains("slots = 3 # TOOL_JOBS"), "{printed}");
    let error = slots(&file().with("TOOL_JOBS", "many"), "").unwrap_err();
    assert_eq!(
        error,
        "the variable TOOL_JOBS: invalid value `many`: expected a whole number"
    );
}
