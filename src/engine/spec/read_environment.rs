//! The environment in a document: a table of variables, or a list of elements.

use std::collections::BTreeMap;

use crate::document::{Fault, Field, Node, Table, Value};

use super::environment::{Element, Merge, Text};
use super::read::{Read, boolean, into_table, require, text};

/// A table of variables, or a list of elements.
pub(super) fn elements(node: Node) -> Read<Vec<Element>> {
    match node.value {
        Value::Table(table) => Ok(vec![Element {
            vars: variables(table)?,
            merge: Merge::Extend,
        }]),
        Value::List(nodes) => nodes.into_iter().map(element).collect(),
        _ => Err(node.not("a table of variables, or an array of { vars, extend }")),
    }
}

/// One element.
fn element(node: Node) -> Read<Element> {
    let span = node.span.clone();
    let what = "an element of the environment";
    let mut table = into_table(node, what)?;
    let vars = require(&mut table, "vars", what, &span)?;
    let extend = require(&mut table, "extend", what, &span)?;
    table.finish(what, &["vars", "extend"])?;
    let merge = if boolean(&extend.node)? {
        Merge::Extend
    } else {
        Merge::Replace
    };
    let vars = variables(into_table(vars.node, "`vars`")?)?;
    Ok(Element { vars, merge })
}

fn variables(table: Table) -> Read<BTreeMap<String, Text>> {
    let variable = |field: Field| {
        if field.name.is_empty() || field.name.contains(['=', '\0']) {
            return Err(Fault {
                span: field.span,
                message: "a variable's name cannot be empty or hold `=`".to_owned(),
                help: None,
            });
        }
        let span = field.node.span.clone();
        let value = text(field.node, "a string")?;
        let value = value.parse().map_err(|error| Fault {
            span,
            message: format!("invalid value of `{}`: {error}", field.name),
            help: Some("a dollar sign that stands for itself is written `$$`".to_owned()),
        })?;
        Ok((field.name, value))
    };
    table.fields.into_iter().map(variable).collect()
}
