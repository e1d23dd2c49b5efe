//! Tests invariant 6 of the scheduler, its order, and what jobs need, against a simple model.

use proptest::prelude::*;

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use maelstrom_model::policy::{DeviceNeed, JobGroup, JobLimit};

#[derive(Clone, Debug)]
enum Step {
    Enqueue(JobPriority, JobNeeds),
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

/// Most jobs have no needs, so that the others find running ones.
fn needs() -> impl Strategy<Value = JobNeeds> {
    let group = prop::option::of((0u8..3).prop_map(group));
    let weight = prop_oneof![2 => Just(1u32), 1 => 2u32..7];
    let memory = prop::option::of(0u64..15);
    let needs = (group, weight, prop::bool::weighted(0.2), memory, devices());
    let needs = needs.prop_map(
        |(group, weight, exclusive, memory_bytes, devices)| JobNeeds {
            group,
            weight: NonZeroU32::new(weight).unwrap(),
            exclusive,
            memory_bytes,
            avoided_worker: None,
            devices,
        },
    );
    prop_oneof![1 => Just(JobNeeds::default()), 2 => needs]
}

/// A group with its own maximum.
fn group(number: u8) -> JobGroup {
    JobGroup {
        name: format!("group {number}").into(),
        jobs_max: NonZeroU32::MIN.saturating_add(number.into()),
    }
}

/// A device with its own maximum.
fn device(number: u8) -> DeviceNeed {
    DeviceNeed {
        device: format!("/dev/gpu{number}").parse().unwrap(),
        jobs_max: NonZeroU32::MIN.saturating_add(number.into()),
    }
}

/// Devices, of whose maximum jobs may disagree.
fn devices() -> impl Strategy<Value = Vec<DeviceNeed>> {
    let numbers = prop::sample::subsequence(vec![0u8, 1, 2], 0..3);
    (numbers, 0u32..3).prop_map(|(numbers, more)| {
        let devices = numbers.into_iter().map(device);
        let devices = devices.map(|need| DeviceNeed {
            jobs_max: need.jobs_max.saturating_add(more),
            ..need
        });
        devices.collect()
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (rank(), needs()).prop_map(|(rank, needs)| Step::Enqueue(rank, needs)),
        6 => Just(Step::Start),
        3 => any::<usize>().prop_map(Step::Finish),
        2 => any::<u64>().prop_map(Step::Withdraw),
        1 => Just(Step::Hold),
        2 => Just(Step::Release),
    ]
}

/// The memory that jobs may take, where it is limited.
const MEMORY_MAX: u64 = 10;

/// The model: lists that are searched linearly.
#[derive(Default)]
struct Model {
    slots: u32,
    memory_max: Option<u64>,
    waiting: Vec<(JobId, JobPriority, JobNeeds)>,
    running: Vec<(JobId, Vec<u32>, JobNeeds)>,
    held: bool,
}

impl Model {
    /// Returns the index of the first job of which no limit is reached.
    fn next(&self) -> Option<usize> {
        let key = |rank: &JobPriority| (rank.priority, rank.estimate.unwrap_or(Duration::MAX));
        let waiting = self.waiting.iter().enumerate();
        let may = waiting.filter(|(_, (_, _, needs))| !self.is_full(needs));
        // Of equals, the first.
        may.rev()
            .max_by_key(|(_, (_, rank, _))| key(rank))
            .map(|(index, _)| index)
    }

    fn is_full(&self, needs: &JobNeeds) -> bool {
        needs
            .limits()
            .any(|limit| self.running_with(&limit) >= self.jobs_max(&limit) as usize)
    }

    fn running_with(&self, limit: &JobLimit) -> usize {
        let running = self.running.iter();
        let running = running.filter(|(_, _, needs)| {
            let mut limits = needs.limits();
            limits.any(|own| own.resource == limit.resource)
        });
        running.count()
    }

    /// The smallest maximum of the jobs that wait or run.
    fn jobs_max(&self, limit: &JobLimit) -> u32 {
        let waiting = self.waiting.iter().map(|(_, _, needs)| needs);
        let running = self.running.iter().map(|(_, _, needs)| needs);
        let limits = waiting.chain(running).flat_map(JobNeeds::limits);
        let of_resource = limits.filter(|own| own.resource == limit.resource);
        of_resource.map(|own| own.jobs_max.get()).min().unwrap()
    }

    fn memory(&self, needs: &JobNeeds) -> u64 {
        self.memory_max.and(needs.memory_bytes).unwrap_or(0)
    }

    fn slots_of(&self, needs: &JobNeeds) -> usize {
        let is_large = self.memory_max.is_some_and(|max| self.memory(needs) > max);
        match needs.exclusive || is_large {
            true => self.slots as usize,
            false => needs.weight.get().min(self.slots) as usize,
        }
    }

    /// Starts the next job, if it fits.
    fn start(&mut self) -> Option<SlotAssignment<u64>> {
        if self.held {
            return None;
        }
        let index = self.next()?;
        let needs = &self.waiting[index].2;
        let is_free = |slot: &u32| {
            !self
                .running
                .iter()
                .any(|(_, taken, _)| taken.contains(slot))
        };
        let free: Vec<u32> = (0..self.slots).filter(is_free).collect();
        let wanted = self.slots_of(needs);
        let mut memory = self.running.iter().map(|(_, _, needs)| self.memory(needs));
        // A job that needs more than there is runs alone.
        let fits = self.memory_max.is_none_or(|max| {
            let taken: u64 = memory.by_ref().sum();
            taken == 0 || taken + self.memory(needs) <= max
        });
        if !fits || wanted > free.len() || free.is_empty() {
            return None;
        }
        let (job, _, needs) = self.waiting.remove(index);
        let slots = free[..wanted].to_vec();
        let assignment = SlotAssignment {
            job,
            slot: slots[0],
            payload: job.0,
        };
        self.running.push((job, slots, needs));
        Some(assignment)
    }

    /// Checks what must hold however jobs are chosen.
    fn check(&self) {
        let taken: usize = self.running.iter().map(|(_, slots, _)| slots.len()).sum();
        assert!(taken <= self.slots as usize);
        for (_, _, needs) in &self.running {
            assert!(!needs.exclusive || self.running.len() == 1);
            for limit in needs.limits() {
                assert!(self.running_with(&limit) <= limit.jobs_max.get() as usize);
            }
        }
    }
}

proptest! {
    #[test]
    fn every_answer_is_the_models(
        slots in 0u32..6,
        memory_max in prop::option::of(Just(MEMORY_MAX)),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut scheduler = SlotScheduler::new(slots).with_memory(memory_max);
        let mut model = Model { slots, memory_max, ..Model::default() };
        let mut jobs = 0;
        for step in steps {
            match step {
                Step::Enqueue(rank, needs) => {
                    let job = JobId(jobs);
                    jobs += 1;
                    scheduler.enqueue_with_needs(job, rank, &needs, job.0).unwrap();
                    model.waiting.push((job, rank, needs));
                }
                Step::Start => prop_assert_eq!(scheduler.start_next(), model.start()),
                Step::Finish(index) => if !model.running.is_empty() {
                    let (job, taken, _) = model.running.remove(index % model.running.len());
                    prop_assert_eq!(scheduler.finished(job), Some(taken[0]));
                    prop_assert_eq!(scheduler.finished(job), None);
                },
                Step::Withdraw(number) => {
                    let job = JobId(number % (jobs + 1));
                    let expected = if model.waiting.iter().any(|(waiting, ..)| *waiting == job) {
                        model.waiting.retain(|(waiting, ..)| *waiting != job);
                        WithdrawResult::FromQueue(job.0)
                    } else {
                        match model.running.iter().find(|(running, ..)| *running == job) {
                            Some((_, taken, _)) => WithdrawResult::StillRunning { slot: taken[0] },
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
            model.check();
            prop_assert_eq!(scheduler.queued(), model.waiting.len());
            prop_assert_eq!(scheduler.running(), model.running.len());
            let taken = model.running.iter().map(|(_, taken, _)| taken.len());
            prop_assert_eq!(scheduler.busy_slots() as usize, taken.sum::<usize>());
        }
    }

    /// No job starves, whatever it needs: one after another, all of them run.
    #[test]
    fn every_job_runs_when_no_more_arrive(
        slots in 1u32..6,
        memory_max in prop::option::of(Just(MEMORY_MAX)),
        jobs in prop::collection::vec((rank(), needs()), 0..60),
    ) {
        let mut scheduler = SlotScheduler::new(slots).with_memory(memory_max);
        for (number, (rank, needs)) in jobs.iter().enumerate() {
            scheduler.enqueue_with_needs(JobId(number as u64), *rank, needs, ()).unwrap();
        }
        let mut running = std::collections::VecDeque::new();
        for _ in 0..jobs.len() {
            running.extend(std::iter::from_fn(|| scheduler.start_next()));
            let ended = running.pop_front().expect("a job runs while one waits");
            prop_assert_eq!(scheduler.finished(ended.job), Some(ended.slot));
        }
        prop_assert_eq!((scheduler.queued(), scheduler.running()), (0, 0));
        prop_assert_eq!(scheduler.busy_slots(), 0);
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

fn grouped(number: u8) -> JobNeeds {
    JobNeeds {
        group: Some(group(number)),
        ..JobNeeds::default()
    }
}

fn of_weight(weight: u32) -> JobNeeds {
    JobNeeds {
        weight: NonZeroU32::new(weight).unwrap(),
        ..JobNeeds::default()
    }
}

/// Enqueues jobs of equal priority, numbered from 0.
fn scheduler_of(slots: u32, jobs: &[JobNeeds]) -> SlotScheduler<()> {
    let mut scheduler = SlotScheduler::new(slots);
    for (number, needs) in jobs.iter().enumerate() {
        let (job, rank) = (JobId(number as u64), JobPriority::default());
        scheduler.enqueue_with_needs(job, rank, needs, ()).unwrap();
    }
    scheduler
}

fn started(scheduler: &mut SlotScheduler<()>) -> Vec<(u64, u32)> {
    std::iter::from_fn(|| scheduler.start_next())
        .map(|start| (start.job.0, start.slot))
        .collect()
}

#[test]
fn a_full_group_is_passed_over_and_keeps_its_place() {
    let plain = JobNeeds::default();
    let jobs = [grouped(0), grouped(0), plain.clone(), plain];
    let mut scheduler = scheduler_of(2, &jobs);
    assert_eq!(started(&mut scheduler), [(0, 0), (2, 1)]);
    scheduler.finished(JobId(0));
    assert_eq!(started(&mut scheduler), [(1, 0)]);
}

#[test]
fn jobs_for_a_device_in_full_use_are_passed_over() {
    let with = |devices: &[u8]| JobNeeds {
        devices: devices.iter().copied().map(device).collect(),
        ..JobNeeds::default()
    };
    // The device 0 takes one job, 1 takes two.
    let jobs = [with(&[0]), with(&[0, 1]), with(&[1]), JobNeeds::default()];
    let mut scheduler = scheduler_of(4, &jobs);
    assert_eq!(started(&mut scheduler), [(0, 0), (2, 1), (3, 2)]);
    scheduler.finished(JobId(0));
    assert_eq!(started(&mut scheduler), [(1, 0)]);
}

#[test]
fn the_smallest_maximum_of_a_device_applies() {
    let with = |device: &str| JobNeeds {
        devices: vec![device.parse().unwrap()],
        ..JobNeeds::default()
    };
    let (few, many) = (with("/dev/kvm"), with("/dev/kvm=4"));
    let jobs = [many.clone(), few, many.clone(), many];
    let mut scheduler = scheduler_of(4, &jobs);
    assert_eq!(started(&mut scheduler), [(0, 0)]);
    scheduler.finished(JobId(0));
    assert_eq!(started(&mut scheduler), [(1, 0)]);
    scheduler.finished(JobId(1));
    assert_eq!(started(&mut scheduler), [(2, 0), (3, 1)]);
}

#[test]
fn a_wide_job_waits_for_its_slots_and_nothing_overtakes_it() {
    let plain = JobNeeds::default();
    let mut scheduler = scheduler_of(3, &[plain.clone(), of_weight(3), plain.clone(), plain]);
    assert_eq!(started(&mut scheduler), [(0, 0)]);
    scheduler.finished(JobId(0));
    assert_eq!(started(&mut scheduler), [(1, 0)]);
    assert_eq!(scheduler.busy_slots(), 3);
    scheduler.finished(JobId(1));
    assert_eq!(started(&mut scheduler), [(2, 0), (3, 1)]);
}

/// A group whose jobs all wait costs no more than one of its jobs. With a scan of the queue for
/// each decision, this test would not end.
#[test]
fn a_full_group_of_many_jobs_costs_nothing() {
    let mut scheduler = scheduler_of(2, &vec![grouped(0); 20_000]);
    assert_eq!(started(&mut scheduler), [(0, 0)]);
    for job in 20_000..40_000 {
        let rank = JobPriority::default();
        scheduler.enqueue(JobId(job), rank, ()).unwrap();
        assert_eq!(started(&mut scheduler), [(job, 1)]);
        assert_eq!(scheduler.finished(JobId(job)), Some(1));
    }
    assert_eq!(scheduler.queued(), 19_999);
}
