//! Formats errors in texts: a line with carets below a span, and similar words.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use maelstrom_model::event::untrusted_text;

/// Returns the line that contains the start of a span, and a line of carets to print below it. Both
/// are safe to print: they contain no control characters.
pub fn snippet(text: &str, span: &Range<usize>) -> (String, String) {
    let (start, line) = line_at(text, span.start);
    let marked_start = span.start.saturating_sub(start).min(line.len());
    let marked_end = span.end.saturating_sub(start).min(line.len());
    let indent = printable(line.get(..marked_start).unwrap_or(line)).width();
    let marked = line.get(marked_start..marked_end).unwrap_or_default();
    let carets = printable(marked).width().max(1);
    (
        printable(line),
        format!("{}{}", " ".repeat(indent), "^".repeat(carets)),
    )
}

/// Returns the line and the column of a byte offset. Both count from 1; the column is in
/// characters.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let (start, line) = line_at(text, offset);
    let lines_before = text.get(..start).unwrap_or_default().matches('\n').count();
    let before = line
        .get(..offset.saturating_sub(start))
        .unwrap_or(line)
        .chars()
        .count();
    (lines_before + 1, before + 1)
}

/// Returns the most similar known word, if its edit distance is at most a third of its length, or
/// 1.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&word, name), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Formats words as alternatives in a sentence: `a`, `b` or `c`.
pub fn alternatives<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// Returns the line that contains a byte offset, without its line end, and the offset of its start.
fn line_at(text: &str, offset: usize) -> (usize, &str) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text.get(start..).unwrap_or_default();
    (start, rest.lines().next().unwrap_or_default())
}

/// Replaces the characters of a line that could move the cursor.
fn printable(text: &str) -> String {
    untrusted_text::clean(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_found_and_marked() {
        let text = "first\n\tkey = 漢字x\nlast";
        let start = text.find("字").unwrap();
        assert_eq!(line_and_column(text, start), (2, 9));
        let (line, carets) = snippet(text, &(start..start + 4));
        assert_eq!(line, " key = 漢字x");
        assert_eq!(carets, "         ^^^");
        assert_eq!(line_and_column(text, text.len()), (3, 5));
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["slots", "cache-size", "broker"];
        assert_eq!(nearest("slot", known), Some("slots"));
        assert_eq!(nearest("cache_size", known), Some("cache-size"));
        assert_eq!(nearest("BROKER", known), Some("broker"));
        assert_eq!(nearest("timeout", known), None);
    }

    proptest! {
        #[test]
        fn any_place_in_any_text_can_be_shown(text in any::<String>(), a in 0..200_usize, b in 0..200_usize) {
            let (line, carets) = snippet(&text, &(a..b));
            prop_assert!(!line.contains('\n') && carets.ends_with('^'));
            let (line, column) = line_and_column(&text, a);
            prop_assert!(line >= 1 && column >= 1);
        }
    }
}
