//! The commands that open a shell in a test's container.
//!
//! Requesting one writes the job to a file. For failures it is reported without a request, but only
//! for the first [`TOLD_MAX`]: a person looks at more than that one by one anyway.

use std::path::PathBuf;

use super::describe::describe;
use crate::job_file::JobFiles;
use maelstrom_model::event::TestDescription;
use maelstrom_model::ids::TestId;
use maelstrom_model::job::Job;

/// How many failures are reported with their command.
const TOLD_MAX: u32 = 32;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct DebugShell {
    program: Option<PathBuf>,
    files: Option<JobFiles>,
    told: u32,
}

impl DebugShell {
    /// By this program, if there is one.
    pub(super) fn new(program: Option<PathBuf>) -> DebugShell {
        DebugShell {
            program,
            files: None,
            told: 0,
        }
    }

    /// From now on jobs are kept here.
    pub(super) fn keep_jobs_in(&mut self, directory: PathBuf) {
        self.files = Some(JobFiles::new(directory));
    }

    /// The command for a job, word by word.
    pub(super) fn command(&self, job: &Job) -> Option<Vec<String>> {
        let (program, files) = (self.program.as_ref()?, self.files.as_ref()?);
        match files.save(job) {
            Ok(file) => Some(
                [program.to_str()?, "--tty", "--job", file.to_str()?]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            Err(error) => {
                tracing::debug!(%error, "a job could not be kept");
                None
            }
        }
    }

    /// The command for a failed test's job, if it is one of the first.
    pub(super) fn describe_failure(&mut self, test: TestId, job: &Job) -> Option<TestDescription> {
        if self.told >= TOLD_MAX {
            return None;
        }
        let shell = self.command(job)?;
        self.told += 1;
        Some(TestDescription {
            shell: Some(shell),
            ..describe(test, job)
        })
    }
}
