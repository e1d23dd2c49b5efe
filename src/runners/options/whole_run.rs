//! The options about a run as a whole: its time limit, and what its tests get to know of it.

use std::time::Duration;

use clap::Args;

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
        value_parser = duration,
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

/// Parses seconds, or numbers with units, the largest unit first or not.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => Some(seconds),
        Err(_) => with_units(text),
    };
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| {
            "a number of seconds or a duration such as 90s, 10m or 1h30m is expected".to_owned()
        })
}

/// Returns the sum in seconds of numbers that each have a unit.
fn with_units(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(unit);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    (!text.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_seconds_or_has_units() {
        for (text, millis) in [
            ("90", 90_000),
            ("1.5", 1500),
            ("0", 0),
            ("500ms", 500),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "m", "1d", "-1", "1h30", "nan", "inf", "1e300h", "5 m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
