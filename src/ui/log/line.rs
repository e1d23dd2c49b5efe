//! The lines of a log, and the filter by stream.

use ratatui::style::Style;

use maelstrom_model::event::OutputStream;

/// The maximum length of a line, in bytes. A longer line is split, so that the cost of reading a
/// range of lines is limited.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// Which lines of a log to read. The lines of a joined stream match all filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StreamFilter {
    /// Lines of stdout and stderr, in the order in which they were completed.
    #[default]
    Both,
    Stdout,
    Stderr,
}

impl StreamFilter {
    pub(super) fn contains(self, stream: OutputStream) -> bool {
        match self {
            StreamFilter::Both => true,
            StreamFilter::Stdout => stream != OutputStream::Stderr,
            StreamFilter::Stderr => stream != OutputStream::Stdout,
        }
    }
}

/// Whether a line is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLineEnd {
    /// The line ends with a newline, which is not part of its bytes.
    Newline,
    /// The line continues in the next line of its stream, or is not finished yet.
    Open,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The stream that the line was written to.
    pub stream: OutputStream,
    /// When the first byte arrived, in microseconds since the start of the run.
    pub at_us: u64,
    /// The content of the line, without the newline.
    pub bytes: Vec<u8>,
    /// The style in which the line starts, which is the one in which the previous line of its
    /// stream ended.
    pub begins: Style,
    pub end: LogLineEnd,
}
