//! The messages between the main program and its helper processes.
//!
//! ```text
//! program ── SpawnerRequest ──▶ spawner        program ── ContainerRequest ──▶ container init
//!         ◀── SpawnerReply ────                        ◀── ContainerReply ────
//! ```
//!
//! Each message is one packet on a seqpacket socket. Both ends are the same executable, so the
//! format has no version.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
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

/// How user and group ids of the host are mapped into the spawner's user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdMapping {
    /// Only the ids of the invoking user and group are mapped.
    Invoker,
    /// All ids that the privileged invoking user could map are mapped.
    All,
}

/// The system calls that all jobs of a spawner can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemCalls {
    /// The calls that [`super::filter`] allows.
    Filtered,
    /// All calls of the kernel, including those that affect the host.
    All,
}

/// A message from the main program to the spawner.
#[derive(Debug, Serialize, Deserialize)]
pub enum SpawnerRequest {
    /// The ids of the user namespace have been mapped. Continue, and let jobs make these system
    /// calls.
    Mapped(IdMapping, SystemCalls),
    /// Start a container init. Sent with its socket and a memory file that contains the plan.
    StartContainer,
}

/// A message from the spawner to the main program.
#[derive(Debug, Serialize, Deserialize)]
pub enum SpawnerReply {
    /// The spawner has created a user namespace, whose ids must be mapped now.
    Unshared,
    Ready,
    /// The spawner could not start.
    Failed(StepFailed),
}

/// A message from the main program to a container init.
#[derive(Debug, Serialize, Deserialize)]
pub enum ContainerRequest {
    /// Launch a program. Sent with descriptors for its standard input, output and error, without
    /// the input if that is empty, or without descriptors for [`LaunchMode::Keep`].
    Do(LaunchMode, ProcessImage),
    /// Like `Do`, but the process image is in a memory file, the last descriptor.
    DoLarge(LaunchMode),
    /// Send this signal to the job's process group.
    Signal(i32),
    /// Send this signal to the job's first process alone.
    SignalFirst(i32),
    /// Describe all threads of the job.
    DescribeThreads,
    /// Kill all processes of the job.
    Kill,
    /// Stop all processes of the job.
    Suspend,
    /// Continue all processes of the job.
    Continue,
}

/// How to launch a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaunchMode {
    /// Run it as a job.
    Run,
    /// Run it as a job whose standard streams are its controlling terminal.
    RunOnTerminal,
    /// Start it as the fork server, which stays in the container and forks a process for each job.
    Keep,
    /// Request a fork for a job from the fork server, equivalent to starting this program.
    Fork,
}

/// A message from a container init to the main program.
#[derive(Debug, Serialize, Deserialize)]
pub enum ContainerReply {
    /// The container was created and accepts requests.
    Ready,
    /// The container could not be created. The container init exits.
    NotBuilt(StepFailed),
    /// The fork server accepts requests.
    Kept,
    /// The fork server could not be started, for this reason. The container init exits.
    NotKept(String),
    /// The program could not be started. The container is unchanged.
    NotStarted(StepFailed),
    /// A service did not become ready, so the program was not started. The container init exits.
    ServiceFailed {
        /// What happened to the service.
        reason: String,
        service: ServiceReport,
    },
    /// The threads of the job that is running, one per line. Sent with a descriptor of each process
    /// (`pidfd_open(2)`), up to [`socket::DESCRIPTORS_MAX`].
    Threads(String),
    /// The job has ended, and none of its processes is left.
    Ended {
        /// How its first process ended.
        status: ExitStatus,
        usage: ResourceUsage,
        /// The time from its start to its end.
        ran: Duration,
        /// Whether the container can run another job.
        fate: ContainerReuse,
        /// The files that it wrote over the host's files.
        discarded: DiscardedFiles,
        /// Whether its files have reached the size limit.
        room: ScratchSpace,
        /// The processes that were still running.
        leaked: LeakedProcesses,
        /// What its services did, in the order in which they were started.
        services: Vec<ServiceReport>,
    },
}

/// What a service did beside a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceReport {
    pub name: String,
    /// How it ended, if it ended before the job.
    pub ended: Option<ExitStatus>,
    /// The end of its output, of at most [`super::init::services::REPORTED_BYTES_MAX`].
    pub output: Vec<u8>,
}

impl ServiceReport {
    /// Returns a text for the user that follows the output of a job that failed: lines, or nothing
    /// if there is nothing to say.
    pub fn after_failure(&self) -> Vec<u8> {
        let name = &self.name;
        let mut text = match (self.ended, self.output.is_empty()) {
            (None, true) => return Vec::new(),
            (None, false) => format!("maelstrom: the end of what the service `{name}` printed:\n"),
            (Some(status), true) => {
                format!("maelstrom: the service `{name}` ended ({status}) and printed nothing\n")
            }
            (Some(status), false) => format!(
                "maelstrom: the service `{name}` ended ({status}); the end of what it printed:\n"
            ),
        }
        .into_bytes();
        text.extend_from_slice(&self.output);
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text
    }
}

/// Processes that still run [`super::init::leaks::LEAK_WAIT`] after the end of a job's first
/// process, and are killed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakedProcesses {
    /// The names of some of the processes, as the kernel shows them: at most
    /// [`LEAKED_NAMES_MAX`], each of at most 15 bytes.
    pub names: Vec<String>,
    /// How many more.
    pub more: u32,
}

/// The number of leaked processes that are named; the others are only counted.
pub const LEAKED_NAMES_MAX: usize = 8;

impl LeakedProcesses {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.more == 0
    }
}

impl fmt::Display for LeakedProcesses {
    /// Lists the names, such as `sleep, python3 and 2 more`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.names.as_slice(), self.more) {
            ([], 1) => formatter.write_str("1 process"),
            ([], more) => write!(formatter, "{more} processes"),
            (names, 0) => formatter.write_str(&names.join(", ")),
            (names, more) => write!(formatter, "{} and {more} more", names.join(", ")),
        }
    }
}

/// Files that a job wrote over the host's files, and that are discarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardedFiles {
    /// Some of the files, by their paths in the container.
    pub files: Vec<PathBuf>,
    pub more: u32,
}

/// Whether a container has space for more files at the end of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScratchSpace {
    /// There is space, or no limit.
    Left,
    Exhausted,
}

/// Whether a container can be reused after a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerReuse {
    /// It can run the next job.
    Reusable,
    /// Its init exits, for this reason.
    Retired(RetirementReason),
}

/// Why a container is not reused: the last job left a state that cannot be undone or cannot be
/// checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RetirementReason {
    /// Packets were sent over the container's own network.
    #[error("packets have gone over its network")]
    Packets,
    /// The number of sockets has changed.
    #[error("a socket is left in a message")]
    Sockets,
    /// System V objects exist.
    #[error("shared memory, semaphores or message queues of System V are left")]
    SystemV,
    /// POSIX message queues exist or were created.
    #[error("message queues were made")]
    Queues,
    /// Namespaces that a job created within the container still exist or are being destroyed.
    #[error("nested namespaces are left")]
    Namespaces,
    /// The limits, priorities or affinities that later jobs would inherit have changed.
    #[error("limits or priorities of its first process have changed")]
    Attributes,
    /// The fork server has ended or changed.
    #[error("the process that tests are forked from has ended or changed")]
    Resident,
    /// The jobs have full privileges, so no audit is possible.
    #[error("its jobs have all privileges")]
    Privileges,
    /// The root is writable, and writes persist until the container ends.
    #[error("its root is writable")]
    WritableRoot,
    /// A service of the container did not become ready.
    #[error("a service did not become ready")]
    Service,
    /// Files were written to the root, which belongs to the job's user.
    #[error("files were written outside of what is made again for each job")]
    Root,
    /// Modes, owners or times in a file system of the kernel have changed.
    #[error("the modes or owners of terminals or queues have changed")]
    Shown,
    /// Modes, owners or times of files in `/proc` that are global to the machine have changed.
    #[error("modes or owners of files in /proc were changed")]
    KernelFiles,
    /// A state that must be compared cannot be read.
    #[error("its state can't be read")]
    Unreadable,
}

/// A [`ProcessSpec`] in the form that the kernel takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessImage {
    pub working_directory: CString,
    /// The paths of the executable to try, in this order.
    pub candidates: Vec<CString>,
    /// The argument vector, beginning with the program's name.
    pub arguments: Vec<CString>,
    /// The environment, as strings of the form `NAME=value`.
    pub environment: PackedStrings,
    /// Variables of this process alone, in the same form. They override those of `environment`.
    pub own_variables: Vec<CString>,
}

/// Many strings in one block of bytes, each with its NUL byte. Strings that many processes share
/// are packed once and sent without being split.
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

    /// Returns the strings.
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

/// A string of a [`ProcessSpec`] contains a NUL byte.
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
    /// Converts a specification without searching for the program: a name without `/` results in
    /// one candidate for each entry of the job's own `PATH`. `environment` is that of the
    /// specification.
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
                    // As in execvp(3), an empty entry means the working directory.
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
            own_variables: Vec::new(),
        })
    }

    /// Returns the process with variables of its own.
    pub fn with_variables<'a>(
        mut self,
        variables: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
    ) -> Result<ProcessImage, NulByte> {
        for (name, value) in variables {
            let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
            let pair = c_string("the environment variable", OsStr::from_bytes(&pair))?;
            self.own_variables.push(pair);
        }
        Ok(self)
    }

    /// Returns the strings of the whole environment.
    pub fn variables(&self) -> impl Iterator<Item = &CStr> {
        let own = || self.own_variables.iter().map(CString::as_c_str);
        let is_overridden = move |shared: &&CStr| own().any(|own| name_of(own) == name_of(shared));
        let shared = self.environment.iter();
        let shared = shared.filter(move |shared| !is_overridden(shared));
        shared.chain(own())
    }
}

/// Returns the name in a string `NAME=value`.
fn name_of(variable: &CStr) -> &[u8] {
    let bytes = variable.to_bytes();
    let end = bytes.iter().position(|&byte| byte == b'=');
    bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default()
}

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("the connection to a helper process failed")]
    Socket(#[from] Errno),
    /// The message cannot be decoded.
    #[error("a helper process sent a message that cannot be read")]
    Form(#[from] postcard::Error),
    /// The other end is closed.
    #[error("a helper process is gone")]
    Closed,
}

/// Encodes a message.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, MessageError> {
    Ok(postcard::to_stdvec(message)?)
}

/// Sends one message with descriptors.
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

/// Receives one message. Blocks, unless the socket is non-blocking.
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
    /// The receive buffer, kept because allocating space for the largest message each time would
    /// cost more than handling most messages.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}
