//! Maps attempts and helper jobs to the jobs of a backend.
//!
//! A [`JobId`] encodes its meaning, so no table is needed to find the attempt of a job. Attempts
//! count from 1, which leaves 0 to the jobs that are not tests.

use maelstrom_model::backend::JobId;
use maelstrom_model::ids::{Attempt, TestId};

/// What a job of a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobRole {
    /// One execution of a test.
    Attempt(TestId, Attempt),
    /// Something discovery needs, such as listing a binary.
    Helper(u32),
}

impl JobRole {
    /// The job's id.
    pub fn job(self) -> JobId {
        match self {
            JobRole::Attempt(test, attempt) => {
                JobId(u64::from(test.0) << 32 | u64::from(attempt.0))
            }
            JobRole::Helper(number) => JobId(u64::from(number) << 32),
        }
    }

    /// What the job with this id is for.
    pub fn of(job: JobId) -> JobRole {
        let (high, low) = ((job.0 >> 32) as u32, job.0 as u32);
        match low {
            0 => JobRole::Helper(high),
            attempt => JobRole::Attempt(TestId(high), Attempt(attempt)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_job_id_carries_its_role(high: u32, attempt in 1u32..) {
            for role in [JobRole::Attempt(TestId(high), Attempt(attempt)), JobRole::Helper(high)] {
                prop_assert_eq!(JobRole::of(role.job()), role);
            }
        }
    }
}
