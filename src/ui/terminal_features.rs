//! What a report or the dashboard may do with a terminal besides showing the run: which features are
//! on, and which of them a terminal is known to handle.

/// A feature of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalFeature {
    /// The title of the window shows the counts.
    Title,
    /// The tab or the task bar shows a progress bar (OSC 9;4).
    Progress,
    /// Locations of failures are links to the files (OSC 8).
    Links,
    /// The bell rings at the end of a long run.
    Bell,
    /// The desktop shows a notification at the end of a long run.
    Notification,
}

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerminalFeatureSet(u8);

impl TerminalFeatureSet {
    /// No feature.
    pub const NONE: TerminalFeatureSet = TerminalFeatureSet(0);

    /// Returns whether a feature is on.
    pub fn has(self, feature: TerminalFeature) -> bool {
        self.0 & feature.bit() != 0
    }

    /// Returns the features that are on by default in a terminal: the title and the progress bar, if
    /// the terminal is known to display and to remove them. `variable` returns a variable of the
    /// process's environment.
    pub fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> TerminalFeatureSet {
        let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let term = variable("TERM").unwrap_or_default();
        let program = variable("TERM_PROGRAM").unwrap_or_default();
        // A multiplexer keeps the variables of the terminal that started it, but another one may
        // display it now.
        let is_multiplexed = is_set("TMUX") || is_set("STY") || is_set("ZELLIJ");
        let is_other_machine = is_set("SSH_CONNECTION") && program.is_empty();
        if is_multiplexed || is_set("CI") {
            return TerminalFeatureSet::NONE;
        }
        let has_progress = is_set("WT_SESSION")
            || variable("ConEmuANSI").is_some_and(|value| value == "ON")
            || PROGRESS_PROGRAMS.contains(&program.as_str());
        // These save and restore the title.
        let has_title = is_set("WT_SESSION")
            || is_set("VTE_VERSION")
            || TITLE_TERMS.contains(&term.as_str())
            || TITLE_PROGRAMS.contains(&program.as_str());
        let progress = has_progress.then_some(TerminalFeature::Progress);
        let title = (has_title && !is_other_machine).then_some(TerminalFeature::Title);
        progress.into_iter().chain(title).collect()
    }
}

/// The values of `TERM_PROGRAM` of terminals that display OSC 9;4.
const PROGRESS_PROGRAMS: [&str; 2] = ["WezTerm", "ghostty"];
/// The values of `TERM_PROGRAM` of terminals that save and restore their titles.
const TITLE_PROGRAMS: [&str; 3] = ["WezTerm", "ghostty", "iTerm.app"];
/// The values of `TERM` of terminals that save and restore their titles.
const TITLE_TERMS: [&str; 6] = [
    "xterm-kitty",
    "xterm-ghostty",
    "alacritty",
    "foot",
    "foot-extra",
    "wezterm",
];

impl TerminalFeature {
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl FromIterator<TerminalFeature> for TerminalFeatureSet {
    fn from_iter<I: IntoIterator<Item = TerminalFeature>>(features: I) -> TerminalFeatureSet {
        let bits = features.into_iter().map(TerminalFeature::bit);
        TerminalFeatureSet(bits.fold(0, |set, bit| set | bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_terminals_have_features_by_default() {
        use TerminalFeature::{Bell, Links, Notification, Progress, Title};
        for (variables, expected) in [
            ("", &[][..]),
            ("TERM=xterm-256color", &[]),
            ("TERM=linux", &[]),
            ("TERM=xterm-256color VTE_VERSION=7600", &[Title]),
            ("TERM=xterm-kitty", &[Title]),
            ("TERM=xterm-256color WT_SESSION=1", &[Title, Progress]),
            ("TERM_PROGRAM=ghostty", &[Title, Progress]),
            ("TERM_PROGRAM=WezTerm CI=1", &[]),
            ("TERM=tmux-256color TMUX=/tmp/x TERM_PROGRAM=ghostty", &[]),
            ("TERM=xterm-kitty SSH_CONNECTION=x", &[]),
        ] {
            let variable = |name: &str| {
                let pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
                let mut values = pairs.filter(|(known, _)| *known == name);
                values.next().map(|(_, value)| value.to_owned())
            };
            let features = TerminalFeatureSet::of_terminal(variable);
            for feature in [Title, Progress, Links, Bell, Notification] {
                let is_on = expected.contains(&feature);
                assert_eq!(features.has(feature), is_on, "{variables} {feature:?}");
            }
        }
    }
}
