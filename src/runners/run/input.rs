//! Reads the jobs of an input one after another, on its own thread: an input may be a pipe that is
//! written to now and then.

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

/// How many objects are read ahead. More would only take room.
const AHEAD: usize = 256;

const CHUNK_BYTES: usize = 64 * 1024;

/// Why an input has no further job.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum JobInputError {
    /// It cannot be read.
    #[error("cannot read {name}")]
    Read { name: String, source: io::Error },
    /// It is no stream of objects.
    #[error("{name}:{}:{}: {source}", source.at().line, source.at().column)]
    #[diagnostic(help(
        "jobs are JSON objects such as {{\"program\": \"/bin/true\", \"parent\": \"default\"}}, \
         one after the other"
    ))]
    Split { name: String, source: SplitError },
    /// An object describes no job.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Job(#[from] DocumentError),
}

impl ProgramError for JobInputError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Starts to read an input. Relative paths in it start at `project`. After an error there is
/// nothing more.
pub fn read(
    input: &JobInput,
    project: &Path,
) -> io::Result<Receiver<Result<JobFileEntry, JobInputError>>> {
    let (sender, receiver) = channel(AHEAD);
    let (input, project) = (input.clone(), project.to_owned());
    // Nobody waits for its end, since it may be stuck in reading a pipe.
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let mut reader = JobInputReader {
                name: name(&input),
                project,
                sender,
            };
            if let Err(error) = reader.read(&input) {
                // Nobody may want to know any more.
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
                // The run is over, and nobody waits for more.
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
