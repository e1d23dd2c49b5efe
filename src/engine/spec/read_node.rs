//! Converts a document's nodes to the types of fields: tables, lists, strings, numbers, and sets of
//! words.

use std::num::NonZeroU32;
use std::ops::Range;

use crate::document::{DocumentNode, DocumentTable, DocumentValue, SpanError, TableField};

/// The result of reading a part of a document. The error has a span in the text.
pub type SpecResult<T> = Result<T, SpanError>;

/// Takes a required field out of a table.
pub fn require(
    table: &mut DocumentTable,
    name: &str,
    what: &str,
    span: &Range<usize>,
) -> SpecResult<TableField> {
    table.take(name).ok_or_else(|| SpanError {
        span: span.clone(),
        message: format!("{what} needs the field `{name}`"),
        help: None,
    })
}

pub fn into_table(node: DocumentNode, what: &str) -> SpecResult<DocumentTable> {
    match node.value {
        DocumentValue::Table(table) => Ok(table),
        _ => Err(node.not(&format!("{what}, which is a table"))),
    }
}

pub fn list(node: DocumentNode, expected: &str) -> SpecResult<Vec<DocumentNode>> {
    match node.value {
        DocumentValue::List(items) => Ok(items),
        _ => Err(node.not(expected)),
    }
}

pub fn text(node: DocumentNode, expected: &str) -> SpecResult<String> {
    match node.value {
        DocumentValue::Text(text) if text.contains('\0') => Err(SpanError {
            span: node.span,
            message: "a NUL character is not allowed here".to_owned(),
            help: None,
        }),
        DocumentValue::Text(text) => Ok(text),
        _ => Err(node.not(expected)),
    }
}

pub fn boolean(node: &DocumentNode) -> SpecResult<bool> {
    match node.value {
        DocumentValue::Boolean(boolean) => Ok(boolean),
        _ => Err(node.not("true or false")),
    }
}

pub fn natural(node: &DocumentNode) -> SpecResult<u32> {
    match node.value {
        DocumentValue::Integer(number) => u32::try_from(number)
            .map_err(|_| node.fault(format!("expected a number from 0 to {}", u32::MAX))),
        _ => Err(node.not("an integer")),
    }
}

/// Reads a number of at least 1.
pub fn positive(node: &DocumentNode) -> SpecResult<NonZeroU32> {
    let number = natural(node)?;
    NonZeroU32::new(number).ok_or_else(|| node.fault("expected a number of at least 1"))
}

/// Reads an integer from -128 to 127.
pub fn small_integer(node: &DocumentNode) -> SpecResult<i8> {
    match node.value {
        DocumentValue::Integer(number) => {
            let (least, most) = (i8::MIN, i8::MAX);
            i8::try_from(number)
                .map_err(|_| node.fault(format!("expected a number from {least} to {most}")))
        }
        _ => Err(node.not("an integer")),
    }
}

/// Reads one word out of several.
pub fn choice<T: Copy>(node: &DocumentNode, known: &[(&str, T)]) -> SpecResult<T> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let expected = crate::snippet::alternatives(&names);
    let DocumentValue::Text(word) = &node.value else {
        return Err(node.not(&expected));
    };
    let found = known.iter().find(|(name, _)| name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let fault = node.fault(format!("expected {expected}, found `{word}`"));
        match crate::snippet::nearest(word, names) {
            Some(name) => fault.with_help(format!("did you mean `{name}`?")),
            None => fault,
        }
    })
}
