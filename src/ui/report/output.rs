//! A writer that never blocks its caller: its own thread writes to the stream.
//!
//! What the stream does not accept at once stays in memory up to [`MEMORY_BYTES_MAX`]; beyond that
//! it goes to an unlinked temporary file, until the stream has caught up. So a slow pipe delays no
//! test, and a stopped pager takes disk space, not memory.
//!
//! If the stream was closed at the other end (`EPIPE`), output ends silently, as the user intended.
//! [`BackgroundWriter::finish`] returns any other error of the stream, once. Order is preserved:
//! the queue is memory first, then the file, and nothing goes to memory while the file holds
//! anything.
//!
//! A [`WholeLineWriter`] adds other text to the same stream, such as a log: its lines are written
//! whole, between whole lines.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::spill::SpillFile;

/// Memory for text that the stream has not taken yet.
const MEMORY_BYTES_MAX: usize = 1 << 20;
/// Disk for text that the stream has not taken yet, however much has gone through. Beyond it text
/// is dropped, and says so.
const SPILL_BYTES_MAX: u64 = 8 << 30;
/// Lines of others that wait for the end of a begun one, which comes in a moment.
const BESIDE_BYTES_MAX: usize = 1 << 20;
/// How much is handed to the stream at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Why output could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundWriteError {
    /// The thread that writes could not be started.
    #[error("cannot start the thread that writes the output")]
    Thread(#[source] io::Error),
    /// The stream refused it.
    #[error("cannot write the output")]
    Write(#[source] io::Error),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct BackgroundWriter {
    shared: Arc<SharedWriteQueue>,
    thread: JoinHandle<Result<(), io::Error>>,
}

/// Takes whole lines for the same stream, and fails as soon as nobody writes there any more.
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

/// What was queued last.
#[derive(Debug, Default)]
enum QueuedLine {
    /// The end of a line, or nothing.
    #[default]
    Whole,
    /// A part of one, after whose end these lines come.
    Begun(Vec<u8>),
}

#[derive(Debug, Default, PartialEq, Eq)]
enum WriteQueueState {
    #[default]
    Open,
    /// Nothing more comes; what is queued is still written.
    Finishing,
    /// The stream takes nothing any more.
    Gone,
}

/// Text that could be kept nowhere.
#[derive(Debug, Default)]
struct DroppedText {
    bytes: u64,
    reason: String,
}

impl BackgroundWriter {
    /// Starts writing to a stream.
    pub fn start(
        stream: impl Write + Send + 'static,
    ) -> Result<BackgroundWriter, BackgroundWriteError> {
        BackgroundWriter::start_with_on_close(stream, || {})
    }

    /// The same, and `gone` is called when the other end of the stream was closed before everything
    /// was written.
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
                // First, so that nobody queues for a stream that is written to no more.
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

    /// Something for other lines.
    pub fn whole_line_writer(&self) -> WholeLineWriter {
        WholeLineWriter {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Waits until the stream has taken everything.
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
        // Every change of the queue is whole, so it is usable even after a panic.
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
        // Before what begins now, whose end may take its time.
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
        // The line has no end that these could wait for.
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

    /// Moves the next piece of the queue to `chunk`; leaves it empty when the queue is.
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
        // Only here: all that is queued came before what was lost.
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

/// The thread: hands the queue to the stream, piece by piece, without holding the lock meanwhile.
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
                // Before the lock goes: what comes from beside now must not wait for nobody.
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

    /// A stream that takes nothing before it is let.
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
