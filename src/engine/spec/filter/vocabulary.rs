//! The words of each runner's patterns: constants, selectors and matchers, and how far each may be
//! abbreviated.
//!
//! Static tables only. A word may be cut to its minimum length; these are such that no abbreviation
//! is ambiguous within one table, which a test checks.

use super::subject::{SubjectField, TargetKind};

/// A word with a meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct PatternWord<T: 'static> {
    pub name: &'static str,
    /// How many of its characters must be written at least.
    pub least: usize,
    pub meaning: T,
}

const fn word<T>(name: &'static str, least: usize, meaning: T) -> PatternWord<T> {
    PatternWord {
        name,
        least,
        meaning,
    }
}

/// What a word means that stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternConstant {
    All,
    None,
    /// Every test of a target of this kind.
    Kind(TargetKind),
}

/// What a word means that a `.` follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternSelector {
    /// This text is compared.
    Text(SubjectField),
    /// The target must be of this kind, and its name is compared.
    Target(TargetKind),
    /// The test's set of markers, which can only be asked whether it contains one.
    Markers,
}

/// How a text is compared with the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatcherKind {
    /// It is the argument.
    Equals,
    /// It holds the argument.
    Contains,
    /// It begins with the argument.
    StartsWith,
    /// It ends with the argument.
    EndsWith,
    /// It has a match of the regular expression.
    Matches,
    /// The glob matches all of it.
    Globs,
}

/// The words of one runner.
#[derive(Debug, PartialEq, Eq)]
pub struct PatternVocabulary {
    /// Words that stand alone.
    pub constants: &'static [PatternWord<PatternConstant>],
    /// Words that a matcher follows.
    pub selectors: &'static [PatternWord<PatternSelector>],
}

/// The matchers, which all runners share.
pub static MATCHERS: &[PatternWord<MatcherKind>] = &[
    word("equals", 2, MatcherKind::Equals),
    word("contains", 1, MatcherKind::Contains),
    word("starts_with", 1, MatcherKind::StartsWith),
    word("ends_with", 2, MatcherKind::EndsWith),
    word("matches", 1, MatcherKind::Matches),
    word("globs", 1, MatcherKind::Globs),
];

/// The one matcher that [`PatternSelector::Markers`] takes.
pub static MARKER_MATCHERS: &[PatternWord<MatcherKind>] =
    &[word("contains", 1, MatcherKind::Contains)];

const ALL: PatternWord<PatternConstant> = word("all", 2, PatternConstant::All);
const ANY: PatternWord<PatternConstant> = word("any", 2, PatternConstant::All);
const TRUE: PatternWord<PatternConstant> = word("true", 2, PatternConstant::All);
const NONE: PatternWord<PatternConstant> = word("none", 1, PatternConstant::None);
const FALSE: PatternWord<PatternConstant> = word("false", 1, PatternConstant::None);

/// The words of `cargo maelstrom`.
pub static CARGO: PatternVocabulary = PatternVocabulary {
    constants: &[
        ALL,
        ANY,
        TRUE,
        NONE,
        FALSE,
        word("library", 1, PatternConstant::Kind(TargetKind::Library)),
        word("binary", 2, PatternConstant::Kind(TargetKind::Binary)),
        word("benchmark", 2, PatternConstant::Kind(TargetKind::Benchmark)),
        word("example", 1, PatternConstant::Kind(TargetKind::Example)),
        word("test", 2, PatternConstant::Kind(TargetKind::Test)),
    ],
    selectors: &[
        word("name", 1, PatternSelector::Text(SubjectField::Name)),
        word("package", 1, PatternSelector::Text(SubjectField::Package)),
        word("binary", 2, PatternSelector::Target(TargetKind::Binary)),
        word(
            "benchmark",
            2,
            PatternSelector::Target(TargetKind::Benchmark),
        ),
        word("example", 1, PatternSelector::Target(TargetKind::Example)),
        word("test", 2, PatternSelector::Target(TargetKind::Test)),
    ],
};

/// The words of `maelstrom-go-test`.
pub static GO: PatternVocabulary = PatternVocabulary {
    constants: &[ALL, ANY, TRUE, NONE, FALSE],
    selectors: &[
        word("name", 1, PatternSelector::Text(SubjectField::Name)),
        word(
            "package_import_path",
            1,
            PatternSelector::Text(SubjectField::Package),
        ),
        word(
            "package_path",
            "package_p".len(),
            PatternSelector::Text(SubjectField::PackagePath),
        ),
        word(
            "package_name",
            "package_n".len(),
            PatternSelector::Text(SubjectField::PackageName),
        ),
    ],
};

/// The words of `maelstrom-pytest`.
pub static PYTEST: PatternVocabulary = PatternVocabulary {
    constants: &[ALL, ANY, TRUE, NONE, FALSE],
    selectors: &[
        word("name", 2, PatternSelector::Text(SubjectField::Name)),
        word("node_id", 2, PatternSelector::Text(SubjectField::NodeId)),
        word("file", 1, PatternSelector::Text(SubjectField::File)),
        word("package", 1, PatternSelector::Text(SubjectField::Package)),
        word("markers", "markers".len(), PatternSelector::Markers),
    ],
};

/// What looking up a written word gives.
pub(super) enum WordLookup<T: 'static> {
    /// The word it stands for.
    Found(&'static PatternWord<T>),
    /// It begins these words, but is too short for each.
    TooShort(Vec<&'static str>),
    /// It begins no word.
    Unknown,
}

/// Looks a written word up.
pub(super) fn look_up<T>(words: &'static [PatternWord<T>], written: &str) -> WordLookup<T> {
    let mut begun = words
        .iter()
        .filter(|word| !written.is_empty() && word.name.starts_with(written));
    if let Some(found) = begun.clone().find(|word| written.len() >= word.least) {
        return WordLookup::Found(found);
    }
    let too_short: Vec<&'static str> = begun.by_ref().map(|word| word.name).collect();
    if too_short.is_empty() {
        WordLookup::Unknown
    } else {
        WordLookup::TooShort(too_short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meanings<T>(words: &'static [PatternWord<T>]) -> Vec<String> {
        words
            .iter()
            .flat_map(|entry| {
                (1..=entry.name.len()).map(move |length| {
                    let written = &entry.name[..length];
                    let candidates: Vec<_> = words
                        .iter()
                        .filter(|word| word.name.starts_with(written) && length >= word.least)
                        .map(|word| word.name)
                        .collect();
                    assert!(candidates.len() <= 1, "{written} means {candidates:?}");
                    match look_up(words, written) {
                        WordLookup::Found(word) => format!("{written} = {}", word.name),
                        WordLookup::TooShort(_) => format!("{written} is too short"),
                        WordLookup::Unknown => unreachable!("{written} begins a word"),
                    }
                })
            })
            .collect()
    }

    #[test]
    fn no_cut_word_means_two_things() {
        for vocabulary in [&CARGO, &GO, &PYTEST] {
            meanings(vocabulary.constants);
            meanings(vocabulary.selectors);
        }
        meanings(MATCHERS);
    }

    #[test]
    fn every_prefix_of_package_underscore_is_the_import_path_in_go() {
        let prefix = "package_";
        for length in 1..=prefix.len() {
            let expected = format!("{} = package_import_path", &prefix[..length]);
            assert!(meanings(GO.selectors).contains(&expected), "{expected}");
        }
    }

    #[test]
    fn least_forms_are_those_documented() {
        fn least<T>(words: &[PatternWord<T>]) -> Vec<String> {
            words
                .iter()
                .map(|word| format!("{} {}", word.name, &word.name[..word.least]))
                .collect()
        }
        let common = ["all al", "any an", "true tr", "none n", "false f"];
        let kinds = [
            "library l",
            "binary bi",
            "benchmark be",
            "example e",
            "test te",
        ];
        assert_eq!(least(CARGO.constants), [&common[..], &kinds[..]].concat());
        assert_eq!(least(GO.constants), common);
        assert_eq!(least(PYTEST.constants), common);
        assert_eq!(
            least(CARGO.selectors),
            [
                "name n",
                "package p",
                "binary bi",
                "benchmark be",
                "example e",
                "test te"
            ]
        );
        assert_eq!(
            least(GO.selectors),
            [
                "name n",
                "package_import_path p",
                "package_path package_p",
                "package_name package_n"
            ]
        );
        assert_eq!(
            least(PYTEST.selectors),
            [
                "name na",
                "node_id no",
                "file f",
                "package p",
                "markers markers"
            ]
        );
        assert_eq!(
            least(MATCHERS),
            [
                "equals eq",
                "contains c",
                "starts_with s",
                "ends_with en",
                "matches m",
                "globs g"
            ]
        );
    }
}
