//! Resolves directives to one container per test.
//!
//! Directives apply in the order of the file. Then inheritance is flattened from the test's
//! container up to a container without a parent, an image, or the runner's default container. Tests
//! to which the same directives apply share one result, so a hundred thousand tests cost as much as
//! a few.

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
use super::fixture::FixtureDefinition;
use super::policy::{PolicyFields, PolicySetting};
use super::{DEFAULT_CONTAINER, TestSpecification};

/// The resolved specification of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedSpec {
    /// The base from which the container inherits.
    pub base: ResolvedBase,
    /// The layers above those of the base, lowest first.
    pub layers: Vec<LayerSpec>,
    /// The elements of the environment that follow those of the base.
    pub environment: Vec<EnvironmentElement>,
    /// The mounts that follow those of the base.
    pub mounts: Vec<SpecifiedMount>,
    /// The scalar fields. A missing one is taken from the base, or has its default.
    pub scalars: ScalarFields,
    /// The timeout; `None` means no limit.
    pub timeout: Option<Duration>,
    /// How the test runs.
    pub policy: Arc<PolicyFields>,
    /// The fixtures that the test begins with, in the order of the file.
    pub fixtures: Vec<Arc<FixtureDefinition>>,
    /// Whether the test is reported as ignored instead of run.
    pub ignored: bool,
    /// Whether the shared libraries of the test binary are added to the container.
    pub include_shared_libraries: bool,
}

/// The base from which a test's container inherits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedBase {
    Nothing,
    /// The runner's default container.
    Default {
        /// The inherited fields. Never contains a scalar that is set already.
        inherited: InheritedFields,
    },
    Image {
        name: String,
        /// The inherited fields. Never contains a scalar that is set already.
        inherited: InheritedFields,
    },
}

impl ResolvedBase {
    /// Returns the fields that are inherited from the base.
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
    /// The runner adds a layer, such as one with the test binary.
    Some,
    None,
}

fn help_with_parent(name: &str, nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("define `{name}` among the `containers`"),
    }
}

/// Why a test's container cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
pub enum SpecError {
    /// The parent does not exist.
    #[error("{place}: there is no container `{name}`")]
    #[diagnostic(help("{}", help_with_parent(name, nearest.as_deref())))]
    UnknownParent {
        /// The position of the reference to the parent.
        place: String,
        name: String,
        /// The existing container with the most similar name.
        nearest: Option<String>,
    },
    /// A container is its own ancestor.
    #[error("{place}: the container `{name}` is its own ancestor: {}", chain.join(" → "))]
    #[diagnostic(help("let one of them do without a parent"))]
    Loop {
        /// The position of the parent that closes the loop.
        place: String,
        name: String,
        /// The names of the containers in the loop, with the first one repeated at the end.
        chain: Vec<String>,
    },
    /// The container has no layer.
    #[error("{place}: the container has no layer, so there would be nothing in it")]
    #[diagnostic(help("add `layers`, an `image`, or `parent = \"{DEFAULT_CONTAINER}\"`"))]
    NoLayer {
        /// The last directive that applied.
        place: String,
    },
    /// A combination of fields that the kernel does not allow.
    #[error("{place}: the container has a `sys` mount together with `network = \"local\"`")]
    #[diagnostic(help(
        "leave out one of the two: sysfs can be mounted only in a network namespace of one's own"
    ))]
    SysWithLocalNetwork {
        /// The last directive that applied.
        place: String,
    },
}

/// The resolved specification of one test, and the directives that led to it.
#[derive(Clone, Debug)]
pub struct SpecResolution {
    /// The directives that applied, as indices of [`TestSpecification::directives`].
    pub applied: Vec<usize>,
    /// The resulting specification.
    pub resolved: Arc<ResolvedSpec>,
}

/// Resolves the specifications of the tests of a run.
#[derive(Clone, Debug)]
pub struct SpecResolver {
    specification: TestSpecification,
    /// The configured timeout in seconds.
    timeout_s: Option<u32>,
    runner_layers: RunnerLayers,
    /// By the directives and the fixtures that apply.
    known: HashMap<[Vec<usize>; 2], Arc<ResolvedSpec>>,
}

impl SpecResolver {
    /// Creates a resolver of this specification. If `timeout_s` is set, it replaces the timeouts of
    /// directives; 0 means no limit.
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

    /// Returns the specification.
    pub fn specification(&self) -> &TestSpecification {
        &self.specification
    }

    /// Returns the specification for modification.
    pub(super) fn specification_mut(&mut self) -> &mut TestSpecification {
        &mut self.specification
    }

    /// Resolves the specification of a test, which must be fully known.
    pub fn resolve<S: FilterSubject + ?Sized>(
        &mut self,
        subject: &S,
    ) -> Result<SpecResolution, SpecError> {
        let directives = self.specification.directives.iter().enumerate();
        let applied: Vec<usize> = directives
            .filter(|(_, directive)| directive.applies_to(subject))
            .map(|(index, _)| index)
            .collect();
        let fixtures = self.specification.fixtures.iter().enumerate();
        let fixtures: Vec<usize> = fixtures
            .filter(|(_, fixture)| fixture.applies_to(subject))
            .map(|(index, _)| index)
            .collect();
        let key = [applied.clone(), fixtures];
        let resolved = match self.known.get(&key) {
            Some(resolved) => Arc::clone(resolved),
            None => {
                let resolved = Arc::new(self.apply(&key)?);
                self.known.insert(key, Arc::clone(&resolved));
                resolved
            }
        };
        Ok(SpecResolution { applied, resolved })
    }

    fn apply(&self, [applied, fixtures]: &[Vec<usize>; 2]) -> Result<ResolvedSpec, SpecError> {
        let mut container = match self.specification.describes_containers() {
            true => ContainerDefinition::default(),
            false => ContainerDefinition::by_default(),
        };
        let mut ignored = false;
        let mut policy = PolicyFields::default();
        let mut libraries = None;
        let mut place = "no directive applies";
        for directive in applied
            .iter()
            .filter_map(|index| self.specification.directives.get(*index))
        {
            place = &directive.place;
            directive.change.apply(&mut container);
            ignored = directive.ignore.unwrap_or(ignored);
            policy = directive.policy.clone().or(&policy);
            libraries = directive.include_shared_libraries.or(libraries);
        }
        policy = policy.or(&self.specification.policy);
        if let Some(seconds) = self.timeout_s {
            policy.timeout = Some(PolicySetting {
                value: (seconds > 0).then(|| Duration::from_secs(seconds.into())),
                origin: "--timeout".into(),
            });
        }
        let timeout = policy.timeout.as_ref().and_then(|setting| setting.value);
        let resolved = self.resolve_container(container, place, timeout)?;
        let known = &self.specification.fixtures;
        let fixtures = fixtures.iter().filter_map(|index| known.get(*index));
        Ok(ResolvedSpec {
            fixtures: fixtures.cloned().collect(),
            policy: Arc::new(policy),
            ignored,
            include_shared_libraries: libraries.unwrap_or(resolved.include_shared_libraries),
            ..resolved
        })
    }

    /// Resolves a container whose position in the input is `place`.
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
            policy: Arc::default(),
            fixtures: Vec::new(),
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

    /// Adds what the ancestors provide: the items of their lists before the container's own, and
    /// their scalars where no nearer container has one.
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
                    // Nothing is inherited, so it does not matter whether the parent exists.
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
        // The chain was followed from the container upward, but the items of the farthest ancestor
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

/// Fails if the parent is already one of the ancestors.
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

/// A container whose parents in the file have been resolved.
struct FlattenedContainer {
    base: ResolvedBase,
    layers: Vec<LayerSpec>,
    environment: Vec<EnvironmentElement>,
    mounts: Vec<SpecifiedMount>,
    scalars: ScalarFields,
}

/// The lists that one container of a chain contributes.
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
