//! From what a file says about a test to its container: the base, the layers upon it, the mounts.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sandbox::container::HOSTNAME;
use crate::sandbox::environment::go_online;
use crate::sandbox::invocation::Variables;
use maelstrom_engine::libraries::own_libraries;
use maelstrom_engine::materials::{ImageMaterial, MaterialError, Watcher};
use maelstrom_model::event::Isolation;
use maelstrom_model::job::{
    BindAccess, ContainerSpec, Mount, MountKind, Network, Privileges, Root, RootAccess,
};
use maelstrom_spec::environment::expand;
use maelstrom_spec::{Inherited, Layer, Resolution, Resolved, ResolvedBase, Toolbox};

use super::local_network;
use super::mount_points::{check_hidden, check_mounts};
use super::{Attention, Given, OwnProgram, Specified, SpecifiedError, Standard, ToolboxUse};

/// What a container begins with, at hand.
enum Base<'a> {
    Nothing,
    Default(&'a Arc<ContainerSpec>),
    Image(ImageMaterial),
}

impl Specified {
    /// What a test gets of which this was resolved.
    pub async fn give(
        &self,
        resolution: &Resolution,
        standard: &Standard,
        watcher: &dyn Fn(&str) -> Watcher,
    ) -> Result<Given, SpecifiedError> {
        let place = self.place(resolution);
        self.give_resolved(&resolution.resolved, &place, standard, watcher)
            .await
    }

    /// What a job gets of which this was resolved, and which stands at this place.
    pub async fn give_resolved(
        &self,
        resolved: &Resolved,
        place: &str,
        standard: &Standard,
        watcher: &dyn Fn(&str) -> Watcher,
    ) -> Result<Given, SpecifiedError> {
        let given = Given {
            container: Arc::clone(&standard.container),
            environment: Arc::clone(&standard.environment),
            working_directory: Arc::clone(&standard.working_directory),
            program: None,
            timeout: resolved.timeout,
            attention: match resolved.ignored {
                true => Attention::Ignore,
                false => Attention::Run,
            },
        };
        match (self.isolation, given.attention) {
            (Isolation::Container, Attention::Run) => {}
            // Nothing will look at its container.
            (Isolation::Process, _) | (_, Attention::Ignore) => return Ok(given),
        }
        let base = self.base(resolved, standard, place, watcher).await?;
        let environment = self.environment(resolved, &base, standard, place)?;
        let working_directory = working_directory(resolved, &base, standard);
        let (container, program) = self.container(resolved, &base, standard, place).await?;
        Ok(Given {
            container,
            environment,
            working_directory,
            program,
            ..given
        })
    }

    async fn base<'a>(
        &self,
        resolved: &Resolved,
        standard: &'a Standard,
        place: &str,
        watcher: &dyn Fn(&str) -> Watcher,
    ) -> Result<Base<'a>, SpecifiedError> {
        match (&resolved.base, resolved.scalars.toolbox) {
            (ResolvedBase::Nothing | ResolvedBase::Image { .. }, Some(Toolbox::Present)) => {
                Err(SpecifiedError::Toolbox {
                    place: place.to_owned(),
                })
            }
            (ResolvedBase::Nothing, None | Some(Toolbox::Absent)) => Ok(Base::Nothing),
            (ResolvedBase::Default { .. }, Some(Toolbox::Absent)) => Ok(Base::Default(
                standard
                    .without_toolbox
                    .as_ref()
                    .unwrap_or(&standard.container),
            )),
            (ResolvedBase::Default { .. }, None | Some(Toolbox::Present)) => {
                self.toolbox.set(ToolboxUse::Used);
                Ok(Base::Default(&standard.container))
            }
            (ResolvedBase::Image { name, .. }, None | Some(Toolbox::Absent)) => {
                let image = self.materials.image(name, &watcher(name)).await;
                let image = image.map_err(|source| {
                    let known = self.resolver.borrow();
                    let exact = known.specification().places.image(name);
                    SpecifiedError::Material {
                        place: exact.unwrap_or(place).to_owned(),
                        what: format!("the image `{name}` is not to be had"),
                        source: Box::new(source),
                    }
                })?;
                Ok(Base::Image(image))
            }
        }
    }

    fn environment(
        &self,
        resolved: &Resolved,
        base: &Base<'_>,
        standard: &Standard,
        place: &str,
    ) -> Result<Arc<Variables>, SpecifiedError> {
        let inherits = resolved.base.inherited().contains(Inherited::ENVIRONMENT);
        let is_local = resolved.scalars.network == Some(Network::Local);
        let start = match base {
            Base::Default(_) if inherits && resolved.environment.is_empty() && !is_local => {
                return Ok(Arc::clone(&standard.environment));
            }
            Base::Default(_) if inherits => {
                let mut start = Variables::clone(&standard.environment);
                if is_local {
                    go_online(&mut start, &self.client);
                }
                start
            }
            Base::Image(image) if inherits => {
                let own = |(name, value): (&String, &String)| (name.into(), value.into());
                image.environment.iter().map(own).collect()
            }
            Base::Nothing | Base::Default(_) | Base::Image(_) => Variables::new(),
        };
        let client = |name: &str| self.client.get(std::ffi::OsStr::new(name)).cloned();
        let client: &dyn Fn(&str) -> Option<OsString> = &client;
        let expanded = expand(&resolved.environment, start, client);
        let expanded = expanded.map_err(|source| SpecifiedError::Environment {
            place: place.to_owned(),
            source,
        })?;
        Ok(Arc::new(expanded))
    }

    /// The container, and where the runner's program is in it.
    async fn container(
        &self,
        resolved: &Resolved,
        base: &Base<'_>,
        standard: &Standard,
        place: &str,
    ) -> Result<(Arc<ContainerSpec>, Option<PathBuf>), SpecifiedError> {
        if let Base::Default(container) = base
            && changes_nothing(resolved)
        {
            return Ok((Arc::clone(container), None));
        }
        let mut own = Vec::new();
        for layer in &resolved.layers {
            own.push(self.layer(layer, place).await?);
        }
        let inherited = resolved.base.inherited();
        let shows_host = matches!(base, Base::Default(_)) && inherited.contains(Inherited::LAYERS);
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
        if resolved.scalars.network == Some(Network::Local) {
            let names = match base {
                Base::Nothing => Vec::new(),
                Base::Image(_) => {
                    let names = local_network::names_in_image(&own);
                    own.push(self.layer(&local_network::stubs(&names), place).await?);
                    names
                }
                Base::Default(_) if shows_host => local_network::names_in_default(&own),
                Base::Default(_) => Vec::new(),
            };
            mounts.extend(names);
        }
        let root = self.root(resolved, base, own, place).await?;
        check_mounts(&root, &mounts, &resolved.mounts, place)?;
        mounts.extend(resolved.mounts.iter().map(|own| own.mount.clone()));
        let (user, group) = match base {
            Base::Default(container) => (
                Some(container.user).filter(|_| inherited.contains(Inherited::USER)),
                Some(container.group).filter(|_| inherited.contains(Inherited::GROUP)),
            ),
            Base::Nothing | Base::Image(_) => (None, None),
        };
        let container = ContainerSpec {
            root,
            mounts,
            network: resolved.scalars.network.unwrap_or(Network::Loopback),
            hostname: HOSTNAME.to_owned(),
            user: resolved.scalars.user.or(user).unwrap_or(0),
            group: resolved.scalars.group.or(group).unwrap_or(0),
            privileges: resolved.scalars.privileges.unwrap_or(Privileges::Ordinary),
        };
        match container.privileges {
            Privileges::Ordinary => {}
            Privileges::Full => self.privileges.set(Privileges::Full),
        }
        Ok((Arc::new(container), program))
    }

    async fn layer(&self, layer: &Layer, place: &str) -> Result<PathBuf, SpecifiedError> {
        let made = self.materials.layer(layer).await;
        made.map_err(|source| {
            let known = self.resolver.borrow();
            let exact = known.specification().places.layer(layer);
            material(exact.unwrap_or(place), "the layer cannot be made", source)
        })
    }

    /// What stands in the place of the runner's program, and the libraries it needs.
    async fn program_layers(
        &self,
        resolved: &Resolved,
        program: &OwnProgram,
        place: &str,
    ) -> Result<Vec<PathBuf>, SpecifiedError> {
        let stub = Layer::Stubs {
            // Nothing of a program's name is to be expanded.
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
        resolved: &Resolved,
        base: &Base<'_>,
        own: Vec<PathBuf>,
        place: &str,
    ) -> Result<Root, SpecifiedError> {
        let inherits = resolved.base.inherited().contains(Inherited::LAYERS);
        let access = resolved.scalars.root_access;
        let mut trees = match base {
            Base::Default(container) if inherits => match &container.root {
                Root::Skeleton(entries) => {
                    // It takes the writes of user 0, unless somebody says what it takes.
                    if own.is_empty() && access.is_none() {
                        return Ok(container.root.clone());
                    }
                    let tree = self.materials.skeleton(entries).await;
                    let failed = |source| material(place, "the default root is not there", source);
                    vec![tree.map_err(failed)?]
                }
                Root::Layers { trees, .. } => trees.clone(),
            },
            Base::Image(image) if inherits => image.trees.clone(),
            Base::Nothing | Base::Default(_) | Base::Image(_) => Vec::new(),
        };
        trees.extend(own);
        Ok(Root::Layers {
            trees,
            access: access.unwrap_or(RootAccess::ReadOnly),
        })
    }
}

fn material(place: &str, what: &str, source: MaterialError) -> SpecifiedError {
    SpecifiedError::Material {
        place: place.to_owned(),
        what: what.to_owned(),
        source: Box::new(source),
    }
}

/// The stub of an absolute path, by the text of which brace expansion makes it.
pub fn stub_of(path: &str) -> String {
    escaped(path.trim_start_matches('/'))
}

/// A text that brace expansion makes this of.
fn escaped(name: &str) -> String {
    let special = |character| matches!(character, '{' | '}' | ',' | '\\');
    if !name.contains('{') {
        return format!("/{name}");
    }
    let mut text = String::from("/");
    for character in name.chars() {
        if special(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// Whether nothing is left to do to the default container.
fn changes_nothing(resolved: &Resolved) -> bool {
    let scalars = &resolved.scalars;
    let needed = Inherited::LAYERS
        | Inherited::MOUNTS
        | Inherited::NETWORK
        | Inherited::USER
        | Inherited::GROUP
        | Inherited::ROOT_ACCESS
        | Inherited::PRIVILEGES;
    resolved.base.inherited().contains(needed)
        && resolved.layers.is_empty()
        && resolved.mounts.is_empty()
        && scalars.network.is_none()
        && scalars.root_access.is_none()
        && scalars.user.is_none()
        && scalars.group.is_none()
        && scalars.privileges.is_none()
}

fn base_root<'a>(base: &'a Base<'_>) -> Option<&'a Root> {
    match base {
        Base::Default(container) => Some(&container.root),
        Base::Nothing | Base::Image(_) => None,
    }
}

/// The mounts that the default container lends. Its sources and programs count as layers.
fn inherited_mounts(resolved: &Resolved, base: &Base<'_>) -> Vec<Mount> {
    let Base::Default(container) = base else {
        return Vec::new();
    };
    let inherited = resolved.base.inherited();
    let is_local = resolved.scalars.network == Some(Network::Local);
    let is_read_only = resolved.scalars.root_access == Some(RootAccess::ReadOnly);
    let lent = |mount: &Mount| match &mount.kind {
        MountKind::Bind { .. } | MountKind::Overlay { .. } | MountKind::Mask => {
            inherited.contains(Inherited::LAYERS)
        }
        // It shows the devices of a network, which must be the container's own.
        MountKind::Sys { .. } => inherited.contains(Inherited::MOUNTS) && !is_local,
        MountKind::Scratch { .. }
        | MountKind::Device(_)
        | MountKind::DevPts
        | MountKind::MessageQueue
        | MountKind::Proc
        | MountKind::Tmp => inherited.contains(Inherited::MOUNTS),
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

fn working_directory(resolved: &Resolved, base: &Base<'_>, standard: &Standard) -> Arc<Path> {
    if let Some(own) = &resolved.scalars.working_directory {
        return own.as_path().into();
    }
    let inherits = resolved
        .base
        .inherited()
        .contains(Inherited::WORKING_DIRECTORY);
    let inherited = match base {
        Base::Default(_) if inherits => Some(Cow::Borrowed(&*standard.working_directory)),
        Base::Image(image) if inherits => image.working_directory.clone().map(Cow::Owned),
        Base::Nothing | Base::Default(_) | Base::Image(_) => None,
    };
    inherited.map_or_else(|| Path::new("/").into(), |directory| (&*directory).into())
}
