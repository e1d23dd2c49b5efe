//! Parses filtersets in one pass from left to right, with one function per rule of the grammar.
//!
//! ```text
//! either = both , { ( "or" | "|" | "+" ) , both }
//! both   = term , { ( "and" | "&" | "-" ) , term }
//! term   = ( "not" | "!" ) , term | "(" , either , ")" | predicate , "(" , [ matcher ] , ")"
//! ```
//!
//! The parser backtracks only over the whitespace before an operator, and its recursion depth is
//! limited.

use std::ops::Range;

use super::error::{FiltersetError, FiltersetErrorKind};
use super::expression::{ChainJoin, FiltersetConstant, FiltersetExpression, FiltersetField};
use super::matcher::{DefaultMatcher, NameMatcher};
use super::subject::FiltersetPlatform;
use crate::filter::cursor::PatternCursor;
use crate::filter::{PastWord, compile};

/// The maximum length of a filterset in bytes: more than anybody writes, and still fast to parse.
const FILTERSET_BYTES_MAX: usize = 64 * 1024;

/// The maximum nesting depth of parentheses and negations. It limits the stack use of all functions
/// that walk the tree.
const DEPTH_MAX: usize = 64;

/// The maximum number of digits of a character code.
const HEX_DIGITS_MAX: usize = 6;

const PLATFORM: &str = "platform";
const STATUS: &str = "status";
const GROUP: &str = "group";

const TERM: &str = "a predicate such as `test(…)`, `(`, `!` or `not `";
const OPERATOR: &str = "`&`, `-`, `|`, or the end";
const OPERATOR_OR_PARENTHESIS: &str = "`&`, `-`, `|` or `)`";
const CLOSE: &str = "`)`";

pub(super) fn parse(text: &str) -> Result<FiltersetExpression, FiltersetError> {
    let mut parser = FiltersetParser {
        cursor: PatternCursor::new(text, &[' ', '\t', '\r', '\n']),
        depth: 0,
    };
    parser
        .filterset()
        .map_err(|(span, problem)| FiltersetError {
            filterset: text.to_owned(),
            span,
            problem,
        })
}

type FiltersetFailure = (Range<usize>, FiltersetErrorKind);
type FiltersetResult<T> = Result<T, FiltersetFailure>;

struct FiltersetParser<'a> {
    cursor: PatternCursor<'a>,
    depth: usize,
}

impl<'a> FiltersetParser<'a> {
    fn filterset(&mut self) -> FiltersetResult<FiltersetExpression> {
        if self.cursor.text.len() > FILTERSET_BYTES_MAX {
            let problem = FiltersetErrorKind::TooLong {
                max: FILTERSET_BYTES_MAX,
                found: self.cursor.text.len(),
            };
            return Err((0..0, problem));
        }
        let expression = self.either()?;
        self.cursor.gap();
        match self.cursor.rest() {
            "" => Ok(expression),
            _ => Err(self.expected(OPERATOR)),
        }
    }

    fn either(&mut self) -> FiltersetResult<FiltersetExpression> {
        let first = self.both()?;
        let mut members = vec![first];
        while self.operator(&["|", "+"], "or") {
            members.push(self.both()?);
        }
        match members.pop() {
            Some(only) if members.is_empty() => Ok(only),
            last => {
                members.extend(last);
                Ok(FiltersetExpression::Either(members))
            }
        }
    }

    fn both(&mut self) -> FiltersetResult<FiltersetExpression> {
        let first = self.term()?;
        let mut rest = Vec::new();
        loop {
            let join = if self.operator(&["&"], "and") {
                ChainJoin::And
            } else if self.operator(&["-"], "") {
                ChainJoin::Minus
            } else {
                break;
            };
            rest.push((join, self.term()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(FiltersetExpression::Chain {
            first: Box::new(first),
            rest,
        })
    }

    /// Consumes an operator, if there is one. An operator that is a word must be a word of its own.
    fn operator(&mut self, signs: &[&str], word: &str) -> bool {
        let start = self.cursor.position;
        self.cursor.gap();
        if signs.iter().any(|sign| self.cursor.take(sign)) {
            return true;
        }
        if !word.is_empty() && self.cursor.word() == word {
            self.cursor.position += word.len();
            return true;
        }
        self.cursor.position = start;
        false
    }

    fn term(&mut self) -> FiltersetResult<FiltersetExpression> {
        self.cursor.gap();
        let start = self.cursor.position;
        let negated =
            self.cursor.take("!") || self.cursor.word() == "not" && self.cursor.take("not");
        if negated {
            self.deeper(start)?;
            let inner = self.term()?;
            self.depth -= 1;
            return Ok(FiltersetExpression::Not(Box::new(inner)));
        }
        if self.cursor.take("(") {
            self.deeper(start)?;
            let inner = self.either()?;
            self.close(OPERATOR_OR_PARENTHESIS)?;
            self.depth -= 1;
            return Ok(inner);
        }
        self.predicate()
    }

    fn deeper(&mut self, start: usize) -> FiltersetResult<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let problem = FiltersetErrorKind::TooDeep { max: DEPTH_MAX };
            return Err((start..self.cursor.position, problem));
        }
        Ok(())
    }

    fn predicate(&mut self) -> FiltersetResult<FiltersetExpression> {
        let word = self.cursor.word();
        if word.is_empty() {
            return Err(self.expected(TERM));
        }
        let span = self.cursor.position..self.cursor.position + word.len();
        self.cursor.position = span.end;
        let mut constants = FiltersetConstant::ALL.into_iter();
        if let Some(constant) = constants.find(|known| known.word() == word) {
            return self.constant(constant);
        }
        if let Some(field) = FiltersetField::ALL
            .into_iter()
            .find(|known| known.word() == word)
        {
            return self.compare(field);
        }
        match word {
            PLATFORM => self.platform(),
            STATUS => self.status(),
            GROUP => Err((span, FiltersetErrorKind::Group)),
            _ => {
                let problem = FiltersetErrorKind::UnknownPredicate {
                    word: word.to_owned(),
                    known: known_words(),
                    is_pattern: self.cursor.rest().starts_with('.'),
                };
                Err((span, problem))
            }
        }
    }

    fn constant(&mut self, constant: FiltersetConstant) -> FiltersetResult<FiltersetExpression> {
        self.open()?;
        let start = self.cursor.position;
        let argument = self.cursor.rest().split(')').next().unwrap_or_default();
        if !argument.trim().is_empty() {
            let predicate = constant.word();
            let end = start + argument.len();
            return Err((start..end, FiltersetErrorKind::Argument { predicate }));
        }
        self.close(CLOSE)?;
        Ok(FiltersetExpression::Constant(constant))
    }

    fn platform(&mut self) -> FiltersetResult<FiltersetExpression> {
        self.open()?;
        self.cursor.gap();
        let start = self.cursor.position;
        let argument = self.argument(PLATFORM)?;
        let known = [FiltersetPlatform::Host, FiltersetPlatform::Target];
        let found = argument.trim();
        let platform = known.into_iter().find(|known| known.word() == found);
        let platform = platform.ok_or_else(|| {
            let found = found.to_owned();
            let end = start + found.len();
            (start..end, FiltersetErrorKind::Platform { found })
        })?;
        self.close(CLOSE)?;
        Ok(FiltersetExpression::Platform(platform))
    }

    fn status(&mut self) -> FiltersetResult<FiltersetExpression> {
        self.open()?;
        self.cursor.gap();
        let start = self.cursor.position;
        let argument = self.argument(STATUS)?;
        let found = argument.trim();
        let word = PastWord::ALL
            .into_iter()
            .find(|known| known.word() == found);
        let word = word.ok_or_else(|| {
            let found = found.to_owned();
            let end = start + found.len();
            (start..end, FiltersetErrorKind::Status { found })
        })?;
        self.close(CLOSE)?;
        Ok(FiltersetExpression::Status(word))
    }

    fn compare(&mut self, field: FiltersetField) -> FiltersetResult<FiltersetExpression> {
        self.open()?;
        self.cursor.gap();
        let start = self.cursor.position;
        let predicate = field.word();
        let matcher = if self.cursor.take("/") {
            NameMatcher::Matches(self.regex()?)
        } else if self.cursor.take("=") {
            NameMatcher::Equals(self.argument(predicate)?)
        } else if self.cursor.take("~") {
            NameMatcher::Contains(self.argument(predicate)?)
        } else if self.cursor.take("#") {
            self.glob(predicate)?
        } else {
            match field.default_matcher() {
                DefaultMatcher::Equals => NameMatcher::Equals(self.argument(predicate)?),
                DefaultMatcher::Contains => NameMatcher::Contains(self.argument(predicate)?),
                DefaultMatcher::Globs => self.glob(predicate)?,
            }
        };
        let span = start..self.cursor.position;
        self.close(CLOSE)?;
        Ok(FiltersetExpression::Compare {
            field,
            matcher,
            span,
        })
    }

    /// Consumes the text up to `)`, and resolves its escapes.
    fn argument(&mut self, predicate: &'static str) -> FiltersetResult<String> {
        let mut text = String::new();
        while let Some(character) = self.cursor.rest().chars().next() {
            let start = self.cursor.position;
            match character {
                ')' => break,
                ',' => return Err((start..start + 1, FiltersetErrorKind::Comma)),
                '\\' => text.push(self.escape()?),
                _ => {
                    text.push(character);
                    self.cursor.position += character.len_utf8();
                }
            }
        }
        if text.is_empty() {
            let here = self.cursor.position..self.cursor.position;
            return Err((here, FiltersetErrorKind::NoName { predicate }));
        }
        Ok(text)
    }

    fn escape(&mut self) -> FiltersetResult<char> {
        let start = self.cursor.position;
        self.cursor.take("\\");
        let next = self.cursor.rest().chars().next();
        self.cursor.position += next.map_or(0, char::len_utf8);
        let meant = match next {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('\\' | '/' | ')' | ',') => next,
            Some('u') => self.character_code(),
            Some(_) | None => None,
        };
        meant.ok_or_else(|| {
            let escape = self
                .cursor
                .text
                .get(start..self.cursor.position)
                .unwrap_or_default();
            let escape = escape.to_owned();
            (
                start..self.cursor.position,
                FiltersetErrorKind::Escape { escape },
            )
        })
    }

    /// Consumes `{7FFF}`.
    fn character_code(&mut self) -> Option<char> {
        let (code, _) = self.cursor.rest().strip_prefix('{')?.split_once('}')?;
        let hexadecimal = code.chars().all(|digit| digit.is_ascii_hexdigit());
        if !hexadecimal || code.len() > HEX_DIGITS_MAX {
            return None;
        }
        self.cursor.position += code.len() + "{}".len();
        char::from_u32(u32::from_str_radix(code, 16).ok()?)
    }

    fn glob(&mut self, predicate: &'static str) -> FiltersetResult<NameMatcher> {
        let start = self.cursor.position;
        let glob = self.argument(predicate)?;
        match compile::glob(&glob) {
            Ok(regex) => Ok(NameMatcher::Globs { glob, regex }),
            Err(reason) => {
                let here = start..self.cursor.position;
                Err((here, FiltersetErrorKind::GlobForm { reason }))
            }
        }
    }

    /// Consumes a regular expression and the slash after it. `\/` is a slash in it.
    fn regex(&mut self) -> FiltersetResult<regex::Regex> {
        let start = self.cursor.position;
        let mut text = String::new();
        let mut characters = self.cursor.rest().char_indices().peekable();
        let length = loop {
            match characters.next() {
                None => return Err((start - 1..start, FiltersetErrorKind::RegexEnd)),
                Some((length, '/')) => break length,
                Some((_, '\\')) if characters.next_if(|(_, next)| *next == '/').is_some() => {
                    text.push('/');
                }
                Some((_, character)) => text.push(character),
            }
        };
        self.cursor.position = start + length;
        let regex = compile::regex(&text).map_err(|(place, reason)| {
            // With an escaped slash, places in the expression are not those in the filterset.
            let here = match text.len() == length {
                true => start + place.start..start + place.end,
                false => start..start + length,
            };
            (here, FiltersetErrorKind::RegexForm { reason })
        })?;
        self.cursor.take("/");
        Ok(regex)
    }

    fn open(&mut self) -> FiltersetResult<()> {
        self.cursor.gap();
        match self.cursor.take("(") {
            true => Ok(()),
            false => Err(self.expected("`(`")),
        }
    }

    fn close(&mut self, expected: &'static str) -> FiltersetResult<()> {
        self.cursor.gap();
        match self.cursor.take(")") {
            true => Ok(()),
            false => Err(self.expected(expected)),
        }
    }

    fn expected(&self, expected: &'static str) -> FiltersetFailure {
        let next = self.cursor.upcoming();
        let found = match next {
            "" => "the end of the filterset".to_owned(),
            next => format!("`{next}`"),
        };
        let problem = FiltersetErrorKind::Expected { expected, found };
        (
            self.cursor.position..self.cursor.position + next.len(),
            problem,
        )
    }
}

fn known_words() -> Vec<&'static str> {
    let fields = FiltersetField::ALL.map(FiltersetField::word);
    let constants = FiltersetConstant::ALL.map(FiltersetConstant::word);
    fields
        .into_iter()
        .chain([PLATFORM, STATUS])
        .chain(constants)
        .collect()
}
