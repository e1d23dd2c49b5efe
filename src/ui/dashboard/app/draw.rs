//! Draws the screen: the header, the panes, the footer and the overlay.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::Widget;

use super::super::context::ViewContext;
use super::super::footer::FooterView;
use super::super::header::HeaderView;
use super::super::layout;
use super::super::theme::StyleRole;
use super::App;

impl App {
    /// Draws the screen into an empty buffer.
    pub(in super::super) fn draw(&self, buf: &mut Buffer, now_us: u64) {
        let area = buf.area;
        if layout::is_too_small(area.width, area.height) {
            self.draw_too_small(area, buf);
            return;
        }
        let layout = self.layout();
        let ctx = &ViewContext {
            run: &self.run,
            run_us: self.run.run_us(now_us),
            settings: &self.settings,
            glyphs: self.glyphs,
            pane: self.screens.focus(),
            focus: self.screens.focus(),
            marked: self.panes.tests.marked(),
        };
        let header = HeaderView {
            ctx,
            screen: self.screens.screen(),
            playback: self.controls.playback(),
            tests: self.panes.tests.rows(),
        };
        header.view(layout.header, buf);
        for (pane, area) in &layout.panes {
            let ctx = ViewContext {
                pane: *pane,
                ..*ctx
            };
            let area = area.intersection(buf.area);
            self.panes.get(*pane).view(&ctx, area, buf);
        }
        let footer = FooterView {
            ctx,
            screen: self.screens.screen(),
            playback: self.controls.playback(),
            overlay: self.overlay.as_ref(),
            finder: self.panes.tests.finder(),
            message: self.status.text(),
            location: self.location(),
        };
        footer.view(layout.footer, buf);
        if let Some(overlay) = &self.overlay {
            overlay.view(ctx, area, buf);
        }
    }

    fn draw_too_small(&self, area: Rect, buf: &mut Buffer) {
        let counts = self.run.model().counts;
        let lines = [
            "too small".to_owned(),
            format!("needs {}x{}", layout::COLUMNS_MIN, layout::ROWS_MIN),
            format!("{}/{} done", counts.done(), counts.total()),
            format!("{} failed", counts.failures()),
        ];
        let style = self.style(StyleRole::Notice);
        let lines = lines.map(|line| Line::styled(line, style));
        Text::from_iter(lines).render(area, buf);
    }
}
