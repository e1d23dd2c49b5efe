//! Random sequences of everything that clients and workers may report, true or not, in any order
//! and repeatedly: the answers must fit the model's rules, and in the end no job may be lost.

use proptest::prelude::*;

use super::model::{FIRST_FENCE, SchedulerModel};
use super::*;

#[derive(Clone, Debug)]
enum SchedulerStep {
    ClientJoined(u64, u32),
    ClientGate(u64, ClientAdmission),
    ClientLeft(u64),
    Submit(JobKey, JobDemand),
    Cancel(JobKey),
    Inputs(u32, InputAvailability),
    InputsRetired(u32),
    WorkerJoined(u32, WorkerCapacity),
    /// With the leases of these indexes, and these made-up ones.
    WorkerResumed(u32, WorkerCapacity, Vec<usize>, Vec<(JobKey, u64)>),
    Toolbox(u32, u32, ToolboxPresence),
    Holds(u32, u32, InputLocality),
    Credit(u32, u32),
    Heartbeat(u32),
    Draining(u32),
    WorkerLeft(u32),
    /// The current lease with this index.
    Started(usize),
    Finished(usize, AttemptResult),
    Returned(usize),
    /// Any lease at all.
    StartedLie(Lease),
    FinishedLie(Lease, AttemptResult),
    ReturnedLie(Lease),
    Grants(usize),
    Sleep(u64),
    Tick,
}

fn a_key() -> impl Strategy<Value = JobKey> {
    (0u64..3, 0u64..8).prop_map(|(client, job)| key(client, job))
}

fn a_kind() -> impl Strategy<Value = SchedulingClass> {
    let architecture = prop_oneof![4 => Just(X86), 1 => Just(Architecture::Aarch64)];
    let toolbox =
        prop_oneof![3 => Just(None), 1 => (0u32..2).prop_map(|toolbox| Some(ToolboxId(toolbox)))];
    (architecture, toolbox, 0u32..3).prop_map(|(architecture, toolbox, inputs)| SchedulingClass {
        architecture,
        toolbox,
        inputs: InputsId(inputs),
        group: None,
    })
}

/// What a job needs, and its group. Each group has its own maximum.
fn some_needs() -> impl Strategy<Value = (WorkerNeeds, Option<GroupKey>)> {
    let group = prop::option::of((0u64..2).prop_map(GroupKey));
    let weight = prop_oneof![2 => Just(1u32), 1 => 2u32..6];
    let avoided = prop::option::weighted(0.2, (0u32..4).prop_map(WorkerId));
    let needs = (group, weight, prop::bool::weighted(0.2), avoided);
    needs.prop_map(|(group, weight, exclusive, avoided)| {
        let needs = WorkerNeeds {
            group_max: group.map_or(NonZeroU32::MIN, SchedulerModel::group_max),
            weight: NonZeroU32::new(weight).unwrap(),
            exclusive,
            avoided,
        };
        (needs, group)
    })
}

fn a_demand() -> impl Strategy<Value = JobDemand> {
    let estimate = prop::option::of((0u64..3).prop_map(Duration::from_secs));
    let demand = (-1i8..=1, estimate, a_kind(), some_needs());
    demand.prop_map(|(priority, estimate, kind, (needs, group))| JobDemand {
        rank: JobPriority { priority, estimate },
        kind: SchedulingClass { group, ..kind },
        needs,
    })
}

fn an_offer() -> impl Strategy<Value = WorkerCapacity> {
    (0u32..4, a_kind()).prop_map(|(slots, kind)| WorkerCapacity {
        slots,
        architecture: kind.architecture,
    })
}

/// Fences that were assigned, will be, or are from before.
fn a_fence() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 40u64..70, 1 => any::<u64>()]
}

fn a_lease() -> impl Strategy<Value = Lease> {
    (a_key(), 0u32..4, a_fence()).prop_map(|(key, worker, fence)| Lease {
        key,
        worker: WorkerId(worker),
        fence: FencingToken(fence),
    })
}

fn a_how() -> impl Strategy<Value = AttemptResult> {
    prop_oneof![2 => Just(AttemptResult::Done), 1 => Just(AttemptResult::InfrastructureFailure)]
}

fn of_clients() -> impl Strategy<Value = SchedulerStep> {
    let gate = prop_oneof![1 => Just(ClientAdmission::Held), 3 => Just(ClientAdmission::Open)];
    let inputs =
        prop_oneof![1 => Just(InputAvailability::Missing), 4 => Just(InputAvailability::Ready)];
    prop_oneof![
        3 => (0u64..3, 0u32..5).prop_map(|(client, weight)| SchedulerStep::ClientJoined(client, weight)),
        2 => (0u64..3, gate).prop_map(|(client, gate)| SchedulerStep::ClientGate(client, gate)),
        1 => (0u64..3).prop_map(SchedulerStep::ClientLeft),
        20 => (a_key(), a_demand()).prop_map(|(key, demand)| SchedulerStep::Submit(key, demand)),
        3 => a_key().prop_map(SchedulerStep::Cancel),
        5 => (0u32..3, inputs).prop_map(|(id, state)| SchedulerStep::Inputs(id, state)),
        1 => (0u32..3).prop_map(SchedulerStep::InputsRetired),
    ]
}

fn of_workers() -> impl Strategy<Value = SchedulerStep> {
    let worker = || 0u32..4;
    let toolbox = prop_oneof![3 => Just(ToolboxPresence::Yes), 1 => Just(ToolboxPresence::No)];
    let holds = prop_oneof![3 => Just(InputLocality::Yes), 1 => Just(InputLocality::No)];
    let claims = prop::collection::vec((a_key(), a_fence()), 0..3);
    let held = prop::collection::vec(any::<usize>(), 0..6);
    prop_oneof![
        4 => (worker(), an_offer()).prop_map(|(id, offer)| SchedulerStep::WorkerJoined(id, offer)),
        4 => (worker(), an_offer(), held, claims)
            .prop_map(|(id, offer, held, lies)| SchedulerStep::WorkerResumed(id, offer, held, lies)),
        3 => (worker(), 0u32..2, toolbox).prop_map(|(id, toolbox, has)| SchedulerStep::Toolbox(id, toolbox, has)),
        2 => (worker(), 0u32..3, holds).prop_map(|(id, i, holds)| SchedulerStep::Holds(id, i, holds)),
        2 => (worker(), 0u32..9).prop_map(|(id, leases)| SchedulerStep::Credit(id, leases)),
        4 => worker().prop_map(SchedulerStep::Heartbeat),
        1 => worker().prop_map(SchedulerStep::Draining),
        2 => worker().prop_map(SchedulerStep::WorkerLeft),
    ]
}

fn of_leases() -> impl Strategy<Value = SchedulerStep> {
    prop_oneof![
        4 => any::<usize>().prop_map(SchedulerStep::Started),
        6 => (any::<usize>(), a_how()).prop_map(|(index, how)| SchedulerStep::Finished(index, how)),
        2 => any::<usize>().prop_map(SchedulerStep::Returned),
        1 => a_lease().prop_map(SchedulerStep::StartedLie),
        2 => (a_lease(), a_how()).prop_map(|(lease, how)| SchedulerStep::FinishedLie(lease, how)),
        1 => a_lease().prop_map(SchedulerStep::ReturnedLie),
        8 => (0usize..4).prop_map(SchedulerStep::Grants),
        4 => (0u64..12_000).prop_map(SchedulerStep::Sleep),
        4 => Just(SchedulerStep::Tick),
    ]
}

fn steps() -> impl Strategy<Value = Vec<SchedulerStep>> {
    let step = prop_oneof![3 => of_clients(), 2 => of_workers(), 4 => of_leases()];
    prop::collection::vec(step, 0..150)
}

fn limits() -> SchedulerLimits {
    SchedulerLimits {
        jobs_per_client_max: 6,
        jobs_max: 14,
        jobs_guaranteed: 0,
        kinds_per_client_max: 4,
        returns_free_max: 1,
        prefetch_per_worker: 1,
        placement_probes: 2,
        ..SchedulerLimits::default()
    }
}

/// A scheduler and its model, in virtual time.
struct SchedulerSimulation {
    scheduler: JobScheduler,
    model: SchedulerModel,
    now: BrokerInstant,
    /// Clients that have left; the core reuses no number.
    left: BTreeSet<u64>,
    /// Every answer, as text.
    answers: Vec<String>,
}

impl SchedulerSimulation {
    fn new() -> SchedulerSimulation {
        SchedulerSimulation {
            scheduler: JobScheduler::new(limits(), FIRST_FENCE),
            model: SchedulerModel::new(limits()),
            now: at(0),
            left: BTreeSet::new(),
            answers: Vec::new(),
        }
    }

    fn note(&mut self, answer: &dyn std::fmt::Debug) {
        self.answers.push(format!("{answer:?}"));
    }

    fn apply(&mut self, step: SchedulerStep) {
        match step {
            SchedulerStep::ClientJoined(..)
            | SchedulerStep::ClientGate(..)
            | SchedulerStep::ClientLeft(_)
            | SchedulerStep::Submit(..)
            | SchedulerStep::Cancel(_)
            | SchedulerStep::Inputs(..)
            | SchedulerStep::InputsRetired(_) => self.client_step(step),
            SchedulerStep::Started(index) => {
                if let Some(lease) = self.lease(index) {
                    self.started(lease);
                }
            }
            SchedulerStep::Finished(index, how) => {
                if let Some(lease) = self.lease(index) {
                    self.finished(lease, how);
                }
            }
            SchedulerStep::Returned(index) => {
                if let Some(lease) = self.lease(index) {
                    self.returned(lease);
                }
            }
            SchedulerStep::StartedLie(lease) => self.started(lease),
            SchedulerStep::FinishedLie(lease, how) => self.finished(lease, how),
            SchedulerStep::ReturnedLie(lease) => self.returned(lease),
            SchedulerStep::Grants(max) => {
                self.grants(max);
            }
            SchedulerStep::Sleep(ms) => self.now = self.now.plus_ms(ms),
            SchedulerStep::Tick => self.tick(),
            step => self.worker_step(step),
        }
        self.model.check(&self.scheduler, self.now);
    }

    fn client_step(&mut self, step: SchedulerStep) {
        let now = self.now;
        match step {
            SchedulerStep::ClientJoined(client, _) if self.left.contains(&client) => {}
            SchedulerStep::ClientJoined(client, weight) => {
                self.scheduler.client_joined(ClientId(client), weight);
                self.model.joined(ClientId(client));
            }
            SchedulerStep::ClientGate(client, gate) => {
                self.scheduler.client_gate(ClientId(client), gate);
                self.model.gate(ClientId(client), gate);
            }
            SchedulerStep::ClientLeft(client) => {
                let leases = self.scheduler.client_left(ClientId(client));
                self.model.left(ClientId(client), &leases);
                self.left.insert(client);
                self.note(&leases);
            }
            SchedulerStep::Submit(key, demand) => {
                let answer = self.scheduler.submit(key, demand, now);
                self.model.submitted(key, demand.kind, answer);
                self.note(&answer);
            }
            SchedulerStep::Cancel(key) => {
                let answer = self.scheduler.cancel(key);
                self.model.cancelled(key, answer);
                self.note(&answer);
            }
            SchedulerStep::Inputs(inputs, state) => {
                self.scheduler.inputs(InputsId(inputs), state);
                self.model.inputs(InputsId(inputs), state);
            }
            SchedulerStep::InputsRetired(inputs) => {
                self.scheduler.inputs_retired(InputsId(inputs));
                self.model
                    .inputs(InputsId(inputs), InputAvailability::Missing);
            }
            other => unreachable!("{other:?} is not of a client"),
        }
    }

    fn worker_step(&mut self, step: SchedulerStep) {
        let now = self.now;
        match step {
            SchedulerStep::WorkerJoined(id, offer) => {
                let events = self.scheduler.worker_joined(WorkerId(id), offer, now);
                self.model.began_anew(WorkerId(id), offer, now, &events);
                self.note(&events);
            }
            SchedulerStep::WorkerResumed(id, offer, indexes, lies) => {
                let leases = indexes.iter().filter_map(|index| self.lease(*index));
                let mut held: Vec<_> = leases.map(|lease| (lease.key, lease.fence)).collect();
                held.extend(lies.iter().map(|(key, fence)| (*key, FencingToken(*fence))));
                let answer = self
                    .scheduler
                    .worker_resumed(WorkerId(id), offer, &held, now);
                self.model.resumed(WorkerId(id), offer, &held, now, &answer);
                self.note(&answer);
            }
            SchedulerStep::Toolbox(id, toolbox, has) => {
                self.scheduler
                    .worker_offers(WorkerId(id), ToolboxId(toolbox), has);
                self.model.toolbox(WorkerId(id), ToolboxId(toolbox), has);
            }
            SchedulerStep::Holds(id, inputs, holds) => {
                self.scheduler
                    .worker_holds(WorkerId(id), InputsId(inputs), holds);
            }
            SchedulerStep::Credit(id, leases) => {
                let answer = self.scheduler.credit(WorkerId(id), leases);
                self.model.credit(WorkerId(id), leases, answer);
                self.note(&answer);
            }
            SchedulerStep::Heartbeat(id) => {
                self.scheduler.heartbeat(WorkerId(id), now);
                self.model.on_heartbeat(WorkerId(id), now);
            }
            SchedulerStep::Draining(id) => {
                self.scheduler.worker_draining(WorkerId(id));
                self.model.draining(WorkerId(id));
            }
            SchedulerStep::WorkerLeft(id) => {
                self.scheduler.worker_left(WorkerId(id));
                self.model.worker_left(WorkerId(id));
            }
            other => unreachable!("{other:?} is not of a worker"),
        }
    }

    fn lease(&self, index: usize) -> Option<Lease> {
        let leases = self.model.leases();
        let index = index.checked_rem(leases.len())?;
        leases.get(index).copied()
    }

    fn started(&mut self, lease: Lease) {
        let answer = self
            .scheduler
            .started(lease.worker, lease.key, lease.fence, self.now);
        self.model.started(lease, answer);
        self.note(&answer);
    }

    fn finished(&mut self, lease: Lease, how: AttemptResult) {
        let Lease { key, worker, fence } = lease;
        let answer = self.scheduler.finished(worker, key, fence, how, self.now);
        self.model.finished(lease, how, &answer);
        self.note(&answer);
    }

    fn returned(&mut self, lease: Lease) {
        let Lease { key, worker, fence } = lease;
        let answer = self.scheduler.returned(worker, key, fence, self.now);
        self.model.returned(lease, &answer);
        self.note(&answer);
    }

    fn grants(&mut self, max: usize) -> Vec<LeaseGrant> {
        let grants = self.scheduler.grants(self.now, max);
        assert!(grants.len() <= max);
        self.model.granted(&grants);
        self.note(&grants);
        grants
    }

    fn tick(&mut self) {
        let events = self.scheduler.tick(self.now);
        self.model.ticked(self.now, &events);
        self.note(&events);
        let next = self.scheduler.next_tick();
        assert!(next.is_none_or(|next| next > self.now), "time stands still");
    }

    /// From here on everybody behaves: all accepted jobs must come to an end.
    fn finish(&mut self) {
        for inputs in 0..3 {
            self.apply(SchedulerStep::Inputs(inputs, InputAvailability::Ready));
        }
        for client in self.model.clients() {
            self.apply(SchedulerStep::ClientGate(client.0, ClientAdmission::Open));
        }
        // The old workers are never heard of again.
        for worker in 0..4 {
            self.apply(SchedulerStep::WorkerLeft(worker));
        }
        for (worker, architecture) in [(10, X86), (11, Architecture::Aarch64)] {
            self.apply(SchedulerStep::WorkerJoined(
                worker,
                WorkerCapacity {
                    slots: 2,
                    architecture,
                },
            ));
            for toolbox in 0..2 {
                self.apply(SchedulerStep::Toolbox(
                    worker,
                    toolbox,
                    ToolboxPresence::Yes,
                ));
            }
        }
        for _ in 0..200 {
            for lease in self.model.leases() {
                if lease.worker.0 >= 10 {
                    self.finished(lease, AttemptResult::Done);
                }
            }
            self.grants(usize::MAX);
            self.now = self.now.plus_ms(1_000);
            for worker in [10, 11] {
                self.apply(SchedulerStep::Heartbeat(worker));
            }
            self.apply(SchedulerStep::Tick);
        }
        self.model.all_reported();
        let status = self.scheduler.status(self.now);
        assert_eq!((status.queued, status.delayed, status.leased), (0, 0, 0));
        assert_eq!(status.workers.len(), 2);
    }
}

proptest! {
    /// Promises 1 to 5, 7 and 8: no job is lost, none is reported twice, no slot is used twice,
    /// fences are unique, a drained worker gets nothing, and accepted jobs are waiting, leased or
    /// over.
    #[test]
    fn every_answer_keeps_the_promises(steps in steps()) {
        let mut world = SchedulerSimulation::new();
        for step in steps {
            world.apply(step);
        }
        world.finish();
    }

    /// Invariant 6: equal calls give equal answers.
    #[test]
    fn the_same_calls_give_the_same_answers(steps in steps()) {
        let answers = [(), ()].map(|()| {
            let mut world = SchedulerSimulation::new();
            for step in steps.clone() {
                world.apply(step);
            }
            world.finish();
            world.answers
        });
        prop_assert_eq!(&answers[0], &answers[1]);
    }
}
