//! Pending reports of leases to the broker.

use prost::Message;

use super::entry::{
    EndDisposition, LeaseEnd, LeaseEntry, LeaseStage, ReportProgress, ReportQueueState, failure,
};
use super::{LeaseTable, LeaseToken};
use crate::output_log::{OutputCursor, OutputLogError};
use maelstrom_container::message::DiscardedFiles;
use maelstrom_wire::{to_proto, v1};

/// The approximate size of a report without its data, in bytes.
const REPORT_BYTES: usize = 64;

impl<T: Clone> LeaseTable<T> {
    /// Records the discarded files of a job that is about to end.
    pub fn discarded(&mut self, fence: LeaseToken, files: DiscardedFiles) {
        if let Some(held) = self.leases.get_mut(&fence)
            && let LeaseStage::Running { .. } = held.stage
        {
            held.discarded = files;
        }
    }

    /// Returns the next reports, of about this total size, round-robin over the leases.
    pub fn next_reports(&mut self, bytes_max: usize) -> Vec<v1::Report> {
        let mut reports = Vec::new();
        let mut bytes = 0;
        while bytes < bytes_max
            && let Some(fence) = self.untold.pop_front()
        {
            let Some(held) = self.leases.get_mut(&fence) else {
                continue;
            };
            held.line = ReportQueueState::No;
            if let Some((kind, length)) = held.next_report() {
                bytes += REPORT_BYTES + length;
                let kind = Some(kind);
                reports.push(v1::Report {
                    fence: fence.0,
                    kind,
                });
            }
            // The lease goes to the end of the queue, so that a job with endless output does not
            // starve others.
            self.enqueue_report(fence);
        }
        self.ends_untold &= !self.untold.is_empty();
        reports
    }
}

impl<T> LeaseEntry<T> {
    pub(super) fn slot(&self) -> Option<u32> {
        match &self.stage {
            LeaseStage::Waiting { .. } => None,
            LeaseStage::Running { slot, .. } | LeaseStage::Over { slot, .. } => *slot,
        }
    }

    pub(super) fn has_unreported(&self) -> bool {
        let is_over = matches!(self.stage, LeaseStage::Over { .. });
        match self.told {
            ReportProgress::Nothing => is_over || self.slot().is_some(),
            ReportProgress::Started(cursor) => is_over || self.output.has_more(cursor),
            ReportProgress::End => false,
        }
    }

    pub(super) fn has_unreported_end(&self) -> bool {
        matches!(self.stage, LeaseStage::Over { .. }) && self.told != ReportProgress::End
    }

    /// Returns the next report of a lease, and its size.
    fn next_report(&mut self) -> Option<(v1::report::Kind, usize)> {
        match (self.told, self.slot()) {
            (ReportProgress::End, _) => None,
            (ReportProgress::Nothing, Some(slot)) => {
                self.told = ReportProgress::Started(OutputCursor::default());
                Some((v1::report::Kind::Started(slot), 0))
            }
            (ReportProgress::Nothing, None) => self.end_report(),
            (ReportProgress::Started(mut cursor), _) => {
                let read = self.output.read(&mut cursor);
                match read {
                    Ok(Some(chunk)) => {
                        self.told = ReportProgress::Started(cursor);
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

    /// Ends a lease whose output cannot be read any more.
    fn lose_output(&mut self, error: &OutputLogError) {
        let reason = maelstrom_model::error::with_causes(error);
        self.told = ReportProgress::Started(self.output.end());
        match &mut self.stage {
            LeaseStage::Waiting { .. } => {}
            LeaseStage::Running { wish, .. } => *wish = EndDisposition::Fail(reason),
            LeaseStage::Over { end, .. } => *end = failure(&reason),
        }
    }

    fn end_report(&mut self) -> Option<(v1::report::Kind, usize)> {
        let LeaseStage::Over { end, .. } = &self.stage else {
            return None;
        };
        self.told = ReportProgress::End;
        Some(match end {
            LeaseEnd::Finished(result) => {
                let result = to_proto::result(result, &self.discarded);
                let length = result.encoded_len();
                (v1::report::Kind::Finished(result), length)
            }
            LeaseEnd::Returned => (v1::report::Kind::Returned(v1::Empty {}), 0),
        })
    }
}
