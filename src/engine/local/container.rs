//! Starts containers and talks to their init processes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::unix::AsyncFd;

use super::backoff::ResourceBackoff;
use maelstrom_container::devices;
use maelstrom_container::exhausted::ExhaustedResource;
use maelstrom_container::init::build::StepFailed;
use maelstrom_container::limits::ContainerLimits;
use maelstrom_container::message::{
    self, ContainerReply, ContainerRequest, LaunchMode, MessageError, NulByte, PackedStrings,
    ProcessImage,
};
use maelstrom_container::plan::overlay_split::OverlaySplits;
use maelstrom_container::plan::{ContainerPlan, plan_on_host};
use maelstrom_container::secrets::HostSecrets;
use maelstrom_container::spawner::{Spawner, SpawnerError};
use maelstrom_container::sys::socket::{MESSAGE_BYTES_MAX, memory_file, watch};
use maelstrom_model::error::with_causes;
use maelstrom_model::job::{ContainerSpec, ForkServerNeed, ForkServerSpec, ProcessSpec};
use maelstrom_stacks::{StackRequest, with_stacks};

/// The maximum number of idle containers kept per slot. Each is a small process and a few mounts; a
/// project rarely has more than a handful of different containers.
const IDLE_CONTAINERS_MAX: usize = 4;

/// The number of cached container plans, so that a job like an earlier one needs no planning.
const PLANS_MAX: usize = 16;

/// A container spec and the plan made from it.
type KnownPlan = (Arc<ContainerSpec>, Rc<ContainerPlan>);

/// The number of cached environments, for the same reason.
const ENVIRONMENTS_MAX: usize = 16;

/// An environment and its packed form.
type KnownEnvironment = (Arc<BTreeMap<OsString, OsString>>, PackedStrings);

/// Starts containers and keeps idle ones. Clones share the same pool.
#[derive(Clone)]
pub(super) struct ContainerPool {
    spawner: Rc<Spawner>,
    secrets: Rc<HostSecrets>,
    limits: Rc<RefCell<ContainerLimits>>,
    shortage: ResourceBackoff,
    /// Idle containers that can be reused, by slot.
    idle: Rc<RefCell<Vec<Vec<ContainerHandle>>>>,
    plans: Rc<RefCell<VecDeque<KnownPlan>>>,
    environments: Rc<RefCell<VecDeque<KnownEnvironment>>>,
    edition: Rc<Cell<u64>>,
    /// The fork servers that failed to start.
    refused: Rc<RefCell<Vec<Arc<ProcessSpec>>>>,
}

/// Why a container could not be started.
#[derive(Debug)]
pub(super) enum ContainerStartError {
    /// The container cannot be created.
    Container(String),
    /// The container cannot be created now, because a resource is exhausted.
    Exhausted(ExhaustedResource, String),
    /// The helper process is gone, so no container can be created any more.
    Helper(SpawnerError),
}

impl From<MessageError> for ContainerStartError {
    fn from(error: MessageError) -> Self {
        let errno = match &error {
            MessageError::Socket(errno) => Some(*errno),
            MessageError::Closed | MessageError::Form(_) => None,
        };
        ContainerStartError::of(
            errno,
            format!("the container's first process failed: {error}"),
        )
    }
}

impl ContainerStartError {
    /// Classifies a failure by its error number.
    pub(super) fn of(errno: Option<Errno>, message: String) -> ContainerStartError {
        match errno.and_then(ExhaustedResource::of) {
            Some(exhausted) => ContainerStartError::Exhausted(exhausted, message),
            None => ContainerStartError::Container(message),
        }
    }

    /// Classifies a failed operation on file descriptors.
    pub(super) fn of_io(error: &io::Error, message: String) -> ContainerStartError {
        ContainerStartError::of(error.raw_os_error().map(Errno::from_raw), message)
    }

    /// Classifies a failed step of the container init.
    pub(super) fn of_step(failed: &StepFailed, message: String) -> ContainerStartError {
        ContainerStartError::of(Some(Errno::from_raw(failed.errno)), message)
    }
}

impl ContainerPool {
    /// Creates a pool of containers for `slots` slots. `secrets` are hidden from all containers.
    pub(super) fn new(spawner: Rc<Spawner>, slots: u32, secrets: HostSecrets) -> ContainerPool {
        ContainerPool {
            spawner,
            limits: Rc::default(),
            shortage: ResourceBackoff::default(),
            idle: Rc::new(RefCell::new((0..slots).map(|_| Vec::new()).collect())),
            secrets: Rc::new(secrets),
            plans: Rc::default(),
            environments: Rc::default(),
            edition: Rc::default(),
            refused: Rc::default(),
        }
    }

    /// Sets the limits of every container that is started from now on.
    pub(super) fn limit(&self, limits: ContainerLimits) {
        *self.limits.borrow_mut() = limits;
        // A plan contains the limits that were set when it was made.
        self.plans.borrow_mut().clear();
    }

    /// Returns how many bytes of files each container may hold, if limited.
    pub(super) fn scratch_bytes(&self) -> Option<u64> {
        self.limits.borrow().scratch_bytes
    }

    /// Adds the stacks of processes to the list of their threads.
    pub(super) async fn with_stacks(&self, threads: String, processes: Vec<OwnedFd>) -> String {
        let request = StackRequest {
            executable: self.spawner.executable().to_owned(),
            processes,
        };
        let read = tokio::task::spawn_blocking(move || request.read());
        match read.await {
            Ok(stacks) => with_stacks(&threads, &stacks),
            Err(_) => threads,
        }
    }

    /// Returns the backoff for exhausted resources.
    pub(super) fn shortage(&self) -> &ResourceBackoff {
        &self.shortage
    }

    /// Takes an idle container of a slot that matches a job's spec and fork server.
    pub(super) fn take_idle(
        &self,
        slot: u32,
        spec: &Arc<ContainerSpec>,
        resident: Option<&Arc<ProcessSpec>>,
    ) -> Option<ContainerHandle> {
        let mut idle = self.idle.borrow_mut();
        take(idle.get_mut(slot as usize)?, spec, resident)
    }

    /// Takes a matching idle container of any slot. If there is none, ends an idle container to
    /// free its resources.
    pub(super) fn take_any_idle(
        &self,
        spec: &Arc<ContainerSpec>,
        resident: Option<&Arc<ProcessSpec>>,
    ) -> Option<ContainerHandle> {
        let mut idle = self.idle.borrow_mut();
        let found = idle.iter_mut().find_map(|slot| take(slot, spec, resident));
        if found.is_none() {
            // End the least recently used container of a slot.
            drop(idle.iter_mut().find_map(Vec::pop));
        }
        found
    }

    /// Keeps a container for later jobs, unless files have changed since it was started.
    pub(super) fn put_back(&self, slot: u32, container: ContainerHandle) {
        if let Some(idle) = self.idle.borrow_mut().get_mut(slot as usize)
            && self.is_current(&container)
        {
            // The most recently used container is kept longest.
            idle.insert(0, container);
            idle.truncate(IDLE_CONTAINERS_MAX);
        }
    }

    /// Ends all idle containers.
    pub(super) fn end_idle(&self) {
        let mut idle = self.idle.borrow_mut();
        let ended: usize = idle.iter().map(Vec::len).sum();
        if ended > 0 {
            tracing::debug!(containers = ended, "ended, since files may have changed");
        }
        idle.iter_mut().for_each(Vec::clear);
    }

    /// Marks every container started so far as outdated, because files of the host may have
    /// changed. A container caches what it once looked up, including that a file was missing.
    pub(super) fn files_changed(&self) {
        self.end_idle();
        self.edition.set(self.edition.get() + 1);
        // Plans list the entries beside mounts of host directories.
        self.plans.borrow_mut().clear();
        // A fork server that failed to start may work with the changed files.
        self.refused.borrow_mut().clear();
    }

    /// Returns whether no files have changed since a container was started.
    fn is_current(&self, container: &ContainerHandle) -> bool {
        container.edition == self.edition.get()
    }

    fn plan(&self, spec: &Arc<ContainerSpec>) -> Result<Rc<ContainerPlan>, ContainerStartError> {
        let mut plans = self.plans.borrow_mut();
        if let Some((_, plan)) = plans.iter().find(|(known, _)| same(known, spec)) {
            return Ok(Rc::clone(plan));
        }
        let concealed = self.secrets.conceal(spec);
        let shown = concealed.as_ref().unwrap_or(spec);
        let devices = devices::find(&shown.devices).map_err(|error| {
            ContainerStartError::Container(format!(
                "cannot make the container: {}",
                with_causes(&error)
            ))
        })?;
        let plan = plan_on_host(shown, &OverlaySplits::of_this_host(shown), &devices)
            .map_err(|error| ContainerStartError::Container(error.to_string()))?;
        let plan = Rc::new(ContainerPlan {
            limits: ContainerLimits::clone(&self.limits.borrow()),
            ..plan
        });
        plans.push_front((Arc::clone(spec), Rc::clone(&plan)));
        plans.truncate(PLANS_MAX);
        Ok(plan)
    }

    /// Encodes a process for a request to a container.
    pub(super) fn image(&self, process: &ProcessSpec) -> Result<ProcessImage, NulByte> {
        let mut environments = self.environments.borrow_mut();
        let known = environments
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, &process.environment))
            .map(|(_, packed)| packed.clone());
        let packed = match known {
            Some(packed) => packed,
            None => {
                let packed = PackedStrings::of_environment(&process.environment)?;
                environments.push_front((Arc::clone(&process.environment), packed.clone()));
                environments.truncate(ENVIRONMENTS_MAX);
                packed
            }
        };
        ProcessImage::new(process, packed)
    }

    /// Returns a job's fork server, unless it failed to start before.
    pub(super) fn resident(&self, wanted: Option<&ForkServerSpec>) -> Option<ForkServerSpec> {
        let refused = self.refused.borrow();
        wanted
            .filter(|wanted| !refused.iter().any(|other| same(other, &wanted.process)))
            .cloned()
    }

    /// Records that a fork server failed to start. Returns whether to report it.
    pub(super) fn refuse(&self, resident: &ForkServerSpec) -> bool {
        match resident.need {
            ForkServerNeed::Wanted => {}
            ForkServerNeed::Tried => return false,
        }
        let mut refused = self.refused.borrow_mut();
        let news = !refused.iter().any(|other| same(other, &resident.process));
        if news {
            refused.push(Arc::clone(&resident.process));
        }
        news
    }

    /// Starts a container and waits until it is ready.
    pub(super) async fn start(
        &self,
        spec: &Arc<ContainerSpec>,
    ) -> Result<ContainerHandle, ContainerStartError> {
        let plan = self.plan(spec)?;
        // Files may change while the container is created, and it may have seen the old ones. So
        // its edition is the one at the beginning.
        let edition = self.edition.get();
        let socket = self.spawner.start_container(&plan).map_err(|error| {
            match error.errno().and_then(ExhaustedResource::of) {
                Some(exhausted) => ContainerStartError::Exhausted(exhausted, error.to_string()),
                None => ContainerStartError::Helper(error),
            }
        })?;
        let container =
            ContainerHandle::new(Arc::clone(spec), socket, edition).map_err(|error| {
                ContainerStartError::of_io(&error, format!("cannot watch a container: {error}"))
            })?;
        match container.reply().await? {
            ContainerReply::Ready => Ok(container),
            ContainerReply::NotBuilt(failed) => {
                let message = format!("cannot make the container: {failed}");
                Err(ContainerStartError::of_step(&failed, message))
            }
            ContainerReply::NotStarted(_)
            | ContainerReply::ServiceFailed { .. }
            | ContainerReply::Kept
            | ContainerReply::NotKept(_)
            | ContainerReply::Threads(_)
            | ContainerReply::Ended { .. } => Err(ContainerStartError::Container(
                "the container's first process is confused".to_owned(),
            )),
        }
    }
}

fn take(
    idle: &mut Vec<ContainerHandle>,
    spec: &Arc<ContainerSpec>,
    resident: Option<&Arc<ProcessSpec>>,
) -> Option<ContainerHandle> {
    let index = idle
        .iter()
        .position(|container| container.serves(spec, resident))?;
    Some(idle.remove(index))
}

/// Compares pointers first, because equal specs nearly always share one allocation.
fn same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// A container that is ready for a job. Dropping the handle ends the container.
pub(super) struct ContainerHandle {
    spec: Arc<ContainerSpec>,
    resident: RefCell<Option<Arc<ProcessSpec>>>,
    socket: AsyncFd<OwnedFd>,
    edition: u64,
}

impl ContainerHandle {
    fn new(spec: Arc<ContainerSpec>, socket: OwnedFd, edition: u64) -> io::Result<ContainerHandle> {
        fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let socket = watch(socket)?;
        Ok(ContainerHandle {
            spec,
            resident: RefCell::default(),
            socket,
            edition,
        })
    }

    /// Returns whether the container has this spec and this fork server.
    pub(super) fn serves(
        &self,
        spec: &Arc<ContainerSpec>,
        resident: Option<&Arc<ProcessSpec>>,
    ) -> bool {
        let residents = match (&*self.resident.borrow(), resident) {
            (None, None) => true,
            (Some(own), Some(wanted)) => same(own, wanted),
            (None, Some(_)) | (Some(_), None) => false,
        };
        residents && same(&self.spec, spec)
    }

    /// Requests the start of a fork server. The reply says whether it succeeded.
    pub(super) fn keep(
        &self,
        resident: &Arc<ProcessSpec>,
        image: ProcessImage,
    ) -> Result<(), MessageError> {
        *self.resident.borrow_mut() = Some(Arc::clone(resident));
        self.give(LaunchMode::Keep, image, &[])
    }

    /// Sends a request without file descriptors. The socket's buffer holds far more of these
    /// requests than are ever outstanding.
    pub(super) fn order(&self, order: ContainerRequest) -> Result<(), MessageError> {
        message::send(self.socket.as_fd(), &order, &[])
    }

    /// Requests that a program be run, or forked by the fork server, with these standard streams.
    /// Without `input`, the program reads from `/dev/null`.
    pub(super) fn run(
        &self,
        image: ProcessImage,
        input: Option<BorrowedFd<'_>>,
        [output, errors]: [BorrowedFd<'_>; 2],
    ) -> Result<(), MessageError> {
        let task = match &*self.resident.borrow() {
            None => LaunchMode::Run,
            Some(_) => LaunchMode::Fork,
        };
        match input {
            Some(input) => self.give(task, image, &[input, output, errors]),
            None => self.give(task, image, &[output, errors]),
        }
    }

    /// Requests that a program be run on a terminal of its own.
    pub(super) fn run_on_terminal(
        &self,
        image: ProcessImage,
        terminal: BorrowedFd<'_>,
    ) -> Result<(), MessageError> {
        self.give(LaunchMode::RunOnTerminal, image, &[terminal; 3])
    }

    fn give(
        &self,
        task: LaunchMode,
        image: ProcessImage,
        streams: &[BorrowedFd<'_>],
    ) -> Result<(), MessageError> {
        let order = ContainerRequest::Do(task, image);
        // The size that counts is that of the request: a tag and the process image.
        if message::encode(&order)?.len() <= MESSAGE_BYTES_MAX {
            return message::send(self.socket.as_fd(), &order, streams);
        }
        let ContainerRequest::Do(task, image) = order else {
            return Err(MessageError::Closed);
        };
        let file = memory_file(&message::encode(&image)?)
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
        let mut descriptors = streams.to_vec();
        descriptors.push(file.as_fd());
        message::send(
            self.socket.as_fd(),
            &ContainerRequest::DoLarge(task),
            &descriptors,
        )
    }

    /// Waits for the next reply. Cancel safe.
    pub(super) async fn reply(&self) -> Result<ContainerReply, MessageError> {
        Ok(self.reply_with_descriptors().await?.0)
    }

    /// Waits for the next reply and its descriptors. Cancel safe.
    pub(super) async fn reply_with_descriptors(
        &self,
    ) -> Result<(ContainerReply, Vec<OwnedFd>), MessageError> {
        loop {
            let broken = |error: io::Error| {
                MessageError::from(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
            };
            let mut ready = self.socket.readable().await.map_err(broken)?;
            match message::receive(self.socket.as_fd()) {
                Err(MessageError::Socket(Errno::EAGAIN)) => ready.clear_ready(),
                other => return other,
            }
        }
    }
}
