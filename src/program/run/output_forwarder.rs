//! Forwards the output of jobs to standard output and standard error.
//!
//! Nothing here waits for the reader: unread output is buffered, in memory and then in a file
//! ([`BackgroundWriter`]). If both streams are the same file or terminal, their order is preserved.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tempfile::SpooledTempFile;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::program::failure::ProgramFailure;
use maelstrom_model::event::UserNotice;
use maelstrom_model::job::OutputPipes;
use maelstrom_ui::report::{BackgroundWriteError, BackgroundWriter, write_notice};
use maelstrom_ui::style::OutputColor;

/// Forwards output to standard output and standard error.
pub(super) struct OutputForwarder {
    stdout: BackgroundWriter,
    /// The writer of standard error; `None` if both streams are the same file.
    stderr: Option<BackgroundWriter>,
    color: OutputColor,
    gone: UnboundedReceiver<()>,
    reader: ReaderPresence,
}

/// Whether the output still has a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReaderPresence {
    /// No write has failed so far.
    There,
    Gone,
}

impl OutputForwarder {
    /// Starts forwarding to this process's streams.
    pub(super) fn start() -> Result<OutputForwarder, ProgramFailure> {
        let (tell, gone) = unbounded_channel();
        let infrastructure = |error: BackgroundWriteError| ProgramFailure::infrastructure(&error);
        let stdout = BackgroundWriter::start_with_on_close(io::stdout(), gone_notifier(&tell));
        let stderr = match are_same(io::stdout(), io::stderr()) {
            true => None,
            false => {
                let stderr =
                    BackgroundWriter::start_with_on_close(io::stderr(), gone_notifier(&tell));
                Some(stderr.map_err(infrastructure)?)
            }
        };
        Ok(OutputForwarder {
            stdout: stdout.map_err(infrastructure)?,
            stderr,
            color: OutputColor::for_stream(&io::stderr()),
            gone,
            reader: ReaderPresence::There,
        })
    }

    /// Forwards the output of a job. Returns an error if the spool files cannot be read.
    pub(super) fn pass(
        &mut self,
        stdout: SpooledTempFile,
        stderr: SpooledTempFile,
    ) -> io::Result<()> {
        copy(stdout, &mut self.stdout)?;
        copy(stderr, self.stderr())
    }

    /// Writes a line about a job, unless the reader is gone: the jobs are then being stopped, which
    /// needs no report.
    pub(super) fn line(&mut self, line: &str) {
        match self.reader {
            // Never fails: the write is only queued.
            ReaderPresence::There => drop(writeln!(self.stderr(), "{line}")),
            ReaderPresence::Gone => {}
        }
    }

    /// Writes a message to standard error.
    pub(super) fn notice(&mut self, notice: &UserNotice) {
        let color = self.color;
        // Never fails: the write is only queued.
        drop(write_notice(self.stderr(), color, notice));
    }

    /// Waits until the reader is gone. Returns once; later calls never return.
    pub(super) async fn gone(&mut self) {
        match self.reader {
            ReaderPresence::Gone => std::future::pending().await,
            ReaderPresence::There => match self.gone.recv().await {
                Some(()) => self.reader = ReaderPresence::Gone,
                None => std::future::pending().await,
            },
        }
    }

    /// Waits until all output has been read, or the reader is gone.
    pub(super) async fn finish(mut self) -> Result<ReaderPresence, ProgramFailure> {
        let (ended, end) = oneshot::channel();
        let outputs = [Some(self.stdout), self.stderr];
        // Blocks as long as the reader takes.
        let waiting = std::thread::Builder::new().spawn(move || {
            let mut outputs = outputs.into_iter().flatten();
            drop(ended.send(outputs.try_for_each(BackgroundWriter::finish)));
        });
        waiting.map_err(|error| ProgramFailure::infrastructure(&error))?;
        if let Ok(Err(error)) = end.await {
            return Err(ProgramFailure::infrastructure(&error));
        }
        match (self.reader, self.gone.try_recv()) {
            (ReaderPresence::There, Err(_)) => Ok(ReaderPresence::There),
            (ReaderPresence::Gone, _) | (_, Ok(())) => Ok(ReaderPresence::Gone),
        }
    }

    fn stderr(&mut self) -> &mut BackgroundWriter {
        self.stderr.as_mut().unwrap_or(&mut self.stdout)
    }
}

fn gone_notifier(tell: &UnboundedSender<()>) -> impl FnOnce() + Send + use<> {
    let tell = tell.clone();
    move || {
        // Without a receiver, the run is already over.
        let _ = tell.send(());
    }
}

/// Returns how to connect a job's output streams. They are joined if this process's streams are the
/// same file, which preserves the order of the job's output.
pub(super) fn output_pipes() -> OutputPipes {
    match are_same(io::stdout(), io::stderr()) {
        true => OutputPipes::Joined,
        false => OutputPipes::Separate,
    }
}

/// Returns whether two descriptors refer to the same file, terminal or pipe. If that cannot be
/// determined, they count as different.
fn are_same(one: impl AsFd, other: impl AsFd) -> bool {
    match (identity(&one), identity(&other)) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), _) | (_, Err(_)) => false,
    }
}

fn identity(descriptor: &impl AsFd) -> io::Result<(u64, u64)> {
    let copy = descriptor.as_fd().try_clone_to_owned()?;
    let metadata = File::from(copy).metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

fn copy(mut from: SpooledTempFile, to: &mut BackgroundWriter) -> io::Result<()> {
    from.rewind()?;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(chunk.get(..length).unwrap_or_default())?;
    }
}
