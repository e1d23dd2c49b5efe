//! The log store: the output of tests, by test and attempt, read by lines.
//!
//! The store owns all output of a run. A log is a sequence of lines in the order in which they were
//! completed, each with its stream and the timestamp of its first byte, split into blocks of at
//! most a few hundred lines. A block knows how many lines of either stream precede it, so any
//! window of any log is found by binary search and costs no more than the window.
//!
//! Memory is bounded: a log keeps [`LOG_RESIDENT_BYTES_MAX`] and all logs together
//! [`RESIDENT_BYTES_MAX`]; the rest goes to an unlinked spool file. If the spool cannot be written,
//! the block's text is dropped, its lines say so, and [`LogStore::loss`] returns the reason; a run
//! never fails because of it.
//!
//! Colors extend across lines. Since a window does not include the lines above it, each line comes
//! with the style in which it starts; a block stores those of its first lines.
//!
//! Other escape sequences, wrapping and widths are not interpreted. Bytes come out unchanged; only
//! a line longer than [`LINE_BYTES_MAX`] is split.

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

/// Memory for all logs together. Beyond it the oldest go to the spool.
pub const RESIDENT_BYTES_MAX: usize = 24 << 20;
/// Memory for one log. Most tests write far less, so most logs never see the spool.
pub const LOG_RESIDENT_BYTES_MAX: usize = 256 << 10;
/// Disk for all logs together: enough for days of output, too little to fill a disk by surprise.
pub const SPOOL_BYTES_MAX: u64 = 8 << 30;
/// Output that could not be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLoss {
    /// How much of it.
    pub bytes: u64,
    /// Why, from the first time.
    pub reason: String,
}

/// Names a log.
pub type LogKey = (TestId, Attempt);

/// The log of the build: no test has this id.
pub const BUILD_LOG: LogKey = (TestId(u32::MAX), Attempt(0));

/// The output of all tests. See the module's documentation.
#[derive(Debug)]
pub struct LogStore {
    logs: HashMap<LogKey, StoredLog>,
    /// Logs with text in memory, in the order in which they began: the order of spooling.
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
    /// An empty store with the module's limits.
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

    /// Adds what a test wrote, as it came: `bytes` may end in the middle of a line.
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
            // Its open block goes, too: with one for each log, memory would have no bound.
            self.spool_out(oldest, BlockClosing::Close);
        }
    }

    /// How many lines a log has, one that is not ended included.
    pub fn line_count(&self, key: LogKey, streams: StreamFilter) -> usize {
        self.logs.get(&key).map_or(0, |log| {
            log.before_open.plus(log.in_open).of(streams) + log.partials(streams).count()
        })
    }

    /// Whether both streams of it are one.
    pub fn is_joined(&self, key: LogKey) -> bool {
        let log = self.logs.get(&key);
        log.is_some_and(|log| log.before_open.plus(log.in_open).has_joined())
    }

    /// Whether anything was written.
    pub fn is_empty(&self, key: LogKey) -> bool {
        self.line_count(key, StreamFilter::Both) == 0
    }

    /// The lines numbered `range` (from 0) of a log. Lines that are not there are left out.
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

    /// Shows the lines numbered `range` (from 0) to `visit`, without copying each.
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
            // The block that holds line `next`: the last one with no more lines before it.
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
            // A text with fewer lines than its block says must not be read for ever.
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

    /// Writes a whole log, byte for byte, its lines in the order of [`LogStore::lines`].
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

    /// A whole log. For logs of unknown size [`LogStore::write_to`] is the better way.
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

    /// Forgets a log and gives its space back.
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

    /// Forgets all logs but these.
    pub fn retain(&mut self, keep: impl Fn(LogKey) -> bool) {
        // Without an order to search, a removal takes no time.
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

    /// What could not be kept, if anything.
    pub fn loss(&self) -> Option<&LogLoss> {
        self.loss.as_ref()
    }

    /// Output in memory at present.
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
                    // What the tests wrote, without the headers of lines.
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

/// Whether spooling takes the open block as well.
enum BlockClosing {
    KeepOpen,
    Close,
}

#[cfg(test)]
mod tests;
