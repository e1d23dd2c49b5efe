//! Reads `[env]`, `build.rustdoc` and the runners of test binaries from cargo's configuration files.
//!
//! Cargo reads `.cargo/config.toml` (or `.cargo/config`) in the current directory and in every
//! directory above it, then the one in its home directory. The nearest file takes precedence,
//! variable by variable; a value of `--config` takes precedence over all of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::runner::{TargetRunners, TargetTable};
use crate::cargo::error::CargoError;
use crate::sandbox::invocation::{Invocation, ProcessEnvironment};

/// A variable that a configuration file sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredVariable {
    pub name: OsString,
    pub value: OsString,
    /// Whether it overrides the environment.
    pub strength: VariablePrecedence,
}

/// Whether a configured variable overrides the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariablePrecedence {
    /// It is set only if the environment lacks it.
    Default,
    /// It overrides the environment (`force = true`).
    Forced,
}

#[derive(Deserialize)]
struct CargoConfigFile {
    #[serde(default)]
    env: BTreeMap<String, EnvEntry>,
    #[serde(default)]
    target: BTreeMap<String, TargetTable>,
    #[serde(default)]
    build: BuildTable,
}

#[derive(Default, Deserialize)]
struct BuildTable {
    rustdoc: Option<String>,
}

/// The parts of cargo's configuration that affect tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CargoConfig {
    /// The variables of `[env]`.
    pub variables: Vec<ConfiguredVariable>,
    /// The programs that start test binaries.
    pub runners: TargetRunners,
    /// The program that compiles doctests, if one is named.
    pub rustdoc: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EnvEntry {
    Text(String),
    Table {
        value: String,
        #[serde(default)]
        force: bool,
        #[serde(default)]
        relative: bool,
    },
}

impl CargoConfig {
    /// Returns the rustdoc that cargo runs, if it is not that of the toolchain: environment variables
    /// win over the configuration.
    pub fn chosen_rustdoc(&self, invocation: &Invocation) -> Option<PathBuf> {
        let variable = |name| invocation.variable(name);
        match (variable("RUSTDOC"), variable("CARGO_BUILD_RUSTDOC")) {
            (Some(program), _) => Some(program.into()),
            (None, Some(program)) => Some(program_at(Path::new(program), &invocation.directory)),
            (None, None) => self.rustdoc.clone(),
        }
    }
}

impl BuildTable {
    fn rustdoc(&self, base: &Path) -> Option<PathBuf> {
        let program = self.rustdoc.as_deref()?;
        Some(program_at(Path::new(program), base))
    }
}

/// Returns the path of a program. As in cargo, a name without a slash is looked up on `PATH`.
fn program_at(program: &Path, base: &Path) -> PathBuf {
    match program.components().count() {
        0 | 1 => program.to_owned(),
        _ => base.join(program),
    }
}

impl ConfiguredVariable {
    /// Sets the variable according to its precedence.
    pub fn apply(&self, variables: &mut ProcessEnvironment) {
        match self.strength {
            VariablePrecedence::Forced => {
                variables.insert(self.name.clone(), self.value.clone());
            }
            VariablePrecedence::Default => {
                variables
                    .entry(self.name.clone())
                    .or_insert_with(|| self.value.clone());
            }
        }
    }
}

/// Reads cargo's configuration for a working directory. Returns an error if a file cannot be read
/// or parsed.
pub fn load(
    directory: &Path,
    cargo_home: Option<&Path>,
    options: &[String],
) -> Result<CargoConfig, CargoError> {
    let above = directory.ancestors().map(|parent| parent.join(".cargo"));
    let mut found = BTreeMap::new();
    let mut runners = TargetRunners::default();
    let mut rustdoc = None;
    // The last option comes first.
    for value in options.iter().rev() {
        let (file, base) = of_option(value, directory)?;
        runners.add(file.target, &base);
        rustdoc = rustdoc.or_else(|| file.build.rustdoc(&base));
        for (name, entry) in file.env {
            let variable = variable(&name, entry, &base);
            found.entry(name).or_insert(variable);
        }
    }
    for place in above.chain(cargo_home.map(Path::to_owned)) {
        let Some((path, text)) = read(&place)? else {
            continue;
        };
        let file: CargoConfigFile =
            toml::from_str(&text).map_err(|source| CargoError::ConfigForm {
                path: path.clone(),
                source: Box::new(source),
            })?;
        // Relative values start at the parent of the `.cargo` directory.
        let base = place.parent().unwrap_or(Path::new("/"));
        runners.add(file.target, base);
        rustdoc = rustdoc.or_else(|| file.build.rustdoc(base));
        for (name, entry) in file.env {
            let variable = variable(&name, entry, base);
            // The nearest file comes first, so the first one to set a variable wins.
            found.entry(name).or_insert(variable);
        }
    }
    Ok(CargoConfig {
        variables: found.into_values().collect(),
        runners,
        rustdoc,
    })
}

/// Reads a value of `--config`: the path of a file, or a setting. Relative values start at the
/// returned directory.
fn of_option(value: &str, directory: &Path) -> Result<(CargoConfigFile, PathBuf), CargoError> {
    let path = directory.join(value);
    if path.is_file() {
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| CargoError::ConfigRead {
            path: path.clone(),
            source,
        })?;
        let base = path.parent().and_then(Path::parent).unwrap_or(directory);
        let file = toml::from_str(&text).map_err(|source| CargoError::ConfigForm {
            path: path.clone(),
            source: Box::new(source),
        })?;
        return Ok((file, base.to_owned()));
    }
    let file = toml::from_str(value).map_err(|source| CargoError::ConfigOption {
        value: value.to_owned(),
        source: Box::new(source),
    })?;
    Ok((file, directory.to_owned()))
}

fn variable(name: &str, entry: EnvEntry, base: &Path) -> ConfiguredVariable {
    let (value, strength) = match entry {
        EnvEntry::Text(value) => (value.into(), VariablePrecedence::Default),
        EnvEntry::Table {
            value,
            force,
            relative,
        } => (
            match relative {
                true => base.join(value).into_os_string(),
                false => value.into(),
            },
            match force {
                true => VariablePrecedence::Forced,
                false => VariablePrecedence::Default,
            },
        ),
    };
    ConfiguredVariable {
        name: OsStr::new(name).to_owned(),
        value,
        strength,
    }
}

/// Reads the configuration file in a directory, if there is one. If there are two, cargo uses the
/// one without extension.
fn read(directory: &Path) -> Result<Option<(PathBuf, String)>, CargoError> {
    for name in ["config", "config.toml"] {
        let path = directory.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => return Ok(Some((path, text))),
            Err(error) if is_absence(&error) => {}
            Err(source) => return Err(CargoError::ConfigRead { path, source }),
        }
    }
    Ok(None)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::invocation::ColorMode;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_nearer_file_wins_and_relative_values_start_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let member = root.path().join("w/member");
        let home = root.path().join("home");
        write(
            &member.join(".cargo/config.toml"),
            "[env]\nNEAR = 'member'\nREL = { value = 'data', relative = true }\n",
        );
        write(
            &root.path().join("w/.cargo/config"),
            "[env]\nNEAR = 'workspace'\nFAR = { value = 'f', force = true }\n[build]\njobs = 1\n",
        );
        write(
            &home.join("config.toml"),
            "[env]\nFAR = 'home'\nHOME_ONLY = 'h'\n",
        );
        let variables = load(&member, Some(&home), &[]).unwrap();
        let mut environment = ProcessEnvironment::from([
            ("NEAR".into(), "shell".into()),
            ("FAR".into(), "shell".into()),
        ]);
        for variable in &variables.variables {
            variable.apply(&mut environment);
        }
        let expected = ProcessEnvironment::from([
            ("NEAR".into(), "shell".into()),
            ("FAR".into(), "f".into()),
            ("HOME_ONLY".into(), "h".into()),
            ("REL".into(), member.join("data").into_os_string()),
        ]);
        assert_eq!(environment, expected);
    }

    #[test]
    fn options_win_over_files_and_the_last_over_the_first() {
        let root = tempfile::tempdir().unwrap();
        write(
            &root.path().join(".cargo/config.toml"),
            "[env]\nA = 'file'\nB = 'file'\nC = 'file'\n",
        );
        write(
            &root.path().join("own/more.toml"),
            "[env]\nB = 'named file'\n",
        );
        let options = ["env.A='first'", "env.A='last'", "own/more.toml"].map(str::to_owned);
        let config = load(root.path(), None, &options).unwrap();
        let values = config.variables.iter();
        let values: Vec<_> = values
            .map(|variable| variable.value.to_str().unwrap())
            .collect();
        assert_eq!(values, ["last", "named file", "file"]);
        let error = load(root.path(), None, &["nonsense".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("nonsense"), "{error}");
    }

    #[test]
    fn a_rustdoc_of_ones_own_is_found_where_cargo_finds_it() {
        let root = tempfile::tempdir().unwrap();
        let member = root.path().join("member");
        let path = member.join(".cargo/config.toml");
        type Variables<'a> = &'a [(&'a str, &'a str)];
        let table: [(&str, Variables<'_>, &str); 6] = [
            ("", &[], "-"),
            ("[build]\nrustdoc = 'mine'", &[], "mine"),
            ("[build]\nrustdoc = 'tools/mine'", &[], "MEMBER/tools/mine"),
            ("", &[("CARGO_BUILD_RUSTDOC", "./mine")], "MEMBER/./mine"),
            ("", &[("RUSTDOC", "./mine")], "./mine"),
            (
                "[build]\nrustdoc = 'configured'",
                &[("RUSTDOC", "first"), ("CARGO_BUILD_RUSTDOC", "second")],
                "first",
            ),
        ];
        for (file, variables, expected) in table {
            write(&path, file);
            let variables = variables.iter();
            let invocation = Invocation {
                directory: member.clone(),
                environment: variables
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect(),
                colors: ColorMode::Unwanted,
            };
            let config = load(&member, None, &[]).unwrap();
            let chosen = config.chosen_rustdoc(&invocation);
            let chosen = chosen.unwrap_or_else(|| "-".into());
            let shown = chosen.to_string_lossy();
            let shown = shown.replace(&*member.to_string_lossy(), "MEMBER");
            assert_eq!(shown, expected, "{file:?}");
        }
        let option = ["build.rustdoc='last'".to_owned()];
        let config = load(&member, None, &option).unwrap();
        assert_eq!(config.rustdoc, Some("last".into()));
    }

    #[test]
    fn a_broken_file_is_named() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join(".cargo/config.toml"), "[env\n");
        let error = load(root.path(), None, &[]).unwrap_err();
        assert!(error.to_string().contains(".cargo/config.toml"), "{error}");
    }
}
