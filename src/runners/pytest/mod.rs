//! `maelstrom-pytest`: Python projects.
//!
//! ```text
//! options ─▶ interpreter ─▶ container ─▶ collection (pytest itself, in the container) ─▶ TestCase
//! ```
//!
//! - [`options`]: the command line.
//! - [`interpreter`]: the active Python, its directories, and whether it is suitable.
//! - [`container`]: a test's container: that Python, the project, and our own files: `runner.py`
//!   and others, which run pytest with our plugin.
//! - [`overrides`]: applies the project's own file.
//! - [`packages`]: installs `test-requirements.txt` on images of Python.
//! - [`arguments`]: the command lines of collection and of tests.
//! - [`collection`]: parses the collection: tests, and files that could not be collected.
//! - [`project`]: the files of a project outside of its directory.
//! - [`session`]: pytest's options that concern a whole session.
//! - [`groups`]: tests that run together in one session.
//! - [`job_builder`]: builds the jobs of a run.
//! - [`record`]: parses pytest's result of a test. [`warnings`]: its warnings.
//! - [`framework`]: the framework that the engine drives. [`error`]: its errors.
//!
//! pytest alone decides what a test is and whether it passed: its configuration files, plugins and
//! arguments keep their meaning.
//!
//! Coverage and distribution by pytest-xdist are not supported, and turned off in the containers.

pub mod arguments;
pub mod collection;
pub mod container;
pub mod error;
pub mod framework;
pub mod groups;
pub mod interpreter;
pub mod job_builder;
pub mod options;
pub mod overrides;
pub mod packages;
pub mod project;
pub mod record;
pub mod session;
pub mod warnings;

pub use self::error::PytestError;
pub use self::framework::PytestFramework;
pub use self::options::{PytestAction, PytestOptions, PytestOptionsError, PytestSettings};
