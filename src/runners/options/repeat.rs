//! The options about repetitions, and what they amount to.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use maelstrom_engine::run::message::{RepeatCount, RepeatPlan, RetryPlacement};
use maelstrom_spec::policy::time::parse_time;

/// How often tests run, and where retries run.
#[derive(Clone, Debug, Args)]
pub struct RepeatOptions {
    /// Run every test this many times, or until you stop the run: `inf`
    #[arg(
        short,
        long,
        visible_alias = "loop",
        value_name = "N",
        default_value = "1",
        display_order = super::help_order::REPEAT
    )]
    pub repeat: RepeatOption,

    /// Repeat the tests for this time, such as 90s or 10m; no further repetition starts after it
    #[arg(
        long,
        value_name = "TIME",
        value_parser = parse_time,
        display_order = super::help_order::REPEAT
    )]
    pub repeat_for: Option<Duration>,

    /// Repeat the tests until one fails
    #[arg(long, display_order = super::help_order::REPEAT)]
    pub until_fail: bool,

    /// Run each retry while no other test runs on the same machine
    #[arg(long, display_order = super::help_order::REPEAT)]
    pub retry_alone: bool,
}

/// How often each test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatOption {
    Times(NonZeroU32),
    /// Until the user stops the run.
    Endless,
}

/// The error of a text that is no number of repetitions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number from 1 or `inf` is expected")]
pub struct RepeatError;

impl FromStr for RepeatOption {
    type Err = RepeatError;

    fn from_str(text: &str) -> Result<RepeatOption, RepeatError> {
        match text {
            "inf" | "infinite" => Ok(RepeatOption::Endless),
            number => {
                let times = number.parse().map_err(|_| RepeatError)?;
                Ok(RepeatOption::Times(times))
            }
        }
    }
}

impl RepeatOptions {
    /// Returns how often each test runs in a round.
    pub(crate) fn plan(&self) -> RepeatPlan {
        let goes_on = self.until_fail || self.repeat_for.is_some();
        let copies = match self.repeat {
            // The default, or what would make the other option meaningless.
            RepeatOption::Times(times) if goes_on && times == NonZeroU32::MIN => {
                RepeatCount::Endless
            }
            RepeatOption::Times(times) => RepeatCount::Times(times),
            RepeatOption::Endless => RepeatCount::Endless,
        };
        RepeatPlan {
            copies,
            time: self.repeat_for,
            ..RepeatPlan::ONCE
        }
    }

    /// Returns the number of failures after which the run stops, where `stop_after` is that which
    /// the user gives.
    pub(crate) fn stop_after(&self, stop_after: Option<NonZeroU32>) -> Option<NonZeroU32> {
        stop_after.or(self.until_fail.then_some(NonZeroU32::MIN))
    }

    /// Returns where retries run.
    pub(crate) fn retry_placement(&self) -> RetryPlacement {
        match self.retry_alone {
            true => RetryPlacement::Alone,
            false => RetryPlacement::Anywhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// A command line of these options alone.
    #[derive(Debug, Parser)]
    struct RepeatCommandLine {
        #[command(flatten)]
        options: RepeatOptions,
    }

    fn parsed(line: &str) -> Result<RepeatOptions, String> {
        RepeatCommandLine::try_parse_from(line.split(' '))
            .map(|line| line.options)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn repetitions_have_a_number_a_time_or_an_end() {
        let times = |number| RepeatCount::Times(NonZeroU32::new(number).unwrap());
        let minutes = |number: u64| Some(Duration::from_secs(60 * number));
        for (line, copies, time, stop_after) in [
            ("x", times(1), None, None),
            ("x --repeat 3", times(3), None, None),
            ("x --loop=inf", RepeatCount::Endless, None, None),
            (
                "x --repeat-for 10m",
                RepeatCount::Endless,
                minutes(10),
                None,
            ),
            ("x --repeat-for 60 -r 9", times(9), minutes(1), None),
            ("x --until-fail", RepeatCount::Endless, None, Some(1)),
            ("x --until-fail -r 5", times(5), None, Some(1)),
        ] {
            let options = parsed(line).unwrap();
            let plan = options.plan();
            assert_eq!((plan.copies, plan.time), (copies, time), "{line}");
            let stop_after = stop_after.and_then(NonZeroU32::new);
            assert_eq!(options.stop_after(None), stop_after, "{line}");
            assert_eq!(options.stop_after(NonZeroU32::new(7)), NonZeroU32::new(7));
        }
        for wrong in ["x --repeat 0", "x --repeat many", "x --repeat-for soon"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
