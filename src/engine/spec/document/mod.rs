//! Parses TOML and JSON ([`json`]) into trees in which every value has a source span.
//!
//! Readers take the fields they know from a [`DocumentTable`] and report [`SpanError`]s.
//! [`TextDocument::locate`] turns those into errors with file, line, column and a snippet. This
//! module reads no files and does not interpret values.

mod json;

use std::fmt;
use std::ops::Range;

use miette::Diagnostic;
use toml::de::{DeTable, DeValue};

use crate::snippet::{line_and_column, nearest, snippet};

/// A file's text and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextDocument {
    name: String,
    text: String,
    start: TextPosition,
}

/// A position in a text. Lines and columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPosition {
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A value and its span in the text, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentNode {
    pub span: Range<usize>,
    pub value: DocumentValue,
}

/// The value of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentValue {
    Boolean(bool),
    Integer(i64),
    /// A number that is not an integer, or does not fit into `i64`.
    Number,
    Text(String),
    /// A date, a time, or both.
    Datetime,
    Null,
    List(Vec<DocumentNode>),
    Table(DocumentTable),
}

/// A table. Its fields are in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentTable {
    /// The fields that have not been taken yet.
    pub fields: Vec<TableField>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct TableField {
    pub name: String,
    /// The span of the key.
    pub span: Range<usize>,
    /// The value.
    pub node: DocumentNode,
}

/// An error at a span of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanError {
    /// The span in the text, in bytes.
    pub span: Range<usize>,
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// A [`SpanError`] with its location and a snippet of the file.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic)]
pub struct DocumentError {
    /// The file, line and column: `cargo-maelstrom.toml:3:8`.
    pub place: String,
    /// The error message.
    pub message: String,
    /// How to fix it.
    #[help]
    pub help: Option<String>,
    line: String,
    carets: String,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {}\n  {}\n  {}",
            self.place, self.message, self.line, self.carets
        )
    }
}

impl std::error::Error for DocumentError {}

impl TextDocument {
    /// Creates a document. `name` is the file's name in errors.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> TextDocument {
        TextDocument {
            name: name.into(),
            text: text.into(),
            start: TextPosition { line: 1, column: 1 },
        }
    }

    /// Creates a document that is part of a longer text and begins at `start`.
    pub fn part(
        name: impl Into<String>,
        text: impl Into<String>,
        start: TextPosition,
    ) -> TextDocument {
        TextDocument {
            start,
            ..TextDocument::new(name, text)
        }
    }

    /// Parses the text as TOML.
    pub fn read_toml(&self) -> Result<DocumentTable, DocumentError> {
        match DeTable::parse(&self.text) {
            Ok(table) => Ok(table_of(table.get_ref())),
            Err(error) => Err(self.locate(SpanError {
                span: error.span().unwrap_or_default(),
                message: format!("invalid TOML: {}", error.message().replace('\n', ", ")),
                help: None,
            })),
        }
    }

    /// Returns the position of a span as `NAME:LINE:COLUMN`.
    pub fn place(&self, span: &Range<usize>) -> String {
        let (line, column) = line_and_column(&self.text, span.start);
        // Only the first line of a part begins within a line of the longer text.
        let column = match line {
            1 => column + self.start.column - 1,
            _ => column,
        };
        let line = line + self.start.line - 1;
        format!("{}:{line}:{column}", self.name)
    }

    /// Returns the byte offset of a string's content in the file, if the file contains it
    /// literally, without escapes.
    pub fn literal_at(&self, span: &Range<usize>, text: &str) -> Option<usize> {
        let written = self.text.get(span.clone())?;
        ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|opening| written.starts_with(opening))
            .filter(|opening| written[opening.len()..].starts_with(text))
            .map(|opening| span.start + opening.len())
    }

    /// Adds the location and a snippet to an error.
    pub fn locate(&self, fault: SpanError) -> DocumentError {
        let (line, carets) = snippet(&self.text, &fault.span);
        DocumentError {
            place: self.place(&fault.span),
            message: fault.message,
            help: fault.help,
            line,
            carets,
        }
    }
}

impl DocumentNode {
    /// Returns the type of the value with its article.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            DocumentValue::Boolean(_) => "a boolean",
            DocumentValue::Integer(_) => "an integer",
            DocumentValue::Number => "a number",
            DocumentValue::Text(_) => "a string",
            DocumentValue::Datetime => "a date",
            DocumentValue::Null => "null",
            DocumentValue::List(_) => "an array",
            DocumentValue::Table(_) => "a table",
        }
    }

    /// Returns the error that the value has the wrong type.
    pub fn not(&self, expected: &str) -> SpanError {
        SpanError {
            span: self.span.clone(),
            message: format!("expected {expected}, found {}", self.kind()),
            help: None,
        }
    }

    /// Returns an error about the value.
    pub fn fault(&self, message: impl Into<String>) -> SpanError {
        SpanError {
            span: self.span.clone(),
            message: message.into(),
            help: None,
        }
    }
}

impl SpanError {
    /// Adds a hint on how to fix the error.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> SpanError {
        SpanError {
            help: Some(help.into()),
            ..self
        }
    }
}

impl DocumentTable {
    /// Removes and returns a field.
    pub fn take(&mut self, name: &str) -> Option<TableField> {
        let index = self.fields.iter().position(|field| field.name == name)?;
        Some(self.fields.remove(index))
    }

    /// Fails if a field was not taken. `what` names the thing that the table describes, with its
    /// article; `known` lists all fields that it may have.
    pub fn finish(self, what: &str, known: &[&str]) -> Result<(), SpanError> {
        match self.fields.first() {
            None => Ok(()),
            Some(field) => Err(field.unknown(what, known)),
        }
    }
}

impl TableField {
    /// Returns the error for an unknown field.
    pub fn unknown(&self, what: &str, known: &[&str]) -> SpanError {
        let help = match nearest(&self.name, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        SpanError {
            span: self.span.clone(),
            message: format!("{what} has no field `{}`", self.name),
            help: Some(help),
        }
    }
}

fn table_of(table: &DeTable<'_>) -> DocumentTable {
    let mut fields: Vec<TableField> = table
        .iter()
        .map(|(key, value)| TableField {
            name: key.get_ref().to_string(),
            span: key.span(),
            node: node_of(value.get_ref(), value.span()),
        })
        .collect();
    // Errors are reported in the order of the file, which the parser's table may not keep.
    fields.sort_by_key(|field| field.span.start);
    DocumentTable { fields }
}

fn node_of(value: &DeValue<'_>, span: Range<usize>) -> DocumentNode {
    let value = match value {
        DeValue::String(text) => DocumentValue::Text(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(DocumentValue::Number, DocumentValue::Integer),
        DeValue::Float(_) => DocumentValue::Number,
        DeValue::Boolean(boolean) => DocumentValue::Boolean(*boolean),
        DeValue::Datetime(_) => DocumentValue::Datetime,
        DeValue::Array(items) => DocumentValue::List(
            items
                .iter()
                .map(|item| node_of(item.get_ref(), item.span()))
                .collect(),
        ),
        DeValue::Table(table) => DocumentValue::Table(table_of(table)),
    };
    DocumentNode { span, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_value_knows_its_place() {
        let document = TextDocument::new("a.toml", "x = 1\n[t]\nlist = [\"a\", 0x10]\n");
        let mut table = document.read_toml().unwrap();
        let x = table.take("x").unwrap();
        assert_eq!(document.place(&x.node.span), "a.toml:1:5");
        let t = table.take("t").unwrap();
        let DocumentValue::Table(mut t) = t.node.value else {
            panic!("{t:?}")
        };
        let list = t.take("list").unwrap();
        let DocumentValue::List(items) = list.node.value else {
            panic!("{list:?}")
        };
        assert_eq!(items[1].value, DocumentValue::Integer(16));
        assert_eq!(document.place(&items[1].span), "a.toml:3:14");
        assert_eq!(table.fields, []);
    }

    #[test]
    fn faults_are_shown_where_they_are() {
        let document = TextDocument::new("a.toml", "good = 1\nsolts = \"four\"\n");
        let mut table = document.read_toml().unwrap();
        table.take("good").unwrap();
        let field = table.fields[0].clone();
        let error = document.locate(field.node.not("an integer"));
        let unknown = table.finish("a worker", &["slots", "good"]).unwrap_err();
        let unknown = document.locate(unknown);
        let broken = TextDocument::new("b.toml", "x = 1\ny = \n")
            .read_toml()
            .unwrap_err();
        insta::assert_snapshot!(format!(
            "{error}\n{unknown}\nhelp: {}\n{broken}",
            unknown.help.clone().unwrap()
        ));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_place(text in any::<String>()) {
            if let Err(error) = TextDocument::new("x", text).read_toml() {
                prop_assert!(error.to_string().starts_with("x:"));
            }
        }

        #[test]
        fn nearly_valid_text_is_read_or_refused_with_a_place(
            text in "(([a-z]{1,2}|\"\\.\"|\\[[a-z.]{1,3}\\])|=| |[0-9.:-]{1,4}|[\\[\\]{},'\"\n]|true){0,20}",
        ) {
            if let Err(error) = TextDocument::new("x", text).read_toml() {
                prop_assert!(error.to_string().starts_with("x:"));
            }
        }
    }
}
