//! Parses `--timeout`.

use std::str::FromStr;

/// The value of `--timeout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoTimeout {
    /// A number of seconds, enforced by the engine; 0 means no timeout.
    Seconds(u32),
    /// A duration in Go's notation, enforced by the test binary itself.
    Go(String),
}

/// The error of a text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a number of seconds nor a duration such as `90s` or `1h30m`")]
pub struct TimeoutError;

impl FromStr for GoTimeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<GoTimeout, TimeoutError> {
        if let Ok(seconds) = text.parse() {
            return Ok(GoTimeout::Seconds(seconds));
        }
        match is_duration(text) {
            true => Ok(GoTimeout::Go(text.to_owned())),
            false => Err(TimeoutError),
        }
    }
}

/// Returns whether Go accepts a text as a duration (`time.ParseDuration`): numbers, each with a
/// unit.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = rest.strip_suffix(unit).unwrap_or_default();
        let units = ["ns", "us", "µs", "ms", "s", "m", "h"];
        let Some(after) = units.iter().find_map(|known| {
            let after = unit.strip_prefix(known)?;
            let ends = !after.starts_with(char::is_alphabetic);
            ends.then_some(after)
        }) else {
            return false;
        };
        if number.parse::<f64>().is_err() {
            return false;
        }
        rest = after;
    }
    !text.is_empty()
}
