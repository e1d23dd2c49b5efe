//! What does not change while a project is built and listed.

use std::ffi::OsString;
use std::sync::Mutex;

use crate::sandbox::invocation::Invocation;
use crate::sandbox::specified::Specified;

use super::environment::config::ConfiguredVariable;
use super::metadata::Workspace;
use super::options::Settings;
use super::reader::Listed;
use super::remembered::Remembered;
use super::selection::Wanted;
use super::toolchain::Toolchain;

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub struct Project<'a> {
    /// What is wanted in general.
    pub settings: &'a Settings,
    /// How we were called.
    pub invocation: &'a Invocation,
    /// The workspace.
    pub workspace: &'a Workspace,
    /// What of it is wanted.
    pub wanted: &'a Wanted,
    /// The toolchain that builds.
    pub toolchain: &'a Toolchain,
    /// `[env]` of cargo's configuration.
    pub configured: &'a [ConfiguredVariable],
    /// What stands before a test binary when it is started: a program that starts it, or nothing.
    pub runner: &'a [OsString],
    /// What the project's own file says of containers, if there is one.
    pub specified: Option<&'a Specified>,
    /// What is said of the tests that are to be explained.
    pub explained: &'a Mutex<Vec<String>>,
    /// What is known of the test binaries, for whoever reads what their tests say.
    pub listed: &'a Listed,
    /// Which programs are not asked for their tests.
    pub remembered: &'a Remembered,
}

impl Project<'_> {
    /// Whether what tests are given may be something that the build makes.
    pub fn layers_are_built(&self) -> bool {
        let Workspace {
            root,
            target_directory,
            ..
        } = self.workspace;
        self.specified.is_some_and(|specified| {
            specified.layers_reach(root.as_std_path(), target_directory.as_std_path())
        })
    }
}
