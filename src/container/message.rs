//! The messages between a program and its helper processes.
//!
//! ```text
//! program ── SpawnerRequest ──▶ spawner        program ── ContainerRequest ──▶ container init
//!         ◀── SpawnerReply ────                        ◀── ContainerReply ────
//! ```
//!
//! Each is one message on a seqpacket socket. Both ends are the same executable, so the format has
//! no version.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::init::build::StepFailed;
use super::spec::{ExitStatus, ProcessSpec, ResourceUsage};
use super::sys::socket;

/// How ids of the host appear in the spawner's user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdMapping {
    /// Only the invoking user's and group's.
    Invoker,
    /// All that the invoking user, being privileged, could map.
    All,
}

/// What system calls all jobs of a spawner can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemCalls {
    /// Those that [`super::filter`] allows.
    Filtered,
    /// All that the kernel has, those included that lead out of the container.
    All,
}

/// A message from the program to the spawner.
#[derive(Debug, Serialize, Deserialize)]
pub enum SpawnerRequest {
    /// The ids of its user namespace are mapped: go on, and let jobs make these system calls.
    Mapped(IdMapping, SystemCalls),
    /// Start a container init. Comes with its socket and a memory file of the plan.
    StartContainer,
}

/// A message from the spawner to the program.
#[derive(Debug, Serialize, Deserialize)]
pub enum SpawnerReply {
    /// It has a user namespace, whose ids must be mapped now.
    Unshared,
    Ready,
    /// It could not start.
    Failed(StepFailed),
}

/// A message from the program to a container init.
#[derive(Debug, Serialize, Deserialize)]
pub enum ContainerRequest {
    /// Do this with a program. Comes with its standard input, output and error, or without the
    /// input, for one that has nothing to read; with none of them for [`LaunchMode::Keep`].
    Do(LaunchMode, ProcessImage),
    /// As `Do`; the image is in a memory file, the last descriptor.
    DoLarge(LaunchMode),
    /// Send this signal to the job's process group.
    Signal(i32),
    /// Kill every process of the job.
    Kill,
    /// Stop every process of the job.
    Suspend,
    /// Let them go on.
    Continue,
}

/// What is to be done with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaunchMode {
    /// Run it as a job.
    Run,
    /// Run it as a job whose streams are a terminal of its own.
    RunOnTerminal,
    /// Start it as the fork server, which stays and whose forks are jobs.
    Keep,
    /// Have the fork server fork a job, equivalent to this program freshly started.
    Fork,
}

/// A message from a container init to the program.
#[derive(Debug, Serialize, Deserialize)]
pub enum ContainerReply {
    /// The container is made and accepts requests.
    Ready,
    /// The container could not be made. The container init is gone.
    NotBuilt(StepFailed),
    /// The fork server takes requests.
    Kept,
    /// There is no fork server, for this reason. The container init is gone.
    NotKept(String),
    /// The program could not be started. The container is as before.
    NotStarted(StepFailed),
    /// The job is over, and none of its processes is left.
    Ended {
        /// How its first process ended.
        status: ExitStatus,
        usage: ResourceUsage,
        /// From its start to its end.
        ran: Duration,
        /// Whether the container init takes another job.
        fate: ContainerReuse,
        /// What it wrote over the host's files.
        discarded: DiscardedFiles,
        /// Whether its files have taken all that they may.
        room: ScratchSpace,
    },
}

/// Files that a job wrote over the host's, and that are discarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardedFiles {
    /// Some of them, as the job saw them.
    pub files: Vec<PathBuf>,
    pub more: u32,
}

/// Whether a container has room for more files at a job's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScratchSpace {
    /// It has, or has no limit.
    Left,
    Exhausted,
}

/// Whether a container init can be reused after a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerReuse {
    /// It takes the next job.
    Reusable,
    /// It is gone, for this reason.
    Retired(RetirementReason),
}

/// Why a container init takes no further job: a state that the last one left and that can't be
/// undone, or can't be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RetirementReason {
    /// Packets have gone over the container's own network.
    #[error("packets have gone over its network")]
    Packets,
    /// There are more or fewer sockets than before.
    #[error("a socket is left in a message")]
    Sockets,
    /// There are System V objects.
    #[error("shared memory, semaphores or message queues of System V are left")]
    SystemV,
    /// There are, or were, POSIX message queues.
    #[error("message queues were made")]
    Queues,
    /// Namespaces that a job made within the container are still being taken apart.
    #[error("nested namespaces are left")]
    Namespaces,
    /// Later jobs would inherit other limits, priorities or affinities.
    #[error("limits or priorities of its first process have changed")]
    Attributes,
    /// The fork server has ended or changed.
    #[error("the process that tests are forked from has ended or changed")]
    Resident,
    /// Its jobs have full privileges, so no audit is possible.
    #[error("its jobs have all privileges")]
    Privileges,
    /// What is written to its root stays until it ends.
    #[error("its root is writable")]
    WritableRoot,
    /// The root, which belongs to the job's user, is not as it was.
    #[error("files were written outside of what is made again for each job")]
    Root,
    /// What a file system of the kernel shows has other modes, owners or times.
    #[error("the modes or owners of terminals or queues have changed")]
    Shown,
    /// Files of `/proc` that are the whole machine's had other modes, owners or times.
    #[error("modes or owners of files in /proc were changed")]
    KernelFiles,
    /// Something that must be compared can't be read.
    #[error("its state can't be read")]
    Unreadable,
}

/// A [`ProcessSpec`] in the form in which the kernel takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessImage {
    pub working_directory: CString,
    /// The paths to try, in this order.
    pub candidates: Vec<CString>,
    /// The argument vector, the program's name first.
    pub arguments: Vec<CString>,
    /// The environment, `NAME=value` each.
    pub environment: PackedStrings,
}

/// Many strings as one block of bytes, each with its NUL: what many processes have in common is
/// then made once, and travels without being taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedStrings(Arc<[u8]>);

impl PackedStrings {
    /// Packs an environment.
    pub fn of_environment(
        variables: &BTreeMap<OsString, OsString>,
    ) -> Result<PackedStrings, NulByte> {
        let mut bytes = Vec::new();
        for (name, value) in variables {
            let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
            let pair = c_string("the environment variable", OsStr::from_bytes(&pair))?;
            bytes.extend_from_slice(pair.as_bytes_with_nul());
        }
        Ok(PackedStrings(bytes.into()))
    }

    /// Each string.
    pub fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.0
            .split_inclusive(|&byte| byte == 0)
            .filter_map(|string| CStr::from_bytes_with_nul(string).ok())
    }
}

impl Serialize for PackedStrings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for PackedStrings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: &[u8] = Deserialize::deserialize(deserializer)?;
        Ok(PackedStrings(bytes.into()))
    }
}

/// A string of a [`ProcessSpec`] that no process can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} contains a NUL byte")]
pub struct NulByte {
    what: &'static str,
    text: String,
}

fn c_string(what: &'static str, text: &OsStr) -> Result<CString, NulByte> {
    CString::new(text.as_bytes()).map_err(|_| NulByte {
        what,
        text: text.to_string_lossy().into_owned(),
    })
}

impl ProcessImage {
    /// Converts, searching nothing: a program without `/` becomes one candidate for each entry of
    /// the job's own `PATH`. `environment` is the specification's.
    pub fn new(spec: &ProcessSpec, environment: PackedStrings) -> Result<ProcessImage, NulByte> {
        let program = c_string("the program", &spec.program)?;
        let candidates = if spec.program.as_bytes().contains(&b'/') {
            vec![program.clone()]
        } else {
            let path = spec
                .environment
                .get(OsStr::new("PATH"))
                .cloned()
                .unwrap_or_default();
            path.as_bytes()
                .split(|&byte| byte == b':')
                .map(|directory| {
                    // An empty entry is the working directory, as execvp(3) has it.
                    let directory = if directory.is_empty() {
                        b"."
                    } else {
                        directory
                    };
                    let candidate = [directory, b"/", program.as_bytes()].concat();
                    c_string("the program", OsStr::from_bytes(&candidate))
                })
                .collect::<Result<_, _>>()?
        };
        let arguments = std::iter::once(Ok(program))
            .chain(
                spec.arguments
                    .iter()
                    .map(|argument| c_string("the argument", argument)),
            )
            .collect::<Result<_, _>>()?;
        let working_directory =
            c_string("the working directory", spec.working_directory.as_os_str())?;
        Ok(ProcessImage {
            working_directory,
            candidates,
            arguments,
            environment,
        })
    }
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("the connection to a helper process failed")]
    Socket(#[from] Errno),
    /// The message is not one of ours.
    #[error("a helper process sent a message that cannot be read")]
    Form(#[from] postcard::Error),
    /// The other end is gone.
    #[error("a helper process is gone")]
    Closed,
}

/// The bytes of a message.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, MessageError> {
    Ok(postcard::to_stdvec(message)?)
}

/// Sends one message.
pub fn send(
    to: BorrowedFd<'_>,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), MessageError> {
    match socket::send(to, &encode(message)?, descriptors) {
        Err(Errno::EPIPE | Errno::ECONNRESET) => Err(MessageError::Closed),
        other => Ok(other?),
    }
}

/// Receives one message; blocks unless the socket does not.
pub fn receive<M: DeserializeOwned>(
    from: BorrowedFd<'_>,
) -> Result<(M, Vec<OwnedFd>), MessageError> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(socket::MESSAGE_BYTES_MAX, 0);
        let message = match socket::receive(from, buffer) {
            Err(Errno::ECONNRESET) => return Err(MessageError::Closed),
            other => other?,
        };
        let bytes = buffer.get(..message.length).unwrap_or_default();
        if bytes.is_empty() {
            return Err(MessageError::Closed);
        }
        Ok((postcard::from_bytes(bytes)?, message.descriptors))
    })
}

thread_local! {
    /// Where messages arrive. Making room for the largest each time would cost more than most
    /// messages do.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}
