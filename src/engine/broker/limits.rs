//! What the broker takes from one message, one client, one worker.

use crate::engine::event::foreign::{Foreign, clean};
use crate::engine::wire::v1;

/// Jobs in one message: what an ordinary run has, in a message of a few megabytes.
pub const JOBS_PER_SUBMIT_MAX: usize = 10_000;

/// Templates of a run. Runs have one for each container, seldom more than a few dozen.
pub const TEMPLATES_PER_RUN_MAX: usize = 1_000;

/// One job, encoded. A test's name and a few variables are a few hundred bytes.
pub const JOB_BYTES_MAX: usize = 256 * 1024;

/// A name of a worker or client, for people.
pub const NAME_BYTES_MAX: usize = 256;

/// Slots of a worker: more than any machine has processors for.
pub const SLOTS_MAX: u32 = 1_000;

/// Whether a name can be shown to people.
pub fn name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || clean(name) != name {
        let shown: String = name.chars().take(40).collect();
        return Err(format!(
            "a name has 1 to {NAME_BYTES_MAX} bytes, and no characters that control a terminal or hide; \
             this one is {:?}",
            Foreign::from(shown)
        ));
    }
    Ok(())
}

/// Whether a job can be kept.
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_harm_a_terminal_are_refused() {
        assert_eq!(name("build-7"), Ok(()));
        for wrong in ["", "a\x1b[2J", "a\nb", "nimda\u{202e}", &"x".repeat(257)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
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
