//! A directive's effect on a test's container: it replaces the container or changes some of its
//! fields.

use crate::document::SpanError;
use maelstrom_layer::LayerSpec;

use super::container::{
    ContainerDefinition, ContainerFields, InheritedFields, ListField, ScalarFields, SpecifiedMount,
};
use super::environment::EnvironmentElement;

/// A directive's effect on a test's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContainerChange {
    /// Replaces the container.
    Replace(Box<ContainerDefinition>),
    /// Changes some of its fields.
    Amend(Box<ContainerPatch>),
}

/// The fields that a directive changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ContainerPatch {
    layers: ListPatch<LayerSpec>,
    environment: ListPatch<EnvironmentElement>,
    mounts: ListPatch<SpecifiedMount>,
    scalars: ScalarFields,
}

/// The change to a list: replace it, add items, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ListPatch<T> {
    replaced_by: Option<Vec<T>>,
    added: Vec<T>,
}

impl<T> Default for ListPatch<T> {
    fn default() -> Self {
        ListPatch {
            replaced_by: None,
            added: Vec::new(),
        }
    }
}

impl<T: Clone> ListPatch<T> {
    fn of(list: ListField<T>) -> ListPatch<T> {
        ListPatch {
            replaced_by: list.plain.map(|plain| plain.value),
            added: list.added.map_or(Vec::new(), |added| added.value),
        }
    }

    fn apply(&self, own: &mut Vec<T>) {
        if let Some(list) = &self.replaced_by {
            own.clone_from(list);
        }
        own.extend(self.added.iter().cloned());
    }
}

impl ContainerChange {
    /// Returns the scalar fields that the change sets.
    pub(super) fn scalars(&self) -> &ScalarFields {
        match self {
            ContainerChange::Replace(container) => &container.scalars,
            ContainerChange::Amend(amendment) => &amendment.scalars,
        }
    }

    /// Returns whether the container stays as it is.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            ContainerChange::Replace(_) => false,
            ContainerChange::Amend(patch) => **patch == ContainerPatch::default(),
        }
    }

    /// Returns the environment elements in the change.
    pub(super) fn elements(&self) -> Vec<&EnvironmentElement> {
        match self {
            ContainerChange::Replace(container) => container.environment.iter().collect(),
            ContainerChange::Amend(amendment) => {
                let ListPatch { replaced_by, added } = &amendment.environment;
                replaced_by.iter().flatten().chain(added).collect()
            }
        }
    }

    /// Applies the change to a container.
    pub(super) fn apply(&self, container: &mut ContainerDefinition) {
        match self {
            ContainerChange::Replace(other) => container.clone_from(other),
            ContainerChange::Amend(amendment) => {
                amendment.layers.apply(&mut container.layers);
                amendment.environment.apply(&mut container.environment);
                amendment.mounts.apply(&mut container.mounts);
                let before = std::mem::take(&mut container.scalars);
                container.scalars = amendment
                    .scalars
                    .clone()
                    .or(&before, InheritedFields::all());
            }
        }
    }
}

impl ContainerFields {
    /// Converts the fields of a directive to its effect.
    pub(super) fn into_change(self) -> Result<ContainerChange, SpanError> {
        if self.image.is_some() || self.parent.is_some() {
            return self
                .into_container()
                .map(Box::new)
                .map(ContainerChange::Replace);
        }
        Ok(ContainerChange::Amend(Box::new(ContainerPatch {
            layers: ListPatch::of(self.layers),
            environment: ListPatch::of(self.environment),
            mounts: ListPatch::of(self.mounts),
            scalars: self.scalars,
        })))
    }
}
