//! Limits how much of a test's output a report shows.
//!
//! A test with endless output would bury the report of all others, and fill the disk on which
//! reports are kept. Of output longer than [`SHOWN_BYTES_MAX`] the beginning and the end are shown.

use crate::log::{LogKey, LogStore, StreamFilter};

/// What a report shows of what one attempt wrote: far more than anybody reads.
pub const SHOWN_BYTES_MAX: usize = 1 << 20;

/// The same as a person says it.
pub(super) const SHOWN_MAX: &str = "1 MiB";

/// Of the beginning, and of the end.
const HALF_BYTES: usize = SHOWN_BYTES_MAX / 2;

/// Lines that are looked at together.
const WINDOW_LINES: usize = 256;

/// Which lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShownLines {
    All,
    /// So many from the beginning, and those from this one on.
    Ends {
        head: usize,
        tail_from: usize,
    },
}

/// Which lines of a log are shown. Looks at no more of it than that.
pub(super) fn shown(logs: &LogStore, key: LogKey) -> ShownLines {
    let total = logs.line_count(key, StreamFilter::Both);
    let (mut bytes, mut head, mut next) = (0, 0, 0);
    while next < total && bytes <= SHOWN_BYTES_MAX {
        let end = total.min(next + WINDOW_LINES);
        logs.for_each_line(key, StreamFilter::Both, next..end, |line| {
            // With its newline: a million empty lines are not nothing.
            bytes += line.bytes.len() + 1;
            if bytes <= HALF_BYTES {
                head += 1;
            }
        });
        next = end;
    }
    if bytes <= SHOWN_BYTES_MAX {
        return ShownLines::All;
    }
    let (mut bytes, mut tail_from) = (0, total);
    while tail_from > head {
        let begin = head.max(tail_from.saturating_sub(WINDOW_LINES));
        let mut lengths = Vec::with_capacity(WINDOW_LINES);
        logs.for_each_line(key, StreamFilter::Both, begin..tail_from, |line| {
            lengths.push(line.bytes.len() + 1);
        });
        for length in lengths.into_iter().rev() {
            bytes += length;
            if bytes > HALF_BYTES {
                return ShownLines::Ends { head, tail_from };
            }
            tail_from -= 1;
        }
        if tail_from > begin {
            // The rest of the window is not there any more.
            tail_from = begin;
        }
    }
    ShownLines::All
}
