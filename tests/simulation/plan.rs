//! What a seed means: who takes part, what is to be run, and what goes wrong when.

use std::num::NonZeroU32;
use std::time::Duration;

use fastrand::Rng;
use maelstrom_model::backend::StopMode;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::policy::{JobGroup, JobNeeds};

/// Everything goes wrong before this moment.
pub(crate) const HEALED_AT: Duration = Duration::from_secs(16);

/// One run of the simulation.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// From which all follows.
    pub seed: u64,
    /// What sort of run it is.
    pub manner: Manner,
    /// How long leases live.
    pub lease: Duration,
    /// How often workers give a sign of life.
    pub heartbeat: Duration,
    /// How often a job is tried.
    pub attempts_max: u32,
    /// How long messages take at most.
    pub latency_max: Duration,
    /// The slots of each worker.
    pub workers: Vec<u32>,
    /// What each client wants.
    pub clients: Vec<ClientPlan>,
    /// What goes wrong, in order.
    pub faults: Vec<(Duration, Fault)>,
}

/// What sort of run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Anything may go wrong, and clients do what they can to have their jobs run.
    Anything,
    /// Only the broker ends and begins, so quickly that every worker is back within its lease, and
    /// clients rely on what was accepted.
    Restarts,
}

/// What one client wants.
#[derive(Clone, Debug)]
pub(crate) struct ClientPlan {
    /// Its jobs, in the order in which they are submitted.
    pub jobs: Vec<JobPlan>,
}

/// One job.
#[derive(Clone, Debug)]
pub(crate) struct JobPlan {
    /// When it is submitted, after its client has begun.
    pub submitted_at: Duration,
    /// Whether somebody stops it, and when.
    pub stopped: Option<(Duration, StopMode)>,
    /// Which of the client's containers it is for.
    pub container: u32,
    /// Its priority.
    pub priority: i8,
    /// What it does.
    pub task: Task,
}

/// What a job does. Its program's arguments say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// The client's number.
    pub client: u32,
    /// The job's.
    pub job: u64,
    /// How long it runs.
    pub runs: Duration,
    /// How much it writes.
    pub chunks: u32,
    /// How long each of what it writes is.
    pub chunk_bytes: u32,
    /// How it ends.
    pub code: i32,
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing gets through between two.
    Cut(Node, Node, Duration),
    /// Nothing gets through from one to the other.
    CutOneWay(Node, Node, Duration),
    /// Nothing arrives for so long, then everything at once.
    Hold(Node, Node, Duration),
    /// Messages take longer.
    Slow(Node, Node, Duration),
    /// One ends without a word and is started again after so long.
    Crash(Node, Duration, Power),
    /// A client's machine vanishes, and never comes back.
    Vanish(u32),
    /// An operator drains a worker.
    Drain(u32),
}

/// What becomes of what was written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// It is there: only the program ended.
    Stays,
    /// It is gone.
    Fails,
}

/// The network simulates one of these at a time.
#[derive(Clone, Copy, Debug)]
enum Oddity {
    OneWay,
    Hold,
}

/// One of those who take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// The broker.
    Broker,
    /// A worker.
    Worker(u32),
    /// A client.
    Client(u32),
}

impl Node {
    /// Its name on the network.
    pub(crate) fn name(self) -> String {
        match self {
            Node::Broker => "broker".to_owned(),
            Node::Worker(number) => format!("worker-{number}"),
            Node::Client(number) => format!("client-{number}"),
        }
    }
}

impl Plan {
    /// What this seed means.
    pub(crate) fn of(seed: u64, manner: Manner) -> Plan {
        let rng = &mut Rng::with_seed(seed);
        match manner {
            Manner::Anything => Plan::of_anything(seed, rng),
            Manner::Restarts => Plan::of_restarts(seed, rng),
        }
    }

    fn of_anything(seed: u64, rng: &mut Rng) -> Plan {
        let workers: Vec<u32> = (0..rng.u32(1..=4)).map(|_| rng.u32(1..=4)).collect();
        let clients: Vec<ClientPlan> = (0..rng.u32(1..=3)).map(|it| client(it, rng)).collect();
        let lease = Duration::from_millis(rng.u64(2_000..6_000));
        let oddity = match rng.bool() {
            true => Oddity::OneWay,
            false => Oddity::Hold,
        };
        let mut faults: Vec<(Duration, Fault)> = (0..rng.usize(0..=8))
            .map(|_| {
                let at = rng.u64(2_000..HEALED_AT.as_millis() as u64 - 1_000);
                (
                    Duration::from_millis(at),
                    fault(workers.len(), clients.len(), oddity, rng),
                )
            })
            .collect();
        faults.sort_by_key(|(at, _)| *at);
        Plan {
            seed,
            manner: Manner::Anything,
            lease,
            heartbeat: lease / 4,
            // Most seeds allow no job to be given up, whatever happens to its workers.
            attempts_max: if rng.u8(0..4) == 0 { 3 } else { 1_000 },
            latency_max: Duration::from_millis(rng.u64(2..200)),
            workers,
            clients,
            faults,
        }
    }

    fn of_restarts(seed: u64, rng: &mut Rng) -> Plan {
        let workers = (0..rng.u32(1..=4)).map(|_| rng.u32(1..=4)).collect();
        let mut clients: Vec<ClientPlan> = (0..rng.u32(1..=3)).map(|it| client(it, rng)).collect();
        for job in clients.iter_mut().flat_map(|client| &mut client.jobs) {
            // No machine fails: see the executor.
            job.task.job += job.task.job / 9 * 2 + 1;
            job.stopped = None;
        }
        let lease = Duration::from_millis(rng.u64(7_000..12_000));
        let mut at = Duration::ZERO;
        let faults = (0..rng.usize(1..=3)).map(|_| {
            let down = Duration::from_millis(rng.u64(20..1_500));
            // As long as a worker that saw it end may rest before it tries again, and more.
            at += Duration::from_millis(rng.u64(700..4_000));
            let power = match rng.bool() {
                true => Power::Stays,
                false => Power::Fails,
            };
            let fault = (at, Fault::Crash(Node::Broker, down, power));
            at += down;
            fault
        });
        let faults = faults.collect();
        Plan {
            seed,
            manner: Manner::Restarts,
            lease,
            heartbeat: lease / 4,
            attempts_max: 1,
            latency_max: Duration::from_millis(rng.u64(2..100)),
            workers,
            clients,
            faults,
        }
    }
}

fn client(number: u32, rng: &mut Rng) -> ClientPlan {
    let jobs = (0..rng.u64(1..=15)).map(|job| {
        let submitted_at = match rng.bool() {
            true => 0,
            false => rng.u64(0..10_000),
        };
        let stopped = (rng.u8(0..8) == 0).then(|| {
            let how = match rng.bool() {
                true => StopMode::Kill,
                false => StopMode::Terminate,
            };
            (Duration::from_millis(submitted_at + rng.u64(0..8_000)), how)
        });
        JobPlan {
            submitted_at: Duration::from_millis(submitted_at),
            stopped,
            // Both are prepared by threads, of which nobody knows which is first.
            container: if submitted_at == 0 { 0 } else { rng.u32(0..2) },
            priority: rng.i8(-2..2),
            task: Task {
                client: number,
                job,
                runs: Duration::from_millis(rng.u64(0..3_000)),
                chunks: rng.u32(0..6),
                // Some write more than what is kept in memory.
                chunk_bytes: if rng.u8(0..20) == 0 {
                    30_000
                } else {
                    rng.u32(1..200)
                },
                code: rng.i32(0..3),
            },
        }
    });
    ClientPlan {
        jobs: jobs.collect(),
    }
}

fn fault(workers: usize, clients: usize, oddity: Oddity, rng: &mut Rng) -> Fault {
    let other = match rng.usize(0..workers + clients) {
        number if number < workers => Node::Worker(number as u32),
        number => Node::Client((number - workers) as u32),
    };
    let (from, to) = match rng.bool() {
        true => (Node::Broker, other),
        false => (other, Node::Broker),
    };
    let lasting = Duration::from_millis(rng.u64(100..9_000));
    let worker = rng.u32(0..workers as u32);
    let power = match rng.bool() {
        true => Power::Stays,
        false => Power::Fails,
    };
    match (rng.u8(0..12), oddity) {
        (0..=2, _) => Fault::Cut(from, to, lasting),
        (3 | 4, Oddity::OneWay) => Fault::CutOneWay(from, to, lasting),
        (3 | 4, Oddity::Hold) => Fault::Hold(from, to, lasting),
        (5, _) => Fault::Slow(from, to, lasting),
        (6 | 7, _) => Fault::Crash(Node::Broker, lasting / 2, power),
        (8 | 9, _) => Fault::Crash(Node::Worker(worker), lasting, power),
        (10, _) => Fault::Drain(worker),
        _ => match clients {
            1 => Fault::Crash(Node::Broker, lasting / 2, power),
            _ => Fault::Vanish(rng.u32(1..clients as u32)),
        },
    }
}

impl Task {
    /// As a program's arguments.
    pub(crate) fn arguments(&self) -> Vec<std::ffi::OsString> {
        let numbers = [
            u64::from(self.client),
            self.job,
            self.runs.as_millis() as u64,
            u64::from(self.chunks),
            u64::from(self.chunk_bytes),
            self.code as u64,
        ];
        numbers.map(|number| number.to_string().into()).to_vec()
    }

    /// From a program's arguments.
    pub(crate) fn from_arguments(arguments: &[std::ffi::OsString]) -> Task {
        let numbers = arguments
            .iter()
            .map(|it| it.to_str().unwrap().parse().unwrap());
        let numbers: Vec<u64> = numbers.collect();
        let [client, job, runs_ms, chunks, chunk_bytes, code] = numbers[..] else {
            panic!("the arguments are not those of a task: {arguments:?}");
        };
        Task {
            client: client as u32,
            job,
            runs: Duration::from_millis(runs_ms),
            chunks: chunks as u32,
            chunk_bytes: chunk_bytes as u32,
            code: code as i32,
        }
    }

    /// What it needs of its worker. It follows from the task, so that nobody has to be told.
    pub(crate) fn needs(&self) -> JobNeeds {
        let kind = self.job + u64::from(self.chunk_bytes) + u64::from(self.chunks);
        let group = JobGroup {
            name: "group".into(),
            jobs_max: NonZeroU32::MIN.saturating_add(self.client % 2),
        };
        JobNeeds {
            group: kind.is_multiple_of(3).then_some(group),
            weight: NonZeroU32::MIN.saturating_add((kind / 3 % 4) as u32),
            exclusive: kind % 7 == 5,
            memory_bytes: None,
            avoided_worker: (kind % 5 == 4).then_some(WorkerId(1 + self.client)),
            devices: Vec::new(),
        }
    }

    /// The number of slots that it takes on a worker with `slots`.
    pub(crate) fn slots_of(&self, slots: u32) -> u32 {
        let needs = self.needs();
        match needs.exclusive {
            true => slots,
            false => needs.weight.get().min(slots),
        }
    }

    /// What it writes: each piece, and whether to standard error.
    pub(crate) fn output(&self) -> Vec<(bool, Vec<u8>)> {
        let piece = |index: u32| {
            let mut bytes = format!("{}/{} {index} ", self.client, self.job).into_bytes();
            bytes.resize(
                bytes.len() + self.chunk_bytes as usize,
                b'a' + (index % 26) as u8,
            );
            (index % 3 == 2, bytes)
        };
        (0..self.chunks).map(piece).collect()
    }
}
