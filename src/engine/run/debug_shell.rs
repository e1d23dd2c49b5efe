//! Builds the commands that open a shell in a test's container.
//!
//! Building a command saves the test's job to a file. Failed tests get a command without a request,
//! but only the first [`TOLD_MAX`] of a run, because nobody investigates more failures one by one.

use std::path::PathBuf;

use crate::job_file::JobFiles;
use maelstrom_model::describe::describe;
use maelstrom_model::event::TestDescription;
use maelstrom_model::ids::TestId;
use maelstrom_model::job::Job;

/// The number of failed tests that are reported with a shell command.
const TOLD_MAX: u32 = 32;

/// Builds shell commands; see the module documentation.
#[derive(Debug)]
pub(super) struct DebugShell {
    program: Option<PathBuf>,
    files: Option<JobFiles>,
    told: u32,
}

impl DebugShell {
    /// Uses `program` for the shell, or builds no commands if it is `None`.
    pub(super) fn new(program: Option<PathBuf>) -> DebugShell {
        DebugShell {
            program,
            files: None,
            told: 0,
        }
    }

    /// Sets the directory in which jobs are saved. Without it, no commands are built.
    pub(super) fn keep_jobs_in(&mut self, directory: PathBuf) {
        self.files = Some(JobFiles::new(directory));
    }

    /// Saves a job and returns the command that opens a shell in its container, as a list of
    /// arguments. Returns `None` if there is no program or directory, or if the job cannot be
    /// saved.
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

    /// Describes a failed test's job with its shell command, for the first [`TOLD_MAX`] failures.
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
