//! Finds the source location of a failure in a test's panic message.
//!
//! libtest reports no location; it is only in the panic handler's message:
//! `thread 'name' (42) panicked at src/lib.rs:7:9:`. Compilers before 1.73 print
//! `thread 'name' panicked at 'message', src/lib.rs:7:9`. The last panic in the project's own
//! sources counts, since a test may catch earlier ones deliberately.

use std::path::{Component, Path};

use maelstrom_model::event::SourceLocation;

/// The text before the location.
const PANICKED: &str = " panicked at ";

/// Returns the location of the last panic in a test's output. Relative paths in the output start at
/// the workspace's root, where the compiler runs. The returned path is relative to `directory` if
/// it is below it.
pub fn failure_location(
    stdout: &[u8],
    stderr: &[u8],
    workspace: &Path,
    directory: &Path,
) -> Option<SourceLocation> {
    // The panic handler writes to stderr.
    [stderr, stdout]
        .into_iter()
        .find_map(|output| last_panic(&String::from_utf8_lossy(output)))
        .map(|location| placed(location, workspace, directory))
}

fn last_panic(output: &str) -> Option<SourceLocation> {
    output.lines().rev().find_map(|line| {
        let (before, after) = line.split_once(PANICKED)?;
        before.contains("thread '").then_some(())?;
        let place = match after.rsplit_once("', ") {
            Some((message, place)) if message.starts_with('\'') => place,
            Some(_) | None => after,
        };
        read_place(place.trim_end().trim_end_matches(':'))
            .filter(|location| !is_foreign(&location.path))
    })
}

/// Parses `path:line:column`.
fn read_place(place: &str) -> Option<SourceLocation> {
    let (rest, column) = place.rsplit_once(':')?;
    let (path, line) = rest.rsplit_once(':')?;
    (!path.is_empty()).then_some(SourceLocation {
        path: path.to_owned(),
        line: line.parse().ok()?,
        column: Some(column.parse().ok()?),
    })
}

/// Returns whether a path belongs to the standard library or to a downloaded package.
fn is_foreign(path: &str) -> bool {
    path.starts_with("/rustc/")
        || path.contains("/lib/rustlib/src/rust/")
        || path.contains("/registry/src/")
        || path.contains("/git/checkouts/")
}

fn placed(location: SourceLocation, workspace: &Path, directory: &Path) -> SourceLocation {
    let whole = normalized(&workspace.join(&location.path));
    let shown = whole.strip_prefix(directory).unwrap_or(&whole);
    SourceLocation {
        path: shown.to_string_lossy().into_owned(),
        ..location
    }
}

/// Returns the path with `.` and `..` resolved lexically.
fn normalized(path: &Path) -> std::path::PathBuf {
    let mut result = std::path::PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                result.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                result.push(component);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(output: &str) -> Option<String> {
        let location = failure_location(
            b"running 1 test\n",
            output.as_bytes(),
            Path::new("/w"),
            Path::new("/w/member"),
        )?;
        Some(format!(
            "{}:{}:{}",
            location.path,
            location.line,
            location.column.unwrap_or(0)
        ))
    }

    #[test]
    fn both_forms_of_a_panic_are_understood() {
        assert_eq!(
            found("\nthread 'a::b c' (77) panicked at member/src/lib.rs:7:9:\nassertion failed\n"),
            Some("src/lib.rs:7:9".to_owned())
        );
        assert_eq!(
            found("thread 'main' panicked at 'it', 'was', other/tests/a b.rs:70:1\n"),
            Some("/w/other/tests/a b.rs:70:1".to_owned())
        );
        assert_eq!(
            found("thread '<unnamed>' panicked at ../out/src/x.rs:1:2:\n"),
            Some("/out/src/x.rs:1:2".to_owned())
        );
    }

    #[test]
    fn the_last_panic_in_the_projects_own_sources_counts() {
        let output = "thread 'a' panicked at member/src/expected.rs:1:1:\nx\n\
                      thread 'a' panicked at member/src/cause.rs:2:2:\ny\n\
                      thread 'a' panicked at /rustc/abc/library/core/src/option.rs:3:3:\nz\n\
                      thread 'a' panicked at /home/u/.cargo/registry/src/x/lib.rs:4:4:\nz\n";
        assert_eq!(found(output), Some("src/cause.rs:2:2".to_owned()));
    }

    #[test]
    fn what_is_no_panic_has_no_place() {
        for output in [
            "",
            "test failed",
            "thread 'a' panicked at ",
            "thread 'a' panicked at src/lib.rs",
            "thread 'a' panicked at src/lib.rs:x:y:",
            "the engine panicked at src/lib.rs:1:1:",
        ] {
            assert_eq!(found(output), None, "{output}");
        }
    }

    #[test]
    fn standard_output_is_read_when_nothing_stands_on_standard_error() {
        let location = failure_location(
            b"thread 'a' panicked at src/lib.rs:1:2:\n",
            b"nothing here\n\xff",
            Path::new("/w"),
            Path::new("/w"),
        );
        assert_eq!(location.unwrap().path, "src/lib.rs");
    }
}
