//! Durations and times of day in reports.

/// Formats microseconds as seconds.
pub(super) fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// Formats microseconds as seconds with the digits that the schema allows for suites.
pub(super) fn milliseconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us / 1_000 % 1_000)
}

/// Formats milliseconds since 1970 as a time of day in UTC (RFC 3339).
pub(super) fn utc(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms / 1_000)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let date = at.date();
    let (hour, minute, second) = at.time().as_hms();
    let milliseconds = unix_ms % 1_000;
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fixed_digits() {
        assert_eq!(seconds(12_000_345), "12.000345");
        assert_eq!(milliseconds(12_000_345), "12.000");
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }
}
