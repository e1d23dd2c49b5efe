//! The flags of the tools that the test programs replace, and how each program handles them.
//!
//! Each program's folder holds the tables of its peers: `cargo test` and `cargo nextest`, `go test`,
//! `pytest`. Tests hold each table against the peer's own `--help` and against the program's parser,
//! and the documentation's tables are made from them.

use std::fmt::Write as _;

/// A tool that a test program replaces, with all of its flags.
#[derive(Clone, Copy, Debug)]
pub struct PeerTool {
    /// Its command, such as `cargo nextest run`.
    pub command: &'static str,
    pub flags: &'static [PeerFlag],
    /// The environment variables that it reads.
    pub variables: &'static [PeerVariable],
}

/// A flag of a peer.
#[derive(Clone, Copy, Debug)]
pub struct PeerFlag {
    /// All of its spellings, dashes included, the longest first: `--package`, `-p`.
    pub spellings: &'static [&'static str],
    /// A valid value, if it takes one: tests pass it to the program's parser.
    pub value: Option<&'static str>,
    pub support: PeerSupport,
}

/// An environment variable of a peer.
#[derive(Clone, Copy, Debug)]
pub struct PeerVariable {
    pub name: &'static str,
    pub support: PeerSupport,
}

/// How a program handles a flag or a variable of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerSupport {
    /// It means the same.
    Same,
    /// It means the same with a difference that users should know, such as the granularity of
    /// `--stop-after`.
    Differs(&'static str),
    /// It is accepted and has no effect, for this reason.
    NoEffect(&'static str),
    /// It is an error, which says what to use instead.
    Refused(&'static str),
}

impl PeerTool {
    /// Returns the table of its flags, as Markdown.
    pub fn flag_table(&self) -> String {
        let rows = self.flags.iter().map(|flag| {
            let spellings: Vec<String> = flag.spellings.iter().map(|one| code(one)).collect();
            (spellings.join(", "), flag.support)
        });
        table("Flag", rows)
    }

    /// Returns the table of its variables, as Markdown.
    pub fn variable_table(&self) -> String {
        let rows = self
            .variables
            .iter()
            .map(|variable| (code(variable.name), variable.support));
        table("Variable", rows)
    }

    /// Returns the flag with a spelling.
    pub fn flag(&self, spelling: &str) -> Option<&'static PeerFlag> {
        let mut flags = self.flags.iter();
        flags.find(|flag| flag.spellings.contains(&spelling))
    }
}

impl PeerSupport {
    fn text(self) -> String {
        match self {
            PeerSupport::Same => "the same".to_owned(),
            PeerSupport::Differs(how) => how.to_owned(),
            PeerSupport::NoEffect(why) => format!("no effect: {why}"),
            PeerSupport::Refused(instead) => format!("refused: {instead}"),
        }
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn table(heading: &str, rows: impl Iterator<Item = (String, PeerSupport)>) -> String {
    let mut text = format!("| {heading} | Here |\n|---|---|\n");
    for (name, support) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {} |", support.text().replace('|', "\\|"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_show_every_spelling_and_what_it_means_here() {
        let tool = PeerTool {
            command: "tool",
            flags: &[
                PeerFlag {
                    spellings: &["--package", "-p"],
                    value: Some("x"),
                    support: PeerSupport::Same,
                },
                PeerFlag {
                    spellings: &["--style"],
                    value: Some("a"),
                    support: PeerSupport::Refused("use `--ui=plain|quiet`"),
                },
            ],
            variables: &[PeerVariable {
                name: "TOOL_COLOR",
                support: PeerSupport::NoEffect("nothing is colored"),
            }],
        };
        assert_eq!(
            tool.flag_table(),
            "| Flag | Here |\n|---|---|\n| `--package`, `-p` | the same |\n\
             | `--style` | refused: use `--ui=plain\\|quiet` |\n"
        );
        assert_eq!(
            tool.variable_table(),
            "| Variable | Here |\n|---|---|\n| `TOOL_COLOR` | no effect: nothing is colored |\n"
        );
        assert_eq!(tool.flag("-p").map(|flag| flag.value), Some(Some("x")));
        assert!(tool.flag("-x").is_none());
    }
}
