//! TOML files and JSON texts ([`json`]) as trees in which every value has a source span.
//!
//! Readers take the fields they know with [`DocumentTable`] and report [`SpanError`]s;
//! [`TextDocument::locate`] turns those into errors with file, line, column and a snippet. This
//! module reads no files and gives values no meaning.

mod json;

use std::fmt;
use std::ops::Range;

use miette::Diagnostic;
use toml::de::{DeTable, DeValue};

use crate::snippet::{line_and_column, nearest, snippet};

/// A file's text under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextDocument {
    name: String,
    text: String,
    start: TextPosition,
}

/// A place in a text, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPosition {
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A value and its place, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentNode {
    pub span: Range<usize>,
    pub value: DocumentValue,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentValue {
    Boolean(bool),
    Integer(i64),
    /// A number that is no integer, or too large for one.
    Number,
    Text(String),
    /// A date, a time, or both.
    Datetime,
    Null,
    List(Vec<DocumentNode>),
    Table(DocumentTable),
}

/// A table, its fields in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentTable {
    /// The fields that nobody has taken yet.
    pub fields: Vec<TableField>,
}

/// A key and what it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct TableField {
    pub name: String,
    /// Where the key stands.
    pub span: Range<usize>,
    /// What it stands for.
    pub node: DocumentNode,
}

/// Something wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanError {
    /// The place, in bytes.
    pub span: Range<usize>,
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// A [`SpanError`] with everything a person needs to find it.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic)]
pub struct DocumentError {
    /// The file, the line and the column: `cargo-maelstrom.toml:3:8`.
    pub place: String,
    /// What is wrong there.
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
    /// A text under the name that errors give it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> TextDocument {
        TextDocument {
            name: name.into(),
            text: text.into(),
            start: TextPosition { line: 1, column: 1 },
        }
    }

    /// Part of a longer text, beginning here.
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

    /// Reads the text as TOML.
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

    /// `NAME:LINE:COLUMN` of a place.
    pub fn place(&self, span: &Range<usize>) -> String {
        let (line, column) = line_and_column(&self.text, span.start);
        // Only the first line of a part begins within a line of the whole.
        let column = match line {
            1 => column + self.start.column - 1,
            _ => column,
        };
        let line = line + self.start.line - 1;
        format!("{}:{line}:{column}", self.name)
    }

    /// Where a string's text begins in the file, if it stands there letter by letter, without
    /// escapes.
    pub fn literal_at(&self, span: &Range<usize>, text: &str) -> Option<usize> {
        let written = self.text.get(span.clone())?;
        ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|opening| written.starts_with(opening))
            .filter(|opening| written[opening.len()..].starts_with(text))
            .map(|opening| span.start + opening.len())
    }

    /// Adds to a fault what a person needs to find it.
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
    /// What it is, with its article.
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

    /// The error that its type is wrong.
    pub fn not(&self, expected: &str) -> SpanError {
        SpanError {
            span: self.span.clone(),
            message: format!("expected {expected}, found {}", self.kind()),
            help: None,
        }
    }

    /// An error about its value.
    pub fn fault(&self, message: impl Into<String>) -> SpanError {
        SpanError {
            span: self.span.clone(),
            message: message.into(),
            help: None,
        }
    }
}

impl SpanError {
    /// Adds how to fix it.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> SpanError {
        SpanError {
            help: Some(help.into()),
            ..self
        }
    }
}

impl DocumentTable {
    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Option<TableField> {
        let index = self.fields.iter().position(|field| field.name == name)?;
        Some(self.fields.remove(index))
    }

    /// Fails if a field has not been taken. `what` is what the table describes, with its article;
    /// `known` are all fields it may have.
    pub fn finish(self, what: &str, known: &[&str]) -> Result<(), SpanError> {
        match self.fields.first() {
            None => Ok(()),
            Some(field) => Err(field.unknown(what, known)),
        }
    }
}

impl TableField {
    /// The error for an unknown field.
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
    // Complaints begin with what stands first in the file, and the parser's table need not keep
    // that order.
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
