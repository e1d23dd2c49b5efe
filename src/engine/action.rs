//! The action of a job: everything that can influence its outcome, and its digest.
//!
//! Two jobs with the same action may stand in for one another; that is what a result cache lives
//! on. So the digest covers every field of the container, the process and the time limit, and for
//! every file or directory of the host that the container shows, what it holds. An action that does
//! not know what one of them holds cannot be made.
//!
//! Nothing is hashed until somebody asks for the digest: a run without a cache never does.
//!
//! Invariant 4: an action's digest covers everything that can influence its outcome. The encoder
//! ([`encoding`]) takes every structure apart by name, so a new field that it does not know does
//! not compile.
//!
//! Absent on purpose: how contents are hashed, and which actions may be reused. A kernel, its
//! devices and a local network are beyond any digest; the cache's rules deal with those.

mod encoding;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::container::digest::{ContentHash, Digest};
use crate::container::spec::{ContainerSpec, ProcessSpec, Root};
use crate::engine::job::{Job, OutputPipes};

use self::encoding::Encoder;

/// What files and directories of the host hold. May know more of them than one action needs.
pub type Contents = BTreeMap<PathBuf, ContentHash>;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    container: Arc<ContainerSpec>,
    process: Arc<ProcessSpec>,
    resident: Option<Arc<ProcessSpec>>,
    timeout: Option<Duration>,
    output: OutputPipes,
    contents: Arc<Contents>,
}

/// A container shows something of the host of which nobody has said what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is known of what {} holds, which the container shows", path.display())]
pub struct UnknownContents {
    /// The path on the host.
    pub path: PathBuf,
}

impl Action {
    /// The action of a job, given what the host's files and directories hold.
    pub fn new(job: &Job, contents: &Arc<Contents>) -> Result<Action, UnknownContents> {
        match host_paths(&job.container).find(|path| !contents.contains_key(*path)) {
            Some(path) => Err(UnknownContents {
                path: path.to_owned(),
            }),
            None => Ok(Action {
                container: Arc::clone(&job.container),
                process: Arc::clone(&job.process),
                resident: job.forked_by(),
                timeout: job.timeout,
                output: job.output,
                contents: Arc::clone(contents),
            }),
        }
    }

    /// The digest of the canonical encoding. Computed here and now.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let Action {
            container,
            process,
            resident,
            timeout,
            output,
            contents,
        } = self;
        let mut encoder = Encoder::new();
        encoder.container(container);
        encoder.process(process);
        encoder.timeout(*timeout);
        encoder.output(*output);
        for path in host_paths(container) {
            // `new` has seen to it that there is one; a hash never encodes as nothing does.
            encoder.contents(contents.get(path));
        }
        // At the end, where nothing else follows: a job without one has the encoding it always had.
        if let Some(resident) = resident {
            encoder.process(resident);
        }
        encoder.finish()
    }
}

/// What of the host a container shows, in the order of its specification.
fn host_paths(container: &ContainerSpec) -> impl Iterator<Item = &Path> {
    let trees = match &container.root {
        Root::Skeleton(_) => [].as_slice(),
        Root::Layers { trees, access: _ } => trees,
    };
    let mounts = container.mounts.iter();
    let mounted = mounts.filter_map(|mount| mount.kind.source());
    trees.iter().chain(mounted).map(PathBuf::as_path)
}

#[cfg(test)]
mod tests;
