//! Starts the run of cargo that compiles doctests.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::cargo::build::{CargoBuild, PackageArguments, doctest_arguments};
use crate::cargo::error::CargoError;
use crate::cargo::options::{CargoBuildOptions, CargoSettings, IgnoredTests, NameFilter};
use crate::cargo::project::CargoProject;
use crate::sandbox::container::workspace::version_controlled_tree;
use crate::sandbox::run_directory::RunDirectory;

use super::protocol::{DIRECTORY, REUSE, RUNNER, RUSTDOC, ReusePlaces, TEST_ARGUMENTS};

/// The name of the directory for doctests in the target directory.
const DIRECTORY_NAME: &str = "maelstrom-doctests";

/// The name of the directory for what is kept for later runs, beside the directories of runs.
const KEPT: &str = "kept";

/// The inputs of the run of cargo.
pub(in crate::cargo) struct DoctestStage<'a> {
    pub project: &'a CargoProject<'a>,
    /// This program.
    pub helper: &'a Path,
}

impl DoctestStage<'_> {
    /// Creates the directory in which programs are kept.
    pub(in crate::cargo) fn directory(&self) -> Result<RunDirectory, CargoError> {
        RunDirectory::new(&self.parent())
            .map_err(|(path, source)| CargoError::Keep { path, source })
    }

    /// Returns the directory for doctests.
    fn parent(&self) -> PathBuf {
        let target = &self.project.workspace.target_directory;
        target.as_std_path().join(DIRECTORY_NAME)
    }

    /// Returns where doctests are kept for later runs.
    fn reuse_places(&self) -> ReusePlaces {
        let workspace = self.project.workspace;
        let root = workspace.root.as_std_path();
        let home = self.project.invocation.path_variable("HOME");
        let tree = version_controlled_tree(root, home.as_deref());
        let built = [&workspace.target_directory, &workspace.build_directory];
        ReusePlaces {
            kept: self.parent().join(KEPT),
            sources: tree.into_iter().chain([root.to_owned()]).collect(),
            built: built.map(|path| path.as_std_path().to_owned()).into(),
        }
    }

    /// Returns cargo's arguments.
    pub(in crate::cargo) fn arguments(
        &self,
        packages: &PackageArguments,
        options: &CargoBuildOptions,
    ) -> Vec<OsString> {
        let CargoProject {
            invocation,
            workspace,
            ..
        } = self.project;
        let mut arguments = doctest_arguments(packages, options, invocation.colors);
        arguments.extend(workspace.directories.iter().cloned());
        arguments
    }

    /// Starts cargo with these arguments.
    pub(in crate::cargo) fn start(
        &self,
        arguments: &[OsString],
        directory: &RunDirectory,
    ) -> Result<CargoBuild, CargoError> {
        let array = |words: Vec<String>| serde_json::Value::from(words).to_string().into();
        let runner = self.project.runner.iter();
        let runner = runner.map(|word| word.to_string_lossy().into_owned());
        let variables = [
            ("RUSTDOC", self.helper.into()),
            (RUSTDOC, self.rustdoc().into()),
            (DIRECTORY, directory.path().into()),
            (TEST_ARGUMENTS, array(test_arguments(self.project.settings))),
            (RUNNER, array(runner.collect())),
            // Without it, nothing is kept.
            (
                REUSE,
                serde_json::to_string(&self.reuse_places())
                    .unwrap_or_default()
                    .into(),
            ),
        ];
        CargoBuild::start(self.project.invocation, arguments, variables)
    }

    /// Returns the rustdoc that cargo would run.
    fn rustdoc(&self) -> PathBuf {
        let beside = self.project.toolchain.sysroot.join("bin/rustdoc");
        let named = self.project.rustdoc.map(Path::to_owned);
        named
            .or_else(|| beside.is_file().then_some(beside))
            .unwrap_or_else(|| OsStr::new("rustdoc").into())
    }
}

/// Returns the arguments that keep rustdoc from compiling doctests that are not selected by name.
/// They may select more than the settings do.
fn test_arguments(settings: &CargoSettings) -> Vec<String> {
    let ignored = match settings.ignored {
        IgnoredTests::Report => None,
        IgnoredTests::Only => Some("--ignored"),
        IgnoredTests::Run => Some("--include-ignored"),
    };
    let ignored = ignored.map(str::to_owned).into_iter();
    ignored.chain(name_arguments(&settings.names)).collect()
}

/// Returns the arguments for names. rustdoc splits its arguments at spaces, so of a name with spaces
/// only the longest word is used.
fn name_arguments(filter: &NameFilter) -> Vec<String> {
    let words = filter.names.iter().map(|name| {
        let words = name.split_whitespace();
        words.max_by_key(|word| word.len()).unwrap_or_default()
    });
    let words: Vec<&str> = words.collect();
    // The option would take an empty word, or one like an option, for something else.
    if words
        .iter()
        .any(|word| word.is_empty() || word.starts_with('-'))
    {
        return Vec::new();
    }
    words.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::options::NameMatch;

    #[test]
    fn names_select_at_least_what_they_should() {
        for (names, expected) in [
            (&[][..], &[][..]),
            (&["lib.rs", "value::Value"], &["lib.rs", "value::Value"]),
            (&["src/lib.rs - a (line 3)"], &["src/lib.rs"]),
            (&["a", ""], &[]),
            (&["-a"], &[]),
        ] {
            let filter = NameFilter {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                skip: vec!["x".to_owned()],
                matching: NameMatch::Whole,
            };
            assert_eq!(name_arguments(&filter), expected, "{names:?}");
        }
    }
}
