//! Where the run's events leave: stamped with the time, to the one watcher and into a recording.
//!
//! Owns the run's clock, the only one of this room. A recording that cannot be written is given up
//! with a notice; the run goes on.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::engine::event::channel::EventSender;
use crate::engine::event::{Event, EventKind, Notice, Severity};

/// See the module's documentation.
#[derive(Debug)]
pub struct Outlet {
    began: Instant,
    watcher: EventSender,
    recording: Option<Recording>,
}

/// A file of events, one JSON object a line.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: BufWriter<File>,
}

/// A recording could not be begun.
#[derive(Debug, thiserror::Error)]
#[error("the recording {} cannot be created", path.display())]
pub struct RecordingError {
    /// The file.
    path: PathBuf,
    /// Why.
    source: io::Error,
}

impl Recording {
    /// Begins a recording; an existing file is overwritten.
    pub fn create(path: &Path) -> Result<Self, RecordingError> {
        match File::create(path) {
            Ok(file) => Ok(Recording {
                path: path.to_owned(),
                file: BufWriter::new(file),
            }),
            Err(source) => Err(RecordingError {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, event)?;
        self.file.write_all(b"\n")?;
        // A run that is killed leaves whole rounds on record.
        if let EventKind::RoundFinished { .. } | EventKind::RunFinished { .. } = event.kind {
            self.file.flush()?;
        }
        Ok(())
    }
}

impl Outlet {
    /// An outlet whose clock starts now.
    pub fn new(watcher: EventSender, recording: Option<Recording>) -> Self {
        Outlet {
            began: Instant::now(),
            watcher,
            recording,
        }
    }

    /// Microseconds since the run began.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Waits until the watcher has room for more output of tests.
    pub async fn ready(&self) {
        self.watcher.ready().await;
    }

    /// Tells that this happened now.
    pub fn emit(&mut self, kind: EventKind) {
        let event = Event {
            at_us: self.now_us(),
            kind,
        };
        if let Some(recording) = &mut self.recording
            && let Err(error) = recording.write(&event)
        {
            self.give_up(&error);
        }
        self.watcher.send(event);
    }

    fn give_up(&mut self, error: &io::Error) {
        let Some(Recording { path, file: _ }) = self.recording.take() else {
            return;
        };
        let notice = Notice {
            severity: Severity::Warning,
            text: format!("the recording {} ends here: {error}", path.display()),
            help: None,
            in_summary: true,
        };
        self.emit(EventKind::Notice(notice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::channel::{EventReceiver, channel};

    fn drain(receiver: &mut EventReceiver) -> Vec<Event> {
        std::iter::from_fn(|| receiver.try_recv()).collect()
    }

    /// Invariant 10: what is recorded is what was told.
    #[test]
    fn a_recording_says_what_the_watcher_saw() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run.json");
        let (sender, mut receiver) = channel();
        let mut outlet = Outlet::new(sender, Some(Recording::create(&path).unwrap()));
        outlet.emit(EventKind::Paused);
        outlet.emit(EventKind::RunFinished { exit_code: 3 });
        let recorded: Vec<Event> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(recorded, drain(&mut receiver));
        assert_eq!(recorded.len(), 2);
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_not_the_run() {
        let (sender, mut receiver) = channel();
        let recording = Recording::create(Path::new("/dev/full")).unwrap();
        let mut outlet = Outlet::new(sender, Some(recording));
        let round = EventKind::RoundStarted {
            round: 1,
            cause: crate::engine::event::RoundCause::Start,
        };
        outlet.emit(round);
        outlet.emit(EventKind::RoundFinished {
            round: 1,
            summary: crate::engine::event::Summary::default(),
        });
        outlet.emit(EventKind::RunFinished { exit_code: 0 });
        let events = drain(&mut receiver);
        let notices = events.iter().filter(|event| match &event.kind {
            EventKind::Notice(notice) => notice.text.contains("/dev/full"),
            _ => false,
        });
        assert_eq!((events.len(), notices.count()), (4, 1));
        let last = events.last().map(|event| event.kind.clone());
        assert_eq!(last, Some(EventKind::RunFinished { exit_code: 0 }));
    }

    #[test]
    fn a_recording_that_cannot_begin_names_the_file() {
        let error = Recording::create(Path::new("/nonexistent/run.json")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/run.json"));
    }
}
