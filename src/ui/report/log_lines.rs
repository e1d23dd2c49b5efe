//! Writes the captured output of an attempt: all of it, its beginning and its end, or as much as an
//! ending repeats.

use std::io::{self, Write};

use crate::log::{LogKey, LogLineEnd, LogStore, StreamFilter};
use crate::style::{OutputColor, TextRole};
use maelstrom_model::event::OutputStream;

use super::extent::{SHOWN_MAX, ShownLines, shown};
use super::text::{OutputSanitizer, count};

/// The number of lines repeated from the beginning of a failed test's output.
const HEAD_LINES: usize = 30;
/// The number of lines repeated from the end of a failed test's output, which usually has the
/// reason.
const TAIL_LINES: usize = 120;
/// The number of bytes after which a line of repeated output is cut.
const REPEATED_LINE_BYTES_MAX: usize = 2_000;

/// Writes the output of an attempt, or its beginning and end if it exceeds the limit of [`shown`].
pub(super) fn write_log(
    out: &mut dyn Write,
    color: OutputColor,
    logs: &LogStore,
    key: LogKey,
) -> io::Result<()> {
    let mut cleaner = OutputSanitizer::new(color);
    let mut lines = |out: &mut dyn Write, range| {
        write_lines(out, &mut cleaner, (logs, key), range, usize::MAX)?;
        write!(out, "{}", cleaner.end())
    };
    match shown(logs, key) {
        ShownLines::All => lines(out, 0..usize::MAX),
        ShownLines::Ends { head, tail_from } => {
            lines(out, 0..head)?;
            let left_out = count((tail_from - head) as u64, "line", "lines");
            let text = format!(
                "[{left_out} left out here: a report shows {SHOWN_MAX} of what a test wrote; \
                 `--record FILE` keeps all of it]"
            );
            writeln!(out, "    {}", color.paint(TextRole::Faint, text))?;
            lines(out, tail_from..usize::MAX)
        }
    }
}

/// Writes the first `HEAD_LINES` and the last `TAIL_LINES` lines of the output of an attempt.
pub(super) fn write_log_bounded(
    out: &mut dyn Write,
    color: OutputColor,
    logs: &LogStore,
    key: LogKey,
) -> io::Result<()> {
    let total = logs.line_count(key, StreamFilter::Both);
    let mut cleaner = OutputSanitizer::new(color);
    let mut lines = |out: &mut dyn Write, range| {
        write_lines(
            out,
            &mut cleaner,
            (logs, key),
            range,
            REPEATED_LINE_BYTES_MAX,
        )?;
        write!(out, "{}", cleaner.end())
    };
    if total <= HEAD_LINES + TAIL_LINES {
        return lines(out, 0..total);
    }
    lines(out, 0..HEAD_LINES)?;
    let left_out = total - HEAD_LINES - TAIL_LINES;
    let text = format!(
        "[{} left out here]",
        count(left_out as u64, "line", "lines")
    );
    writeln!(out, "    {}", color.paint(TextRole::Faint, text))?;
    lines(out, total - TAIL_LINES..total)
}

fn write_lines(
    out: &mut dyn Write,
    cleaner: &mut OutputSanitizer,
    (logs, key): (&LogStore, LogKey),
    range: std::ops::Range<usize>,
    bytes_max: usize,
) -> io::Result<()> {
    let mut result = Ok(());
    let mut unfinished: Option<UnfinishedLine> = None;
    logs.for_each_line(key, StreamFilter::Both, range, |line| {
        if result.is_err() {
            return;
        }
        // The log stores a long line in several pieces.
        let before = unfinished.take();
        let goes_on = before.filter(|before| before.stream == line.stream);
        if before.is_some() && goes_on.is_none() {
            result = writeln!(out);
        }
        let written = goes_on.map_or(0, |before| before.bytes);
        let room = bytes_max.saturating_sub(written);
        let kept = line.bytes.get(..room).unwrap_or(line.bytes);
        let was_cut = written > bytes_max;
        let is_cut = kept.len() < line.bytes.len();
        let shown = cleaner.line(kept);
        let parts = shown.split('\n').enumerate();
        let shown: Vec<String> = parts
            .map(|(number, part)| match (number, goes_on) {
                (0, Some(_)) => part.to_owned(),
                _ => format!("    {part}"),
            })
            .collect();
        let cut = if is_cut && !was_cut { " [cut]" } else { "" };
        let end = match line.end {
            LogLineEnd::Newline => "\n",
            LogLineEnd::Open => "",
        };
        if result.is_ok() {
            result = write!(out, "{}{cut}{end}", shown.join("\n"));
        }
        unfinished = (line.end == LogLineEnd::Open).then_some(UnfinishedLine {
            stream: line.stream,
            bytes: written + line.bytes.len(),
        });
    });
    match unfinished {
        Some(_) => result.and_then(|()| writeln!(out)),
        None => result,
    }
}

/// The state of a line whose newline was not written yet.
#[derive(Clone, Copy)]
struct UnfinishedLine {
    stream: OutputStream,
    /// The number of bytes of this line so far.
    bytes: usize,
}
