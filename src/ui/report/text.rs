//! Formats durations and outcomes for reports, and sanitizes untrusted text.

use std::borrow::Cow;
use std::fmt;

use crate::style::{OutputColor, TextRole};
use maelstrom_model::event::{AttemptFinished, ExitStatus, RetryNext, TestOutcome, untrusted_text};

/// Formats a duration in microseconds as seconds with milliseconds, such as `61.234s`.
pub(super) struct PreciseDuration(pub u64);

impl fmt::Display for PreciseDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0 / 1_000;
        formatter.pad(&format!("{}.{:03}s", ms / 1_000, ms % 1_000))
    }
}

/// Formats a duration in microseconds to the second, such as `59s`, `1m 01s` or `1h 02m`.
pub(super) struct HumanDuration(pub u64);

impl fmt::Display for HumanDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000;
        match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
            (0, 0, seconds) => write!(formatter, "{seconds}s"),
            (0, minutes, seconds) => write!(formatter, "{minutes}m {seconds:02}s"),
            (hours, minutes, _) => write!(formatter, "{hours}h {minutes:02}m"),
        }
    }
}

/// Returns the word that begins the line of an attempt, and its color.
pub(super) fn status(finished: &AttemptFinished) -> (TextRole, Cow<'static, str>) {
    let (role, word) = match finished.leaked.is_empty() {
        true => outcome_status(&finished.outcome),
        false => leaking_status(&finished.outcome),
    };
    let Some(retry) = finished.retry else {
        return (role, word.into());
    };
    let flaky = || format!("FLAKY {}/{}", retry.number, retry.attempts_max).into();
    match retry.next {
        RetryNext::Done if retry.number == 1 => (role, word.into()),
        RetryNext::Again => (
            TextRole::Attention,
            format!("TRY {} {word}", retry.number).into(),
        ),
        RetryNext::Done => (role, format!("TRY {} {word}", retry.number).into()),
        RetryNext::FlakyPassed => (TextRole::Attention, flaky()),
        RetryNext::FlakyFailed => (TextRole::Bad, flaky()),
    }
}

/// Returns the status of an attempt that left processes running.
fn leaking_status(outcome: &TestOutcome) -> (TextRole, &'static str) {
    match outcome {
        TestOutcome::Passed => (TextRole::Attention, "LEAK"),
        TestOutcome::Failed { .. }
        | TestOutcome::TimedOut { .. }
        | TestOutcome::Error { .. }
        | TestOutcome::Ignored { .. }
        | TestOutcome::Cancelled => outcome_status(outcome),
    }
}

fn outcome_status(outcome: &TestOutcome) -> (TextRole, &'static str) {
    match outcome {
        TestOutcome::Passed => (TextRole::Good, "PASS"),
        TestOutcome::Failed { .. } => (TextRole::Bad, "FAIL"),
        TestOutcome::TimedOut { .. } => (TextRole::Bad, "TIMEOUT"),
        TestOutcome::Error { .. } => (TextRole::Bad, "ERROR"),
        TestOutcome::Ignored { .. } => (TextRole::Attention, "IGNORED"),
        TestOutcome::Cancelled => (TextRole::Attention, "CANCELLED"),
    }
}

/// Returns which processes an attempt left running, if any.
pub(crate) fn leak(finished: &AttemptFinished) -> Option<String> {
    let leaked = &finished.leaked;
    (!leaked.is_empty()).then(|| format!("left running: {leaked}"))
}

/// Returns the details of an outcome beyond its status, such as an exit code or a reason.
pub(crate) fn detail(outcome: &TestOutcome) -> Option<String> {
    match outcome {
        TestOutcome::Passed | TestOutcome::Cancelled => None,
        TestOutcome::Ignored { reason } => reason.clone(),
        TestOutcome::Failed { exit, reason } => {
            let parts = [exit.map(ended), reason.clone()];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join(", "))
        }
        TestOutcome::TimedOut { limit_us } => Some(format!(
            "stopped after its limit of {}",
            PreciseDuration(*limit_us)
        )),
        TestOutcome::Error { message } => Some(message.clone()),
    }
}

fn ended(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal {
            number,
            core_dumped,
        } => {
            let name = nix::sys::signal::Signal::try_from(number)
                .map_or(String::new(), |signal| format!(" ({signal})"));
            let core = if core_dumped { ", core dumped" } else { "" };
            format!("signal {number}{name}{core}")
        }
    }
}

/// Formats a number with a noun in the singular or plural, such as `1 file` or `2 files`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}

/// Formats the list of changed files: their paths, and the number of further files.
pub(crate) fn changed(paths: &[String], more: u32) -> String {
    let names = printable(&paths.join(", "));
    match (paths.is_empty(), more) {
        (_, 0) => names,
        (true, more) => count(u64::from(more), "file", "files"),
        (false, more) => format!("{names} and {more} more"),
    }
}

/// Sanitizes one line of untrusted text, such as the name of a test, so that it can't move the
/// cursor.
pub(crate) fn printable(text: &str) -> String {
    untrusted_text::clean(text).into_owned()
}

/// Sanitizes the output of a test.
///
/// Drops escape sequences, except for colors where these are allowed, and control characters.
/// Replaces invisible characters and those that change the direction of text with U+FFFD.
pub(crate) struct OutputSanitizer {
    parser: vte::Parser,
    sink: SanitizerSink,
}

struct SanitizerSink {
    color: OutputColor,
    colored: bool,
    line: String,
}

impl OutputSanitizer {
    pub(crate) fn new(color: OutputColor) -> OutputSanitizer {
        OutputSanitizer {
            parser: vte::Parser::new(),
            sink: SanitizerSink {
                color,
                colored: false,
                line: String::new(),
            },
        }
    }

    /// Sanitizes one line, given without its newline. A carriage return inside the line, which
    /// would overwrite the preceding text, becomes a newline.
    pub(crate) fn line(&mut self, bytes: &[u8]) -> &str {
        self.sink.line.clear();
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        self.parser.advance(&mut self.sink, bytes);
        &self.sink.line
    }

    /// Returns the text to write after the last line, which resets the color if any line set one.
    pub(super) fn end(&self) -> &'static str {
        if self.sink.colored { "\u{1b}[0m" } else { "" }
    }
}

impl vte::Perform for SanitizerSink {
    fn print(&mut self, character: char) {
        self.line.push(match untrusted_text::is_hostile(character) {
            true => char::REPLACEMENT_CHARACTER,
            false => character,
        });
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => self.line.push('\t'),
            b'\n' | b'\r' => self.line.push('\n'),
            _ => {}
        }
    }

    fn csi_dispatch(
        &mut self,
        parameters: &vte::Params,
        intermediates: &[u8],
        ignored: bool,
        action: char,
    ) {
        let allowed = match self.color {
            OutputColor::Always => action == 'm' && intermediates.is_empty() && !ignored,
            OutputColor::Never => false,
        };
        if !allowed {
            return;
        }
        let parameters: Vec<String> = parameters
            .iter()
            .map(|parts| {
                let parts: Vec<String> = parts.iter().map(u16::to_string).collect();
                parts.join(":")
            })
            .collect();
        self.line.push_str("\u{1b}[");
        self.line.push_str(&parameters.join(";"));
        self.line.push('m');
        self.colored = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let seconds: Vec<String> = [0, 999, 1_000, 61_234_567]
            .map(|us| PreciseDuration(us).to_string())
            .into();
        assert_eq!(seconds, ["0.000s", "0.000s", "0.001s", "61.234s"]);
        assert_eq!(format!("{:>8}", PreciseDuration(12_000)), "  0.012s");
        let roughly: Vec<String> = [999_999, 59_000_000, 61_000_000, 3_725_000_000]
            .map(|us| HumanDuration(us).to_string())
            .into();
        assert_eq!(roughly, ["0s", "59s", "1m 01s", "1h 02m"]);
    }

    #[test]
    fn only_colors_survive_cleaning() {
        let line =
            b"\x1b[2J\x1b[1;38:5:9mred\x1b[0m\x1b]0;title\x07 \x08caf\xc3\xa9 \xff\x1b[5A\tend\r";
        assert_eq!(
            OutputSanitizer::new(OutputColor::Never).line(line),
            "red caf\u{e9} \u{fffd}\tend"
        );
        let mut cleaner = OutputSanitizer::new(OutputColor::Always);
        assert_eq!(
            cleaner.line(line),
            "\u{1b}[1;38:5:9mred\u{1b}[0m caf\u{e9} \u{fffd}\tend"
        );
        assert_eq!(cleaner.end(), "\u{1b}[0m");
        assert_eq!(cleaner.line(b"10%\r20%"), "10%\n20%");
    }

    #[test]
    fn details_name_signals() {
        let failed = |exit| TestOutcome::Failed {
            exit: Some(exit),
            reason: None,
        };
        let signal = failed(ExitStatus::Signal {
            number: 6,
            core_dumped: true,
        });
        assert_eq!(detail(&signal).unwrap(), "signal 6 (SIGABRT), core dumped");
        assert_eq!(
            detail(&failed(ExitStatus::Code(101))).unwrap(),
            "exit code 101"
        );
    }
}
