//! Writes frames to the terminal on a separate thread, so that a slow terminal doesn't block the
//! dashboard.
//!
//! At most one write is in progress, and no frame is drawn until it ends. The next frame shows the
//! state at that time, so a slow terminal gets fewer frames, and no queue grows.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The maximum wait for a pending write before the terminal is restored.
const SETTLE: Duration = Duration::from_secs(1);

/// A writer that writes frames on its own thread. See the [module](self) documentation.
#[derive(Debug)]
pub(super) struct TerminalWriter {
    frames: SyncSender<Vec<u8>>,
    done: UnboundedReceiver<io::Result<()>>,
    is_busy: bool,
}

impl TerminalWriter {
    /// Starts the thread that writes to standard output.
    pub(super) fn start() -> io::Result<Self> {
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

    /// Returns whether a write is in progress.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Starts a write. Call this only if no write is in progress.
    pub(super) fn write(&mut self, bytes: Vec<u8>) {
        // The queue has room because no write is in progress, and the thread lives as long as the
        // sender.
        self.is_busy = self.frames.try_send(bytes).is_ok();
    }

    /// Waits until the write in progress ends. Never returns if there is none.
    pub(super) async fn finished(&mut self) -> io::Result<()> {
        if !self.is_busy {
            return std::future::pending().await;
        }
        let result = self.done.recv().await;
        self.is_busy = false;
        result.unwrap_or(Ok(()))
    }

    /// Waits until the write in progress ends, but at most [`SETTLE`], since the terminal may have
    /// stopped accepting output.
    pub(super) async fn finish_write(&mut self) {
        if self.is_busy {
            // The result doesn't matter, because the terminal is about to be restored.
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
