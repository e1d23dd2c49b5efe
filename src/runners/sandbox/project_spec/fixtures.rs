//! Adds fixtures to the containers of tests, and makes those that are needed.
//!
//! Each fixture is made once in each container, however many tests begin with it. See
//! [`crate::sandbox::fixture`].

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::sandbox::fixture::{
    self, ContainerHost, DIRECTORY_VARIABLE, FixtureOutcome, FixtureSetting, MadeFixture, files,
    key, variables,
};
use crate::sandbox::invocation::ProcessEnvironment;
use crate::sandbox::run_directory::RunDirectory;
use maelstrom_container::digest::ContentHash;
use maelstrom_container::private;
use maelstrom_engine::layer_cache::{ImageProgressCallback, LayerCacheError};
use maelstrom_model::event::IsolationMode;
use maelstrom_model::job::{
    BindAccess, ContainerSpec, Mount, MountKind, RootAccess, RootKind, SkeletonEntry, SkeletonKind,
};
use maelstrom_spec::environment::expand;
use maelstrom_spec::fixture::{FixtureCaching, FixtureDefinition};
use maelstrom_spec::{Layer, SpecResolution, SpecifiedMount};

use super::mount_points::check_mounts;
use super::{DefaultContainer, ProjectSpec, ProjectSpecError, RunOrIgnore, TestContainer};

impl ProjectSpec {
    /// Adds the fixtures of a test to its container. If one of them cannot be made, the result
    /// tells why the test cannot run.
    pub(super) async fn with_fixtures(
        &self,
        given: TestContainer,
        resolution: &SpecResolution,
        standard: &DefaultContainer,
        watcher: &dyn Fn(&str) -> ImageProgressCallback,
        host: &dyn ContainerHost,
    ) -> Result<TestContainer, ProjectSpecError> {
        let fixtures = &resolution.resolved.fixtures;
        match (self.isolation, given.attention) {
            (IsolationMode::Container, RunOrIgnore::Run) if !fixtures.is_empty() => {}
            (IsolationMode::Container | IsolationMode::Process, _) => return Ok(given),
        }
        // Of the tests of several binaries, all begin with the same fixture, so the container of
        // its command has none of the binaries.
        let plain = DefaultContainer {
            program: None,
            ..standard.clone()
        };
        let place = self.place(resolution);
        let resolved = &resolution.resolved;
        let plain = self
            .give_resolved(resolved, &place, &plain, watcher)
            .await?;
        let made = fixtures.iter().map(async |fixture| {
            let setting = self.setting(fixture, &plain)?;
            let outcome = self.made(fixture, &setting, host).await?;
            Ok::<_, ProjectSpecError>((setting, outcome))
        });
        let made = try_join_all(made).await?;
        let mut environment = ProcessEnvironment::clone(&given.environment);
        let mut container = ContainerSpec::clone(&given.container);
        for (fixture, (setting, outcome)) in fixtures.iter().zip(made) {
            let made = match outcome {
                Ok(made) => made,
                Err(failure) => {
                    return Ok(TestContainer {
                        unavailable: Some(failure),
                        ..given
                    });
                }
            };
            container.services.extend(setting.service(fixture, &made));
            let MadeFixture { layer, variables } = made;
            let source = files::directory(&layer, &fixture.directory);
            self.add_layer(&mut container.root, layer, fixture).await?;
            mount(&mut container, fixture, MountKind::Overlay { source })?;
            environment.extend(variables);
        }
        Ok(TestContainer {
            container: Arc::new(container),
            environment: Arc::new(environment),
            ..given
        })
    }

    /// Returns the container and the environment of a fixture's command, given those of a test
    /// without its binary.
    fn setting(
        &self,
        fixture: &FixtureDefinition,
        test: &TestContainer,
    ) -> Result<FixtureSetting, ProjectSpecError> {
        let mut environment = fixture::inherited(&test.environment, &self.named_variables());
        let directory = fixture.directory.as_os_str().to_owned();
        environment.insert(DIRECTORY_VARIABLE.into(), directory);
        let client = |name: &str| self.client.get(std::ffi::OsStr::new(name)).cloned();
        let client: &dyn Fn(&str) -> Option<OsString> = &client;
        let environment = expand(&fixture.environment, environment, client);
        let environment = environment.map_err(|source| ProjectSpecError::Environment {
            place: fixture.place.clone(),
            source,
        })?;
        let mut container = ContainerSpec::clone(&test.container);
        // The programs of this run, which have another path in each run.
        container.mounts.retain(|mount| {
            let source = mount.kind.source();
            source.is_none_or(|source| !source.starts_with(&self.own))
        });
        let project = self.project.canonicalize();
        let project = project.ok().filter(|project| {
            let mut mounts = container.mounts.iter();
            let shows = |mount: &Mount| project.starts_with(&mount.mount_point);
            mounts.any(|mount| mount.kind.source().is_some() && shows(mount))
        });
        let working_directory = project.as_deref().unwrap_or(&fixture.directory);
        Ok(FixtureSetting {
            name: fixture.name.clone(),
            working_directory: working_directory.into(),
            environment: Arc::new(environment),
            container: Arc::new(container),
        })
    }

    /// Returns what a fixture's command has made in this setting. Of several callers, one makes it
    /// and the others wait.
    async fn made(
        &self,
        fixture: &Arc<FixtureDefinition>,
        setting: &FixtureSetting,
        host: &dyn ContainerHost,
    ) -> Result<FixtureOutcome, ProjectSpecError> {
        let once = {
            let mut known = self.fixtures.borrow_mut();
            Arc::clone(known.entry(setting.clone()).or_default())
        };
        let outcome = once.get_or_try_init(|| self.make(fixture, setting, host));
        outcome.await.cloned()
    }

    async fn make(
        &self,
        fixture: &Arc<FixtureDefinition>,
        setting: &FixtureSetting,
        host: &dyn ContainerHost,
    ) -> Result<FixtureOutcome, ProjectSpecError> {
        let failed = |what: &'static str| move |source| material(fixture, what, source);
        let key = self.key(fixture, setting).await?;
        let found = match fixture.cache {
            FixtureCaching::Kept => self.materials.find_tree(key).await,
            FixtureCaching::EachRun => Ok(None),
        };
        if let Some(tree) = found.map_err(failed("it is not available"))? {
            host.tell(fixture::notice(fixture, "taken from the cache"));
            return read(&tree).map(Ok);
        }
        host.tell(fixture::notice(fixture, "its command runs"));
        let io = |(path, source)| ProjectSpecError::FixtureDirectory { path, source };
        let run = RunDirectory::new(&self.own.join("cache/fixtures")).map_err(io)?;
        let from = run.path().join("files");
        private::new_directory(&from).map_err(|source| io((from.clone(), source)))?;
        let container = self.command_container(fixture, setting, &from).await?;
        let captured = host.run(setting.job(fixture, container)).await;
        let how = fixture::how_it_failed(fixture, &captured.result.end);
        let variables = match how {
            Some(how) => Err(how),
            None => variables::variables(&captured.stdout).map_err(|error| error.to_string()),
        };
        let variables = match variables {
            Ok(variables) => variables,
            Err(how) => {
                let failure = fixture::failure(fixture, &how, &captured);
                return Ok(Err(Arc::new(failure)));
            }
        };
        let name = match fixture.cache {
            FixtureCaching::Kept => key,
            // The directory has a random name.
            FixtureCaching::EachRun => {
                let own = (key, &from, std::process::id());
                ContentHash::of(format!("{own:?}").as_bytes())
            }
        };
        let directory = fixture.directory.clone();
        let tree = self.materials.make_tree(name, move |writer| {
            files::write(writer, &from, &directory, &variables)
        });
        let tree = tree
            .await
            .map_err(failed("what it has made cannot be kept"))?;
        let seconds = captured.result.ran.as_secs_f64();
        host.tell(fixture::notice(fixture, &format!("made in {seconds:.2} s")));
        read(&tree).map(Ok)
    }

    /// Returns the digest of what a fixture is made from.
    async fn key(
        &self,
        fixture: &Arc<FixtureDefinition>,
        setting: &FixtureSetting,
    ) -> Result<ContentHash, ProjectSpecError> {
        let mut inputs = Vec::new();
        for pattern in &fixture.inputs {
            let layer = Layer::Glob {
                pattern: pattern.clone(),
                prefix: Default::default(),
            };
            let tree = self.materials.layer(&layer).await;
            let tree =
                tree.map_err(|source| material(fixture, "its inputs cannot be read", source))?;
            inputs.push(tree);
        }
        let (shared, setting) = (Arc::clone(fixture), setting.clone());
        // It looks through directories of this machine.
        let key = tokio::task::spawn_blocking(move || key::key(&shared, &setting, &inputs));
        let interrupted =
            |_| material(fixture, "it is not available", LayerCacheError::Interrupted);
        let key = key.await.map_err(interrupted)?;
        key.map_err(|source| ProjectSpecError::FixtureDirectory {
            path: self.own.clone(),
            source,
        })
    }

    /// Returns the container of a fixture's command, whose directory is `from` on this machine.
    async fn command_container(
        &self,
        fixture: &FixtureDefinition,
        setting: &FixtureSetting,
        from: &Path,
    ) -> Result<ContainerSpec, ProjectSpecError> {
        let mut container = ContainerSpec::clone(&setting.container);
        let point = SkeletonEntry {
            path: fixture.directory.clone(),
            kind: SkeletonKind::Directory,
        };
        let layer = self.materials.skeleton(&[point]).await;
        let layer = layer.map_err(|source| material(fixture, "it has no directory", source))?;
        self.add_layer(&mut container.root, layer, fixture).await?;
        let kind = MountKind::Bind {
            source: from.to_owned(),
            access: BindAccess::ReadWrite,
        };
        mount(&mut container, fixture, kind)?;
        Ok(container)
    }

    /// Puts a tree on top of a root.
    async fn add_layer(
        &self,
        root: &mut RootKind,
        layer: PathBuf,
        fixture: &FixtureDefinition,
    ) -> Result<(), ProjectSpecError> {
        match root {
            RootKind::Layers { trees, .. } => trees.push(layer),
            RootKind::Skeleton(entries) => {
                let tree = self.materials.skeleton(entries).await;
                let failed = |source| material(fixture, "the default root is not there", source);
                *root = RootKind::Layers {
                    trees: vec![tree.map_err(failed)?, layer],
                    access: RootAccess::ReadOnly,
                };
            }
        }
        Ok(())
    }
}

fn read(tree: &Path) -> Result<MadeFixture, ProjectSpecError> {
    files::read(tree).map_err(|source| ProjectSpecError::FixtureDirectory {
        path: tree.to_owned(),
        source,
    })
}

/// Mounts a fixture's directory in a container that has it.
fn mount(
    container: &mut ContainerSpec,
    fixture: &FixtureDefinition,
    kind: MountKind,
) -> Result<(), ProjectSpecError> {
    let mount = Mount {
        mount_point: fixture.directory.clone(),
        kind,
    };
    let place = fixture.place.as_str();
    let own = SpecifiedMount {
        mount: mount.clone(),
        place: Some(place.into()),
    };
    check_mounts(&container.root, &container.mounts, &[own], place)?;
    container.mounts.push(mount);
    Ok(())
}

fn material(
    fixture: &FixtureDefinition,
    what: impl fmt::Display,
    source: LayerCacheError,
) -> ProjectSpecError {
    ProjectSpecError::Material {
        place: fixture.place.clone(),
        what: format!("the fixture `{}`: {what}", fixture.name),
        source: Box::new(source),
    }
}
