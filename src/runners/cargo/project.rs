//! The data that stays constant while a project is built and its tests are listed.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Mutex;

use crate::sandbox::invocation::Invocation;
use crate::sandbox::project_spec::ProjectSpec;
use crate::sharing::SharedTests;

use maelstrom_spec::policy::PolicyResolver;

use super::doctests::reader::DoctestConditions;
use super::environment::config::ConfiguredVariable;
use super::metadata::CargoWorkspace;
use super::nextest_config::NextestRules;
use super::options::CargoSettings;
use super::reader::ListedBinaries;
use super::selection::CargoSelection;
use super::toolchain::RustToolchain;
use super::unresponsive::UnresponsivePrograms;

/// The inputs of one discovery. See the module documentation.
#[derive(Clone, Copy, Debug)]
pub struct CargoProject<'a> {
    /// The settings of the run.
    pub settings: &'a CargoSettings,
    /// The working directory and environment of the invocation.
    pub invocation: &'a Invocation,
    pub workspace: &'a CargoWorkspace,
    /// The selected packages and tests.
    pub wanted: &'a CargoSelection,
    /// The toolchain that builds the tests.
    pub toolchain: &'a RustToolchain,
    /// The variables of `[env]` in cargo's configuration.
    pub configured: &'a [ConfiguredVariable],
    /// The command that starts test binaries (cargo's `runner` setting), or nothing to start them
    /// directly.
    pub runner: &'a [OsString],
    /// The program that compiles doctests, if it is not that of the toolchain.
    pub rustdoc: Option<&'a Path>,
    /// The project's specification file, if there is one.
    pub specified: Option<&'a ProjectSpec>,
    /// What nextest's configuration says about tests.
    pub rules: &'a NextestRules,
    /// Settles how each test runs.
    pub policies: &'a PolicyResolver,
    /// Collects the output of `--explain`.
    pub explained: &'a Mutex<Vec<String>>,
    /// What the test binaries listed, for the parsers of their tests' output.
    pub listed: &'a ListedBinaries,
    /// The tests that share a process.
    pub(crate) shared: &'a SharedTests,
    /// When doctests have passed, for the parsers of their output.
    pub(super) doctests: &'a DoctestConditions,
    /// The programs that are not asked to list their tests.
    pub remembered: &'a UnresponsivePrograms,
}

impl CargoProject<'_> {
    /// Returns whether the layers of tests may contain build outputs.
    pub fn layers_are_built(&self) -> bool {
        let CargoWorkspace {
            root,
            target_directory,
            ..
        } = self.workspace;
        self.specified.is_some_and(|specified| {
            specified.layers_reach(root.as_std_path(), target_directory.as_std_path())
        })
    }
}
