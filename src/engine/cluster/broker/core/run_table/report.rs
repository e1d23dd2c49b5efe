//! What others see of runs, and what clients are sent of others.

use std::collections::HashMap;

use prost::Message;

use super::RunTable;
use super::run::ClientRun;
use crate::broker::journal::RunName;
use crate::broker::scheduler::{ClientId, JobKey};
use maelstrom_model::backend::JobId;
use maelstrom_wire::v1::{self, session_event};

impl RunTable {
    /// The job of this name, if its run is known. Workers of the previous release name runs by what
    /// only clients know now.
    pub fn key(&self, name: &v1::JobName) -> Option<JobKey> {
        let run = RunName::try_from(&*name.run).ok()?;
        let client = self.by_shown.get(&run).or_else(|| self.by_name.get(&run));
        Some(JobKey {
            client: *client?,
            job: JobId(name.job),
        })
    }

    /// All runs, with the numbers of their waiting and leased jobs.
    pub fn listed(&self, counts: &HashMap<ClientId, (usize, usize)>) -> Vec<v1::Client> {
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
    pub fn send(&self, id: ClientId, kind: session_event::Kind) {
        if let Some(client) = self.run(id) {
            client.send(kind, 0);
        }
    }

    /// Sends an event to every client without a backlog.
    pub fn send_all(&self, kind: &session_event::Kind) {
        for client in self.listeners() {
            client.send(kind.clone(), 0);
        }
    }

    /// Whether any client would be sent a status.
    pub fn has_listeners(&self) -> bool {
        self.listeners().next().is_some()
    }

    /// Sends the cluster's status to every client. One with a backlog is skipped: a newer status
    /// will do.
    pub fn send_status(&self, status: v1::Cluster) {
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

    /// The numbers of runs by name and by shown name, and of accounts.
    #[cfg(test)]
    pub fn counts(&self) -> (usize, usize, usize) {
        let names = (self.by_name.len(), self.by_shown.len());
        (names.0, names.1, self.accounts.count())
    }

    /// Whether a name resumes a run, and whether it is shown to others.
    #[cfg(test)]
    pub fn resolves(&self, run: &RunName) -> (bool, bool) {
        (
            self.by_name.contains_key(run),
            self.by_shown.contains_key(run),
        )
    }
}
