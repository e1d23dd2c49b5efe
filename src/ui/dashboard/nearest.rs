//! Suggestions for mistyped names.

/// Returns the candidate most similar to `word`, or an empty string without candidates.
pub(super) fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>) -> &'static str {
    candidates
        .max_by(|a, b| strsim::jaro_winkler(word, a).total_cmp(&strsim::jaro_winkler(word, b)))
        .unwrap_or_default()
}
