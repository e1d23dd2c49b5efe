//! Looks up the flags of `go test` ([`peer_flags`](crate::go::peer_flags)).
//!
//! They come from the command line and from `GOFLAGS`, where a flag takes its value only after `=`.

use crate::go::peer_flags::{FLAGS, FlagRole, GoFlag};
use crate::peers::PeerSupport;

/// Whether a flag takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagArity {
    /// Takes a value: after `=`, or the next word.
    Value,
    /// A boolean flag; `=` may set its value.
    Switch,
}

use FlagArity::{Switch, Value};

/// Returns how a flag with this name is handled on the command line; `None` if Go has no such flag.
pub(super) fn of_command_line(name: &str) -> Option<(FlagArity, FlagRole)> {
    let flag = find(name)?;
    let takes = flag.example.map_or(Switch, |_| Value);
    Some((takes, flag.role))
}

/// Returns how a flag with this name is handled in `GOFLAGS`. Go itself reports what is invalid
/// there.
pub(super) fn of_variable(name: &str) -> Option<(FlagArity, FlagRole)> {
    match name {
        // `GOFLAGS` does not accept these two.
        "C" | "help" => None,
        // Go reads it there itself.
        "p" => Some((Value, FlagRole::Build)),
        _ => of_command_line(name),
    }
}

/// Returns what to use instead of a refused flag, with its dash.
pub(super) fn instead(flag: &str) -> Option<&'static str> {
    match find(flag.trim_start_matches('-'))?.support {
        PeerSupport::Refused(instead) => Some(instead),
        PeerSupport::Same | PeerSupport::Differs(_) | PeerSupport::NoEffect(_) => None,
    }
}

fn find(name: &str) -> Option<&'static GoFlag> {
    let binarys = name.strip_prefix("test.");
    FLAGS.iter().find(|flag| match binarys {
        Some(name) => flag.name == name && flag.is_of_binary(),
        None => flag.name == name && flag.is_of_go_test(),
    })
}

/// Parses a boolean as Go does (`strconv.ParseBool`).
pub(super) fn boolean(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FlagRole::{Build, Moot, Own, Refused};

    #[test]
    fn the_binarys_spelling_is_for_the_binarys_flags() {
        for (name, expected) in [
            ("run", Some((Value, Own("run")))),
            ("test.run", Some((Value, Own("run")))),
            ("test.cpuprofile", Some((Value, Refused))),
            ("test.shuffle", Some((Value, Moot))),
            ("test.race", None),
            ("test.json", None),
            ("test.", None),
            ("test.test.run", None),
            ("x", Some((Switch, Build))),
            ("y", None),
        ] {
            assert_eq!(of_command_line(name), expected, "{name}");
        }
        assert_eq!(of_variable("c"), Some((Switch, Own("c"))));
        assert_eq!(of_variable("p"), Some((Value, Build)));
        assert_eq!(of_variable("C"), None);
    }
}
