//! Recordings: files with the events of a run, one JSON object per line, which can be replayed.
//!
//! The format is that of [`maelstrom_model::event`], described in `docs/events.md`. If a recording
//! can't be written, it stops with a notice and the run continues; if one can't be read, the error
//! names the line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use miette::Diagnostic;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use maelstrom_model::error::ProgramError;
use maelstrom_model::event::channel::{EventReceiver, EventSender, channel};
use maelstrom_model::event::recorded::is_unknown;
use maelstrom_model::event::{
    Event, EventKind, NoticeSeverity, RunEvent, SCHEMA_VERSION, UiCommand, UserNotice,
};
use maelstrom_model::exit_code;

/// The maximum length of a line, in bytes. No event is longer.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// A recording that can't be written.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("cannot write the recording {path}")]
#[diagnostic(help("name a file in a directory that exists and that you can write to"))]
pub struct RecordingTargetError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

impl ProgramError for RecordingTargetError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Errors that occur when a recording is replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file can't be opened or read.
    #[error("cannot read the recording {path}")]
    Open { path: PathBuf, source: io::Error },
    /// A line is not an event.
    #[error("line {line} of the recording {path} is not an event")]
    Line {
        path: PathBuf,
        line: u64,
        source: serde_json::Error,
    },
    /// The file doesn't start with the start event of a run.
    #[error("{path} is not a recording: its first event is not run_started")]
    NoBeginning { path: PathBuf },
    /// The file was written by a later version.
    #[error(
        "the recording {path} has version {found}, and this program reads up to {SCHEMA_VERSION}"
    )]
    Version { path: PathBuf, found: u32 },
    /// The thread that replays can't be started.
    #[error("cannot start a thread for the recording")]
    Thread(#[source] io::Error),
}

/// The file of a recording, open for writing.
#[derive(Debug)]
pub struct RecordingTarget {
    file: File,
    path: PathBuf,
}

impl RecordingTarget {
    /// Opens the file. A recording that is there stays until [`RecordingTarget::record`].
    pub fn open(path: &Path) -> Result<RecordingTarget, RecordingTargetError> {
        let opened = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            // Only for the owner, because the recording contains all output of the tests.
            .mode(0o600)
            .open(path);
        let path = path.to_owned();
        match opened {
            Ok(file) => Ok(RecordingTarget { file, path }),
            Err(source) => Err(RecordingTargetError { path, source }),
        }
    }

    /// Writes all events to the file and passes them on to the returned receiver.
    ///
    /// The thread ends when the event channel closes. Join it before the program ends, so that the
    /// file is complete.
    pub fn record(self, events: EventReceiver) -> io::Result<(EventReceiver, JoinHandle<()>)> {
        let RecordingTarget { file, path } = self;
        // A pipe or a device has nothing to discard.
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        let (sender, passed_on) = channel();
        let thread = std::thread::Builder::new()
            .name("recording".to_owned())
            .spawn(move || pass_on(events, &sender, BufWriter::new(file), &path))?;
        Ok((passed_on, thread))
    }
}

fn pass_on(mut events: EventReceiver, to: &EventSender, out: impl Write, path: &Path) {
    let mut out = Some(out);
    while let Some(event) = events.blocking_recv() {
        let written = out.as_mut().map(|out| {
            write_event(out, &event)?;
            // Buffered events would be lost if the program were killed, so flush whenever no event
            // waits.
            if events.is_empty() {
                out.flush()
            } else {
                Ok(())
            }
        });
        let at_us = event.at_us;
        to.send(event);
        if let Some(Err(error)) = written {
            out = None;
            let kind = EventKind::Notice(UserNotice {
                severity: NoticeSeverity::Warning,
                text: format!("the recording {} stops here: {error}", path.display()),
                help: None,
                in_summary: true,
            });
            to.send(Event { at_us, kind });
        }
    }
}

/// Writes an event as a line of JSON.
pub fn write_event(out: &mut impl Write, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    out.write_all(b"\n")
}

/// An iterator over the events of a recording.
#[derive(Debug)]
pub struct RecordingReader<R> {
    lines: R,
    path: PathBuf,
    line: u64,
}

impl RecordingReader<BufReader<File>> {
    /// Opens a recording.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let file = File::open(path).map_err(|source| RecordError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(RecordingReader::new(BufReader::new(file), path))
    }
}

impl<R: BufRead> RecordingReader<R> {
    /// Creates a reader of lines from any source; `path` is used in error messages.
    pub fn new(lines: R, path: &Path) -> Self {
        RecordingReader {
            lines,
            path: path.to_owned(),
            line: 0,
        }
    }

    /// Returns the next event that this version knows. Skips unknown events of later versions.
    fn read(&mut self) -> Result<Option<Event>, RecordError> {
        while let Some(text) = self.read_line()? {
            let event = match serde_json::from_slice::<Event>(&text) {
                Ok(event) => event,
                Err(_) if is_unknown(&text) => {
                    if self.line == 1 {
                        return Err(self.no_beginning());
                    }
                    continue;
                }
                Err(source) => {
                    return Err(RecordError::Line {
                        path: self.path.clone(),
                        line: self.line,
                        source,
                    });
                }
            };
            return match &event.kind {
                EventKind::Run(RunEvent::Started(run)) if run.schema > SCHEMA_VERSION => {
                    Err(RecordError::Version {
                        path: self.path.clone(),
                        found: run.schema,
                    })
                }
                EventKind::Run(RunEvent::Started(_)) => Ok(Some(event)),
                _ if self.line == 1 => Err(self.no_beginning()),
                _ => Ok(Some(event)),
            };
        }
        Ok(None)
    }

    fn no_beginning(&self) -> RecordError {
        RecordError::NoBeginning {
            path: self.path.clone(),
        }
    }

    fn read_line(&mut self) -> Result<Option<Vec<u8>>, RecordError> {
        let mut text = Vec::new();
        let read = io::Read::take(&mut self.lines, LINE_BYTES_MAX).read_until(b'\n', &mut text);
        self.line += 1;
        match read {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(text)),
            Err(source) => Err(RecordError::Open {
                path: self.path.clone(),
                source,
            }),
        }
    }
}

impl<R: BufRead> Iterator for RecordingReader<R> {
    type Item = Result<Event, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The speed at which a recording is replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReplaySpeed {
    /// This many times as fast as the run; 1.0 is the original speed.
    Times(f64),
    AtOnce,
    Stepwise,
}

/// A replay in progress, with the channels that a user interface needs.
#[derive(Debug)]
pub struct RunReplay {
    /// The recorded events, at the speed of the replay.
    pub events: EventReceiver,
    /// Accepts the commands of the user interface. `Pause` and `Resume` control the replay, `Leave`
    /// and `Kill` end it, and others are ignored.
    pub commands: UnboundedSender<UiCommand>,
    /// Requests the next event while the replay is paused.
    pub step: UnboundedSender<()>,
    /// Ends when all events were sent, or the user interface has closed.
    pub thread: JoinHandle<Result<(), RecordError>>,
}

/// Starts to replay a recording. Reads its first line immediately, so that an invalid file is
/// reported here.
pub fn replay(path: &Path, pace: ReplaySpeed) -> Result<RunReplay, RecordError> {
    let mut recording = RecordingReader::open(path)?;
    let Some(first) = recording.next() else {
        return Err(RecordError::NoBeginning {
            path: path.to_owned(),
        });
    };
    let first = first?;
    let (sender, events) = channel();
    let (commands, command_queue) = unbounded_channel();
    let (step, steps) = unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(RecordError::Thread)?;
    let thread = std::thread::Builder::new()
        .name("replay".to_owned())
        .spawn(move || {
            let player = ReplayPlayer {
                sender,
                commands: command_queue,
                steps,
                pace,
                state: match pace {
                    ReplaySpeed::Stepwise => ReplayState::Paused,
                    ReplaySpeed::Times(_) | ReplaySpeed::AtOnce => ReplayState::Going,
                },
            };
            runtime.block_on(player.play(first, recording))
        })
        .map_err(RecordError::Thread)?;
    Ok(RunReplay {
        events,
        commands,
        step,
        thread,
    })
}

struct ReplayPlayer {
    sender: EventSender,
    commands: UnboundedReceiver<UiCommand>,
    steps: UnboundedReceiver<()>,
    pace: ReplaySpeed,
    state: ReplayState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReplayState {
    Going,
    Paused,
    /// The user interface has left or closed.
    Left,
}

/// The resolution of the timer, which wakes a task at most once per millisecond. Events that are
/// due within that time are sent immediately: with a separate wait for each event, a replay would
/// take longer than the run.
const TIMER: Duration = Duration::from_millis(1);

impl ReplayPlayer {
    async fn play(
        mut self,
        first: Event,
        recording: impl Iterator<Item = Result<Event, RecordError>>,
    ) -> Result<(), RecordError> {
        let first_us = first.at_us;
        // When the first event would have been sent without pauses. Waits are relative to it, so
        // that a late event doesn't delay later ones.
        let mut began = Instant::now();
        self.sender.send(first);
        for event in recording {
            let event = event?;
            let after = self.after(event.at_us.saturating_sub(first_us));
            self.wait(&mut began, after).await;
            if self.state == ReplayState::Left {
                return Ok(());
            }
            // Wait for the receiver, so that a slow screen doesn't collect the whole recording in
            // memory.
            self.sender.ready().await;
            self.sender.send(event);
        }
        Ok(())
    }

    /// Returns how long after the first event an event is due, from the same time in the run.
    fn after(&self, after_us: u64) -> Duration {
        match self.pace {
            ReplaySpeed::Times(times) if times > 0.0 => {
                Duration::try_from_secs_f64(after_us as f64 / 1e6 / times).unwrap_or(Duration::MAX)
            }
            ReplaySpeed::Times(_) | ReplaySpeed::AtOnce | ReplaySpeed::Stepwise => Duration::ZERO,
        }
    }

    /// Waits until `after` has passed since `began`. Each pause moves `began`.
    async fn wait(&mut self, began: &mut Instant, after: Duration) {
        while let Ok(command) = self.commands.try_recv() {
            self.on_command(Some(&command));
        }
        loop {
            let now = Instant::now();
            let left = after.saturating_sub(now.saturating_duration_since(*began));
            let going = match self.state {
                ReplayState::Left => return,
                ReplayState::Going if left < TIMER => return,
                ReplayState::Going => true,
                ReplayState::Paused => false,
            };
            tokio::select! {
                biased;
                command = self.commands.recv() => self.on_command(command.as_ref()),
                Some(()) = self.steps.recv(), if !going => {
                    // The following events are due as if this one had been sent on time.
                    *began = Instant::now().checked_sub(after).unwrap_or(*began);
                    return;
                }
                () = tokio::time::sleep(left), if going => return,
            }
            if !going {
                *began += now.elapsed();
            }
        }
    }

    fn on_command(&mut self, command: Option<&UiCommand>) {
        match command {
            Some(UiCommand::Pause) => self.state = ReplayState::Paused,
            Some(UiCommand::Resume) => self.state = ReplayState::Going,
            None | Some(UiCommand::Leave | UiCommand::Kill) => self.state = ReplayState::Left,
            Some(
                UiCommand::Rerun { .. }
                | UiCommand::CancelTest { .. }
                | UiCommand::Cancel
                | UiCommand::Suspend
                | UiCommand::Continue
                | UiCommand::Describe { .. },
            ) => {}
        }
    }
}

#[cfg(test)]
mod tests;
