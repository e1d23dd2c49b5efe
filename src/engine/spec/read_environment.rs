//! Reads the environment from a document: a table of variables, or a list of elements.

use std::collections::BTreeMap;

use crate::document::{DocumentNode, DocumentTable, DocumentValue, SpanError, TableField};

use super::environment::{EnvironmentElement, EnvironmentValue, MergeMode};
use super::read_node::{SpecResult, boolean, into_table, require, text};

/// Reads a table of variables, or a list of elements.
pub(super) fn elements(node: DocumentNode) -> SpecResult<Vec<EnvironmentElement>> {
    match node.value {
        DocumentValue::Table(table) => Ok(vec![EnvironmentElement {
            vars: variables(table)?,
            merge: MergeMode::Extend,
        }]),
        DocumentValue::List(nodes) => nodes.into_iter().map(element).collect(),
        _ => Err(node.not("a table of variables, or an array of { vars, extend }")),
    }
}

/// Reads one element of a list.
fn element(node: DocumentNode) -> SpecResult<EnvironmentElement> {
    let span = node.span.clone();
    let what = "an element of the environment";
    let mut table = into_table(node, what)?;
    let vars = require(&mut table, "vars", what, &span)?;
    let extend = require(&mut table, "extend", what, &span)?;
    table.finish(what, &["vars", "extend"])?;
    let merge = if boolean(&extend.node)? {
        MergeMode::Extend
    } else {
        MergeMode::Replace
    };
    let vars = variables(into_table(vars.node, "`vars`")?)?;
    Ok(EnvironmentElement { vars, merge })
}

fn variables(table: DocumentTable) -> SpecResult<BTreeMap<String, EnvironmentValue>> {
    let variable = |field: TableField| {
        if field.name.is_empty() || field.name.contains(['=', '\0']) {
            return Err(SpanError {
                span: field.span,
                message: "a variable's name cannot be empty or hold `=`".to_owned(),
                help: None,
            });
        }
        let span = field.node.span.clone();
        let value = text(field.node, "a string")?;
        let value = value.parse().map_err(|error| SpanError {
            span,
            message: format!("invalid value of `{}`: {error}", field.name),
            help: Some("write `$$` for a literal dollar sign".to_owned()),
        })?;
        Ok((field.name, value))
    };
    table.fields.into_iter().map(variable).collect()
}
