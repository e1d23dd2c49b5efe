//! Which options of `cargo maelstrom` can also be set by variables and configuration files, and how
//! the command line is parsed. The options themselves document their meaning and defaults.

use std::ffi::{OsStr, OsString};

use clap::Parser;

use maelstrom_spec::config::{
    ConfigEnvironment, ConfigError, ConfigOption, ConfigOptionKind, ConfigSchema, ResolvedConfig,
    resolve,
};

use crate::options::report::REPORT_VALUES;
use crate::options::{REPEAT_VALUES, SLOT_VALUES};
use crate::sandbox::caches::CACHE_VALUES;
use crate::sandbox::cluster::{BROKER_VALUES, CLUSTER_VALUES};

use super::CargoOptions;

/// The program's name, and the options that can also be set by variables and configuration files.
pub static PROGRAM: ConfigSchema = ConfigSchema {
    name: "cargo-maelstrom",
    prefix: "CARGO_MAELSTROM",
    directories: &["maelstrom/cargo-maelstrom"],
    values: &[
        &SLOT_VALUES,
        &[ConfigOption::new("strict", ConfigOptionKind::Boolean)],
        &REPEAT_VALUES,
        &[ConfigOption::new("whole", ConfigOptionKind::List)],
        &CACHE_VALUES,
        &REPORT_VALUES,
        &BROKER_VALUES,
        &CLUSTER_VALUES,
        &[
            ConfigOption::new("jobs", ConfigOptionKind::Number),
            ConfigOption::new("features", ConfigOptionKind::Words),
            ConfigOption::new("all-features", ConfigOptionKind::Boolean),
            ConfigOption::new("no-default-features", ConfigOptionKind::Boolean),
            ConfigOption::new("profile", ConfigOptionKind::Text),
            ConfigOption::new("target", ConfigOptionKind::Text),
            ConfigOption::new("target-dir", ConfigOptionKind::Text),
            ConfigOption::new("manifest-path", ConfigOptionKind::Text),
            ConfigOption::new("frozen", ConfigOptionKind::Boolean),
            ConfigOption::new("locked", ConfigOptionKind::Boolean),
            ConfigOption::new("offline", ConfigOptionKind::Boolean),
            ConfigOption::trailing("extra-test-binary-args", "test_arguments"),
        ],
    ],
};

impl CargoOptions {
    /// Resolves the options from a command line (program name first), variables and files.
    ///
    /// Cargo calls `cargo-maelstrom maelstrom …` for `cargo maelstrom …`; the extra word is
    /// dropped.
    pub fn resolved<I>(
        arguments: I,
        system: &impl ConfigEnvironment,
    ) -> Result<ResolvedConfig<CargoOptions>, ConfigError>
    where
        I: IntoIterator<Item = OsString>,
    {
        resolve(&PROGRAM, &own_words(arguments), system)
    }

    /// Parses only a command line, program name first. [`CargoOptions::resolved`] also reads
    /// variables and files.
    pub fn read<I>(arguments: I) -> Result<CargoOptions, clap::Error>
    where
        I: IntoIterator<Item = OsString>,
    {
        CargoOptions::try_parse_from(own_words(arguments))
    }
}

/// Removes the word that cargo inserts, and replaces a subcommand of `cargo` or `cargo nextest` by
/// the equivalent option. As the first word, these are not names of tests; such a name can be given
/// after `--`.
fn own_words(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().peekable();
    let program = arguments.next();
    arguments.next_if(|first| first == OsStr::new("maelstrom"));
    let mut rest: Vec<OsString> = arguments.collect();
    let words: Vec<&str> = rest.iter().map_while(|word| word.to_str()).collect();
    let (taken, meant) = match words.as_slice() {
        ["nextest", "run" | "r", ..] => (2, None),
        ["nextest", "list", ..] => (2, Some("--list-tests")),
        ["run" | "test", ..] => (1, None),
        ["list", ..] => (1, Some("--list-tests")),
        ["help", ..] => (1, Some("--help")),
        _ => (0, None),
    };
    rest.splice(..taken, meant.map(OsString::from));
    program.into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::io;
    use std::path::Path;

    struct World {
        file: &'static str,
        variables: &'static [(&'static str, &'static str)],
    }

    impl ConfigEnvironment for World {
        fn variable(&self, name: &str) -> Option<OsString> {
            let mut variables = [("HOME", "/h")].iter().chain(self.variables);
            let found = variables.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        }

        fn variable_names(&self) -> Vec<OsString> {
            self.variables.iter().map(|(name, _)| name.into()).collect()
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            if path == Path::new("/h/.config/maelstrom/cargo-maelstrom/config.toml") {
                Ok(self.file.to_owned())
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        }
    }

    fn options(line: &str, world: &World) -> CargoOptions {
        let words = line.split_whitespace().map(OsString::from);
        CargoOptions::resolved(words, world).unwrap().options
    }

    #[test]
    fn the_values_are_options() {
        assert_eq!(PROGRAM.disagreements(&CargoOptions::command()), [""; 0]);
    }

    #[test]
    fn subcommands_mean_what_they_say() {
        for (typed, meant) in [
            ("p maelstrom run --lib x", "p --lib x"),
            ("p run", "p"),
            ("p maelstrom test test", "p test"),
            ("p maelstrom nextest run -p a", "p -p a"),
            ("p nextest r", "p"),
            ("p nextest list", "p --list-tests"),
            ("p maelstrom list -p a", "p --list-tests -p a"),
            ("p help", "p --help"),
            ("p -- run", "p -- run"),
            ("p --lib run", "p --lib run"),
            ("p maelstrom maelstrom", "p maelstrom"),
            ("p", "p"),
        ] {
            let words = |line: &str| -> Vec<OsString> {
                line.split_whitespace().map(OsString::from).collect()
            };
            assert_eq!(own_words(words(typed)), words(meant), "{typed}");
        }
    }

    #[test]
    fn variables_and_files_are_taken_and_the_command_line_wins() {
        let world = World {
            file: "slots = 7\nfeatures = \"a,b\"\nprofile = \"bench\"\nlocked = true\n\
                   extra-test-binary-args = [\"--nocapture\"]\nquiet = true\n",
            variables: &[
                ("MAELSTROM_REPEAT", "3"),
                ("CARGO_MAELSTROM_OFFLINE", "true"),
            ],
        };
        let plain = options("cargo-maelstrom maelstrom name", &world);
        assert_eq!(plain.names, ["name"]);
        assert_eq!(plain.common.slots, Some(7));
        assert_eq!(plain.common.repeat.get(), 3);
        assert_eq!(plain.build.features, ["a,b"]);
        assert_eq!(plain.build.profile.as_deref(), Some("bench"));
        assert!(plain.build.locked && plain.build.offline && plain.common.report.quiet);
        assert_eq!(plain.test_arguments, ["--nocapture"]);
        let typed = options(
            "cargo-maelstrom --release --ui=plain --slots=2 --no-locked --no-features -- --exact",
            &world,
        );
        assert!(typed.build.release && !typed.build.locked && !typed.common.report.quiet);
        assert_eq!(typed.build.profile, None);
        assert_eq!(typed.common.slots, Some(2));
        assert_eq!(typed.build.features, [""; 0]);
        assert_eq!(typed.test_arguments, ["--exact"]);
    }
}
