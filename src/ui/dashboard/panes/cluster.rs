//! The cluster pane: broker, queue, cache, transfers, and all runs on the cluster. It has no
//! selection.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::model::{InputTransfer, RunModel};
use maelstrom_model::event::{BackendInfo, ClusterSample};

use super::super::context::{Context, ViewContext};
use super::super::text;
use super::super::theme::StyleRole;
use super::super::widgets::bars::bar_text;
use super::super::widgets::frame::frame;
use super::super::widgets::row::{RowLine, list};
use super::pane::DashboardPane;
use super::test_line::worker_name;

const NAME_COLUMNS: usize = 30;
const TRANSFER_BAR_COLUMNS: usize = 16;

/// The cluster pane. See the [module](self) documentation.
#[derive(Debug, Default)]
pub(in super::super) struct ClusterPane;

impl DashboardPane for ClusterPane {
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
        let model = ctx.model();
        let inside = frame(ctx, "Cluster", "", area, buf);
        let mut lines = ClusterLines {
            ctx,
            lines: Vec::new(),
            area: inside,
        };
        lines.add_backend(model);
        if let Some(sample) = &model.cluster {
            lines.add_sample(sample, model);
        }
        lines.add_transfers(model);
        list(lines.lines.into_iter(), None, Style::new(), inside, buf);
    }

    fn move_by(&mut self, _: isize, _: &mut Context<'_>) {}
}

/// The lines of the pane, limited to those that fit.
struct ClusterLines<'c, 'a> {
    ctx: &'c ViewContext<'a>,
    lines: Vec<Line<'a>>,
    area: Rect,
}

impl<'a> ClusterLines<'_, 'a> {
    fn has_room(&self) -> bool {
        self.lines.len() < usize::from(self.area.height)
    }

    fn add(&mut self, text: String, role: StyleRole) {
        if self.has_room() {
            let mut row = RowLine::new(self.area.width);
            row.skip(1).left(text, self.ctx.style(role));
            self.lines.push(row.into_line());
        }
    }

    fn add_blank(&mut self) {
        self.add(String::new(), StyleRole::Text);
    }

    fn add_backend(&mut self, model: &RunModel) {
        match model.run.as_ref().map(|run| &run.backend) {
            None => self.add("the run has not begun".to_owned(), StyleRole::Dim),
            Some(BackendInfo::Local) => {
                let text = "There is no broker: the tests run on this machine.";
                self.add(text.to_owned(), StyleRole::Text);
            }
            Some(BackendInfo::Broker { address }) => {
                self.add(format!("broker {address}"), StyleRole::Title);
            }
        }
    }

    fn add_sample(&mut self, sample: &ClusterSample, model: &RunModel) {
        self.add_blank();
        let text = format!(
            "all runs    {} queued, {} running on {} slots",
            text::grouped(sample.queued),
            text::grouped(sample.running),
            text::grouped(sample.slots)
        );
        self.add(text, StyleRole::Text);
        let asked = sample.cache_hits.saturating_add(sample.cache_misses);
        let percent = (sample.cache_hits * 100).checked_div(asked).unwrap_or(0);
        let text = format!(
            "cache       {} hits, {} misses ({percent}%)",
            text::grouped(sample.cache_hits),
            text::grouped(sample.cache_misses)
        );
        self.add(text, StyleRole::Text);
        let text = format!("store       {}", text::size(sample.store_bytes));
        self.add(text, StyleRole::Text);
        self.add_blank();
        let text = format!(
            "{:<NAME_COLUMNS$} {:>6} {:>9} {:>9}",
            "runs", "run", "queued", "running"
        );
        self.add(text, StyleRole::Dim);
        let own = model.run.as_ref().map(|run| run.run);
        for client in &sample.clients {
            let mine = if Some(client.run) == own {
                " (this one)"
            } else {
                ""
            };
            let name = text::keep_start(&client.name, NAME_COLUMNS, self.ctx.glyphs.more());
            let text = format!(
                "{name:<NAME_COLUMNS$} {:>6} {:>9} {:>9}{mine}",
                client.run.short(),
                text::grouped(client.queued),
                text::grouped(client.running)
            );
            self.add(text, StyleRole::Text);
        }
    }

    fn add_transfers(&mut self, model: &'a RunModel) {
        let transfers: Vec<&InputTransfer> = model.transfers.iter().collect();
        if transfers.is_empty() {
            return;
        }
        self.add_blank();
        self.add("transfers".to_owned(), StyleRole::Dim);
        for transfer in transfers.into_iter().rev() {
            if !self.has_room() {
                break;
            }
            let to = match transfer.worker {
                Some(worker) => worker_name(model, worker),
                None => "store".to_owned(),
            };
            let (done, total) = (transfer.done_bytes, transfer.total_bytes);
            let text = format!(
                "{} {to:<8} {} {}/{} ",
                self.ctx.glyphs.transfer(),
                bar_text(self.ctx.glyphs, done, total, TRANSFER_BAR_COLUMNS),
                text::size(done),
                text::size(total),
            );
            let mut row = RowLine::new(self.area.width);
            row.skip(1)
                .left(text, self.ctx.style(StyleRole::Running))
                .left(transfer.name.as_str(), self.ctx.style(StyleRole::Dim));
            self.lines.push(row.into_line());
        }
    }
}
