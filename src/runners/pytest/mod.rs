//! The runner for Python projects, `maelstrom-pytest`.
//!
//! ```text
//! options ─▶ interpreter ─▶ container ─▶ collection (pytest itself, in the container) ─▶ TestCase
//! ```
//!
//! - [`options`]: parses the command line, after [`words`] has separated pytest's words from our
//!   options by the tables of [`peer_flags`].
//!   [`addopts`]: the flags in the project's own configuration.
//! - [`watch_list`]: the files whose change starts a new round.
//! - [`interpreter`]: finds the active Python and its directories, and checks that it is suitable.
//! - [`container`]: defines a test's container: that Python, the project, and Maelstrom's own files
//!   (`runner.py` and others), which run pytest with a plugin.
//! - [`overrides`]: applies the project's specification file.
//! - [`packages`]: installs `test-requirements.txt` for images of Python.
//! - [`arguments`]: builds the command lines for the collection and for tests.
//! - [`collection`]: parses the collection: tests, and files that could not be collected.
//! - [`changed`]: selects files with tests by the files that changed.
//! - [`project`]: finds files of a project outside its directory.
//! - [`session`]: handles pytest's options that concern a whole session.
//! - [`groups`]: groups tests that run together in one session. [`group_jobs`]: the jobs of groups.
//!   [`divider`]: divides the output of a session at its [`markers`].
//! - [`job_builder`]: builds the jobs of a run. [`additions`]: what is added to their processes.
//! - [`record`]: parses pytest's result of a test. [`results`]: collects what a round reports at its
//!   end: [`warnings`], [`durations`], and the report of [`junit`].
//! - [`framework`]: implements the interface that the engine drives. [`error`]: its errors.
//!
//! pytest alone determines what a test is and whether it passes: its configuration files, plugins
//! and arguments keep their meaning.
//!
//! Coverage, and distribution by pytest-xdist, are not supported; they are turned off in the
//! containers.

mod additions;
pub mod addopts;
pub mod arguments;
mod changed;
pub mod collection;
pub mod container;
mod divider;
pub mod durations;
pub mod error;
mod fork_obstacles;
pub mod framework;
mod group_jobs;
pub mod groups;
pub mod interpreter;
pub mod job_builder;
pub mod junit;
mod markers;
pub mod options;
pub mod overrides;
pub mod packages;
pub mod peer_flags;
pub mod project;
pub mod record;
pub mod results;
pub mod session;
pub mod warnings;
mod watch_list;
pub mod words;

pub use self::error::PytestError;
pub use self::framework::PytestFramework;
pub use self::options::{PytestAction, PytestOptions, PytestOptionsError, PytestSettings};
