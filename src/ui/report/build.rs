//! Writes the output of the build: as it arrives, and once more when the dashboard closes.

use std::io::{self, Write};

use crate::log::{BUILD_LOG, LogLineEnd, LogStore, StreamFilter};
use crate::model::RunModel;
use crate::style::{OutputColor, TextRole};

use super::text::OutputSanitizer;

/// The width of the right-aligned verb that begins each of cargo's status lines.
const STATUS_COLUMNS: usize = 12;

/// Writes a piece of build output, sanitized.
pub fn write_build_output(out: &mut dyn Write, color: OutputColor, text: &[u8]) -> io::Result<()> {
    let mut cleaner = OutputSanitizer::new(color);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    if text.is_empty() {
        return Ok(());
    }
    for line in text.split(|byte| *byte == b'\n') {
        writeln!(out, "{}", cleaner.line(line))?;
    }
    write!(out, "{}", cleaner.end())
}

/// Writes the errors and warnings of a build whose output went to the dashboard. Leaves out cargo's
/// status lines.
pub fn write_build(
    out: &mut dyn Write,
    color: OutputColor,
    (model, logs): (&RunModel, &LogStore),
) -> io::Result<()> {
    let mut kept = Vec::new();
    logs.for_each_line(BUILD_LOG, StreamFilter::Both, 0..usize::MAX, |line| {
        if !is_progress(line.bytes) {
            kept.extend_from_slice(line.bytes);
            kept.extend((line.end == LogLineEnd::Newline).then_some(b'\n'));
        }
    });
    write_build_output(out, color, kept.trim_ascii_end())?;
    if model.build_failed() {
        writeln!(out, "{}", color.paint(TextRole::Bad, "the build failed"))?;
    }
    Ok(())
}

/// Returns whether a line is one of cargo's status lines, such as `   Compiling memchr v2.7.4`.
fn is_progress(line: &[u8]) -> bool {
    let mut cleaner = OutputSanitizer::new(OutputColor::Never);
    let line = cleaner.line(line);
    let Some((word, rest)) = line.split_at_checked(STATUS_COLUMNS) else {
        return false;
    };
    let verb = word.trim_start_matches(' ');
    rest.starts_with(' ')
        && verb.len() < STATUS_COLUMNS
        && verb.starts_with(|first: char| first.is_ascii_uppercase())
        && verb.chars().all(|letter| letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_from_diagnostics() {
        for progress in [
            "   Compiling memchr v2.7.4",
            "    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.02s",
            "\u{1b}[1m\u{1b}[92m    Blocking\u{1b}[0m waiting for file lock on build directory",
        ] {
            assert!(is_progress(progress.as_bytes()), "{progress}");
        }
        for diagnostic in [
            "",
            "error[E0425]: cannot find value `x` in this scope",
            "warning: unused variable: `y`",
            " --> src/lib.rs:3:5",
            "  |         ^ not found in this scope",
            "            Not a verb",
            "error: could not compile `x` (lib test) due to 1 previous error",
        ] {
            assert!(!is_progress(diagnostic.as_bytes()), "{diagnostic}");
        }
    }
}
