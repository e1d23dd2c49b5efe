//! The lines of the stream, as values.

use std::time::Duration;

use serde::Serialize;

/// A line about a package or a test. The order of the fields is that of Go's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StreamRecord {
    /// In RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) time: String,
    pub(super) action: &'static str,
    pub(super) package: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) test: String,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) elapsed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed_build: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) value: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) path: String,
}

/// A line about the build of a unit. Go gives it no time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BuildRecord<'a> {
    pub(super) import_path: &'a str,
    pub(super) action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<&'a str>,
}

impl StreamRecord {
    /// Returns a record about a test; without a name, about its package.
    pub(super) fn new(action: &'static str, test: &str) -> StreamRecord {
        StreamRecord {
            action,
            test: test.to_owned(),
            ..StreamRecord::default()
        }
    }

    /// Returns a record of output.
    pub(super) fn output(test: &str, text: impl Into<String>) -> StreamRecord {
        StreamRecord {
            output: Some(text.into()),
            ..StreamRecord::new("output", test)
        }
    }

    /// Returns a record of an end.
    pub(super) fn end(action: &'static str, test: &str, elapsed: Duration) -> StreamRecord {
        StreamRecord {
            elapsed: Some(seconds(elapsed, 2)),
            ..StreamRecord::new(action, test)
        }
    }
}

/// Returns a duration in seconds, rounded to this number of decimal places: Go has two for tests and
/// three for packages.
pub(super) fn seconds(duration: Duration, places: i32) -> f64 {
    let unit = 10_f64.powi(places);
    (duration.as_secs_f64() * unit).round() / unit
}

/// Returns a time, in microseconds since 1970, in RFC 3339.
pub(super) fn rfc3339(unix_us: u64) -> String {
    let (seconds, micros) = (unix_us / 1_000_000, unix_us % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Returns the date of a number of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years begin in March, so that a leap day is the last day of a year; a cycle has 400 years.
    let days = days + 719_468;
    let (cycle, of_cycle) = (days / 146_097, days % 146_097);
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = cycle * 400 + year + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_of_the_calendar() {
        for (unix_us, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_827_696_789_012, "2000-02-29T12:34:56.789012Z"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc3339(unix_us), expected);
        }
    }
}
