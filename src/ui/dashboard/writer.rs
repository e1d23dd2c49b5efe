//! Writes frames to the terminal on its own thread, so that a slow terminal blocks nothing.
//!
//! At most one write is in progress. Until it ends, the dashboard draws nothing: the next frame
//! shows the state at the time when the terminal is ready for it, so a slow terminal gets fewer
//! frames and no memory grows.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long a write that is under way is waited for when the terminal is given back.
const SETTLE: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct TerminalWriter {
    frames: SyncSender<Vec<u8>>,
    done: UnboundedReceiver<io::Result<()>>,
    is_busy: bool,
}

impl TerminalWriter {
    /// A writer to standard output.
    pub fn start() -> io::Result<Self> {
        let (frames, queue) = sync_channel(1);
        let (report, done) = unbounded_channel();
        std::thread::Builder::new()
            .name("terminal writer".to_owned())
            .spawn(move || write_all(&queue, &report))?;
        Ok(TerminalWriter {
            frames,
            done,
            is_busy: false,
        })
    }

    /// Whether a write is under way.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Begins to write. To be called only when no write is under way.
    pub fn write(&mut self, bytes: Vec<u8>) {
        // The queue has room, and the thread ends only when the sender is gone.
        self.is_busy = self.frames.try_send(bytes).is_ok();
    }

    /// Waits for the end of the write that is under way. Never ends if none is.
    pub async fn finished(&mut self) -> io::Result<()> {
        if !self.is_busy {
            return std::future::pending().await;
        }
        let result = self.done.recv().await;
        self.is_busy = false;
        result.unwrap_or(Ok(()))
    }

    /// Waits for the end of the write that is under way, but not for a terminal that takes
    /// nothing any more.
    pub async fn finish_write(&mut self) {
        if self.is_busy {
            // Whatever came of it, the terminal is now given back.
            let _ = tokio::time::timeout(SETTLE, self.finished()).await;
        }
    }
}

fn write_all(queue: &Receiver<Vec<u8>>, report: &UnboundedSender<io::Result<()>>) {
    let mut stdout = io::stdout();
    while let Ok(bytes) = queue.recv() {
        let result = stdout.write_all(&bytes).and_then(|()| stdout.flush());
        if report.send(result).is_err() {
            return;
        }
    }
}
