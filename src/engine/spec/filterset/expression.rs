//! The syntax tree of a filterset: evaluates and prints it.
//!
//! Chains are kept flat, so that only parentheses and negations make the tree deeper, and the
//! parser limits those. So evaluating, printing or dropping a filterset cannot overflow the stack.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use super::error::FiltersetErrorKind;
use super::matcher::{DefaultMatcher, NameMatcher};
use super::subject::{FiltersetPlatform, FiltersetSubject, FiltersetWorkspace};
use crate::filter::{PastWord, TruthValue};

/// A filterset's syntax tree.
#[derive(Clone, Debug)]
pub(super) enum FiltersetExpression {
    Constant(FiltersetConstant),
    /// A predicate that compares a name.
    Compare {
        field: FiltersetField,
        matcher: NameMatcher,
        /// The span of the matcher in the text.
        span: Range<usize>,
    },
    Platform(FiltersetPlatform),
    /// What earlier runs say of a test.
    Status(PastWord),
    Not(Box<FiltersetExpression>),
    /// `a & b - c …`, which groups to the left.
    Chain {
        first: Box<FiltersetExpression>,
        rest: Vec<(ChainJoin, FiltersetExpression)>,
    },
    /// `a | b …`
    Either(Vec<FiltersetExpression>),
}

/// A predicate without an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FiltersetConstant {
    All,
    None,
    /// All tests, because there is no default filter.
    Default,
}

/// What a predicate compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FiltersetField {
    Test,
    Package,
    Deps,
    Rdeps,
    Kind,
    Binary,
    BinaryId,
}

/// The operator between two members of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChainJoin {
    And,
    Minus,
}

impl FiltersetConstant {
    pub(super) const ALL: [FiltersetConstant; 3] = [
        FiltersetConstant::All,
        FiltersetConstant::None,
        FiltersetConstant::Default,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            FiltersetConstant::All => "all",
            FiltersetConstant::None => "none",
            FiltersetConstant::Default => "default",
        }
    }
}

impl FiltersetField {
    pub(super) const ALL: [FiltersetField; 7] = [
        FiltersetField::Test,
        FiltersetField::Package,
        FiltersetField::Deps,
        FiltersetField::Rdeps,
        FiltersetField::Kind,
        FiltersetField::Binary,
        FiltersetField::BinaryId,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            FiltersetField::Test => "test",
            FiltersetField::Package => "package",
            FiltersetField::Deps => "deps",
            FiltersetField::Rdeps => "rdeps",
            FiltersetField::Kind => "kind",
            FiltersetField::Binary => "binary",
            FiltersetField::BinaryId => "binary_id",
        }
    }

    /// Returns how it compares a name without a sign.
    pub(super) fn default_matcher(self) -> DefaultMatcher {
        match self {
            FiltersetField::Test => DefaultMatcher::Contains,
            FiltersetField::Kind => DefaultMatcher::Equals,
            FiltersetField::Package
            | FiltersetField::Deps
            | FiltersetField::Rdeps
            | FiltersetField::Binary
            | FiltersetField::BinaryId => DefaultMatcher::Globs,
        }
    }
}

impl FiltersetExpression {
    pub(super) fn evaluate(&self, subject: &FiltersetSubject<'_>) -> TruthValue {
        match self {
            FiltersetExpression::Constant(FiltersetConstant::All | FiltersetConstant::Default) => {
                TruthValue::True
            }
            FiltersetExpression::Constant(FiltersetConstant::None) => TruthValue::False,
            FiltersetExpression::Compare { field, matcher, .. } => {
                compare(*field, matcher, subject)
            }
            FiltersetExpression::Platform(platform) => subject
                .binary
                .map(|binary| binary.kind.platform() == *platform)
                .into(),
            FiltersetExpression::Status(word) => {
                subject.past.map(|past| word.describes(past)).into()
            }
            FiltersetExpression::Not(inner) => inner.evaluate(subject).not(),
            FiltersetExpression::Chain { first, rest } => {
                rest.iter()
                    .fold(first.evaluate(subject), |left, (join, member)| {
                        let right = member.evaluate(subject);
                        match join {
                            ChainJoin::And => left.and(right),
                            ChainJoin::Minus => left.and(right.not()),
                        }
                    })
            }
            FiltersetExpression::Either(members) => members
                .iter()
                .map(|member| member.evaluate(subject))
                .fold(TruthValue::False, TruthValue::or),
        }
    }

    /// Returns whether a predicate is about earlier runs.
    pub(super) fn asks_for_past(&self) -> bool {
        match self {
            FiltersetExpression::Status(_) => true,
            FiltersetExpression::Constant(_)
            | FiltersetExpression::Platform(_)
            | FiltersetExpression::Compare { .. } => false,
            FiltersetExpression::Not(inner) => inner.asks_for_past(),
            FiltersetExpression::Chain { first, rest } => {
                let mut rest = rest.iter();
                first.asks_for_past() || rest.any(|(_, member)| member.asks_for_past())
            }
            FiltersetExpression::Either(members) => {
                members.iter().any(FiltersetExpression::asks_for_past)
            }
        }
    }

    /// Returns the first predicate that matches nothing in the workspace.
    pub(super) fn without_match(
        &self,
        workspace: &FiltersetWorkspace,
    ) -> Option<(Range<usize>, FiltersetErrorKind)> {
        match self {
            FiltersetExpression::Constant(_)
            | FiltersetExpression::Platform(_)
            | FiltersetExpression::Status(_) => None,
            FiltersetExpression::Compare {
                field,
                matcher,
                span,
            } => {
                let (what, names) = match field {
                    FiltersetField::Test | FiltersetField::Kind => return None,
                    FiltersetField::Package | FiltersetField::Deps | FiltersetField::Rdeps => {
                        ("package", &workspace.packages)
                    }
                    FiltersetField::Binary => ("test binary", &workspace.binaries),
                    FiltersetField::BinaryId => ("binary id", &workspace.binary_ids),
                };
                if names.iter().any(|name| matcher.accepts(name)) {
                    return None;
                }
                let known = names.iter().cloned().collect();
                Some((span.clone(), FiltersetErrorKind::NoMatch { what, known }))
            }
            FiltersetExpression::Not(inner) => inner.without_match(workspace),
            FiltersetExpression::Chain { first, rest } => {
                let rest = rest.iter().map(|(_, member)| member);
                let mut members = std::iter::once(&**first).chain(rest);
                members.find_map(|member| member.without_match(workspace))
            }
            FiltersetExpression::Either(members) => {
                let mut members = members.iter();
                members.find_map(|member| member.without_match(workspace))
            }
        }
    }
}

fn compare(
    field: FiltersetField,
    matcher: &NameMatcher,
    subject: &FiltersetSubject<'_>,
) -> TruthValue {
    let package = subject.package;
    let any = |names: &BTreeSet<String>| names.iter().any(|name| matcher.accepts(name)).into();
    match field {
        FiltersetField::Test => subject.case.map(|name| matcher.accepts(name)).into(),
        FiltersetField::Package => matcher.accepts(&package.name).into(),
        // A test is in `deps(x)` if `x` depends on its package.
        FiltersetField::Deps => any(&package.dependents),
        FiltersetField::Rdeps => any(&package.dependencies),
        FiltersetField::Kind => subject
            .binary
            .map(|binary| matcher.accepts(binary.kind.word()))
            .into(),
        FiltersetField::Binary => subject
            .binary
            .map(|binary| matcher.accepts(binary.name))
            .into(),
        FiltersetField::BinaryId => subject
            .binary
            .map(|binary| matcher.accepts(&binary.id(&package.name)))
            .into(),
    }
}

impl fmt::Display for FiltersetExpression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FiltersetExpression::Constant(constant) => write!(formatter, "{}()", constant.word()),
            FiltersetExpression::Compare { field, matcher, .. } => {
                write!(formatter, "{}({matcher})", field.word())
            }
            FiltersetExpression::Platform(platform) => {
                write!(formatter, "platform({})", platform.word())
            }
            FiltersetExpression::Status(word) => write!(formatter, "status({})", word.word()),
            FiltersetExpression::Not(inner) => write!(formatter, "!{}", ChainMember(inner)),
            FiltersetExpression::Chain { first, rest } => {
                write!(formatter, "{}", ChainMember(first))?;
                for (join, member) in rest {
                    let sign = match join {
                        ChainJoin::And => '&',
                        ChainJoin::Minus => '-',
                    };
                    write!(formatter, " {sign} {}", ChainMember(member))?;
                }
                Ok(())
            }
            FiltersetExpression::Either(members) => {
                for (index, member) in members.iter().enumerate() {
                    if index > 0 {
                        formatter.write_str(" | ")?;
                    }
                    write!(formatter, "{}", EitherMember(member))?;
                }
                Ok(())
            }
        }
    }
}

/// A member of a chain, in parentheses if it is itself a chain or a union.
struct ChainMember<'a>(&'a FiltersetExpression);

impl fmt::Display for ChainMember<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FiltersetExpression::Chain { .. } | FiltersetExpression::Either(_) => {
                write!(formatter, "({})", self.0)
            }
            FiltersetExpression::Constant(_)
            | FiltersetExpression::Compare { .. }
            | FiltersetExpression::Platform(_)
            | FiltersetExpression::Status(_)
            | FiltersetExpression::Not(_) => self.0.fmt(formatter),
        }
    }
}

/// A member of a union, in parentheses if it is itself a union.
struct EitherMember<'a>(&'a FiltersetExpression);

impl fmt::Display for EitherMember<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FiltersetExpression::Either(_) => write!(formatter, "({})", self.0),
            FiltersetExpression::Chain { .. }
            | FiltersetExpression::Constant(_)
            | FiltersetExpression::Compare { .. }
            | FiltersetExpression::Platform(_)
            | FiltersetExpression::Status(_)
            | FiltersetExpression::Not(_) => self.0.fmt(formatter),
        }
    }
}
