//! The values and options of the original, program by program: each is there, under its name, of its
//! kind, with its short form and its default.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use maelstrom::program::{broker, worker};
use maelstrom_runners::{cargo, go, pytest, run};
use maelstrom_spec::config::{ConfigEnvironment, ConfigOptionKind, ConfigSchema, resolve};

/// A value: its name, kind, short option and default.
type Row = (
    &'static str,
    ConfigOptionKind,
    Option<char>,
    Option<&'static str>,
);

/// What every client has.
const CLIENT: [Row; 6] = [
    ("slots", ConfigOptionKind::Number, None, None),
    ("broker", ConfigOptionKind::Text, Some('b'), None),
    ("local-slots", ConfigOptionKind::Number, None, Some("0")),
    ("forward-environment", ConfigOptionKind::List, None, None),
    ("scratch-memory", ConfigOptionKind::Text, None, None),
    ("memory-budget", ConfigOptionKind::Text, None, None),
];

/// What has to do with layers and images.
const CACHES: [Row; 3] = [
    ("cache-size", ConfigOptionKind::Size, None, Some("1 GB")),
    (
        "container-image-depot-root",
        ConfigOptionKind::Text,
        None,
        None,
    ),
    (
        "accept-invalid-remote-container-tls-certs",
        ConfigOptionKind::Boolean,
        None,
        None,
    ),
];

/// What means nothing any more.
const OUTPUT: [Row; 1] = [("inline-limit", ConfigOptionKind::Size, None, Some("1 MB"))];

/// What `maelstrom-pytest` has of it: the letters are pytest's.
const PYTEST_RUNNER: [Row; 4] = [
    ("ui", ConfigOptionKind::Text, None, None),
    ("repeat", ConfigOptionKind::NumberOrText, None, Some("1")),
    ("stop-after", ConfigOptionKind::Number, None, None),
    ("timeout", ConfigOptionKind::NumberOrText, Some('t'), None),
];

/// What every other test runner has. Of `cargo maelstrom`, `-r` is `--release`, as of `cargo test`.
const RUNNER: [Row; 4] = [
    ("ui", ConfigOptionKind::Text, None, None),
    ("repeat", ConfigOptionKind::NumberOrText, None, Some("1")),
    ("stop-after", ConfigOptionKind::Number, Some('s'), None),
    ("timeout", ConfigOptionKind::NumberOrText, Some('t'), None),
];

const CARGO: [Row; 11] = [
    ("features", ConfigOptionKind::Words, Some('F'), None),
    ("all-features", ConfigOptionKind::Boolean, None, None),
    ("no-default-features", ConfigOptionKind::Boolean, None, None),
    ("profile", ConfigOptionKind::Text, None, None),
    ("target", ConfigOptionKind::Text, None, None),
    ("target-dir", ConfigOptionKind::Text, None, None),
    ("manifest-path", ConfigOptionKind::Text, None, None),
    ("frozen", ConfigOptionKind::Boolean, None, None),
    ("locked", ConfigOptionKind::Boolean, None, None),
    ("offline", ConfigOptionKind::Boolean, None, None),
    ("extra-test-binary-args", ConfigOptionKind::List, None, None),
];

const GO: [Row; 4] = [
    ("vet", ConfigOptionKind::Text, None, None),
    ("short", ConfigOptionKind::Boolean, None, None),
    ("fullpath", ConfigOptionKind::Boolean, None, None),
    ("extra-test-binary-args", ConfigOptionKind::List, None, None),
];

const PYTEST: [Row; 4] = [
    ("collect-from-module", ConfigOptionKind::Text, None, None),
    ("extra-pytest-args", ConfigOptionKind::List, None, None),
    (
        "extra-pytest-collect-args",
        ConfigOptionKind::List,
        None,
        None,
    ),
    ("extra-pytest-test-args", ConfigOptionKind::List, None, None),
];

const RUN: [Row; 2] = [
    ("cache-root", ConfigOptionKind::Text, None, None),
    ("escape-char", ConfigOptionKind::Character, None, Some("^]")),
];

const BROKER: [Row; 4] = [
    ("port", ConfigOptionKind::Number, Some('p'), Some("0")),
    // Without it there is none: figures are told to whoever asks.
    ("http-port", ConfigOptionKind::Number, Some('H'), None),
    ("cache-root", ConfigOptionKind::Text, None, None),
    ("cache-size", ConfigOptionKind::Size, None, Some("1 GB")),
];

/// What the original's broker has not.
const BROKER_OWN: [Row; 11] = [
    ("listen", ConfigOptionKind::Text, None, Some("127.0.0.1")),
    (
        "http-listen",
        ConfigOptionKind::Text,
        None,
        Some("127.0.0.1"),
    ),
    ("tls-certificate", ConfigOptionKind::Text, None, None),
    ("tls-key", ConfigOptionKind::Text, None, None),
    ("client-ca", ConfigOptionKind::Text, None, None),
    ("tokens", ConfigOptionKind::Text, None, None),
    ("insecure-listen", ConfigOptionKind::Boolean, None, None),
    ("lease", ConfigOptionKind::Number, None, Some("20")),
    ("heartbeat", ConfigOptionKind::Number, None, Some("5")),
    (
        "client-timeout",
        ConfigOptionKind::Number,
        None,
        Some("300"),
    ),
    ("log-format", ConfigOptionKind::Text, None, Some("text")),
];

/// What the original's worker has not.
const WORKER_OWN: [Row; 9] = [
    ("name", ConfigOptionKind::Text, None, None),
    ("drain-timeout", ConfigOptionKind::Number, None, Some("300")),
    ("scratch-memory", ConfigOptionKind::Text, None, None),
    ("memory-budget", ConfigOptionKind::Text, None, None),
    ("broker-ca", ConfigOptionKind::Text, None, None),
    ("broker-certificate", ConfigOptionKind::Text, None, None),
    ("broker-key", ConfigOptionKind::Text, None, None),
    ("broker-token-file", ConfigOptionKind::Text, None, None),
    ("log-format", ConfigOptionKind::Text, None, Some("text")),
];

const WORKER: [Row; 5] = [
    ("broker", ConfigOptionKind::Text, Some('b'), None),
    ("slots", ConfigOptionKind::Number, None, None),
    ("cache-root", ConfigOptionKind::Text, None, None),
    ("cache-size", ConfigOptionKind::Size, None, Some("1 GB")),
    ("inline-limit", ConfigOptionKind::Size, None, Some("1 MB")),
];

fn check_values<P: CommandFactory>(program: &ConfigSchema, tables: &[&[Row]]) {
    let mut command = P::command();
    command.build();
    for &(name, kind, short, default) in tables.iter().copied().flatten() {
        let called = format!("{}: {name}", program.name);
        let values = program.values();
        let value = values.clone().find(|value| value.name == name);
        let value = value.unwrap_or_else(|| panic!("{called} is missing"));
        assert_eq!(value.kind, kind, "{called}");
        let argument = command.get_arguments().find(|argument| {
            let is_trailing = Some(argument.get_id().as_str()) == value.positional;
            is_trailing || argument.get_long() == Some(name)
        });
        let argument = argument.unwrap_or_else(|| panic!("{called} is no option"));
        if short.is_some() {
            assert_eq!(argument.get_short(), short, "{called}");
        }
        let defaults = argument.get_default_values();
        // A flag is false unless it is given, which clap calls a default.
        if kind != ConfigOptionKind::Boolean {
            let default: Vec<&str> = default.into_iter().collect();
            assert_eq!(defaults, default, "{called}");
        }
    }
}

#[test]
fn every_value_is_there() {
    check_values::<cargo::options::CargoOptions>(
        &cargo::options::PROGRAM,
        &[&CLIENT, &CACHES, &OUTPUT, &RUNNER, &CARGO],
    );
    check_values::<go::options::GoOptions>(
        &go::options::PROGRAM,
        &[&CLIENT, &CACHES, &OUTPUT, &RUNNER, &GO],
    );
    check_values::<pytest::options::PytestOptions>(
        &pytest::options::PROGRAM,
        &[&CLIENT, &CACHES, &OUTPUT, &PYTEST_RUNNER, &PYTEST],
    );
    check_values::<run::RunCommandOptions>(
        &run::options::PROGRAM,
        &[&CLIENT, &CACHES, &OUTPUT, &RUN],
    );
    check_values::<broker::options::BrokerServerOptions>(
        &broker::options::PROGRAM,
        &[&BROKER, &BROKER_OWN],
    );
    check_values::<worker::options::WorkerOptions>(
        &worker::options::PROGRAM,
        &[&WORKER, &WORKER_OWN],
    );
}

#[test]
fn every_program_has_its_variables_and_its_files() {
    let programs = [
        &cargo::options::PROGRAM,
        &go::options::PROGRAM,
        &pytest::options::PROGRAM,
        &run::options::PROGRAM,
        &broker::options::PROGRAM,
        &worker::options::PROGRAM,
    ];
    let told = programs.map(|program| {
        let ConfigSchema {
            name,
            prefix,
            directories,
            help: _,
            values: _,
        } = program;
        format!("{name}: {prefix}_, {}", directories.join(", "))
    });
    insta::assert_snapshot!(told.join("\n"), @"
    cargo-maelstrom: CARGO_MAELSTROM_, maelstrom/cargo-maelstrom
    maelstrom-go-test: MAELSTROM_GO_TEST_, maelstrom/maelstrom-go-test, maelstrom/go-test
    maelstrom-pytest: MAELSTROM_PYTEST_, maelstrom/maelstrom-pytest, maelstrom/pytest
    maelstrom-run: MAELSTROM_RUN_, maelstrom/run
    maelstrom-broker: MAELSTROM_BROKER_, maelstrom/broker
    maelstrom-worker: MAELSTROM_WORKER_, maelstrom/worker
    ");
}

/// Variables and files that exist only here.
#[derive(Default)]
struct World {
    variables: BTreeMap<String, OsString>,
    files: BTreeMap<PathBuf, String>,
}

impl ConfigEnvironment for World {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn variable_names(&self) -> Vec<OsString> {
        self.variables.keys().map(OsString::from).collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.get(path).cloned();
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The mistake in a command line, if there is one.
fn mistake<P: clap::Parser>(program: &ConfigSchema, line: &str) -> Option<String> {
    let error = resolve::<P>(program, &words_of(line), &World::default()).err()?;
    Some(error.to_string())
}

fn words_of(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[test]
fn command_lines_mean_what_they_meant() {
    let runner = "-i all --include none -x any --exclude true -r 2 --repeat=2 --loop 2 -s 1 \
                  --stop-after=1 -t 9 --timeout=0 --ui=auto --ui=fancy --ui=simple --ui=quiet \
                  --watch -w --slots=7 -c - --config-file=- -P --print-config -L debug \
                  --log-level=error --log-level=warning --log-level=info -l --list";
    let images = "--cache-size=1024 --cache-size=1.5GiB --inline-limit=1MB \
                  --container-image-depot-root=/d --accept-invalid-remote-container-tls-certs";
    let cargo = "--init --list-tests --list-binaries --list-packages -F a,b --features=a --all-features \
                 --no-default-features --profile=p --target=t --target-dir=/t --manifest-path=/m \
                 --frozen --locked --offline -v --verbose --whole=test";
    let go = "--init --list-tests --list-packages --vet=off --short --fullpath";
    let pytest = "--init -v --verbose --collect-from-module=m --extra-pytest-args=-v --extra-pytest-collect-args=-q";
    let run = "-f x --file=x -1 --one -t --tty --escape-char=~ --cache-root=/c --slots=7 -P -c -";
    type Reader = fn(&str) -> Option<String>;
    let cargo_reader: Reader =
        |line| mistake::<cargo::options::CargoOptions>(&cargo::options::PROGRAM, line);
    // Some of the letters mean what they mean to Go and to pytest.
    let go_reader: Reader = |line| {
        let read = go::options::GoOptions::resolved(words_of(line), &World::default());
        Some(read.err()?.to_string())
    };
    let pytest_reader: Reader = |line| {
        let (words, world) = (words_of(line), World::default());
        let read = pytest::options::PytestOptions::resolved(
            words,
            &world,
            Path::new("/"),
            NonZeroU32::MIN,
        );
        Some(read.err()?.to_string())
    };
    let run_reader: Reader = |line| mistake::<run::RunCommandOptions>(&run::options::PROGRAM, line);
    let broker =
        "-p 4000 --port=4000 -H 4001 --http-port=4001 --cache-root=/c --cache-size=1GB -P -c -";
    let worker = "-b host:4000 --broker=host:4000 --slots=7 --cache-root=/c --cache-size=1GB \
                  --inline-limit=1MB -P -c -";
    let broker_reader: Reader =
        |line| mistake::<broker::options::BrokerServerOptions>(&broker::options::PROGRAM, line);
    let worker_reader: Reader =
        |line| mistake::<worker::options::WorkerOptions>(&worker::options::PROGRAM, line);
    for line in [
        "program status",
        "program status -b host:4000",
        "program status --broker=host:4000 --json",
        "program status -b host:4000 --watch",
        "program drain -b host:4000 lathe",
        "program stop --broker=host:4000 --workers",
    ] {
        assert_eq!(broker_reader(line), None, "{line}");
    }
    for (reader, lists) in [
        (cargo_reader, &[runner, images, cargo][..]),
        (go_reader, &[runner, images, go]),
        (pytest_reader, &[runner, images, pytest]),
        (run_reader, &[images, run]),
        (broker_reader, &[broker]),
        (worker_reader, &[worker]),
    ] {
        for list in lists {
            let mut words = list.split_whitespace().peekable();
            while let Some(option) = words.next() {
                let value = words.next_if(|word| !word.starts_with("--") && !is_short(word));
                let line = match value {
                    Some(value) => format!("program {option} {value}"),
                    None => format!("program {option}"),
                };
                assert_eq!(reader(&line), None, "{line}");
            }
        }
    }
    for (reader, line) in [
        (cargo_reader, "program --list-tests --list-packages"),
        (cargo_reader, "program --list-binaries --list-packages"),
        (cargo_reader, "program --slots=1 --slots=2"),
        (cargo_reader, "program --slots=0"),
        (cargo_reader, "program --slots=1001"),
        (cargo_reader, "program --repeat=0"),
        (cargo_reader, "program --stop-after=0"),
        (cargo_reader, "program --timeout=4294967296"),
        (cargo_reader, "program --ui=Fancy"),
        (cargo_reader, "program --include -all"),
        (go_reader, "program --list-tests --list-packages"),
        (pytest_reader, "program --repeat=0"),
        (run_reader, "program --one --tty"),
        (run_reader, "program --slots=1001"),
        (run_reader, "program --slotss=1"),
        (run_reader, "program -x true"),
        // Nothing that looks like an option of a test runner prints a version and ends well.
        (run_reader, "program -v"),
        (broker_reader, "program -v"),
        (worker_reader, "program -v"),
        (broker_reader, "program --port=65536"),
        (broker_reader, "program --http-port=-1"),
        (broker_reader, "program status --json --watch"),
        (broker_reader, "program stop -b host"),
        (worker_reader, "program --slots=1001"),
    ] {
        assert!(reader(line).is_some(), "{line}");
    }
}

#[test]
fn what_follows_the_program_is_its_own() {
    let command = |line: &str| {
        let words = line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let settled = run::RunCommandOptions::resolved(&words, &World::default()).unwrap();
        settled.options.command
    };
    let words = ["ls", "--one", "-c", "--", "-1"];
    assert_eq!(command("maelstrom-run --one ls --one -c -- -1"), words);
    assert_eq!(command("maelstrom-run -1 -- ls --one -c -- -1"), words);
    assert_eq!(
        command("maelstrom-run -- --strange -x"),
        ["--strange", "-x"]
    );
}

/// What every program says about itself, and the other forms of saying so.
#[test]
fn what_is_asked_of_a_program_itself_ends_well() {
    let nothing_here = tempfile::tempdir().unwrap();
    for program in [
        env!("CARGO_BIN_EXE_cargo-maelstrom"),
        env!("CARGO_BIN_EXE_maelstrom-go-test"),
        env!("CARGO_BIN_EXE_maelstrom-pytest"),
        env!("CARGO_BIN_EXE_maelstrom-run"),
        env!("CARGO_BIN_EXE_maelstrom-broker"),
        env!("CARGO_BIN_EXE_maelstrom-worker"),
    ] {
        let told = |option: &str| {
            let mut command = std::process::Command::new(program);
            command.arg(option).current_dir(&nothing_here);
            command.env_clear().env("HOME", nothing_here.path());
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{program} {option}");
            assert_eq!(output.stderr, b"", "{program} {option}");
            String::from_utf8(output.stdout).unwrap()
        };
        for option in ["--version", "-V"] {
            assert!(
                told(option).contains(env!("CARGO_PKG_VERSION")),
                "{program} {option}"
            );
        }
        assert!(told("--help").contains("config-file "), "{program}");
        assert!(told("-h").contains("--help"), "{program}");
        // A worker has no values before it knows its broker.
        if !program.ends_with("worker") {
            for option in ["--print-config", "-P"] {
                assert!(told(option).contains("log-level = "), "{program} {option}");
            }
        }
    }
}

fn is_short(word: &str) -> bool {
    word.len() == 2 && word.starts_with('-')
}
