//! Parses compiler errors from cargo's human-readable output.
//!
//! Cargo can print each diagnostic as JSON, but then it neither orders them nor counts them, nor
//! omits duplicates. So the text that the user sees is parsed here, too: an error's first line, and
//! the line after it with the location. Anything else is plain text.

use std::path::{Path, PathBuf};

use super::progress::without_colors;
use maelstrom_model::event::SourceLocation;
use maelstrom_model::framework::BrokenEntry;
use maelstrom_model::job::TestKey;

/// An error in a place of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Its first line: `error[E0308]: mismatched types`.
    pub message: String,
    pub location: SourceLocation,
}

/// Reads a build's output line by line.
#[derive(Debug, Default)]
pub struct DiagnosticParser {
    message: Option<String>,
    /// What was found so far, each once: a library and its tests have the same errors.
    found: Vec<CompileError>,
}

impl DiagnosticParser {
    /// Takes in a line of what cargo writes. `root` is where the compiler runs, and what is found
    /// is told from `shown_from`.
    pub fn line(&mut self, line: &[u8], root: &Path, shown_from: &Path) {
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
            // A message has as many lines as it wants before the one that says where.
            let is_over =
                text.is_empty() || text.starts_with("error") || text.starts_with("warning");
            match is_over {
                false => self.message = Some(message),
                // This line may begin the next error itself.
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

    /// What was found.
    pub fn errors(self) -> Vec<CompileError> {
        self.found
    }
}

/// The report's entry for a compile error.
pub fn broken(error: CompileError) -> BrokenEntry {
    let CompileError { message, location } = error;
    let SourceLocation { path, line, .. } = &location;
    BrokenEntry {
        key: TestKey {
            package: "".into(),
            artifact: format!("{path}:{line}").into(),
            name: message.clone(),
        },
        // Where there is little room, the end is shown.
        title: format!("{message} at {path}:{line}"),
        message: "it does not compile".to_owned(),
        stdout: Vec::new(),
        stderr: Vec::new(),
        location: Some(location),
    }
}

/// Reads `src/lib.rs:3:5`.
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
