//! The state of a run, and the messages to its client.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::accounts::{AccountId, AccountUsage};
use super::job::{JobPhase, JobState, ReportedPhase};
use crate::broker::core::input::SessionId;
use crate::broker::core::outbox::Outbox;
use crate::broker::journal::RunName;
use crate::broker::owner::{PrivilegeScope, RunOwner};
use crate::broker::scheduler::{
    Architecture, BrokerInstant, ClientAdmission, SchedulingClass, ToolboxId,
};
use crate::output_log::OutputLogError;
use maelstrom_model::backend::JobId;
use maelstrom_wire::to_proto;
use maelstrom_wire::v1::{self, session_event};

/// The estimated size of a message without output, in bytes.
const MESSAGE_BYTES: usize = 64;

/// A client with a larger backlog, in bytes, gets no cluster status and no worker updates: if it
/// reads nothing, they would make the backlog grow every second.
const SAMPLE_LEVEL_MAX: usize = 1024 * 1024;

/// The state of a run.
pub(super) struct ClientRun {
    pub(super) run: RunName,
    /// The public name of the run.
    pub(super) shown: RunName,
    pub(super) owner: RunOwner,
    /// The privileges that its jobs may request, given the credential of the last connection.
    pub(super) may_ask: PrivilegeScope,
    /// The account that is charged.
    pub(super) account: AccountId,
    pub(super) used: AccountUsage,
    /// Its weight among the runs of the same account.
    pub(super) weight: u32,
    pub(super) name: String,
    pub(super) attached: Option<ClientSession>,
    pub(super) gone_since: Option<BrokerInstant>,
    /// Whether absent workers may still run some of its jobs.
    pub(super) is_from_before: bool,
    /// Whether the client holds its jobs back.
    pub(super) wants_hold: bool,
    /// Whether the client has submitted jobs since it connected. Until then it may acknowledge the
    /// outcome of some.
    pub(super) has_submitted: bool,
    pub(super) templates: BTreeMap<u32, RunTemplate>,
    pub(super) jobs: HashMap<JobId, JobState>,
    /// Architectures without a worker, about which the client has been notified.
    pub(super) noticed: BTreeSet<Architecture>,
    /// Jobs whose output waits for room in the outbox.
    pub(super) lagging: VecDeque<JobId>,
}

/// A template to which a run has given a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunTemplate {
    /// The workers on which its jobs can run.
    pub kind: SchedulingClass,
    /// The privileges that its jobs request.
    pub asks: PrivilegeScope,
}

impl RunTemplate {
    /// Returns the required toolbox, if any.
    pub(crate) fn toolbox(&self) -> Option<ToolboxId> {
        self.kind.toolbox
    }
}

pub(super) struct ClientSession {
    pub(super) session: SessionId,
    pub(super) outbox: Outbox<v1::SessionEvent>,
}

impl ClientRun {
    pub(super) fn is_connected(&self) -> bool {
        self.attached.is_some()
    }

    /// Returns whether the client is connected and has nearly no backlog.
    pub(super) fn has_taken_everything(&self) -> bool {
        let attached = self.attached.as_ref();
        attached.is_some_and(|attached| attached.outbox.level() < SAMPLE_LEVEL_MAX)
    }

    pub(super) fn admission(&self) -> ClientAdmission {
        // A client that has not submitted since it reconnected may be about to acknowledge a job
        // that would start.
        match self.attached.is_some() && self.has_submitted && !self.wants_hold {
            true => ClientAdmission::Open,
            false => ClientAdmission::Held,
        }
    }

    pub(super) fn send(&self, kind: session_event::Kind, bytes: usize) {
        if let Some(attached) = &self.attached {
            let event = v1::SessionEvent { kind: Some(kind) };
            attached.outbox.send(event, MESSAGE_BYTES + bytes);
        }
    }

    /// Sends a job's pending output, as far as there is room. Returns an error if the output's file
    /// cannot be read.
    pub(super) fn pump(&mut self, job: JobId) -> Result<(), OutputLogError> {
        let Some(attached) = &self.attached else {
            return Ok(());
        };
        let Some(state) = self.jobs.get_mut(&job) else {
            return Ok(());
        };
        let send = |kind, bytes| {
            let event = v1::SessionEvent { kind: Some(kind) };
            attached.outbox.send(event, MESSAGE_BYTES + bytes);
        };
        // Waiting jobs are queued once each, so a client that reads nothing has no long queue.
        if attached.outbox.is_full() {
            if !std::mem::replace(&mut state.is_lagging, true) {
                self.lagging.push_back(job);
            }
            return Ok(());
        }
        if let Some(output) = &mut state.output {
            if output.told == ReportedPhase::Nothing {
                send(session_event::Kind::Started(output.started), 0);
                output.told = ReportedPhase::Started;
            }
            while output.log.has_more(output.sent) {
                if attached.outbox.is_full() {
                    if !std::mem::replace(&mut state.is_lagging, true) {
                        self.lagging.push_back(job);
                    }
                    return Ok(());
                }
                let Some(chunk) = output.log.read(&mut output.sent)? else {
                    break;
                };
                let bytes = chunk.bytes.len();
                let event = v1::Output {
                    job: job.0,
                    stream: to_proto::stream(chunk.stream).into(),
                    data: chunk.bytes.into(),
                    attempt: output.started.attempt,
                    index: chunk.index,
                };
                send(session_event::Kind::Output(event), bytes);
            }
            // The outcome is sent once per connection; the next connection starts over.
            if output.told == ReportedPhase::Finished {
                return Ok(());
            }
        }
        if let JobPhase::Finished(result) = &state.phase {
            let finished = v1::Finished {
                job: job.0,
                result: Some((**result).clone()),
            };
            send(session_event::Kind::Finished(finished), 0);
            if let Some(output) = &mut state.output {
                output.told = ReportedPhase::Finished;
            }
        }
        Ok(())
    }
}
