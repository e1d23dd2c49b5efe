//! Finds the location of a failed doctest.
//!
//! A panic in a doctest names a line of the program that rustdoc generates, even if it names the file
//! of the doctest. So for these the line at which the doctest begins has to do; it is in the name.
//! Panics elsewhere in the project, and errors of the compiler, have locations of their own.

use std::path::Path;

use maelstrom_model::event::SourceLocation;

use crate::cargo::diagnostics::DiagnosticParser;
use crate::cargo::location;

/// The beginning of the names of the files that rustdoc generates.
const GENERATED: &str = "doctest_bundle_";

/// Returns the location of the last panic in a doctest's output if it is outside of the doctest, or
/// else the line at which the doctest begins. See [`location::failure_location`].
pub(super) fn of_panic(
    name: &str,
    output: (&[u8], &[u8]),
    root: &Path,
    directory: &Path,
) -> Option<SourceLocation> {
    let (stdout, stderr) = output;
    let own = beginning(name, root, directory);
    let is_elsewhere = |panic: &SourceLocation| {
        let is_own = own.as_ref().is_some_and(|own| own.path == panic.path);
        !is_own && !panic.path.contains(GENERATED)
    };
    let panic = location::failure_location(stdout, stderr, root, directory);
    panic.filter(is_elsewhere).or(own)
}

/// Returns the location of the first error of the compiler, or else the line at which the doctest
/// begins.
pub(in crate::cargo) fn of_error(
    name: &str,
    output: &str,
    root: &Path,
    directory: &Path,
) -> Option<SourceLocation> {
    let mut diagnostics = DiagnosticParser::default();
    for line in output.lines() {
        diagnostics.line(line.as_bytes(), root, directory);
    }
    let first = diagnostics.errors().into_iter().next();
    first
        .map(|error| error.location)
        .or_else(|| beginning(name, root, directory))
}

/// Parses `src/lib.rs - item (line 12) - should panic`. Relative paths start at `root`.
fn beginning(name: &str, root: &Path, directory: &Path) -> Option<SourceLocation> {
    let (path, rest) = name.split_once(" - ")?;
    let (_, line) = rest.rsplit_once("(line ")?;
    // The mode may follow.
    let (line, _) = line.split_once(')')?;
    let line = line.parse().ok()?;
    let path = root.join(path);
    let shown = path.strip_prefix(directory).unwrap_or(&path);
    Some(SourceLocation {
        path: shown.to_string_lossy().into_owned(),
        line,
        column: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "member/src/lib.rs - item::Type - method (line 12)";

    fn shown(location: Option<SourceLocation>) -> String {
        let Some(location) = location else {
            return "none".to_owned();
        };
        let column = location.column.map(|column| format!(":{column}"));
        let SourceLocation { path, line, .. } = location;
        format!("{path}:{line}{}", column.unwrap_or_default())
    }

    #[test]
    fn a_failure_is_placed_in_the_source() {
        let (root, directory) = (Path::new("/w"), Path::new("/w/member"));
        let panic = |place: &str| format!("thread 'main' (7) panicked at {place}:\nno\n");
        let table = [
            (panic("member/src/lib.rs:3:1"), "src/lib.rs:12"),
            (panic("member/src/inner.rs:13:1"), "src/inner.rs:13:1"),
            (
                panic("/w/target/x/doctest_bundle_2024.rs:8:1"),
                "src/lib.rs:12",
            ),
            ("killed".to_owned(), "src/lib.rs:12"),
        ];
        for (output, expected) in table {
            let output = (b"".as_slice(), output.as_bytes());
            for name in [NAME, &format!("{NAME} - should panic")] {
                assert_eq!(shown(of_panic(name, output, root, directory)), expected);
            }
        }
        let error = "error[E0425]: cannot find `h`\n --> member/src/lib.rs:14:5\n";
        for (output, expected) in [
            (error, "src/lib.rs:14:5"),
            ("Test compiled successfully", "src/lib.rs:12"),
        ] {
            assert_eq!(shown(of_error(NAME, output, root, directory)), expected);
        }
        assert_eq!(shown(of_panic("x", (b"", b""), root, directory)), "none");
    }
}
