//! Times as users write them: a number of seconds, or a text such as `1m 30s`.

use std::time::Duration;

/// What is expected in place of a text that is no time.
const EXPECTED: &str = "expected a number of seconds, or a time such as \"500ms\" or \"1m 30s\"";

/// The longest time that is accepted, which is far longer than any test.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Reads a text such as `500ms` or `1m 30s`. A number without a unit is an error.
pub fn parse_units(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time <= LONGEST => Ok(time),
        Ok(_) => Err("expected at most 100 years".to_owned()),
        Err(error) => Err(format!("`{text}` is no time: {error}")),
    }
}

/// Reads a number of seconds, which may have a fraction, or a text such as `1m 30s`.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    if !text.is_empty() && text.chars().all(is_number) {
        let seconds = text.parse().ok().map(Duration::try_from_secs_f64);
        return match seconds {
            Some(Ok(time)) if time <= LONGEST => Ok(time),
            Some(Ok(_) | Err(_)) | None => Err(EXPECTED.to_owned()),
        };
    }
    parse_units(text).map_err(|_| EXPECTED.to_owned())
}

/// Formats a time so that [`parse_units`] reads it back.
pub fn format_time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_seconds_or_texts_with_units() {
        for (text, milliseconds) in [
            ("0", Some(0)),
            ("90", Some(90_000)),
            ("0.5", Some(500)),
            ("500ms", Some(500)),
            ("1m 30s", Some(90_000)),
            ("1m30s", Some(90_000)),
            ("2h", Some(7_200_000)),
            ("1min", Some(60_000)),
            ("", None),
            ("-1", None),
            ("1.2.3", None),
            ("soon", None),
            ("1 fortnight", None),
            ("200y", None),
            ("99999999999999999999", None),
        ] {
            let read = parse_time(text).ok();
            assert_eq!(read, milliseconds.map(Duration::from_millis), "{text}");
        }
        assert!(parse_units("90").is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(seconds in 0..LONGEST.as_secs(), nanos in 0..1_000_000_000u32) {
            let time = Duration::new(seconds, nanos);
            prop_assert_eq!(parse_units(&format_time(time)), Ok(time));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-z. ]{0,12}|\\PC{0,8}") {
            let _ = parse_time(&text);
        }
    }
}
