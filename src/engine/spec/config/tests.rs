//! Tests every source, type and error, on a command line made for these tests.

mod dialect;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;
use maelstrom_model::error::help_of;
use proptest::prelude::*;

use super::schema::variable;
use super::*;

/// Counts things.
#[derive(Debug, Parser, PartialEq, Eq)]
#[command(name = "counter", disable_version_flag = true, term_width = 100)]
struct Options {
    /// Names of things
    names: Vec<String>,
    /// What stands after `--`
    #[arg(last = true)]
    arguments: Vec<OsString>,
    /// Where the broker is
    #[arg(short, long)]
    broker: Option<Address>,
    /// How large the cache may be
    #[arg(long, default_value = "1 GB")]
    cache_size: ByteSize,
    /// How many at a time
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    slots: Option<u32>,
    /// How long
    #[arg(long)]
    timeout: Option<u32>,
    /// How it looks
    #[arg(long, value_parser = ["auto", "plain"], conflicts_with = "quiet")]
    ui: Option<String>,
    /// Whether to be quiet
    #[arg(long)]
    quiet: bool,
    /// Whether to stay offline
    #[arg(long)]
    offline: bool,
    /// Whether to do without
    #[arg(long)]
    no_default_features: bool,
    /// Further words
    #[arg(long)]
    extra: Vec<String>,
    /// The character that escapes
    #[arg(long, default_value = "^]")]
    escape_char: String,
}

static PROGRAM: ConfigSchema = ConfigSchema {
    name: "counter",
    prefix: "MAELSTROM_COUNTER",
    directories: &["maelstrom/counter", "maelstrom/old-counter"],
    help: &ShortHelp::NONE,
    values: &[&[
        ConfigOption::new("broker", ConfigOptionKind::Text),
        ConfigOption::new("cache-size", ConfigOptionKind::Size),
        ConfigOption::new("slots", ConfigOptionKind::Number),
        ConfigOption::new("timeout", ConfigOptionKind::NumberOrText),
        ConfigOption::new("ui", ConfigOptionKind::Text),
        ConfigOption::new("quiet", ConfigOptionKind::Boolean),
        ConfigOption::new("offline", ConfigOptionKind::Boolean),
        ConfigOption::new("no-default-features", ConfigOptionKind::Boolean),
        ConfigOption::new("extra", ConfigOptionKind::List),
        ConfigOption::new("escape-char", ConfigOptionKind::Character),
        ConfigOption::trailing("extra-args", "arguments"),
    ]],
};

/// A simulated environment and file system.
#[derive(Default)]
struct World {
    variables: BTreeMap<String, OsString>,
    files: BTreeMap<PathBuf, String>,
}

impl World {
    fn with(mut self, name: &str, value: &str) -> World {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    fn file(mut self, path: &str, text: &str) -> World {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    /// Adds the configuration file of a user whose home directory is `/h`.
    fn configured(self, text: &str) -> World {
        self.with("HOME", "/h")
            .file("/h/.config/maelstrom/counter/config.toml", text)
    }

    fn settle(&self, arguments: &str) -> Result<ResolvedConfig<Options>, ConfigError> {
        let words = ["counter"].into_iter().chain(arguments.split_whitespace());
        let words: Vec<OsString> = words.map(OsString::from).collect();
        resolve(&PROGRAM, &words, self)
    }

    fn options(&self, arguments: &str) -> Options {
        match self.settle(arguments) {
            Ok(settled) => settled.options,
            Err(error) => panic!("{error}"),
        }
    }

    fn error(&self, arguments: &str) -> String {
        let error = self.settle(arguments).unwrap_err();
        match help_of(&error) {
            Some(help) => format!("{error}\nhelp: {help}"),
            None => error.to_string(),
        }
    }
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

#[test]
fn the_strongest_source_decides_alone() {
    let file = World::default().configured("slots = 4\nextra = [\"file\"]");
    assert_eq!(file.options("").slots, Some(4));
    let generic = file.with("MAELSTROM_SLOTS", "3");
    assert_eq!(generic.options("").slots, Some(3));
    let own = generic.with("MAELSTROM_COUNTER_SLOTS", "2");
    assert_eq!(own.options("").slots, Some(2));
    assert_eq!(own.options("--slots=1").slots, Some(1));
    assert_eq!(own.options("--extra=typed").extra, ["typed"]);
    assert_eq!(own.options("").extra, ["file"]);
    assert_eq!(World::default().options("").slots, None);
    assert_eq!(
        World::default().options("").cache_size,
        ByteSize(1_000_000_000)
    );
}

#[test]
fn files_are_searched_in_the_documented_order() {
    let places = [
        "/own/maelstrom/counter/config.toml",
        "/own/maelstrom/old-counter/config.toml",
        "/a/maelstrom/counter/config.toml",
        "/a/maelstrom/old-counter/config.toml",
        "/b/maelstrom/counter/config.toml",
        "/b/maelstrom/old-counter/config.toml",
    ];
    for first in 0..places.len() {
        let mut world = World::default()
            .with("HOME", "/h")
            .with("XDG_CONFIG_HOME", "/own")
            .with("XDG_CONFIG_DIRS", "/a:relative:/b")
            .file("/h/.config/maelstrom/counter/config.toml", "slots = 999");
        for (index, place) in places.iter().enumerate().skip(first) {
            world = world.file(place, &format!("slots = {}", index + 1));
        }
        assert_eq!(world.options("").slots, Some(first as u32 + 1));
    }
    let defaults = World::default()
        .with("HOME", "/h")
        .with("XDG_CONFIG_HOME", "")
        .with("XDG_CONFIG_DIRS", "")
        .file(
            "/etc/xdg/maelstrom/counter/config.toml",
            "slots = 2\ntimeout = 9",
        );
    assert_eq!(defaults.options("").slots, Some(2));
    let both = defaults.configured("slots = 1");
    assert_eq!(both.options("").slots, Some(1));
    assert_eq!(both.options("").timeout, Some(9));
}

#[test]
fn a_named_file_is_read_alone() {
    let world = World::default()
        .configured("slots = 4")
        .file("mine.toml", "timeout = 3");
    assert_eq!(world.options("--config-file mine.toml").timeout, Some(3));
    assert_eq!(world.options("-c mine.toml").slots, None);
    assert_eq!(world.options("--config-file=-").slots, None);
}

#[test]
fn every_kind_is_read_from_files() {
    let world = World::default().configured(
        r#"
        broker = "build.example:4000"
        cache-size = "2 MiB"
        timeout = "7"
        ui = "plain"
        offline = true
        no-default-features = false
        extra = ["a b", "--c"]
        escape-char = 29
        extra-args = ["--x", "y"]
        "#,
    );
    let expected = Options {
        names: vec!["name".to_owned()],
        arguments: vec!["--x".into(), "y".into()],
        broker: Some("build.example:4000".parse().unwrap()),
        cache_size: ByteSize(2 << 20),
        slots: None,
        timeout: Some(7),
        ui: Some("plain".to_owned()),
        quiet: false,
        offline: true,
        no_default_features: false,
        extra: vec!["a b".to_owned(), "--c".to_owned()],
        escape_char: r"\x1d".to_owned(),
    };
    assert_eq!(world.options("name"), expected);
    assert_eq!(world.options("--cache-size=1 name").cache_size, ByteSize(1));
    let integer = World::default().configured("cache-size = 4096\nescape-char = '~'");
    assert_eq!(integer.options("").cache_size, ByteSize(4096));
    assert_eq!(integer.options("").escape_char, "~");
}

#[test]
fn every_kind_is_read_from_variables() {
    let world = World::default()
        .with("MAELSTROM_COUNTER_BROKER", "[::1]:7")
        .with("MAELSTROM_CACHE_SIZE", "3k")
        .with("MAELSTROM_TIMEOUT", "5")
        .with("MAELSTROM_OFFLINE", "true")
        .with("MAELSTROM_QUIET", "false")
        .with("MAELSTROM_EXTRA", " a\tb\n-c ")
        .with("MAELSTROM_EXTRA_ARGS", "-x y");
    let options = world.options("");
    assert_eq!(options.broker.unwrap().to_string(), "[::1]:7");
    assert_eq!(options.cache_size, ByteSize(3_000));
    assert_eq!(options.timeout, Some(5));
    assert!(options.offline && !options.quiet);
    assert_eq!(options.extra, ["a", "b", "-c"]);
    assert_eq!(options.arguments, ["-x", "y"]);
}

#[test]
fn false_and_empty_beat_weaker_sources() {
    let file = "offline = true\nextra = [\"a\"]\nextra-args = [\"b\"]\nno-default-features = true";
    let world = World::default().configured(file);
    let options = world.options("--no-offline --no-extra --no-extra-args --default-features");
    assert!(!options.offline && !options.no_default_features);
    assert!(options.extra.is_empty() && options.arguments.is_empty());
    let options = world
        .with("MAELSTROM_OFFLINE", "false")
        .with("MAELSTROM_EXTRA", "  ")
        .with("MAELSTROM_EXTRA_ARGS", "")
        .options("");
    assert!(!options.offline && options.no_default_features);
    assert!(options.extra.is_empty() && options.arguments.is_empty());
    let world = World::default();
    assert!(
        world
            .error("--offline --no-offline")
            .contains("cannot be used with")
    );
}

#[test]
fn trailing_arguments_follow_those_typed() {
    let world = World::default().configured("extra-args = [\"file\"]");
    assert_eq!(world.options("a --").arguments, ["file"]);
    assert_eq!(world.options("a -- typed").arguments, ["typed"]);
}

#[test]
fn what_contradicts_something_stronger_is_left_out() {
    let world = World::default().configured("quiet = true");
    assert!(world.options("").quiet);
    let options = world.options("--ui=plain");
    assert!(!options.quiet);
    assert_eq!(options.ui.as_deref(), Some("plain"));
    let options = world.with("MAELSTROM_UI", "auto").options("");
    assert!(!options.quiet);
    let both = World::default().configured("quiet = true\nui = \"plain\"");
    assert!(both.error("").contains("cannot be used with"));
}

#[test]
fn mistakes_name_their_place() {
    let mut said = Vec::new();
    for text in [
        "slots = ",
        "slots = \"four\"",
        "slots = 5000",
        "a = 1\n  timeout = 1.5",
        "timeout = \"soon\"",
        "cache-size = \"1 XB\"",
        "cache-size = true",
        "ui = \"fancy\"",
        "offline = \"yes\"",
        "extra = \"a\"",
        "extra = [\"a\", 1]",
        "broker = \"nowhere\"",
        "escape-char = 300",
        "log-level = \"loud\"",
    ] {
        said.push(World::default().configured(text).error(""));
    }
    for (name, value) in [
        ("MAELSTROM_COUNTER_SLOTS", "0"),
        ("MAELSTROM_SLOTS", "four"),
        ("MAELSTROM_OFFLINE", "yes"),
        ("MAELSTROM_UI", "fancy"),
    ] {
        said.push(World::default().with(name, value).error(""));
    }
    said.push(World::default().error("--config-file=absent.toml"));
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn what_is_not_known_is_a_warning_that_names_the_nearest() {
    let world = World::default()
        .configured("slot = 3\n[something]\nelse = 1\n")
        .with("MAELSTROM_COUNTER_CACHESIZE", "1")
        .with("MAELSTROM_NOBODY", "1");
    let warnings = world.settle("").unwrap().warnings;
    let said: Vec<String> = warnings
        .into_iter()
        .map(|warning| format!("{}\nhelp: {:?}", warning.text, warning.help))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn help_needs_no_configuration_and_tells_of_it() {
    let world = World::default().configured("broken = ");
    let ConfigError::CommandLine(help) = world.settle("--help").unwrap_err() else {
        panic!("no help");
    };
    assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp);
    insta::assert_snapshot!(help.to_string());
}

#[test]
fn a_mistyped_option_is_told_before_anything_else() {
    let world = World::default().configured("broken = ");
    assert!(
        world
            .error("--slotss=3")
            .contains("a similar argument exists")
    );
    assert!(
        World::default()
            .error("--slots=3 --slots=4")
            .contains("multiple times")
    );
}

#[test]
fn the_printed_configuration_says_where_everything_comes_from() {
    let world = World::default()
        .configured("cache-size = \"2 MB\"\nextra = [\"a\", \"b\"]\nlog-level = \"debug\"\n")
        .with("MAELSTROM_OFFLINE", "true")
        .with("MAELSTROM_COUNTER_TIMEOUT", "5");
    let settled = world.settle("--print-config --slots=3 -- x").unwrap();
    assert_eq!(settled.log_level, LogLevel::Debug);
    insta::assert_snapshot!(settled.print.unwrap());
}

#[test]
fn every_value_is_an_argument_of_its_kind() {
    assert_eq!(
        PROGRAM.disagreements(&<Options as clap::CommandFactory>::command()),
        [""; 0]
    );
    static WRONG: ConfigSchema = ConfigSchema {
        values: &[&[
            ConfigOption::new("solts", ConfigOptionKind::Number),
            ConfigOption::new("slots", ConfigOptionKind::Boolean),
            ConfigOption::new("extra", ConfigOptionKind::Text),
        ]],
        ..PROGRAM_HEAD
    };
    assert_eq!(
        WRONG
            .disagreements(&<Options as clap::CommandFactory>::command())
            .len(),
        3
    );
}

const PROGRAM_HEAD: ConfigSchema = ConfigSchema {
    name: "counter",
    prefix: "MAELSTROM_COUNTER",
    directories: &[],
    help: &ShortHelp::NONE,
    values: &[],
};

fn number() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(1..=1000_u32)
}

proptest! {
    #[test]
    fn printed_values_read_back(
        slots in number(),
        timeout in number(),
        offline in any::<bool>(),
        extra in prop::collection::vec("[a-z\"' \\\\#=-]{1,8}", 0..4),
        size in any::<u64>(),
    ) {
        let mut words = vec!["counter".to_owned(), "--print-config".to_owned()];
        words.extend(slots.map(|slots| format!("--slots={slots}")));
        words.extend(timeout.map(|timeout| format!("--timeout={timeout}")));
        words.extend(offline.then(|| "--offline".to_owned()));
        words.extend(extra.iter().map(|item| format!("--extra={item}")));
        words.push(format!("--cache-size={}", ByteSize(size)));
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        let first = resolve::<Options>(&PROGRAM, &words, &World::default()).unwrap();
        let printed = first.print.unwrap();
        let again = World::default().configured(&printed);
        prop_assert_eq!(again.options(""), first.options);
    }

    #[test]
    fn any_file_is_read_or_refused(text in any::<String>()) {
        let _ = World::default().configured(&text).settle("");
    }

    #[test]
    fn any_variable_is_read_or_refused(text in any::<String>(), index in 0..11_usize) {
        let name = variable("MAELSTROM", PROGRAM.values().nth(index).unwrap().name);
        let _ = World::default().with(&name, &text).settle("");
    }
}
