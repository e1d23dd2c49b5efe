//! Limits the frame rate: input is drawn almost at once, and progress about 30 times per second.

/// The minimum time between two frames if the second shows user input, in microseconds.
pub const INPUT_GAP_US: u64 = 10_000;
/// The minimum time between two frames if the second only shows progress, in microseconds.
pub const DATA_GAP_US: u64 = 33_000;

/// The reason for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RedrawCause {
    /// An event of the run, or a change of the displayed time.
    Data,
    /// User input.
    Input,
}

/// Decides when the next frame is due. A frame may be delayed but is never dropped, so the latest
/// state is always drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameRateLimiter {
    drawn_us: Option<u64>,
    wanted: Option<RedrawCause>,
}

impl FrameRateLimiter {
    /// Requests a frame.
    pub fn want(&mut self, cause: RedrawCause) {
        self.wanted = self.wanted.max(Some(cause));
    }

    /// Returns when the next frame is due; `None` if none is requested.
    pub fn due_us(&self) -> Option<u64> {
        let gap_us = match self.wanted? {
            RedrawCause::Data => DATA_GAP_US,
            RedrawCause::Input => INPUT_GAP_US,
        };
        Some(self.drawn_us.map_or(0, |drawn_us| drawn_us + gap_us))
    }

    /// Records that a frame with the current state was drawn.
    pub fn drawn(&mut self, now_us: u64) {
        self.drawn_us = Some(now_us);
        self.wanted = None;
    }
}
