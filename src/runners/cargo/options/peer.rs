//! The tool in whose words a command line is written, and its flags that are refused.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::cargo::peer_flags::{CARGO_TEST, NEXTEST_LIST, NEXTEST_RUN};
use crate::peers::{PeerSupport, PeerTool};

/// The tool in whose words a command line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CargoGrammar {
    /// `cargo test`, and this program itself.
    #[default]
    CargoTest,
    /// `cargo nextest run`.
    NextestRun,
    /// `cargo nextest list`.
    NextestList,
}

/// The flags of the replaced tool that were given and are refused.
#[derive(Clone, Debug, Default)]
pub struct RefusedFlags {
    /// The first spelling of each in the table of the tool.
    given: Vec<String>,
}

/// The beginning of the id of an argument that is in the table of the replaced tool only.
pub(super) const PEER_ID: &str = "peer ";

impl CargoGrammar {
    /// Returns the table of the tool.
    pub fn peer(self) -> &'static PeerTool {
        match self {
            CargoGrammar::CargoTest => &CARGO_TEST,
            CargoGrammar::NextestRun => &NEXTEST_RUN,
            CargoGrammar::NextestList => &NEXTEST_LIST,
        }
    }
}

impl RefusedFlags {
    /// Returns the first one, as it is in the table of the tool, with what to use instead.
    pub(super) fn first(&self, tool: &PeerTool) -> Option<(&str, &'static str)> {
        self.given
            .iter()
            .find_map(|spelling| match tool.flag(spelling)?.support {
                PeerSupport::Refused(instead) => Some((spelling.as_str(), instead)),
                PeerSupport::Same | PeerSupport::Differs(_) | PeerSupport::NoEffect(_) => None,
            })
    }
}

impl FromArgMatches for RefusedFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<RefusedFlags, clap::Error> {
        let peers = matches.ids().map(clap::Id::as_str);
        let peers = peers.filter_map(|id| Some((id, id.strip_prefix(PEER_ID)?)));
        let given =
            peers.filter(|(id, _)| matches.value_source(id) == Some(ValueSource::CommandLine));
        Ok(RefusedFlags {
            given: given.map(|(_, spelling)| spelling.to_owned()).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = RefusedFlags::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for RefusedFlags {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
