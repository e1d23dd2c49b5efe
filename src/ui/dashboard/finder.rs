//! Finding tests by name: fuzzy, best match first, or by a regular expression.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use regex::Regex;

use crate::engine::ids::TestId;
use crate::ui::model::Tests;

/// How a pattern is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syntax {
    /// Letters in their order, with anything between.
    #[default]
    Fuzzy,
    /// A regular expression.
    Regex,
}

impl Syntax {
    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Syntax::Fuzzy => Syntax::Regex,
            Syntax::Regex => Syntax::Fuzzy,
        }
    }

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Syntax::Fuzzy => "fuzzy",
            Syntax::Regex => "regex",
        }
    }
}

/// The tests that match what was typed.
#[derive(Debug, Default)]
pub(super) struct Finder {
    pattern: String,
    syntax: Syntax,
    found: Vec<TestId>,
    /// Tests known when `found` was made; more may have been discovered since.
    searched: usize,
    matcher: Option<Matcher>,
}

impl Finder {
    /// What is looked for; empty when nothing is.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// How it is read.
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// The tests found: the best first when fuzzy, else in the order of discovery.
    pub fn found(&self) -> &[TestId] {
        &self.found
    }

    /// Whether tests were discovered that were not looked at yet.
    pub fn is_behind(&self, tests: &Tests) -> bool {
        !self.pattern.is_empty() && self.searched != tests.len()
    }

    /// Looks at all tests again.
    pub fn refresh(&mut self, tests: &Tests) {
        let (pattern, syntax) = (std::mem::take(&mut self.pattern), self.syntax);
        // The pattern was valid when it was set.
        let _ = self.set(&pattern, syntax, tests);
    }

    /// Looks for something else. An invalid regular expression is told in words and changes
    /// nothing.
    pub fn set(&mut self, pattern: &str, syntax: Syntax, tests: &Tests) -> Result<(), String> {
        match syntax {
            Syntax::Fuzzy => {
                // What a longer pattern finds, the shorter found: look only there.
                let narrows = self.syntax == Syntax::Fuzzy
                    && !self.pattern.is_empty()
                    && self.searched == tests.len()
                    && pattern.starts_with(&self.pattern)
                    && !pattern.contains(['!', '\\', '^', '$', '\'']);
                let before = std::mem::take(&mut self.found);
                self.found = if narrows {
                    self.fuzzy(pattern, before.into_iter(), tests)
                } else {
                    self.fuzzy(pattern, tests.ids(), tests)
                };
            }
            Syntax::Regex => {
                let regex = smart_case(pattern)?;
                let found = tests
                    .ids()
                    .filter(|test| regex.is_match(tests.title(*test)));
                self.found = found.collect();
            }
        }
        self.pattern = pattern.to_owned();
        self.syntax = syntax;
        self.searched = tests.len();
        Ok(())
    }

    fn fuzzy(
        &mut self,
        pattern: &str,
        among: impl Iterator<Item = TestId>,
        tests: &Tests,
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
