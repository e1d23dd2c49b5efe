//! Recordings: a run's events as lines of JSON, written as they occur and replayed later.
//!
//! The format is that of [`maelstrom_model::event`], described in `docs/events.md`. If a recording
//! cannot be written, it stops with a notice and blocks nothing; if one cannot be read, the error
//! names the line. There is no other format.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use maelstrom_model::event::channel::{EventReceiver, EventSender, channel};
use maelstrom_model::event::recorded::is_unknown;
use maelstrom_model::event::{
    Event, EventKind, NoticeSeverity, RunEvent, SCHEMA_VERSION, UiCommand, UserNotice,
};

/// A longer line is no event of ours.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Why a recording cannot be written or shown.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be made.
    #[error("cannot write the recording {path}")]
    Create { path: PathBuf, source: io::Error },
    /// The file cannot be read.
    #[error("cannot read the recording {path}")]
    Open { path: PathBuf, source: io::Error },
    /// A line is no event.
    #[error("line {line} of the recording {path} is not an event")]
    Line {
        path: PathBuf,
        line: u64,
        source: serde_json::Error,
    },
    /// The file does not begin as a recording does.
    #[error("{path} is not a recording: its first event is not run_started")]
    NoBeginning { path: PathBuf },
    /// The file was written by a later version.
    #[error(
        "the recording {path} has version {found}, and this program reads up to {SCHEMA_VERSION}"
    )]
    Version { path: PathBuf, found: u32 },
    /// There is no thread for it.
    #[error("cannot start a thread for the recording")]
    Thread(#[source] io::Error),
}

/// Writes every event that passes into a file, and passes it on.
///
/// The thread ends when there are no more events; join it before the program ends, so that the
/// file is whole.
pub fn record(
    path: &Path,
    events: EventReceiver,
) -> Result<(EventReceiver, JoinHandle<()>), RecordError> {
    let opened = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        // It holds all that tests wrote.
        .mode(0o600)
        .open(path);
    let file = opened.map_err(|source| RecordError::Create {
        path: path.to_owned(),
        source,
    })?;
    let (sender, passed_on) = channel();
    let path = path.to_owned();
    let thread = std::thread::Builder::new()
        .name("recording".to_owned())
        .spawn(move || pass_on(events, &sender, BufWriter::new(file), &path))
        .map_err(RecordError::Thread)?;
    Ok((passed_on, thread))
}

fn pass_on(mut events: EventReceiver, to: &EventSender, out: impl Write, path: &Path) {
    let mut out = Some(out);
    while let Some(event) = events.blocking_recv() {
        let written = out.as_mut().map(|out| {
            write_event(out, &event)?;
            // What waits in memory would be missing if the program were killed.
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

/// Writes an event as a line.
pub fn write_event(out: &mut impl Write, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    out.write_all(b"\n")
}

/// The events of a recording, in their order.
#[derive(Debug)]
pub struct RecordingReader<R> {
    lines: R,
    path: PathBuf,
    line: u64,
}

impl RecordingReader<BufReader<File>> {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let file = File::open(path).map_err(|source| RecordError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(RecordingReader::new(BufReader::new(file), path))
    }
}

impl<R: BufRead> RecordingReader<R> {
    /// Reads from anything; `path` is for messages.
    pub fn new(lines: R, path: &Path) -> Self {
        RecordingReader {
            lines,
            path: path.to_owned(),
            line: 0,
        }
    }

    /// The next event that this version knows. A later one may have written others, too.
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

/// How fast a recording is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReplaySpeed {
    /// As many times as fast as the run was; 1.0 is as it was.
    Times(f64),
    AtOnce,
    /// An event for each step.
    Stepwise,
}

/// A recording being shown: what a user interface needs to show it.
#[derive(Debug)]
pub struct RunReplay {
    /// The recorded events, at their pace.
    pub events: EventReceiver,
    /// Takes the interface's commands: pausing pauses the recording, the others mean nothing.
    pub commands: UnboundedSender<UiCommand>,
    /// Asks for the next event of a recording that is paused.
    pub step: UnboundedSender<()>,
    /// Ends when everything was shown, or the interface is gone.
    pub thread: JoinHandle<Result<(), RecordError>>,
}

/// Shows a recording. Its first line is read at once, so that a file that is none is told here.
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
    /// Nobody watches any more.
    Left,
}

/// A timer wakes nobody more often than once a millisecond. What is due within that is shown at
/// once: waiting for each event alone would take longer than the run did.
const TIMER: Duration = Duration::from_millis(1);

impl ReplayPlayer {
    async fn play(
        mut self,
        first: Event,
        recording: impl Iterator<Item = Result<Event, RecordError>>,
    ) -> Result<(), RecordError> {
        let first_us = first.at_us;
        // The moment at which the first event would have been shown, had nobody paused: what is
        // late makes nothing else late.
        let mut began = Instant::now();
        self.sender.send(first);
        for event in recording {
            let event = event?;
            let after = self.after(event.at_us.saturating_sub(first_us));
            self.wait(&mut began, after).await;
            if self.state == ReplayState::Left {
                return Ok(());
            }
            // A slow screen must not gather the whole recording in memory.
            self.sender.ready().await;
            self.sender.send(event);
        }
        Ok(())
    }

    /// How long after the first one an event is shown.
    fn after(&self, after_us: u64) -> Duration {
        match self.pace {
            ReplaySpeed::Times(times) if times > 0.0 => {
                Duration::try_from_secs_f64(after_us as f64 / 1e6 / times).unwrap_or(Duration::MAX)
            }
            ReplaySpeed::Times(_) | ReplaySpeed::AtOnce | ReplaySpeed::Stepwise => Duration::ZERO,
        }
    }

    /// Waits until an event is due so long after the beginning, which moves with every pause.
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
                    // What follows is due as if this one had been in time.
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
