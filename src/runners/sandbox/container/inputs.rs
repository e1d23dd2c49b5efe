//! The host files that the default container needs on another machine. Pure.
//!
//! The project is uploaded, without build outputs except those that the job needs. The toolbox must
//! exist on the other machine. For containers without a toolbox, the shared libraries and the few
//! files of `/etc` are uploaded as well.

use std::path::PathBuf;

use maelstrom_model::job::{InputPath, JobInputs};

use super::facts::{EtcContent, EtcEntry, HostFacts, SharedLibraries, WorkspaceFacts};

/// Returns the input files of a project's containers. The list is the same with and without a
/// toolbox, since inputs that a container does not mount are ignored.
pub fn inputs(
    workspace: &WorkspaceFacts,
    host: &HostFacts,
    libraries: &SharedLibraries,
    left_out: &[PathBuf],
) -> JobInputs {
    let own = |source: PathBuf| InputPath {
        source,
        ..InputPath::default()
    };
    let roots = workspace.roots.iter().map(|root| InputPath {
        source: root.canonical.clone(),
        left_out: left_out.iter().chain(&workspace.masked).cloned().collect(),
        built: Vec::new(),
    });
    let below = workspace.nested.iter().chain(&workspace.linked);
    let nested = below.map(|path| path.canonical.clone());
    // Each job needs only its own file from a directory of build outputs; see [`with_built`].
    let lent = workspace.lent.iter().map(|lent| InputPath {
        source: lent.source.clone(),
        left_out: vec![lent.source.clone()],
        built: Vec::new(),
    });
    let libraries = libraries.files.iter().map(|file| file.canonical.clone());
    let others = nested.chain(libraries).chain(bound(&host.etc_least));
    let tools = host.toolbox.iter().chain(&host.caches);
    JobInputs {
        carried: roots.chain(lent).chain(others.map(own)).collect(),
        toolbox: tools
            .map(|path| path.canonical.clone())
            .chain(bound(&host.etc))
            .collect(),
        ..JobInputs::default()
    }
}

/// Returns `inputs` with these build outputs added, for programs that need them.
pub fn with_built(inputs: &JobInputs, built: &[PathBuf]) -> JobInputs {
    let carried = inputs.carried.iter().map(|carried| InputPath {
        built: built.to_vec(),
        ..carried.clone()
    });
    JobInputs {
        carried: carried.collect(),
        ..inputs.clone()
    }
}

fn bound(etc: &[EtcEntry]) -> impl Iterator<Item = PathBuf> {
    etc.iter().filter_map(|entry| match &entry.content {
        EtcContent::Bind(source) => Some(source.canonical.clone()),
        EtcContent::File(_) | EtcContent::Symlink(_) => None,
    })
}
