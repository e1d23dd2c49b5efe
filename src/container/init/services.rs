//! The services of a container: programs that run beside each job, such as a database server.
//!
//! Services start one after another before the job, and the next one and the job wait until it is
//! ready. Their processes are not the job's: they are no leaks, and what they use is not counted.
//! They are killed with whatever the job leaves behind, so that none serves two jobs.
//!
//! The output of a service goes to a memory file, of which the last part is kept, so that a service
//! that prints without end neither waits for a reader nor fills the memory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

use super::super::child::{self, CapabilitySet, ChildStack, ProcessTerminal};
use super::super::message::{self, ContainerRequest, ProcessImage, ServiceReport};
use super::super::plan::PlannedService;
use super::super::spec::ExitStatus;
use super::super::sys::process::{WaitMode, WaitOutcome, WaitTarget, signal_everybody, wait};
use super::super::sys::socket::memory_file;
use super::leaks::{OtherProcesses, descendants};
use super::null::NullDevice;
use super::threads::send_threads;

/// The maximum number of bytes of a service's output in a report: the reports about all services of
/// a container fit into one message.
pub const REPORTED_BYTES_MAX: u64 = 4 * 1024;

/// The number of bytes of a service's output that are kept while the job runs.
const KEPT_BYTES: u64 = 64 * 1024;

/// The time between two looks at the size of the kept output, in milliseconds.
const TRIM_PERIOD_MS: u16 = 1000;

/// The first and the longest pause between two checks whether a service is ready.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// The services that run beside a job.
#[derive(Default)]
pub(super) struct RunningServices {
    running: Vec<RunningService>,
    /// Their processes when the job started, as the spawner's `/proc` numbers them.
    processes: Vec<i32>,
}

struct RunningService {
    name: String,
    pid: Pid,
    log: ServiceLog,
}

/// Why a job cannot start beside its services.
pub(super) enum ServiceStartError {
    /// A service did not become ready.
    Failed {
        reason: String,
        service: ServiceReport,
    },
    /// A request has ended the job before it started, as this signal would.
    Stopped(i32),
    /// The main program is gone.
    Abandoned,
}

/// What is needed to start services.
pub(super) struct ServiceStarter<'a> {
    pub(super) socket: &'a OwnedFd,
    /// A `/proc` in which the calling process is visible.
    pub(super) proc: &'a OwnedFd,
    /// Reports ended children.
    pub(super) children: &'a SignalFd,
    pub(super) null: &'a NullDevice,
    pub(super) stack: &'a mut ChildStack,
    pub(super) capabilities: CapabilitySet,
}

impl ServiceStarter<'_> {
    /// Starts services one after another, and returns when all are ready.
    pub(super) fn start(
        mut self,
        planned: &[PlannedService],
    ) -> Result<RunningServices, ServiceStartError> {
        let mut services = RunningServices::default();
        if planned.is_empty() {
            return Ok(services);
        }
        for one in planned {
            let service = self.start_one(one)?;
            services.running.push(service);
        }
        let processes = descendants(self.proc);
        services.processes = processes.into_iter().map(|process| process.pid).collect();
        Ok(services)
    }

    fn start_one(&mut self, planned: &PlannedService) -> Result<RunningService, ServiceStartError> {
        let failed = |reason: String, log: Option<&ServiceLog>, ended| ServiceStartError::Failed {
            reason: format!("the service `{}` {reason}", planned.name),
            service: ServiceReport {
                name: planned.name.clone(),
                ended,
                output: log.map(ServiceLog::tail).unwrap_or_default(),
            },
        };
        let log = ServiceLog::new().map_err(|error| failed(error.to_string(), None, None))?;
        let pid = self
            .launch(&planned.image, &log)
            .map_err(|reason| failed(format!("cannot be started: {reason}"), None, None))?;
        let service = RunningService {
            name: planned.name.clone(),
            pid,
            log,
        };
        let Some(readiness) = &planned.readiness else {
            return Ok(service);
        };
        let mut deadline = Instant::now() + planned.ready_timeout;
        let mut pause = PAUSES.0;
        loop {
            let probe = ServiceLog::new().map_err(|error| failed(error.to_string(), None, None))?;
            let asked = self.launch(readiness, &probe);
            let asked = asked.map_err(|reason| {
                let reason = format!("cannot be asked whether it is ready: {reason}");
                failed(reason, Some(&service.log), None)
            })?;
            let mut answer = None;
            let mut next_try = None;
            loop {
                if let Some(status) = ended(service.pid) {
                    let reason = format!("has ended before it was ready: {status}");
                    return Err(failed(reason, Some(&service.log), Some(status)));
                }
                if answer.is_none() {
                    answer = ended(asked);
                }
                match answer {
                    Some(ExitStatus::Code(0)) => return Ok(service),
                    Some(_) if next_try.is_none() => next_try = Some(Instant::now() + pause),
                    Some(_) | None => {}
                }
                let now = Instant::now();
                if now >= deadline {
                    let seconds = planned.ready_timeout.as_secs_f64();
                    let reason = match answer {
                        Some(status) => format!(
                            "was not ready after {seconds} s: the check ended with {status}{}",
                            probe.last_line()
                        ),
                        None => format!("was not ready after {seconds} s: the check still ran"),
                    };
                    return Err(failed(reason, Some(&service.log), None));
                }
                if next_try.is_some_and(|next| now >= next) {
                    break;
                }
                let until = next_try.unwrap_or(deadline).min(deadline);
                deadline += self.wait(until)?;
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Starts a program with its output in a log.
    fn launch(&mut self, image: &ProcessImage, log: &ServiceLog) -> Result<Pid, String> {
        let streams = log.writers().map_err(|error| error.to_string())?;
        let streams = self.null.complete(self.proc, streams);
        let streams = streams.map_err(|errno| errno.desc().to_owned())?;
        let lent = streams.each_ref().map(AsFd::as_fd);
        let terminal = ProcessTerminal::None;
        child::start(self.stack, image, lent, terminal, self.capabilities)
            .map_err(|failed| failed.to_string())
    }

    /// Waits until a child may have ended, but not beyond `until`. Returns the time for which the
    /// container was suspended.
    fn wait(&self, until: Instant) -> Result<Duration, ServiceStartError> {
        let left = until.saturating_duration_since(Instant::now());
        let mut watched = [
            PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
        ];
        // Rounded up, since a poll with less than a millisecond would not wait.
        let patience = PollTimeout::try_from(left + Duration::from_millis(1));
        match poll(&mut watched, patience.unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Err(ServiceStartError::Abandoned),
        }
        let [_, orders] = watched.map(|fd| fd.any().unwrap_or(false));
        // Read before the caller looks for ended children, so that later ends are reported again.
        while let Ok(Some(_)) = self.children.read_signal() {}
        match orders {
            true => self.obey(),
            false => Ok(Duration::ZERO),
        }
    }

    /// Carries out a request. Returns the time for which the container was suspended.
    fn obey(&self) -> Result<Duration, ServiceStartError> {
        let gone = |_| ServiceStartError::Abandoned;
        let began = Instant::now();
        let mut suspended = false;
        loop {
            let (order, _) = message::receive(self.socket.as_fd()).map_err(gone)?;
            match order {
                ContainerRequest::Suspend => {
                    // Without any process, no signal is needed.
                    let _ = signal_everybody(Signal::SIGSTOP);
                    suspended = true;
                }
                ContainerRequest::Continue => {
                    let _ = signal_everybody(Signal::SIGCONT);
                    return Ok(began.elapsed());
                }
                ContainerRequest::DescribeThreads => {
                    send_threads(self.socket, self.proc, OtherProcesses::None).map_err(gone)?;
                }
                ContainerRequest::Signal(number) | ContainerRequest::SignalFirst(number) => {
                    return Err(ServiceStartError::Stopped(number));
                }
                ContainerRequest::Kill => {
                    return Err(ServiceStartError::Stopped(Signal::SIGKILL as i32));
                }
                // A second job while one is about to start; the program never requests that.
                ContainerRequest::Do(..) | ContainerRequest::DoLarge(_) => {}
            }
            if !suspended {
                return Ok(Duration::ZERO);
            }
        }
    }
}

impl RunningServices {
    /// Returns whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Returns the processes that were running when the job started, as the spawner's `/proc`
    /// numbers them. They and their descendants are not the job's.
    pub(super) fn processes(&self) -> &[i32] {
        &self.processes
    }

    /// Returns how long to wait at most before [`Self::trim`].
    pub(super) fn trim_period(&self) -> PollTimeout {
        match self.is_empty() {
            true => PollTimeout::NONE,
            false => TRIM_PERIOD_MS.into(),
        }
    }

    /// Frees the memory of all but the end of each service's output.
    pub(super) fn trim(&self) {
        self.running.iter().for_each(|service| service.log.trim());
    }

    /// Reports what the services did. To be called after the job has ended, and before other
    /// processes are reaped.
    pub(super) fn report(self) -> Vec<ServiceReport> {
        let report = |service: RunningService| ServiceReport {
            ended: ended(service.pid),
            output: service.log.tail(),
            name: service.name,
        };
        self.running.into_iter().map(report).collect()
    }
}

/// Returns how a child has ended, if it has.
fn ended(pid: Pid) -> Option<ExitStatus> {
    match wait(WaitTarget::One(pid), WaitMode::Poll) {
        Ok(WaitOutcome::Ended { status, .. }) => Some(status),
        Ok(WaitOutcome::NoneYet | WaitOutcome::NoChildren) | Err(_) => None,
    }
}

/// The output of a program, of which the end is kept in memory.
struct ServiceLog(File);

impl ServiceLog {
    fn new() -> io::Result<ServiceLog> {
        memory_file(&[]).map(|file| ServiceLog(file.into()))
    }

    /// Returns descriptors for the standard output and the standard error of a program.
    fn writers(&self) -> io::Result<Vec<OwnedFd>> {
        let writer = || self.0.try_clone().map(OwnedFd::from);
        Ok(vec![writer()?, writer()?])
    }

    fn size(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }

    fn trim(&self) {
        let surplus = self.size().saturating_sub(KEPT_BYTES);
        if let Ok(surplus @ 1..) = i64::try_from(surplus) {
            // The file keeps its size, since the writers' position must stay.
            let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // If it fails, the output stays in memory until the end of the job.
            let _ = fallocate(&self.0, hole, 0, surplus);
        }
    }

    /// Returns the end of the output.
    fn tail(&self) -> Vec<u8> {
        let start = self.size().saturating_sub(REPORTED_BYTES_MAX);
        let mut tail = vec![0; REPORTED_BYTES_MAX as usize];
        let read = self.0.read_at(&mut tail, start).unwrap_or(0);
        tail.truncate(read);
        tail
    }

    /// Returns the last line of the output behind a colon, or nothing if there is none.
    fn last_line(&self) -> String {
        let tail = self.tail();
        let tail = String::from_utf8_lossy(&tail);
        let last = tail.lines().rev().find(|line| !line.trim().is_empty());
        last.map_or(String::new(), |line| format!(": {}", line.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_end_of_a_log_is_kept() {
        let log = ServiceLog::new().unwrap();
        assert!(log.tail().is_empty());
        assert_eq!(log.last_line(), "");
        let mut writers = log.writers().unwrap().into_iter().map(File::from);
        let (mut output, mut errors) = (writers.next().unwrap(), writers.next().unwrap());
        output
            .write_all(&vec![b'x'; 3 * KEPT_BYTES as usize])
            .unwrap();
        log.trim();
        errors.write_all(b"\nlast\n \n").unwrap();
        let tail = log.tail();
        assert_eq!(tail.len() as u64, REPORTED_BYTES_MAX);
        assert!(tail.starts_with(b"xxxx") && tail.ends_with(b"x\nlast\n \n"));
        assert_eq!(log.last_line(), ": last");
    }
}
