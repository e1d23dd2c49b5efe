//! The flags of `go test`, and how this program handles them.
//!
//! They come from the command line and from `GOFLAGS`, where a flag takes its value only after `=`,
//! and where `-c` and `-x` are Go's.

/// How a flag of Go is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagRole {
    /// As this program's option with that name.
    Own(&'static str),
    Build,
    Test,
    /// Not supported: reported as an error.
    Refused,
    /// Has no effect here, such as `-benchtime` without benchmarks: ignored.
    Moot,
}

/// Whether a flag takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagArity {
    /// Takes a value: after `=`, or the next word.
    Value,
    /// A boolean flag; `=` may set its value.
    Switch,
}

use FlagArity::{Switch, Value};
use FlagRole::{Build, Moot, Own, Refused, Test};

/// Go's flags (`go help build`, `go help test`, `go help testflag`) of Go 1.20 to 1.26, except the
/// one-letter flags that are also this program's own ([`OURS`]).
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

/// Go's one-letter flags that mean something else on this program's command line.
const OURS: [(&str, FlagArity, FlagRole); 3] = [
    ("c", Switch, Refused),
    // `-p` limits the build's concurrent steps, `-x` prints its commands.
    ("p", Value, Build),
    ("x", Switch, Build),
];

/// Flags that `go test` accepts and test binaries don't. All others, except those of the build, may
/// also be written with the prefix `test.`.
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

/// Returns how a flag with this name is handled on the command line; `None` if Go has no such flag.
pub fn of_command_line(name: &str) -> Option<(FlagArity, FlagRole)> {
    let binarys = name.strip_prefix("test.");
    let found = FLAGS.iter().find(|(known, _, meant)| match binarys {
        Some(name) => *known == name && *meant != Build && !NOT_THE_BINARYS.contains(known),
        None => *known == name,
    });
    found.map(|(_, takes, meant)| (*takes, *meant))
}

/// Returns how a flag with this name is handled in `GOFLAGS`. Go itself reports what is invalid
/// there.
pub fn of_variable(name: &str) -> Option<(FlagArity, FlagRole)> {
    let ours = OURS.iter().find(|(known, _, _)| *known == name);
    let found = ours.map(|(_, takes, meant)| (*takes, *meant));
    // `GOFLAGS` does not accept these two.
    let is_one = !matches!(name, "C" | "help");
    found.or_else(|| of_command_line(name).filter(|_| is_one))
}

/// Parses a boolean as Go does (`strconv.ParseBool`).
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
