//! Maps test attempts and helper jobs to the job ids of a backend.
//!
//! A [`JobId`] encodes what the job is for: the high 32 bits hold the number of the test or helper,
//! the low 32 bits the attempt. So no table is needed to find the attempt of a job. Attempts count
//! from 1, which leaves 0 for helper jobs.

use maelstrom_model::backend::JobId;
use maelstrom_model::ids::{Attempt, TestId};

/// What a job of a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobRole {
    /// One execution of a test.
    Attempt(TestId, Attempt),
    /// A job that discovery needs, such as listing the tests of a binary.
    Helper(u32),
}

impl JobRole {
    /// Returns the id that encodes this role.
    pub fn job(self) -> JobId {
        match self {
            JobRole::Attempt(test, attempt) => {
                JobId(u64::from(test.0) << 32 | u64::from(attempt.0))
            }
            JobRole::Helper(number) => JobId(u64::from(number) << 32),
        }
    }

    /// Decodes the role from a job's id.
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
