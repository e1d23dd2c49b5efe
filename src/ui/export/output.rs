//! The output of an attempt or of the build as text for reports.

use crate::log::{LogKey, LogLineEnd, LogLineRef, LogStore, StreamFilter};
use crate::report::{OutputSanitizer, SHOWN_MAX, ShownLines, shown};
use crate::style::OutputColor;
use maelstrom_model::event::OutputStream;

/// The number of lines, and of bytes, of output that the text of a failure repeats.
const TAIL_LINES: usize = 60;
const TAIL_BYTES: usize = 16 << 10;

/// The streams that a text contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextStreams {
    /// Standard output, and both streams where the test writes them to one pipe.
    Out,
    Err,
}

impl TextStreams {
    fn contains(self, stream: OutputStream) -> bool {
        match self {
            TextStreams::Out => stream != OutputStream::Stderr,
            TextStreams::Err => stream == OutputStream::Stderr,
        }
    }
}

/// Returns the output of an attempt without escape sequences and control characters. Of more than
/// 1 MiB, only the beginning and the end, with a line that says how much is left out.
pub(super) fn cleaned(logs: &LogStore, key: LogKey, streams: TextStreams) -> String {
    let mut text = String::new();
    let mut cleaner = OutputSanitizer::new(OutputColor::Never);
    bounded(logs, key, &mut |piece| match piece {
        OutputPiece::Line(line) if streams.contains(line.stream) => {
            text.push_str(cleaner.line(line.bytes));
            end_line(&mut text, line.end);
        }
        OutputPiece::Line(_) => {}
        OutputPiece::Omission(notice) => text.push_str(&notice),
    });
    text
}

/// Returns the output of an attempt as it was written; invalid UTF-8 is U+FFFD. The limit is that of
/// [`cleaned`].
pub(super) fn raw(logs: &LogStore, key: LogKey) -> String {
    let mut bytes = Vec::new();
    bounded(logs, key, &mut |piece| match piece {
        OutputPiece::Line(line) => {
            bytes.extend_from_slice(line.bytes);
            bytes.extend((line.end == LogLineEnd::Newline).then_some(b'\n'));
        }
        OutputPiece::Omission(notice) => bytes.extend_from_slice(notice.as_bytes()),
    });
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the last lines of an attempt's output, cleaned.
pub(super) fn tail(logs: &LogStore, key: LogKey) -> String {
    let mut text = String::new();
    let mut cleaner = OutputSanitizer::new(OutputColor::Never);
    let total = logs.line_count(key, StreamFilter::Both);
    let range = total.saturating_sub(TAIL_LINES)..total;
    logs.for_each_line(key, StreamFilter::Both, range, |line| {
        text.push_str(cleaner.line(line.bytes));
        end_line(&mut text, line.end);
    });
    let mut begin = text.len().saturating_sub(TAIL_BYTES);
    while !text.is_char_boundary(begin) {
        begin += 1;
    }
    text.split_off(begin)
}

/// A part of a bounded output.
enum OutputPiece<'a> {
    Line(LogLineRef<'a>),
    Omission(String),
}

fn bounded(logs: &LogStore, key: LogKey, visit: &mut dyn FnMut(OutputPiece<'_>)) {
    let lines = |range, visit: &mut dyn FnMut(OutputPiece<'_>)| {
        logs.for_each_line(key, StreamFilter::Both, range, |line| {
            visit(OutputPiece::Line(line));
        });
    };
    match shown(logs, key) {
        ShownLines::All => lines(0..usize::MAX, visit),
        ShownLines::Ends { head, tail_from } => {
            lines(0..head, visit);
            let count = tail_from - head;
            let notice = format!(
                "\n[{count} lines left out here: a report has {SHOWN_MAX} of what a test wrote]\n"
            );
            visit(OutputPiece::Omission(notice));
            lines(tail_from..usize::MAX, visit);
        }
    }
}

fn end_line(text: &mut String, end: LogLineEnd) {
    match end {
        LogLineEnd::Newline => text.push('\n'),
        LogLineEnd::Open => {}
    }
}
