//! The log store: the captured output of all tests and of the build, by attempt, split into lines.
//!
//! A log is a sequence of lines in the order in which they were completed, each with its stream and
//! the timestamp of its first byte, split into blocks of at most a few hundred lines. A block knows
//! how many lines of each stream precede it, so a binary search finds any range of lines, and the
//! cost of reading it doesn't depend on the size of the log.
//!
//! Memory is limited: each log keeps up to [`LOG_RESIDENT_BYTES_MAX`] and all logs together up to
//! [`RESIDENT_BYTES_MAX`]; the rest goes to an unlinked spool file. If the spool file can't be
//! written, the text of the block is dropped, a notice takes the place of its lines, and
//! [`LogStore::loss`] returns the reason. A run never fails because of this.
//!
//! Colors extend across lines. Since a range doesn't include the lines above it, each line comes
//! with the style in which it starts; a block stores the styles of its first lines.
//!
//! Other escape sequences, wrapping and widths are not interpreted. Bytes are returned unchanged;
//! only a line longer than [`LINE_BYTES_MAX`] is split.

mod block;
mod line;
mod spool;

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::ops::Range;

use maelstrom_model::event::OutputStream;
use maelstrom_model::ids::{Attempt, TestId};

pub use block::LogLineRef;
pub use line::{LINE_BYTES_MAX, LogLine, LogLineEnd, StreamFilter};

use block::{BlockLines, BlockStorage, StoredLog, StreamStyles};
use spool::LogSpool;

/// The memory for all logs together, in bytes. Beyond it, the oldest logs go to the spool.
pub const RESIDENT_BYTES_MAX: usize = 24 << 20;
/// The memory for one log, in bytes. Most tests write far less, so most logs are never spooled.
pub const LOG_RESIDENT_BYTES_MAX: usize = 256 << 10;
/// The disk space for all logs together, in bytes: enough for days of output, but too little to
/// fill most disks unexpectedly.
pub const SPOOL_BYTES_MAX: u64 = 8 << 30;
/// Output that could not be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLoss {
    /// The number of bytes lost.
    pub bytes: u64,
    /// The reason for the first loss.
    pub reason: String,
}

/// The key of a log: a test and an attempt.
pub type LogKey = (TestId, Attempt);

/// The key of the log of the build. No test has this id.
pub const BUILD_LOG: LogKey = (TestId(u32::MAX), Attempt(0));

/// The captured output of all tests. See the [module](self) documentation.
#[derive(Debug)]
pub struct LogStore {
    logs: HashMap<LogKey, StoredLog>,
    /// The logs with text in memory, in the order in which they are spooled: the oldest first.
    resident_order: VecDeque<LogKey>,
    resident_bytes: usize,
    spool: LogSpool,
    loss: Option<LogLoss>,
    resident_bytes_max: usize,
}

impl Default for LogStore {
    fn default() -> Self {
        LogStore::new()
    }
}

impl LogStore {
    /// Creates an empty store with the default limits.
    pub fn new() -> Self {
        LogStore::with(LogSpool::new(SPOOL_BYTES_MAX), RESIDENT_BYTES_MAX)
    }

    fn with(spool: LogSpool, resident_bytes_max: usize) -> Self {
        LogStore {
            logs: HashMap::new(),
            resident_order: VecDeque::new(),
            resident_bytes: 0,
            spool,
            loss: None,
            resident_bytes_max,
        }
    }

    /// Appends a piece of output to a log. `bytes` may end in the middle of a line.
    pub fn append(&mut self, key: LogKey, stream: OutputStream, bytes: &[u8], at_us: u64) {
        let log = self.logs.entry(key).or_default();
        let before = log.resident_bytes;
        log.append(stream, bytes, at_us);
        if !log.in_resident_order {
            log.in_resident_order = true;
            self.resident_order.push_back(key);
        }
        self.resident_bytes += log.resident_bytes.saturating_sub(before);
        if log.resident_bytes > LOG_RESIDENT_BYTES_MAX {
            self.spool_out(key, BlockClosing::KeepOpen);
        }
        while self.resident_bytes > self.resident_bytes_max {
            let Some(oldest) = self.resident_order.pop_front() else {
                break;
            };
            if let Some(log) = self.logs.get_mut(&oldest) {
                log.in_resident_order = false;
            }
            // The open block is spooled too: with one for each log, memory would have no bound.
            self.spool_out(oldest, BlockClosing::Close);
        }
    }

    /// Returns the number of lines in a log, including unfinished ones.
    pub fn line_count(&self, key: LogKey, streams: StreamFilter) -> usize {
        self.logs.get(&key).map_or(0, |log| {
            log.before_open.plus(log.in_open).of(streams) + log.partials(streams).count()
        })
    }

    /// Returns whether stdout and stderr of a log are a single stream.
    pub fn is_joined(&self, key: LogKey) -> bool {
        let log = self.logs.get(&key);
        log.is_some_and(|log| log.before_open.plus(log.in_open).has_joined())
    }

    /// Returns whether a log has no lines.
    pub fn is_empty(&self, key: LogKey) -> bool {
        self.line_count(key, StreamFilter::Both) == 0
    }

    /// Returns the lines of a log in `range`, counted from 0. Omits lines that don't exist.
    pub fn lines(&self, key: LogKey, streams: StreamFilter, range: Range<usize>) -> Vec<LogLine> {
        let mut lines = Vec::with_capacity(range.len().min(self.line_count(key, streams)));
        self.for_each_line(key, streams, range, |line| {
            lines.push(LogLine {
                stream: line.stream,
                at_us: line.at_us,
                bytes: line.bytes.to_vec(),
                begins: line.begins,
                end: line.end,
            });
        });
        lines
    }

    /// Calls `visit` with each line in `range`, counted from 0, without copying the lines.
    pub fn for_each_line(
        &self,
        key: LogKey,
        streams: StreamFilter,
        range: Range<usize>,
        mut visit: impl FnMut(LogLineRef<'_>),
    ) {
        let Some(log) = self.logs.get(&key) else {
            return;
        };
        let mut next = range.start;
        let mut buffer = Vec::new();
        while next < range.end {
            // The block with line `next` is the last one with at most `next` lines before it.
            let block = log
                .blocks
                .partition_point(|block| block.before.of(streams) <= next);
            let in_closed = next < log.before_open.of(streams);
            let (before, styles, text) = match block.checked_sub(1).and_then(|i| log.blocks.get(i))
            {
                Some(found) if in_closed => match &found.place {
                    BlockStorage::Memory(text) => {
                        (found.before, found.begins(), Some(text.as_slice()))
                    }
                    BlockStorage::Spooled(extent) => match self.spool.read(*extent, &mut buffer) {
                        Ok(()) => (found.before, found.begins(), Some(buffer.as_slice())),
                        Err(_) => (found.before, StreamStyles::default(), None),
                    },
                    BlockStorage::Lost => (found.before, StreamStyles::default(), None),
                },
                _ => (
                    log.before_open,
                    log.begins_open(),
                    Some(log.open.as_slice()),
                ),
            };
            let mut number = before.of(streams);
            match text {
                Some(text) => {
                    for line in
                        BlockLines::new(text, styles).filter(|line| streams.contains(line.stream))
                    {
                        if (next..range.end).contains(&number) {
                            visit(line);
                        }
                        number += 1;
                    }
                }
                None => {
                    let after = log
                        .blocks
                        .get(block)
                        .map_or(log.before_open, |following| following.before)
                        .of(streams);
                    for _ in next.max(number)..after.min(range.end) {
                        visit(LogLineRef::LOST);
                    }
                    number = after;
                }
            }
            // If a text has fewer lines than its block claims, stop, so that this loop ends.
            if !in_closed || number <= next {
                next = next.max(number);
                break;
            }
            next = number;
        }
        for (number, line) in
            (log.before_open.plus(log.in_open).of(streams)..).zip(log.partials(streams))
        {
            if (next.max(range.start)..range.end).contains(&number) {
                visit(line);
            }
        }
    }

    /// Writes a whole log, byte for byte, in the order of [`LogStore::lines`].
    pub fn write_to(
        &self,
        key: LogKey,
        streams: StreamFilter,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut result = Ok(());
        self.for_each_line(key, streams, 0..usize::MAX, |line| {
            if result.is_ok() {
                result = out.write_all(line.bytes);
                if result.is_ok() && line.end == LogLineEnd::Newline {
                    result = out.write_all(b"\n");
                }
            }
        });
        result
    }

    /// Returns a whole log. Use [`LogStore::write_to`] for logs of unknown size.
    pub fn content(&self, key: LogKey, streams: StreamFilter) -> Vec<u8> {
        let mut content = Vec::new();
        self.for_each_line(key, streams, 0..usize::MAX, |line| {
            content.extend_from_slice(line.bytes);
            if line.end == LogLineEnd::Newline {
                content.push(b'\n');
            }
        });
        content
    }

    /// Removes a log and frees its space.
    pub fn remove(&mut self, key: LogKey) {
        let Some(log) = self.logs.remove(&key) else {
            return;
        };
        self.resident_bytes = self.resident_bytes.saturating_sub(log.resident_bytes);
        if log.in_resident_order {
            self.resident_order.retain(|other| *other != key);
        }
        for block in log.blocks {
            if let BlockStorage::Spooled(extent) = block.place {
                self.spool.release(extent);
            }
        }
    }

    /// Removes all logs except those for which `keep` returns true.
    pub fn retain(&mut self, keep: impl Fn(LogKey) -> bool) {
        // Take the order out and filter it once, so that each removal needn't search it.
        let mut order = std::mem::take(&mut self.resident_order);
        order.retain(|key| keep(*key));
        let others: Vec<LogKey> = self
            .logs
            .keys()
            .copied()
            .filter(|key| !keep(*key))
            .collect();
        for key in others {
            self.remove(key);
        }
        self.resident_order = order;
    }

    /// Returns the output that could not be stored, if any.
    pub fn loss(&self) -> Option<&LogLoss> {
        self.loss.as_ref()
    }

    /// Returns the size of the output in memory, in bytes.
    pub fn resident_bytes(&self) -> usize {
        self.resident_bytes
    }

    fn spool_out(&mut self, key: LogKey, closing: BlockClosing) {
        let Some(log) = self.logs.get_mut(&key) else {
            return;
        };
        match closing {
            BlockClosing::Close => log.close_block(),
            BlockClosing::KeepOpen => {}
        }
        for block in &mut log.blocks {
            let BlockStorage::Memory(text) = &block.place else {
                continue;
            };
            let len = text.len();
            block.place = match self.spool.write(text) {
                Ok(extent) => BlockStorage::Spooled(extent),
                Err(error) => {
                    let loss = self.loss.get_or_insert_with(|| LogLoss {
                        bytes: 0,
                        reason: error.to_string(),
                    });
                    // Counts the output of the tests, without the headers of lines.
                    loss.bytes += BlockLines::new(text, StreamStyles::default())
                        .map(|line| line.bytes.len() as u64)
                        .sum::<u64>();
                    BlockStorage::Lost
                }
            };
            log.resident_bytes = log.resident_bytes.saturating_sub(len);
            self.resident_bytes = self.resident_bytes.saturating_sub(len);
        }
    }
}

/// Whether spooling includes the open block.
enum BlockClosing {
    KeepOpen,
    Close,
}

#[cfg(test)]
mod tests;
