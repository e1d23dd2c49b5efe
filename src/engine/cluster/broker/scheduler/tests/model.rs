//! What must hold for every answer of the scheduler, kept as plain maps, independent of how the
//! scheduler finds its answers.

use std::collections::BTreeMap;

use super::model_worker::{LeaveOutcome, ModelWorker, cap};
use super::*;

/// Where a job is, as far as was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelJobState {
    Waiting,
    Leased(Lease, ModelIntent),
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelIntent {
    Wanted,
    Cancelled,
    Abandoned,
}

/// The scheduler's answers so far.
#[derive(Default)]
pub(super) struct SchedulerModel {
    limits: SchedulerLimits,
    jobs: BTreeMap<JobKey, (ModelJobState, SchedulingClass)>,
    /// Present clients, and their gates.
    clients: BTreeMap<ClientId, ClientAdmission>,
    ready: BTreeSet<InputsId>,
    workers: BTreeMap<WorkerId, ModelWorker>,
    last_fence: Option<FencingToken>,
    /// Jobs whose outcome was reported.
    told: BTreeSet<JobKey>,
    submitted: usize,
}

impl SchedulerModel {
    pub(super) fn new(limits: SchedulerLimits) -> SchedulerModel {
        SchedulerModel {
            limits,
            ..SchedulerModel::default()
        }
    }

    pub(super) fn joined(&mut self, client: ClientId) {
        self.clients.entry(client).or_insert(ClientAdmission::Open);
    }

    /// A client may join only once; the core never reuses its number.
    pub(super) fn gate(&mut self, client: ClientId, gate: ClientAdmission) {
        self.clients.entry(client).and_modify(|old| *old = gate);
    }

    pub(super) fn inputs(&mut self, inputs: InputsId, state: InputAvailability) {
        match state {
            InputAvailability::Ready => self.ready.insert(inputs),
            InputAvailability::Missing => self.ready.remove(&inputs),
        };
    }

    pub(super) fn left(&mut self, client: ClientId, told: &[Lease]) {
        self.clients.remove(&client);
        let mut leases = Vec::new();
        for (key, (place, _)) in &mut self.jobs {
            match place {
                ModelJobState::Leased(lease, wish) if key.client == client => {
                    *wish = ModelIntent::Abandoned;
                    leases.push(*lease);
                }
                ModelJobState::Waiting if key.client == client => *place = ModelJobState::Over,
                ModelJobState::Leased(..) | ModelJobState::Waiting | ModelJobState::Over => {}
            }
        }
        assert_eq!(leases, told);
    }

    pub(super) fn submitted(
        &mut self,
        key: JobKey,
        kind: SchedulingClass,
        answer: Result<SubmitOutcome, SubmitError>,
    ) {
        let known = self.jobs.get(&key).map(|(place, _)| *place);
        match answer {
            Ok(SubmitOutcome::New) => {
                assert_eq!(known, None, "{key:?} is taken twice");
                self.jobs.insert(key, (ModelJobState::Waiting, kind));
                self.submitted += 1;
            }
            Ok(SubmitOutcome::Known) => {
                assert!(matches!(
                    known,
                    Some(ModelJobState::Waiting | ModelJobState::Leased(..))
                ));
            }
            Ok(SubmitOutcome::Over) => assert_eq!(known, Some(ModelJobState::Over)),
            Err(SubmitError::UnknownClient) => assert!(!self.clients.contains_key(&key.client)),
            Err(SubmitError::ClientFull { limit }) => {
                assert!(self.unfinished(|other| other.client == key.client) >= limit);
            }
            Err(SubmitError::BrokerFull { limit }) => assert!(self.unfinished(|_| true) >= limit),
            Err(SubmitError::TooManyKinds { .. }) => {}
        }
    }

    fn unfinished(&self, of: impl Fn(&JobKey) -> bool) -> usize {
        let jobs = self.jobs.iter().filter(|(key, _)| of(key));
        jobs.filter(|(_, (place, _))| *place != ModelJobState::Over)
            .count()
    }

    pub(super) fn cancelled(&mut self, key: JobKey, answer: CancelOutcome) {
        let is_here = self.clients.contains_key(&key.client);
        let place = self.jobs.get_mut(&key).map(|(place, _)| place);
        match (place, answer) {
            (Some(place @ ModelJobState::Waiting), CancelOutcome::Queued) if is_here => {
                *place = ModelJobState::Over;
                self.record_outcome(key);
            }
            (Some(ModelJobState::Leased(lease, wish)), CancelOutcome::Leased(told)) if is_here => {
                assert_eq!(*lease, told);
                *wish = ModelIntent::Cancelled;
            }
            (None | Some(ModelJobState::Over), CancelOutcome::Unknown) => {}
            (_, CancelOutcome::Unknown) if !is_here => {}
            (place, answer) => panic!("{answer:?} for {place:?}"),
        }
    }

    pub(super) fn kind_of(&self, key: JobKey) -> SchedulingClass {
        self.jobs[&key].1
    }

    fn record_outcome(&mut self, key: JobKey) {
        assert!(self.told.insert(key), "{key:?} is reported twice");
    }

    fn entered(&mut self, id: WorkerId, offer: WorkerCapacity, now: BrokerInstant) {
        let ceiling = cap(&self.limits, offer.slots);
        let worker = self.workers.entry(id);
        worker
            .or_insert_with(|| ModelWorker::new(offer, now))
            .entered(offer, ceiling, now);
    }

    pub(super) fn began_anew(
        &mut self,
        id: WorkerId,
        offer: WorkerCapacity,
        now: BrokerInstant,
        events: &[LeaseEvent],
    ) {
        self.lost(events, |lease| lease.worker == id);
        assert_eq!(self.held_by(id), 0);
        self.workers.remove(&id);
        self.entered(id, offer, now);
    }

    pub(super) fn resumed(
        &mut self,
        id: WorkerId,
        offer: WorkerCapacity,
        held: &[(JobKey, FencingToken)],
        now: BrokerInstant,
        answer: &ResumePlan,
    ) {
        self.entered(id, offer, now);
        self.lost(&answer.events, |lease| lease.worker == id);
        let named = |lease: &&Lease| held.contains(&(lease.key, lease.fence));
        for lease in answer.keep.iter().filter(named) {
            let is_given = self.last_fence.is_some_and(|last| lease.fence <= last);
            let (place, _) = self
                .jobs
                .get_mut(&lease.key)
                .expect("only known jobs go on");
            match place {
                ModelJobState::Waiting => {
                    assert!(
                        is_given || lease.fence < FIRST_FENCE,
                        "{lease:?} was never given"
                    );
                    *place = ModelJobState::Leased(*lease, ModelIntent::Wanted);
                }
                ModelJobState::Leased(own, ModelIntent::Wanted) => assert_eq!(own, lease),
                other => panic!("{lease:?} goes on, but is {other:?}"),
            }
            self.check_group(lease.key);
        }
        for lease in &answer.cancel {
            let (place, _) = self.jobs[&lease.key];
            let wishes = [ModelIntent::Cancelled, ModelIntent::Abandoned];
            assert!(
                wishes
                    .iter()
                    .any(|wish| place == ModelJobState::Leased(*lease, *wish))
            );
        }
        for lease in &answer.stop {
            assert!(
                !self.is_current(*lease),
                "{lease:?} is stopped, but current"
            );
        }
        let mut answered: Vec<_> = [&answer.keep, &answer.cancel, &answer.stop]
            .into_iter()
            .flatten()
            .map(|lease| (lease.key, lease.fence))
            .collect();
        let mut asked = held.to_vec();
        for list in [&mut answered, &mut asked] {
            list.sort();
            list.dedup();
        }
        assert_eq!(answered, asked);
        let kept = answer.keep.len() + answer.cancel.len();
        assert_eq!(self.held_by(id), kept);
    }

    pub(super) fn toolbox(&mut self, worker: WorkerId, toolbox: ToolboxId, has: ToolboxPresence) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            match has {
                ToolboxPresence::Yes => worker.toolboxes.insert(toolbox),
                ToolboxPresence::No => worker.toolboxes.remove(&toolbox),
            };
        }
    }

    pub(super) fn credit(&mut self, worker: WorkerId, leases: u32, answer: CreditOutcome) {
        let Some(worker) = self.workers.get_mut(&worker) else {
            return assert_eq!(answer, CreditOutcome::UnknownWorker);
        };
        let most = cap(&self.limits, worker.offer.slots);
        worker.ceiling = leases.min(most);
        match leases <= most {
            true => assert_eq!(answer, CreditOutcome::Taken),
            false => assert_eq!(answer, CreditOutcome::Capped { leases: most }),
        }
    }

    pub(super) fn on_heartbeat(&mut self, worker: WorkerId, now: BrokerInstant) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.on_heartbeat(now);
        }
    }

    pub(super) fn draining(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.drains();
        }
    }

    pub(super) fn worker_left(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.left() == LeaveOutcome::Forgotten
        {
            self.workers.remove(&id);
        }
    }

    pub(super) fn is_current(&self, lease: Lease) -> bool {
        let place = self.jobs.get(&lease.key).map(|(place, _)| *place);
        matches!(place, Some(ModelJobState::Leased(own, _)) if own == lease)
    }

    pub(super) fn started(&self, lease: Lease, answer: LeaseStatus) {
        match self.jobs.get(&lease.key).map(|(place, _)| *place) {
            Some(ModelJobState::Leased(own, ModelIntent::Wanted)) if own == lease => {
                assert_eq!(answer, LeaseStatus::Current);
            }
            Some(ModelJobState::Leased(own, _)) if own == lease => {
                assert_eq!(answer, LeaseStatus::Cancelled);
            }
            _ => assert_eq!(answer, LeaseStatus::Stale),
        }
    }

    pub(super) fn finished(
        &mut self,
        lease: Lease,
        how: AttemptResult,
        answer: &ReportDisposition,
    ) {
        if !self.is_current(lease) {
            return assert_eq!(*answer, ReportDisposition::Stale);
        }
        let wish = self.wish_of(lease.key);
        match (wish, how, answer) {
            (ModelIntent::Wanted, AttemptResult::Done, ReportDisposition::Report)
            | (ModelIntent::Cancelled, _, ReportDisposition::Report)
            | (
                ModelIntent::Wanted,
                AttemptResult::InfrastructureFailure,
                ReportDisposition::GivenUp { .. },
            ) => {
                self.end(lease.key);
                self.record_outcome(lease.key);
            }
            (
                ModelIntent::Wanted,
                AttemptResult::InfrastructureFailure,
                ReportDisposition::Retry(_),
            ) => {
                self.wait_again(lease.key);
            }
            (ModelIntent::Abandoned, _, ReportDisposition::Abandoned) => self.end(lease.key),
            other => panic!("{other:?} for {lease:?}"),
        }
    }

    pub(super) fn returned(&mut self, lease: Lease, answer: &ReturnOutcome) {
        if !self.is_current(lease) {
            return assert_eq!(*answer, ReturnOutcome::Stale);
        }
        match (self.wish_of(lease.key), answer) {
            (ModelIntent::Wanted, ReturnOutcome::Queued | ReturnOutcome::Retry(_)) => {
                self.wait_again(lease.key)
            }
            (ModelIntent::Wanted, ReturnOutcome::GivenUp { .. })
            | (ModelIntent::Cancelled, ReturnOutcome::Cancelled) => {
                self.end(lease.key);
                self.record_outcome(lease.key);
            }
            (ModelIntent::Abandoned, ReturnOutcome::Abandoned) => self.end(lease.key),
            other => panic!("{other:?} for {lease:?}"),
        }
    }

    fn wish_of(&self, key: JobKey) -> ModelIntent {
        match self.jobs[&key].0 {
            ModelJobState::Leased(_, wish) => wish,
            other => panic!("{key:?} is {other:?}"),
        }
    }

    fn end(&mut self, key: JobKey) {
        self.jobs
            .entry(key)
            .and_modify(|(place, _)| *place = ModelJobState::Over);
    }

    fn wait_again(&mut self, key: JobKey) {
        self.jobs
            .entry(key)
            .and_modify(|(place, _)| *place = ModelJobState::Waiting);
    }

    /// Leases that ended without a report, as is allowed.
    fn lost(&mut self, events: &[LeaseEvent], may: impl Fn(&Lease) -> bool) {
        for event in events {
            let (LeaseEvent::Lost { lease, .. }
            | LeaseEvent::GivenUp { lease, .. }
            | LeaseEvent::Cancelled { lease }
            | LeaseEvent::Abandoned { lease }) = event
            else {
                continue;
            };
            assert!(may(lease) && self.is_current(*lease), "{event:?}");
            let wish = self.wish_of(lease.key);
            self.end(lease.key);
            match (event, wish) {
                (LeaseEvent::Lost { .. }, ModelIntent::Wanted) => self.wait_again(lease.key),
                (LeaseEvent::GivenUp { workers, .. }, ModelIntent::Wanted) => {
                    assert_eq!(workers.len(), self.limits.attempts_max as usize);
                    self.record_outcome(lease.key);
                }
                (LeaseEvent::Cancelled { .. }, ModelIntent::Cancelled) => {
                    self.record_outcome(lease.key)
                }
                (LeaseEvent::Abandoned { .. }, ModelIntent::Abandoned) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn ticked(&mut self, now: BrokerInstant, events: &[LeaseEvent]) {
        let ttl = self.limits.lease_ttl_ms;
        let mut dead = BTreeSet::new();
        for event in events {
            match event {
                LeaseEvent::WorkerSilent(id) => {
                    self.workers
                        .get_mut(id)
                        .expect("it was here")
                        .silent(now, ttl);
                    dead.insert(*id);
                }
                LeaseEvent::WorkerForgotten(id) => {
                    self.workers.remove(id).expect("it was here").gone(now, ttl);
                    dead.insert(*id);
                }
                LeaseEvent::Lost { .. }
                | LeaseEvent::GivenUp { .. }
                | LeaseEvent::Cancelled { .. }
                | LeaseEvent::Abandoned { .. } => {}
            }
        }
        self.lost(events, |lease| dead.contains(&lease.worker));
        for (id, worker) in &self.workers {
            assert!(
                !worker.is_expired(now, ttl) || self.held_by(*id) == 0,
                "{id} lives for ever"
            );
        }
    }

    pub(super) fn granted(&mut self, grants: &[LeaseGrant]) {
        for LeaseGrant { lease, attempt } in grants {
            assert!(lease.fence >= FIRST_FENCE && Some(lease.fence) > self.last_fence);
            self.last_fence = Some(lease.fence);
            assert!((1..=self.limits.attempts_max).contains(attempt));
            let (place, kind) = self
                .jobs
                .get_mut(&lease.key)
                .expect("only known jobs start");
            assert_eq!(*place, ModelJobState::Waiting, "{lease:?}");
            *place = ModelJobState::Leased(*lease, ModelIntent::Wanted);
            assert_eq!(
                self.clients.get(&lease.key.client),
                Some(&ClientAdmission::Open)
            );
            assert!(
                self.ready.contains(&kind.inputs),
                "inputs of {lease:?} are missing"
            );
            let worker = &self.workers[&lease.worker];
            assert!(worker.serves(), "{lease:?}");
            assert_eq!(worker.offer.architecture, kind.architecture);
            assert!(
                kind.toolbox
                    .is_none_or(|toolbox| worker.toolboxes.contains(&toolbox))
            );
            assert!(self.held_by(lease.worker) <= self.workers[&lease.worker].ceiling as usize);
            self.check_group(lease.key);
        }
    }

    pub(super) fn held_by(&self, worker: WorkerId) -> usize {
        let places = self.jobs.values().map(|(place, _)| place);
        places
            .filter(
                |place| matches!(place, ModelJobState::Leased(lease, _) if lease.worker == worker),
            )
            .count()
    }

    /// All current leases.
    pub(super) fn leases(&self) -> Vec<Lease> {
        let places = self.jobs.values().map(|(place, _)| place);
        places
            .filter_map(|place| match place {
                ModelJobState::Leased(lease, _) => Some(*lease),
                ModelJobState::Waiting | ModelJobState::Over => None,
            })
            .collect()
    }

    /// What must hold after every step: no job is lost, and no slot is used twice.
    pub(super) fn check(&self, scheduler: &JobScheduler, now: BrokerInstant) {
        let status = scheduler.status(now);
        let count =
            |is: fn(&ModelJobState) -> bool| self.jobs.values().filter(|(p, _)| is(p)).count();
        let waiting = count(|place| matches!(place, ModelJobState::Waiting));
        let leased = count(|place| matches!(place, ModelJobState::Leased(..)));
        assert_eq!(status.queued + status.delayed, waiting);
        assert_eq!(status.leased, leased);
        let counters = status.counters;
        let over = counters.reported + counters.cancelled + counters.given_up + counters.dropped;
        assert_eq!(counters.submitted, self.submitted as u64);
        assert_eq!(counters.submitted, over + (waiting + leased) as u64);
        for worker in &status.workers {
            let most = cap(&self.limits, worker.slots) as usize;
            assert!(worker.leases <= most, "{worker:?}");
            assert_eq!(worker.leases, self.held_by(worker.worker));
            assert!(worker.slots_taken >= worker.leases as u64);
            assert_eq!(worker.slots_taken == 0, worker.leases == 0);
        }
        for lease in self.leases() {
            assert_eq!(scheduler.lease_of(lease.key), Some(lease));
        }
    }

    /// At the end: every accepted job of a present client was reported once.
    pub(super) fn all_reported(&self) {
        for (key, (place, _)) in &self.jobs {
            if self.clients.contains_key(&key.client) {
                assert_eq!(*place, ModelJobState::Over, "{key:?} is lost");
                assert!(self.told.contains(key), "{key:?} was never reported");
            }
        }
    }

    pub(super) fn clients(&self) -> Vec<ClientId> {
        self.clients.keys().copied().collect()
    }
}

/// The first fence of the schedulers under test.
pub(super) const FIRST_FENCE: FencingToken = FencingToken(50);
