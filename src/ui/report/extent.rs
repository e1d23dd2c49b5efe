//! Limits how much of a test's output a report shows.
//!
//! A test with endless output would bury the results of all other tests and fill the disk that
//! stores the report. If a test writes more than [`SHOWN_BYTES_MAX`], a report shows only the
//! beginning and the end of its output.

use crate::log::{LogKey, LogStore, StreamFilter};

/// The maximum number of bytes that a report shows of one attempt's output.
pub(super) const SHOWN_BYTES_MAX: usize = 1 << 20;

/// [`SHOWN_BYTES_MAX`] as text for messages.
pub(crate) const SHOWN_MAX: &str = "1 MiB";

/// The number of bytes shown of the beginning, and of the end, of output that is too long.
const HALF_BYTES: usize = SHOWN_BYTES_MAX / 2;

/// The number of lines read from the log at a time.
const WINDOW_LINES: usize = 256;

/// The lines of a log that a report shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShownLines {
    All,
    /// The first `head` lines, and the lines from index `tail_from` to the end.
    Ends {
        head: usize,
        tail_from: usize,
    },
}

/// Returns which lines of a log to show. Reads at most about [`SHOWN_BYTES_MAX`] from the beginning
/// and half of that from the end.
pub(crate) fn shown(logs: &LogStore, key: LogKey) -> ShownLines {
    let total = logs.line_count(key, StreamFilter::Both);
    let (mut bytes, mut head, mut next) = (0, 0, 0);
    while next < total && bytes <= SHOWN_BYTES_MAX {
        let end = total.min(next + WINDOW_LINES);
        logs.for_each_line(key, StreamFilter::Both, next..end, |line| {
            // The newline counts too; otherwise a million empty lines would have no size.
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
            // The remaining lines of the window are no longer in the log.
            tail_from = begin;
        }
    }
    ShownLines::All
}
