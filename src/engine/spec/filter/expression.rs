//! The syntax tree of a pattern: evaluates and prints it.
//!
//! Chains are kept flat, so that only brackets and negations make the tree deeper, and the parser
//! limits those. So evaluating, printing or dropping a pattern cannot overflow the stack.

use std::fmt;

use regex::{Regex, bytes};

use super::subject::FilterSubject;
use super::truth::TruthValue;
use super::vocabulary::{MatcherKind, PatternConstant, PatternSelector, PatternWord};

/// A pattern's syntax tree. Two trees are equal when they print alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternExpression {
    /// A constant, such as `all`.
    Constant(&'static PatternWord<PatternConstant>),
    /// A selector, a matcher and its argument.
    Compare {
        selector: &'static PatternWord<PatternSelector>,
        matcher: TextMatcher,
        delimiter: ArgumentDelimiter,
    },
    Not(Box<PatternExpression>),
    /// `a & b - c …`, which groups to the right.
    Chain {
        first: Box<PatternExpression>,
        rest: Vec<(ChainOperator, PatternExpression)>,
    },
    /// `a | b …`
    Either(Vec<PatternExpression>),
}

/// The operator between two members of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChainOperator {
    And,
    Minus,
}

/// The brackets around an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArgumentDelimiter {
    Round,
    Square,
    Curly,
    Angle,
    Slash,
}

impl ArgumentDelimiter {
    pub(super) const ALL: [ArgumentDelimiter; 5] = [
        ArgumentDelimiter::Round,
        ArgumentDelimiter::Square,
        ArgumentDelimiter::Curly,
        ArgumentDelimiter::Angle,
        ArgumentDelimiter::Slash,
    ];

    pub(super) fn open(self) -> char {
        match self {
            ArgumentDelimiter::Round => '(',
            ArgumentDelimiter::Square => '[',
            ArgumentDelimiter::Curly => '{',
            ArgumentDelimiter::Angle => '<',
            ArgumentDelimiter::Slash => '/',
        }
    }

    pub(super) fn close(self) -> char {
        match self {
            ArgumentDelimiter::Round => ')',
            ArgumentDelimiter::Square => ']',
            ArgumentDelimiter::Curly => '}',
            ArgumentDelimiter::Angle => '>',
            ArgumentDelimiter::Slash => '/',
        }
    }
}

/// A comparison and the text to compare with.
#[derive(Clone, Debug)]
pub(super) enum TextMatcher {
    Equals(String),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Matches(Regex),
    Globs { glob: String, regex: bytes::Regex },
}

impl TextMatcher {
    fn comparison(&self) -> MatcherKind {
        match self {
            TextMatcher::Equals(_) => MatcherKind::Equals,
            TextMatcher::Contains(_) => MatcherKind::Contains,
            TextMatcher::StartsWith(_) => MatcherKind::StartsWith,
            TextMatcher::EndsWith(_) => MatcherKind::EndsWith,
            TextMatcher::Matches(_) => MatcherKind::Matches,
            TextMatcher::Globs { .. } => MatcherKind::Globs,
        }
    }

    fn argument(&self) -> &str {
        match self {
            TextMatcher::Equals(text)
            | TextMatcher::Contains(text)
            | TextMatcher::StartsWith(text)
            | TextMatcher::EndsWith(text) => text,
            TextMatcher::Matches(regex) => regex.as_str(),
            TextMatcher::Globs { glob, .. } => glob,
        }
    }

    fn accepts(&self, text: &str) -> bool {
        match self {
            TextMatcher::Equals(argument) => text == argument,
            TextMatcher::Contains(argument) => text.contains(argument.as_str()),
            TextMatcher::StartsWith(argument) => text.starts_with(argument.as_str()),
            TextMatcher::EndsWith(argument) => text.ends_with(argument.as_str()),
            TextMatcher::Matches(regex) => regex.is_match(text),
            TextMatcher::Globs { regex, .. } => regex.is_match(text.as_bytes()),
        }
    }
}

impl PartialEq for TextMatcher {
    fn eq(&self, other: &TextMatcher) -> bool {
        self.comparison() == other.comparison() && self.argument() == other.argument()
    }
}

impl Eq for TextMatcher {}

impl PatternExpression {
    pub(super) fn asks_for_past(&self) -> bool {
        match self {
            PatternExpression::Constant(word) => match word.meaning {
                PatternConstant::Past(_) => true,
                PatternConstant::All | PatternConstant::None | PatternConstant::Kind(_) => false,
            },
            PatternExpression::Compare { .. } => false,
            PatternExpression::Not(inner) => inner.asks_for_past(),
            PatternExpression::Chain { first, rest } => {
                let mut rest = rest.iter();
                first.asks_for_past() || rest.any(|(_, member)| member.asks_for_past())
            }
            PatternExpression::Either(members) => {
                members.iter().any(PatternExpression::asks_for_past)
            }
        }
    }

    pub(super) fn evaluate<S: FilterSubject + ?Sized>(&self, subject: &S) -> TruthValue {
        match self {
            PatternExpression::Constant(word) => evaluate_constant(word.meaning, subject),
            PatternExpression::Compare {
                selector, matcher, ..
            } => compare(selector.meaning, matcher, subject),
            PatternExpression::Not(inner) => inner.evaluate(subject).not(),
            PatternExpression::Chain { first, rest } => {
                // `a - b & c` is `a & !(b & c)`: from the right, each operator joins the member to
                // its left with everything to its right.
                let mut right: Option<(ChainOperator, TruthValue)> = None;
                for (link, member) in rest.iter().rev() {
                    let value = join(member.evaluate(subject), right);
                    right = Some((*link, value));
                }
                join(first.evaluate(subject), right)
            }
            PatternExpression::Either(members) => members
                .iter()
                .map(|member| member.evaluate(subject))
                .fold(TruthValue::False, TruthValue::or),
        }
    }
}

fn join(left: TruthValue, right: Option<(ChainOperator, TruthValue)>) -> TruthValue {
    match right {
        None => left,
        Some((ChainOperator::And, right)) => left.and(right),
        Some((ChainOperator::Minus, right)) => left.and(right.not()),
    }
}

fn evaluate_constant<S: FilterSubject + ?Sized>(
    constant: PatternConstant,
    subject: &S,
) -> TruthValue {
    match constant {
        PatternConstant::All => TruthValue::True,
        PatternConstant::None => TruthValue::False,
        PatternConstant::Past(word) => subject.past().map(|past| word.describes(past)).into(),
        PatternConstant::Kind(kind) => subject.target().map(|target| target.kind == kind).into(),
    }
}

fn compare<S: FilterSubject + ?Sized>(
    selector: PatternSelector,
    matcher: &TextMatcher,
    subject: &S,
) -> TruthValue {
    match selector {
        PatternSelector::Text(field) => subject.text(field).map(|text| matcher.accepts(text)),
        PatternSelector::Target(kind) => subject
            .target()
            .map(|target| target.kind == kind && matcher.accepts(target.name)),
        PatternSelector::Markers => subject.has_marker(matcher.argument()),
    }
    .into()
}

impl fmt::Display for PatternExpression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatternExpression::Constant(word) => formatter.write_str(word.name),
            PatternExpression::Compare {
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
            PatternExpression::Not(inner) => write!(formatter, "!{}", ExpressionOperand(inner)),
            PatternExpression::Chain { first, rest } => {
                write!(formatter, "{}", ExpressionOperand(first))?;
                rest.iter().try_for_each(|(link, member)| match link {
                    ChainOperator::And => write!(formatter, " && {}", ExpressionOperand(member)),
                    ChainOperator::Minus => write!(formatter, " - {}", ExpressionOperand(member)),
                })
            }
            PatternExpression::Either(members) => {
                members.iter().enumerate().try_for_each(|(index, member)| {
                    let separator = if index == 0 { "" } else { " || " };
                    match member {
                        PatternExpression::Either(_) => write!(formatter, "{separator}({member})"),
                        PatternExpression::Constant(_)
                        | PatternExpression::Compare { .. }
                        | PatternExpression::Not(_)
                        | PatternExpression::Chain { .. } => {
                            write!(formatter, "{separator}{member}")
                        }
                    }
                })
            }
        }
    }
}

/// Prints an expression as an operand, in brackets if it is a chain or an alternative.
struct ExpressionOperand<'a>(&'a PatternExpression);

impl fmt::Display for ExpressionOperand<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            PatternExpression::Chain { .. } | PatternExpression::Either(_) => {
                write!(formatter, "({})", self.0)
            }
            PatternExpression::Constant(_)
            | PatternExpression::Compare { .. }
            | PatternExpression::Not(_) => self.0.fmt(formatter),
        }
    }
}

fn matcher_name(comparison: MatcherKind) -> &'static str {
    match comparison {
        MatcherKind::Equals => "equals",
        MatcherKind::Contains => "contains",
        MatcherKind::StartsWith => "starts_with",
        MatcherKind::EndsWith => "ends_with",
        MatcherKind::Matches => "matches",
        MatcherKind::Globs => "globs",
    }
}
