//! The public view of runs, and events that are sent to all clients.

use std::collections::HashMap;

use prost::Message;

use super::RunTable;
use super::run::ClientRun;
use crate::broker::journal::RunName;
use crate::broker::scheduler::{ClientId, JobKey};
use maelstrom_model::backend::JobId;
use maelstrom_wire::v1::{self, session_event};

impl RunTable {
    /// Returns the key of a job, if its run is known. Workers of the previous release refer to runs
    /// by the secret name.
    pub(crate) fn key(&self, name: &v1::JobName) -> Option<JobKey> {
        let run = RunName::try_from(&*name.run).ok()?;
        let client = self.by_shown.get(&run).or_else(|| self.by_name.get(&run));
        Some(JobKey {
            client: *client?,
            job: JobId(name.job),
        })
    }

    /// Returns all runs, with their numbers of waiting and leased jobs.
    pub(crate) fn listed(&self, counts: &HashMap<ClientId, (usize, usize)>) -> Vec<v1::Client> {
        let clients = self.known.iter().map(|(id, client)| {
            let (waiting, leased) = counts.get(id).copied().unwrap_or_default();
            v1::Client {
                name: client.name.clone(),
                run: client.shown.to_vec().into(),
                queued: waiting as u64,
                running: leased as u64,
                connected: client.is_connected(),
            }
        });
        clients.collect()
    }

    /// Sends an event to a client, if it is connected.
    pub(crate) fn send(&self, id: ClientId, kind: session_event::Kind) {
        if let Some(client) = self.run(id) {
            client.send(kind, 0);
        }
    }

    /// Sends an event to every client without a large backlog.
    pub(crate) fn send_all(&self, kind: &session_event::Kind) {
        for client in self.listeners() {
            client.send(kind.clone(), 0);
        }
    }

    /// Returns whether any client would receive a status.
    pub(crate) fn has_listeners(&self) -> bool {
        self.listeners().next().is_some()
    }

    /// Sends the cluster's status to every client without a large backlog. The others get a later
    /// status.
    pub(crate) fn send_status(&self, status: v1::Cluster) {
        let bytes = status.encoded_len();
        let kind = session_event::Kind::Cluster(status);
        for client in self.listeners() {
            client.send(kind.clone(), bytes);
        }
    }

    fn listeners(&self) -> impl Iterator<Item = &ClientRun> {
        let clients = self.known.values();
        clients.filter(|client| client.has_taken_everything())
    }

    /// Returns the numbers of runs by secret name, of runs by public name, and of accounts.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let names = (self.by_name.len(), self.by_shown.len());
        (names.0, names.1, self.accounts.count())
    }

    /// Returns whether a name is the secret name of a run, and whether it is the public name of
    /// one.
    #[cfg(test)]
    pub(crate) fn resolves(&self, run: &RunName) -> (bool, bool) {
        (
            self.by_name.contains_key(run),
            self.by_shown.contains_key(run),
        )
    }
}
