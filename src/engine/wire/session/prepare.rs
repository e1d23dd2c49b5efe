//! Turns a local container into a template that another machine can run, with the contents that it
//! needs.
//!
//! Paths that a job declares as inputs ([`JobInputs`]) become contents; paths that the other
//! machine must provide become toolbox paths with a fingerprint; any other path keeps the job on
//! this machine.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::tree::{InputDigest, InputTreeError, pack};
use crate::reapi::client::BlobMap;
use crate::to_proto::{self, PortabilityError};
use crate::toolbox;
use crate::v1::{self, source};
use maelstrom_container::secrets::{DirectoryUse, HostSecrets};
use maelstrom_container::store::DigestCache;
use maelstrom_model::forwarding::EnvironmentForwarding;
use maelstrom_model::job::{
    ContainerSpec, DevicePattern, InputPath, JobInputs, ProcessSpec, RootKind, ServiceSpec,
};

/// Where templates are prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PreparationMode {
    /// On blocking threads, because many files may have to be read.
    #[default]
    Aside,
    /// Inline, which keeps simulated runs deterministic.
    AtOnce,
}

/// The local description of a template, which many jobs share.
#[derive(Clone, Debug)]
pub struct LocalTemplate {
    pub container: Arc<ContainerSpec>,
    /// The host paths that another machine needs, and how it gets them.
    pub inputs: Arc<JobInputs>,
    pub environment: Arc<BTreeMap<OsString, OsString>>,
    pub working_directory: Arc<Path>,
    /// The fork server of the jobs, if any.
    pub resident: Option<Arc<ProcessSpec>>,
}

/// A portable template and its contents.
#[derive(Debug)]
pub struct PreparedTemplate {
    pub template: v1::Template,
    /// The blobs that the template refers to.
    pub contents: BlobMap,
}

/// Why a template could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The job must run locally.
    #[error("the job cannot run on another machine: {0}")]
    Unportable(#[from] PortabilityError),
    /// An input could not be read.
    #[error(transparent)]
    Tree(#[from] InputTreeError),
    /// A toolbox path could not be fingerprinted.
    #[error("cannot tell what {} is, which the workers should have, too", path.display())]
    Toolbox { path: PathBuf, source: io::Error },
}

/// Prepares templates, and caches the results of reading files.
#[derive(Debug)]
pub struct TemplatePreparer {
    digests: DigestCache,
    forwarding: EnvironmentForwarding,
    secrets: HostSecrets,
    identities: Mutex<HashMap<PathBuf, Vec<u8>>>,
}

impl TemplatePreparer {
    /// Creates a preparer with this digest cache, which forwards these variables.
    pub fn new(digests: DigestCache, forwarding: EnvironmentForwarding) -> TemplatePreparer {
        TemplatePreparer {
            digests,
            forwarding,
            secrets: HostSecrets::of_this_process(),
            identities: Mutex::default(),
        }
    }

    /// Packs a directory or a file, without the secrets in it. A path that the job itself names is
    /// never treated as a secret.
    pub fn pack(
        &self,
        mut carried: InputPath,
        contents: &mut BlobMap,
    ) -> Result<InputDigest, InputTreeError> {
        let source = &carried.source;
        let real = source.canonicalize().unwrap_or_else(|_| source.clone());
        let secrets = self.secrets.below(&real, DirectoryUse::WorkedIn);
        let secrets = secrets.iter().filter_map(|secret| {
            let below = secret.strip_prefix(&real).ok()?;
            Some(source.join(below))
        });
        let secrets: Vec<PathBuf> = secrets.collect();
        carried.left_out.extend(secrets);
        pack(&carried, &self.digests, contents)
    }

    /// Prepares a template. Blocks, because it reads files.
    pub fn prepare(&self, common: &LocalTemplate) -> Result<PreparedTemplate, PrepareError> {
        let mut contents = BlobMap::new();
        let mut tools = BTreeSet::new();
        let mut failure = None;
        let layers: &[PathBuf] = match &common.container.root {
            RootKind::Skeleton(_) => &[],
            RootKind::Layers { trees, access: _ } => trees,
        };
        let inputs = &common.inputs;
        let mut source = |path: &Path| {
            let tool = || inputs.toolbox.iter().find(|tool| path.starts_with(tool));
            if !is_named(path, layers, inputs)
                && let Some(tool) = tool()
            {
                tools.insert(tool.clone());
                return Ok(v1::Source {
                    kind: Some(source::Kind::Toolbox(to_proto::path(path))),
                });
            }
            let carried =
                carried(path, layers, inputs).ok_or_else(|| PortabilityError::Unknown {
                    path: path.display().to_string(),
                })?;
            let kind = match self.pack(carried, &mut contents) {
                Ok(InputDigest::Directory(digest)) => {
                    source::Kind::Directory(to_proto::digest(digest))
                }
                Ok(InputDigest::File(digest, executable)) => source::Kind::File(v1::File {
                    digest: Some(to_proto::digest(digest)),
                    executable,
                }),
                Err(error) => {
                    // The closure may only fail with a reason why the job must stay on this
                    // machine, which this is not.
                    failure.get_or_insert(error);
                    // Ignored: `failure` is returned instead.
                    return Ok(v1::Source::default());
                }
            };
            Ok(v1::Source { kind: Some(kind) })
        };
        let forwarded = |environment: &BTreeMap<OsString, OsString>| {
            self.forwarding.sent(environment, &inputs.named)
        };
        let sent = |process: &ProcessSpec| ProcessSpec {
            environment: Arc::new(forwarded(&process.environment)),
            ..process.clone()
        };
        let services = common.container.services.iter();
        let services = services.map(|service| ServiceSpec {
            process: sent(&service.process),
            readiness: service.readiness.as_ref().map(sent),
            ..service.clone()
        });
        let container = ContainerSpec {
            services: services.collect(),
            ..ContainerSpec::clone(&common.container)
        };
        let container = to_proto::container(&container, &mut source)?;
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        let template = v1::Template {
            container: Some(container),
            environment: to_proto::variables(&forwarded(&common.environment)),
            working_directory: to_proto::path(&common.working_directory),
            resident: common
                .resident
                .as_deref()
                .map(|resident| to_proto::process(&sent(resident))),
            architecture: std::env::consts::ARCH.to_owned(),
            toolbox: tools
                .into_iter()
                .map(|path| self.tool(&path))
                .chain(
                    common
                        .container
                        .devices
                        .iter()
                        .map(|device| Ok(offered(device))),
                )
                .collect::<Result<_, _>>()?,
        };
        Ok(PreparedTemplate { template, contents })
    }

    fn tool(&self, path: &Path) -> Result<v1::ToolboxPath, PrepareError> {
        let known = || {
            self.identities
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        // The lock is not held while files are read. Two threads may read the same files and get
        // the same result.
        let before = known().get(path).cloned();
        let identity = match before {
            Some(identity) => identity,
            None => {
                let identity = toolbox::identity(path);
                let identity = identity.map_err(|source| PrepareError::Toolbox {
                    path: path.to_owned(),
                    source,
                })?;
                known().insert(path.to_owned(), identity.clone());
                identity
            }
        };
        Ok(v1::ToolboxPath {
            path: to_proto::path(path),
            identity: identity.into(),
        })
    }
}

/// Returns the entry of a toolbox for a device.
fn offered(device: &DevicePattern) -> v1::ToolboxPath {
    v1::ToolboxPath {
        path: to_proto::path(Path::new(device.as_str())),
        identity: toolbox::DEVICE.into(),
    }
}

/// Returns whether exactly this path is declared as an input, or is part of a layer.
fn is_named(path: &Path, layers: &[PathBuf], inputs: &JobInputs) -> bool {
    let mut carried = inputs.carried.iter();
    layers.iter().any(|layer| path.starts_with(layer))
        || carried.any(|carried| carried.source == path)
}

/// Returns how a path is packed, if it is an input.
fn carried(path: &Path, layers: &[PathBuf], inputs: &JobInputs) -> Option<InputPath> {
    if layers.iter().any(|layer| path.starts_with(layer)) {
        return Some(InputPath {
            source: path.to_owned(),
            ..InputPath::default()
        });
    }
    if let Some(carried) = inputs.carried.iter().find(|carried| carried.source == path) {
        return Some(carried.clone());
    }
    let holds = |carried: &&InputPath| {
        let is_built = carried.built.iter().any(|built| built == path);
        is_built || path.starts_with(&carried.source)
    };
    let around = inputs.carried.iter().find(holds)?;
    // A path that is named explicitly is wanted even if its parent excludes it.
    let left_out = around.left_out.iter();
    let left_out = left_out.filter(|other| *other != path);
    Some(InputPath {
        source: path.to_owned(),
        left_out: left_out.cloned().collect(),
        built: around.built.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::job::{BindAccess, Mount, MountKind, NetworkMode};
    use maelstrom_model::testing::job;

    fn common(mounts: Vec<Mount>, inputs: JobInputs) -> LocalTemplate {
        let job = job();
        let container = ContainerSpec {
            mounts,
            ..(*job.container).clone()
        };
        LocalTemplate {
            container: Arc::new(container),
            inputs: Arc::new(inputs),
            environment: Arc::clone(&job.process.environment),
            working_directory: Arc::clone(&job.process.working_directory),
            resident: None,
        }
    }

    fn bind(source: &Path, access: BindAccess) -> Mount {
        Mount {
            mount_point: "/there".into(),
            kind: MountKind::Bind {
                source: source.to_owned(),
                access,
            },
        }
    }

    #[test]
    fn what_nobody_spoke_of_keeps_a_job_here() {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        std::fs::write(root.join("file"), "text").unwrap();
        let digests = DigestCache::new(root.join("digests"));
        let preparer = TemplatePreparer::new(digests, EnvironmentForwarding::default());
        let file = root.join("file");

        let unknown = common(
            vec![bind(&file, BindAccess::ReadOnly)],
            JobInputs::default(),
        );
        let error = preparer.prepare(&unknown).unwrap_err();
        assert!(error.to_string().contains("it shows"), "{error}");

        let inputs = JobInputs {
            carried: vec![InputPath {
                source: root.clone(),
                ..InputPath::default()
            }],
            ..JobInputs::default()
        };
        let known = common(vec![bind(&file, BindAccess::ReadOnly)], inputs.clone());
        let prepared = preparer.prepare(&known).unwrap();
        assert_eq!(prepared.contents.len(), 1);

        let writes = common(vec![bind(&file, BindAccess::ReadWrite)], inputs.clone());
        let error = preparer.prepare(&writes).unwrap_err();
        assert!(error.to_string().contains("it writes to"), "{error}");

        let mut local = common(Vec::new(), inputs);
        Arc::make_mut(&mut local.container).network = NetworkMode::Local;
        let error = preparer.prepare(&local).unwrap_err();
        assert!(error.to_string().contains("network"), "{error}");
    }

    #[test]
    fn the_toolbox_is_named_and_not_sent() {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/sh"), "text").unwrap();
        let digests = DigestCache::new(root.join("digests"));
        let preparer = TemplatePreparer::new(digests, EnvironmentForwarding::default());
        let inputs = JobInputs {
            toolbox: vec![root.join("bin")],
            ..JobInputs::default()
        };
        let mounts = vec![bind(&root.join("bin/sh"), BindAccess::ReadOnly)];
        let prepared = preparer.prepare(&common(mounts, inputs)).unwrap();
        assert!(prepared.contents.is_empty());
        let [tool] = prepared.template.toolbox.as_slice() else {
            panic!("{:?}", prepared.template.toolbox);
        };
        assert_eq!(tool.path, to_proto::path(&root.join("bin")));
        assert!(!tool.identity.is_empty());
    }

    /// Only workers that offer a device get its jobs: the broker asks them as it does for programs.
    #[test]
    fn a_device_is_part_of_the_toolbox() {
        let digests = DigestCache::new("/nowhere".into());
        let preparer = TemplatePreparer::new(digests, EnvironmentForwarding::default());
        let mut common = common(Vec::new(), JobInputs::default());
        Arc::make_mut(&mut common.container).devices = vec!["/dev/nvidia*".parse().unwrap()];
        let prepared = preparer.prepare(&common).unwrap();
        let there = crate::from_proto::template(&prepared.template).unwrap();
        assert_eq!(there.container.devices, ["/dev/nvidia*"]);
        let [tool] = there.toolbox.as_slice() else {
            panic!("{:?}", there.toolbox);
        };
        assert!(tool.is_device() && tool.path == Path::new("/dev/nvidia*"));
    }
}
