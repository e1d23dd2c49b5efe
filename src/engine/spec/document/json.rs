//! Parses JSON into the same trees as TOML.
//!
//! The parser is strict: it rejects comments, trailing commas and other extensions of JSON, and
//! also duplicate keys, which the JSON specification does not rule out.

use jsonc_parser::ast;
use jsonc_parser::common::{Range as JsonRange, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{
    DocumentError, DocumentNode, DocumentTable, DocumentValue, SpanError, TableField, TextDocument,
};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

impl TextDocument {
    /// Parses the text as one JSON value.
    pub fn read_json(&self) -> Result<DocumentNode, DocumentError> {
        let parsed = parse_to_ast(&self.text, &CollectOptions::default(), &STRICT);
        let value = match parsed {
            Ok(parsed) => parsed.value,
            Err(error) => {
                return Err(self.locate(SpanError {
                    span: span(error.range()),
                    message: format!("invalid JSON: {}", lowered(&error.kind().to_string())),
                    help: None,
                }));
            }
        };
        let nothing = || SpanError {
            span: 0..0,
            message: "expected a JSON value, found nothing".to_owned(),
            help: None,
        };
        value
            .ok_or_else(nothing)
            .and_then(node)
            .map_err(|fault| self.locate(fault))
    }
}

fn span(range: JsonRange) -> std::ops::Range<usize> {
    range.start..range.end
}

fn lowered(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

fn node(value: ast::Value<'_>) -> Result<DocumentNode, SpanError> {
    let span = span(value.range());
    let value = match value {
        ast::Value::StringLit(text) => DocumentValue::Text(text.value.into_owned()),
        ast::Value::NumberLit(number) => number
            .value
            .parse()
            .map_or(DocumentValue::Number, DocumentValue::Integer),
        ast::Value::BooleanLit(boolean) => DocumentValue::Boolean(boolean.value),
        ast::Value::NullKeyword(_) => DocumentValue::Null,
        ast::Value::Array(array) => {
            let items = array.elements.into_iter().map(node);
            DocumentValue::List(items.collect::<Result<_, _>>()?)
        }
        ast::Value::Object(object) => DocumentValue::Table(table(object)?),
    };
    Ok(DocumentNode { span, value })
}

fn table(object: ast::Object<'_>) -> Result<DocumentTable, SpanError> {
    let mut table = DocumentTable::default();
    for property in object.properties {
        let name_span = span(property.name.range());
        let name = match property.name {
            ast::ObjectPropName::String(text) => text.value.into_owned(),
            ast::ObjectPropName::Word(word) => word.value.to_owned(),
        };
        if table.fields.iter().any(|field| field.name == name) {
            return Err(SpanError {
                span: name_span,
                message: format!("`{name}` is given twice"),
                help: Some("leave one of the two".to_owned()),
            });
        }
        table.fields.push(TableField {
            name,
            span: name_span,
            node: node(property.value)?,
        });
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let document = TextDocument::new("jobs.json", text);
        document.read_json().map_or_else(
            |error| error.to_string(),
            |node| format!("{:?}", node.value),
        )
    }

    #[test]
    fn what_is_not_json_is_told_with_its_place() {
        insta::assert_snapshot!(
            [
                r#"{"a": 1,}"#,
                r#"{"a": [1, 2}"#,
                "{\"a\": 1,\n \"a\": 2}",
                r#"{'a': 1}"#,
                r#"{"a" 1}"#,
                "// none\n{}",
                "",
            ]
            .map(told)
            .join("\n")
        );
    }

    #[test]
    fn values_keep_their_kinds() {
        assert_eq!(
            told(r#"[true, null, -3, 1.5, 99999999999999999999, "x\u00e9"]"#),
            r#"List([DocumentNode { span: 1..5, value: Boolean(true) }, DocumentNode { span: 7..11, value: Null }, DocumentNode { span: 13..15, value: Integer(-3) }, DocumentNode { span: 17..20, value: Number }, DocumentNode { span: 22..42, value: Number }, DocumentNode { span: 44..53, value: Text("xé") }])"#
        );
    }
}
