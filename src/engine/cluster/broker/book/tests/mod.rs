//! The lease book held to the cluster's promises: rule by rule, against a model in random
//! sequences, and in virtual time.

mod attendance;
mod fairness;
mod leases;
mod machine;
mod model;
mod placement;
mod resume;

use std::time::Duration;

use super::*;
use maelstrom_model::backend::JobId;
use maelstrom_model::priority::Rank;

const X86: Architecture = Architecture::X86_64;
const TTL: u64 = 20_000;

fn at(ms: u64) -> Moment {
    Moment(ms)
}

fn key(client: u64, job: u64) -> JobKey {
    JobKey {
        client: ClientId(client),
        job: JobId(job),
    }
}

fn kind(inputs: u32) -> Kind {
    Kind {
        architecture: X86,
        kit: None,
        inputs: InputsId(inputs),
    }
}

fn demand(kind: Kind) -> Demand {
    Demand {
        rank: Rank::default(),
        kind,
    }
}

fn offer(slots: u32) -> Offer {
    Offer {
        slots,
        architecture: X86,
    }
}

fn estimated(seconds: u64) -> Rank {
    Rank {
        priority: 0,
        estimate: Some(Duration::from_secs(seconds)),
    }
}

/// A book with inputs 0 ready, and client 1.
fn book() -> Book {
    book_with(Limits::default())
}

fn book_with(limits: Limits) -> Book {
    let mut book = Book::new(limits, Fence(100));
    book.inputs(InputsId(0), Inputs::Ready);
    book.client_joined(ClientId(1), 1);
    book
}

/// Without leases beyond the slots, where these would only be in the way.
fn exact() -> Limits {
    Limits {
        prefetch_per_worker: 0,
        ..Limits::default()
    }
}

impl Book {
    /// Submits jobs of a client that need nothing special.
    fn submit_all(&mut self, client: u64, jobs: std::ops::Range<u64>) {
        for job in jobs {
            let submitted = self.submit(key(client, job), demand(kind(0)), at(0));
            assert_eq!(submitted, Ok(Submitted::New));
        }
    }

    fn join(&mut self, worker: u32, slots: u32, now: u64) {
        let events = self.worker_joined(WorkerId(worker), offer(slots), at(now));
        assert_eq!(events, []);
    }

    /// The only lease that can be given now.
    fn grant_one(&mut self, now: u64) -> Lease {
        let grants = self.grants(at(now), 10);
        assert_eq!(grants.len(), 1, "{grants:?}");
        grants[0].lease
    }

    fn done(&mut self, lease: Lease, now: u64) -> Verdict {
        self.finished(lease.worker, lease.key, lease.fence, How::Done, at(now))
    }

    fn fail(&mut self, lease: Lease, now: u64) -> Verdict {
        let how = How::InfrastructureFailure;
        self.finished(lease.worker, lease.key, lease.fence, how, at(now))
    }
}
