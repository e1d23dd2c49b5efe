//! Displays a topic's text on a terminal. Pure.
//!
//! The texts use a part of Markdown: headings, paragraphs, lists of one level, blocks of code that
//! are indented by four spaces, and words of code in backticks.

use unicode_width::UnicodeWidthStr;

/// The style of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextStyle {
    /// No escape sequences: backticks stay.
    Plain,
    /// Bold headings and code.
    Styled,
}

const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

/// Returns the text, wrapped to `columns` columns.
pub fn render(markdown: &str, columns: usize, style: TextStyle) -> String {
    let mut text = String::new();
    let mut paragraph: Option<Paragraph> = None;
    for line in markdown.lines() {
        let item = line.strip_prefix("- ");
        let is_code = line.starts_with("    ");
        let heading = line.trim_start_matches('#').strip_prefix(' ');
        let heading = heading.filter(|_| line.starts_with('#'));
        if let (Some(open), None, None, false) = (&mut paragraph, item, heading, is_code)
            && !line.is_empty()
        {
            open.words.extend(line.split_whitespace());
            continue;
        }
        if let Some(ended) = paragraph.take() {
            text.push_str(&ended.wrapped(columns, style));
        }
        if let Some(heading) = heading {
            text.push_str(&bold(heading, style));
            text.push('\n');
        } else if line.is_empty() || is_code {
            text.push_str(line);
            text.push('\n');
        } else {
            paragraph = Some(Paragraph {
                lead: if item.is_some() { "- " } else { "" },
                words: item.unwrap_or(line).split_whitespace().collect(),
            });
        }
    }
    if let Some(ended) = paragraph {
        text.push_str(&ended.wrapped(columns, style));
    }
    text
}

/// Words that are wrapped together.
struct Paragraph<'a> {
    /// What the first line begins with; the others are indented by its width.
    lead: &'static str,
    words: Vec<&'a str>,
}

impl Paragraph<'_> {
    fn wrapped(&self, columns: usize, style: TextStyle) -> String {
        let indent = " ".repeat(self.lead.len());
        let mut lines = vec![self.lead.to_owned()];
        let mut used = self.lead.len();
        let mut is_first = true;
        for word in &self.words {
            let width = word.width();
            if !is_first && used + 1 + width > columns {
                lines.push(indent.clone());
                used = indent.len();
                is_first = true;
            }
            if let Some(line) = lines.last_mut() {
                if !is_first {
                    line.push(' ');
                    used += 1;
                }
                line.push_str(word);
            }
            used += width;
            is_first = false;
        }
        let text = lines.join("\n");
        format!("{}\n", code(&text, style))
    }
}

fn bold(text: &str, style: TextStyle) -> String {
    match style {
        TextStyle::Plain => text.to_owned(),
        TextStyle::Styled => format!("{BOLD}{text}{RESET}"),
    }
}

/// Makes the text between backticks bold, and removes the backticks.
fn code(text: &str, style: TextStyle) -> String {
    if style == TextStyle::Plain {
        return text.to_owned();
    }
    let mut styled = String::new();
    for (position, part) in text.split('`').enumerate() {
        match position % 2 {
            0 => styled.push_str(part),
            _ => styled.push_str(&bold(part, style)),
        }
    }
    styled
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Title\n\nSome words of `code` that are\nwrapped at a width.\n\n- an item of \
                        a list that is long\n- another\n\n    code  stays\n    as it is\n\n## More\n\nEnd.\n";

    #[test]
    fn paragraphs_and_items_are_wrapped_and_code_is_not() {
        insta::assert_snapshot!(render(TEXT, 24, TextStyle::Plain), @r"
        Title

        Some words of `code`
        that are wrapped at a
        width.

        - an item of a list that
          is long
        - another

            code  stays
            as it is

        More

        End.
        ");
    }

    #[test]
    fn styles_replace_the_marks() {
        let styled = render("# A\n\nuse `x`\n", 80, TextStyle::Styled);
        assert_eq!(styled, "\x1b[1mA\x1b[0m\n\nuse \x1b[1mx\x1b[0m\n");
    }

    #[test]
    fn a_word_that_is_too_long_has_a_line_of_its_own() {
        assert_eq!(
            render("a bcdefgh i\n", 4, TextStyle::Plain),
            "a\nbcdefgh\ni\n"
        );
    }
}
