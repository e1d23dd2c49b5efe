//! Reads layers from a document: tables with exactly one key that determines the kind.

use std::path::PathBuf;

use crate::document::{DocumentNode, DocumentTable, SpanError};
use crate::filter;
use maelstrom_layer::{LayerSpec, PathForm, PrefixOptions, SymlinkMode, SymlinkSpec};

use super::read_node::{SpecResult, boolean, into_table, list, require, text};
use super::reader::SpecReader;

/// The keys that determine the kind of a layer.
pub(super) const KINDS: [&str; 8] = [
    "tar",
    "glob",
    "paths",
    "stubs",
    "symlinks",
    "shared_library_dependencies",
    "shared-library-dependencies",
    "command",
];

pub(super) const PREFIX_OPTIONS: [&str; 4] = [
    "follow_symlinks",
    "canonicalize",
    "strip_prefix",
    "prepend_prefix",
];

pub(super) fn layer(reader: &SpecReader<'_>, node: DocumentNode) -> SpecResult<LayerSpec> {
    let span = node.span.clone();
    let mut table = into_table(node, "a layer")?;
    let kinds: Vec<&str> = table
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .filter(|name| KINDS.contains(name))
        .collect();
    let kind = match kinds.as_slice() {
        [] => return Err(no_kind(&table, span)),
        [kind] => (*kind).to_owned(),
        [first, second, ..] => {
            return Err(SpanError {
                span,
                message: format!("a layer has one kind, this one has `{first}` and `{second}`"),
                help: Some("make it two layers".to_owned()),
            });
        }
    };
    let Some(value) = table.take(&kind) else {
        return Err(no_kind(&table, span));
    };
    let value = value.node;
    match kind.as_str() {
        "tar" => {
            let path = PathBuf::from(reader.templated(value)?);
            finish(table, &kind, LayerSpec::Tar { path })
        }
        "stubs" => {
            let stubs = strings(reader, value)?;
            finish(table, &kind, LayerSpec::Stubs { stubs })
        }
        "symlinks" => {
            let links = list(value, "an array of { link, target }")?;
            let links = links.into_iter().map(|node| symlink(reader, node));
            let symlinks = links.collect::<SpecResult<Vec<_>>>()?;
            finish(table, &kind, LayerSpec::Symlinks { symlinks })
        }
        "command" => Err(command(value)),
        _ => {
            let prefix = prefix_options(&mut table)?;
            let layer = match kind.as_str() {
                "glob" => LayerSpec::Glob {
                    pattern: glob(reader, value)?,
                    prefix,
                },
                "paths" => LayerSpec::Paths {
                    paths: paths(reader, value)?,
                    prefix,
                },
                _ => LayerSpec::SharedLibraryDependencies {
                    binaries: paths(reader, value)?,
                    prefix,
                },
            };
            let known: Vec<&str> = [kind.as_str()].into_iter().chain(PREFIX_OPTIONS).collect();
            table.finish(&format!("a `{kind}` layer"), &known)?;
            Ok(layer)
        }
    }
}

fn finish(table: DocumentTable, kind: &str, layer: LayerSpec) -> SpecResult<LayerSpec> {
    if let Some(field) = table
        .fields
        .iter()
        .find(|field| PREFIX_OPTIONS.contains(&field.name.as_str()))
    {
        return Err(SpanError {
            span: field.span.clone(),
            message: format!(
                "a `{kind}` layer has no prefix options, such as `{}`",
                field.name
            ),
            help: Some(
                "they belong to `glob`, `paths` and `shared_library_dependencies`".to_owned(),
            ),
        });
    }
    table.finish(&format!("a `{kind}` layer"), &[kind])?;
    Ok(layer)
}

fn no_kind(table: &DocumentTable, span: std::ops::Range<usize>) -> SpanError {
    // Without the last two, which are an alternative spelling of the one before them, and
    // `command`, which is recognized only to reject it.
    let known = &KINDS[..6];
    match table.fields.first() {
        Some(field) if !PREFIX_OPTIONS.contains(&field.name.as_str()) => {
            field.unknown("a layer", known)
        }
        Some(_) | None => SpanError {
            span,
            message: format!(
                "a layer needs one of {}",
                crate::snippet::alternatives(known)
            ),
            help: None,
        },
    }
}

/// Rejects a layer made by a command. Some versions of the original Maelstrom parsed such layers,
/// but none could build them.
fn command(value: DocumentNode) -> SpanError {
    match &value.value {
        crate::document::DocumentValue::List(words) if words.is_empty() => {
            value.fault("a command needs at least a program")
        }
        _ => value
            .fault("layers made by a `command` are not supported")
            .with_help(
                "run the command before the tests, and take what it makes as `paths` or `tar`",
            ),
    }
}

fn symlink(reader: &SpecReader<'_>, node: DocumentNode) -> SpecResult<SymlinkSpec> {
    let span = node.span.clone();
    let what = "a symbolic link";
    let mut table = into_table(node, what)?;
    let link = require(&mut table, "link", what, &span)?;
    let target = require(&mut table, "target", what, &span)?;
    table.finish(what, &["link", "target"])?;
    Ok(SymlinkSpec {
        link: reader.templated(link.node)?.into(),
        target: reader.templated(target.node)?.into(),
    })
}

fn strings(reader: &SpecReader<'_>, node: DocumentNode) -> SpecResult<Vec<String>> {
    let items = list(node, "an array of strings")?;
    items
        .into_iter()
        .map(|node| reader.templated(node))
        .collect()
}

fn paths(reader: &SpecReader<'_>, node: DocumentNode) -> SpecResult<Vec<PathBuf>> {
    let paths = strings(reader, node)?;
    Ok(paths.into_iter().map(PathBuf::from).collect())
}

fn glob(reader: &SpecReader<'_>, node: DocumentNode) -> SpecResult<String> {
    let span = node.span.clone();
    let pattern = reader.templated(node)?;
    match filter::glob(&pattern) {
        Ok(_) => Ok(pattern),
        Err(reason) => Err(SpanError {
            span,
            message: format!("invalid glob `{pattern}`: {reason}"),
            help: Some("write literal special characters as `\\\\*`".to_owned()),
        }),
    }
}

fn prefix_options(table: &mut DocumentTable) -> SpecResult<PrefixOptions> {
    let mut options = PrefixOptions::default();
    if let Some(field) = table.take("follow_symlinks") {
        options.links = if boolean(&field.node)? {
            SymlinkMode::Follow
        } else {
            SymlinkMode::Keep
        };
    }
    if let Some(field) = table.take("canonicalize") {
        options.form = if boolean(&field.node)? {
            PathForm::Canonical
        } else {
            PathForm::AsGiven
        };
    }
    if let Some(field) = table.take("strip_prefix") {
        options.strip_prefix = Some(text(field.node, "a string")?.into());
    }
    if let Some(field) = table.take("prepend_prefix") {
        options.prepend_prefix = Some(text(field.node, "a string")?.into());
    }
    Ok(options)
}
