//! A single log: its lines, split into blocks in memory or in the spool.
//!
//! Each block knows how many lines of each stream precede it. Within a block, a line is stored as
//! its flags, timestamp and length, followed by its bytes. The styles in which the first lines
//! start are stored only if one is not the default, which is rare.

use ratatui::style::Style;

use crate::sgr;
use maelstrom_model::event::OutputStream;

use super::line::{LINE_BYTES_MAX, LogLineEnd, StreamFilter};
use super::spool::SpoolExtent;

/// The maximum number of lines in a block, which limits the cost of a read from the spool.
const BLOCK_LINES_MAX: u32 = 256;
/// The size at which a block is closed even if it has fewer lines.
pub(super) const BLOCK_BYTES_MAX: usize = 32 << 10;
/// The size of the header of each line in a block: flags, timestamp and length.
const HEADER_BYTES: usize = 13;

const FLAG_STDERR: u8 = 1;
const FLAG_NEWLINE: u8 = 2;
const FLAG_JOINED: u8 = 4;

#[derive(Debug, Default)]
pub(super) struct StoredLog {
    pub blocks: Vec<LogBlock>,
    /// The text of the open block.
    pub open: Vec<u8>,
    /// The number of lines before the open block, and in it.
    pub before_open: LineCounts,
    pub in_open: LineCounts,
    /// The styles in which the first lines of the open block start, and those in which the next
    /// lines will start.
    styles_open: Option<Box<StreamStyles>>,
    styles_next: Option<Box<StreamStyles>>,
    /// The size of this log's text in memory, including partial lines.
    pub resident_bytes: usize,
    pub partial: Option<Box<[PartialLine; 3]>>,
    pub in_resident_order: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LineCounts {
    stdout: u32,
    stderr: u32,
    joined: u32,
}

impl LineCounts {
    pub(super) fn of(self, streams: StreamFilter) -> usize {
        let (stdout, stderr) = (self.stdout as usize, self.stderr as usize);
        let of_their_own = match streams {
            StreamFilter::Both => stdout + stderr,
            StreamFilter::Stdout => stdout,
            StreamFilter::Stderr => stderr,
        };
        of_their_own + self.joined as usize
    }

    /// Returns whether there are lines of a joined stream.
    pub(super) fn has_joined(self) -> bool {
        self.joined > 0
    }

    fn add(&mut self, stream: OutputStream) {
        match stream {
            OutputStream::Stdout => self.stdout = self.stdout.saturating_add(1),
            OutputStream::Stderr => self.stderr = self.stderr.saturating_add(1),
            OutputStream::Joined => self.joined = self.joined.saturating_add(1),
        }
    }

    pub(super) fn plus(self, other: LineCounts) -> LineCounts {
        LineCounts {
            stdout: self.stdout.saturating_add(other.stdout),
            stderr: self.stderr.saturating_add(other.stderr),
            joined: self.joined.saturating_add(other.joined),
        }
    }
}

/// The style in which the next line of each stream starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct StreamStyles {
    stdout: Style,
    stderr: Style,
    joined: Style,
}

impl StreamStyles {
    /// Updates the style of a stream with the content of a line, and returns the style in which the
    /// line starts.
    fn pass(&mut self, stream: OutputStream, bytes: &[u8]) -> Style {
        let style = self.of(stream);
        let begins = *style;
        *style = sgr::carried(begins, bytes);
        begins
    }

    fn of(&mut self, stream: OutputStream) -> &mut Style {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
            OutputStream::Joined => &mut self.joined,
        }
    }

    fn boxed(self) -> Option<Box<StreamStyles>> {
        (self != StreamStyles::default()).then(|| Box::new(self))
    }
}

fn unboxed(styles: &Option<Box<StreamStyles>>) -> StreamStyles {
    styles.as_deref().copied().unwrap_or_default()
}

#[derive(Debug)]
pub(super) struct LogBlock {
    pub before: LineCounts,
    styles: Option<Box<StreamStyles>>,
    pub place: BlockStorage,
}

impl LogBlock {
    /// Returns the styles in which the first lines of the block start.
    pub(super) fn begins(&self) -> StreamStyles {
        unboxed(&self.styles)
    }
}

#[derive(Debug)]
pub(super) enum BlockStorage {
    Memory(Vec<u8>),
    Spooled(SpoolExtent),
    Lost,
}

/// A line whose end has not arrived yet.
#[derive(Debug, Default)]
pub(super) struct PartialLine {
    at_us: u64,
    bytes: Vec<u8>,
}

impl StoredLog {
    pub(super) fn append(&mut self, stream: OutputStream, mut bytes: &[u8], at_us: u64) {
        while !bytes.is_empty() {
            // Search at most one piece for a newline; otherwise the rest of a huge line would be
            // searched again for each of its pieces.
            let (text, ended) = match bytes.iter().take(LINE_BYTES_MAX).position(|b| *b == b'\n') {
                Some(end) => {
                    let text = &bytes[..end];
                    bytes = &bytes[end + 1..];
                    (text, true)
                }
                None => {
                    let text = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
                    bytes = &bytes[text.len()..];
                    (text, false)
                }
            };
            self.append_piece(stream, text, ended.then_some(LogLineEnd::Newline), at_us);
        }
    }

    /// Adds text without newlines to the unfinished line of the stream. Completes the line if `end`
    /// is given or the line is too long.
    fn append_piece(
        &mut self,
        stream: OutputStream,
        text: &[u8],
        end: Option<LogLineEnd>,
        at_us: u64,
    ) {
        let partials = self.partial.get_or_insert_default();
        let [stdout, stderr, joined] = partials.as_mut();
        let (partial, others) = match stream {
            OutputStream::Stdout => (stdout, [stderr, joined]),
            OutputStream::Stderr => (stderr, [stdout, joined]),
            OutputStream::Joined => (joined, [stdout, stderr]),
        };
        if partial.bytes.is_empty() {
            partial.at_us = at_us;
        }
        let too_long = partial.bytes.len() + text.len() >= LINE_BYTES_MAX;
        let Some(end) = end.or(too_long.then_some(LogLineEnd::Open)) else {
            partial.bytes.extend_from_slice(text);
            self.resident_bytes += text.len();
            return;
        };
        let held = std::mem::take(&mut partial.bytes);
        let at_us = partial.at_us;
        // Most tests are not in the middle of a line, so free the buffers of their logs.
        if others.iter().all(|other| other.bytes.is_empty()) {
            self.partial = None;
        }
        // The text in `held` was counted when it arrived.
        self.resident_bytes += text.len() + HEADER_BYTES;
        let flags = match stream {
            OutputStream::Stdout => 0,
            OutputStream::Stderr => FLAG_STDERR,
            OutputStream::Joined => FLAG_JOINED,
        } | match end {
            LogLineEnd::Newline => FLAG_NEWLINE,
            LogLineEnd::Open => 0,
        };
        // Both parts are shorter than LINE_BYTES_MAX, so their sum fits.
        let len = (held.len() + text.len()) as u32;
        self.open.push(flags);
        self.open.extend_from_slice(&at_us.to_le_bytes());
        self.open.extend_from_slice(&len.to_le_bytes());
        let begin = self.open.len();
        self.open.extend_from_slice(&held);
        self.open.extend_from_slice(text);
        self.in_open.add(stream);
        let line = self.open.get(begin..).unwrap_or_default();
        if memchr::memchr(b'\x1b', line).is_some() {
            let mut styles = unboxed(&self.styles_next);
            styles.pass(stream, line);
            self.styles_next = styles.boxed();
        }
        if self.in_open.of(StreamFilter::Both) >= BLOCK_LINES_MAX as usize
            || self.open.len() >= BLOCK_BYTES_MAX
        {
            self.close_block();
        }
    }

    pub(super) fn close_block(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let mut text = std::mem::take(&mut self.open);
        // The text never grows again, and `resident_bytes` doesn't count spare capacity.
        text.shrink_to_fit();
        self.blocks.push(LogBlock {
            before: self.before_open,
            styles: self.styles_open.take(),
            place: BlockStorage::Memory(text),
        });
        self.styles_open = self.styles_next.clone();
        self.before_open = self.before_open.plus(self.in_open);
        self.in_open = LineCounts::default();
    }

    /// Returns the styles in which the first lines of the open block start.
    pub(super) fn begins_open(&self) -> StreamStyles {
        unboxed(&self.styles_open)
    }

    /// Returns the unfinished lines, the oldest first.
    pub(super) fn partials(&self, streams: StreamFilter) -> impl Iterator<Item = LogLineRef<'_>> {
        let mut lines = [None; 3];
        let mut styles = unboxed(&self.styles_next);
        if let Some(partials) = &self.partial {
            let [stdout, stderr, joined] = partials.as_ref();
            let each = [
                (OutputStream::Stdout, stdout),
                (OutputStream::Stderr, stderr),
                (OutputStream::Joined, joined),
            ];
            lines = each.map(|(stream, partial)| {
                (!partial.bytes.is_empty() && streams.contains(stream)).then_some(LogLineRef {
                    stream,
                    at_us: partial.at_us,
                    bytes: &partial.bytes,
                    begins: *styles.of(stream),
                    end: LogLineEnd::Open,
                })
            });
            lines.sort_by_key(|line| line.map(|line| line.at_us));
        }
        lines.into_iter().flatten()
    }
}

/// A line as passed to the callback of [`for_each_line`](super::LogStore::for_each_line).
#[derive(Clone, Copy, Debug)]
pub struct LogLineRef<'a> {
    /// The stream that the line was written to.
    pub stream: OutputStream,
    /// When the first byte arrived, in microseconds since the start of the run.
    pub at_us: u64,
    /// The content of the line, without the newline.
    pub bytes: &'a [u8],
    /// The style in which the line starts.
    pub begins: Style,
    pub end: LogLineEnd,
}

impl LogLineRef<'_> {
    pub(super) const LOST: LogLineRef<'static> = LogLineRef {
        stream: OutputStream::Stderr,
        at_us: 0,
        bytes: b"[a line of output was lost: it could not be written to the spool]",
        begins: Style::new(),
        end: LogLineEnd::Newline,
    };
}

/// An iterator over the lines of a block's text. If the text is corrupt, it ends early instead of
/// panicking.
pub(super) struct BlockLines<'a> {
    text: &'a [u8],
    styles: StreamStyles,
}

impl<'a> BlockLines<'a> {
    /// Creates an iterator. `styles` are the styles in which the first lines of the block start.
    pub(super) fn new(text: &'a [u8], styles: StreamStyles) -> Self {
        BlockLines { text, styles }
    }
}

impl<'a> Iterator for BlockLines<'a> {
    type Item = LogLineRef<'a>;

    fn next(&mut self) -> Option<LogLineRef<'a>> {
        let (flags, rest) = self.text.split_first()?;
        let (at_us, rest) = rest.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.text = rest;
        let stream = match flags & (FLAG_STDERR | FLAG_JOINED) {
            0 => OutputStream::Stdout,
            FLAG_STDERR => OutputStream::Stderr,
            _ => OutputStream::Joined,
        };
        Some(LogLineRef {
            stream,
            at_us: u64::from_le_bytes(*at_us),
            bytes,
            begins: self.styles.pass(stream, bytes),
            end: match flags & FLAG_NEWLINE {
                0 => LogLineEnd::Open,
                _ => LogLineEnd::Newline,
            },
        })
    }
}
