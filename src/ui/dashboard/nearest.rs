//! Suggestions for mistyped names.

/// The candidate most like `word`; the empty string if there are no candidates.
pub(super) fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>) -> &'static str {
    candidates
        .max_by(|a, b| strsim::jaro_winkler(word, a).total_cmp(&strsim::jaro_winkler(word, b)))
        .unwrap_or_default()
}
