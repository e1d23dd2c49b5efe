//! The texts and positions of the tabs of the screens.

use super::keys::{DashboardAction, KeyMap};
use super::message::ScreenKind;
use super::text;

const TABS: [(ScreenKind, DashboardAction, &str); 5] = [
    (ScreenKind::Overview, DashboardAction::Overview, "Overview"),
    (ScreenKind::Tests, DashboardAction::Tests, "Tests"),
    (ScreenKind::Detail, DashboardAction::Detail, "Detail"),
    (ScreenKind::Workers, DashboardAction::Workers, "Workers"),
    (ScreenKind::Cluster, DashboardAction::Cluster, "Cluster"),
];
/// On a narrower terminal, tabs show only the first four letters of their names.
const WIDE_COLUMNS: u16 = 60;
/// The columns between two tabs: a rule with a space on each side.
const GAP_COLUMNS: usize = 3;

/// A tab and its displayed text.
pub(super) struct ScreenTab {
    pub screen: ScreenKind,
    pub action: DashboardAction,
    pub text: String,
}

/// Returns the tabs for a terminal with `columns` columns.
pub(super) fn tabs(keys: &KeyMap, columns: u16) -> [ScreenTab; 5] {
    TABS.map(|(screen, action, name)| {
        let key = keys.key(action).unwrap_or_default();
        let name = match columns < WIDE_COLUMNS {
            true => name.get(..4).unwrap_or(name),
            false => name,
        };
        ScreenTab {
            screen,
            action,
            text: format!("{key} {name}"),
        }
    })
}

/// Returns the action of the tab at a column, if there is a tab.
pub(super) fn tab_at(keys: &KeyMap, columns: u16, column: u16) -> Option<DashboardAction> {
    // The first column of the line is empty.
    let mut x = 1_usize;
    for tab in tabs(keys, columns) {
        let end = x + text::columns(&tab.text);
        if (x..end).contains(&usize::from(column)) {
            return Some(tab.action);
        }
        x = end + GAP_COLUMNS;
    }
    None
}

/// Returns the column after the last tab.
pub(super) fn end(tabs: &[ScreenTab]) -> usize {
    let texts = tabs.iter().map(|tab| text::columns(&tab.text));
    let columns: usize = texts.map(|columns| columns + GAP_COLUMNS).sum();
    (1 + columns).saturating_sub(GAP_COLUMNS)
}
