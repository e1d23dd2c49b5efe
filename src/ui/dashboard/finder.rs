//! Finds tests by name, with a fuzzy pattern or a regular expression.
//!
//! For each typed letter, a fuzzy search stores the tests that match all letters so far, and the
//! position after the last match in each name. So the next letter takes only one scan of the rest
//! of each remaining name. Results are ranked only if there are few.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use regex::Regex;

use crate::model::TestTable;
use maelstrom_model::ids::TestId;

/// The maximum number of results that are ranked; more stay in the order of discovery.
const RANKED_MAX: usize = 5_000;
/// The maximum number of letters for which the remaining tests are stored. Deleting such a letter
/// takes no search.
const LEVELS_MAX: usize = 24;

/// The syntax of a pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PatternSyntax {
    /// All letters must occur in this order, with any text in between.
    #[default]
    Fuzzy,
    Regex,
}

impl PatternSyntax {
    /// Returns the other syntax.
    pub(super) fn other(self) -> Self {
        match self {
            PatternSyntax::Fuzzy => PatternSyntax::Regex,
            PatternSyntax::Regex => PatternSyntax::Fuzzy,
        }
    }

    /// Returns the displayed word for the syntax.
    pub(super) fn word(self) -> &'static str {
        match self {
            PatternSyntax::Fuzzy => "fuzzy",
            PatternSyntax::Regex => "regex",
        }
    }
}

/// The current pattern, and the tests that match it.
#[derive(Debug, Default)]
pub(super) struct TestFinder {
    pattern: String,
    syntax: PatternSyntax,
    found: Vec<TestId>,
    /// The revision of the test table that `found` was computed from.
    searched: usize,
    matcher: Option<Matcher>,
    /// The remaining candidates after each letter of `letters`.
    levels: Vec<Vec<FuzzyCandidate>>,
    letters: Vec<char>,
}

/// A test whose name contains all letters so far.
#[derive(Clone, Copy, Debug)]
struct FuzzyCandidate {
    test: TestId,
    /// The byte position in the name from which the next letter is searched.
    from: u32,
}

impl TestFinder {
    /// Returns the pattern; empty if there is no search.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns the syntax of the pattern.
    pub(super) fn syntax(&self) -> PatternSyntax {
        self.syntax
    }

    /// Returns the matching tests: the best match first for a fuzzy search that is ranked, else in
    /// the order of discovery.
    pub(super) fn found(&self) -> &[TestId] {
        &self.found
    }

    /// Returns whether tests were discovered or vanished since the last search.
    pub(super) fn is_behind(&self, tests: &TestTable) -> bool {
        !self.pattern.is_empty() && self.searched != tests.revision()
    }

    /// Searches all tests again.
    pub(super) fn refresh(&mut self, tests: &TestTable) {
        let (pattern, syntax) = (std::mem::take(&mut self.pattern), self.syntax);
        // The pattern was valid when it was set, so this can't fail.
        let _ = self.set(&pattern, syntax, tests);
    }

    /// Sets the pattern and searches. For an invalid regular expression, changes nothing and
    /// returns an error message.
    pub(super) fn set(
        &mut self,
        pattern: &str,
        syntax: PatternSyntax,
        tests: &TestTable,
    ) -> Result<(), String> {
        match syntax {
            PatternSyntax::Fuzzy => {
                // These characters have a special meaning in patterns of the matcher, so the
                // matcher must evaluate them.
                self.found = if pattern.contains(['!', '\\', '^', '$', '\'']) {
                    self.rank(pattern, tests.ids(), tests)
                } else {
                    self.narrow(pattern, tests)
                };
            }
            PatternSyntax::Regex => {
                let regex = smart_case(pattern)?;
                let found = tests
                    .ids()
                    .filter(|test| regex.is_match(tests.title(*test)));
                self.found = found.collect();
            }
        }
        self.pattern = pattern.to_owned();
        self.syntax = syntax;
        self.searched = tests.revision();
        Ok(())
    }

    /// Returns the tests whose names contain the letters of the pattern in order.
    fn narrow(&mut self, pattern: &str, tests: &TestTable) -> Vec<TestId> {
        // The stored levels lack newly discovered tests and contain vanished ones.
        if self.searched != tests.revision() {
            self.levels.clear();
            self.letters.clear();
        }
        let pairs = pattern.chars().zip(&self.letters);
        let common = pairs.take_while(|(new, old)| new == *old).count();
        self.levels.truncate(common);
        self.letters.truncate(self.levels.len());
        let mut left = match self.levels.last() {
            Some(level) => level.clone(),
            None => {
                let all = tests.ids();
                all.map(|test| FuzzyCandidate { test, from: 0 }).collect()
            }
        };
        for letter in pattern.chars().skip(self.levels.len()) {
            left.retain_mut(|candidate| candidate.take(letter, tests));
            if self.levels.len() < LEVELS_MAX {
                self.levels.push(left.clone());
                self.letters.push(letter);
            }
        }
        let found = left.into_iter().map(|candidate| candidate.test);
        if found.len() > RANKED_MAX {
            return found.collect();
        }
        self.rank(pattern, found, tests)
    }

    /// Returns the tests in `among` that match, the best match first.
    fn rank(
        &mut self,
        pattern: &str,
        among: impl Iterator<Item = TestId>,
        tests: &TestTable,
    ) -> Vec<TestId> {
        let pattern = Pattern::parse(pattern, CaseMatching::Smart, Normalization::Smart);
        let matcher = self
            .matcher
            .get_or_insert_with(|| Matcher::new(Config::DEFAULT));
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, TestId)> = among
            .filter_map(|test| {
                let title = Utf32Str::new(tests.title(test), &mut buffer);
                Some((pattern.score(title, matcher)?, test))
            })
            .collect();
        scored.sort_unstable_by_key(|(score, test)| (std::cmp::Reverse(*score), *test));
        scored.into_iter().map(|(_, test)| test).collect()
    }
}

impl FuzzyCandidate {
    /// Searches the name for another letter and moves past it. Returns whether the name contains
    /// it.
    fn take(&mut self, letter: char, tests: &TestTable) -> bool {
        if letter == ' ' {
            // A space begins another word, which may match anywhere.
            self.from = 0;
            return true;
        }
        let title = tests.title(self.test).as_bytes();
        let rest = title.get(self.from as usize..).unwrap_or_default();
        let mut buffer = [0; 4];
        let found = match letter.encode_utf8(&mut buffer).as_bytes() {
            // A lowercase letter matches both cases, as with the matcher's smart case.
            [byte] => memchr::memchr2(*byte, byte.to_ascii_uppercase(), rest).map(|at| at + 1),
            bytes => memchr::memmem::find(rest, bytes).map(|at| at + bytes.len()),
        };
        self.from += found.unwrap_or(0) as u32;
        found.is_some()
    }
}

/// Compiles a regular expression that ignores case unless it contains an uppercase letter. The
/// error message is one line.
pub(super) fn smart_case(pattern: &str) -> Result<Regex, String> {
    let has_capital = pattern.chars().any(char::is_uppercase);
    regex::RegexBuilder::new(pattern)
        .case_insensitive(!has_capital)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        })
}
