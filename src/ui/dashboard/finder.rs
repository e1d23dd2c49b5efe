//! Finds tests by name: fuzzy, best match first, or by a regular expression.
//!
//! A fuzzy search keeps, for each letter typed, the tests that match all letters so far, and where
//! in the name the last one matched: the next letter takes only one look at each remaining name.
//! Results are ranked only if there are few.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use regex::Regex;

use crate::model::TestTable;
use maelstrom_model::ids::TestId;

/// Nobody looks for the best of more than this: they stay in the order of discovery.
const RANKED_MAX: usize = 5_000;
/// Letters for which the tests left are kept, so that taking one back costs nothing.
const LEVELS_MAX: usize = 24;

/// How a pattern is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatternSyntax {
    /// Letters in their order, with anything between.
    #[default]
    Fuzzy,
    Regex,
}

impl PatternSyntax {
    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            PatternSyntax::Fuzzy => PatternSyntax::Regex,
            PatternSyntax::Regex => PatternSyntax::Fuzzy,
        }
    }

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            PatternSyntax::Fuzzy => "fuzzy",
            PatternSyntax::Regex => "regex",
        }
    }
}

/// The tests that match what was typed.
#[derive(Debug, Default)]
pub(super) struct TestFinder {
    pattern: String,
    syntax: PatternSyntax,
    found: Vec<TestId>,
    /// Tests known when `found` was made; more may have been discovered since.
    searched: usize,
    matcher: Option<Matcher>,
    /// What is left after each letter of `letters`.
    levels: Vec<Vec<FuzzyCandidate>>,
    letters: Vec<char>,
}

/// A test that has all letters so far.
#[derive(Clone, Copy, Debug)]
struct FuzzyCandidate {
    test: TestId,
    /// Where in its name the next letter is looked for.
    from: u32,
}

impl TestFinder {
    /// What is looked for; empty when nothing is.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// How it is read.
    pub fn syntax(&self) -> PatternSyntax {
        self.syntax
    }

    /// The tests found: the best first when fuzzy, else in the order of discovery.
    pub fn found(&self) -> &[TestId] {
        &self.found
    }

    /// Whether tests were discovered that were not looked at yet.
    pub fn is_behind(&self, tests: &TestTable) -> bool {
        !self.pattern.is_empty() && self.searched != tests.revision()
    }

    /// Looks at all tests again.
    pub fn refresh(&mut self, tests: &TestTable) {
        let (pattern, syntax) = (std::mem::take(&mut self.pattern), self.syntax);
        // The pattern was valid when it was set.
        let _ = self.set(&pattern, syntax, tests);
    }

    /// Looks for something else. An invalid regular expression is told in words and changes
    /// nothing.
    pub fn set(
        &mut self,
        pattern: &str,
        syntax: PatternSyntax,
        tests: &TestTable,
    ) -> Result<(), String> {
        match syntax {
            PatternSyntax::Fuzzy => {
                // Words with a sign have a meaning of their own, which the matcher knows.
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

    /// The tests that have the pattern's letters in their order.
    fn narrow(&mut self, pattern: &str, tests: &TestTable) -> Vec<TestId> {
        // The levels lack what was found since, and have what vanished.
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

    /// Those of some tests that match, the best first.
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
    /// Looks for another letter. Says whether the name has it where it is looked for.
    fn take(&mut self, letter: char, tests: &TestTable) -> bool {
        if letter == ' ' {
            // Another word, which may stand anywhere.
            self.from = 0;
            return true;
        }
        let title = tests.title(self.test).as_bytes();
        let rest = title.get(self.from as usize..).unwrap_or_default();
        let mut buffer = [0; 4];
        let found = match letter.encode_utf8(&mut buffer).as_bytes() {
            // A small letter finds both cases, as the matcher's smart case has it.
            [byte] => memchr::memchr2(*byte, byte.to_ascii_uppercase(), rest).map(|at| at + 1),
            bytes => memchr::memmem::find(rest, bytes).map(|at| at + bytes.len()),
        };
        self.from += found.unwrap_or(0) as u32;
        found.is_some()
    }
}

/// A regular expression that ignores case unless it has a capital letter. The error is one line.
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
