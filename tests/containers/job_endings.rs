//! The end of jobs: processes that they leave, what they show before they are stopped, and what each
//! has for itself.

use std::time::{Duration, Instant};

use maelstrom_model::event::OutputStream;
use maelstrom_model::job::StackDumpMethod;
use maelstrom_model::job::{Job, JobOutcome, LeakedProcesses};

use super::local_backend::{FOR_EVER, PREPARED, SUCCESS, with_backend};
use crate::support::script;

/// A time that passes while a test waits for it.
const SOON: Option<Duration> = Some(Duration::from_millis(200));

fn leaked(names: &[&str], more: u32) -> LeakedProcesses {
    let names = names.iter().copied().map(String::from).collect();
    LeakedProcesses { names, more }
}

#[test]
fn what_a_job_leaves_running_is_told_by_name() {
    with_backend(1, async |mut bench| {
        let sleep = format!("sleep {FOR_EVER}");
        let ten = format!("for i in 1 2 3 4 5 6 7 8 9 10; do {sleep} & done");
        for (text, expected) in [
            ("exit 0".to_owned(), leaked(&[], 0)),
            // It has ended by the time it would count.
            (format!("{sleep} & kill -KILL $!"), leaked(&[], 0)),
            // Nobody waits for it, so it is a zombie until the job ends.
            ("exit 0 & exec sleep 0".to_owned(), leaked(&[], 0)),
            (format!("{sleep} &"), leaked(&["sleep"], 0)),
            (
                format!("(setsid {sleep} >/dev/null 2>&1 &)"),
                leaked(&["sleep"], 0),
            ),
            (
                format!("sh -c '{sleep}; exit' & kill -STOP $!"),
                leaked(&["sh"], 0),
            ),
            (ten, leaked(&["sleep"; 8], 2)),
        ] {
            let result = bench.run(script(&text), None).await;
            assert_eq!(result.end, SUCCESS, "{text}");
            assert_eq!(result.leaked, expected, "{text}");
        }
        // A job that is stopped had no time to end its processes.
        let result = bench.run(script(&format!("{sleep} & {sleep}")), SOON).await;
        assert_eq!(result.end, JobOutcome::TimedOut);
        assert_eq!(result.leaked, leaked(&[], 0));
        bench
    });
}

#[test]
fn a_job_shows_what_it_does_before_it_is_stopped_for_its_timeout() {
    with_backend(2, async |mut bench| {
        let own = format!("trap 'echo where >&2; exit' QUIT; sleep {FOR_EVER} & wait");
        let signalled = |job: Job| with_dump(job, StackDumpMethod::Signal(3));
        let own = bench.submit_with(script(&own), Some(PREPARED), signalled);
        let program = format!("exec sleep {FOR_EVER}");
        let listed = |job: Job| with_dump(job, StackDumpMethod::Threads);
        let other = bench.submit_with(script(&program), Some(PREPARED), listed);
        for _ in [own, other] {
            assert_eq!(bench.finished().await.1.end, JobOutcome::TimedOut);
        }
        assert_eq!(bench.output[&(own, OutputStream::Stderr)], b"where\n");
        let text = String::from_utf8_lossy(&bench.output[&(other, OutputStream::Stderr)]);
        let line = "thread 2 (sleep) of sleep: sleeping, ";
        assert!(
            text.contains(line) && text.contains("system call clock_nanosleep"),
            "{text}"
        );
        // The stack: the program has no symbols, but its C library has.
        assert!(text.contains("nanosleep in libc.so.6"), "{text}");
        bench
    });
}

fn with_dump(mut job: Job, method: StackDumpMethod) -> Job {
    job.additions.stack_dump = method;
    job
}

#[test]
fn a_job_can_have_a_grace_period_and_variables_of_its_own() {
    with_backend(1, async |mut bench| {
        let stubborn = format!("trap '' TERM; sleep {FOR_EVER}");
        let began = Instant::now();
        bench.submit_with(script(&stubborn), SOON, |job| Job { grace: SOON, ..job });
        assert_eq!(bench.finished().await.1.end, JobOutcome::TimedOut);
        // That of the backend is a minute.
        assert!(began.elapsed() < Duration::from_secs(30));

        let id = bench.submit_with(
            script("echo $PATH $NAME; env | grep -c ^PATH="),
            None,
            |mut job| {
                let own = [("PATH", "/usr/bin:/bin"), ("NAME", "a test")];
                job.additions.own_variables =
                    own.map(|(name, value)| (name.into(), value.into())).into();
                job
            },
        );
        assert_eq!(bench.finished().await.1.end, SUCCESS);
        assert_eq!(bench.stdout(id), "/usr/bin:/bin a test\n1\n");
        bench
    });
}
