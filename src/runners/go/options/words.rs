//! From words as `go test` takes them to words as our own command line takes them.
//!
//! Go's flags begin with one dash or two, and take their value after `=` or in the next word. What
//! we have an option for becomes that option; what is for the build alone becomes
//! `--build-flag=…`, what is for the test binaries `--test-flag=…`, and what makes no sense here
//! `--refused-flag=…`, to be told of later. A flag that nobody knows is the tests' own, as for
//! `go test`; words after it that stand alone are its, unless no package was named yet.
//!
//! Pure; nothing here fails.

use std::ffi::OsString;

/// What a flag of Go is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// An option of ours with this name.
    Own(&'static str),
    /// The build's.
    Build,
    /// The test binaries'.
    Test,
    /// Nothing that makes sense here.
    Refused,
    /// Says what is the case anyway.
    Moot,
}

/// Whether a flag takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// It does; the next word, unless it is written with `=`.
    Value,
    /// It is on or off; `=` may say which.
    Switch,
}

use Takes::{Switch, Value};
use Use::{Build, Moot, Own, Refused, Test};

/// Go's flags (`go help build`, `go help testflag`), Go 1.20 to 1.26.
const FLAGS: [(&str, Takes, Use); 72] = [
    ("C", Value, Own("directory")),
    ("a", Switch, Build),
    ("artifacts", Switch, Refused),
    ("asan", Switch, Build),
    ("asmflags", Value, Build),
    ("bench", Value, Refused),
    ("benchmem", Switch, Refused),
    ("benchtime", Value, Refused),
    ("blockprofile", Value, Refused),
    ("blockprofilerate", Value, Refused),
    ("buildmode", Value, Build),
    ("buildvcs", Value, Build),
    ("compiler", Value, Build),
    ("count", Value, Own("repeat")),
    ("cover", Switch, Refused),
    ("covermode", Value, Refused),
    ("coverpkg", Value, Refused),
    ("coverprofile", Value, Refused),
    ("cpu", Value, Test),
    ("cpuprofile", Value, Refused),
    ("exec", Value, Refused),
    ("failfast", Switch, Own("failfast")),
    ("fullpath", Switch, Own("fullpath")),
    ("fuzz", Value, Refused),
    ("fuzzminimizetime", Value, Refused),
    ("fuzztime", Value, Refused),
    ("gccgoflags", Value, Build),
    ("gcflags", Value, Build),
    ("help", Switch, Own("help")),
    ("installsuffix", Value, Build),
    ("json", Switch, Refused),
    ("ldflags", Value, Build),
    ("linkshared", Switch, Build),
    ("list", Value, Own("list-matching")),
    ("memprofile", Value, Refused),
    ("memprofilerate", Value, Refused),
    ("mod", Value, Build),
    ("modcacherw", Switch, Build),
    ("modfile", Value, Build),
    ("msan", Switch, Build),
    ("mutexprofile", Value, Refused),
    ("mutexprofilefraction", Value, Refused),
    ("outputdir", Value, Refused),
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
    // The test binary's own spellings of the above.
    ("test.bench", Value, Refused),
    ("test.count", Value, Own("repeat")),
    ("test.cpu", Value, Test),
    ("test.failfast", Switch, Own("failfast")),
    ("test.fullpath", Switch, Own("fullpath")),
    ("test.list", Value, Own("list-matching")),
    ("test.parallel", Value, Test),
    ("test.run", Value, Own("run")),
    ("test.short", Switch, Own("short")),
    ("test.skip", Value, Own("skip")),
    ("test.timeout", Value, Own("timeout")),
    ("test.v", Switch, Own("verbose")),
];

/// Our options of one letter that take a number, which may follow at once.
const WITH_NUMBER: [char; 5] = ['j', 'p', 'r', 's', 't'];

/// Our options of one letter that take a value in the next word.
const WITH_WORD: [&str; 9] = ["-L", "-c", "-i", "-j", "-p", "-r", "-s", "-t", "-x"];

/// Rewrites a command line, program name first.
pub fn rewrite(words: impl IntoIterator<Item = OsString>, known: &[String]) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut rewriter = Rewriter {
        known,
        rewritten: words.next().into_iter().collect(),
        packages: 0,
        last: Last::Other,
    };
    while let Some(word) = words.next() {
        if matches!(
            word.to_str(),
            Some("-args" | "--args" | "--") // From here on everything is the tests'.
        ) {
            rewriter.rewritten.push("--".into());
            rewriter.rewritten.extend(words);
            break;
        }
        rewriter.word(word, &mut words);
    }
    rewriter.rewritten
}

struct Rewriter<'a> {
    known: &'a [String],
    rewritten: Vec<OsString>,
    packages: usize,
    last: Last,
}

/// What the word before was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A flag of the tests' own, whose value may follow.
    Unknown,
    Other,
}

impl Rewriter<'_> {
    fn word(&mut self, word: OsString, following: &mut impl Iterator<Item = OsString>) {
        let last = std::mem::replace(&mut self.last, Last::Other);
        let Some(text) = word.to_str() else {
            self.rewritten.push(word);
            return;
        };
        let flag = text.strip_prefix("--").or_else(|| text.strip_prefix('-'));
        match flag {
            Some(flag) if !flag.is_empty() => {
                let flag = flag.to_owned();
                self.flag(word, &flag, following);
            }
            Some(_) | None if last == Last::Unknown && (self.packages > 0 || !is_package(text)) => {
                self.push("test-flag", text);
                if self.packages > 0 {
                    self.last = Last::Unknown;
                }
            }
            Some(_) | None => {
                self.packages += 1;
                self.rewritten.push(word);
            }
        }
    }

    fn flag(&mut self, word: OsString, flag: &str, following: &mut impl Iterator<Item = OsString>) {
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let double = word.to_str().is_some_and(|word| word.starts_with("--"));
        // `-list REGEXP` is Go's; `--list` is ours, and lists everything.
        let own_list = double && name == "list" && value.is_none();
        let known = FLAGS.iter().find(|(known, _, _)| *known == name);
        if let Some((_, takes, meant)) = known.filter(|_| !own_list) {
            let value = match takes {
                Value => value.or_else(|| following.next()?.into_string().ok()),
                Switch => value,
            };
            self.known_flag(name, *takes, *meant, value);
        } else if double && self.known.iter().any(|known| known == name) {
            self.rewritten.push(word);
        } else if !double && self.is_short(flag) {
            let takes_next = WITH_WORD.iter().any(|short| word == *short);
            self.rewritten.push(word);
            self.rewritten
                .extend(takes_next.then(|| following.next()).flatten());
        } else {
            self.push("test-flag", &format!("-{flag}"));
            if value.is_none() {
                self.last = Last::Unknown;
            }
        }
    }

    fn known_flag(&mut self, name: &str, takes: Takes, meant: Use, value: Option<String>) {
        match (meant, value) {
            (Own(own), Some(value)) => match (takes, value.as_str()) {
                (Switch, "true" | "1" | "t") => self.rewritten.push(format!("--{own}").into()),
                (Switch, "false" | "0" | "f") => {}
                // `-v=test2json` and the like are still verbose.
                (Switch, _) => self.rewritten.push(format!("--{own}").into()),
                (Value, value) => self.push(own, value),
            },
            (Own(own), None) => self.rewritten.push(format!("--{own}").into()),
            (Build, Some(value)) => self.push("build-flag", &format!("-{name}={value}")),
            (Build, None) => self.push("build-flag", &format!("-{name}")),
            (Test, Some(value)) => self.push("test-flag", &format!("-{name}={value}")),
            (Test, None) => self.push("test-flag", &format!("-{name}")),
            (Refused, _) => self.push("refused-flag", &format!("-{name}")),
            (Moot, _) => {}
        }
    }

    /// Whether this is an option of ours with one letter, alone or with a number.
    fn is_short(&self, flag: &str) -> bool {
        let mut letters = flag.chars();
        match (letters.next(), letters.as_str()) {
            (Some(_), "") => true,
            (Some(first), rest) => {
                WITH_NUMBER.contains(&first) && rest.trim_start_matches('=').parse::<u64>().is_ok()
            }
            (None, _) => false,
        }
    }

    fn push(&mut self, option: &str, value: &str) {
        self.rewritten.push(format!("--{option}={value}").into());
    }
}

/// Whether a word can be a package rather than the value of a flag: a path that says so, or all of
/// something.
fn is_package(word: &str) -> bool {
    let is_path = matches!(word, "." | "..") || word.starts_with("./") || word.starts_with("../");
    is_path || word.ends_with("...") || matches!(word, "all" | "std" | "cmd")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let known = ["slots", "strict", "list"].map(str::to_owned);
        let words = line.split_whitespace().map(OsString::from);
        let words = rewrite(words, &known).into_iter();
        words
            .map(|word| word.into_string().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn gos_flags_are_understood_with_one_dash_or_two() {
        for (line, expected) in [
            ("x -run A/b ./...", "x --run=A/b ./..."),
            ("x --run=A -v -count=2", "x --run=A --verbose --repeat=2"),
            ("x -short=false -short=true", "x --short"),
            (
                "x -race -tags a,b .",
                "x --build-flag=-race --build-flag=-tags=a,b .",
            ),
            (
                "x -C dir -cpu 1,2",
                "x --directory=dir --test-flag=-cpu=1,2",
            ),
            (
                "x -shuffle on -bench . -json",
                "x --refused-flag=-bench --refused-flag=-json",
            ),
            ("x -test.v=test2json", "x --verbose"),
            ("x -timeout 30s", "x --timeout=30s"),
            ("x -list . ./a", "x --list-matching=. ./a"),
            ("x --list ./a", "x --list ./a"),
            ("x -help", "x --help"),
        ] {
            assert_eq!(rewritten(line), expected, "{line}");
        }
    }

    #[test]
    fn our_own_options_stay() {
        for line in [
            "x --slots 3 --strict -x name.eq(a) -i all -j4 -t 30 ./...",
            "x -l",
            "x -p=3",
        ] {
            assert_eq!(rewritten(line), line);
        }
    }

    #[test]
    fn unknown_flags_are_the_tests_own_with_what_follows_them() {
        assert_eq!(
            rewritten("x ./... -update dir --golden=d -integration"),
            "x ./... --test-flag=-update --test-flag=dir --test-flag=-golden=d \
             --test-flag=-integration"
        );
        assert_eq!(rewritten("x -update ./..."), "x --test-flag=-update ./...");
        assert_eq!(
            rewritten("x -name z -run T ."),
            "x --test-flag=-name --test-flag=z --run=T ."
        );
    }

    #[test]
    fn everything_after_args_is_the_tests() {
        assert_eq!(rewritten("x . -args -run a -- b"), "x . -- -run a -- b");
        assert_eq!(rewritten("x -- -v"), "x -- -v");
    }

    #[test]
    fn a_value_that_is_missing_is_left_to_the_parser() {
        assert_eq!(rewritten("x -run"), "x --run");
    }

    #[test]
    fn every_flag_stands_once() {
        let mut names: Vec<&str> = FLAGS.iter().map(|(name, _, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLAGS.len());
    }
}
