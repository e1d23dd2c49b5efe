//! Jobs as plain processes, the user's explicit choice: what still holds without a container.

use crate::support;
use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use maelstrom_container::spec::ProcessSpec;
use maelstrom_engine::local::LocalBackend;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::event::OutputStream;
use maelstrom_model::job::{
    ExitStatus, Job, JobOutcome, JobResult, OutputPipes, PlacementConstraint,
};
use maelstrom_model::policy::{JobGroup, JobNeeds};

/// Never ends by itself.
const FOR_EVER: &str = "tail -f /dev/null";

struct Bench {
    backend: LocalBackend,
    next: u64,
    output: HashMap<(JobId, OutputStream), Vec<u8>>,
}

fn with_backend<F: Future<Output = Bench>>(slots: u32, test: impl FnOnce(Bench) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let bench = Bench {
            backend: LocalBackend::without_containers(slots)
                .unwrap()
                .with_grace(Duration::from_millis(10)),
            next: 0,
            output: HashMap::new(),
        };
        test(bench).await.backend.close().await;
    });
}

fn script(text: &str) -> ProcessSpec {
    ProcessSpec {
        working_directory: Path::new("/").into(),
        ..support::script(text)
    }
}

impl Bench {
    fn submit(&mut self, process: ProcessSpec, timeout: Option<Duration>) -> JobId {
        self.submit_with(process, timeout, JobNeeds::default())
    }

    fn submit_with(
        &mut self,
        process: ProcessSpec,
        timeout: Option<Duration>,
        needs: JobNeeds,
    ) -> JobId {
        let id = JobId(self.next);
        self.next += 1;
        // Nobody looks at the container's specification, so it may ask for what is not there.
        let job = Job {
            placement: PlacementConstraint::Here,
            container: Arc::new(support::spec(Path::new("/not/there"))),
            process: Arc::new(process),
            resident: None,
            timeout,
            output: OutputPipes::Separate,
            grace: None,
            needs,
            additions: Default::default(),
        };
        self.backend.submit(id, job, JobPriority::default());
        id
    }

    async fn finished(&mut self) -> (JobId, JobResult) {
        loop {
            match self.backend.next().await {
                BackendEvent::Finished { job, result } => return (job, result),
                BackendEvent::Output { job, stream, bytes } => {
                    self.output.entry((job, stream)).or_default().extend(bytes);
                }
                BackendEvent::Lost(lost) => panic!("{lost:?}"),
                BackendEvent::Restarted { .. } => panic!("nothing is lost here"),
                BackendEvent::Started { .. }
                | BackendEvent::Discarded { .. }
                | BackendEvent::Worker(_)
                | BackendEvent::Cluster(_)
                | BackendEvent::Notice(_) => {}
            }
        }
    }

    async fn run(&mut self, process: ProcessSpec, timeout: Option<Duration>) -> JobOutcome {
        let id = self.submit(process, timeout);
        let (finished, result) = self.finished().await;
        assert_eq!(finished, id);
        result.end
    }

    /// Waits for a job's first line.
    async fn first_line(&mut self, id: JobId) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            match self.backend.next().await {
                BackendEvent::Output { job, bytes, .. } if job == id => line.extend(bytes),
                BackendEvent::Finished { result, .. } => panic!("{result:?}"),
                _ => {}
            }
        }
        String::from_utf8(line).unwrap().trim().to_owned()
    }
}

const SUCCESS: JobOutcome = JobOutcome::Exited(ExitStatus::Code(0));

#[test]
fn codes_signals_output_and_resources_are_told() {
    with_backend(2, async |mut bench| {
        let end = bench.run(script("exit 7"), None).await;
        assert_eq!(end, JobOutcome::Exited(ExitStatus::Code(7)));
        let end = bench.run(script("kill -KILL $$"), None).await;
        let killed = ExitStatus::Signal {
            number: 9,
            core_dumped: false,
        };
        assert_eq!(end, JobOutcome::Exited(killed));
        let id = bench.submit(
            script("head -c 3000000 /dev/zero; echo end >&2; head -c 50000000 /dev/zero | tail -n 1 >/dev/null"),
            None,
        );
        let (_, result) = bench.finished().await;
        assert_eq!(result.end, SUCCESS);
        assert!(result.usage.memory_peak_bytes > 40_000_000, "{result:?}");
        assert_eq!(bench.output[&(id, OutputStream::Stdout)].len(), 3_000_000);
        assert_eq!(bench.output[&(id, OutputStream::Stderr)], b"end\n");
        bench
    });
}

#[test]
fn a_timeout_and_a_stop_end_the_whole_group() {
    with_backend(1, async |mut bench| {
        let deaf = format!("trap '' TERM; {FOR_EVER} & {FOR_EVER}; {FOR_EVER}");
        let end = bench
            .run(script(&deaf), Some(Duration::from_millis(10)))
            .await;
        assert_eq!(end, JobOutcome::TimedOut);

        let id = bench.submit(script(&format!("{FOR_EVER} & echo $!; wait")), None);
        let child = bench.first_line(id).await;
        bench.backend.stop(id, StopMode::Kill);
        assert_eq!(bench.finished().await.1.end, JobOutcome::Cancelled);
        assert!(is_gone(&child), "{child} is still there");
        bench
    });
}

#[test]
fn what_a_job_leaves_in_its_group_ends_with_it() {
    with_backend(1, async |mut bench| {
        let id = bench.submit(script(&format!("{FOR_EVER} & echo $!")), None);
        assert_eq!(bench.finished().await.1.end, SUCCESS);
        let child = String::from_utf8(bench.output[&(id, OutputStream::Stdout)].clone()).unwrap();
        assert!(is_gone(child.trim()), "{child} is still there");
        bench
    });
}

#[test]
fn closing_kills_what_runs() {
    let mut child = String::new();
    with_backend(1, async |mut bench| {
        let id = bench.submit(
            script(&format!("trap '' TERM; {FOR_EVER} & echo $!; wait")),
            None,
        );
        child = bench.first_line(id).await;
        bench
    });
    assert!(is_gone(&child), "{child} is still there");
}

#[test]
fn suspended_jobs_stand_still() {
    with_backend(1, async |mut bench| {
        let id = bench.submit(script(&format!("echo $$; exec {FOR_EVER}")), None);
        let pid = bench.first_line(id).await;
        bench.backend.suspend();
        // The signal goes out when the job's future is polled, which only waiting does.
        let state = || state(&pid);
        while state() != Some('T') {
            let _ = tokio::time::timeout(Duration::from_millis(1), bench.backend.next()).await;
        }
        bench.backend.resume();
        while state() == Some('T') {
            let _ = tokio::time::timeout(Duration::from_millis(1), bench.backend.next()).await;
        }
        bench.backend.stop(id, StopMode::Kill);
        assert_eq!(bench.finished().await.1.end, JobOutcome::Cancelled);
        bench
    });
}

#[test]
fn what_cannot_be_started_is_an_infrastructure_error() {
    with_backend(1, async |mut bench| {
        let missing = ProcessSpec {
            working_directory: Path::new("/").into(),
            ..support::program("no-such-program", &[])
        };
        let end = bench.run(missing, None).await;
        let JobOutcome::Error(message) = end else {
            panic!("{end:?}")
        };
        assert!(
            message.starts_with("cannot run no-such-program in /: "),
            "{message}"
        );
        assert_eq!(bench.run(script("true"), None).await, SUCCESS);
        bench
    });
}

/// A killed process that nobody has waited for yet is gone, too.
fn is_gone(pid: &str) -> bool {
    matches!(state(pid), None | Some('Z' | 'X'))
}

/// A process's state as `/proc/PID/stat` tells it (proc(5)).
fn state(pid: &str) -> Option<char> {
    assert!(pid.parse::<u32>().is_ok(), "{pid:?} is no process id");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The scheduler's own tests have the details; here its answers are carried out.
#[test]
fn jobs_run_together_as_their_needs_allow() {
    with_backend(3, async |mut bench| {
        let grouped = JobNeeds {
            group: Some(JobGroup {
                name: "database".into(),
                jobs_max: NonZeroU32::MIN,
            }),
            ..JobNeeds::default()
        };
        let wide = JobNeeds {
            weight: NonZeroU32::new(2).unwrap(),
            ..JobNeeds::default()
        };
        let exclusive = JobNeeds {
            exclusive: true,
            ..JobNeeds::default()
        };
        for needs in [grouped.clone(), grouped, wide, exclusive] {
            bench.submit_with(script("true"), None, needs);
        }
        let (mut started, mut finished) = (Vec::new(), Vec::new());
        while finished.len() < 4 {
            match bench.backend.next().await {
                BackendEvent::Started { job, slot, .. } => started.push((job.0, slot)),
                BackendEvent::Finished { job, result } => {
                    assert_eq!(result.end, SUCCESS);
                    finished.push(job.0);
                }
                _ => {}
            }
            if started.len() == 4 {
                assert!(finished.len() >= 3, "the exclusive job is not alone");
            }
        }
        assert_eq!(started, [(0, 0), (2, 1), (1, 0), (3, 0)]);
        bench
    });
}
