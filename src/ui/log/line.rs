//! Lines of a log as readers get them, and filters for them.

use ratatui::style::Style;

use maelstrom_model::event::OutputStream;

/// A longer line is shown in pieces, so that a window's cost stays bounded.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// Which lines of a log. Where both streams are one, all its lines are of either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StreamFilter {
    /// Standard output and standard error, in the order in which lines were completed.
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

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLineEnd {
    /// With a newline, which is not part of its bytes.
    Newline,
    /// It goes on: in the next line of its stream, or not yet.
    Open,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was written to.
    pub stream: OutputStream,
    /// When its first byte came, microseconds since the run began.
    pub at_us: u64,
    /// Its bytes, without the newline.
    pub bytes: Vec<u8>,
    /// The style in which it begins: the one in which the line before it in its stream ended.
    pub begins: Style,
    pub end: LogLineEnd,
}
