//! Parses `--timeout`.

use std::str::FromStr;

/// How long a test may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoTimeout {
    /// So many seconds, kept from outside; 0 means for ever.
    Seconds(u32),
    /// A duration as Go writes it, kept by the test binary itself.
    Go(String),
}

/// A text that is no duration.
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

/// Whether Go takes a text for a duration (`time.ParseDuration`): numbers, each with its unit.
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
