//! Collects the warnings of a round's tests and reports them once at its end, as pytest does. Pure.

use std::collections::BTreeMap;

use maelstrom_model::event::{NoticeSeverity, UserNotice};

/// The maximum number of distinct warnings that are counted.
const DISTINCT_MAX: usize = 1000;

/// The maximum number of warnings that are printed in full.
const TOLD_MAX: usize = 20;

/// Whether pytest's warnings are reported at the end of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WarningReports {
    #[default]
    Shown,
    /// `--disable-warnings`
    Hidden,
}

/// Warnings, and the number of tests that caused each.
#[derive(Debug, Default)]
pub struct WarningCounts {
    tests: BTreeMap<String, u32>,
}

impl WarningCounts {
    /// Adds a warning that `tests` tests have caused: 0 for a warning during the collection.
    pub fn add(&mut self, text: String, tests: u32) {
        if self.tests.len() < DISTINCT_MAX || self.tests.contains_key(&text) {
            *self.tests.entry(text).or_default() += tests;
        }
    }

    /// Returns the notices about all warnings, and clears them.
    pub fn take_notices(&mut self) -> Vec<UserNotice> {
        let warnings = std::mem::take(&mut self.tests);
        let more = warnings.len().saturating_sub(TOLD_MAX);
        let told = warnings.into_iter().take(TOLD_MAX);
        let mut told: Vec<UserNotice> = told
            .map(|(text, tests)| match tests {
                0 => notice(text),
                1 => notice(format!("{text} (1 test)")),
                tests => notice(format!("{text} ({tests} tests)")),
            })
            .collect();
        if more > 0 {
            told.push(notice(format!("{more} other warnings of pytest's")));
        }
        told
    }
}

fn notice(text: String) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text,
        help: None,
        in_summary: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_is_told_once() {
        let mut warnings = WarningCounts::default();
        let texts = |warnings: &mut WarningCounts| -> Vec<String> {
            warnings
                .take_notices()
                .into_iter()
                .map(|told| told.text)
                .collect()
        };
        assert_eq!(texts(&mut warnings), [""; 0]);
        warnings.add("b.py:1: UserWarning: old".to_owned(), 1);
        warnings.add("a.py:1: UserWarning: import".to_owned(), 0);
        warnings.add("b.py:1: UserWarning: old".to_owned(), 1);
        assert_eq!(
            texts(&mut warnings),
            [
                "a.py:1: UserWarning: import",
                "b.py:1: UserWarning: old (2 tests)"
            ]
        );
        (0..25).for_each(|number| warnings.add(format!("{number:02}"), 1));
        let told = texts(&mut warnings);
        assert_eq!(told.len(), 21);
        assert_eq!(told[20], "5 other warnings of pytest's");
        assert_eq!(texts(&mut warnings), [""; 0]);
    }
}
