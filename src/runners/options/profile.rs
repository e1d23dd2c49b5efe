//! The profiles of a project's own file, as far as they set options of the run.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::policy::POLICY_VALUES;
use maelstrom_spec::config::{
    ConfigEnvironment, ConfigError, ConfigOption, ConfigSchema, KnownValues, ProjectValue,
    ProjectValues,
};
use maelstrom_spec::document::{TableField, TextDocument};
use maelstrom_spec::profile::{
    DEFAULT_PROFILE, ProfileOptions, did_you_mean_profile, profile_options,
};

/// What the files of a project are read for.
pub(crate) struct ProfileRequest<'a, S> {
    /// The values of the program.
    pub schema: &'static ConfigSchema,
    pub system: &'a S,
    /// The project's own file.
    pub file: Option<PathBuf>,
    /// The name of the profile.
    pub name: &'a str,
}

/// What a project's own file says about a profile.
#[derive(Debug, Default)]
pub(crate) struct ProfileAnswer {
    pub values: ProjectValues,
    pub is_known: bool,
    /// The names of the file's profiles.
    pub names: Vec<String>,
}

/// The name of an option in a profile.
fn field_name(option: &ConfigOption) -> String {
    option.name.replace('-', "_")
}

impl<S: ConfigEnvironment> ProfileRequest<'_, S> {
    /// Reads what the project's own file says. Without a file, that is nothing.
    pub(crate) fn answer(&self) -> Result<ProfileAnswer, ConfigError> {
        let Some(path) = &self.file else {
            return Ok(ProfileAnswer::default());
        };
        let name = path.file_name().unwrap_or(path.as_os_str());
        let Some(document) = read(self.system, path, &name.to_string_lossy())? else {
            return Ok(ProfileAnswer::default());
        };
        let options = || self.schema.values().filter(|option| !is_own(option));
        let known: Vec<String> = options().map(field_name).collect();
        let read = profile_options(&document, self.name, &known).map_err(ConfigError::File)?;
        let ProfileOptions {
            is_known,
            names,
            options: fields,
        } = read;
        let value = |field: TableField| {
            let option = options().find(|option| field_name(option) == field.name)?;
            Some(ProjectValue {
                option,
                rank: 0,
                document: Arc::clone(&document),
                field,
            })
        };
        Ok(ProfileAnswer {
            values: ProjectValues {
                values: fields.into_iter().filter_map(value).collect(),
                warnings: Vec::new(),
            },
            is_known,
            names,
        })
    }

    /// Reads what the project's own file says, where no other file has profiles.
    pub(crate) fn alone(self) -> Result<ProjectValues, ConfigError> {
        let answer = self.answer()?;
        if !answer.is_known {
            check_exists(self.name, &answer.names)?;
        }
        Ok(answer.values)
    }
}

/// Returns whether a value is about profiles, or a field about tests in them, and so no option that
/// a profile sets.
fn is_own(option: &ConfigOption) -> bool {
    let own = POLICY_VALUES.iter().any(|own| own.name == option.name);
    own || option.name == "timeout"
}

/// Returns the name of the profile of the run.
pub(crate) fn chosen_name(known: &dyn KnownValues) -> String {
    let name = known.text("run-profile");
    name.unwrap_or_else(|| DEFAULT_PROFILE.to_owned())
}

/// Reads a file that may be missing. `name` is what errors call it.
pub(crate) fn read(
    system: &impl ConfigEnvironment,
    path: &Path,
    name: &str,
) -> Result<Option<Arc<TextDocument>>, ConfigError> {
    match system.read(path) {
        Ok(text) => Ok(Some(Arc::new(TextDocument::new(name, text)))),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(source) => Err(ConfigError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Returns an error unless the name is that of the default profile. `known` are the names of the
/// profiles that exist.
pub(crate) fn check_exists(name: &str, known: &[String]) -> Result<(), ConfigError> {
    if name == DEFAULT_PROFILE {
        return Ok(());
    }
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let help = did_you_mean_profile(name, known.iter().copied()).unwrap_or_else(|| {
        let known: Vec<&str> = known.into_iter().collect();
        match known.as_slice() {
            [] => "no file of the project has profiles".to_owned(),
            known => format!("there are {}", known.join(", ")),
        }
    });
    Err(ConfigError::UnknownProfile {
        name: name.to_owned(),
        help,
    })
}

/// Returns the nearest directory that `has` what is looked for, from `start` upward.
pub(crate) fn nearest_directory(start: &Path, has: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let found = start.ancestors().find(|directory| has(directory));
    found.map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{REPEAT_VALUES, SLOT_VALUES, short_help};
    use maelstrom_model::error::help_of;
    use std::ffi::OsString;

    static PROGRAM: ConfigSchema = ConfigSchema {
        name: "counter",
        prefix: "COUNTER",
        directories: &[],
        help: &short_help::RUN,
        values: &[&SLOT_VALUES, &REPEAT_VALUES, &POLICY_VALUES],
    };

    /// A project with one file.
    struct Project(&'static str);

    impl ConfigEnvironment for Project {
        fn variable(&self, _: &str) -> Option<OsString> {
            None
        }

        fn variable_names(&self) -> Vec<OsString> {
            Vec::new()
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            match path == Path::new("/p/counter.toml") {
                true => Ok(self.0.to_owned()),
                false => Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    /// Returns the options that a profile sets, with their places, or the error.
    fn answer(text: &'static str, name: &str) -> String {
        let request = ProfileRequest {
            schema: &PROGRAM,
            system: &Project(text),
            file: Some("/p/counter.toml".into()),
            name,
        };
        match request.alone() {
            Ok(values) => {
                let values = values.values.iter().map(|value| {
                    let place = value.document.place(&value.field.span);
                    format!("{} ({place})", value.option.name)
                });
                values.collect::<Vec<_>>().join(", ")
            }
            Err(error) => {
                let help = help_of(&error).unwrap_or_default();
                format!("{error} / {help}")
            }
        }
    }

    #[test]
    fn options_of_a_profile_are_those_of_the_program_but_not_those_of_tests() {
        let text = "[profiles.ci]\nslots = 1\nstop_after = 2\nretries = 3\ntimeout = 4\n\
                    [profiles.default]\nslots = 5\nrepeat = 6\n";
        assert_eq!(
            answer(text, "ci"),
            "slots (counter.toml:2:1), stop-after (counter.toml:3:1), slots (counter.toml:7:1), \
             repeat (counter.toml:8:1)"
        );
        assert_eq!(
            answer(text, "default"),
            "slots (counter.toml:7:1), repeat (counter.toml:8:1)"
        );
        assert_eq!(answer("", "default"), "");
        for (text, name, expected) in [
            (text, "cy", "there is no profile `cy` / did you mean `ci`?"),
            (
                "",
                "ci",
                "there is no profile `ci` / no file of the project has profiles",
            ),
        ] {
            assert_eq!(answer(text, name), expected);
        }
        for wrong in ["slow_after = 1", "run_profile = \"x\"", "slot = 1"] {
            let text = format!("[profiles.ci]\n{wrong}\n").leak();
            assert!(
                answer(text, "ci").contains("a profile has no field"),
                "{wrong}"
            );
        }
    }
}
