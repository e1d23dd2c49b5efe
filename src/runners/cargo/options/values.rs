//! Which options of `cargo maelstrom` can also be set by variables and configuration files, and how
//! the command line is parsed. The options themselves document their meaning and defaults.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::FromArgMatches;

use maelstrom_spec::config::{
    ConfigDialect, ConfigEnvironment, ConfigError, ConfigOption, ConfigOptionKind, ConfigSchema,
    KnownValues, ProjectValues, ResolvedConfig, resolve_dialect,
};
use maelstrom_spec::document::TextDocument;

use crate::options::changed::CHANGED_VALUES;
use crate::options::policy::POLICY_VALUES;
use crate::options::profile::{ProfileRequest, chosen_name, nearest_directory};
use crate::options::report::REPORT_VALUES;
use crate::options::{REPEAT_VALUES, SLOT_VALUES, short_help};
use crate::sandbox::caches::CACHE_VALUES;
use crate::sandbox::cluster::{BROKER_VALUES, CLUSTER_VALUES};

use crate::cargo::nextest_config::NextestSettings;
use crate::cargo::nextest_config::load::NextestFiles;
use crate::sandbox::project_spec::files;

use super::CargoOptions;
use super::grammar::{CargoWords, number_after_release};

/// The program's name, and the options that can also be set by variables and configuration files.
pub static PROGRAM: ConfigSchema = ConfigSchema {
    name: "cargo-maelstrom",
    prefix: "CARGO_MAELSTROM",
    directories: &["maelstrom/cargo-maelstrom"],
    help: &short_help::CARGO,
    values: &[
        &SLOT_VALUES,
        &[ConfigOption::new("strict", ConfigOptionKind::Boolean)],
        &REPEAT_VALUES,
        &CHANGED_VALUES,
        &POLICY_VALUES,
        &[ConfigOption::new("whole", ConfigOptionKind::List)],
        &CACHE_VALUES,
        &REPORT_VALUES,
        &BROKER_VALUES,
        &CLUSTER_VALUES,
        &[
            ConfigOption::new("no-tests", ConfigOptionKind::Text),
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
    pub fn resolved<I>(
        arguments: I,
        system: &impl ConfigEnvironment,
    ) -> Result<ResolvedConfig<CargoOptions>, ConfigError>
    where
        I: IntoIterator<Item = OsString>,
    {
        let CargoWords { grammar, words } = CargoWords::read(arguments).map_err(on_command_line)?;
        let mut config = NextestSettings::default();
        let dialect = ConfigDialect {
            command: grammar.command(),
            variables: grammar.variables(),
            project: Some(Box::new(|known| {
                let (values, settings) = profile(known, system)?;
                config = settings;
                Ok(values)
            })),
        };
        let mut resolved: ResolvedConfig<CargoOptions> =
            resolve_dialect(&PROGRAM, dialect, &words, system)?;
        resolved.options.grammar = grammar;
        resolved.options.number_after_release = number_after_release(&words);
        resolved.options.common.report.junit_store = config.store.clone();
        resolved.options.nextest.config = config;
        resolved.options.common.policy.origins = resolved.origins.clone();
        grammar.check_variables(system)?;
        Ok(resolved)
    }

    /// Parses only a command line, program name first. [`CargoOptions::resolved`] also reads
    /// variables and files.
    pub fn read<I>(arguments: I) -> Result<CargoOptions, clap::Error>
    where
        I: IntoIterator<Item = OsString>,
    {
        let CargoWords { grammar, words } = CargoWords::read(arguments)?;
        let number = number_after_release(&words);
        let matches = grammar.command().try_get_matches_from(words)?;
        let mut options = CargoOptions::from_arg_matches(&matches)?;
        options.grammar = grammar;
        options.number_after_release = number;
        Ok(options)
    }
}

/// Returns what the workspace's files say about the run, and nextest's about its tests.
fn profile(
    known: &dyn KnownValues,
    system: &impl ConfigEnvironment,
) -> Result<(ProjectValues, NextestSettings), ConfigError> {
    let Some(here) = system.directory() else {
        return Ok(Default::default());
    };
    let manifest = known.text("manifest-path").map(|path| here.join(path));
    let start = manifest.as_deref().and_then(Path::parent).unwrap_or(&here);
    let root = workspace_root(start, system).unwrap_or_else(|| here.clone());
    let name = chosen_name(known);
    let own = ProfileRequest {
        schema: &PROGRAM,
        system,
        file: Some(root.join(files::CARGO.name)),
        name: &name,
    };
    let named = known.typed("nextest_config_file").pop();
    let nextest = NextestFiles {
        root,
        named: named.map(|path| here.join(path)),
        tools: known.typed("tool_config_file"),
    };
    nextest.load(system, &name, own.answer()?)
}

/// Returns the root of the workspace around a directory: that of the nearest manifest with
/// `[workspace]`, or else of the nearest one.
fn workspace_root(start: &Path, system: &impl ConfigEnvironment) -> Option<PathBuf> {
    let manifest = |directory: &Path| system.read(&directory.join("Cargo.toml")).ok();
    let is_root = |directory: &Path| {
        let table = manifest(directory).map(|text| TextDocument::new("Cargo.toml", text));
        let table = table.and_then(|document| document.read_toml().ok());
        table.is_some_and(|mut table| table.take("workspace").is_some())
    };
    let root = nearest_directory(start, is_root);
    root.or_else(|| nearest_directory(start, |directory| manifest(directory).is_some()))
}

fn on_command_line(error: clap::Error) -> ConfigError {
    ConfigError::CommandLine(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::options::peer::CargoGrammar;
    use clap::CommandFactory;
    use std::io;

    const GRAMMARS: [CargoGrammar; 3] = [
        CargoGrammar::CargoTest,
        CargoGrammar::NextestRun,
        CargoGrammar::NextestList,
    ];

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

        fn directory(&self) -> Option<PathBuf> {
            Some("/w".into())
        }
    }

    fn options(line: &str, world: &World) -> CargoOptions {
        let words = line.split_whitespace().map(OsString::from);
        CargoOptions::resolved(words, world).unwrap().options
    }

    #[test]
    fn the_values_are_options() {
        assert_eq!(PROGRAM.disagreements(&CargoOptions::command()), [""; 0]);
        for grammar in GRAMMARS {
            assert_eq!(PROGRAM.disagreements(&grammar.command()), [""; 0]);
            grammar.command().debug_assert();
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
        assert_eq!(plain.common.repeats.plan().at_once(), 3);
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

    #[test]
    fn files_mean_the_same_whatever_the_grammar_calls_their_values() {
        let world = World {
            file: "profile = \"bench\"\njobs = 3\nslots = 5\n",
            variables: &[],
        };
        for word in ["", "test", "run", "nextest run", "list"] {
            let options = options(&format!("cargo-maelstrom {word}"), &world);
            assert_eq!(options.build.profile.as_deref(), Some("bench"), "{word}");
            assert_eq!(options.build.jobs, Some(3), "{word}");
            assert_eq!(options.common.policy.run_profile, None, "{word}");
            assert_eq!(options.common.slots, Some(5), "{word}");
        }
        let typed = options("p run --build-jobs 2 --cargo-profile dev -j 4", &world);
        assert_eq!(typed.build.profile.as_deref(), Some("dev"));
        assert_eq!(typed.build.jobs, Some(2));
        assert_eq!(typed.common.slots, None);
    }

    #[test]
    fn variables_of_the_replaced_tool_come_after_our_own_and_before_files() {
        let world = |variables| World {
            file: "slots = 7\ncolor = \"never\"\n",
            variables,
        };
        let slots = |line: &str, variables| {
            let cpus = std::num::NonZeroU32::new(8).unwrap();
            let options = options(line, &world(variables));
            options.resolve(cpus).unwrap().common.slots
        };
        assert_eq!(slots("p", &[]), 7);
        assert_eq!(slots("p", &[("RUST_TEST_THREADS", "3")]), 3);
        assert_eq!(slots("p run", &[("RUST_TEST_THREADS", "3")]), 7);
        assert_eq!(slots("p run", &[("NEXTEST_TEST_THREADS", "-3")]), 5);
        assert_eq!(slots("p run", &[("NEXTEST_TEST_THREADS", "")]), 7);
        let both = &[("RUST_TEST_THREADS", "3"), ("MAELSTROM_SLOTS", "4")];
        assert_eq!(slots("p", both), 4);
        assert_eq!(slots("p --slots 2", both), 2);
        assert_eq!(
            slots("p -- --test-threads 2", &[("RUST_TEST_THREADS", "3")]),
            2
        );
        let words = ["p", "--print-config"].map(OsString::from);
        let world = world(&[("CARGO_TERM_COLOR", "always"), ("RUST_TEST_THREADS", "3")]);
        let printed = CargoOptions::resolved(words, &world)
            .unwrap()
            .print
            .unwrap();
        for line in [
            "color = \"always\" # CARGO_TERM_COLOR",
            "test-threads = 3 # RUST_TEST_THREADS",
            "# slots is not set",
        ] {
            assert!(printed.contains(line), "{printed}");
        }
    }

    #[test]
    fn variables_that_mean_nothing_here_are_errors() {
        let error = |line: &str, variables| {
            let world = World {
                file: "",
                variables,
            };
            let words = line.split_whitespace().map(OsString::from);
            match CargoOptions::resolved(words, &world) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            }
        };
        insta::assert_snapshot!(
            [
                error("p run", &[("NEXTEST_PROFILE", "ci")]),
                error("p list", &[("NEXTEST_PROFILE", "ci")]),
                error("p run", &[("NEXTEST_RETRIES", "often")]),
                error("p run", &[("NEXTEST_NO_TESTS", "never")]),
                error("p run", &[("NEXTEST_TEST_THREADS", "many")]),
                error("p", &[("CARGO_TERM_COLOR", "blue")]),
            ]
            .join("\n"),
            @"
            there is no profile `ci`
            there is no profile `ci`
            the variable NEXTEST_RETRIES: invalid value `often`: expected a whole number
            the variable NEXTEST_NO_TESTS: invalid value `never`: `auto`, `pass`, `warn` or `fail` is expected
            the variable NEXTEST_TEST_THREADS: invalid value `many`: a number other than 0 is expected, or `num-cpus`
            the variable CARGO_TERM_COLOR: invalid value `blue`: expected `auto`, `always` or `never`
            "
        );
        for (line, variables) in [
            ("p", &[("NEXTEST_PROFILE", "ci")][..]),
            ("p run", &[("NEXTEST_PROFILE", "default")]),
            (
                "p run",
                &[("NEXTEST_RETRIES", "2"), ("NEXTEST_FLAKY_RESULT", "fail")],
            ),
            ("p run", &[("NEXTEST_NO_TESTS", "auto")]),
            ("p run", &[("RUST_TEST_THREADS", "many")]),
        ] {
            assert_eq!(error(line, variables), "", "{line} {variables:?}");
        }
    }
}
