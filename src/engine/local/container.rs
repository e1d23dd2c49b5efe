//! A handle to one container init: starting it, sending requests, reading replies.

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
use maelstrom_container::exhausted::ExhaustedResource;
use maelstrom_container::init::build::StepFailed;
use maelstrom_container::limits::ContainerLimits;
use maelstrom_container::message::{
    self, ContainerReply, ContainerRequest, LaunchMode, MessageError, NulByte, PackedStrings,
    ProcessImage,
};
use maelstrom_container::plan::overlay_split::OverlaySplits;
use maelstrom_container::plan::{ContainerPlan, plan_with_splits};
use maelstrom_container::secrets::HostSecrets;
use maelstrom_container::spawner::{Spawner, SpawnerError};
use maelstrom_container::sys::socket::{MESSAGE_BYTES_MAX, memory_file, watch};
use maelstrom_model::job::{ContainerSpec, ForkServerNeed, ForkServerSpec, ProcessSpec};

/// The most containers that one slot keeps for jobs to come. Each is a small process and a few
/// mounts; a project rarely has more than a handful of different containers.
const IDLE_CONTAINERS_MAX: usize = 4;

/// How many plans are kept, so that a job like the one before needs no planning.
const PLANS_MAX: usize = 16;

/// A plan and what it was made from.
type KnownPlan = (Arc<ContainerSpec>, Rc<ContainerPlan>);

/// How many environments are kept, for the same reason.
const ENVIRONMENTS_MAX: usize = 16;

/// An environment and what was made of it.
type KnownEnvironment = (Arc<BTreeMap<OsString, OsString>>, PackedStrings);

/// Starts containers. Cloning it shares it.
#[derive(Clone)]
pub(super) struct ContainerPool {
    spawner: Rc<Spawner>,
    secrets: Rc<HostSecrets>,
    limits: Rc<RefCell<ContainerLimits>>,
    shortage: ResourceBackoff,
    /// Those that can be used again, by slot.
    idle: Rc<RefCell<Vec<Vec<ContainerHandle>>>>,
    plans: Rc<RefCell<VecDeque<KnownPlan>>>,
    environments: Rc<RefCell<VecDeque<KnownEnvironment>>>,
    edition: Rc<Cell<u64>>,
    /// Fork servers that failed to start.
    refused: Rc<RefCell<Vec<Arc<ProcessSpec>>>>,
}

/// Why a container could not be started.
#[derive(Debug)]
pub(super) enum ContainerStartError {
    /// This one cannot be made.
    Container(String),
    /// It cannot be made now, because a resource is used up.
    Exhausted(ExhaustedResource, String),
    /// None can be made any more.
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
    /// What a failure with this error number means.
    pub(super) fn of(errno: Option<Errno>, message: String) -> ContainerStartError {
        match errno.and_then(ExhaustedResource::of) {
            Some(exhausted) => ContainerStartError::Exhausted(exhausted, message),
            None => ContainerStartError::Container(message),
        }
    }

    /// The same of a failed operation on descriptors.
    pub(super) fn of_io(error: &io::Error, message: String) -> ContainerStartError {
        ContainerStartError::of(error.raw_os_error().map(Errno::from_raw), message)
    }

    /// The same of a step that failed.
    pub(super) fn of_step(failed: &StepFailed, message: String) -> ContainerStartError {
        ContainerStartError::of(Some(Errno::from_raw(failed.errno)), message)
    }
}

impl ContainerPool {
    /// With a spawner to start them, and what they hide.
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

    /// Limits every container that is started from now on.
    pub(super) fn limit(&self, limits: ContainerLimits) {
        *self.limits.borrow_mut() = limits;
        // A plan holds the limits that it was made with.
        self.plans.borrow_mut().clear();
    }

    /// How many bytes of files each may hold.
    pub(super) fn scratch_bytes(&self) -> Option<u64> {
        self.limits.borrow().scratch_bytes
    }

    /// The backoff for exhausted resources.
    pub(super) fn shortage(&self) -> &ResourceBackoff {
        &self.shortage
    }

    /// A container of this slot's that serves such a job.
    pub(super) fn take_idle(
        &self,
        slot: u32,
        spec: &Arc<ContainerSpec>,
        resident: Option<&Arc<ProcessSpec>>,
    ) -> Option<ContainerHandle> {
        let mut idle = self.idle.borrow_mut();
        take(idle.get_mut(slot as usize)?, spec, resident)
    }

    /// A container of any slot's that serves such a job. If there is none, one that serves another
    /// is ended, so that there is room.
    pub(super) fn take_any_idle(
        &self,
        spec: &Arc<ContainerSpec>,
        resident: Option<&Arc<ProcessSpec>>,
    ) -> Option<ContainerHandle> {
        let mut idle = self.idle.borrow_mut();
        let found = idle.iter_mut().find_map(|slot| take(slot, spec, resident));
        if found.is_none() {
            // The one that was used the longest time ago.
            drop(idle.iter_mut().find_map(Vec::pop));
        }
        found
    }

    /// Keeps a container for jobs to come.
    pub(super) fn put_back(&self, slot: u32, container: ContainerHandle) {
        if let Some(idle) = self.idle.borrow_mut().get_mut(slot as usize)
            && self.is_current(&container)
        {
            // The one used last is kept longest.
            idle.insert(0, container);
            idle.truncate(IDLE_CONTAINERS_MAX);
        }
    }

    /// Ends the containers that are kept.
    pub(super) fn end_idle(&self) {
        let mut idle = self.idle.borrow_mut();
        let ended: usize = idle.iter().map(Vec::len).sum();
        if ended > 0 {
            tracing::debug!(containers = ended, "ended, since files may have changed");
        }
        idle.iter_mut().for_each(Vec::clear);
    }

    /// Marks every container started so far as outdated: it keeps what it once looked up of the
    /// host's files, missing ones included, and these may have changed.
    pub(super) fn files_changed(&self) {
        self.end_idle();
        self.edition.set(self.edition.get() + 1);
        // Plans name what stands beside mounts of this machine.
        self.plans.borrow_mut().clear();
        // What kept a program from being a fork server may have gone with them.
        self.refused.borrow_mut().clear();
    }

    /// Whether a container has seen no files but the present ones.
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
        let plan = plan_with_splits(shown, &OverlaySplits::of_this_host(shown))
            .map_err(|error| ContainerStartError::Container(error.to_string()))?;
        let plan = Rc::new(ContainerPlan {
            limits: ContainerLimits::clone(&self.limits.borrow()),
            ..plan
        });
        plans.push_front((Arc::clone(spec), Rc::clone(&plan)));
        plans.truncate(PLANS_MAX);
        Ok(plan)
    }

    /// A process in the form in which a container takes it.
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

    /// A job's fork server, unless it has failed to start before.
    pub(super) fn resident(&self, wanted: Option<&ForkServerSpec>) -> Option<ForkServerSpec> {
        let refused = self.refused.borrow();
        wanted
            .filter(|wanted| !refused.iter().any(|other| same(other, &wanted.process)))
            .cloned()
    }

    /// Records that such a fork server fails to start. Returns whether to report it.
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

    /// Starts a container and waits until it is made.
    pub(super) async fn start(
        &self,
        spec: &Arc<ContainerSpec>,
    ) -> Result<ContainerHandle, ContainerStartError> {
        let plan = self.plan(spec)?;
        // Files may change while the container is being made, and it may have seen the old ones,
        // so its edition is that of the beginning.
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
            | ContainerReply::Kept
            | ContainerReply::NotKept(_)
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

/// Comparing pointers first: equal specs are nearly always the same one.
fn same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// A container that is ready for a job. Dropping it ends it.
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

    /// Whether it is one of these, with this fork server.
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

    /// Requests the start of a fork server. The reply tells whether it succeeded.
    pub(super) fn keep(
        &self,
        resident: &Arc<ProcessSpec>,
        image: ProcessImage,
    ) -> Result<(), MessageError> {
        *self.resident.borrow_mut() = Some(Arc::clone(resident));
        self.give(LaunchMode::Keep, image, &[])
    }

    /// Sends a request. Only for those that carry no descriptors; the socket's buffer holds far
    /// more of them than are ever outstanding.
    pub(super) fn order(&self, order: ContainerRequest) -> Result<(), MessageError> {
        message::send(self.socket.as_fd(), &order, &[])
    }

    /// Requests that a program be run, or forked by the fork server, with this standard input, if
    /// any, and these standard output and error.
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

    /// Requests that a program be run on its own terminal.
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
        // The argument of a message's size is the order's: a tag and the image.
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

    /// The next reply. Dropping the future loses nothing.
    pub(super) async fn reply(&self) -> Result<ContainerReply, MessageError> {
        loop {
            let broken = |error: io::Error| {
                MessageError::from(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
            };
            let mut ready = self.socket.readable().await.map_err(broken)?;
            match message::receive(self.socket.as_fd()) {
                Err(MessageError::Socket(Errno::EAGAIN)) => ready.clear_ready(),
                other => return other.map(|(reply, _)| reply),
            }
        }
    }
}
