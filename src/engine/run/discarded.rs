//! Collects the project files that tests overwrote in their containers, which discard all writes.
//!
//! A notice at the end of each round names the files, so that nobody looks for a snapshot file that
//! was never kept. Pure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use maelstrom_container::message::DiscardedFiles;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::event::{NoticeSeverity, UserNotice};

/// The maximum number of files that are remembered by path.
const FILES_MAX: usize = 10_000;

/// The maximum number of files that the notice names.
const NAMES_MAX: usize = 3;

/// The discarded files of a round.
#[derive(Debug, Default)]
pub(super) struct DiscardSummary {
    files: BTreeSet<PathBuf>,
    /// The number of further files. Some of them may be counted twice.
    more: u64,
}

impl DiscardSummary {
    /// Adds the files that a test wrote. Only files for which `is_own` returns true count.
    pub(super) fn add(&mut self, discarded: DiscardedFiles, is_own: impl Fn(&Path) -> bool) {
        let before = self.files.len();
        for file in discarded.files {
            if self.files.len() < FILES_MAX && is_own(&file) {
                self.files.insert(file);
            }
        }
        if self.files.len() > before {
            self.more += u64::from(discarded.more);
        }
    }

    /// Returns and resets the notice about the files, if there are any. Paths are shown relative to
    /// `directory`.
    pub(super) fn take_notice(&mut self, directory: &Path) -> Option<UserNotice> {
        let DiscardSummary { files, more } = std::mem::take(self);
        if files.is_empty() {
            return None;
        }
        let names = files.iter().take(NAMES_MAX).map(|file| {
            let file = file.strip_prefix(directory).unwrap_or(file);
            clean(&file.to_string_lossy()).into_owned()
        });
        let names: Vec<String> = names.collect();
        let rest = match files.len() > NAMES_MAX || more > 0 {
            true => ", ...",
            false => "",
        };
        let least = if more > 0 { "at least " } else { "" };
        let count = more.saturating_add(files.len() as u64);
        let counted = match count {
            1 => "1 file that tests wrote among the sources was".to_owned(),
            _ => format!("{least}{count} files that tests wrote among the sources were"),
        };
        Some(UserNotice {
            severity: NoticeSeverity::Warning,
            text: format!("{counted} discarded: {}{rest}", names.join(", ")),
            help: Some(
                "a container keeps nothing; `--isolation=process` lets tests change the sources, \
                 to update snapshots, say"
                    .to_owned(),
            ),
            in_summary: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discarded(names: &[&str], more: u32) -> DiscardedFiles {
        DiscardedFiles {
            files: names.iter().map(PathBuf::from).collect(),
            more,
        }
    }

    #[test]
    fn a_name_does_nothing_where_it_is_shown() {
        let mut wastage = DiscardSummary::default();
        wastage.add(discarded(&["/w/p/\u{1b}[2J\n\u{202e}a"], 0), |_| true);
        let notice = wastage.take_notice(Path::new("/w/p")).unwrap();
        assert!(
            notice
                .text
                .ends_with("discarded: \u{fffd}[2J\u{fffd}\u{fffd}a")
        );
    }

    #[test]
    fn each_file_of_the_project_is_counted_once() {
        let told = |written: &[(&[&str], u32)]| {
            let mut wastage = DiscardSummary::default();
            for (names, more) in written {
                wastage.add(discarded(names, *more), |path| path.starts_with("/w"));
            }
            let notice = wastage.take_notice(Path::new("/w/p"));
            assert!(wastage.take_notice(Path::new("/w/p")).is_none());
            notice.map(|notice| notice.text).unwrap_or_default()
        };
        let lines = [
            told(&[]),
            told(&[(&["/elsewhere/x"], 9)]),
            told(&[(&["/w/p/a.snap", "/x"], 0)]),
            told(&[(&["/w/p/a.snap"], 0), (&["/w/p/a.snap", "/w/b"], 0)]),
            told(&[(&["/w/p/1", "/w/p/2", "/w/p/3", "/w/p/4"], 0)]),
            told(&[(&["/w/p/1"], 12)]),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"


        1 file that tests wrote among the sources was discarded: a.snap
        2 files that tests wrote among the sources were discarded: /w/b, a.snap
        4 files that tests wrote among the sources were discarded: 1, 2, 3, ...
        at least 13 files that tests wrote among the sources were discarded: 1, ...
        ");
    }
}
