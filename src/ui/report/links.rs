//! Links from the locations of failures to the files, for terminals (OSC 8).

use std::fmt::Write as _;
use std::path::Path;

use crate::model::RunModel;
use crate::terminal_features::{TerminalFeature, TerminalFeatureSet};
use maelstrom_model::event::{AttemptFinished, SourceLocation};

use super::text::printable;

/// Whether locations are links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileLinks {
    Off,
    On,
}

impl FileLinks {
    /// Returns whether locations are links in a terminal with these features.
    pub(super) fn of(features: TerminalFeatureSet) -> FileLinks {
        match features.has(TerminalFeature::Links) {
            true => FileLinks::On,
            false => FileLinks::Off,
        }
    }

    /// Returns the location of a failure for display, such as `src/tcp.rs:412:9`, if it is known.
    pub(super) fn location(self, model: &RunModel, finished: &AttemptFinished) -> Option<String> {
        let place = finished.location.as_ref()?;
        let column = place.column;
        let column = column.map_or(String::new(), |column| format!(":{column}"));
        let text = format!("{}:{}{column}", printable(&place.path), place.line);
        let directory = model.run.as_ref().map(|run| run.directory.as_str());
        match (self, directory) {
            (FileLinks::On, Some(directory)) => {
                let url = url(Path::new(directory), place);
                Some(format!("\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\"))
            }
            (FileLinks::On, None) | (FileLinks::Off, _) => Some(text),
        }
    }
}

/// Returns the address of a location. The fragment is the line, which some terminals pass on.
fn url(directory: &Path, place: &SourceLocation) -> String {
    let path = directory.join(&place.path);
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => url.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            // Writing to a string cannot fail.
            byte => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    let _ = write!(url, "#{}", place.line);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_character_with_a_meaning_of_its_own() {
        for (path, expected) in [
            ("src/a b.rs", "file:///w/src/a%20b.rs#7"),
            ("/abs/ü;\x1b\\.rs", "file:///abs/%C3%BC%3B%1B%5C.rs#7"),
        ] {
            let place = SourceLocation {
                path: path.to_owned(),
                line: 7,
                column: None,
            };
            assert_eq!(url(Path::new("/w"), &place), expected);
        }
    }
}
