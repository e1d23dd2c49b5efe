//! Parses patterns in one pass from left to right, with one function per rule of the grammar.
//!
//! The parser backtracks only over the whitespace before an operator, and its recursion depth is
//! limited.

use std::ops::Range;

use regex::Regex;

use super::compile::{self, glob};
use super::cursor::PatternCursor;
use super::error::{PatternError, PatternErrorKind};
use super::expression::{ArgumentDelimiter, ChainOperator, PatternExpression, TextMatcher};
use super::vocabulary::{
    MARKER_MATCHERS, MATCHERS, MatcherKind, PatternSelector, PatternVocabulary, PatternWord,
    WordLookup, look_up,
};

/// The maximum length of a pattern in bytes: more than anybody writes, and still fast to parse.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// The maximum nesting depth of brackets and negations. It limits the stack use of all functions
/// that walk the tree.
const DEPTH_MAX: usize = 64;

const TERM: &str = "a constant, a selector, `(`, `!` or `not `";
const OPERATOR: &str = "`&`, `-`, `|` or the end of the pattern";
const OPERATOR_OR_BRACKET: &str = "`&`, `-`, `|` or `)`";

pub(super) fn parse(
    pattern: &str,
    vocabulary: &'static PatternVocabulary,
) -> Result<PatternExpression, PatternError> {
    let mut parser = PatternParser {
        cursor: PatternCursor::new(pattern, &[' ', '\t', '\n']),
        depth: 0,
        vocabulary,
    };
    parser.pattern().map_err(|(span, problem)| PatternError {
        pattern: pattern.to_owned(),
        span,
        problem,
    })
}

type PatternFailure = (Range<usize>, PatternErrorKind);
type PatternResult<T> = Result<T, PatternFailure>;

struct PatternParser<'a> {
    cursor: PatternCursor<'a>,
    depth: usize,
    vocabulary: &'static PatternVocabulary,
}

impl<'a> PatternParser<'a> {
    fn pattern(&mut self) -> PatternResult<PatternExpression> {
        if self.cursor.text.len() > PATTERN_BYTES_MAX {
            let problem = PatternErrorKind::TooLong {
                max: PATTERN_BYTES_MAX,
                found: self.cursor.text.len(),
            };
            return Err((0..0, problem));
        }
        self.no_gap("before a pattern")?;
        let expression = self.either()?;
        if self.cursor.rest().is_empty() {
            return Ok(expression);
        }
        if self.cursor.is_blank() {
            self.no_gap("after a pattern")?;
        }
        self.cursor.gap();
        Err(self.expected(OPERATOR))
    }

    fn either(&mut self) -> PatternResult<PatternExpression> {
        let first = self.both()?;
        let mut members = Vec::new();
        while self.operator(&["||", "|"], "or") {
            members.push(self.both()?);
        }
        if members.is_empty() {
            return Ok(first);
        }
        members.insert(0, first);
        Ok(PatternExpression::Either(members))
    }

    fn both(&mut self) -> PatternResult<PatternExpression> {
        let first = self.term()?;
        let mut rest = Vec::new();
        while let Some(link) = self.link() {
            rest.push((link, self.term()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(PatternExpression::Chain {
            first: Box::new(first),
            rest,
        })
    }

    fn link(&mut self) -> Option<ChainOperator> {
        if self.operator(&["&&", "&", "+"], "and") {
            Some(ChainOperator::And)
        } else if self.operator(&["\\", "-"], "minus") {
            Some(ChainOperator::Minus)
        } else {
            None
        }
    }

    /// Consumes an operator and the whitespace around it, if there is one. An operator that is a
    /// word needs whitespace on both sides.
    fn operator(&mut self, signs: &[&str], word: &str) -> bool {
        let start = self.cursor.position;
        let gap_before = self.cursor.gap();
        if signs.iter().any(|sign| self.cursor.take(sign)) {
            self.cursor.gap();
            return true;
        }
        if gap_before && self.cursor.take(word) && self.cursor.gap() {
            return true;
        }
        self.cursor.position = start;
        false
    }

    fn term(&mut self) -> PatternResult<PatternExpression> {
        let start = self.cursor.position;
        let negated = if self.cursor.take("!") || self.cursor.take("~") {
            self.no_gap("after `!` and `~`")?;
            true
        } else {
            // The whole word is compared, because a selector may begin with these letters.
            self.cursor.word() == "not" && {
                self.cursor.take("not");
                if !self.cursor.gap() {
                    return Err(self.expected("whitespace after `not`"));
                }
                true
            }
        };
        if !negated {
            return self.leaf();
        }
        self.deeper(start)?;
        let inner = self.term()?;
        self.depth -= 1;
        Ok(PatternExpression::Not(Box::new(inner)))
    }

    fn deeper(&mut self, start: usize) -> PatternResult<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err((
                start..self.cursor.position,
                PatternErrorKind::TooDeep { max: DEPTH_MAX },
            ));
        }
        Ok(())
    }

    fn leaf(&mut self) -> PatternResult<PatternExpression> {
        let start = self.cursor.position;
        if self.cursor.take("(") {
            self.deeper(start)?;
            self.cursor.gap();
            let inner = self.either()?;
            self.cursor.gap();
            if !self.cursor.take(")") {
                return Err(self.expected(OPERATOR_OR_BRACKET));
            }
            self.depth -= 1;
            return Ok(inner);
        }
        let word = self.cursor.word();
        if word.is_empty() {
            return Err(self.expected(TERM));
        }
        self.cursor.position += word.len();
        let span = start..self.cursor.position;
        self.no_gap_before(".", "before `.`")?;
        if self.cursor.take(".") {
            self.compare(word, span)
        } else {
            self.constant(word, span)
        }
    }

    fn constant(&mut self, word: &str, span: Range<usize>) -> PatternResult<PatternExpression> {
        let constant = match look_up(self.vocabulary.constants, word) {
            WordLookup::Found(constant) => constant,
            WordLookup::TooShort(candidates) => return Err(too_short(word, span, candidates)),
            WordLookup::Unknown => {
                return Err(match look_up(self.vocabulary.selectors, word) {
                    WordLookup::Found(selector) => {
                        let selector = selector.name;
                        (span, PatternErrorKind::SelectorAlone { selector })
                    }
                    WordLookup::TooShort(candidates) => too_short(word, span, candidates),
                    WordLookup::Unknown => {
                        let mut known = names(self.vocabulary.constants);
                        for selector in names(self.vocabulary.selectors) {
                            if !known.contains(&selector) {
                                known.push(selector);
                            }
                        }
                        unknown("word", word, span, known)
                    }
                });
            }
        };
        if self.cursor.rest().starts_with('(') {
            let open = self.cursor.position;
            self.cursor.take("(");
            self.no_gap("inside `()`")?;
            if !self.cursor.take(")") {
                let found = self.found();
                let expected = "`)`, since a constant takes no argument";
                let end = self.cursor.position + self.cursor.upcoming().len();
                return Err((open..end, PatternErrorKind::Expected { expected, found }));
            }
        }
        Ok(PatternExpression::Constant(constant))
    }

    fn compare(&mut self, word: &str, span: Range<usize>) -> PatternResult<PatternExpression> {
        let selector = match look_up(self.vocabulary.selectors, word) {
            WordLookup::Found(selector) => selector,
            WordLookup::TooShort(candidates) => return Err(too_short(word, span, candidates)),
            WordLookup::Unknown => {
                return Err(match look_up(self.vocabulary.constants, word) {
                    WordLookup::Found(constant) => {
                        let constant = constant.name;
                        (span, PatternErrorKind::ConstantCompared { constant })
                    }
                    WordLookup::TooShort(_) | WordLookup::Unknown => {
                        unknown("selector", word, span, names(self.vocabulary.selectors))
                    }
                });
            }
        };
        self.no_gap("after `.`")?;
        let matchers = match selector.meaning {
            PatternSelector::Text(_) | PatternSelector::Target(_) => MATCHERS,
            PatternSelector::Markers => MARKER_MATCHERS,
        };
        let comparison = self.comparison(matchers)?;
        self.no_gap("before an argument")?;
        let (delimiter, argument) = self.argument()?;
        Ok(PatternExpression::Compare {
            selector,
            matcher: matcher(comparison, self.cursor.text, argument)?,
            delimiter,
        })
    }

    fn comparison(
        &mut self,
        matchers: &'static [PatternWord<MatcherKind>],
    ) -> PatternResult<MatcherKind> {
        let start = self.cursor.position;
        let word = self.cursor.word();
        if word.is_empty() {
            return Err(self.expected("a matcher, such as `equals` or `contains`"));
        }
        self.cursor.position += word.len();
        let span = start..self.cursor.position;
        match look_up(matchers, word) {
            WordLookup::Found(found) => Ok(found.meaning),
            WordLookup::TooShort(candidates) => Err(too_short(word, span, candidates)),
            WordLookup::Unknown => Err(unknown("matcher", word, span, names(matchers))),
        }
    }

    /// Consumes an argument and returns the span of its text.
    fn argument(&mut self) -> PatternResult<(ArgumentDelimiter, Range<usize>)> {
        let opened = ArgumentDelimiter::ALL
            .into_iter()
            .find(|delimiter| self.cursor.rest().starts_with(delimiter.open()));
        let Some(delimiter) = opened else {
            return Err(self.expected("an argument in `()`, `[]`, `{}`, `<>` or `//`"));
        };
        let open = self.cursor.position;
        let start = open + delimiter.open().len_utf8();
        let mut depth = 1_usize;
        for (offset, character) in self
            .cursor
            .text
            .get(start..)
            .unwrap_or_default()
            .char_indices()
        {
            // The closing character is tested first: the two characters of `//` are equal, and
            // cannot be nested.
            if character == delimiter.close() {
                depth -= 1;
            } else if character == delimiter.open() {
                depth += 1;
            }
            if depth == 0 {
                let end = start + offset;
                self.cursor.position = end + delimiter.close().len_utf8();
                return Ok((delimiter, start..end));
            }
        }
        let close = delimiter.close();
        Err((open..start, PatternErrorKind::Unbalanced { close }))
    }

    fn no_gap(&mut self, place: &'static str) -> PatternResult<()> {
        let start = self.cursor.position;
        if self.cursor.gap() {
            return Err((
                start..self.cursor.position,
                PatternErrorKind::Whitespace { place },
            ));
        }
        Ok(())
    }

    fn no_gap_before(&mut self, next: &str, place: &'static str) -> PatternResult<()> {
        let start = self.cursor.position;
        if self.cursor.gap() && self.cursor.rest().starts_with(next) {
            return Err((
                start..self.cursor.position,
                PatternErrorKind::Whitespace { place },
            ));
        }
        self.cursor.position = start;
        Ok(())
    }

    fn expected(&self, expected: &'static str) -> PatternFailure {
        let found = self.found();
        let end = self.cursor.position + self.cursor.upcoming().len();
        (
            self.cursor.position..end,
            PatternErrorKind::Expected { expected, found },
        )
    }

    fn found(&self) -> String {
        match self.cursor.upcoming() {
            "" => "the end of the pattern".to_owned(),
            next => format!("`{next}`"),
        }
    }
}

fn names<T>(words: &'static [PatternWord<T>]) -> Vec<&'static str> {
    words.iter().map(|word| word.name).collect()
}

fn too_short(word: &str, span: Range<usize>, candidates: Vec<&'static str>) -> PatternFailure {
    let word = word.to_owned();
    (span, PatternErrorKind::TooShort { word, candidates })
}

fn unknown(
    role: &'static str,
    word: &str,
    span: Range<usize>,
    known: Vec<&'static str>,
) -> PatternFailure {
    let word = word.to_owned();
    (span, PatternErrorKind::UnknownWord { role, word, known })
}

fn matcher(
    comparison: MatcherKind,
    pattern: &str,
    span: Range<usize>,
) -> PatternResult<TextMatcher> {
    let text = pattern.get(span.clone()).unwrap_or_default();
    Ok(match comparison {
        MatcherKind::Equals => TextMatcher::Equals(text.to_owned()),
        MatcherKind::Contains => TextMatcher::Contains(text.to_owned()),
        MatcherKind::StartsWith => TextMatcher::StartsWith(text.to_owned()),
        MatcherKind::EndsWith => TextMatcher::EndsWith(text.to_owned()),
        MatcherKind::Matches => TextMatcher::Matches(regex(text, span)?),
        MatcherKind::Globs => TextMatcher::Globs {
            glob: text.to_owned(),
            regex: glob(text).map_err(|reason| (span, PatternErrorKind::Glob { reason }))?,
        },
    })
}

fn regex(text: &str, span: Range<usize>) -> PatternResult<Regex> {
    compile::regex(text).map_err(|(place, reason)| {
        let here = span.start + place.start..span.start + place.end;
        (here, PatternErrorKind::Regex { reason })
    })
}
