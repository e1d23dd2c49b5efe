//! The environment of a job: elements that are applied in order, whose values consist of text,
//! variables of the client and variables of earlier elements.
//!
//! Values are parsed together with the file, so that syntax errors have a location. They are
//! expanded when the variables of the image are known. Of the client's variables, only those that a
//! value refers to are used.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::str::FromStr;

use miette::Diagnostic;

/// Variables and their values.
pub type EnvironmentMap = BTreeMap<OsString, OsString>;

/// A step that changes an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentElement {
    pub vars: BTreeMap<String, EnvironmentValue>,
    /// What happens to the variables set before.
    pub merge: MergeMode,
}

/// What happens to the variables set before an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeMode {
    /// They are kept, except those that the element sets.
    Extend,
    Replace,
}

/// A value as written: text with references to variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentValue {
    parts: Vec<EnvironmentValuePart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum EnvironmentValuePart {
    Literal(String),
    Reference(VariableReference),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct VariableReference {
    source: VariableSource,
    name: String,
    fallback: Option<String>,
}

/// The environment from which a reference takes its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VariableSource {
    /// `$env{…}`: the client's environment.
    Client,
    /// `$prev{…}`: the environment before the element.
    Previous,
}

/// A syntax error in a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// A `$` that begins neither a reference nor `$$`.
    #[error(
        "after `$` comes `{{NAME}}` with `env` or `prev` in front, or another `$`; found {found}"
    )]
    Dollar { found: String },
    /// A reference without its closing brace.
    #[error("the `}}` of `{reference}` is missing")]
    Unclosed {
        /// The reference as far as it goes.
        reference: String,
    },
    /// A `$` within a reference.
    #[error("`{reference}` may not hold `$`")]
    Nested { reference: String },
}

/// Why a value cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
pub enum ExpansionError {
    /// The referenced variable is not set.
    #[error("{variable}: {reference} has no value and no fallback")]
    #[diagnostic(help("set it, or write {}", reference.replace('}', ":-FALLBACK}")))]
    Absent {
        /// The variable whose value contains the reference.
        variable: String,
        reference: String,
    },
    /// The referenced variable is not UTF-8.
    #[error("{variable}: the value of {reference} is not UTF-8")]
    #[diagnostic(help("give it a value that is text"))]
    NotUtf8 {
        /// The variable whose value contains the reference.
        variable: String,
        reference: String,
    },
}

/// Applies all elements in order, starting with the variables of the image.
pub fn expand(
    elements: &[EnvironmentElement],
    start: EnvironmentMap,
    client: &dyn Fn(&str) -> Option<OsString>,
) -> Result<EnvironmentMap, ExpansionError> {
    let mut environment = start;
    for element in elements {
        // The new values are kept separate until the element is complete, because all of them refer
        // to the environment before it, whatever the order of its variables.
        let mut expanded = EnvironmentMap::new();
        for (name, text) in &element.vars {
            let value = text.expand(name, &environment, client)?;
            expanded.insert(name.into(), value.into());
        }
        match element.merge {
            MergeMode::Extend => environment.extend(expanded),
            MergeMode::Replace => environment = expanded,
        }
    }
    Ok(environment)
}

impl EnvironmentValue {
    /// Creates a value without references.
    pub fn literal(text: impl Into<String>) -> EnvironmentValue {
        let text = text.into();
        let parts = if text.is_empty() {
            Vec::new()
        } else {
            vec![EnvironmentValuePart::Literal(text)]
        };
        EnvironmentValue { parts }
    }

    fn expand(
        &self,
        variable: &str,
        previous: &EnvironmentMap,
        client: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<String, ExpansionError> {
        let parts = self.parts.iter().map(|part| match part {
            EnvironmentValuePart::Literal(text) => Ok(text.clone()),
            EnvironmentValuePart::Reference(reference) => {
                let value = match reference.source {
                    VariableSource::Client => client(&reference.name),
                    VariableSource::Previous => previous.get(OsStr::new(&reference.name)).cloned(),
                };
                reference.value(variable, value)
            }
        });
        parts.collect()
    }
}

impl VariableReference {
    fn value(&self, variable: &str, value: Option<OsString>) -> Result<String, ExpansionError> {
        let present = value.map(OsString::into_string).transpose();
        let present = present.map_err(|_| ExpansionError::NotUtf8 {
            variable: variable.to_owned(),
            reference: self.to_string(),
        })?;
        match (present, &self.fallback) {
            // An empty variable is also replaced by the fallback, as with `${NAME:-FALLBACK}` in a
            // shell.
            (Some(value), Some(fallback)) if value.is_empty() => Ok(fallback.clone()),
            (Some(value), _) => Ok(value),
            (None, Some(fallback)) => Ok(fallback.clone()),
            (None, None) => Err(ExpansionError::Absent {
                variable: variable.to_owned(),
                reference: self.to_string(),
            }),
        }
    }
}

impl FromStr for EnvironmentValue {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<EnvironmentValue, SyntaxError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let (reference, after) = reference(after)?;
            if !literal.is_empty() {
                parts.push(EnvironmentValuePart::Literal(std::mem::take(&mut literal)));
            }
            parts.push(EnvironmentValuePart::Reference(reference));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(EnvironmentValuePart::Literal(literal));
        }
        Ok(EnvironmentValue { parts })
    }
}

/// Parses the text after a `$`. Returns the reference and the rest of the text.
fn reference(text: &str) -> Result<(VariableReference, &str), SyntaxError> {
    let opened = [
        ("env{", VariableSource::Client),
        ("prev{", VariableSource::Previous),
    ]
    .into_iter()
    .find_map(|(opening, source)| Some((source, text.strip_prefix(opening)?)));
    let Some((source, inner)) = opened else {
        let found = match text.chars().next() {
            Some(_) => format!("`{}`", text.chars().take(8).collect::<String>()),
            None => "the end".to_owned(),
        };
        return Err(SyntaxError::Dollar { found });
    };
    let Some((inner, after)) = inner.split_once('}') else {
        return Err(SyntaxError::Unclosed {
            reference: format!("${text}"),
        });
    };
    let (name, fallback) = match inner.split_once(":-") {
        Some((name, fallback)) => (name, Some(fallback.to_owned())),
        None => (inner, None),
    };
    let reference = VariableReference {
        source,
        name: name.to_owned(),
        fallback,
    };
    if inner.contains('$') {
        return Err(SyntaxError::Nested {
            reference: reference.to_string(),
        });
    }
    Ok((reference, after))
}

impl fmt::Display for EnvironmentValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            EnvironmentValuePart::Literal(text) => formatter.write_str(&text.replace('$', "$$")),
            EnvironmentValuePart::Reference(reference) => reference.fmt(formatter),
        })
    }
}

impl fmt::Display for VariableReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            VariableSource::Client => "env",
            VariableSource::Previous => "prev",
        };
        match &self.fallback {
            None => write!(formatter, "${source}{{{}}}", self.name),
            Some(fallback) => write!(formatter, "${source}{{{}:-{fallback}}}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStringExt;

    fn element(merge: MergeMode, vars: &[(&str, &str)]) -> EnvironmentElement {
        let vars = vars
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.parse().unwrap()))
            .collect();
        EnvironmentElement { vars, merge }
    }

    fn variables(vars: &[(&str, &str)]) -> EnvironmentMap {
        vars.iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn client(name: &str) -> Option<OsString> {
        match name {
            "HOME" => Some("/h".into()),
            "EMPTY" => Some("".into()),
            "BINARY" => Some(OsString::from_vec(vec![0xff])),
            _ => None,
        }
    }

    fn one(text: &str) -> Result<String, String> {
        let elements = [element(MergeMode::Extend, &[("X", text)])];
        let start = variables(&[("PATH", "/bin"), ("NIL", "")]);
        let mut expanded = expand(&elements, start, &client).map_err(|error| error.to_string())?;
        let value = expanded.remove(OsStr::new("X")).unwrap();
        Ok(value.into_string().unwrap())
    }

    #[test]
    fn references_take_values_and_fallbacks() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("$$HOME", "$HOME"),
            ("$$$$", "$$"),
            ("$env{HOME}/x", "/h/x"),
            ("/opt/kit:$prev{PATH:-/bin}", "/opt/kit:/bin"),
            ("$prev{NOPE:-/bin}", "/bin"),
            ("$env{NOPE:-}", ""),
            ("$env{EMPTY:-full}", "full"),
            ("$env{EMPTY}", ""),
            ("$prev{NIL:-full}", "full"),
            ("$env{NOPE:-a:-b}", "a:-b"),
            ("a}b{c", "a}b{c"),
        ] {
            assert_eq!(one(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_had_names_the_variable() {
        for text in [
            "$env{NOPE}",
            "$prev{NOPE}",
            "$env{BINARY}",
            "$env{BINARY:-x}",
        ] {
            let error = one(text).unwrap_err();
            assert!(error.starts_with("X: "), "{error}");
        }
        assert_eq!(
            one("$env{NOPE}").unwrap_err(),
            "X: $env{NOPE} has no value and no fallback"
        );
    }

    #[test]
    fn what_is_no_value_says_why() {
        let said: Vec<String> = [
            "$",
            "$x",
            "$HOME",
            "${HOME}",
            "$env{HOME",
            "$env HOME",
            "$prev{a$b}",
            "$env{A:-$$}",
        ]
        .map(|text| text.parse::<EnvironmentValue>().unwrap_err().to_string())
        .into();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn elements_see_what_was_before_them_and_not_each_other() {
        let elements = [
            element(MergeMode::Extend, &[("A", "1"), ("B", "$prev{A:-none}")]),
            element(MergeMode::Extend, &[("A", "2$prev{A}"), ("B", "$prev{A}")]),
        ];
        let extended = expand(&elements, variables(&[("Z", "z")]), &client).unwrap();
        assert_eq!(extended, variables(&[("A", "21"), ("B", "1"), ("Z", "z")]));
        let replaced = [
            elements,
            [
                element(MergeMode::Replace, &[("C", "$prev{Z}")]),
                element(MergeMode::Extend, &[]),
            ],
        ]
        .concat();
        let replaced = expand(&replaced, variables(&[("Z", "z")]), &client).unwrap();
        assert_eq!(replaced, variables(&[("C", "z")]));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[$a-c{}:-]{0,20}|\\PC{0,20}|(\\$env\\{|\\$prev\\{|[A-B:}$-]){0,8}") {
            if let Ok(read) = text.parse::<EnvironmentValue>() {
                prop_assert_eq!(read.to_string().parse::<EnvironmentValue>(), Ok(read));
            }
        }

        #[test]
        fn literals_read_back(text in "\\PC{0,20}") {
            let literal = EnvironmentValue::literal(text);
            prop_assert_eq!(literal.to_string().parse::<EnvironmentValue>(), Ok(literal));
        }
    }
}
