//! What users write: settings, test filters, and which container each test gets.
//!
//! - [`config`]: the values that options, variables and files give a program.
//! - [`filter`]: the pattern language that selects tests.
//! - [`document`]: TOML files with source spans, so that every error names its location.
//!
//! The rest reads the test runners' TOML files:
//!
//! ```text
//! file ─read─▶ TestSpecification ─resolve(test)─▶ ResolvedSpec ─▶ the runner makes a job
//!              containers, directives             layers, environment, mounts, …; ≤ 1 image
//! ```
//!
//! - [`read`]: the file's syntax; errors have file, line and column.
//! - [`container`]: containers, inheritance, and which fields conflict.
//! - [`change`]: a directive's effect on a container.
//! - [`resolve`]: applies directives to a test and flattens inheritance.
//! - [`environment`], [`template`]: values with references.
//! - [`job`]: self-contained job descriptions, as JSON.
//! - [`explain`]: the result as an equivalent file. - [`init`]: files to start from.
//!
//! Without a file every test gets the runner's own container, see [`TestSpecification::built_in`].
//! In a file that container has the name [`DEFAULT_CONTAINER`], like any other parent.
//!
//! Pure, apart from [`init`]: it opens no file and reads no variable. Not here: the content of the
//! default container, which each runner knows, and that of images.

pub mod config;
pub mod container;
pub mod document;
pub mod environment;
pub mod explain;
pub mod filter;
pub mod init;
pub mod job;
pub mod read;
pub mod resolve;
pub mod snippet;
pub mod template;

mod change;
mod read_environment;
mod read_layer;
mod read_mount;
mod read_node;
mod reader;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::filter::{FilterSubject, TestPattern, TruthValue};
use maelstrom_layer::LayerSpec;

pub use self::container::{
    ContainerBase, ContainerDefinition, InheritedFields, ScalarFields, SpecifiedMount, ToolboxMode,
};
pub use self::explain::explain;
pub use self::read::SpecContext;
pub use self::resolve::{
    ResolvedBase, ResolvedSpec, RunnerLayers, SpecError, SpecResolution, SpecResolver,
};
pub use self::template::TemplateVariable;
pub use maelstrom_layer::{LayerSpec as Layer, SymlinkSpec};

use self::change::ContainerChange;

/// The name of the container that tests get without a file. A file's own container of that name
/// hides it.
pub const DEFAULT_CONTAINER: &str = "default";

/// A test runner's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestSpecification {
    pub containers: BTreeMap<String, ContainerDefinition>,
    /// What is done to which tests, in this order.
    pub directives: Vec<TestDirective>,
    /// Where in the file things stand.
    pub places: SpecLocations,
}

/// Where in a file things stand, for what turns out only when they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecLocations {
    layers: Vec<(LayerSpec, String)>,
    images: Vec<(String, String)>,
}

impl SpecLocations {
    /// Where a layer stands first.
    pub fn layer(&self, layer: &LayerSpec) -> Option<&str> {
        let mut layers = self.layers.iter();
        let found = layers.find(|(known, _)| known == layer);
        found.map(|(_, place)| place.as_str())
    }

    /// Where an image is named first.
    pub fn image(&self, uri: &str) -> Option<&str> {
        let mut images = self.images.iter();
        let found = images.find(|(known, _)| known == uri);
        found.map(|(_, place)| place.as_str())
    }
}

/// The variables that these elements name.
pub fn named<'e>(
    elements: impl IntoIterator<Item = &'e environment::EnvironmentElement>,
) -> BTreeSet<OsString> {
    let names = elements.into_iter().flat_map(|element| element.vars.keys());
    names.map(OsString::from).collect()
}

/// A filter, and the changes for the tests that match it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestDirective {
    /// Where it stands, for a person.
    pub place: String,
    /// Which tests; all if there is none.
    pub filter: Option<TestPattern>,
    change: ContainerChange,
    ignore: Option<bool>,
    /// Seconds; 0 is no limit.
    timeout_s: Option<u32>,
    include_shared_libraries: Option<bool>,
}

impl TestSpecification {
    /// What holds without a file: every test gets the runner's default container.
    pub fn built_in() -> TestSpecification {
        let place = "built in".to_owned();
        let base = ContainerBase::Parent {
            name: DEFAULT_CONTAINER.to_owned(),
            inherited: InheritedFields::all(),
            place: place.clone(),
        };
        let container = ContainerDefinition {
            base,
            ..ContainerDefinition::default()
        };
        TestSpecification {
            containers: BTreeMap::new(),
            directives: vec![TestDirective {
                place,
                filter: None,
                change: ContainerChange::Replace(Box::new(container)),
                ignore: None,
                timeout_s: None,
                include_shared_libraries: None,
            }],
            places: SpecLocations::default(),
        }
    }
}

impl TestSpecification {
    /// Whether any container is to do without this machine's programs.
    pub fn wants_no_toolbox(&self) -> bool {
        let absent = |scalars: &ScalarFields| scalars.toolbox == Some(ToolboxMode::Absent);
        let mut containers = self.containers.values();
        let mut directives = self.directives.iter();
        containers.any(|container| absent(&container.scalars))
            || directives.any(|directive| absent(directive.change.scalars()))
    }

    /// The variables that any environment names.
    pub fn named_variables(&self) -> BTreeSet<OsString> {
        let containers = self.containers.values();
        let containers = containers.flat_map(|container| &container.environment);
        let directives = self.directives.iter();
        let directives = directives.flat_map(|directive| directive.change.elements());
        named(containers.chain(directives))
    }
}

impl TestSpecification {
    /// Whether any layer, of which the relative paths start at `project`, may be made of something
    /// below this directory.
    pub fn layers_reach(&self, project: &Path, directory: &Path) -> bool {
        let is_below = |path: &PathBuf| project.join(path).starts_with(directory);
        let mut layers = self.places.layers.iter();
        layers.any(|(layer, _)| match layer {
            LayerSpec::Tar { path } => is_below(path),
            LayerSpec::Paths { paths, .. } => paths.iter().any(is_below),
            LayerSpec::SharedLibraryDependencies { binaries, .. } => binaries.iter().any(is_below),
            LayerSpec::Glob { pattern, .. } => {
                let literal = pattern.split(['*', '?', '[', '{', '\\']).next();
                let begins = project.join(literal.unwrap_or_default());
                let (begins, whole) = (begins.as_os_str(), directory.as_os_str());
                let (begins, whole) = (begins.as_bytes(), whole.as_bytes());
                begins.starts_with(whole) || whole.starts_with(begins)
            }
            LayerSpec::Stubs { .. } | LayerSpec::Symlinks { .. } => false,
        })
    }
}

impl TestDirective {
    /// Whether it applies to a test of which all is known.
    fn applies_to<S: FilterSubject + ?Sized>(&self, subject: &S) -> bool {
        match &self.filter {
            None => true,
            Some(filter) => filter.evaluate(subject) == TruthValue::True,
        }
    }
}
