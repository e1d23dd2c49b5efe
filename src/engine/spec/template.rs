//! Expands template variables in the paths of layers, such as `<build-dir>`.
//!
//! A reference is a run of `<`, a name and `>`. If the number of `<` is odd, the last one begins
//! the reference, and the others are halved. If it is even, the `<` are halved and the name is
//! literal text. Everything else is literal text.

/// A template variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVariable {
    /// The name, such as `build-dir`.
    pub name: &'static str,
    /// The replacement text.
    pub value: String,
}

/// A reference to a variable that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no template variable `<{name}>`")]
pub struct UnknownVariable {
    pub name: String,
}

/// Replaces the references in a text by the values of the variables.
pub(super) fn expand(
    text: &str,
    variables: &[TemplateVariable],
) -> Result<String, UnknownVariable> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(reference) = TemplateReference::first(rest) {
        expanded.push_str(reference.before);
        expanded.push_str(&"<".repeat(reference.run / 2));
        if reference.run % 2 == 0 {
            expanded.push_str(reference.name);
            expanded.push('>');
        } else {
            let variable = variables.iter().find(|known| known.name == reference.name);
            let variable = variable.ok_or_else(|| UnknownVariable {
                name: reference.name.to_owned(),
            })?;
            expanded.push_str(&variable.value);
        }
        rest = reference.after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Escapes a text, so that [`expand`] returns the original.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(reference) = TemplateReference::first(rest) {
        escaped.push_str(reference.before);
        escaped.push_str(&"<".repeat(reference.run * 2));
        escaped.push_str(reference.name);
        escaped.push('>');
        rest = reference.after;
    }
    escaped.push_str(rest);
    escaped
}

/// A run of `<`, a name and `>` in a text.
struct TemplateReference<'a> {
    before: &'a str,
    run: usize,
    name: &'a str,
    after: &'a str,
}

impl<'a> TemplateReference<'a> {
    fn first(text: &'a str) -> Option<TemplateReference<'a>> {
        let mut from = 0;
        loop {
            let start = from + text.get(from..)?.find('<')?;
            let tail = text.get(start..)?;
            let named = tail.trim_start_matches('<');
            let run = tail.len() - named.len();
            let end = named
                .find(|character: char| !character.is_ascii_alphanumeric() && character != '-')
                .unwrap_or(named.len());
            let (name, after) = named.split_at(end);
            let is_name = name.starts_with(|first: char| !first.is_ascii_digit());
            if let (true, Some(after)) = (is_name, after.strip_prefix('>')) {
                return Some(TemplateReference {
                    before: text.get(..start)?,
                    run,
                    name,
                    after,
                });
            }
            from = start + run;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expanded(text: &str) -> Result<String, UnknownVariable> {
        let variable = TemplateVariable {
            name: "build-dir",
            value: "/t/debug".to_owned(),
        };
        expand(text, &[variable])
    }

    #[test]
    fn references_are_replaced_and_escapes_halved() {
        for (text, expected) in [
            ("<build-dir>/helper", "/t/debug/helper"),
            ("<<x>/<build-dir>/tool", "<x>//t/debug/tool"),
            ("<<<build-dir>", "</t/debug"),
            ("<<<<build-dir>", "<<build-dir>"),
            ("<build-dir><build-dir>", "/t/debug/t/debug"),
            ("a < b > c", "a < b > c"),
            ("<>", "<>"),
            ("<1st>", "<1st>"),
            ("<<<build dir>", "<<<build dir>"),
            ("<build-dir", "<build-dir"),
            ("<-> ü <", "ERROR"),
        ] {
            match expanded(text) {
                Ok(expanded) => assert_eq!(expanded, expected, "{text}"),
                Err(error) => assert_eq!((error.name.as_str(), expected), ("-", "ERROR")),
            }
        }
        assert_eq!(
            expanded("a/<target-dir>").unwrap_err().to_string(),
            "there is no template variable `<target-dir>`"
        );
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(text in "[<>a-c1 -]{0,24}|\\PC{0,24}") {
            prop_assert_eq!(expanded(&escape(&text)), Ok(text));
        }

        #[test]
        fn any_text_is_expanded_or_refused(text in "[<>a-c1 -]{0,24}|\\PC{0,24}") {
            let _ = expanded(&text);
        }
    }
}
