//! The table of actions: their names, keys and help. The key map, the help, the command palette and
//! the key hints in the last line are derived from it.

use std::collections::HashMap;
use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::nearest::nearest;

/// Errors in the configuration of keys.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeysError {
    /// No action has this name.
    #[error("there is no action {name:?}; the nearest is {nearest:?}")]
    UnknownAction {
        name: String,
        /// The most similar name of an action.
        nearest: &'static str,
    },
    /// No key has this name.
    #[error("there is no key {key:?} (for action {action:?}); the nearest is {nearest:?}")]
    UnknownKey {
        key: String,
        action: String,
        /// The most similar name of a key.
        nearest: &'static str,
    },
    /// Two actions are configured with the same key.
    #[error("key {key:?} is given to both {first:?} and {second:?}")]
    Twice {
        key: String,
        first: &'static str,
        second: &'static str,
    },
}

macro_rules! actions {
    ($($group:literal { $($variant:ident $name:literal [$($key:literal)*] $hint:literal $help:literal)* })*) => {
        /// An action that a key, a click or the command palette triggers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DashboardAction { $($(#[doc = $help] $variant),*),* }

        /// All actions, in the order of the help.
        pub const ACTIONS: &[ActionEntry] = &[$($(ActionEntry {
            action: DashboardAction::$variant,
            name: $name,
            keys: &[$($key),*],
            group: $group,
            hint: $hint,
            help: $help,
        }),*),*];
    };
}

/// An entry of the table of actions.
#[derive(Clone, Copy, Debug)]
pub struct ActionEntry {
    pub action: DashboardAction,
    /// The name in the settings file and in the command palette.
    pub name: &'static str,
    /// The default keys.
    pub keys: &'static [&'static str],
    /// The heading in the help.
    pub group: &'static str,
    /// The hint in the last line of the screen.
    pub hint: &'static str,
    pub help: &'static str,
}

actions! {
    "Screens" {
        Overview "overview" ["1"] "overview" "show the overview"
        Tests "tests" ["2"] "tests" "show all tests"
        Detail "detail" ["3"] "detail" "show one test in detail"
        Workers "workers" ["4"] "workers" "show the workers"
        Cluster "cluster" ["5"] "cluster" "show the cluster"
        NextPane "next-pane" ["tab"] "pane" "go to the next pane"
        PreviousPane "previous-pane" ["shift+tab"] "pane" "go to the previous pane"
        Zoom "zoom" ["z"] "zoom" "let the pane fill the screen, or shrink again"
    }
    "Moving" {
        Down "down" ["j" "down"] "down" "go down"
        Up "up" ["k" "up"] "up" "go up"
        Left "left" ["h" "left"] "fold" "fold the group, scroll left, or show the attempt before"
        Right "right" ["l" "right"] "unfold" "unfold the group, scroll right, or show the next attempt"
        Top "top" ["g" "home"] "top" "go to the beginning"
        Bottom "bottom" ["G" "end"] "end" "go to the end, and follow what is written"
        PageDown "page-down" ["ctrl+d" "pagedown"] "page" "go down half a page"
        PageUp "page-up" ["ctrl+u" "pageup"] "page" "go up half a page"
        NextFailure "next-failure" ["]"] "next failure" "go to the next failure"
        PreviousFailure "previous-failure" ["["] "previous failure" "go to the previous failure"
        Open "open" ["enter"] "detail" "open what is selected"
        Back "back" ["esc"] "back" "go back, or clear the search"
        FoldAll "fold-all" ["-"] "fold all" "fold all groups"
        UnfoldAll "unfold-all" ["+" "="] "unfold all" "unfold all groups"
    }
    "Finding" {
        Search "search" ["/"] "search" "search names, or the log"
        NextMatch "next-match" ["n"] "next" "go to the next match"
        PreviousMatch "previous-match" ["N"] "previous" "go to the previous match"
        FailuresOnly "failures-only" ["f"] "failures" "show failures only, or everything again"
        Sort "sort" ["s"] "sort" "sort by name, slowness or state"
        Palette "palette" [":"] "command" "find a command by its name"
        Help "help" ["?"] "help" "show this help"
    }
    "Running" {
        Mark "mark" ["space"] "mark" "mark the test"
        Rerun "rerun" ["r"] "rerun" "run the marked tests, or the selected one, again"
        RerunFailed "rerun-failed" ["R"] "rerun failed" "run what failed again"
        RerunAll "rerun-all" ["a"] "rerun all" "run everything again"
        CancelTest "cancel-test" ["x"] "cancel" "cancel the selected test"
        CancelRun "cancel-run" ["X"] "cancel run" "cancel the run"
        Freeze "freeze" ["p"] "freeze" "freeze what is shown, or catch up"
        PauseStarting "pause" ["P"] "pause" "start no more tests, or go on"
        Step "step" ["."] "step" "show the next event of a recording that is paused"
        Shell "shell" ["!"] "shell" "open a shell in the test's container"
        Edit "edit" ["e"] "edit" "open $EDITOR where the test failed"
    }
    "Logs" {
        Follow "follow" ["F"] "follow" "follow what is written, or stop"
        Wrap "wrap" ["w"] "wrap" "wrap long lines, or not"
        Timestamps "timestamps" ["t"] "times" "show when each line was written"
        Streams "streams" ["b"] "streams" "show both streams, stdout, or stderr"
        Pager "pager" ["o"] "pager" "open the log in $PAGER"
        CopyName "copy-name" ["y"] "copy name" "copy the test's name"
        CopyLog "copy-log" ["Y"] "copy log" "copy the log"
    }
    "Program" {
        Mouse "mouse" ["M"] "mouse" "leave the mouse to the terminal for selecting, or take it"
        Repaint "repaint" ["ctrl+l"] "repaint" "redraw the screen"
        Suspend "suspend" ["ctrl+z"] "suspend" "stop the program; fg goes on"
        Interrupt "interrupt" ["ctrl+c"] "cancel" "cancel the run; twice kills what still runs"
        Quit "quit" ["q"] "quit" "quit"
    }
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyChord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const NAMED_KEYS: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("f1", KeyCode::F(1)),
    ("f2", KeyCode::F(2)),
    ("f3", KeyCode::F(3)),
    ("f4", KeyCode::F(4)),
    ("f5", KeyCode::F(5)),
    ("f6", KeyCode::F(6)),
    ("f7", KeyCode::F(7)),
    ("f8", KeyCode::F(8)),
    ("f9", KeyCode::F(9)),
    ("f10", KeyCode::F(10)),
    ("f11", KeyCode::F(11)),
    ("f12", KeyCode::F(12)),
];

impl KeyChord {
    /// Returns the chord of a key event. Drops shift from characters, because an uppercase letter
    /// already implies it.
    pub fn of(event: KeyEvent) -> Self {
        let kept = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        let (code, modifiers) = (event.code, event.modifiers & kept);
        match code {
            KeyCode::BackTab => KeyChord {
                code: KeyCode::Tab,
                modifiers: modifiers | KeyModifiers::SHIFT,
            },
            KeyCode::Char(_) => KeyChord {
                code,
                modifiers: modifiers - KeyModifiers::SHIFT,
            },
            _ => KeyChord { code, modifiers },
        }
    }

    /// Parses the name of a chord, such as `ctrl+d`, `G` or `enter`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        // A trailing plus is the key itself, as in `+` and `ctrl++`.
        while let Some((modifier, after)) = rest.split_once('+').filter(|(_, a)| !a.is_empty()) {
            modifiers |= match modifier {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                _ => return None,
            };
            rest = after;
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(only), None) => KeyCode::Char(only),
            _ => NAMED_KEYS.iter().find(|(name, _)| *name == rest)?.1,
        };
        Some(KeyChord { code, modifiers })
    }
}

impl fmt::Display for KeyChord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("^")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("alt+")?;
        }
        if self.modifiers.contains(KeyModifiers::SHIFT) {
            f.write_str("shift+")?;
        }
        match NAMED_KEYS.iter().find(|(_, code)| *code == self.code) {
            Some((name, _)) => {
                let (first, rest) = name.split_at(1);
                write!(f, "{}{rest}", first.to_uppercase())
            }
            None => match self.code {
                KeyCode::Char(c) => write!(f, "{c}"),
                _ => Ok(()),
            },
        }
    }
}

/// The mapping between keys and actions.
#[derive(Clone, Debug)]
pub struct KeyMap {
    by_chord: HashMap<KeyChord, DashboardAction>,
    by_action: HashMap<DashboardAction, Vec<KeyChord>>,
}

impl Default for KeyMap {
    fn default() -> Self {
        // The defaults of the table are valid: a test verifies this.
        KeyMap::with(std::iter::empty()).unwrap_or(KeyMap {
            by_chord: HashMap::new(),
            by_action: HashMap::new(),
        })
    }
}

impl KeyMap {
    /// Creates a map of the default keys, with the keys of the named actions replaced. A replaced
    /// key is removed from the action that has it by default.
    ///
    /// Fails if an action or key doesn't exist, or if a key is assigned twice.
    pub fn with<'a>(
        replaced: impl Iterator<Item = (&'a str, Vec<&'a str>)>,
    ) -> Result<Self, KeysError> {
        let mut chosen: HashMap<DashboardAction, Vec<KeyChord>> = HashMap::new();
        let mut by_chord: HashMap<KeyChord, DashboardAction> = HashMap::new();
        for (name, keys) in replaced {
            let Some(info) = ACTIONS.iter().find(|info| info.name == name) else {
                return Err(KeysError::UnknownAction {
                    name: name.to_owned(),
                    nearest: nearest(name, ACTIONS.iter().map(|info| info.name)),
                });
            };
            let chords = chosen.entry(info.action).or_default();
            for key in keys {
                let chord = parse_key(key, name)?;
                if let Some(other) = by_chord.insert(chord, info.action) {
                    return Err(KeysError::Twice {
                        key: key.to_owned(),
                        first: other.info().name,
                        second: info.name,
                    });
                }
                chords.push(chord);
            }
        }
        for info in ACTIONS {
            if chosen.contains_key(&info.action) {
                continue;
            }
            let mut chords = Vec::new();
            for key in info.keys {
                let chord = parse_key(key, info.name)?;
                if by_chord.contains_key(&chord) {
                    continue;
                }
                by_chord.insert(chord, info.action);
                chords.push(chord);
            }
            chosen.insert(info.action, chords);
        }
        Ok(KeyMap {
            by_chord,
            by_action: chosen,
        })
    }

    /// Returns the action that a key event triggers, if any.
    pub fn action(&self, event: KeyEvent) -> Option<DashboardAction> {
        self.by_chord.get(&KeyChord::of(event)).copied()
    }

    /// Returns the keys of an action as displayed text.
    pub fn keys(&self, action: DashboardAction) -> String {
        let chords = self.by_action.get(&action).map_or(&[][..], Vec::as_slice);
        let keys: Vec<String> = chords.iter().map(KeyChord::to_string).collect();
        keys.join(" ")
    }

    /// Returns the first key of an action as displayed text.
    pub fn key(&self, action: DashboardAction) -> Option<String> {
        Some(self.by_action.get(&action)?.first()?.to_string())
    }
}

impl DashboardAction {
    /// Returns the table entry of the action.
    pub fn info(self) -> &'static ActionEntry {
        // The variants and the table are generated in the same order.
        &ACTIONS[self as usize]
    }
}

fn parse_key(key: &str, action: &str) -> Result<KeyChord, KeysError> {
    KeyChord::parse(key).ok_or_else(|| KeysError::UnknownKey {
        key: key.to_owned(),
        action: action.to_owned(),
        nearest: nearest(
            key.rsplit('+').next().unwrap_or(key),
            NAMED_KEYS.iter().map(|(name, _)| *name),
        ),
    })
}

/// Returns the actions whose name or help contains all words of a text, in the order of the table.
pub(super) fn proposals(text: &str) -> Vec<&'static ActionEntry> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let matches = |info: &&ActionEntry| {
        let name = info.name.replace('-', " ");
        let known = format!("{} {name} {}", info.name, info.help);
        words.iter().all(|word| known.contains(word.as_str()))
    };
    ACTIONS.iter().filter(matches).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_every_key_one_meaning_and_every_action_a_key() {
        let map = KeyMap::with(std::iter::empty()).unwrap();
        let keys: usize = ACTIONS.iter().map(|info| info.keys.len()).sum();
        assert_eq!(map.by_chord.len(), keys);
        for (index, info) in ACTIONS.iter().enumerate() {
            assert_eq!(info.action as usize, index);
            assert!(!map.keys(info.action).is_empty(), "{}", info.name);
        }
    }

    #[test]
    fn a_configured_key_replaces_the_tables_and_is_taken_from_whom_had_it() {
        let map = KeyMap::with([("rerun", vec!["f5", "q"])].into_iter()).unwrap();
        assert_eq!(map.keys(DashboardAction::Rerun), "F5 q");
        assert_eq!(map.keys(DashboardAction::Quit), "");
        let pressed = KeyEvent::new(KeyCode::Char('r'), KeyModifiers::NONE);
        assert_eq!(map.action(pressed), None);
    }

    #[test]
    fn mistakes_name_the_nearest_right_word() {
        let message = |name, key| {
            let error = KeyMap::with([(name, vec![key])].into_iter()).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            message("rerun-faild", "r"),
            "there is no action \"rerun-faild\"; the nearest is \"rerun-failed\""
        );
        assert_eq!(
            message("rerun", "ctrl+entr"),
            "there is no key \"ctrl+entr\" (for action \"rerun\"); the nearest is \"enter\""
        );
        let twice = [("rerun", vec!["f5"]), ("quit", vec!["f5"])];
        assert_eq!(
            KeyMap::with(twice.into_iter()).unwrap_err().to_string(),
            "key \"f5\" is given to both \"rerun\" and \"quit\""
        );
    }

    #[test]
    fn chords_are_read_and_written() {
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(Some(KeyChord::of(shifted)), KeyChord::parse("G"));
        let back_tab = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Some(KeyChord::of(back_tab)), KeyChord::parse("shift+tab"));
        for (text, shown) in [
            ("ctrl+d", "^d"),
            ("+", "+"),
            ("pagedown", "Pagedown"),
            ("alt+x", "alt+x"),
        ] {
            assert_eq!(KeyChord::parse(text).unwrap().to_string(), shown);
        }
        assert_eq!(KeyChord::parse("hyper+x"), None);
    }
}
