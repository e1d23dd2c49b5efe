//! Limits the frame rate: user input is drawn at once, the run's progress a few times per second.

/// Between a key's frame and the frame before it.
pub const INPUT_GAP_US: u64 = 10_000;
/// Between frames that only the run asks for.
pub const DATA_GAP_US: u64 = 33_000;

/// Why a frame is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RedrawCause {
    /// The run went on, or time passed.
    Data,
    /// A person did something.
    Input,
}

/// Decides when the next frame is due. Whatever was asked for last is drawn: a frame is put off,
/// never left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameRateLimiter {
    drawn_us: Option<u64>,
    wanted: Option<RedrawCause>,
}

impl FrameRateLimiter {
    /// Something is to be shown.
    pub fn want(&mut self, cause: RedrawCause) {
        self.wanted = self.wanted.max(Some(cause));
    }

    /// When the next frame is due; `None` when nothing is to be shown.
    pub fn due_us(&self) -> Option<u64> {
        let gap_us = match self.wanted? {
            RedrawCause::Data => DATA_GAP_US,
            RedrawCause::Input => INPUT_GAP_US,
        };
        Some(self.drawn_us.map_or(0, |drawn_us| drawn_us + gap_us))
    }

    /// Everything was drawn.
    pub fn drawn(&mut self, now_us: u64) {
        self.drawn_us = Some(now_us);
        self.wanted = None;
    }
}
