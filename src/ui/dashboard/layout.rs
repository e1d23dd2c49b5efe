//! Computes the layout of each screen. It depends on the size, the screen and a few values that
//! rarely change, so panes don't move while tests start and end.

use ratatui::layout::{Position, Rect};

use super::message::{PaneKind, ScreenKind};
use crate::model::RunModel;

/// A terminal smaller than this shows only a message that it is too small.
pub(super) const COLUMNS_MIN: u16 = 40;
pub(super) const ROWS_MIN: u16 = 10;
/// Panes are side by side if there are at least this many columns.
const WIDE_COLUMNS: u16 = 100;
const HEADER_ROWS: u16 = 4;
/// The rows of two lists of one entry, with their frames.
const TWO_LISTS_ROWS: u16 = 6;
const WORKERS_COLUMNS: u16 = 38;

/// The input of [`layout`].
pub(super) struct LayoutInput<'a> {
    pub columns: u16,
    pub rows: u16,
    pub screen: ScreenKind,
    /// The maximized pane, if any. Ignored if the screen doesn't show it.
    pub zoomed: Option<PaneKind>,
    /// The highest number of rows that the list of running tests has needed.
    pub running_peak: usize,
    pub model: &'a RunModel,
}

/// The areas of a screen.
#[derive(Clone, Debug, Default)]
pub(super) struct ScreenLayout {
    pub header: Rect,
    pub panes: Vec<(PaneKind, Rect)>,
    pub footer: Rect,
}

impl ScreenLayout {
    /// Returns the area of a pane including its frame, or an empty area if the pane is not
    /// displayed.
    pub(super) fn area(&self, pane: PaneKind) -> Rect {
        let found = self.panes.iter().find(|(other, _)| *other == pane);
        found.map_or(Rect::ZERO, |(_, area)| *area)
    }

    /// Returns the pane at a position of the screen.
    pub(super) fn pane_at(&self, at: Position) -> Option<PaneKind> {
        let found = self.panes.iter().find(|(_, area)| area.contains(at));
        found.map(|(pane, _)| *pane)
    }

    /// Returns the area of a pane without its frame.
    pub(super) fn inside(&self, pane: PaneKind) -> Rect {
        let area = self.area(pane);
        if area.height == 1 {
            return area;
        }
        Rect {
            x: area.x + 1,
            y: area.y + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(2),
        }
    }

    /// Returns the number of lines that a pane can show.
    pub(super) fn height(&self, pane: PaneKind) -> usize {
        self.inside(pane).height as usize
    }
}

/// Returns whether a terminal is too small for any screen.
pub(super) fn is_too_small(columns: u16, rows: u16) -> bool {
    columns < COLUMNS_MIN || rows < ROWS_MIN
}

pub(super) fn layout(input: &LayoutInput<'_>) -> ScreenLayout {
    let (columns, rows) = (input.columns, input.rows);
    if is_too_small(columns, rows) {
        return ScreenLayout::default();
    }
    let body = Rect::new(0, HEADER_ROWS, columns, rows - HEADER_ROWS - 1);
    let mut panes = match input.screen {
        ScreenKind::Overview => overview(input, body),
        ScreenKind::Tests => tests(body),
        ScreenKind::Detail => detail(body),
        ScreenKind::Workers => workers(input, body),
        ScreenKind::Cluster => vec![(PaneKind::Cluster, body)],
    };
    // The focused pane may be hidden, such as the log of a narrow Tests screen.
    if let Some(zoomed) = input.zoomed
        && panes.iter().any(|(pane, _)| *pane == zoomed)
    {
        panes = vec![(zoomed, body)];
    }
    ScreenLayout {
        header: Rect::new(0, 0, columns, HEADER_ROWS),
        panes,
        footer: Rect::new(0, rows - 1, columns, 1),
    }
}

/// Returns the panes of a screen, in tab order.
pub(super) fn panes(screen: ScreenKind) -> &'static [PaneKind] {
    match screen {
        ScreenKind::Overview => &[
            PaneKind::Failures,
            PaneKind::Running,
            PaneKind::Log,
            PaneKind::Workers,
        ],
        ScreenKind::Tests => &[PaneKind::Tests, PaneKind::Log],
        ScreenKind::Detail => &[PaneKind::Log, PaneKind::Facts],
        ScreenKind::Workers => &[PaneKind::WorkerList, PaneKind::Slots],
        ScreenKind::Cluster => &[PaneKind::Cluster],
    }
}

fn overview(input: &LayoutInput<'_>, body: Rect) -> Vec<(PaneKind, Rect)> {
    // The lists stop growing at this height, so that the log gets the remaining rows of a tall
    // terminal.
    let failures = input.model.failures.len().min(12) as u16;
    let running = input.running_peak.min(24) as u16;
    if body.width < WIDE_COLUMNS {
        let [rest, workers] = split_bottom(body, 1);
        let (third, quarter) = (rest.height / 3, rest.height / 4);
        // `clamp` panics if its upper bound is less than the lower one, as it would be on a low
        // terminal.
        let failures_rows = match failures {
            // A list of running tests is worth more there than an empty one of failures.
            0 if rest.height < TWO_LISTS_ROWS => 1,
            _ => (failures + 2).clamp(3, third.max(3)),
        };
        let running_rows = (running + 2).clamp(3, quarter.max(3));
        let [upper, below] = split_top(rest, failures_rows);
        let [middle, log] = split_top(below, running_rows);
        return vec![
            (PaneKind::Failures, upper),
            (PaneKind::Running, middle),
            (PaneKind::Log, log),
            (PaneKind::Workers, workers),
        ];
    }
    let wanted = failures.max(running) + 2;
    let [upper, lower] = split_top(body, wanted.clamp(5, (body.height / 2).max(5)));
    let [left, right] = split_left(upper, upper.width / 2);
    // The body is at least `WIDE_COLUMNS` wide here, so the subtraction doesn't underflow.
    let [log, workers] = split_left(lower, lower.width - WORKERS_COLUMNS);
    vec![
        (PaneKind::Failures, left),
        (PaneKind::Running, right),
        (PaneKind::Log, log),
        (PaneKind::Workers, workers),
    ]
}

fn tests(body: Rect) -> Vec<(PaneKind, Rect)> {
    if body.width < WIDE_COLUMNS {
        return vec![(PaneKind::Tests, body)];
    }
    let [left, right] = split_left(body, body.width * 11 / 20);
    vec![(PaneKind::Tests, left), (PaneKind::Log, right)]
}

fn detail(body: Rect) -> Vec<(PaneKind, Rect)> {
    let facts = (body.height / 2).min(13);
    let [upper, lower] = split_top(body, facts);
    vec![(PaneKind::Facts, upper), (PaneKind::Log, lower)]
}

fn workers(input: &LayoutInput<'_>, body: Rect) -> Vec<(PaneKind, Rect)> {
    let count = input.model.workers().count().min(200) as u16;
    let [upper, lower] = split_top(body, (count + 3).clamp(4, (body.height / 2).max(4)));
    vec![(PaneKind::WorkerList, upper), (PaneKind::Slots, lower)]
}

fn split_top(area: Rect, rows: u16) -> [Rect; 2] {
    let rows = rows.min(area.height);
    [
        Rect {
            height: rows,
            ..area
        },
        Rect {
            y: area.y + rows,
            height: area.height - rows,
            ..area
        },
    ]
}

fn split_bottom(area: Rect, rows: u16) -> [Rect; 2] {
    split_top(area, area.height.saturating_sub(rows))
}

fn split_left(area: Rect, columns: u16) -> [Rect; 2] {
    let columns = columns.min(area.width);
    [
        Rect {
            width: columns,
            ..area
        },
        Rect {
            x: area.x + columns,
            width: area.width - columns,
            ..area
        },
    ]
}
