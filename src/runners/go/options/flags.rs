//! The flags of `go test`, and their role here.
//!
//! They come from the command line and from `GOFLAGS`, where a flag takes its value only after `=`,
//! and where `-c` and `-x` are Go's.

/// What a flag of Go is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagRole {
    /// An option of ours with this name.
    Own(&'static str),
    Build,
    Test,
    /// Nothing that makes sense here.
    Refused,
    /// Says what is the case anyway.
    Moot,
}

/// Whether a flag takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagArity {
    /// It does; the next word, unless it is written with `=`.
    Value,
    /// It is on or off; `=` may say which.
    Switch,
}

use FlagArity::{Switch, Value};
use FlagRole::{Build, Moot, Own, Refused, Test};

/// Go's flags (`go help build`, `go help test`, `go help testflag`), Go 1.20 to 1.26, but for those of
/// one letter that are also ours ([`OURS`]).
const FLAGS: [(&str, FlagArity, FlagRole); 65] = [
    ("C", Value, Own("directory")),
    ("a", Switch, Build),
    ("artifacts", Switch, Refused),
    ("asan", Switch, Build),
    ("asmflags", Value, Build),
    ("bench", Value, Refused),
    ("benchmem", Switch, Moot),
    ("benchtime", Value, Moot),
    ("blockprofile", Value, Refused),
    ("blockprofilerate", Value, Test),
    ("buildmode", Value, Build),
    ("buildvcs", Switch, Build),
    ("compiler", Value, Build),
    ("count", Value, Own("repeat")),
    ("cover", Switch, Refused),
    ("covermode", Value, Refused),
    ("coverpkg", Value, Refused),
    ("coverprofile", Value, Refused),
    ("cpu", Value, Test),
    ("cpuprofile", Value, Refused),
    ("debug-actiongraph", Value, Build),
    ("debug-runtime-trace", Value, Build),
    ("debug-trace", Value, Build),
    ("exec", Value, Refused),
    ("failfast", Switch, Own("failfast")),
    ("fullpath", Switch, Own("fullpath")),
    ("fuzz", Value, Refused),
    ("fuzzminimizetime", Value, Moot),
    ("fuzztime", Value, Moot),
    ("gccgoflags", Value, Build),
    ("gcflags", Value, Build),
    ("help", Switch, Own("help")),
    ("installsuffix", Value, Build),
    ("json", Switch, Refused),
    ("ldflags", Value, Build),
    ("linkshared", Switch, Build),
    ("list", Value, Own("list-matching")),
    ("memprofile", Value, Refused),
    ("memprofilerate", Value, Test),
    ("mod", Value, Build),
    ("modcacherw", Switch, Build),
    ("modfile", Value, Build),
    ("msan", Switch, Build),
    ("mutexprofile", Value, Refused),
    ("mutexprofilefraction", Value, Test),
    ("n", Switch, Refused),
    ("o", Value, Refused),
    ("outputdir", Value, Moot),
    ("overlay", Value, Build),
    ("parallel", Value, Test),
    ("pgo", Value, Build),
    ("pkgdir", Value, Build),
    ("race", Switch, Build),
    ("run", Value, Own("run")),
    ("short", Switch, Own("short")),
    ("shuffle", Value, Moot),
    ("skip", Value, Own("skip")),
    ("tags", Value, Build),
    ("timeout", Value, Own("timeout")),
    ("toolexec", Value, Build),
    ("trace", Value, Refused),
    ("trimpath", Switch, Build),
    ("v", Switch, Own("verbose")),
    ("vet", Value, Own("vet")),
    ("work", Switch, Refused),
];

/// Go's flags of one letter that mean something else on our command line.
const OURS: [(&str, FlagArity, FlagRole); 3] = [
    ("c", Switch, Refused),
    // Steps and commands of the build, which Go prints.
    ("p", Value, Build),
    ("x", Switch, Build),
];

/// What `go test` knows and the test binaries don't; all the others may also be written with `test.`
/// in front.
const NOT_THE_BINARYS: [&str; 10] = [
    "C",
    "cover",
    "covermode",
    "coverpkg",
    "exec",
    "help",
    "json",
    "n",
    "o",
    "work",
];

/// What a flag with this name is on the command line, if it is one of Go's.
pub fn of_command_line(name: &str) -> Option<(FlagArity, FlagRole)> {
    let binarys = name.strip_prefix("test.");
    let found = FLAGS.iter().find(|(known, _, meant)| match binarys {
        Some(name) => *known == name && *meant != Build && !NOT_THE_BINARYS.contains(known),
        None => *known == name,
    });
    found.map(|(_, takes, meant)| (*takes, *meant))
}

/// What a flag with this name is in `GOFLAGS`. Go itself says what is wrong with the rest of it.
pub fn of_variable(name: &str) -> Option<(FlagArity, FlagRole)> {
    let ours = OURS.iter().find(|(known, _, _)| *known == name);
    let found = ours.map(|(_, takes, meant)| (*takes, *meant));
    // These two are no flags there.
    let is_one = !matches!(name, "C" | "help");
    found.or_else(|| of_command_line(name).filter(|_| is_one))
}

/// What Go takes for a boolean (`strconv.ParseBool`).
pub fn boolean(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_stands_once() {
        let all = FLAGS.iter().chain(&OURS);
        let mut names: Vec<&str> = all.map(|(name, _, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLAGS.len() + OURS.len());
    }

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
            ("x", None),
        ] {
            assert_eq!(of_command_line(name), expected, "{name}");
        }
        assert_eq!(of_variable("x"), Some((Switch, Build)));
        assert_eq!(of_variable("c"), Some((Switch, Refused)));
        assert_eq!(of_variable("C"), None);
    }
}
