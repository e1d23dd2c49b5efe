//! Formats numbers, times and names to fit the available space.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Formats a number with thousands separators, such as `58,102`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats an elapsed time, such as `00:04:12`.
pub(super) fn clock(us: u64) -> String {
    let s = us / 1_000_000;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// Formats an estimated time, such as `02:58` or `1:02:58`. Rounds up to seconds.
pub(super) fn estimate(us: u64) -> String {
    let s = us.div_ceil(1_000_000);
    match s / 3600 {
        0 => format!("{:02}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

/// Formats the duration of something that has ended, such as `1.204s`, `12.30s` or `2m 03s`.
pub(super) fn duration(us: u64) -> String {
    match us {
        0..10_000_000 => format!("{}.{:03}s", us / 1_000_000, us / 1000 % 1000),
        10_000_000..60_000_000 => format!("{}.{:02}s", us / 1_000_000, us / 10_000 % 100),
        _ => coarse(us),
    }
}

/// Formats the duration of something that is going on, such as `41s`, `2m 03s` or `1h 02m`.
pub(super) fn coarse(us: u64) -> String {
    let s = us / 1_000_000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        _ => format!("{}h {:02}m", s / 3600, s / 60 % 60),
    }
}

/// Formats a size, such as `3.1G` or `298M`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    let unit = (0..UNITS.len() - 1)
        .find(|unit| bytes >> (10 * unit) < 1024)
        .unwrap_or(UNITS.len() - 1);
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    if unit == 0 || tenths >= 1_000 {
        format!("{}{}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// Returns the number of columns that a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// Shortens a text to at most `room` columns. Keeps the end, where names usually differ.
pub(super) fn keep_end(text: &str, room: usize, more: &str) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(columns(more));
    let mut start = text.len();
    for (index, c) in text.char_indices().rev() {
        match left.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => (left, start) = (rest, index),
            None => break,
        }
    }
    format!("{more}{}", &text[start..])
}

/// Shortens a text to at most `room` columns. Keeps the beginning.
pub(super) fn keep_start(text: &str, room: usize, more: &str) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(columns(more));
    let mut end = 0;
    for (index, c) in text.char_indices() {
        match left.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => (left, end) = (rest, index + c.len_utf8()),
            None => break,
        }
    }
    format!("{}{more}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(clock(252_000_000), "00:04:12");
        assert_eq!(estimate(178_000_000), "02:58");
        assert_eq!(duration(1_204_000), "1.204s");
        assert_eq!(duration(12_345_000), "12.34s");
        assert_eq!(duration(123_000_000), "2m 03s");
        assert_eq!(size(512), "512B");
        assert_eq!(size(3_328_599_655), "3.1G");
        assert_eq!(size(298 << 20), "298M");
        assert_eq!(size(u64::MAX), "16777215T");
    }

    #[test]
    fn long_texts_are_cut_at_the_end_that_matters_less() {
        assert_eq!(keep_end("net::tcp::half_close", 11, "…"), "…half_close");
        assert_eq!(keep_start("net::tcp::half_close", 9, "…"), "net::tcp…");
        assert_eq!(keep_end("\u{6f22}\u{5b57}", 3, "…"), "…\u{5b57}");
        assert_eq!(keep_end("abc", 0, "…"), "…");
    }
}
