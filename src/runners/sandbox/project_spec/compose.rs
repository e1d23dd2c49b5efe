//! Composes a test's container from its specification: the base, its layers and its mounts.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sandbox::container::HOSTNAME;
use crate::sandbox::environment::go_online;
use crate::sandbox::invocation::ProcessEnvironment;
use maelstrom_engine::layer_cache::{CachedImage, ImageProgressCallback, LayerCacheError};
use maelstrom_engine::libraries::own_libraries;
use maelstrom_model::event::IsolationMode;
use maelstrom_model::job::{
    BindAccess, ContainerSpec, Mount, MountKind, NetworkMode, PrivilegeLevel, RootAccess, RootKind,
};
use maelstrom_spec::environment::expand;
use maelstrom_spec::{
    InheritedFields, Layer, ResolvedBase, ResolvedSpec, SpecResolution, ToolboxMode,
};

use super::local_network;
use super::mount_points::{check_hidden, check_mounts};
use super::stub::escaped;
use super::{
    DefaultContainer, ProjectSpec, ProjectSpecError, RunOrIgnore, RunnerProgram, TestContainer,
    ToolboxUse,
};

/// The base of a container, with its image fetched.
enum PreparedBase<'a> {
    Nothing,
    Default(&'a Arc<ContainerSpec>),
    Image(CachedImage),
}

impl ProjectSpec {
    /// Returns the container of a test, from its resolved specification.
    pub async fn give(
        &self,
        resolution: &SpecResolution,
        standard: &DefaultContainer,
        watcher: &dyn Fn(&str) -> ImageProgressCallback,
    ) -> Result<TestContainer, ProjectSpecError> {
        let place = self.place(resolution);
        self.give_resolved(&resolution.resolved, &place, standard, watcher)
            .await
    }

    /// Returns the container of a job, from its resolved specification. `place` is the place of the
    /// specification in its file, for error messages.
    pub async fn give_resolved(
        &self,
        resolved: &ResolvedSpec,
        place: &str,
        standard: &DefaultContainer,
        watcher: &dyn Fn(&str) -> ImageProgressCallback,
    ) -> Result<TestContainer, ProjectSpecError> {
        let given = TestContainer {
            container: Arc::clone(&standard.container),
            environment: Arc::clone(&standard.environment),
            working_directory: Arc::clone(&standard.working_directory),
            program: None,
            timeout: resolved.timeout,
            policy: Arc::clone(&resolved.policy),
            attention: match resolved.ignored {
                true => RunOrIgnore::Ignore,
                false => RunOrIgnore::Run,
            },
            unavailable: None,
        };
        match (self.isolation, given.attention) {
            (IsolationMode::Container, RunOrIgnore::Run) => {}
            // Without a container or without a run, nothing uses these fields.
            (IsolationMode::Process, _) | (_, RunOrIgnore::Ignore) => return Ok(given),
        }
        let base = self.base(resolved, standard, place, watcher).await?;
        let environment = self.environment(resolved, &base, standard, place)?;
        let working_directory = working_directory(resolved, &base, standard);
        let (container, program) = self.container(resolved, &base, standard, place).await?;
        Ok(TestContainer {
            container,
            environment,
            working_directory,
            program,
            ..given
        })
    }

    async fn base<'a>(
        &self,
        resolved: &ResolvedSpec,
        standard: &'a DefaultContainer,
        place: &str,
        watcher: &dyn Fn(&str) -> ImageProgressCallback,
    ) -> Result<PreparedBase<'a>, ProjectSpecError> {
        match (&resolved.base, resolved.scalars.toolbox) {
            (ResolvedBase::Nothing | ResolvedBase::Image { .. }, Some(ToolboxMode::Present)) => {
                Err(ProjectSpecError::Toolbox {
                    place: place.to_owned(),
                })
            }
            (ResolvedBase::Nothing, None | Some(ToolboxMode::Absent)) => Ok(PreparedBase::Nothing),
            (ResolvedBase::Default { .. }, Some(ToolboxMode::Absent)) => Ok(PreparedBase::Default(
                standard
                    .without_toolbox
                    .as_ref()
                    .unwrap_or(&standard.container),
            )),
            (ResolvedBase::Default { .. }, None | Some(ToolboxMode::Present)) => {
                self.toolbox.set(ToolboxUse::Used);
                Ok(PreparedBase::Default(&standard.container))
            }
            (ResolvedBase::Image { name, .. }, None | Some(ToolboxMode::Absent)) => {
                let image = self.materials.image(name, &watcher(name)).await;
                let image = image.map_err(|source| {
                    let known = self.resolver.borrow();
                    let exact = known.specification().places.image(name);
                    ProjectSpecError::Material {
                        place: exact.unwrap_or(place).to_owned(),
                        what: format!("the image `{name}` is not available"),
                        source: Box::new(source),
                    }
                })?;
                Ok(PreparedBase::Image(image))
            }
        }
    }

    fn environment(
        &self,
        resolved: &ResolvedSpec,
        base: &PreparedBase<'_>,
        standard: &DefaultContainer,
        place: &str,
    ) -> Result<Arc<ProcessEnvironment>, ProjectSpecError> {
        let inherits = resolved
            .base
            .inherited()
            .contains(InheritedFields::ENVIRONMENT);
        let is_local = resolved.scalars.network == Some(NetworkMode::Local);
        let start = match base {
            PreparedBase::Default(_)
                if inherits && resolved.environment.is_empty() && !is_local =>
            {
                // Must be the same `Arc`: the pytest runner compares addresses to find tests that
                // can share a process.
                return Ok(Arc::clone(&standard.environment));
            }
            PreparedBase::Default(_) if inherits => {
                let mut start = ProcessEnvironment::clone(&standard.environment);
                if is_local {
                    go_online(&mut start, &self.client);
                }
                start
            }
            PreparedBase::Image(image) if inherits => {
                let own = |(name, value): (&String, &String)| (name.into(), value.into());
                image.environment.iter().map(own).collect()
            }
            PreparedBase::Nothing | PreparedBase::Default(_) | PreparedBase::Image(_) => {
                ProcessEnvironment::new()
            }
        };
        let client = |name: &str| self.client.get(std::ffi::OsStr::new(name)).cloned();
        let client: &dyn Fn(&str) -> Option<OsString> = &client;
        let expanded = expand(&resolved.environment, start, client);
        let expanded = expanded.map_err(|source| ProjectSpecError::Environment {
            place: place.to_owned(),
            source,
        })?;
        Ok(Arc::new(expanded))
    }

    /// Returns the container, and the path of the runner's program in it if that differs from the
    /// default.
    async fn container(
        &self,
        resolved: &ResolvedSpec,
        base: &PreparedBase<'_>,
        standard: &DefaultContainer,
        place: &str,
    ) -> Result<(Arc<ContainerSpec>, Option<PathBuf>), ProjectSpecError> {
        if let PreparedBase::Default(container) = base
            && changes_nothing(resolved)
        {
            return Ok((Arc::clone(container), None));
        }
        let mut own = Vec::new();
        for layer in &resolved.layers {
            own.push(self.layer(layer, place).await?);
        }
        let inherited = resolved.base.inherited();
        let shows_host =
            matches!(base, PreparedBase::Default(_)) && inherited.contains(InheritedFields::LAYERS);
        let mut mounts = inherited_mounts(resolved, base);
        if shows_host {
            check_hidden(&own, base_root(base), &mounts, place)?;
        }
        let mut program = None;
        if let Some(brought) = standard.program.as_ref().filter(|_| !shows_host) {
            own.extend(self.program_layers(resolved, brought, place).await?);
            let mount_point = Path::new("/").join(&brought.name);
            let (source, access) = (brought.source.clone(), BindAccess::ReadOnly);
            let kind = MountKind::Bind { source, access };
            program = Some(mount_point.clone());
            mounts.push(Mount { mount_point, kind });
        }
        if resolved.scalars.network == Some(NetworkMode::Local) {
            let names = match base {
                PreparedBase::Nothing => Vec::new(),
                PreparedBase::Image(_) => {
                    let names = local_network::names_in_image(&own);
                    own.push(self.layer(&local_network::stubs(&names), place).await?);
                    names
                }
                PreparedBase::Default(_) if shows_host => local_network::names_in_default(&own),
                PreparedBase::Default(_) => Vec::new(),
            };
            mounts.extend(names);
        }
        let root = self.root(resolved, base, own, place).await?;
        check_mounts(&root, &mounts, &resolved.mounts, place)?;
        mounts.extend(resolved.mounts.iter().map(|own| own.mount.clone()));
        let (user, group) = match base {
            PreparedBase::Default(container) => (
                Some(container.user).filter(|_| inherited.contains(InheritedFields::USER)),
                Some(container.group).filter(|_| inherited.contains(InheritedFields::GROUP)),
            ),
            PreparedBase::Nothing | PreparedBase::Image(_) => (None, None),
        };
        let container = ContainerSpec {
            root,
            mounts,
            network: resolved.scalars.network.unwrap_or(NetworkMode::Loopback),
            hostname: HOSTNAME.to_owned(),
            user: resolved.scalars.user.or(user).unwrap_or(0),
            group: resolved.scalars.group.or(group).unwrap_or(0),
            privileges: resolved
                .scalars
                .privileges
                .unwrap_or(PrivilegeLevel::Ordinary),
            services: Vec::new(),
            devices: Vec::new(),
        };
        match container.privileges {
            PrivilegeLevel::Ordinary => {}
            PrivilegeLevel::Full => self.privileges.set(PrivilegeLevel::Full),
        }
        Ok((Arc::new(container), program))
    }

    async fn layer(&self, layer: &Layer, place: &str) -> Result<PathBuf, ProjectSpecError> {
        let made = self.materials.layer(layer).await;
        made.map_err(|source| {
            let known = self.resolver.borrow();
            let exact = known.specification().places.layer(layer);
            material(exact.unwrap_or(place), "the layer cannot be made", source)
        })
    }

    /// Creates the layers for the runner's program: an empty file as its mount point, and the
    /// shared libraries that it needs.
    async fn program_layers(
        &self,
        resolved: &ResolvedSpec,
        program: &RunnerProgram,
        place: &str,
    ) -> Result<Vec<PathBuf>, ProjectSpecError> {
        let stub = Layer::Stubs {
            // The name is literal: no brace expansion.
            stubs: vec![escaped(&program.name)],
        };
        let mut layers = vec![stub];
        if resolved.include_shared_libraries {
            layers.push(own_libraries(program.source.clone()));
        }
        let mut made = Vec::new();
        for layer in layers {
            let tree = self.materials.layer(&layer).await;
            let failed = |source| material(place, "the test binary has no place", source);
            made.push(tree.map_err(failed)?);
        }
        Ok(made)
    }

    async fn root(
        &self,
        resolved: &ResolvedSpec,
        base: &PreparedBase<'_>,
        own: Vec<PathBuf>,
        place: &str,
    ) -> Result<RootKind, ProjectSpecError> {
        let inherits = resolved.base.inherited().contains(InheritedFields::LAYERS);
        let access = resolved.scalars.root_access;
        let mut trees = match base {
            PreparedBase::Default(container) if inherits => match &container.root {
                RootKind::Skeleton(entries) => {
                    // The skeleton is writable for user 0, unless the specification sets the access
                    // to the root.
                    if own.is_empty() && access.is_none() {
                        return Ok(container.root.clone());
                    }
                    let tree = self.materials.skeleton(entries).await;
                    let failed = |source| material(place, "the default root is not there", source);
                    vec![tree.map_err(failed)?]
                }
                RootKind::Layers { trees, .. } => trees.clone(),
            },
            PreparedBase::Image(image) if inherits => image.trees.clone(),
            PreparedBase::Nothing | PreparedBase::Default(_) | PreparedBase::Image(_) => Vec::new(),
        };
        trees.extend(own);
        Ok(RootKind::Layers {
            trees,
            access: access.unwrap_or(RootAccess::ReadOnly),
        })
    }
}

fn material(place: &str, what: &str, source: LayerCacheError) -> ProjectSpecError {
    ProjectSpecError::Material {
        place: place.to_owned(),
        what: what.to_owned(),
        source: Box::new(source),
    }
}

/// Returns whether the specification leaves the default container unchanged.
fn changes_nothing(resolved: &ResolvedSpec) -> bool {
    let scalars = &resolved.scalars;
    let needed = InheritedFields::LAYERS
        | InheritedFields::MOUNTS
        | InheritedFields::NETWORK
        | InheritedFields::USER
        | InheritedFields::GROUP
        | InheritedFields::ROOT_ACCESS
        | InheritedFields::PRIVILEGES;
    resolved.base.inherited().contains(needed)
        && resolved.layers.is_empty()
        && resolved.mounts.is_empty()
        && scalars.network.is_none()
        && scalars.root_access.is_none()
        && scalars.user.is_none()
        && scalars.group.is_none()
        && scalars.privileges.is_none()
}

fn base_root<'a>(base: &'a PreparedBase<'_>) -> Option<&'a RootKind> {
    match base {
        PreparedBase::Default(container) => Some(&container.root),
        PreparedBase::Nothing | PreparedBase::Image(_) => None,
    }
}

/// Returns the mounts inherited from the default container. Those of sources and programs are
/// inherited along with its layers.
fn inherited_mounts(resolved: &ResolvedSpec, base: &PreparedBase<'_>) -> Vec<Mount> {
    let PreparedBase::Default(container) = base else {
        return Vec::new();
    };
    let inherited = resolved.base.inherited();
    let is_local = resolved.scalars.network == Some(NetworkMode::Local);
    let is_read_only = resolved.scalars.root_access == Some(RootAccess::ReadOnly);
    let lent = |mount: &Mount| match &mount.kind {
        MountKind::Bind { .. } | MountKind::Overlay { .. } | MountKind::Mask => {
            inherited.contains(InheritedFields::LAYERS)
        }
        // sysfs shows the devices of a network namespace, which must be the container's own.
        MountKind::Sys { .. } => inherited.contains(InheritedFields::MOUNTS) && !is_local,
        MountKind::Scratch { .. }
        | MountKind::Device(_)
        | MountKind::DevPts
        | MountKind::MessageQueue
        | MountKind::Proc
        | MountKind::Tmp => inherited.contains(InheritedFields::MOUNTS),
    };
    let frozen = |mount: &Mount| match &mount.kind {
        MountKind::Overlay { source } if is_read_only => Mount {
            mount_point: mount.mount_point.clone(),
            kind: MountKind::Bind {
                source: source.clone(),
                access: BindAccess::ReadOnly,
            },
        },
        _ => mount.clone(),
    };
    container
        .mounts
        .iter()
        .filter(|mount| lent(mount))
        .map(frozen)
        .collect()
}

fn working_directory(
    resolved: &ResolvedSpec,
    base: &PreparedBase<'_>,
    standard: &DefaultContainer,
) -> Arc<Path> {
    if let Some(own) = &resolved.scalars.working_directory {
        return own.as_path().into();
    }
    let inherits = resolved
        .base
        .inherited()
        .contains(InheritedFields::WORKING_DIRECTORY);
    let inherited = match base {
        PreparedBase::Default(_) if inherits => Some(Cow::Borrowed(&*standard.working_directory)),
        PreparedBase::Image(image) if inherits => image.working_directory.clone().map(Cow::Owned),
        PreparedBase::Nothing | PreparedBase::Default(_) | PreparedBase::Image(_) => None,
    };
    inherited.map_or_else(|| Path::new("/").into(), |directory| (&*directory).into())
}
