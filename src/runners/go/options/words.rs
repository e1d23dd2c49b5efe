//! Rewrites `go test` arguments into arguments of our own command line.
//!
//! Go's flags begin with one dash or two, and take their value after `=` or in the next word. A
//! flag for which this program has an option becomes that option; a build flag becomes
//! `--build-flag=…`, a flag of the test binaries `--test-flag=…`, and an unsupported one
//! `--refused-flag=…`, to be reported later. An unknown flag belongs to the tests, as in `go test`;
//! the words after it belong to it, unless no package has been named yet.
//!
//! `GOFLAGS` is parsed the same way, as if it preceded the command line: the last of repeated flags
//! counts, as in Go. Flags in it that this program does not handle stay there for Go.
//!
//! The rewriting is pure and infallible.

use std::ffi::OsString;

use super::flags::FlagArity::{self, Switch, Value};
use super::flags::{boolean, of_command_line, of_variable};
use super::variable;
use crate::go::peer_flags::FlagRole::{self, Build, Moot, Own, Refused, Test};

/// This program's one-letter options that take a number, which may follow without a space.
const WITH_NUMBER: [char; 5] = ['j', 'p', 'r', 's', 't'];

/// This program's one-letter options that take a value in the next word.
const WITH_WORD: [&str; 6] = ["-L", "-i", "-j", "-r", "-s", "-t"];

/// The options of this program's own command line.
#[derive(Clone, Copy, Debug)]
pub struct KnownOptions<'a> {
    pub options: &'a [String],
    /// The boolean options that can be turned off by `--no-NAME`.
    pub negatable: &'a [&'a str],
}

/// Rewrites a command line, program name first, preceded by the flags in `GOFLAGS`.
pub fn rewrite(
    words: impl IntoIterator<Item = OsString>,
    known: KnownOptions<'_>,
    go_flags: &str,
) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut rewriter = FlagRewriter {
        known,
        rewritten: words.next().into_iter().collect(),
        packages: 0,
        last: PreviousWord::Other,
    };
    rewriter.go_flags(go_flags);
    while let Some(word) = words.next() {
        if matches!(
            word.to_str(),
            Some("-args" | "--args" | "--") // All further words belong to the tests.
        ) {
            rewriter.rewritten.push("--".into());
            rewriter.rewritten.extend(words);
            break;
        }
        rewriter.word(word, &mut words);
    }
    rewriter.rewritten
}

struct FlagRewriter<'a> {
    known: KnownOptions<'a>,
    rewritten: Vec<OsString>,
    packages: usize,
    last: PreviousWord,
}

/// The kind of the previous word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PreviousWord {
    /// An unknown flag, whose value may follow.
    Unknown,
    /// A flag of Go's without a value, which was an option of this program with one.
    Reused(&'static str),
    Other,
}

impl FlagRewriter<'_> {
    fn word(&mut self, word: OsString, following: &mut impl Iterator<Item = OsString>) {
        let last = std::mem::replace(&mut self.last, PreviousWord::Other);
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
            Some(_) | None
                if last == PreviousWord::Unknown && (self.packages > 0 || !is_package(text)) =>
            {
                self.push("test-flag", text);
                if self.packages > 0 {
                    self.last = PreviousWord::Unknown;
                }
            }
            Some(_) | None => {
                if let PreviousWord::Reused(letter) = last
                    && is_value_of(letter, text)
                {
                    self.push("reused-letter", letter);
                }
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
        // `-list REGEXP` is Go's; `--list` is this program's, and lists all tests.
        let own_list = double && name == "list" && value.is_none();
        if let Some((takes, meant)) = of_command_line(name).filter(|_| !own_list) {
            let value = match takes {
                Value => value.or_else(|| following.next()?.into_string().ok()),
                Switch => value,
            };
            let is_alone = value.is_none();
            self.known_flag(name, takes, meant, value);
            self.last = match name {
                "c" if is_alone => PreviousWord::Reused("-c"),
                "x" if is_alone => PreviousWord::Reused("-x"),
                _ => PreviousWord::Other,
            };
        } else if double && self.known.options.iter().any(|known| known == name) {
            self.rewritten.push(word);
        } else if !double && self.is_short(flag) {
            let takes_next = WITH_WORD.iter().any(|short| word == *short);
            self.rewritten.push(word);
            self.rewritten
                .extend(takes_next.then(|| following.next()).flatten());
        } else {
            self.push("test-flag", &format!("-{flag}"));
            if value.is_none() {
                self.last = PreviousWord::Unknown;
            }
        }
    }

    fn known_flag(&mut self, name: &str, takes: FlagArity, meant: FlagRole, value: Option<String>) {
        match (meant, value) {
            (Own(own), value) if takes == Switch => self.switch(own, value.as_deref()),
            (Own("repeat"), Some(value)) => self.count(&value),
            (Own(own), Some(value)) => self.push(own, &value),
            (Own(own), None) => self.rewritten.push(spelled(own).into()),
            (Build, Some(value)) => self.push("build-flag", &format!("-{name}={value}")),
            (Build, None) => self.push("build-flag", &format!("-{name}")),
            (Test, Some(value)) => self.push("test-flag", &format!("-{name}={value}")),
            (Test, None) => self.push("test-flag", &format!("-{name}")),
            (Refused, value) if is_off(takes, value.as_deref()) => {}
            (Refused, _) => self.push("refused-flag", &format!("-{name}")),
            (Moot, _) => {}
        }
    }

    /// Sets how often each test runs, which may be never.
    fn count(&mut self, value: &str) {
        const NEVER: &str = "--no-runs";
        self.rewritten.retain(|word| *word != *NEVER);
        match value.parse() {
            Ok(0_u32) => self.rewritten.push(NEVER.into()),
            Ok(_) | Err(_) => self.push("repeat", value),
        }
    }

    /// Sets a boolean option of this program: the last occurrence counts.
    fn switch(&mut self, own: &str, value: Option<&str>) {
        let (on, off) = (spelled(own), format!("--no-{own}"));
        let is_on = match value.map(|value| (value, boolean(value))) {
            None | Some((_, Some(true))) => true,
            Some((_, Some(false))) => false,
            // `-v=test2json` implies verbose output.
            Some(("test2json", None)) if own == "verbose" => true,
            Some((value, None)) => return self.push(own, value),
        };
        self.rewritten.retain(|word| *word != *on && *word != *off);
        if is_on {
            self.rewritten.push(on.into());
        } else if self.known.negatable.contains(&own) {
            self.rewritten.push(off.into());
        }
    }

    /// Takes the flags that this program handles from `GOFLAGS`; the rest stays there.
    fn go_flags(&mut self, text: &str) {
        let mut rest = Vec::new();
        let mut taken = Vec::new();
        for word in variable::split(text) {
            match of_variable_word(word) {
                None => rest.push(word),
                Some((name, takes, Refused, value)) if !is_off(takes, value) => {
                    self.push("refused-go-flag", &format!("-{name}"));
                }
                Some(known) => taken.push(known),
            }
        }
        for (name, takes, meant, value) in &taken {
            self.known_flag(name, *takes, *meant, value.map(str::to_owned));
        }
        if !taken.is_empty() {
            self.push("go-flags", &variable::join(&rest));
        }
    }

    /// Returns whether this is a one-letter option of this program, alone or with a number.
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
        let option = spelled(option);
        self.rewritten.push(format!("{option}={value}").into());
    }
}

/// Returns an option of this program with its dashes.
fn spelled(option: &str) -> String {
    match option.len() {
        1 => format!("-{option}"),
        _ => format!("--{option}"),
    }
}

/// Returns whether a word that looks like a package is a value of the option that this letter once
/// was: a pattern of `--exclude`, a file of `--config-file`.
fn is_value_of(letter: &str, word: &str) -> bool {
    match letter {
        "-x" => word.contains('('),
        _ => word.ends_with(".toml"),
    }
}

/// Returns whether this program handles a word of `GOFLAGS`.
pub fn is_taken(word: &str) -> bool {
    of_variable_word(word).is_some()
}

/// Parses a word of `GOFLAGS` that this program handles. `None` for flags that only concern the
/// build or the test binaries, and for flags without their value, which Go reads there itself.
fn of_variable_word(word: &str) -> Option<(&str, FlagArity, FlagRole, Option<&str>)> {
    let flag = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    let (takes, meant) = of_variable(name)?;
    let is_whole = takes == Switch || value.is_some();
    let is_ours = !matches!(meant, Build | Test);
    (is_whole && is_ours).then_some((name, takes, meant, value))
}

/// Returns whether a flag is turned off: a switch that is false, or an empty expression or file
/// name.
fn is_off(takes: FlagArity, value: Option<&str>) -> bool {
    match takes {
        Switch => value.and_then(boolean) == Some(false),
        Value => value == Some(""),
    }
}

/// Returns whether a word can be a package rather than the value of a flag: an explicit path, or a
/// pattern for several packages.
fn is_package(word: &str) -> bool {
    let is_path = matches!(word, "." | "..") || word.starts_with("./") || word.starts_with("../");
    is_path || word.ends_with("...") || matches!(word, "all" | "std" | "cmd")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        with_variable("", line)
    }

    fn with_variable(go_flags: &str, line: &str) -> String {
        let known = KnownOptions {
            options: &["slots", "strict", "list"].map(str::to_owned),
            negatable: &["short"],
        };
        let words = line.split_whitespace().map(OsString::from);
        let words = rewrite(words, known, go_flags).into_iter();
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
            ("x -short -short=F", "x --no-short"),
            ("x -v -failfast -v=0 --failfast=false", "x"),
            ("x -short=maybe", "x --short=maybe"),
            ("x -bench= -cover=false -cpuprofile=", "x --bench="),
            ("x -buildvcs ./a", "x --build-flag=-buildvcs ./a"),
            ("x -test.cover -o f", "x --test-flag=-test.cover -o=f"),
            ("x -c -x -json=1 ./a", "x -c --build-flag=-x --json ./a"),
            ("x -c=0 -json=false -p 4", "x -p=4"),
            (
                "x -x name.eq(a) -c my.toml",
                "x --build-flag=-x --reused-letter=-x name.eq(a) -c --reused-letter=-c my.toml",
            ),
            (
                "x -bench . -benchtime=2x",
                "x --bench=. --test-flag=-benchtime=2x",
            ),
            (
                "x -fuzz=F -fuzztime 3s",
                "x --fuzz=F --test-flag=-fuzztime=3s",
            ),
            ("x -test.trace=f", "x --refused-flag=-test.trace"),
            (
                "x -race -tags a,b .",
                "x --build-flag=-race --build-flag=-tags=a,b .",
            ),
            (
                "x -C dir -cpu 1,2",
                "x --directory=dir --test-flag=-cpu=1,2",
            ),
            (
                "x -shuffle on -n -exec sudo",
                "x --refused-flag=-n --refused-flag=-exec",
            ),
            ("x -test.v=test2json", "x --verbose"),
            ("x -timeout 30s", "x --timeout=30s"),
            ("x -count=0", "x --no-runs"),
            ("x -count=0 -count=2", "x --repeat=2"),
            ("x -list . ./a", "x --list-matching=. ./a"),
            ("x --list ./a", "x --list ./a"),
            ("x -help", "x --help"),
        ] {
            assert_eq!(rewritten(line), expected, "{line}");
        }
    }

    #[test]
    fn what_gets_its_meaning_from_us_is_taken_from_the_variable() {
        for (go_flags, expected) in [
            ("", "x ."),
            // Flags of the build and of test binaries stay where Go reads them, as do those that Go
            // rejects.
            ("-tags=a --race -x -p=3 -cpu=2 -mod=mod", "x ."),
            ("nonsense -nonsense -u -run -C=d -help - --", "x ."),
            ("-run=A -mod=mod", "x --run=A --go-flags=-mod=mod ."),
            (
                "-skip=B --list=C -count=2 -v -failfast -timeout=3s -vet=off -fullpath",
                "x --skip=B --list-matching=C --repeat=2 --verbose --failfast --timeout=3s \
                 --vet=off --fullpath --go-flags= .",
            ),
            ("-short -short=0", "x --no-short --go-flags= ."),
            (
                "-shuffle=on -benchmem -benchtime=3s",
                "x --go-flags=-benchmem -benchtime=3s .",
            ),
            ("-json=false -cover=f", "x --go-flags= ."),
            ("-cover", "x --refused-go-flag=-cover ."),
            (
                "-n -exec=sudo -coverprofile=c -test.trace=t -c -o=f -json -bench=.",
                "x --refused-go-flag=-n --refused-go-flag=-exec \
                 --refused-go-flag=-coverprofile --refused-go-flag=-test.trace -c -o=f --json \
                 --bench=. --go-flags= .",
            ),
        ] {
            assert_eq!(with_variable(go_flags, "x ."), expected, "{go_flags}");
        }
        assert_eq!(
            with_variable("-short -run=A", "x -run B -short=false"),
            "x --run=A --go-flags= --run=B --no-short"
        );
    }

    #[test]
    fn our_own_options_stay() {
        for line in [
            "x --slots 3 --strict -i all -j4 -t 30 ./...",
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
}
