//! The flags of `go test` and of the test binaries that it makes, and how this program handles them.
//!
//! One table: the command line and `GOFLAGS` are read by it, errors quote it, and the documentation's
//! tables are made from it.

use crate::peers::{PeerFlag, PeerSupport, PeerTool, PeerVariable};

use FlagPlace::{Binary, Both, Go, Unlisted};
use FlagRole::{Build, Moot, Own, Refused, Test};
use PeerSupport::{Differs, NoEffect, Refused as No, Same};

/// How a flag of Go is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagRole {
    /// As this program's option with that name.
    Own(&'static str),
    Build,
    Test,
    /// Not supported: reported as an error.
    Refused,
    /// Has no effect here, such as `-shuffle`: ignored.
    Moot,
}

/// Whose flag it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlagPlace {
    /// `go test` has it, and its help names it.
    Go,
    /// `go test` has it and passes it to the test binary.
    Both,
    /// Only test binaries have it; `go test` sets it.
    Binary,
    /// `go test` has it, and no help names it.
    Unlisted,
}

/// A flag of Go's.
#[derive(Clone, Copy, Debug)]
pub struct GoFlag {
    /// Its name, without a dash.
    pub name: &'static str,
    place: FlagPlace,
    /// A valid value, if it takes one.
    pub example: Option<&'static str>,
    pub role: FlagRole,
    pub support: PeerSupport,
    spelling: &'static [&'static str],
    /// Its spelling for a test binary.
    binarys_spelling: &'static [&'static str],
}

macro_rules! example {
    () => {
        None
    };
    ($example:literal) => {
        Some($example)
    };
}

macro_rules! flags {
    ($($place:ident $name:literal $($example:literal)?: $role:expr, $support:expr;)*) => {
        &[$(GoFlag {
            name: $name,
            place: $place,
            example: example!($($example)?),
            role: $role,
            support: $support,
            spelling: &[concat!("-", $name)],
            binarys_spelling: &[concat!("-test.", $name)],
        }),*]
    };
}

const COVERAGE: PeerSupport = No("coverage needs many tests in one process: use `go test` for it");
const PROFILE: PeerSupport =
    No("containers discard the files of tests: use `go test` for profiles");
const INTERNAL: PeerSupport = No("`go test` itself sets it");

/// All flags of Go 1.20 to 1.26 (`go help build`, `go help test`, `go help testflag`, and the help
/// of a test binary).
pub const FLAGS: &[GoFlag] = flags! {
    Go "C" ".": Own("directory"), Same;
    Go "a": Build, Same;
    Go "args": Test, Same;
    Both "artifacts": Refused, No("containers discard the files of tests: use `go test -artifacts`");
    Go "asan": Build, Same;
    Go "asmflags" "-D=x": Build, Same;
    Both "bench" "Sort": Own("bench"), Differs("each benchmark runs in its own container, and one test or benchmark at a time unless `-j` says otherwise");
    Both "benchmem": Test, Same;
    Both "benchtime" "10x": Test, Same;
    Both "blockprofile" "block.out": Refused, PROFILE;
    Both "blockprofilerate" "1": Test, Same;
    Go "buildmode" "pie": Build, Same;
    Go "buildvcs": Build, Same;
    Go "c": Own("c"), Same;
    Go "compiler" "gc": Build, Same;
    Both "count" "2": Own("repeat"), Same;
    Go "cover": Refused, COVERAGE;
    Go "covermode" "set": Refused, COVERAGE;
    Go "coverpkg" "./...": Refused, COVERAGE;
    Both "coverprofile" "cover.out": Refused, COVERAGE;
    Both "cpu" "1,2": Test, Same;
    Both "cpuprofile" "cpu.out": Refused, PROFILE;
    Unlisted "debug-actiongraph" "f": Build, Same;
    Unlisted "debug-runtime-trace" "f": Build, Same;
    Unlisted "debug-trace" "f": Build, Same;
    Go "exec" "xprog": Refused, No("tests run in containers; `--isolation=process` runs them as plain processes");
    Both "failfast": Own("failfast"), Differs("the first failure ends the whole run, not only the tests of its package");
    Both "fullpath": Own("fullpath"), Same;
    Both "fuzz" "FuzzX": Own("fuzz"), Differs("the container discards what it writes to `testdata/fuzz`; the report shows the failing input");
    Binary "fuzzcachedir" "d": Refused, INTERNAL;
    Both "fuzzminimizetime" "1s": Test, Same;
    Both "fuzztime" "1s": Test, Same;
    Binary "fuzzworker": Refused, INTERNAL;
    Go "gccgoflags" "-x": Build, Same;
    Go "gcflags" "-l": Build, Same;
    Binary "gocoverdir" "d": Refused, INTERNAL;
    Unlisted "help": Own("help"), Same;
    Go "installsuffix" "x": Build, Same;
    Go "json": Own("json"), Same;
    Go "ldflags" "-s": Build, Same;
    Go "linkshared": Build, Same;
    Both "list" "Sort": Own("list-matching"), Same;
    Both "memprofile" "mem.out": Refused, PROFILE;
    Both "memprofilerate" "1": Test, Same;
    Go "mod" "mod": Build, Same;
    Go "modcacherw": Build, Same;
    Go "modfile" "x.mod": Build, Same;
    Go "msan": Build, Same;
    Both "mutexprofile" "mutex.out": Refused, PROFILE;
    Both "mutexprofilefraction" "1": Test, Same;
    Go "n": Refused, No("use `go test -n`, which prints the commands");
    Go "o" "x.test": Own("o"), Same;
    Both "outputdir" "d": Refused, PROFILE;
    Go "overlay" "x.json": Build, Same;
    Go "p" "2": Own("p"), Same;
    Binary "paniconexit0": Moot, NoEffect("always set, as by `go test`");
    Both "parallel" "2": Test, Differs("applies to the parallel subtests of each test; `-j` sets how many tests run at a time");
    Go "pgo" "off": Build, Same;
    Go "pkgdir" "d": Build, Same;
    Go "race": Build, Same;
    Both "run" "Sort": Own("run"), Same;
    Both "short": Own("short"), Same;
    Both "shuffle" "on": Moot, NoEffect("each test has its own process, so none can depend on the order");
    Both "skip" "Sort": Own("skip"), Same;
    Go "tags" "x": Build, Same;
    Binary "testlogfile" "f": Refused, INTERNAL;
    Both "timeout" "30s": Own("timeout"), Differs("for each test instead of each package; a bare number is in seconds and ends the test from outside");
    Go "toolexec" "env": Build, Differs("test binaries are then linked in every run");
    Both "trace" "trace.out": Refused, PROFILE;
    Go "trimpath": Build, Same;
    Both "v": Own("verbose"), Differs("shows the output of passing tests");
    Go "vet" "off": Own("vet"), Same;
    Go "work": Refused, No("use `go test -work`, which keeps the build's files");
    Go "x": Build, Same;
};

impl GoFlag {
    /// Returns whether `go test` has the flag.
    pub fn is_of_go_test(&self) -> bool {
        match self.place {
            Go | Both | Unlisted => true,
            Binary => false,
        }
    }

    /// Returns whether a test binary has the flag, with the prefix `test.`.
    pub fn is_of_binary(&self) -> bool {
        match self.place {
            Both | Binary => true,
            Go | Unlisted => false,
        }
    }
}

/// `go test`.
pub static GO_TEST: PeerTool = PeerTool {
    command: "go test",
    flags: &GO_FLAGS,
    variables: &VARIABLES,
};

/// A test binary. Its flags are also flags of `go test`.
pub static TEST_BINARY: PeerTool = PeerTool {
    command: "the test binary",
    flags: &BINARY_FLAGS,
    variables: &[],
};

const GO_FLAGS: [PeerFlag; count(FlagRow::GoTest)] = rows(FlagRow::GoTest);
const BINARY_FLAGS: [PeerFlag; count(FlagRow::TestBinary)] = rows(FlagRow::TestBinary);

/// The tool whose table is made.
#[derive(Clone, Copy)]
enum FlagRow {
    GoTest,
    TestBinary,
}

const fn has(flag: &GoFlag, tool: FlagRow) -> bool {
    matches!(
        (tool, flag.place),
        (FlagRow::GoTest, Go | Both) | (FlagRow::TestBinary, Both | Binary)
    )
}

const fn count(tool: FlagRow) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < FLAGS.len() {
        if has(&FLAGS[at], tool) {
            count += 1;
        }
        at += 1;
    }
    count
}

const fn rows<const COUNT: usize>(tool: FlagRow) -> [PeerFlag; COUNT] {
    let mut rows = [PeerFlag {
        spellings: &[],
        value: None,
        support: Same,
    }; COUNT];
    let (mut at, mut row) = (0, 0);
    while at < FLAGS.len() {
        let flag = &FLAGS[at];
        if has(flag, tool) {
            rows[row] = PeerFlag {
                spellings: match tool {
                    FlagRow::GoTest => flag.spelling,
                    FlagRow::TestBinary => flag.binarys_spelling,
                },
                value: flag.example,
                support: flag.support,
            };
            row += 1;
        }
        at += 1;
    }
    rows
}

const HOST_FILES: PeerSupport =
    NoEffect("tests run in containers, which discard the files that they write");

const VARIABLES: [PeerVariable; 22] = [
    variable("CGO_ENABLED", Same),
    variable("GOCACHE", Same),
    variable("GOCOVERDIR", HOST_FILES),
    variable("GODEBUG", Same),
    variable("GOENV", Same),
    variable("GOEXPERIMENT", Same),
    variable(
        "GOFLAGS",
        Differs("each flag in it has the meaning in the table above"),
    ),
    variable("GOGC", Same),
    variable("GOMAXPROCS", Same),
    variable("GOMEMLIMIT", Same),
    variable("GOMODCACHE", Same),
    variable(
        "GOOS",
        Differs("tests for another system or architecture are built, and fail to start"),
    ),
    variable("GOPATH", Same),
    variable(
        "GOPROXY",
        Differs("the build uses it; in a container there is no network"),
    ),
    variable("GORACE", Same),
    variable("GOROOT", Same),
    variable(
        "GOTMPDIR",
        NoEffect("the build's files are next to the cache of test binaries"),
    ),
    variable("GOTOOLCHAIN", Same),
    variable("GOTRACEBACK", Same),
    variable("GOWORK", Same),
    variable("GO_TEST_TIMEOUT_SCALE", Same),
    variable("NO_COLOR", Same),
];

const fn variable(name: &'static str, support: PeerSupport) -> PeerVariable {
    PeerVariable { name, support }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_stands_once() {
        let mut names: Vec<&str> = FLAGS.iter().map(|flag| flag.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_a_flag_does_and_what_the_table_says_agree() {
        for flag in FLAGS {
            let is_refused = matches!(flag.support, No(_));
            assert_eq!(is_refused, flag.role == Refused, "{}", flag.name);
            let is_moot = matches!(flag.support, NoEffect(_));
            assert_eq!(is_moot, flag.role == Moot, "{}", flag.name);
        }
    }
}
