//! Tests invariant 6 of the scheduler, and its order, against a simple model.

use proptest::prelude::*;

use std::cmp::Ordering;
use std::time::Duration;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Enqueue(JobPriority),
    Start,
    /// Ends the running job at this index, modulo their number.
    Finish(usize),
    /// Withdraws the job with this number, modulo the number of jobs.
    Withdraw(u64),
    Hold,
    Release,
}

fn rank() -> impl Strategy<Value = JobPriority> {
    let estimate = prop::option::of((0u64..4).prop_map(Duration::from_secs));
    (-1i8..=1, estimate).prop_map(|(priority, estimate)| JobPriority { priority, estimate })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => rank().prop_map(Step::Enqueue),
        6 => Just(Step::Start),
        3 => any::<usize>().prop_map(Step::Finish),
        2 => any::<u64>().prop_map(Step::Withdraw),
        1 => Just(Step::Hold),
        2 => Just(Step::Release),
    ]
}

/// The model: lists that are searched linearly.
#[derive(Default)]
struct Model {
    waiting: Vec<(JobId, JobPriority)>,
    running: Vec<(JobId, u32)>,
    held: bool,
}

impl Model {
    fn next(&self) -> Option<JobId> {
        let key = |rank: &JobPriority| (rank.priority, rank.estimate.unwrap_or(Duration::MAX));
        let best = self.waiting.iter().map(|(_, rank)| key(rank)).max()?;
        let first = self.waiting.iter().find(|(_, rank)| key(rank) == best)?;
        Some(first.0)
    }

    fn lowest_free(&self, slots: u32) -> Option<u32> {
        (0..slots).find(|slot| self.running.iter().all(|(_, taken)| taken != slot))
    }
}

proptest! {
    #[test]
    fn every_answer_is_the_models(
        slots in 0u32..5,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut scheduler = SlotScheduler::new(slots);
        let mut model = Model::default();
        let mut jobs = 0;
        for step in steps {
            match step {
                Step::Enqueue(rank) => {
                    let job = JobId(jobs);
                    jobs += 1;
                    scheduler.enqueue(job, rank, job.0).unwrap();
                    model.waiting.push((job, rank));
                }
                Step::Start => {
                    let started = scheduler.start_next();
                    let expected = match (model.held, model.next(), model.lowest_free(slots)) {
                        (false, Some(job), Some(slot)) => {
                            model.waiting.retain(|(waiting, _)| *waiting != job);
                            model.running.push((job, slot));
                            Some(SlotAssignment { job, slot, payload: job.0 })
                        }
                        _ => None,
                    };
                    prop_assert_eq!(started, expected);
                }
                Step::Finish(index) => if !model.running.is_empty() {
                    let (job, slot) = model.running.remove(index % model.running.len());
                    prop_assert_eq!(scheduler.finished(job), Some(slot));
                    prop_assert_eq!(scheduler.finished(job), None);
                },
                Step::Withdraw(number) => {
                    let job = JobId(number % (jobs + 1));
                    let expected = if model.waiting.iter().any(|(waiting, _)| *waiting == job) {
                        model.waiting.retain(|(waiting, _)| *waiting != job);
                        WithdrawResult::FromQueue(job.0)
                    } else {
                        match model.running.iter().find(|(running, _)| *running == job) {
                            Some(&(_, slot)) => WithdrawResult::StillRunning { slot },
                            None => WithdrawResult::Unknown,
                        }
                    };
                    prop_assert_eq!(scheduler.withdraw(job), expected);
                }
                Step::Hold => {
                    scheduler.hold();
                    model.held = true;
                }
                Step::Release => {
                    scheduler.release();
                    model.held = false;
                }
            }
            prop_assert_eq!(scheduler.queued(), model.waiting.len());
            prop_assert_eq!(scheduler.running(), model.running.len());
        }
    }

    /// Queue keys are packed priorities: the higher priority's key comes first.
    #[test]
    fn turns_follow_ranks(
        priorities: (i8, i8),
        estimates in any::<(Option<u32>, Option<u32>)>(),
        arrivals: (u64, u64),
    ) {
        let estimate = |micros: Option<u32>| micros.map(|us| Duration::from_micros(us.into()));
        let one = JobPriority { priority: priorities.0, estimate: estimate(estimates.0) };
        let other = JobPriority { priority: priorities.1, estimate: estimate(estimates.1) };
        let expected = other.cmp(&one).then(arrivals.0.cmp(&arrivals.1));
        prop_assert_eq!(QueueKey::new(one, arrivals.0).cmp(&QueueKey::new(other, arrivals.1)), expected);
    }

    #[test]
    fn ranks_are_totally_ordered(a in rank(), b in rank()) {
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
    }
}

#[test]
fn priority_then_unknown_then_longest_then_first_come() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let mut scheduler = SlotScheduler::new(5);
    for (job, priority, estimate) in [
        (0, 0, seconds(1)),
        (1, 0, seconds(9)),
        (2, 0, None),
        (3, 1, seconds(1)),
        (4, 0, seconds(9)),
    ] {
        let rank = JobPriority { priority, estimate };
        scheduler.enqueue(JobId(job), rank, ()).unwrap();
    }
    let order: Vec<_> = std::iter::from_fn(|| scheduler.start_next())
        .map(|start| (start.job.0, start.slot))
        .collect();
    assert_eq!(order, [(3, 0), (2, 1), (1, 2), (4, 3), (0, 4)]);
}

#[test]
fn the_longest_estimate_comes_after_an_unknown_one() {
    let priority = 0;
    let unknown = QueueKey::new(
        JobPriority {
            priority,
            estimate: None,
        },
        9,
    );
    let estimate = Some(Duration::MAX);
    let longest = QueueKey::new(JobPriority { priority, estimate }, 0);
    let estimate = Some(Duration::ZERO);
    let shortest = QueueKey::new(JobPriority { priority, estimate }, 0);
    let priority = -1;
    let lower = QueueKey::new(
        JobPriority {
            priority,
            estimate: None,
        },
        0,
    );
    assert!(unknown < longest && longest < shortest && shortest < lower);
}

#[test]
fn a_job_is_taken_once() {
    let mut scheduler = SlotScheduler::new(1);
    let rank = JobPriority::default();
    scheduler.enqueue(JobId(7), rank, ()).unwrap();
    let again = scheduler.enqueue(JobId(7), rank, ());
    assert_eq!(again, Err(DuplicateJobError(JobId(7))));
    assert_eq!(scheduler.queued(), 1);
}
