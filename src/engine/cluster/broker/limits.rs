//! The broker's limits on messages, clients and workers, each with the reason for its value.
//!
//! - [`ClientResource`]: the resources that are counted per client. [`ClientLimits`]: their limits.
//! - Below them: limits on messages, and timeouts.
//!
//! The scheduler's limits are [`super::scheduler::SchedulerLimits`]; those of storage messages are
//! in [`maelstrom_wire::reapi::limits`].

use std::time::Duration;

use maelstrom_wire::{from_proto, v1};

/// A resource that is counted per client, so that only a client that takes too much is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientResource {
    /// Connections whose client is identified.
    Connections,
    /// Calls whose response was not consumed.
    Calls,
    /// Uploads in progress.
    Uploads,
    /// The announced size of the uploads in progress, in bytes.
    UploadBytes,
    /// Runs that are not over, including those whose client may return.
    Runs,
    /// Jobs that are not over, or whose end is not acknowledged.
    Jobs,
    JobBytes,
    /// Templates of all runs.
    Templates,
    TemplateBytes,
    /// Toolboxes that templates require.
    Toolboxes,
    /// Output of jobs that is not acknowledged.
    OutputBytes,
    Workers,
}

/// A limit on a client's resource.
struct ResourceLimit {
    what: ClientResource,
    most: u64,
    /// Its unit, as in "the client has N ...".
    unit: &'static str,
    /// The suggested remedy.
    help: &'static str,
}

const ACKNOWLEDGE: &str = "read what happens, and acknowledge jobs that are over";

const LIMITS: [ResourceLimit; ClientResource::COUNT] = [
    // A client needs two or three; this leaves room for a CI whose jobs share a credential. Eight
    // clients at this limit use all descriptors that a broker asks for.
    ResourceLimit {
        what: ClientResource::Connections,
        most: 512,
        unit: "connections",
        help: "close some, or make several calls on one",
    },
    // A client makes a dozen at a time. Each may hold one message of 8 MiB.
    ResourceLimit {
        what: ClientResource::Calls,
        most: 512,
        unit: "calls under way",
        help: "wait for some to end",
    },
    // A client sends 8 at a time; each holds a file, and 8 MiB if it is compressed.
    ResourceLimit {
        what: ClientResource::Uploads,
        most: 128,
        unit: "open uploads",
        help: "finish some first; one that stays silent is given up",
    },
    // The largest possible blob: uploads in progress do not count toward the storage's size yet.
    ResourceLimit {
        what: ClientResource::UploadBytes,
        most: 64 << 30,
        unit: "bytes of open uploads",
        help: "finish some first",
    },
    // A person has one or two, a CI that shares a credential has dozens.
    ResourceLimit {
        what: ClientResource::Runs,
        most: 256,
        unit: "runs",
        help: "end those that are over with `goodbye`; one whose client is gone ends after \
               `--client-timeout`",
    },
    // The size of the largest suite that one run may submit (250,000 jobs), and some jobs that are
    // over.
    ResourceLimit {
        what: ClientResource::Jobs,
        most: 300_000,
        unit: "jobs",
        help: ACKNOWLEDGE,
    },
    // 300,000 jobs of 850 bytes each; most have 200.
    ResourceLimit {
        what: ClientResource::JobBytes,
        most: 256 << 20,
        unit: "bytes of jobs",
        help: "put what jobs have in common into their template, and acknowledge those that are over",
    },
    // A run has one for each container, seldom more than a few dozen.
    ResourceLimit {
        what: ClientResource::Templates,
        most: 2_000,
        unit: "templates",
        help: "end runs that are over; use one template for all jobs of a container",
    },
    // An ordinary template has 20 KB. Each is in memory, and in the journal.
    ResourceLimit {
        what: ClientResource::TemplateBytes,
        most: 64 << 20,
        unit: "bytes of templates",
        help: "carry large files as contents, not in a skeleton or the environment",
    },
    // One for each machine and language. Each worker is asked about each, and looks through its
    // files.
    ResourceLimit {
        what: ClientResource::Toolboxes,
        most: 16,
        unit: "toolboxes",
        help: "end runs that are over; an image brings its own programs",
    },
    // Four times the output limit of one job. The output is on the broker's disk until it is
    // acknowledged.
    ResourceLimit {
        what: ClientResource::OutputBytes,
        most: 4 << 30,
        unit: "bytes of output",
        help: ACKNOWLEDGE,
    },
    // A worker is a machine; those that share an address and a credential are few.
    ResourceLimit {
        what: ClientResource::Workers,
        most: 1_024,
        unit: "workers",
        help: "give one worker more slots, instead of starting many on a machine",
    },
];

impl ClientResource {
    /// The number of resources.
    pub const COUNT: usize = 12;

    /// Returns an iterator over all resources.
    pub fn all() -> impl Iterator<Item = ClientResource> {
        LIMITS.iter().map(|limit| limit.what)
    }

    fn limit(self) -> &'static ResourceLimit {
        // A test checks that each limit is in its place.
        &LIMITS[self as usize]
    }

    /// Returns the unit of the resource, in the plural.
    pub fn unit(self) -> &'static str {
        self.limit().unit
    }

    /// Returns a suggestion for a client that has reached the limit.
    pub fn help(self) -> &'static str {
        self.limit().help
    }
}

/// The limits of each client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits([u64; ClientResource::COUNT]);

impl Default for ClientLimits {
    fn default() -> ClientLimits {
        ClientLimits(LIMITS.map(|limit| limit.most))
    }
}

impl ClientLimits {
    /// Returns the limit of a resource.
    pub fn most(&self, what: ClientResource) -> u64 {
        self.0[what as usize]
    }

    /// Replaces the limit of a resource.
    pub fn with(mut self, what: ClientResource, most: u64) -> ClientLimits {
        self.0[what as usize] = most;
        self
    }
}

/// The maximum number of uploads of all clients. Each holds a file, of which a broker may open
/// 4,096.
pub const UPLOADS_MAX: usize = 1_024;

/// The number of uploads that a client may have even if the total is at its limit, so that others
/// cannot lock it out.
pub const UPLOADS_GUARANTEED: u64 = 8;

/// If more than this fraction of a client's output limit is used, no further job of the client
/// starts until half of that is acknowledged: it does not read, or reads more slowly than its jobs
/// write.
pub const OUTPUT_HELD_PART: u64 = 4;

/// The size of a client's output that is kept in memory, in bytes. Further output goes to disk.
pub const OUTPUT_MEMORY_MAX: u64 = 64 << 20;

/// The size of the output in the outboxes of all sessions of a client, in bytes.
pub const OUTBOXES_BYTES: usize = 64 << 20;

/// The minimum share of [`OUTBOXES_BYTES`] for one session, in bytes: a few messages.
pub const OUTBOX_BYTES_MIN: usize = 256 * 1024;

/// The maximum number of unidentified connections from one address. A connection is identified by
/// its first call; beyond the limit the oldest is closed.
pub const STRANGERS_PER_ADDRESS_MAX: usize = 64;

/// The maximum number of unidentified connections from all addresses.
pub const STRANGERS_MAX: usize = 512;

/// How long a connection may take until the call that identifies it: a TLS and an HTTP/2 handshake
/// over a slow link.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(20);

/// How long a session, or a worker's stream, may take until its first message.
pub const HELLO_MAX: Duration = Duration::from_secs(20);

/// How long a unary call may take: 4 MB over a link of 10 KB/s.
pub const CALL_MAX: Duration = Duration::from_secs(600);

/// The number of concurrent calls of a client that transfer blobs; others wait. Each may hold a
/// message of 8 MiB in memory.
pub const TRANSFERS_MAX: usize = 32;

/// How long an upload may be silent, and how long a download may remain unread.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The maximum number of concurrent calls on one connection: more than a client makes, and a limit
/// on what one frame can start.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 256;

/// The size of a call's headers, in bytes: a token, a name, and what tracing adds.
pub const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// The number of calls that may be reset before they are handled. A client seldom abandons a call,
/// and not twenty times in a row.
pub const RESETS_MAX: usize = 20;

/// The maximum number of templates that a worker has at a time: half of what it accepts. Those that
/// none of its leases uses are removed first.
pub const TEMPLATES_PER_WORKER_MAX: usize = 2_048;

/// How long a worker may take to answer a toolbox query: it reads files.
pub const TOOLBOX_ANSWER_MAX: Duration = Duration::from_secs(60);

/// The maximum number of jobs in one message: those of an ordinary run fit into a few megabytes.
pub const JOBS_PER_SUBMIT_MAX: usize = 10_000;

/// The maximum number of templates of a run. Runs have one for each container, seldom more than a
/// few dozen.
pub const TEMPLATES_PER_RUN_MAX: usize = 1_000;

/// The size of one encoded job, in bytes. A test's name and a few variables take a few hundred
/// bytes.
pub const JOB_BYTES_MAX: usize = 256 * 1024;

/// The maximum number of slots of a worker: more than any machine has CPUs.
pub const SLOTS_MAX: u32 = 1_000;

/// The size of a text from a worker, in bytes: why it could not run a job, what it lacks, what is
/// wrong with it. Some of these texts are sent to every client repeatedly.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;

/// The number of workers that an error message names.
pub const WORKERS_NAMED_MAX: usize = 5;

/// Truncates a text to [`TEXT_BYTES_MAX`].
pub fn cut(text: &mut String) {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push('…');
    }
}

/// Returns an error if a job exceeds a limit.
pub fn job(job: &v1::Job) -> Result<(), String> {
    let bytes = prost::Message::encoded_len(job);
    if bytes > JOB_BYTES_MAX {
        return Err(format!(
            "job {} takes {bytes} bytes; the limit is {JOB_BYTES_MAX}",
            job.id
        ));
    }
    if job.program.is_empty() {
        return Err(format!("job {} has no program", job.id));
    }
    if i8::try_from(job.priority).is_err() {
        return Err(format!(
            "job {} has the priority {}; -128 to 127 is possible",
            job.id, job.priority
        ));
    }
    let needs = from_proto::job::needs(job);
    needs.map_err(|error| format!("job {}: {error}", job.id))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_in_its_place_and_says_what_to_do() {
        for (index, limit) in LIMITS.iter().enumerate() {
            assert_eq!(limit.what as usize, index);
            assert!(limit.most > 0 && !limit.unit.is_empty() && !limit.help.is_empty());
            let fewer = ClientLimits::default().with(limit.what, 1);
            assert_eq!(
                (
                    fewer.most(limit.what),
                    fewer.0.iter().filter(|it| **it == 1).count()
                ),
                (1, 1)
            );
        }
        assert_eq!(ClientResource::all().count(), ClientResource::COUNT);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut text = "ä".repeat(TEXT_BYTES_MAX);
        cut(&mut text);
        assert_eq!(text.chars().count(), TEXT_BYTES_MAX / 2 + 1);
        let mut short = "short".to_owned();
        cut(&mut short);
        assert_eq!(short, "short");
    }

    #[test]
    fn jobs_beyond_a_limit_are_named() {
        let fine = v1::Job {
            id: 7,
            program: b"true".as_slice().into(),
            ..v1::Job::default()
        };
        assert_eq!(job(&fine), Ok(()));
        let wrong = [
            v1::Job {
                program: "".into(),
                ..fine.clone()
            },
            v1::Job {
                priority: 128,
                ..fine.clone()
            },
            v1::Job {
                arguments: vec![vec![0; JOB_BYTES_MAX].into()],
                ..fine
            },
        ];
        for one in wrong {
            assert!(job(&one).unwrap_err().starts_with("job 7 "));
        }
    }
}
