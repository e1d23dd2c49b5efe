//! Logging: which events become lines, and the format of a line.
//!
//! - [`options`]: the format of a line, as an option.
//! - [`sink`]: keeps lines separate, whatever they contain.
//!
//! An event below the configured level costs one integer comparison: nothing is formatted, and no
//! subscriber is called.

mod options;
mod sink;

use std::time::Instant;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};

pub(super) use self::options::{LogFormat, LogOptions};
use self::sink::CleanLines;
use maelstrom_engine::log::ProgramLog;
use maelstrom_spec::config::LogLevel;

/// Starts this process's log.
pub(super) fn start(level: LogLevel, format: LogFormat) -> ProgramLog {
    let log = ProgramLog::waiting();
    let writer = log.writer();
    // A process has at most one global subscriber; if one is already set, it stays.
    drop(tracing::subscriber::set_global_default(subscriber(
        level,
        format,
        move || writer.clone(),
    )));
    log
}

/// Returns the subscriber: the program's own events from `level` on, and at most warnings of
/// libraries.
fn subscriber(
    level: LogLevel,
    format: LogFormat,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> impl Subscriber {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let chosen = Targets::new()
        .with_target(env!("CARGO_PKG_NAME"), own)
        // With `LogLevel::Error`, warnings of libraries are left out as well.
        .with_default(own.min(LevelFilter::WARN));
    let lines = fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(CleanLines::new(writer, format));
    let lines = match format {
        LogFormat::Text => lines.with_timer(SinceStart(Instant::now())).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    tracing_subscriber::registry().with(chosen).with(lines)
}

/// A timestamp: the seconds since the log began, with milliseconds.
struct SinceStart(Instant);

impl FormatTime for SinceStart {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{:8.3}s", self.0.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;
    use maelstrom_model::event::untrusted_text::is_hostile;
    use maelstrom_model::testing::hostile_text;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of an event of each level, of ours and of a library.
    fn logged(level: LogLevel) -> Vec<String> {
        let without_time = |line: &str| line.split_once("s ").unwrap().1.trim().to_owned();
        let text = written(level, LogFormat::Text);
        text.lines().map(without_time).collect()
    }

    fn written(level: LogLevel, format: LogFormat) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(level, format, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(number = 1, "our error");
            tracing::warn!("our warning\u{1b}[31m");
            tracing::info!("our info");
            tracing::debug!("our debug");
            tracing::error!(target: "library", "its error");
            tracing::warn!(target: "library", "its warning");
            tracing::info!(target: "library", "its info");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    /// What is logged of an event with this text everywhere.
    fn of_text(text: &str, format: LogFormat) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(LogLevel::Info, format, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(name = text, shown = %text, debug = ?text, "it says {text}");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn no_text_begins_a_line_of_its_own() {
        let forged = "x\n   0.001s ERROR forged\u{202e}";
        let text = of_text(forged, LogFormat::Text);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("it says x\\n   0.001s ERROR forged\\u{202e}"),
            "{text}"
        );
        let json = of_text(forged, LogFormat::Json);
        assert_eq!(json.lines().count(), 1, "{json}");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["name"], forged);
    }

    proptest! {
        #[test]
        fn an_event_is_one_clean_line(text in hostile_text()) {
            for format in [LogFormat::Text, LogFormat::Json] {
                let logged = of_text(&text, format);
                let line = logged.strip_suffix('\n').unwrap();
                prop_assert!(!line.chars().any(is_hostile), "{}", line.escape_debug());
                if format == LogFormat::Json {
                    let read: serde_json::Value = serde_json::from_str(line).unwrap();
                    prop_assert_eq!(read["name"].as_str(), Some(text.as_str()));
                }
            }
        }
    }

    #[test]
    fn for_other_programs_a_line_is_an_object() {
        let text = written(LogLevel::Info, LogFormat::Json);
        let mut lines = text.lines();
        let first: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let time = first["timestamp"].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        assert_eq!(first["level"], "ERROR");
        assert_eq!(first["message"], "our error");
        assert_eq!(first["number"], 1);
        assert_eq!(lines.count(), 4);
    }

    #[test]
    fn a_level_includes_those_above_it() {
        let all = [
            "ERROR our error number=1",
            "WARN our warning\\x1b[31m",
            "INFO our info",
            "DEBUG our debug",
            "ERROR its error",
            "WARN its warning",
        ];
        let without = |gone: &[&'static str]| {
            let kept = all.iter().filter(|line| !gone.contains(line));
            kept.copied().collect::<Vec<_>>()
        };
        assert_eq!(logged(LogLevel::Debug), all);
        assert_eq!(logged(LogLevel::Info), without(&[all[3]]));
        assert_eq!(logged(LogLevel::Warning), without(&all[2..4]));
        let errors = without(&[all[1], all[2], all[3], all[5]]);
        assert_eq!(logged(LogLevel::Error), errors);
    }

    /// Events below the level are discarded before the subscriber is called: it reports the level.
    #[test]
    fn what_is_not_logged_is_off_everywhere() {
        for (level, hint) in [
            (LogLevel::Error, LevelFilter::ERROR),
            (LogLevel::Warning, LevelFilter::WARN),
            (LogLevel::Info, LevelFilter::INFO),
            (LogLevel::Debug, LevelFilter::DEBUG),
        ] {
            for format in [LogFormat::Text, LogFormat::Json] {
                let subscriber = subscriber(level, format, io::sink);
                assert_eq!(subscriber.max_level_hint(), Some(hint));
            }
        }
    }
}
