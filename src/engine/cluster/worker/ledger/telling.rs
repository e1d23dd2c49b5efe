//! What of one lease the broker is told next.

use prost::Message;

use super::{End, Fence, Held, InLine, Ledger, REPORT_BYTES, Stage, Told, Wish, failure};
use crate::output_log::{Cursor, OutputError};
use maelstrom_container::message::Discarded;
use maelstrom_wire::{to_proto, v1};

impl<T: Clone> Ledger<T> {
    /// What a job that is about to be over wrote in vain.
    pub fn discarded(&mut self, fence: Fence, files: Discarded) {
        if let Some(held) = self.leases.get_mut(&fence)
            && let Stage::Running { .. } = held.stage
        {
            held.discarded = files;
        }
    }

    /// What to tell next: about so many bytes, each lease in its turn.
    pub fn next_reports(&mut self, bytes_max: usize) -> Vec<v1::Report> {
        let mut reports = Vec::new();
        let mut bytes = 0;
        while bytes < bytes_max
            && let Some(fence) = self.untold.pop_front()
        {
            let Some(held) = self.leases.get_mut(&fence) else {
                continue;
            };
            held.line = InLine::No;
            if let Some((kind, length)) = held.next_report() {
                bytes += REPORT_BYTES + length;
                let kind = Some(kind);
                reports.push(v1::Report {
                    fence: fence.0,
                    kind,
                });
            }
            self.line_up(fence);
        }
        self.ends_untold &= !self.untold.is_empty();
        reports
    }
}

impl<T> Held<T> {
    pub(super) fn slot(&self) -> Option<u32> {
        match &self.stage {
            Stage::Waiting(_) => None,
            Stage::Running { slot, .. } | Stage::Over { slot, .. } => *slot,
        }
    }

    pub(super) fn has_untold(&self) -> bool {
        let is_over = matches!(self.stage, Stage::Over { .. });
        match self.told {
            Told::Nothing => is_over || self.slot().is_some(),
            Told::Started(cursor) => is_over || self.output.has_more(cursor),
            Told::End => false,
        }
    }

    pub(super) fn has_untold_end(&self) -> bool {
        matches!(self.stage, Stage::Over { .. }) && self.told != Told::End
    }

    /// The next thing to tell, and how long it is.
    fn next_report(&mut self) -> Option<(v1::report::Kind, usize)> {
        match (self.told, self.slot()) {
            (Told::End, _) => None,
            (Told::Nothing, Some(slot)) => {
                self.told = Told::Started(Cursor::default());
                Some((v1::report::Kind::Started(slot), 0))
            }
            (Told::Nothing, None) => self.end_report(),
            (Told::Started(mut cursor), _) => {
                let read = self.output.read(&mut cursor);
                match read {
                    Ok(Some(chunk)) => {
                        self.told = Told::Started(cursor);
                        let length = chunk.bytes.len();
                        let written = v1::Written {
                            stream: to_proto::stream(chunk.stream).into(),
                            data: chunk.bytes.into(),
                            index: chunk.index,
                        };
                        Some((v1::report::Kind::Written(written), length))
                    }
                    Ok(None) => self.end_report(),
                    Err(error) => {
                        self.lose_output(&error);
                        self.end_report()
                    }
                }
            }
        }
    }

    /// What it wrote can't be read any more: that is how the lease ends.
    fn lose_output(&mut self, error: &OutputError) {
        let reason = maelstrom_model::error::with_causes(error);
        self.told = Told::Started(self.output.end());
        match &mut self.stage {
            Stage::Waiting(_) => {}
            Stage::Running { wish, .. } => *wish = Wish::Fail(reason),
            Stage::Over { end, .. } => *end = failure(&reason),
        }
    }

    fn end_report(&mut self) -> Option<(v1::report::Kind, usize)> {
        let Stage::Over { end, .. } = &self.stage else {
            return None;
        };
        self.told = Told::End;
        Some(match end {
            End::Finished(result) => {
                let result = to_proto::result(result, &self.discarded);
                let length = result.encoded_len();
                (v1::report::Kind::Finished(result), length)
            }
            End::Returned => (v1::report::Kind::Returned(v1::Empty {}), 0),
        })
    }
}
