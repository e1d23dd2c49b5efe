//! The pattern as a tree: its evaluation and its printed form.
//!
//! Chains are kept flat, so that only brackets and negations make the tree deeper, and the parser
//! bounds those: neither evaluating nor printing nor dropping a pattern can exhaust the stack.

use std::fmt;

use regex::{Regex, bytes};

use super::subject::Subject;
use super::truth::Truth;
use super::vocabulary::{Comparison, Constant, Selector, Word};

/// A pattern's tree. Two are equal when they print alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// A word that stands alone.
    Constant(&'static Word<Constant>),
    /// A selector, a matcher and its argument.
    Compare {
        selector: &'static Word<Selector>,
        matcher: Matcher,
        delimiter: Delimiter,
    },
    /// `!a`
    Not(Box<Expression>),
    /// `a & b - c …`, which groups to the right.
    Chain {
        first: Box<Expression>,
        rest: Vec<(Link, Expression)>,
    },
    /// `a | b …`
    Either(Vec<Expression>),
}

/// What stands between two members of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    And,
    Minus,
}

/// The brackets around an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    Round,
    Square,
    Curly,
    Angle,
    Slash,
}

impl Delimiter {
    pub(super) const ALL: [Delimiter; 5] = [
        Delimiter::Round,
        Delimiter::Square,
        Delimiter::Curly,
        Delimiter::Angle,
        Delimiter::Slash,
    ];

    pub(super) fn open(self) -> char {
        match self {
            Delimiter::Round => '(',
            Delimiter::Square => '[',
            Delimiter::Curly => '{',
            Delimiter::Angle => '<',
            Delimiter::Slash => '/',
        }
    }

    pub(super) fn close(self) -> char {
        match self {
            Delimiter::Round => ')',
            Delimiter::Square => ']',
            Delimiter::Curly => '}',
            Delimiter::Angle => '>',
            Delimiter::Slash => '/',
        }
    }
}

/// How a text is compared, with what.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Equals(String),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Matches(Regex),
    Globs { glob: String, regex: bytes::Regex },
}

impl Matcher {
    fn comparison(&self) -> Comparison {
        match self {
            Matcher::Equals(_) => Comparison::Equals,
            Matcher::Contains(_) => Comparison::Contains,
            Matcher::StartsWith(_) => Comparison::StartsWith,
            Matcher::EndsWith(_) => Comparison::EndsWith,
            Matcher::Matches(_) => Comparison::Matches,
            Matcher::Globs { .. } => Comparison::Globs,
        }
    }

    fn argument(&self) -> &str {
        match self {
            Matcher::Equals(text)
            | Matcher::Contains(text)
            | Matcher::StartsWith(text)
            | Matcher::EndsWith(text) => text,
            Matcher::Matches(regex) => regex.as_str(),
            Matcher::Globs { glob, .. } => glob,
        }
    }

    fn accepts(&self, text: &str) -> bool {
        match self {
            Matcher::Equals(argument) => text == argument,
            Matcher::Contains(argument) => text.contains(argument.as_str()),
            Matcher::StartsWith(argument) => text.starts_with(argument.as_str()),
            Matcher::EndsWith(argument) => text.ends_with(argument.as_str()),
            Matcher::Matches(regex) => regex.is_match(text),
            Matcher::Globs { regex, .. } => regex.is_match(text.as_bytes()),
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        self.comparison() == other.comparison() && self.argument() == other.argument()
    }
}

impl Eq for Matcher {}

impl Expression {
    pub(super) fn evaluate<S: Subject + ?Sized>(&self, subject: &S) -> Truth {
        match self {
            Expression::Constant(word) => evaluate_constant(word.meaning, subject),
            Expression::Compare {
                selector, matcher, ..
            } => compare(selector.meaning, matcher, subject),
            Expression::Not(inner) => inner.evaluate(subject).not(),
            Expression::Chain { first, rest } => {
                // `a - b & c` is `a & !(b & c)`: from the right, each link joins what stands left
                // of it to all that stands right of it.
                let mut right: Option<(Link, Truth)> = None;
                for (link, member) in rest.iter().rev() {
                    let value = join(member.evaluate(subject), right);
                    right = Some((*link, value));
                }
                join(first.evaluate(subject), right)
            }
            Expression::Either(members) => members
                .iter()
                .map(|member| member.evaluate(subject))
                .fold(Truth::False, Truth::or),
        }
    }
}

fn join(left: Truth, right: Option<(Link, Truth)>) -> Truth {
    match right {
        None => left,
        Some((Link::And, right)) => left.and(right),
        Some((Link::Minus, right)) => left.and(right.not()),
    }
}

fn evaluate_constant<S: Subject + ?Sized>(constant: Constant, subject: &S) -> Truth {
    match constant {
        Constant::All => Truth::True,
        Constant::None => Truth::False,
        Constant::Kind(kind) => subject.target().map(|target| target.kind == kind).into(),
    }
}

fn compare<S: Subject + ?Sized>(selector: Selector, matcher: &Matcher, subject: &S) -> Truth {
    match selector {
        Selector::Text(field) => subject.text(field).map(|text| matcher.accepts(text)),
        Selector::Target(kind) => subject
            .target()
            .map(|target| target.kind == kind && matcher.accepts(target.name)),
        Selector::Markers => subject.has_marker(matcher.argument()),
    }
    .into()
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Constant(word) => formatter.write_str(word.name),
            Expression::Compare {
                selector,
                matcher,
                delimiter,
            } => write!(
                formatter,
                "{}.{}{}{}{}",
                selector.name,
                matcher_name(matcher.comparison()),
                delimiter.open(),
                matcher.argument(),
                delimiter.close()
            ),
            Expression::Not(inner) => write!(formatter, "!{}", Operand(inner)),
            Expression::Chain { first, rest } => {
                write!(formatter, "{}", Operand(first))?;
                rest.iter().try_for_each(|(link, member)| match link {
                    Link::And => write!(formatter, " && {}", Operand(member)),
                    Link::Minus => write!(formatter, " - {}", Operand(member)),
                })
            }
            Expression::Either(members) => {
                members.iter().enumerate().try_for_each(|(index, member)| {
                    let separator = if index == 0 { "" } else { " || " };
                    match member {
                        Expression::Either(_) => write!(formatter, "{separator}({member})"),
                        Expression::Constant(_)
                        | Expression::Compare { .. }
                        | Expression::Not(_)
                        | Expression::Chain { .. } => write!(formatter, "{separator}{member}"),
                    }
                })
            }
        }
    }
}

/// An expression in a place where only a term may stand.
struct Operand<'a>(&'a Expression);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expression::Chain { .. } | Expression::Either(_) => write!(formatter, "({})", self.0),
            Expression::Constant(_) | Expression::Compare { .. } | Expression::Not(_) => {
                self.0.fmt(formatter)
            }
        }
    }
}

fn matcher_name(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equals => "equals",
        Comparison::Contains => "contains",
        Comparison::StartsWith => "starts_with",
        Comparison::EndsWith => "ends_with",
        Comparison::Matches => "matches",
        Comparison::Globs => "globs",
    }
}
