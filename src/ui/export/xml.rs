//! XML: what it accepts of a text, and elements.

use std::borrow::Cow;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// A writer of XML to any stream.
pub(super) type XmlWriter<'a> = Writer<&'a mut dyn Write>;

/// Returns a text in which each character that XML 1.0 does not allow (control characters other than
/// tab and newline, U+FFFE and U+FFFF) is U+FFFD. A carriage return, which readers of XML do not
/// preserve, becomes a newline.
pub(super) fn xml_text(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_allowed) {
        return Cow::Borrowed(text);
    }
    let allowed = text.chars().map(|character| match character {
        '\r' => '\n',
        other if is_allowed(other) => other,
        _ => char::REPLACEMENT_CHARACTER,
    });
    Cow::Owned(allowed.collect())
}

/// Returns a text as one line for an attribute, in which XML does not keep line breaks.
pub(super) fn xml_line(text: &str) -> String {
    let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    xml_text(&lines.join(" ")).into_owned()
}

/// Returns whether a text may contain a character as it is: XML 1.0, section 2.2, without carriage
/// returns. Rust's characters contain no surrogates.
fn is_allowed(character: char) -> bool {
    match character {
        '\t' | '\n' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => other >= ' ',
    }
}

/// Writes an element with text.
pub(super) fn text_element(
    xml: &mut XmlWriter<'_>,
    start: BytesStart<'_>,
    text: &str,
) -> io::Result<()> {
    let name = start.name().as_ref().to_owned();
    xml.write_event(Event::Start(start))?;
    xml.write_event(Event::Text(BytesText::new(&xml_text(text))))?;
    xml.write_event(Event::End(BytesEnd::new(name)))
}

/// Writes an element with the elements that `inner` writes.
pub(super) fn within(
    xml: &mut XmlWriter<'_>,
    start: BytesStart<'_>,
    inner: impl FnOnce(&mut XmlWriter<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let name = start.name().as_ref().to_owned();
    xml.write_event(Event::Start(start))?;
    inner(xml)?;
    xml.write_event(Event::End(BytesEnd::new(name)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_becomes_valid_and_valid_text_stays(text in any::<String>()) {
            let valid = xml_text(&text);
            prop_assert!(valid.chars().all(is_allowed));
            prop_assert_eq!(valid.chars().count(), text.chars().count());
            for (before, after) in text.chars().zip(valid.chars()) {
                prop_assert!(before == after || !is_allowed(before));
            }
            prop_assert!(!xml_line(&text).contains(['\n', '\r']));
        }
    }

    #[test]
    fn what_xml_forbids_is_replaced() {
        assert_eq!(
            xml_text("a\u{1b}[1m\u{0}\u{ffff}\tb"),
            "a\u{fffd}[1m\u{fffd}\u{fffd}\tb"
        );
        assert_eq!(xml_line("one\n  two\u{7}\n"), "one two\u{fffd}");
    }
}
