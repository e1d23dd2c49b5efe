//! The state that all readers of a file share: the document, the runner's template variables, and
//! the positions of what was read.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use crate::document::{DocumentNode, SpanError, TextDocument};
use crate::filter::PatternVocabulary;

use super::SpecLocations;
use super::policy::read::TestGroups;
use super::read_node::{SpecResult, text};
use super::template::{TemplateVariable, expand};

/// The context in which a file is read.
#[derive(Clone, Copy, Debug)]
pub struct SpecContext<'a> {
    /// The words of the runner's patterns.
    pub vocabulary: &'static PatternVocabulary,
    /// The absolute path of the project directory, at which relative paths start.
    pub project: &'a Path,
    /// The template variables of the runner.
    pub variables: &'a [TemplateVariable],
}

/// Reads one document.
pub(super) struct SpecReader<'a> {
    pub(super) document: &'a TextDocument,
    pub(super) context: &'a SpecContext<'a>,
    pub(super) places: RefCell<SpecLocations>,
    /// The test groups, which are read before anything that names one.
    pub(super) test_groups: RefCell<TestGroups>,
}

impl<'a> SpecReader<'a> {
    pub(super) fn new(document: &'a TextDocument, context: &'a SpecContext<'a>) -> SpecReader<'a> {
        SpecReader {
            document,
            context,
            places: RefCell::default(),
            test_groups: RefCell::default(),
        }
    }

    /// Records the position of a layer or an image.
    pub(super) fn noted<T: PartialEq + Clone>(
        &self,
        span: &Range<usize>,
        thing: &T,
        kind: fn(&mut SpecLocations) -> &mut Vec<(T, String)>,
    ) {
        let place = self.document.place(span);
        kind(&mut self.places.borrow_mut()).push((thing.clone(), place));
    }

    /// Reads a path of a layer and expands its template variables.
    pub(super) fn templated(&self, node: DocumentNode) -> SpecResult<String> {
        let span = node.span.clone();
        let written = text(node, "a string")?;
        expand(&written, self.context.variables).map_err(|error| {
            let names: Vec<&str> = self
                .context
                .variables
                .iter()
                .map(|known| known.name)
                .collect();
            let help = match names.as_slice() {
                [] => format!("to mean the text itself, write `<<{}>`", error.name),
                names => format!(
                    "there is `<{}>`; to mean the text itself, write `<<{}>`",
                    names.join(">`, `<"),
                    error.name
                ),
            };
            SpanError {
                span,
                message: error.to_string(),
                help: Some(help),
            }
        })
    }
}
