//! The words of each runner's patterns: constants, selectors and matchers, and how far each can be
//! abbreviated.
//!
//! The words are in static tables. A word can be abbreviated to its minimum length; a test checks
//! that no abbreviation is ambiguous within one table.

use super::subject::{PastWord, SubjectField, TargetKind};

/// A word and its meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct PatternWord<T: 'static> {
    pub name: &'static str,
    /// The minimum number of characters of an abbreviation.
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

/// The meaning of a word that stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternConstant {
    All,
    None,
    /// All tests of which earlier runs say this.
    Past(PastWord),
    /// All tests of targets of this kind.
    Kind(TargetKind),
}

/// The meaning of a word that is followed by `.` and a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternSelector {
    /// Compares this text of the test.
    Text(SubjectField),
    /// Requires a target of this kind and compares its name.
    Target(TargetKind),
    /// Tests whether the test has a marker. `contains` is the only matcher.
    Markers,
}

/// How a text is compared with the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatcherKind {
    /// The text equals the argument.
    Equals,
    /// The text contains the argument.
    Contains,
    /// The text begins with the argument.
    StartsWith,
    /// The text ends with the argument.
    EndsWith,
    /// The text has a match of the regular expression.
    Matches,
    /// The glob matches the whole text.
    Globs,
}

/// The words of one runner.
#[derive(Debug, PartialEq, Eq)]
pub struct PatternVocabulary {
    /// The words that stand alone.
    pub constants: &'static [PatternWord<PatternConstant>],
    /// The words that are followed by a matcher.
    pub selectors: &'static [PatternWord<PatternSelector>],
}

/// The matchers, which are the same for all runners.
pub static MATCHERS: &[PatternWord<MatcherKind>] = &[
    word("equals", 2, MatcherKind::Equals),
    word("contains", 1, MatcherKind::Contains),
    word("starts_with", 1, MatcherKind::StartsWith),
    word("ends_with", 2, MatcherKind::EndsWith),
    word("matches", 1, MatcherKind::Matches),
    word("globs", 1, MatcherKind::Globs),
];

/// The only matcher of [`PatternSelector::Markers`].
pub static MARKER_MATCHERS: &[PatternWord<MatcherKind>] =
    &[word("contains", 1, MatcherKind::Contains)];

const ALL: PatternWord<PatternConstant> = word("all", 2, PatternConstant::All);
const ANY: PatternWord<PatternConstant> = word("any", 2, PatternConstant::All);
const TRUE: PatternWord<PatternConstant> = word("true", 2, PatternConstant::All);
const NONE: PatternWord<PatternConstant> = word("none", 1, PatternConstant::None);
const FALSE: PatternWord<PatternConstant> = word("false", 1, PatternConstant::None);
const FAILED: PatternWord<PatternConstant> = word(
    "failed",
    "fai".len(),
    PatternConstant::Past(PastWord::Failed),
);
const FLAKY: PatternWord<PatternConstant> =
    word("flaky", 2, PatternConstant::Past(PastWord::Flaky));
const SLOW: PatternWord<PatternConstant> = word("slow", 2, PatternConstant::Past(PastWord::Slow));
const NEW: PatternWord<PatternConstant> = word("new", 2, PatternConstant::Past(PastWord::New));

/// The words of `cargo maelstrom`.
pub static CARGO: PatternVocabulary = PatternVocabulary {
    constants: &[
        ALL,
        ANY,
        TRUE,
        NONE,
        FALSE,
        FAILED,
        FLAKY,
        SLOW,
        NEW,
        word("library", 1, PatternConstant::Kind(TargetKind::Library)),
        word("binary", 2, PatternConstant::Kind(TargetKind::Binary)),
        word("benchmark", 2, PatternConstant::Kind(TargetKind::Benchmark)),
        word("example", 1, PatternConstant::Kind(TargetKind::Example)),
        word("test", 2, PatternConstant::Kind(TargetKind::Test)),
        word("doctest", 1, PatternConstant::Kind(TargetKind::Doctest)),
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
    constants: &[ALL, ANY, TRUE, NONE, FALSE, FAILED, FLAKY, SLOW, NEW],
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
    constants: &[ALL, ANY, TRUE, NONE, FALSE, FAILED, FLAKY, SLOW, NEW],
    selectors: &[
        word("name", 2, PatternSelector::Text(SubjectField::Name)),
        word("node_id", 2, PatternSelector::Text(SubjectField::NodeId)),
        word("file", 1, PatternSelector::Text(SubjectField::File)),
        word("package", 1, PatternSelector::Text(SubjectField::Package)),
        word("markers", "markers".len(), PatternSelector::Markers),
    ],
};

/// The result of looking up a word as written.
pub(super) enum WordLookup<T: 'static> {
    /// The word, or one that it abbreviates.
    Found(&'static PatternWord<T>),
    /// It is the beginning of these words, but too short for any of them.
    TooShort(Vec<&'static str>),
    /// It is the beginning of no word.
    Unknown,
}

/// Looks up a word as written.
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
        let common = [
            "all al",
            "any an",
            "true tr",
            "none n",
            "false f",
            "failed fai",
            "flaky fl",
            "slow sl",
            "new ne",
        ];
        let kinds = [
            "library l",
            "binary bi",
            "benchmark be",
            "example e",
            "test te",
            "doctest d",
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
