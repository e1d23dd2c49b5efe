//! Reads what users write: settings, test filters, and the container of each test.
//!
//! - [`config`]: configuration values from options, variables and files.
//! - [`filter`]: the pattern language that selects tests. [`filterset`]: that of `cargo nextest`.
//! - [`document`]: TOML and JSON with source spans, so that every error has a location.
//!
//! The other modules read the TOML files of the test runners:
//!
//! ```text
//! file ─read─▶ TestSpecification ─resolve(test)─▶ ResolvedSpec ─▶ the runner makes a job
//!              containers, directives             layers, environment, mounts, …; ≤ 1 image
//! ```
//!
//! - [`read`]: the syntax of the file; errors have file, line and column.
//! - [`container`]: containers, inheritance, and conflicts between fields.
//! - [`change`]: a directive's effect on a container.
//! - [`fixture`]: commands that run once, before tests that need what they make.
//! - [`policy`]: how tests run: retries, limits, groups.
//! - [`profile`]: what a run uses that names a profile.
//! - [`resolve`]: applies directives to a test and flattens inheritance.
//! - [`environment`], [`template`]: values with references.
//! - [`job`]: self-contained job descriptions, as JSON. [`json_schema`]: JSON schemas of what is read.
//! - [`explain`]: prints the result as an equivalent file. [`init`]: writes initial files.
//!
//! Without a file, every test gets the runner's own container, see [`TestSpecification::built_in`].
//! Files can refer to that container by the name [`DEFAULT_CONTAINER`], like any other parent.
//!
//! Pure, apart from [`init`] and [`config::ThisProcess`]: opens no file and reads no variable. The
//! contents of the default container are defined by each runner, and images are read elsewhere.

pub mod config;
pub mod container;
pub mod document;
pub mod environment;
pub mod explain;
pub mod filter;
pub mod filterset;
pub mod fixture;
pub mod init;
pub mod job;
pub mod json_schema;
pub mod policy;
pub mod profile;
pub mod read;
pub mod read_node;
pub mod resolve;
pub mod snippet;
pub mod template;

mod change;
mod directive;
mod read_environment;
mod read_fixture;
mod read_layer;
mod read_mount;
mod reader;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::filter::TestPattern;
use maelstrom_layer::LayerSpec;

pub use self::container::{
    ContainerBase, ContainerDefinition, DEFAULT_CONTAINER, InheritedFields, ScalarFields,
    SpecifiedMount, ToolboxMode,
};
pub use self::directive::TestDirective;
pub use self::explain::explain;
pub use self::read::SpecContext;
pub use self::resolve::{
    ResolvedBase, ResolvedSpec, RunnerLayers, SpecError, SpecResolution, SpecResolver,
};
pub use self::template::TemplateVariable;
pub use maelstrom_layer::{LayerSpec as Layer, SymlinkSpec};

use self::change::ContainerChange;
use self::fixture::FixtureDefinition;
use self::policy::PolicyFields;
use self::profile::ProjectProfile;

/// The contents of a test runner's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestSpecification {
    pub containers: BTreeMap<String, ContainerDefinition>,
    /// The directives, in the order in which they apply.
    pub directives: Vec<TestDirective>,
    /// The fixtures, in the order of the file.
    pub fixtures: Vec<Arc<FixtureDefinition>>,
    /// How tests run about which no directive says it.
    pub policy: PolicyFields,
    /// The tests that run if nothing else is said; `None` means all.
    pub default_filter: Option<TestPattern>,
    /// The positions of layers and images in the file.
    pub places: SpecLocations,
}

/// The positions of layers and images in a file, for errors that occur only when they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecLocations {
    layers: Vec<(LayerSpec, String)>,
    images: Vec<(String, String)>,
}

impl SpecLocations {
    /// Returns the first position of a layer.
    pub fn layer(&self, layer: &LayerSpec) -> Option<&str> {
        let mut layers = self.layers.iter();
        let found = layers.find(|(known, _)| known == layer);
        found.map(|(_, place)| place.as_str())
    }

    /// Returns the first position of an image.
    pub fn image(&self, uri: &str) -> Option<&str> {
        let mut images = self.images.iter();
        let found = images.find(|(known, _)| known == uri);
        found.map(|(_, place)| place.as_str())
    }
}

/// Returns the names of the variables that these elements set.
pub fn named<'e>(
    elements: impl IntoIterator<Item = &'e environment::EnvironmentElement>,
) -> BTreeSet<OsString> {
    let names = elements.into_iter().flat_map(|element| element.vars.keys());
    names.map(OsString::from).collect()
}

impl TestSpecification {
    /// Returns the specification without a file: every test gets the runner's default container.
    pub fn built_in() -> TestSpecification {
        let place = "built in".to_owned();
        let container = ContainerDefinition::by_default();
        TestSpecification {
            containers: BTreeMap::new(),
            directives: vec![TestDirective {
                place,
                filter: None,
                change: ContainerChange::Replace(Box::new(container)),
                ignore: None,
                policy: PolicyFields::default(),
                include_shared_libraries: None,
            }],
            ..TestSpecification::default()
        }
    }

    /// Adds what a profile says, and the profiles from which it inherits. `chain` are these
    /// profiles, nearest first.
    fn add_profiles(&mut self, chain: &[ProjectProfile]) {
        for profile in chain.iter().rev() {
            self.directives.extend(profile.directives.iter().cloned());
            self.policy = profile.policy.clone().or(&self.policy);
            let filter = profile.filter.clone();
            self.default_filter = filter.or_else(|| self.default_filter.take());
        }
    }
}

impl TestSpecification {
    /// Returns whether any container hides this machine's programs.
    pub fn wants_no_toolbox(&self) -> bool {
        let absent = |scalars: &ScalarFields| scalars.toolbox == Some(ToolboxMode::Absent);
        let mut containers = self.containers.values();
        let mut directives = self.directives.iter();
        containers.any(|container| absent(&container.scalars))
            || directives.any(|directive| absent(directive.change.scalars()))
    }

    /// Returns whether the file says anything about containers. If it only says how tests run, they
    /// keep the default container.
    fn describes_containers(&self) -> bool {
        let mut directives = self.directives.iter();
        let changes = |directive: &TestDirective| {
            directive.include_shared_libraries.is_some() || !directive.change.is_empty()
        };
        let says_how = self.policy != PolicyFields::default()
            || self.default_filter.is_some()
            || !self.fixtures.is_empty();
        let is_empty = self.directives.is_empty() && !says_how;
        !self.containers.is_empty() || is_empty || directives.any(changes)
    }

    /// Returns the names of the variables that any environment sets.
    pub fn named_variables(&self) -> BTreeSet<OsString> {
        let containers = self.containers.values();
        let containers = containers.flat_map(|container| &container.environment);
        let directives = self.directives.iter();
        let directives = directives.flat_map(|directive| directive.change.elements());
        let fixtures = self.fixtures.iter();
        let fixtures = fixtures.flat_map(|fixture| &fixture.environment);
        named(containers.chain(directives).chain(fixtures))
    }
}

impl TestSpecification {
    /// Returns whether any layer may contain files below `directory`. Relative paths of layers
    /// start at `project`.
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

impl TestSpecification {
    /// Returns whether a filter is about the results of earlier runs.
    pub fn asks_for_past(&self) -> bool {
        let directives = self.directives.iter();
        let filters = directives.filter_map(|one| one.filter.as_ref());
        let fixtures = self.fixtures.iter();
        let fixtures = fixtures.filter_map(|one| one.filter.as_ref());
        let mut filters = filters.chain(fixtures).chain(&self.default_filter);
        filters.any(TestPattern::asks_for_past)
    }
}
