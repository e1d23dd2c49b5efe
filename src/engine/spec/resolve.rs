//! Resolves directives to one container per test.
//!
//! Directives apply in the order of the file; then inheritance is flattened from the test's
//! container up to a container without a parent, an image, or the runner's default. Tests to which
//! the same directives apply share one result, so a hundred thousand tests cost as much as a few.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use miette::Diagnostic;

use crate::filter::FilterSubject;
use crate::snippet::nearest;
use maelstrom_container::spec::{MountKind, NetworkMode};
use maelstrom_layer::LayerSpec;

use super::container::{
    ContainerBase, ContainerDefinition, InheritedFields, ScalarFields, SpecifiedMount,
};
use super::environment::EnvironmentElement;
use super::{DEFAULT_CONTAINER, TestSpecification};

/// What a test gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedSpec {
    /// What its container begins with.
    pub base: ResolvedBase,
    /// Layers above the base's, lowest first.
    pub layers: Vec<LayerSpec>,
    /// Elements of the environment after the base's.
    pub environment: Vec<EnvironmentElement>,
    /// Mounts after the base's.
    pub mounts: Vec<SpecifiedMount>,
    /// Fields of one value; where there is none, the base's or the usual holds.
    pub scalars: ScalarFields,
    /// How long it may run; as long as it likes if `None`.
    pub timeout: Option<Duration>,
    /// Whether it is only reported.
    pub ignored: bool,
    /// Whether the shared libraries of the test binary are put into the container.
    pub include_shared_libraries: bool,
}

/// What a test's container begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedBase {
    Nothing,
    /// The runner's default container.
    Default {
        /// What is taken over: never a scalar that is set already.
        inherited: InheritedFields,
    },
    Image {
        name: String,
        /// What is taken over: never a scalar that is set already.
        inherited: InheritedFields,
    },
}

impl ResolvedBase {
    /// What is taken over from it.
    pub fn inherited(&self) -> InheritedFields {
        match self {
            ResolvedBase::Nothing => InheritedFields::empty(),
            ResolvedBase::Default { inherited } | ResolvedBase::Image { inherited, .. } => {
                *inherited
            }
        }
    }
}

/// Whether the runner itself adds a layer to every test's container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerLayers {
    /// It does: the test binary, say.
    Some,
    None,
}

fn help_with_parent(name: &str, nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("define `{name}` among the `containers`"),
    }
}

/// Why there is no container for a test.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
pub enum SpecError {
    /// A parent that is not there.
    #[error("{place}: there is no container `{name}`")]
    #[diagnostic(help("{}", help_with_parent(name, nearest.as_deref())))]
    UnknownParent {
        /// Where it is named.
        place: String,
        name: String,
        /// The container that was probably meant.
        nearest: Option<String>,
    },
    /// A container that is its own ancestor.
    #[error("{place}: the container `{name}` is its own ancestor: {}", chain.join(" → "))]
    #[diagnostic(help("let one of them do without a parent"))]
    Loop {
        /// Where the parent is named that closes the circle.
        place: String,
        name: String,
        /// From the container back to itself.
        chain: Vec<String>,
    },
    /// A container of nothing.
    #[error("{place}: the container has no layer, so there would be nothing in it")]
    #[diagnostic(help("add `layers`, an `image`, or `parent = \"{DEFAULT_CONTAINER}\"`"))]
    NoLayer {
        /// The directive that applied last.
        place: String,
    },
    /// What the kernel does not allow.
    #[error("{place}: the container has a `sys` mount together with `network = \"local\"`")]
    #[diagnostic(help(
        "leave out one of the two: sysfs can be mounted only in a network namespace of one's own"
    ))]
    SysWithLocalNetwork {
        /// The directive that applied last.
        place: String,
    },
}

/// The container of one test, and the directives that led to it.
#[derive(Clone, Debug)]
pub struct SpecResolution {
    /// The directives that applied, by their places in [`TestSpecification::directives`].
    pub applied: Vec<usize>,
    /// What came of them.
    pub resolved: Arc<ResolvedSpec>,
}

/// Resolves the tests of a run.
#[derive(Clone, Debug)]
pub struct SpecResolver {
    specification: TestSpecification,
    /// The configuration value, in seconds.
    timeout_s: Option<u32>,
    runner_layers: RunnerLayers,
    known: HashMap<Vec<usize>, Arc<ResolvedSpec>>,
}

impl SpecResolver {
    /// Resolves by this specification. A `timeout_s`, if there is one, replaces what directives
    /// say; 0 is no limit.
    pub fn new(
        specification: TestSpecification,
        timeout_s: Option<u32>,
        runner_layers: RunnerLayers,
    ) -> SpecResolver {
        SpecResolver {
            specification,
            timeout_s,
            runner_layers,
            known: HashMap::new(),
        }
    }

    /// The specification.
    pub fn specification(&self) -> &TestSpecification {
        &self.specification
    }

    /// The specification, to be added to.
    pub(super) fn specification_mut(&mut self) -> &mut TestSpecification {
        &mut self.specification
    }

    /// What a test gets. All of the test must be known.
    pub fn resolve<S: FilterSubject + ?Sized>(
        &mut self,
        subject: &S,
    ) -> Result<SpecResolution, SpecError> {
        let directives = self.specification.directives.iter().enumerate();
        let applied: Vec<usize> = directives
            .filter(|(_, directive)| directive.applies_to(subject))
            .map(|(index, _)| index)
            .collect();
        let resolved = match self.known.get(&applied) {
            Some(resolved) => Arc::clone(resolved),
            None => {
                let resolved = Arc::new(self.apply(&applied)?);
                self.known.insert(applied.clone(), Arc::clone(&resolved));
                resolved
            }
        };
        Ok(SpecResolution { applied, resolved })
    }

    fn apply(&self, applied: &[usize]) -> Result<ResolvedSpec, SpecError> {
        let mut container = ContainerDefinition::default();
        let mut ignored = false;
        let mut timeout_s = None;
        let mut libraries = None;
        let mut place = "no directive applies";
        for directive in applied
            .iter()
            .filter_map(|index| self.specification.directives.get(*index))
        {
            place = &directive.place;
            directive.change.apply(&mut container);
            ignored = directive.ignore.unwrap_or(ignored);
            timeout_s = directive.timeout_s.or(timeout_s);
            libraries = directive.include_shared_libraries.or(libraries);
        }
        let timeout_s = self.timeout_s.or(timeout_s).filter(|seconds| *seconds > 0);
        let timeout = timeout_s.map(|seconds| Duration::from_secs(seconds.into()));
        let resolved = self.resolve_container(container, place, timeout)?;
        Ok(ResolvedSpec {
            ignored,
            include_shared_libraries: libraries.unwrap_or(resolved.include_shared_libraries),
            ..resolved
        })
    }

    /// What comes of one container, which stands or was made at this place.
    pub fn resolve_container(
        &self,
        container: ContainerDefinition,
        place: &str,
        timeout: Option<Duration>,
    ) -> Result<ResolvedSpec, SpecError> {
        let collapsed = self.collapse(container)?;
        self.check(&collapsed, place)?;
        let from_image = match &collapsed.base {
            ResolvedBase::Image { inherited, .. } => inherited.contains(InheritedFields::LAYERS),
            ResolvedBase::Nothing | ResolvedBase::Default { .. } => false,
        };
        Ok(ResolvedSpec {
            base: collapsed.base,
            layers: collapsed.layers,
            environment: collapsed.environment,
            mounts: collapsed.mounts,
            scalars: collapsed.scalars,
            timeout,
            ignored: false,
            include_shared_libraries: !from_image,
        })
    }

    fn check(&self, collapsed: &FlattenedContainer, place: &str) -> Result<(), SpecError> {
        let place = place.to_owned();
        let base_layers = collapsed.base.inherited().contains(InheritedFields::LAYERS);
        if collapsed.layers.is_empty() && !base_layers && self.runner_layers == RunnerLayers::None {
            return Err(SpecError::NoLayer { place });
        }
        let is_sys = |own: &SpecifiedMount| matches!(own.mount.kind, MountKind::Sys { .. });
        if collapsed.scalars.network == Some(NetworkMode::Local)
            && collapsed.mounts.iter().any(is_sys)
        {
            return Err(SpecError::SysWithLocalNetwork { place });
        }
        Ok(())
    }

    /// Takes over what ancestors have: their lists' entries before the container's own, and their
    /// scalars where nothing nearer has one.
    fn collapse(&self, container: ContainerDefinition) -> Result<FlattenedContainer, SpecError> {
        let mut lists = vec![InheritedLists::of(&container, InheritedFields::all())];
        let mut scalars = container.scalars;
        let mut inherited = InheritedFields::all();
        let mut next = &container.base;
        let mut chain: Vec<&str> = Vec::new();
        let base = loop {
            match next {
                ContainerBase::Nothing => break ResolvedBase::Nothing,
                ContainerBase::Image {
                    name,
                    inherited: uses,
                } => {
                    break ResolvedBase::Image {
                        name: name.clone(),
                        inherited: (inherited & *uses) - scalars.set(),
                    };
                }
                ContainerBase::Parent {
                    name,
                    inherited: uses,
                    place,
                } => {
                    inherited &= *uses;
                    // Nothing is taken over, so it does not matter what the parent is, or whether
                    // there is one.
                    if inherited.is_empty() {
                        break ResolvedBase::Nothing;
                    }
                    let Some(parent) = self.specification.containers.get(name) else {
                        if name == DEFAULT_CONTAINER {
                            let inherited = inherited - scalars.set();
                            break ResolvedBase::Default { inherited };
                        }
                        return Err(self.unknown_parent(name, place));
                    };
                    check_loop(&mut chain, name, place)?;
                    lists.push(InheritedLists::of(parent, inherited));
                    scalars = scalars.or(&parent.scalars, inherited);
                    next = &parent.base;
                }
            }
        };
        let base = if base.inherited().is_empty() {
            ResolvedBase::Nothing
        } else {
            base
        };
        // The chain was followed from the container upward, and the farthest ancestor's entries
        // come first.
        lists.reverse();
        let mut collapsed = FlattenedContainer {
            base,
            layers: Vec::new(),
            environment: Vec::new(),
            mounts: Vec::new(),
            scalars,
        };
        for list in lists {
            collapsed.layers.extend(list.layers);
            collapsed.environment.extend(list.environment);
            collapsed.mounts.extend(list.mounts);
        }
        Ok(collapsed)
    }

    fn unknown_parent(&self, name: &str, place: &str) -> SpecError {
        let known = self.specification.containers.keys().map(String::as_str);
        let nearest = nearest(name, known.chain([DEFAULT_CONTAINER]));
        SpecError::UnknownParent {
            place: place.to_owned(),
            name: name.to_owned(),
            nearest: nearest.map(str::to_owned),
        }
    }
}

/// Refuses a parent that is an ancestor already.
fn check_loop<'a>(chain: &mut Vec<&'a str>, name: &'a str, place: &str) -> Result<(), SpecError> {
    if let Some(start) = chain.iter().position(|ancestor| *ancestor == name) {
        let circle = chain.iter().skip(start).chain([&name]);
        return Err(SpecError::Loop {
            place: place.to_owned(),
            name: name.to_owned(),
            chain: circle.map(|name| (*name).to_owned()).collect(),
        });
    }
    chain.push(name);
    Ok(())
}

/// A container without a parent of the file.
struct FlattenedContainer {
    base: ResolvedBase,
    layers: Vec<LayerSpec>,
    environment: Vec<EnvironmentElement>,
    mounts: Vec<SpecifiedMount>,
    scalars: ScalarFields,
}

/// What one container of a chain has to give.
struct InheritedLists {
    layers: Vec<LayerSpec>,
    environment: Vec<EnvironmentElement>,
    mounts: Vec<SpecifiedMount>,
}

impl InheritedLists {
    fn of(container: &ContainerDefinition, inherited: InheritedFields) -> InheritedLists {
        fn taken<T: Clone>(
            list: &[T],
            inherited: InheritedFields,
            flag: InheritedFields,
        ) -> Vec<T> {
            if inherited.contains(flag) {
                list.to_vec()
            } else {
                Vec::new()
            }
        }
        InheritedLists {
            layers: taken(&container.layers, inherited, InheritedFields::LAYERS),
            environment: taken(
                &container.environment,
                inherited,
                InheritedFields::ENVIRONMENT,
            ),
            mounts: taken(&container.mounts, inherited, InheritedFields::MOUNTS),
        }
    }
}
