//! Finds the message of a failed test in its output.
//!
//! The rules are those of the frameworks' own output: a Rust panic, pytest's `E` lines, the location
//! of the failure (as Go prints it), and what programs commonly print when they fail. If none
//! applies, the message is the end of the output.

use std::path::Path;

use crate::log::{LogKey, LogStore, StreamFilter};
use crate::style::OutputColor;
use maelstrom_model::event::SourceLocation;

use super::text::OutputSanitizer;

/// The maximum number of lines that are searched, from the end of the output.
const SEARCHED_LINES_MAX: usize = 5_000;
/// The number of bytes of a line that are searched.
const SEARCHED_BYTES_MAX: usize = 1_000;
/// The number of characters after which a line of the message is cut: two rows of most terminals.
const LINE_CHARACTERS_MAX: usize = 158;

/// What Rust prints after the message of a panic.
const AFTER_PANIC: [&str; 2] = ["note: run with `RUST_BACKTRACE", "stack backtrace:"];
/// What a line begins with that says why a program has failed.
const REASONS: [&str; 3] = ["panic: ", "Error: ", "fatal error: "];
/// What pytest's lines about an exception begin with.
const PYTEST_ERROR: &str = "E  ";

/// Returns at most `lines_max` lines of a failed test's output that say why it failed, sanitized and
/// without their common indentation.
pub(super) fn failure_message(
    logs: &LogStore,
    key: LogKey,
    location: Option<&SourceLocation>,
    lines_max: usize,
) -> Vec<String> {
    let total = logs.line_count(key, StreamFilter::Both);
    let from = total.saturating_sub(SEARCHED_LINES_MAX);
    let mut lines = Vec::new();
    let mut cleaner = OutputSanitizer::new(OutputColor::Never);
    logs.for_each_line(key, StreamFilter::Both, from..total, |line| {
        let bytes = line.bytes.get(..SEARCHED_BYTES_MAX).unwrap_or(line.bytes);
        let shown = cleaner.line(bytes);
        lines.extend(shown.split('\n').map(|part| part.trim_end().to_owned()));
    });
    let message = message(&lines, location, lines_max);
    let indentation = message.iter().filter(|line| !line.is_empty()).map(|line| {
        let text = line.trim_start();
        line.len() - text.len()
    });
    let indentation = indentation.min().unwrap_or(0);
    let shown = message.iter().map(|line| cut(line.get(indentation..)));
    shown.collect()
}

fn cut(line: Option<&str>) -> String {
    let line = line.unwrap_or_default();
    match line.char_indices().nth(LINE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// Returns the lines that say why a test failed.
fn message<'a>(
    lines: &'a [String],
    location: Option<&SourceLocation>,
    lines_max: usize,
) -> &'a [String] {
    let found = rust_panic(lines)
        .or_else(|| pytest_error(lines))
        .or_else(|| located(lines, location))
        .or_else(|| reason(lines));
    let message = found.unwrap_or_else(|| tail(lines, lines_max));
    message.get(..lines_max).unwrap_or(message)
}

fn rust_panic(lines: &[String]) -> Option<&[String]> {
    let panicked = |line: &String| line.starts_with("thread '") && line.contains(" panicked at ");
    let at = lines.iter().position(panicked)?;
    let ends =
        |line: &String| line.is_empty() || AFTER_PANIC.iter().any(|after| line.starts_with(after));
    let message = until(lines.get(at + 1..)?, ends);
    // Old versions of Rust print the message in the line itself.
    match message.is_empty() {
        true => lines.get(at..=at),
        false => Some(message),
    }
}

fn pytest_error(lines: &[String]) -> Option<&[String]> {
    let at = lines
        .iter()
        .position(|line| line.starts_with(PYTEST_ERROR))?;
    let rest = lines.get(at..)?;
    Some(until(rest, |line| !line.starts_with('E')))
}

fn located<'a>(lines: &'a [String], location: Option<&SourceLocation>) -> Option<&'a [String]> {
    let location = location?;
    let file = Path::new(&location.path).file_name()?.to_string_lossy();
    let place = format!("{file}:{}:", location.line);
    let at = lines.iter().position(|line| line.contains(&place))?;
    let is_marker = |line: &String| line.is_empty() || line.trim_start().starts_with("--- ");
    Some(until(lines.get(at..)?, is_marker))
}

fn reason(lines: &[String]) -> Option<&[String]> {
    let tells = |line: &String| {
        REASONS.iter().any(|reason| line.starts_with(reason)) || line.contains("Assertion `")
    };
    let at = lines.iter().position(tells)?;
    Some(until(lines.get(at..)?, |line| line.is_empty()))
}

fn tail(lines: &[String], lines_max: usize) -> &[String] {
    let end = lines.iter().rposition(|line| !line.is_empty());
    let end = end.map_or(0, |last| last + 1);
    lines.get(end.saturating_sub(lines_max)..end).unwrap_or(&[])
}

fn until(lines: &[String], ends: impl Fn(&String) -> bool) -> &[String] {
    let end = lines.iter().position(ends).unwrap_or(lines.len());
    lines.get(..end).unwrap_or(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::event::OutputStream;
    use maelstrom_model::ids::{Attempt, TestId};

    fn found(output: &str, place: Option<(&str, u32)>) -> Vec<String> {
        let mut logs = LogStore::new();
        let key = (TestId(0), Attempt(1));
        logs.append(key, OutputStream::Joined, output.as_bytes(), 0);
        let location = place.map(|(path, line)| SourceLocation {
            path: path.to_owned(),
            line,
            column: None,
        });
        failure_message(&logs, key, location.as_ref(), 4)
    }

    /// Output, the location of the failure, and the expected message.
    type ExcerptCase<'a> = (&'a str, Option<(&'a str, u32)>, &'a [&'a str]);

    #[test]
    fn the_message_is_found_in_the_output_of_each_framework() {
        let cases: [ExcerptCase<'_>; 9] = [
            (
                "setting up\n\nthread 'a' (12) panicked at src/lib.rs:3:5:\nassertion `left == right` \
                 failed: numbers differ\n  left: 1\n right: 2\nnote: run with `RUST_BACKTRACE=1` …\n",
                Some(("src/lib.rs", 3)),
                &[
                    "assertion `left == right` failed: numbers differ",
                    "  left: 1",
                    " right: 2",
                ],
            ),
            (
                "thread 'a' panicked at 'oh', src/lib.rs:3:5\nnote: run with `RUST_BACKTRACE=1` …\n",
                None,
                &["thread 'a' panicked at 'oh', src/lib.rs:3:5"],
            ),
            (
                "Error: ParseIntError { kind: InvalidDigit }\n",
                None,
                &["Error: ParseIntError { kind: InvalidDigit }"],
            ),
            (
                "    def test_x():\n>       assert f() == 2\nE       assert 1 == 2\nE        +  where 1 = \
                 f()\n\ntest_a.py:3: AssertionError\n",
                Some(("tests/test_a.py", 3)),
                &["E       assert 1 == 2", "E        +  where 1 = f()"],
            ),
            (
                "working\n    a_test.go:12: got 1\n        want 2\n--- FAIL: TestA (0.00s)\n",
                Some(("a_test.go", 12)),
                &["a_test.go:12: got 1", "    want 2"],
            ),
            (
                "panic: runtime error: index out of range\n\ngoroutine 1 [running]:\n",
                None,
                &["panic: runtime error: index out of range"],
            ),
            (
                "x: x.c:3: main: Assertion `1 == 2' failed.\n",
                None,
                &["x: x.c:3: main: Assertion `1 == 2' failed."],
            ),
            (
                "1\n2\n3\n4\n5\n\n",
                Some(("src/elsewhere.rs", 1)),
                &["2", "3", "4", "5"],
            ),
            ("", None, &[]),
        ];
        for (output, place, expected) in cases {
            assert_eq!(found(output, place), expected, "{output}");
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let output = format!("Error: {}\n2\n3\n4\n5\n6\n", "ö".repeat(400));
        let found = found(&output, None);
        assert_eq!(found.len(), 4);
        assert_eq!(found[0].chars().count(), LINE_CHARACTERS_MAX + 3);
    }
}
