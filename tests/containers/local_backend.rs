//! Jobs that behave badly, on this machine's own backend: real containers, real processes.

use crate::support;
use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{EXECUTABLE, program, script};
use maelstrom_container::spec::{ContainerSpec, ProcessSpec};
use maelstrom_engine::local::LocalBackend;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::event::OutputStream;
use maelstrom_model::job::{
    ExitStatus, Job, JobOutcome, JobResult, OutputPipes, PlacementConstraint,
};

/// Longer than any of these tests takes: a job that lasts so long was not stopped.
pub(crate) const FOR_EVER: &str = "1000";

/// Long enough for a shell to have prepared itself, on a machine that does much else.
pub(crate) const PREPARED: Duration = Duration::from_secs(3);

pub(crate) struct Bench {
    backend: LocalBackend,
    pub(crate) container: Arc<ContainerSpec>,
    next: u64,
    pub(crate) output: HashMap<(JobId, OutputStream), Vec<u8>>,
}

/// Runs a test on a single-threaded runtime, as the programs do, and closes the backend.
pub(crate) fn with_backend<F: Future<Output = Bench>>(slots: u32, test: impl FnOnce(Bench) -> F) {
    with_grace(slots, Duration::from_secs(60), test);
}

fn with_grace<F: Future<Output = Bench>>(
    slots: u32,
    grace: Duration,
    test: impl FnOnce(Bench) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let backend = LocalBackend::start(Path::new(EXECUTABLE), slots)
            .unwrap()
            .with_grace(grace);
        let container = Arc::new(support::spec(Path::new("/usr/share")));
        let bench = Bench {
            backend,
            container,
            next: 0,
            output: HashMap::new(),
        };
        test(bench).await.backend.close().await;
    });
}

impl Bench {
    fn submit(&mut self, process: ProcessSpec, timeout: Option<Duration>) -> JobId {
        self.submit_with(process, timeout, |job| job)
    }

    pub(crate) fn submit_with(
        &mut self,
        process: ProcessSpec,
        timeout: Option<Duration>,
        adapt: impl FnOnce(Job) -> Job,
    ) -> JobId {
        let id = JobId(self.next);
        self.next += 1;
        let container = Arc::clone(&self.container);
        let job = Job {
            placement: PlacementConstraint::Here,
            container,
            process: Arc::new(process),
            resident: None,
            timeout,
            output: OutputPipes::Separate,
            grace: None,
            needs: Default::default(),
            additions: Default::default(),
        };
        self.backend.submit(id, adapt(job), JobPriority::default());
        id
    }

    async fn event(&mut self) -> BackendEvent {
        let event = self.backend.next().await;
        if let BackendEvent::Output { job, stream, bytes } = &event {
            self.output
                .entry((*job, *stream))
                .or_default()
                .extend(bytes);
        }
        event
    }

    pub(crate) async fn finished(&mut self) -> (JobId, JobResult) {
        loop {
            match self.event().await {
                BackendEvent::Finished { job, result } => return (job, result),
                BackendEvent::Lost(lost) => panic!("{lost:?}"),
                _ => {}
            }
        }
    }

    /// Waits until a job has written this.
    async fn wrote(&mut self, id: JobId, text: &str) {
        while self.stdout(id) != text {
            if let BackendEvent::Finished { result, .. } = self.event().await {
                panic!("{result:?}");
            }
        }
    }

    pub(crate) async fn run(
        &mut self,
        process: ProcessSpec,
        timeout: Option<Duration>,
    ) -> JobResult {
        self.submit(process, timeout);
        self.finished().await.1
    }

    pub(crate) fn stdout(&self, id: JobId) -> &str {
        let bytes = self.output.get(&(id, OutputStream::Stdout));
        bytes.map_or("", |bytes| std::str::from_utf8(bytes).unwrap())
    }
}

#[test]
fn what_a_job_writes_last_is_told_however_soon_its_end_is_known() {
    with_backend(2, async |mut bench| {
        let jobs: Vec<JobId> = (0..200)
            .map(|number| bench.submit(script(&format!("echo {number}")), None))
            .collect();
        for _ in &jobs {
            bench.finished().await;
        }
        for (number, job) in jobs.into_iter().enumerate() {
            assert_eq!(bench.stdout(job), format!("{number}\n"));
        }
        bench
    });
}

#[test]
fn descriptors_that_the_program_was_called_with_stay_with_it() {
    let (reader, _writer) = std::io::pipe().unwrap();
    // Unlike the pipe itself, a copy stays open in programs that are executed. Its number is one
    // that a shell does not use.
    let copy = nix::fcntl::FcntlArg::F_DUPFD(100);
    let inherited = nix::fcntl::fcntl(&reader, copy).unwrap();
    with_backend(1, async |mut bench| {
        let id = bench.submit(script("echo /proc/$$/fd/*"), None);
        bench.finished().await;
        let stdout = bench.stdout(id).to_owned();
        let open: Vec<i32> = stdout
            .split_whitespace()
            .map(|path| path.rsplit('/').next().unwrap().parse().unwrap())
            .collect();
        assert!(open.contains(&2) && !open.contains(&inherited), "{open:?}");
        bench
    });
}

pub(crate) const SUCCESS: JobOutcome = JobOutcome::Exited(ExitStatus::Code(0));

#[test]
fn exit_codes_signals_and_resources_are_told() {
    with_backend(2, async |mut bench| {
        let result = bench.run(script("exit 7"), None).await;
        assert_eq!(result.end, JobOutcome::Exited(ExitStatus::Code(7)));
        let result = bench.run(script("kill -SEGV $$"), None).await;
        assert!(
            matches!(
                result.end,
                JobOutcome::Exited(ExitStatus::Signal { number: 11, .. })
            ),
            "{result:?}"
        );
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; head -c 50000000 /dev/zero | tail | wc -c";
        let result = bench.run(script(busy), None).await;
        assert_eq!(result.end, SUCCESS);
        assert!(result.usage.user > Duration::ZERO, "{result:?}");
        assert!(result.usage.memory_peak_bytes > 40_000_000, "{result:?}");
        assert!(result.ran >= result.usage.user / 2, "{result:?}");
        bench
    });
}

#[test]
fn both_streams_arrive_whole_and_apart() {
    with_backend(2, async |mut bench| {
        let flood = "head -c 30000000 /dev/zero | tr '\\0' x; echo end >&2";
        let id = bench.submit(script(flood), None);
        assert_eq!(bench.finished().await.1.end, SUCCESS);
        assert_eq!(bench.stdout(id).len(), 30_000_000);
        assert_eq!(bench.output[&(id, OutputStream::Stderr)], b"end\n");
        bench
    });
}

#[test]
fn output_arrives_while_the_job_runs() {
    with_backend(1, async |mut bench| {
        let id = bench.submit(script(&format!("echo first; exec sleep {FOR_EVER}")), None);
        bench.wrote(id, "first\n").await;
        bench.backend.stop(id, StopMode::Kill);
        assert_eq!(bench.finished().await.1.end, JobOutcome::Cancelled);
        bench
    });
}

#[test]
fn a_timeout_asks_first() {
    with_backend(2, async |mut bench| {
        let polite = "trap 'echo asked; exit 3' TERM; while :; do sleep 0.01; done";
        let id = bench.submit(script(polite), Some(PREPARED));
        let (_, result) = bench.finished().await;
        assert_eq!(
            (result.end, bench.stdout(id)),
            (JobOutcome::TimedOut, "asked\n")
        );
        bench
    });
}

#[test]
fn a_timeout_kills_whoever_does_not_listen() {
    with_grace(2, Duration::from_millis(100), async |mut bench| {
        let deaf = format!("trap '' TERM; sleep {FOR_EVER} & sleep {FOR_EVER}; sleep {FOR_EVER}");
        let result = bench.run(script(&deaf), Some(PREPARED)).await;
        assert_eq!(result.end, JobOutcome::TimedOut);
        let grace = Duration::from_millis(100);
        assert!(result.ran >= PREPARED + grace, "{result:?}");
        // The container is as good as new.
        assert_eq!(bench.run(script("! pgrep sleep"), None).await.end, SUCCESS);
        bench
    });
}

#[test]
fn a_job_can_be_stopped_before_during_and_after_its_run() {
    with_backend(1, async |mut bench| {
        let running = bench.submit(script(&format!("echo up; exec sleep {FOR_EVER}")), None);
        let waiting = bench.submit(script("true"), None);
        bench.wrote(running, "up\n").await;
        bench.backend.stop(waiting, StopMode::Terminate);
        let (job, result) = bench.finished().await;
        assert_eq!((job, result.end), (waiting, JobOutcome::Cancelled));
        bench.backend.stop(running, StopMode::Terminate);
        let (job, result) = bench.finished().await;
        assert_eq!((job, result.end), (running, JobOutcome::Cancelled));
        bench.backend.stop(running, StopMode::Kill);
        assert_eq!(bench.run(script("true"), None).await.end, SUCCESS);
        bench
    });
}

/// What keeps jobs waiting until it is opened.
struct Gate {
    directory: tempfile::TempDir,
}

impl Gate {
    /// One that the jobs of a bench see from now on.
    fn new(bench: &mut Bench) -> Gate {
        let directory = tempfile::tempdir().unwrap();
        let seen = support::read_only(directory.path().to_str().unwrap());
        let mut container = support::spec(Path::new("/usr/share"));
        container.mounts.push(support::mount("/tmp", seen));
        bench.container = Arc::new(container);
        Gate { directory }
    }

    /// A script that says `up`, waits, and goes on.
    fn wait_and(&self, next: &str) -> ProcessSpec {
        let name = self.directory.path().display();
        script(&format!(
            "echo up; until [ -e /tmp/open ]; do :; done; {next} # {name}"
        ))
    }

    fn open(&self) {
        std::fs::write(self.directory.path().join("open"), "").unwrap();
    }

    /// The states of the jobs that have not ended, as `/proc/PID/stat` tells them (proc(5)).
    fn states(&self) -> Vec<char> {
        let name = self.directory.path().to_str().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let state = |process: std::fs::DirEntry| {
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            let is_ours = String::from_utf8_lossy(&line).contains(name);
            is_ours.then(|| stat.rsplit_once(") ")?.1.chars().next())?
        };
        processes.filter_map(state).collect()
    }
}

#[test]
fn a_job_that_ended_in_time_has_not_timed_out_however_late_that_is_seen() {
    with_backend(4, async |mut bench| {
        let gate = Gate::new(&mut bench);
        let jobs: Vec<JobId> = (0..4)
            .map(|_| bench.submit(gate.wait_and("exit 7"), Some(PREPARED)))
            .collect();
        for job in &jobs {
            bench.wrote(*job, "up\n").await;
        }
        let began = Instant::now();
        gate.open();
        // Nobody looks until both is true of each: it has ended, and its time is up.
        while !gate.states().is_empty() || began.elapsed() <= PREPARED {
            std::thread::yield_now();
        }
        for _ in jobs {
            let end = bench.finished().await.1.end;
            assert_eq!(end, JobOutcome::Exited(ExitStatus::Code(7)));
        }
        bench
    });
}

#[test]
fn held_jobs_wait_and_suspended_jobs_stand_still() {
    with_backend(1, async |mut bench| {
        // It goes on as soon as it may, but for standing still.
        let gate = Gate::new(&mut bench);
        let id = bench.submit(gate.wait_and("echo done"), Some(Duration::from_secs(300)));
        bench.wrote(id, "up\n").await;
        bench.backend.suspend();
        bench.backend.hold();
        let second = bench.submit(script("true"), None);
        // What was asked of the job is passed on while somebody waits for news of it.
        while gate.states() != ['T'] {
            let _ = tokio::time::timeout(Duration::from_millis(1), bench.event()).await;
        }
        gate.open();
        let stillness = Duration::from_millis(700);
        let nothing = tokio::time::timeout(stillness, bench.finished()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        bench.backend.resume();
        let (job, result) = bench.finished().await;
        assert_eq!(
            (job, &result.end, bench.stdout(id)),
            (id, &SUCCESS, "up\ndone\n")
        );
        let nothing = tokio::time::timeout(Duration::from_millis(50), bench.finished()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        bench.backend.release();
        assert_eq!(bench.finished().await.0, second);
        bench
    });
}

#[test]
fn jobs_that_close_their_streams_or_leave_daemons_end_when_their_program_does() {
    with_backend(2, async |mut bench| {
        assert_eq!(
            bench
                .run(script("exec 0<&- 1>&- 2>&-; exit 0"), None)
                .await
                .end,
            SUCCESS
        );
        let daemon = format!("setsid sleep {FOR_EVER} & disown 2>/dev/null; echo parent");
        let id = bench.submit(script(&daemon), None);
        assert_eq!(bench.finished().await.1.end, SUCCESS);
        assert_eq!(bench.stdout(id), "parent\n");
        assert_eq!(
            bench
                .run(script("kill -9 $PPID; kill -9 1; exit 0"), None)
                .await
                .end,
            SUCCESS
        );
        bench
    });
}

#[test]
fn forks_without_end_reach_a_limit_and_leave_nothing() {
    with_grace(2, Duration::from_millis(100), async |mut bench| {
        let bomb = "f() { f | f & }; f; exec sleep 1000";
        let bomb = bench.submit(script(bomb), Some(Duration::from_millis(500)));
        let neighbor = bench.submit(script("echo fine"), None);
        let mut ends = HashMap::new();
        for _ in 0..2 {
            let (job, result) = bench.finished().await;
            ends.insert(job, result.end);
        }
        assert_eq!(ends[&neighbor], SUCCESS);
        assert_eq!(ends[&bomb], JobOutcome::TimedOut);
        assert_eq!(
            bench
                .run(script("test $(ls -d /proc/[0-9]* | wc -l) -lt 6"), None)
                .await
                .end,
            SUCCESS
        );
        bench
    });
}

#[test]
fn large_environments_and_many_arguments_arrive() {
    with_backend(1, async |mut bench| {
        let mut process = script("echo ${#BIG} $#");
        let big = "x".repeat(100_000);
        Arc::make_mut(&mut process.environment).insert("BIG".into(), big.into());
        process.arguments.push("sh".into());
        process
            .arguments
            .extend((0..5000).map(|n| n.to_string().into()));
        let id = bench.submit(process, None);
        assert_eq!(bench.finished().await.1.end, SUCCESS);
        assert_eq!(bench.stdout(id), "100000 5000\n");
        bench
    });
}

#[test]
fn what_cannot_be_started_is_an_infrastructure_error() {
    with_backend(1, async |mut bench| {
        let result = bench.run(program("no-such-program", &[]), None).await;
        let expected = "cannot execute no-such-program: No such file or directory (ENOENT)";
        assert_eq!(result.end, JobOutcome::Error(expected.to_owned()));
        let result = bench.run(program("a\0b", &[]), None).await;
        assert_eq!(
            result.end,
            JobOutcome::Error("the program \"a\\0b\" contains a NUL byte".to_owned())
        );
        let good = Arc::clone(&bench.container);
        let mut broken = support::spec(Path::new("/not/there"));
        broken.hostname = "broken".into();
        bench.container = Arc::new(broken);
        let result = bench.run(script("true"), None).await;
        let expected = "cannot make the container: bind /not/there of the host read-only on \
                        stash:0: No such file or directory (ENOENT)";
        assert_eq!(result.end, JobOutcome::Error(expected.to_owned()));
        bench.container = good;
        assert_eq!(bench.run(script("true"), None).await.end, SUCCESS);
        bench
    });
}

#[test]
fn what_was_built_between_two_jobs_is_seen_by_the_second() {
    let source = tempfile::tempdir().unwrap();
    with_backend(1, async |mut bench| {
        bench.container = Arc::new(support::spec(source.path()));
        std::fs::write(source.path().join("old"), "old").unwrap();
        assert_eq!(
            bench
                .run(script("test ! -e new && grep -q old old"), None)
                .await
                .end,
            SUCCESS
        );
        std::fs::write(source.path().join("new"), "new").unwrap();
        std::fs::remove_file(source.path().join("old")).unwrap();
        std::fs::write(source.path().join("old"), "other").unwrap();
        bench.backend.files_changed();
        assert_eq!(
            bench
                .run(script("test -e new && grep -q other old"), None)
                .await
                .end,
            SUCCESS
        );
        bench
    });
}

#[test]
fn closing_kills_what_runs() {
    with_backend(2, async |mut bench| {
        let id = bench.submit(
            script(&format!("trap '' TERM; echo up; sleep {FOR_EVER}")),
            None,
        );
        bench.wrote(id, "up\n").await;
        bench
    });
    // `with_backend` has closed the backend: it would still hang here if that waited for the job.
}
