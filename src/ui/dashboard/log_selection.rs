//! Selects the log that the screen shows, and its initial scroll position.

use crate::log::{BUILD_LOG, LogKey};
use maelstrom_model::ids::Attempt;

use super::app::{App, ScreenKind};

/// Whether a line of a failure's output says what went wrong, if it failed at this place. pytest
/// marks such lines with an E and names the place after them; everywhere else the message names it.
fn is_failure_message(line: &[u8], place: &str) -> bool {
    let names = |place: &str| memchr::memmem::find(line, place.as_bytes()).is_some();
    let is_python = place
        .rsplit_once(':')
        .is_some_and(|(file, _)| file.ends_with(".py"));
    names(place) || (is_python && line.starts_with(b"E   "))
}

impl App {
    /// The log that the screen shows.
    pub(super) fn log_key(&self) -> Option<LogKey> {
        let Some(test) = self.current_test() else {
            return match self.screen {
                ScreenKind::Overview => Some(BUILD_LOG),
                ScreenKind::Tests
                | ScreenKind::Detail
                | ScreenKind::Workers
                | ScreenKind::Cluster => None,
            };
        };
        let tests = &self.model().tests;
        // The compiler's own words.
        if tests.is_place(test) {
            return Some(BUILD_LOG);
        }
        let chosen = self
            .detail_attempt
            .filter(|_| self.screen == ScreenKind::Detail);
        let attempt = chosen.or_else(|| tests.latest(test).map(|latest| latest.attempt));
        Some((test, attempt.unwrap_or(Attempt(1))))
    }

    /// Shows the log of what is selected: from its end, or where it says what went wrong.
    pub(super) fn open_log(&mut self) {
        let (key, of) = (self.log_key(), self.current_test());
        if (self.log.key(), self.log_of) != (key, of) {
            self.log.show(key);
            self.log_of = of;
        }
        // Known at the test's end, when its log may have been in view for a while.
        if self.log.is_opening()
            && let Some(place) = self.location_as_printed()
        {
            let size = self.log_size();
            let says = |line: &[u8]| is_failure_message(line, &place);
            self.log.reveal(&self.logs, size, says);
        }
    }

    /// What the current test's output has in the line that tells where it failed. The output names
    /// the file from another directory than we do, so its last component must do.
    fn location_as_printed(&self) -> Option<String> {
        let location = self.source_location()?;
        let file = std::path::Path::new(&location.path).file_name()?;
        Some(format!("{}:{}", file.to_string_lossy(), location.line))
    }
}
