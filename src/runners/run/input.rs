//! Reads the jobs of an input one by one, on its own thread: an input may be a pipe that another
//! program writes to from time to time.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;

use miette::Diagnostic;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::SpecContext;
use maelstrom_spec::document::{DocumentError, TextDocument, TextPosition};
use maelstrom_spec::filter::vocabulary;
use maelstrom_spec::job::JobFileEntry;

use super::options::JobInput;
use super::split::{JsonFragment, JsonSplitter, SplitError};

/// The maximum number of objects that are read ahead. More would only use memory.
const AHEAD: usize = 256;

const CHUNK_BYTES: usize = 64 * 1024;

/// The reason why no further job can be read.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum JobInputError {
    /// The input cannot be read.
    #[error("cannot read {name}")]
    Read { name: String, source: io::Error },
    /// The input is not a stream of JSON objects.
    #[error("{name}:{}:{}: {source}", source.at().line, source.at().column)]
    #[diagnostic(help(
        "jobs are JSON objects such as {{\"program\": \"/bin/true\", \"parent\": \"default\"}}, \
         one after the other"
    ))]
    Split { name: String, source: SplitError },
    /// An object is not a valid job.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Job(#[from] DocumentError),
}

impl ProgramError for JobInputError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Starts a thread that reads an input, and returns the channel on which it sends the jobs.
/// Relative paths in the input start at `project`. An error is the last item.
pub fn read(
    input: &JobInput,
    project: &Path,
) -> io::Result<Receiver<Result<JobFileEntry, JobInputError>>> {
    let (sender, receiver) = channel(AHEAD);
    let (input, project) = (input.clone(), project.to_owned());
    // The thread is never joined, since it may block on a pipe.
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let mut reader = JobInputReader {
                name: name(&input),
                project,
                sender,
            };
            if let Err(error) = reader.read(&input) {
                // Ignore the error: the receiver may be gone.
                drop(reader.sender.blocking_send(Err(error)));
            }
        })?;
    Ok(receiver)
}

fn name(input: &JobInput) -> String {
    match input {
        JobInput::Standard => "standard input".to_owned(),
        JobInput::File(path) => path.display().to_string(),
    }
}

struct JobInputReader {
    name: String,
    project: PathBuf,
    sender: Sender<Result<JobFileEntry, JobInputError>>,
}

impl JobInputReader {
    fn read(&mut self, input: &JobInput) -> Result<(), JobInputError> {
        match input {
            JobInput::Standard => self.follow(io::stdin().lock()),
            JobInput::File(path) => {
                let file = File::open(path).map_err(|source| self.unreadable(source))?;
                self.follow(file)
            }
        }
    }

    fn unreadable(&self, source: io::Error) -> JobInputError {
        JobInputError::Read {
            name: self.name.clone(),
            source,
        }
    }

    fn follow(&mut self, mut stream: impl Read) -> Result<(), JobInputError> {
        let mut splitter = JsonSplitter::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let length = match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(error)),
            };
            let mut bytes = chunk.get(..length).unwrap_or_default();
            while let Some(piece) = splitter
                .next(&mut bytes)
                .map_err(|source| self.no_object(source))?
            {
                let entry = self.entry(piece)?;
                // The receiver is gone, since the run is over.
                if self.sender.blocking_send(Ok(entry)).is_err() {
                    return Ok(());
                }
            }
        }
        splitter.end().map_err(|source| self.no_object(source))
    }

    fn no_object(&self, source: SplitError) -> JobInputError {
        JobInputError::Split {
            name: self.name.clone(),
            source,
        }
    }

    fn entry(&self, piece: JsonFragment) -> Result<JobFileEntry, JobInputError> {
        let JsonFragment { start, text } = piece;
        let document = TextDocument::part(self.name.clone(), text, TextPosition { ..start });
        let context = SpecContext {
            // Jobs have no filters.
            vocabulary: &vocabulary::CARGO,
            project: &self.project,
            variables: &[],
        };
        Ok(JobFileEntry::read(&document, &context)?)
    }
}
