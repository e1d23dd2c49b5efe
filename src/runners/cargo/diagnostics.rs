//! Parses compiler errors from cargo's human-readable output.
//!
//! Cargo can print each diagnostic as JSON, but then it doesn't order or count diagnostics or omit
//! duplicates. So this parser reads the text that the user sees: an error's first line, and the
//! following line with the location. It ignores all other text.

use std::path::{Path, PathBuf};

use super::progress::without_colors;
use maelstrom_model::event::SourceLocation;
use maelstrom_model::framework::BrokenEntry;
use maelstrom_model::job::TestKey;

/// A compiler error with a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CompileError {
    /// The error's first line: `error[E0308]: mismatched types`.
    pub message: String,
    pub location: SourceLocation,
}

/// Parses a build's output line by line.
#[derive(Debug, Default)]
pub(super) struct DiagnosticParser {
    message: Option<String>,
    /// The errors found so far, without duplicates: a library and its tests have the same errors.
    found: Vec<CompileError>,
}

impl DiagnosticParser {
    /// Parses the next line of cargo's output. `root` is the directory where the compiler runs.
    /// Locations below `shown_from` become relative to it.
    pub(super) fn line(&mut self, line: &[u8], root: &Path, shown_from: &Path) {
        let Ok(text) = std::str::from_utf8(line) else {
            return;
        };
        let text = without_colors(text);
        let text = text.trim_end();
        let Some(message) = self.message.take() else {
            if text.starts_with("error: ") || text.starts_with("error[") {
                self.message = Some(text.to_owned());
            }
            return;
        };
        let place = text.trim_start().strip_prefix("--> ").and_then(place);
        let Some((path, line, column)) = place else {
            // A message may have any number of lines before the line with the location.
            let is_over =
                text.is_empty() || text.starts_with("error") || text.starts_with("warning");
            match is_over {
                false => self.message = Some(message),
                // This line may be the start of the next error.
                true => self.line(text.as_bytes(), root, shown_from),
            }
            return;
        };
        let path = root.join(path);
        let shown = path.strip_prefix(shown_from).map(Path::to_owned);
        let path: PathBuf = shown.unwrap_or(path);
        let error = CompileError {
            message,
            location: SourceLocation {
                path: path.to_string_lossy().into_owned(),
                line,
                column: Some(column),
            },
        };
        if !self.found.contains(&error) {
            self.found.push(error);
        }
    }

    /// Returns the errors found.
    pub(super) fn errors(self) -> Vec<CompileError> {
        self.found
    }
}

/// The report's entry for a compile error.
pub(super) fn broken(error: CompileError) -> BrokenEntry {
    let CompileError { message, location } = error;
    let SourceLocation { path, line, .. } = &location;
    BrokenEntry {
        key: TestKey {
            package: "".into(),
            artifact: format!("{path}:{line}").into(),
            name: message.clone(),
        },
        // A title that is too long is truncated at the start, so the location comes last.
        title: format!("{message} at {path}:{line}"),
        message: "it does not compile".to_owned(),
        stdout: Vec::new(),
        stderr: Vec::new(),
        location: Some(location),
    }
}

/// Parses `src/lib.rs:3:5`.
fn place(text: &str) -> Option<(&str, u32, u32)> {
    let (rest, column) = text.rsplit_once(':')?;
    let (path, line) = rest.rsplit_once(':')?;
    Some((path, line.parse().ok()?, column.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_with_their_places_each_once() {
        let mut diagnostics = DiagnosticParser::default();
        let text = "   Compiling x v0.1.0\n\
            \x1b[1m\x1b[91merror[E0308]\x1b[0m\x1b[1m: mismatched types\x1b[0m\n \
            \x1b[94m--> \x1b[0msrc/lib.rs:1:21\n  |\n\
            warning: unused variable: `x`\n --> src/lib.rs:9:9\n\
            error: expected one of `!` or `::`, found `:`\nand more of that\n  --> /elsewhere/m.rs:2:3\n\
            error: linking with `cc` failed: exit status: 1\n\nnote: --> a:1:1\n\
            error: aborted\nerror[E0425]: cannot find `h`\n --> member/src/a:b.rs:7:1\n\
            error[E0308]: mismatched types\n --> src/lib.rs:1:21\n\
            error: could not compile `x` (lib) due to 2 previous errors\n";
        for line in text.lines() {
            diagnostics.line(line.as_bytes(), Path::new("/w"), Path::new("/w/member"));
        }
        let errors = diagnostics.errors();
        let shown: Vec<String> = errors
            .iter()
            .map(|error| {
                let place = &error.location;
                format!(
                    "{}:{}:{:?} {}",
                    place.path, place.line, place.column, error.message
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        /w/src/lib.rs:1:Some(21) error[E0308]: mismatched types
        /elsewhere/m.rs:2:Some(3) error: expected one of `!` or `::`, found `:`
        src/a:b.rs:7:Some(1) error[E0425]: cannot find `h`
        ");
    }
}
