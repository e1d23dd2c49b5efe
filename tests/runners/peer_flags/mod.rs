//! Holds the tables of the peers' flags against each peer's own `--help`, and against the parser of
//! the program that replaces it.
//!
//! A flag that a new version of a peer adds fails here until the table says what it means.

mod cargo;
mod go;
mod pytest;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use maelstrom_runners::peers::{PeerFlag, PeerSupport, PeerTool};

/// The variable with which the tests write the tables of the documentation instead of comparing
/// them.
const WRITE_TABLES: &str = "MAELSTROM_WRITE_TABLES";

/// The largest indentation of a flag in a help text, in columns; descriptions are further right.
const FLAG_INDENT_MAX: usize = 8;

/// Returns the help text that a peer prints: everything on both of its streams.
pub fn help_of_peer(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        // Some wrap the text to the width of the terminal, and some color it.
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// Returns the spellings of all flags in a help text, dashes included. Reads the forms of clap,
/// getopts, argparse, and `go help`.
pub fn flags_in_help(text: &str) -> BTreeSet<String> {
    let mut flags = BTreeSet::new();
    for line in text.lines() {
        let line = line.replace('\t', "        ");
        let content = line.trim_start();
        if line.len() - content.len() <= FLAG_INDENT_MAX {
            // The description comes after a gap.
            let spellings = content.split("  ").next().unwrap_or_default();
            // `-c FILE, --config FILE`; the first word must be a flag.
            let words = spellings.split(", ");
            flags.extend(words.map_while(flag_at_start));
        }
        // clap: `[aliases: --jobs, --threads]`.
        if let Some((_, aliases)) = content.split_once("[alias") {
            let aliases = aliases.split([' ', ',', ']']);
            flags.extend(aliases.filter_map(flag_at_start));
        }
    }
    flags
}

/// Returns the variables that a help text of clap names: `[env: NAME=]`.
pub fn variables_in_help(text: &str) -> BTreeSet<String> {
    let named = text.split("[env: ").skip(1);
    let named = named.filter_map(|rest| rest.split(['=', ']']).next());
    named.map(str::to_owned).collect()
}

/// Returns the flag that a text begins with.
fn flag_at_start(text: &str) -> Option<String> {
    let dashes = text.len() - text.trim_start_matches('-').len();
    let is_part =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    let name = text.get(dashes..)?;
    let length = name.find(|character| !is_part(character));
    let name = name.get(..length.unwrap_or(name.len()))?;
    let begins = name.starts_with(|character: char| character.is_ascii_alphanumeric());
    ((1..=2).contains(&dashes) && begins).then(|| format!("{}{name}", "-".repeat(dashes)))
}

/// Fails unless the table has exactly the flags of the peer's help, and the program's parser handles
/// each spelling as the table says. `parse` gets the words after the program's name and returns the
/// text of the error, help included.
pub fn hold(
    tool: &PeerTool,
    help: &BTreeSet<String>,
    parse: impl Fn(&[&str]) -> Result<(), String>,
) {
    let mut faults = classification_faults(tool, help);
    for flag in tool.flags {
        for words in examples(flag) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if let Some(fault) = parser_fault(flag.support, parse(&words)) {
                faults.push(format!("{}: {fault}", words.join(" ")));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{}:\n  {}",
        tool.command,
        faults.join("\n  ")
    );
}

/// Fails unless the table has all of these variables.
pub fn hold_variables(tool: &PeerTool, variables: &BTreeSet<String>) {
    let known: Vec<&str> = tool
        .variables
        .iter()
        .map(|variable| variable.name)
        .collect();
    for variable in variables {
        assert!(
            known.contains(&variable.as_str()),
            "{}: the table does not classify {variable}",
            tool.command
        );
    }
}

fn classification_faults(tool: &PeerTool, help: &BTreeSet<String>) -> Vec<String> {
    let spellings = || tool.flags.iter().flat_map(|flag| flag.spellings);
    let missing = help.iter().filter(|flag| tool.flag(flag).is_none());
    let missing = missing.map(|flag| format!("the table does not classify {flag}"));
    let gone = spellings().filter(|spelling| !help.contains(**spelling));
    let gone = gone.map(|spelling| format!("its help does not name {spelling}"));
    let twice = spellings().filter(|spelling| {
        let same = spellings().filter(|other| other == spelling);
        same.count() > 1
    });
    let twice = twice.map(|spelling| format!("{spelling} is in the table twice"));
    missing.chain(gone).chain(twice).collect()
}

/// Returns the command lines with a flag: every spelling, with its value as the next word, and with
/// `=` if the name is longer than a letter.
fn examples(flag: &PeerFlag) -> Vec<Vec<String>> {
    let mut examples = Vec::new();
    for spelling in flag.spellings {
        let Some(value) = flag.value else {
            examples.push(vec![(*spelling).to_owned()]);
            continue;
        };
        examples.push(vec![(*spelling).to_owned(), value.to_owned()]);
        if spelling.trim_start_matches('-').len() > 1 {
            examples.push(vec![format!("{spelling}={value}")]);
        }
    }
    examples
}

fn parser_fault(support: PeerSupport, parsed: Result<(), String>) -> Option<String> {
    match (support, parsed) {
        (PeerSupport::Same | PeerSupport::Differs(_) | PeerSupport::NoEffect(_), Ok(())) => None,
        (PeerSupport::Same | PeerSupport::Differs(_) | PeerSupport::NoEffect(_), Err(error)) => {
            Some(format!("is not accepted: {error}"))
        }
        (PeerSupport::Refused(_), Ok(())) => Some("is not refused".to_owned()),
        (PeerSupport::Refused(instead), Err(error)) if error.contains(instead) => None,
        (PeerSupport::Refused(instead), Err(error)) => {
            Some(format!("the error does not say {instead:?}: {error}"))
        }
    }
}

/// Fails unless a page of the documentation has the tables of these tools, each between the markers
/// `<!-- flags of COMMAND -->` or `<!-- variables of COMMAND -->`, and `<!-- end -->`.
pub fn hold_document(page: &str, tools: &[&PeerTool]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let found = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let mut expected = found.clone();
    for tool in tools {
        expected = with_table(
            &expected,
            &format!("flags of {}", tool.command),
            &tool.flag_table(),
        );
        if !tool.variables.is_empty() {
            let marker = format!("variables of {}", tool.command);
            expected = with_table(&expected, &marker, &tool.variable_table());
        }
    }
    if std::env::var_os(WRITE_TABLES).is_some() {
        fs::write(&path, expected).unwrap();
    } else {
        assert!(
            found == expected,
            "the tables of {page} are not those of the source; this writes them: \
             {WRITE_TABLES}=1 cargo test --test runners peer_flags"
        );
    }
}

fn with_table(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), "<!-- end -->");
    let (before, rest) = page
        .split_once(&begin)
        .unwrap_or_else(|| panic!("the page has no line `{}`", begin.trim_end()));
    let (_, after) = rest
        .split_once(end)
        .unwrap_or_else(|| panic!("`{}` has no `{end}`", begin.trim_end()));
    format!("{before}{begin}\n{table}\n{end}{after}")
}

#[test]
fn flags_are_read_from_every_kind_of_help() {
    for (text, expected) in [
        (
            "Options:\n  -v, --verbose...  Be verbose\n      --timings[=<FMTS>]\n  -p, --package [<SPEC>]  X\n",
            "--package --timings --verbose -p -v",
        ),
        (
            "  -Z <FLAG>\n          --ignored: as in libtest\n            --level=none). In\n          - human: x\n",
            "-Z",
        ),
        (
            "  -j, --test-threads <N>\n          N [env: X=]\n          [aliases: --jobs, --threads]\n",
            "--jobs --test-threads --threads -j",
        ),
        (
            "        --include-ignored \n    -q, --quiet         Display\n        --format pretty|terse\n    -Z unstable-options Enable\n",
            "--format --include-ignored --quiet -Z -q",
        ),
        (
            "  -c FILE, --config-file FILE\n                        Load\n  --lf, --last-failed   Rerun\n  --maxfail=num         Exit\n  -m MARKEXPR           Only\n",
            "--config-file --last-failed --lf --maxfail -c -m",
        ),
        (
            "\t-bench regexp\n\t    -x is not one\n\t-c\n\t\t-n no\nUse -x.\n",
            "-bench -c",
        ),
    ] {
        let expected: BTreeSet<String> = expected.split(' ').map(str::to_owned).collect();
        assert_eq!(flags_in_help(text), expected, "{text}");
    }
}

#[test]
fn variables_are_read_from_the_help_of_clap() {
    let text = "  -j <N>\n     N\n\n     [env: A_B=]\n  --x [env: C=3] [default: 1]\n";
    let expected = ["A_B", "C"].map(str::to_owned);
    assert_eq!(variables_in_help(text), BTreeSet::from(expected));
}

#[test]
fn what_a_table_leaves_out_or_says_wrongly_is_a_fault() {
    let tool = PeerTool {
        command: "tool",
        flags: &[
            PeerFlag {
                spellings: &["--size", "-s"],
                value: Some("1"),
                support: PeerSupport::Same,
            },
            PeerFlag {
                spellings: &["--style"],
                value: None,
                support: PeerSupport::Refused("use `--ui`"),
            },
        ],
        variables: &[],
    };
    let help = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect();
    let all = help(&["--size", "-s", "--style"]);
    assert_eq!(classification_faults(&tool, &all), [""; 0]);
    assert_eq!(
        classification_faults(&tool, &help(&["--size", "--style", "--new"])),
        [
            "the table does not classify --new",
            "its help does not name -s"
        ]
    );
    let parse = |words: &[&str]| match words {
        ["--size", "1"] | ["--size=1"] | ["-s", "1"] => Ok(()),
        ["--style"] => Err("use `--ui` instead".to_owned()),
        _ => Err("unexpected".to_owned()),
    };
    hold(&tool, &all, parse);
    let refused = PeerSupport::Refused("use `--ui`");
    assert_eq!(parser_fault(refused, Err("use `--ui`!".to_owned())), None);
    for (support, parsed) in [
        (refused, Ok(())),
        (refused, Err("no".to_owned())),
        (PeerSupport::NoEffect("why"), Err("no".to_owned())),
    ] {
        assert!(parser_fault(support, parsed).is_some());
    }
}
