//! Finds the source location of a failure in a test's output.
//!
//! A failed check prints `    file_test.go:7: what is wrong`, with the file's name or, with
//! `-fullpath`, its whole path. Log lines look the same, and the failure is printed last. A panic
//! prints the stacks of goroutines; the first line with a file of the project counts.

use std::path::{Path, PathBuf};

use maelstrom_model::event::SourceLocation;

/// The maximum length of a line of stderr that is parsed. Lines of a stack are shorter.
const LINE_BYTES_MAX: usize = 4096;

/// Returns the location of a build error in the output of the compiler or vet: the first
/// `./file.go:7:2: what is wrong`, whose path is relative to the working directory.
pub fn of_build(said: &[u8]) -> Option<SourceLocation> {
    let text = String::from_utf8_lossy(said);
    text.lines().find_map(|line| {
        // vet prefixes type errors with its name.
        let line = line.strip_prefix("vet: ").unwrap_or(line);
        let (path, rest) = line.split_once(".go:")?;
        let mut numbers = rest.split(':');
        let line = numbers.next()?.parse().ok()?;
        let column = numbers.next().and_then(|column| column.parse().ok());
        let path = path.strip_prefix("./").unwrap_or(path);
        Some(SourceLocation {
            path: format!("{path}.go"),
            line,
            column,
        })
    })
}

/// Finds the location of a failure in the output of one test.
#[derive(Clone, Debug)]
pub struct FailureLocations {
    directory: PathBuf,
    /// The directory that contains all of the project's sources.
    project: PathBuf,
    /// The directory to which reported paths are relative.
    shown_from: PathBuf,
    checked: Option<SourceLocation>,
    panicked: Option<SourceLocation>,
    line: Vec<u8>,
}

impl FailureLocations {
    /// Returns a parser for a test of the package in `directory`. Reported paths are relative to
    /// `shown_from`.
    pub fn new(directory: &Path, project: &Path, shown_from: &Path) -> FailureLocations {
        FailureLocations {
            directory: directory.to_owned(),
            project: project.to_owned(),
            shown_from: shown_from.to_owned(),
            checked: None,
            panicked: None,
            line: Vec::new(),
        }
    }

    /// Parses a line of stdout.
    pub fn stdout(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if let Some((path, line, _)) = message(&text) {
            self.checked = Some(self.placed(path, line));
        }
    }

    /// Parses a piece of stderr.
    pub fn stderr(&mut self, bytes: &[u8]) {
        // The stack of the goroutine that panicked comes first.
        if self.panicked.is_some() {
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.stack_line(&String::from_utf8_lossy(&line));
            }
        }
    }

    /// Returns the location of the failure, if one was found. A panic's is more reliable than a
    /// message's.
    pub fn found(&self) -> Option<SourceLocation> {
        self.panicked.clone().or_else(|| self.checked.clone())
    }

    /// Returns the text after the location in a line, if the line has one.
    pub fn without<'a>(&self, line: &'a str) -> Option<&'a str> {
        message(line).map(|(_, _, text)| text.trim_end())
    }

    /// Parses a line such as `\t/w/p/a_test.go:12 +0x1d`.
    fn stack_line(&mut self, line: &str) {
        let place = line.trim();
        let place = place.split_once(" +0x").map_or(place, |(place, _)| place);
        let Some((path, number)) = place.rsplit_once(':') else {
            return;
        };
        let in_project = path.ends_with(".go") && Path::new(path).starts_with(&self.project);
        if let (true, Ok(line), None) = (in_project, number.parse(), &self.panicked) {
            self.panicked = Some(self.placed(path, line));
        }
    }

    fn placed(&self, path: &str, line: u32) -> SourceLocation {
        let whole = self.directory.join(path);
        let shown = whole.strip_prefix(&self.shown_from).unwrap_or(&whole);
        SourceLocation {
            path: shown.to_string_lossy().into_owned(),
            line,
            column: None,
        }
    }
}

/// Parses a line such as `    a_test.go:7: what is wrong` into path, line number and text.
fn message(line: &str) -> Option<(&str, u32, &str)> {
    let text = line.strip_prefix("    ")?.trim_start();
    let (path, rest) = text.split_once(".go:")?;
    let (number, said) = rest.split_once(": ").or_else(|| {
        // The message may begin on the next line.
        rest.trim_end().strip_suffix(':').map(|number| (number, ""))
    })?;
    let path = text.get(..path.len() + ".go".len())?;
    Some((path, number.parse().ok()?, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_of_a_build_that_failed() {
        let said = b"# example.com/p\nvet: ./p_test.go:7:2: undefined: x\nq.go:9:1: other\n";
        let place = of_build(said).unwrap();
        assert_eq!(
            (place.path.as_str(), place.line, place.column),
            ("p_test.go", 7, Some(2))
        );
        assert_eq!(of_build(b"# p\nlink: no such file\n"), None);
    }

    fn found(stdout: &[&str], stderr: &str) -> Option<(String, u32)> {
        let mut places = FailureLocations::new(Path::new("/w/p"), Path::new("/w"), Path::new("/w"));
        for line in stdout {
            places.stdout(line.as_bytes());
        }
        // In pieces that are not aligned with lines.
        for piece in stderr.as_bytes().chunks(7) {
            places.stderr(piece);
        }
        places.found().map(|place| (place.path, place.line))
    }

    #[test]
    fn the_last_message_says_where() {
        let lines = [
            "    a_test.go:7: got 1\n",
            "    more\n",
            "        b_test.go:9: \n",
        ];
        assert_eq!(found(&lines, ""), Some(("p/b_test.go".to_owned(), 9)));
        let whole = ["    /else/where/a_test.go:7: got 1\n"];
        assert_eq!(
            found(&whole, ""),
            Some(("/else/where/a_test.go".to_owned(), 7))
        );
        for no in ["a_test.go:7: x\n", "    a.go:x: y\n", "    a.go:7\n", ""] {
            assert_eq!(found(&[no], ""), None, "{no}");
        }
    }

    #[test]
    fn a_panic_says_where_in_the_project() {
        let stack = "panic: oh [recovered]\n\ngoroutine 7 [running]:\ntesting.tRunner(0x1)\n\
                     \t/usr/local/go/src/testing/testing.go:1 +0x3a\nexample.com/p.f(...)\n\
                     \t/w/p/a.go:12\nexample.com/p.TestA(0xc0)\n\t/w/p/a_test.go:34 +0x1d\n";
        let messages = ["    a_test.go:7: before\n"];
        assert_eq!(found(&messages, stack), Some(("p/a.go".to_owned(), 12)));
    }
}
