//! Runs an input's jobs as the engine runs tests: each is a row of the dashboard.
//!
//! No history is kept, since a job has no name that identifies it in the next run.

use std::path::PathBuf;

use miette::Diagnostic;

use maelstrom_model::error::{ProgramError, help_of, with_causes};
use maelstrom_model::event::{EventKind, SourceLocation};
use maelstrom_model::exit_code;
use maelstrom_model::framework::{BrokenEntry, DiscoverySummary, Framework, FrameworkHost};
use maelstrom_model::job::{Job, OutputPipes, TestCase, TestKey};
use maelstrom_spec::job::{JobFileEntry, JobSpecification};

use super::input::{self, JobInputError};
use super::job_builder::JobBuilder;
use super::options::JobInput;

/// The implementation of [`Framework`] for an input of jobs. See the module documentation.
#[derive(Debug)]
pub struct JobsFramework {
    input: JobInput,
    project: PathBuf,
    workshop: JobBuilder,
}

/// The reason why no further jobs can be read.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum JobsError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Input(#[from] JobInputError),
    /// The thread that reads the input cannot be started.
    #[error("cannot start to read the jobs")]
    Thread(#[source] std::io::Error),
}

impl ProgramError for JobsError {
    fn exit_code(&self) -> u8 {
        match self {
            JobsError::Input(error) => error.exit_code(),
            JobsError::Thread(_) => exit_code::INFRASTRUCTURE,
        }
    }
}

impl JobsFramework {
    /// Returns a framework for the jobs of an input. Relative paths in it start at `project`.
    pub fn new(input: JobInput, project: PathBuf, workshop: JobBuilder) -> JobsFramework {
        JobsFramework {
            input,
            project,
            workshop,
        }
    }
}

impl Framework for JobsFramework {
    type Error = JobsError;

    async fn discover<H: FrameworkHost>(&self, host: &H) -> Result<DiscoverySummary, JobsError> {
        // The containers that an input defines apply only to this reading of it.
        let mut workshop = self.workshop.clone();
        let mut entries = input::read(&self.input, &self.project).map_err(JobsError::Thread)?;
        let mut number = 0;
        while let Some(entry) = entries.recv().await {
            let job = match entry? {
                JobFileEntry::Containers(containers) => {
                    workshop.define(containers);
                    continue;
                }
                JobFileEntry::Job(job) => job,
            };
            number += 1;
            let priority = job.priority;
            let (key, title) = named(number, &job);
            match workshop.job(&job, None).await {
                Ok(job) => {
                    let case = TestCase {
                        key,
                        title,
                        ignored: None,
                        job: Job {
                            // The dashboard shows both streams together.
                            output: OutputPipes::Joined,
                            ..job
                        },
                        policy: Default::default(),
                        known: None,
                    };
                    host.found_at(priority, case);
                }
                Err(error) => {
                    let help = help_of(&error);
                    let help = help.map_or(String::new(), |help| format!("; {help}"));
                    host.broken(BrokenEntry {
                        key,
                        title,
                        message: format!("{}{help}", with_causes(&error)),
                        stdout: Vec::new(),
                        stderr: Vec::new(),
                        location: None,
                    });
                }
            }
        }
        if let Some(notice) = workshop.notice() {
            host.emit(EventKind::Notice(notice));
        }
        Ok(DiscoverySummary::default())
    }

    fn failure_location(&self, _stdout: &[u8], _stderr: &[u8]) -> Option<SourceLocation> {
        None
    }
}

fn named(number: u64, job: &JobSpecification) -> (TestKey, String) {
    let words: Vec<&str> = [job.program.as_str()]
        .into_iter()
        .chain(job.arguments.iter().map(String::as_str))
        .collect();
    job_name(number, &words)
}

/// Returns the key and the title of a job: its position in the input, from 1, and its command.
pub fn job_name(number: u64, words: &[&str]) -> (TestKey, String) {
    let command = shlex::try_join(words.iter().copied()).unwrap_or_else(|_| words.join(" "));
    let name = format!("job {number}: {command}");
    let key = TestKey {
        package: "jobs".into(),
        artifact: "job".into(),
        name: name.clone(),
    };
    (key, name)
}
