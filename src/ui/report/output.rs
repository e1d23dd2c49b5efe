//! A writer that never blocks its caller, because a separate thread writes to the stream.
//!
//! Text that the stream has not accepted yet stays in memory, up to [`MEMORY_BYTES_MAX`]. Beyond
//! that, text goes to an unlinked temporary file until the stream has caught up. So a slow pipe
//! delays no test, and a stopped pager takes disk space, not memory.
//!
//! If the reader closes the stream (`EPIPE`), output ends silently, as the user intended.
//! [`BackgroundWriter::finish`] returns any other error of the stream. Order is preserved: the
//! memory precedes the file in the queue, and no text goes to memory while the file is not empty.
//!
//! A [`WholeLineWriter`] adds other text, such as log messages, to the same stream: its lines never
//! break a line of the report.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::spill::SpillFile;

/// The memory for text that the stream has not accepted yet, in bytes.
const MEMORY_BYTES_MAX: usize = 1 << 20;
/// The disk space for text that the stream has not accepted yet, in bytes. Once it is used up,
/// further text is dropped, and the output says how much was lost.
const SPILL_BYTES_MAX: u64 = 8 << 30;
/// The maximum size of the lines of [`WholeLineWriter`]s that wait for the end of a report line, in
/// bytes. The wait is short. Further lines are dropped.
const BESIDE_BYTES_MAX: usize = 1 << 20;
/// The maximum number of bytes written to the stream at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Why output could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundWriteError {
    /// The writing thread could not be started.
    #[error("cannot start the thread that writes the output")]
    Thread(#[source] io::Error),
    /// The stream returned an error.
    #[error("cannot write the output")]
    Write(#[source] io::Error),
}

/// A writer that never blocks: it queues text for a thread that writes to the stream.
#[derive(Debug)]
pub struct BackgroundWriter {
    shared: Arc<SharedWriteQueue>,
    thread: JoinHandle<Result<(), io::Error>>,
}

/// Adds whole lines to the stream of a [`BackgroundWriter`]. Writes fail once the thread has
/// stopped writing to the stream.
#[derive(Clone, Debug)]
pub struct WholeLineWriter {
    shared: Arc<SharedWriteQueue>,
}

#[derive(Debug, Default)]
struct SharedWriteQueue {
    queue: Mutex<WriteQueue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct WriteQueue {
    memory: VecDeque<u8>,
    spill: Option<SpillFile>,
    dropped: DroppedText,
    state: WriteQueueState,
    line: QueuedLine,
}

/// Whether the most recently queued text ended a line.
#[derive(Debug, Default)]
enum QueuedLine {
    /// The text ended with a newline, or no text was queued yet.
    #[default]
    Whole,
    /// The text ended inside a line. The contained lines of [`WholeLineWriter`]s are queued after
    /// that line.
    Begun(Vec<u8>),
}

#[derive(Debug, Default, PartialEq, Eq)]
enum WriteQueueState {
    #[default]
    Open,
    /// The writer is finishing: the thread writes what is queued and then ends.
    Finishing,
    /// The thread has stopped writing to the stream.
    Gone,
}

/// Text that fit neither in memory nor in the file.
#[derive(Debug, Default)]
struct DroppedText {
    bytes: u64,
    reason: String,
}

impl BackgroundWriter {
    /// Starts a thread that writes to `stream`.
    pub fn start(
        stream: impl Write + Send + 'static,
    ) -> Result<BackgroundWriter, BackgroundWriteError> {
        BackgroundWriter::start_with_on_close(stream, || {})
    }

    /// Like [`BackgroundWriter::start`], but also calls `gone` if the reader closes the stream
    /// before everything is written.
    pub fn start_with_on_close(
        stream: impl Write + Send + 'static,
        gone: impl FnOnce() + Send + 'static,
    ) -> Result<BackgroundWriter, BackgroundWriteError> {
        let shared = Arc::new(SharedWriteQueue::default());
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let result = write_out(&for_thread, stream);
                // Before calling `gone`, so that no text is queued for a stream that is no longer
                // written to.
                for_thread.lock().give_up();
                if let Err(error) = &result
                    && error.kind() == io::ErrorKind::BrokenPipe
                {
                    gone();
                }
                result
            })
            .map_err(BackgroundWriteError::Thread)?;
        Ok(BackgroundWriter { shared, thread })
    }

    /// Returns a writer that adds whole lines to the same stream.
    pub fn whole_line_writer(&self) -> WholeLineWriter {
        WholeLineWriter {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Waits until the stream has accepted everything. Returns the error of the stream unless it
    /// was `EPIPE`.
    pub fn finish(self) -> Result<(), BackgroundWriteError> {
        self.shared.lock().finish();
        self.shared.changed.notify_one();
        match self.thread.join() {
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(BackgroundWriteError::Write(error))
            }
            Ok(_) => Ok(()),
            Err(_) => Err(BackgroundWriteError::Write(io::Error::other(
                "the thread panicked",
            ))),
        }
    }
}

impl Write for BackgroundWriter {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.shared.lock().write(text);
        self.shared.changed.notify_one();
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for WholeLineWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.shared.lock().write_whole_lines(lines)?;
        self.shared.changed.notify_one();
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SharedWriteQueue {
    fn lock(&self) -> MutexGuard<'_, WriteQueue> {
        // Every change leaves the queue consistent, so it is usable even after a panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteQueue {
    fn write(&mut self, text: &[u8]) {
        let Some(end) = memchr::memrchr(b'\n', text).map(|last| last + 1) else {
            if !text.is_empty() && matches!(self.line, QueuedLine::Whole) {
                self.line = QueuedLine::Begun(Vec::new());
            }
            return self.push(text, SPILL_BYTES_MAX);
        };
        let (lines, begun) = text.split_at(end);
        self.push(lines, SPILL_BYTES_MAX);
        // Queued before the next partial line, which may take long to end.
        if let QueuedLine::Begun(beside) = std::mem::take(&mut self.line) {
            self.push(&beside, SPILL_BYTES_MAX);
        }
        if !begun.is_empty() {
            self.line = QueuedLine::Begun(Vec::new());
            self.push(begun, SPILL_BYTES_MAX);
        }
    }

    fn write_whole_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        match (&self.state, &mut self.line) {
            (WriteQueueState::Gone, _) => return Err(io::ErrorKind::BrokenPipe.into()),
            (WriteQueueState::Open | WriteQueueState::Finishing, QueuedLine::Begun(beside)) => {
                if beside.len() < BESIDE_BYTES_MAX {
                    beside.extend_from_slice(lines);
                }
            }
            (WriteQueueState::Open | WriteQueueState::Finishing, QueuedLine::Whole) => {
                self.push(lines, SPILL_BYTES_MAX)
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        // The partial line will not be ended, so the waiting lines are queued now.
        if let QueuedLine::Begun(beside) = std::mem::take(&mut self.line) {
            self.push(&beside, SPILL_BYTES_MAX);
        }
        if self.state == WriteQueueState::Open {
            self.state = WriteQueueState::Finishing;
        }
    }

    fn push(&mut self, text: &[u8], spill_bytes_max: u64) {
        if self.state == WriteQueueState::Gone {
            return;
        }
        let spilling = self.spill.as_ref().is_some_and(|spill| !spill.is_empty());
        if !spilling && self.memory.len() + text.len() <= MEMORY_BYTES_MAX {
            self.memory.extend(text);
            return;
        }
        if let Err(error) = self.push_to_spill(text, spill_bytes_max) {
            self.dropped.bytes += text.len() as u64;
            self.dropped.reason = error.to_string();
        }
    }

    fn push_to_spill(&mut self, text: &[u8], spill_bytes_max: u64) -> io::Result<()> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            None => self.spill.insert(SpillFile::new(spill_bytes_max)?),
        };
        spill.push(text)
    }

    /// Moves the next piece of the queue to `chunk`, or leaves `chunk` empty if the queue is empty.
    fn pop(&mut self, chunk: &mut Vec<u8>) -> io::Result<()> {
        chunk.clear();
        if !self.memory.is_empty() {
            let length = self.memory.len().min(CHUNK_BYTES);
            chunk.extend(self.memory.drain(..length));
            return Ok(());
        }
        if let Some(spill) = self.spill.as_mut().filter(|spill| !spill.is_empty()) {
            return spill.pop(chunk, CHUNK_BYTES);
        }
        // Reported last, because all queued text precedes the dropped text.
        if self.dropped.bytes > 0 {
            let DroppedText { bytes, reason } = std::mem::take(&mut self.dropped);
            let text = format!("\n[{bytes} bytes of this report were lost: {reason}]\n");
            chunk.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    fn give_up(&mut self) {
        self.state = WriteQueueState::Gone;
        self.memory = VecDeque::new();
        self.spill = None;
    }
}

/// The main function of the writing thread. Writes the queue to the stream piece by piece, without
/// holding the lock while it writes.
fn write_out(shared: &SharedWriteQueue, mut stream: impl Write) -> io::Result<()> {
    let mut chunk = Vec::new();
    loop {
        let mut queue = shared.lock();
        loop {
            queue.pop(&mut chunk)?;
            if !chunk.is_empty() {
                break;
            }
            if queue.state != WriteQueueState::Open {
                // Done before the lock is released, so that writes of a `WholeLineWriter` fail from
                // now on.
                queue.give_up();
                break;
            }
            queue = shared
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(queue);
        if chunk.is_empty() {
            return stream.flush();
        }
        stream.write_all(&chunk)?;
        stream.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A stream that blocks its first write until the gate opens.
    struct Gated {
        gate: Option<mpsc::Receiver<()>>,
        taken: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Gated {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            if let Some(gate) = self.gate.take() {
                gate.recv().map_err(io::Error::other)?;
            }
            self.taken.send(text.to_vec()).map_err(io::Error::other)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _text: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_stream_stalls_nobody_and_loses_nothing() {
        let (open, gate) = mpsc::channel();
        let (taken, pieces) = mpsc::channel();
        let gate = Some(gate);
        let mut output = BackgroundWriter::start(Gated { gate, taken }).unwrap();
        let mut expected = Vec::new();
        // Several times what memory holds, and all of it before the stream takes a byte.
        for number in 0..60_000 {
            let line = format!("line {number:0>100}\n");
            output.write_all(line.as_bytes()).unwrap();
            expected.extend_from_slice(line.as_bytes());
        }
        assert!(expected.len() > 4 * MEMORY_BYTES_MAX);
        assert!(output.shared.lock().memory.len() <= MEMORY_BYTES_MAX);
        open.send(()).unwrap();
        output.finish().unwrap();
        let written: Vec<u8> = pieces.into_iter().flatten().collect();
        assert!(written == expected, "{} bytes", written.len());
    }

    #[test]
    fn a_closed_pipe_ends_output_quietly() {
        let (tell, told) = mpsc::channel();
        let tell = move || tell.send(()).unwrap();
        let stream = Failing(io::ErrorKind::BrokenPipe);
        let mut output = BackgroundWriter::start_with_on_close(stream, tell).unwrap();
        output.write_all(b"nobody reads this").unwrap();
        output.finish().unwrap();
        told.recv().unwrap();
    }

    #[test]
    fn another_error_is_told() {
        let mut output = BackgroundWriter::start(Failing(io::ErrorKind::StorageFull)).unwrap();
        output.write_all(b"this does not fit").unwrap();
        let error = output.finish().unwrap_err();
        assert!(matches!(error, BackgroundWriteError::Write(_)), "{error}");
    }

    #[test]
    fn a_closed_stream_costs_no_memory() {
        let mut output = BackgroundWriter::start(Failing(io::ErrorKind::BrokenPipe)).unwrap();
        output.write_all(b"first").unwrap();
        while output.shared.lock().state != WriteQueueState::Gone {
            std::thread::yield_now();
        }
        output.write_all(&[b'x'; 4096]).unwrap();
        assert!(output.shared.lock().memory.is_empty());
        output.finish().unwrap();
    }

    #[test]
    fn lines_from_beside_break_no_line() {
        let (taken, pieces) = mpsc::channel();
        let mut output = BackgroundWriter::start(Gated { gate: None, taken }).unwrap();
        let mut beside = output.whole_line_writer();
        beside.write_all(b"log 1\n").unwrap();
        output.write_all(b"passed\npass").unwrap();
        beside.write_all(b"log 2\n").unwrap();
        output.write_all(b"ed ag").unwrap();
        beside.write_all(b"log 3\n").unwrap();
        output.write_all(b"ain\nfailed\n").unwrap();
        beside.write_all(b"log 4\n").unwrap();
        output.write_all(b"the end").unwrap();
        beside.write_all(b"log 5\n").unwrap();
        output.finish().unwrap();
        let written: Vec<u8> = pieces.into_iter().flatten().collect();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "log 1\npassed\npassed again\nfailed\nlog 2\nlog 3\nlog 4\nthe endlog 5\n"
        );
        beside.write_all(b"too late").unwrap_err();
    }

    #[test]
    fn what_can_be_kept_nowhere_is_counted() {
        let mut queue = WriteQueue::default();
        queue.push(&[b'a'; MEMORY_BYTES_MAX], 10);
        queue.push(b"12345678", 10);
        queue.push(b"12345678", 10);
        let (mut chunk, mut all) = (Vec::new(), Vec::new());
        loop {
            queue.pop(&mut chunk).unwrap();
            if chunk.is_empty() {
                break;
            }
            all.extend_from_slice(&chunk);
        }
        let rest = String::from_utf8(all.split_off(MEMORY_BYTES_MAX)).unwrap();
        assert_eq!(
            rest,
            "12345678\n[8 bytes of this report were lost: too much is waiting to be written]\n"
        );
    }
}
