//! The options about a run as a whole: its time limit, and what its tests get to know of it.

use std::time::Duration;

use clap::Args;
use maelstrom_spec::policy::time::parse_time;

/// The position in the help text, after the other options about a run.
const ORDER: usize = 1310;

/// The options about a run as a whole.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Running")]
pub struct WholeRunOptions {
    /// Cancel the run when it takes longer than this, with its build: seconds, or a duration such as
    /// 90s or 1h30m; 0 means no limit
    #[arg(
        long,
        visible_alias = "global-timeout",
        value_name = "DURATION",
        value_parser = parse_time,
        display_order = ORDER
    )]
    run_timeout: Option<Duration>,

    /// Tell each test the id of the run and its slot in environment variables; their values differ
    /// from run to run
    #[arg(long, display_order = ORDER + 1)]
    run_variables: bool,
}

impl WholeRunOptions {
    /// Returns the limit, if there is one.
    pub fn limit(self) -> Option<Duration> {
        self.run_timeout.filter(|limit| !limit.is_zero())
    }

    /// Returns whether variables tell tests the id of the run and their slot.
    pub fn tells_run(self) -> bool {
        self.run_variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    #[test]
    fn a_limit_is_a_time_and_zero_is_none() {
        let limit = |text: &str| {
            let words = ["program", "--run-timeout", text];
            let command = WholeRunOptions::augment_args(Command::new("program"));
            let matches = command.try_get_matches_from(words).ok()?;
            let options = WholeRunOptions::from_arg_matches(&matches).ok()?;
            Some(options.limit())
        };
        for (text, seconds) in [("90", 90), ("1h30m", 5400), ("5 m", 300), ("1d", 86_400)] {
            assert_eq!(
                limit(text),
                Some(Some(Duration::from_secs(seconds))),
                "{text}"
            );
        }
        assert_eq!(limit("0"), Some(None));
        assert_eq!(limit("soon"), None);
    }
}
