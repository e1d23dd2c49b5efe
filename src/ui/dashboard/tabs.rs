//! The tabs of the screens: their texts, and where they are.

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
/// A narrower terminal shows only the beginnings of their names.
const WIDE_COLUMNS: u16 = 60;
/// A rule between two tabs, with a column on each side.
const GAP_COLUMNS: usize = 3;

/// A tab as it is shown.
pub(super) struct ScreenTab {
    pub screen: ScreenKind,
    pub action: DashboardAction,
    pub text: String,
}

/// The tabs on a screen of so many columns.
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

/// The action of the tab at a column.
pub(super) fn tab_at(keys: &KeyMap, columns: u16, column: u16) -> Option<DashboardAction> {
    // A column is free to their left.
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

/// The column after the last tab.
pub(super) fn end(tabs: &[ScreenTab]) -> usize {
    let texts = tabs.iter().map(|tab| text::columns(&tab.text));
    let columns: usize = texts.map(|columns| columns + GAP_COLUMNS).sum();
    (1 + columns).saturating_sub(GAP_COLUMNS)
}
