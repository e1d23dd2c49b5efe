//! The notices about the tests that depend on changed files. Pure.

use std::path::Path;

use maelstrom_model::event::{NoticeSeverity, UserNotice};

use super::git::ChangedFiles;
use super::plan::{ChangedUnits, WholeReason};

/// What a project's units are called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitNoun {
    pub one: &'static str,
    pub many: &'static str,
    /// What is said of a file that belongs to none.
    pub nobody: &'static str,
}

/// Packages of Cargo and Go.
pub(crate) const PACKAGES: UnitNoun = UnitNoun {
    one: "package",
    many: "packages",
    nobody: "is in no package",
};

/// Files with tests of pytest.
pub(crate) const TEST_FILES: UnitNoun = UnitNoun {
    one: "test file",
    many: "test files",
    nobody: "no module is known to use it",
};

/// Returns the notice about the units that are tested: `tested` of `total`, which the other options
/// select.
pub(crate) fn tested(
    files: &ChangedFiles,
    units: &ChangedUnits,
    noun: UnitNoun,
    (tested, total): (usize, usize),
) -> UserNotice {
    let since = &files.reference;
    let (text, help) = match units {
        ChangedUnits::All(path, reason) => {
            let file = shown(path, &files.top);
            let place = match reason {
                WholeReason::Everybody => String::new(),
                WholeReason::Nobody => format!(", and {}", noun.nobody),
            };
            let text = format!("everything is tested because {file} changed since {since}{place}");
            (text, help(*reason))
        }
        ChangedUnits::Some(_) if tested == 0 => {
            let text = format!("no test depends on what changed since {since}");
            (text, None)
        }
        ChangedUnits::Some(_) => {
            let many = match total {
                1 => noun.one,
                _ => noun.many,
            };
            let text = format!(
                "{tested} of {total} {many} {are} tested: {they} on what changed since {since}",
                are = if tested == 1 { "is" } else { "are" },
                they = if tested == 1 {
                    "it depends"
                } else {
                    "they depend"
                },
            );
            (text, None)
        }
    };
    UserNotice {
        severity: NoticeSeverity::Info,
        text,
        help,
        in_summary: true,
    }
}

fn help(reason: WholeReason) -> Option<String> {
    match reason {
        WholeReason::Everybody => None,
        WholeReason::Nobody => {
            Some("--changed-ignore GLOB names files on which no test depends".to_owned())
        }
    }
}

/// Returns a path below the top directory as text.
fn shown(path: &Path, top: &Path) -> String {
    let inside = path.strip_prefix(top).unwrap_or(path);
    inside.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_reason_is_told_in_one_line() {
        let files = ChangedFiles {
            reference: "main".to_owned(),
            top: "/w".into(),
            paths: BTreeSet::new(),
        };
        let some = || ChangedUnits::Some(BTreeSet::new());
        let all = |reason| ChangedUnits::All("/w/a/b".into(), reason);
        for (units, counts, expected) in [
            (
                all(WholeReason::Everybody),
                (7, 7),
                "everything is tested because a/b changed since main",
            ),
            (
                all(WholeReason::Nobody),
                (7, 7),
                "everything is tested because a/b changed since main, and is in no package",
            ),
            (some(), (0, 7), "no test depends on what changed since main"),
            (
                some(),
                (2, 7),
                "2 of 7 packages are tested: they depend on what changed since main",
            ),
            (
                some(),
                (1, 1),
                "1 of 1 package is tested: it depends on what changed since main",
            ),
        ] {
            assert_eq!(tested(&files, &units, PACKAGES, counts).text, expected);
        }
    }
}
