//! `maelstrom-pytest`: Python projects.
//!
//! ```text
//! options ─▶ interpreter ─▶ container ─▶ collection (pytest itself, in the container) ─▶ TestCase
//! ```
//!
//! - [`options`]: the command line.
//! - [`interpreter`]: the active Python, its directories, and whether it will do.
//! - [`container`]: what a test finds around it: that Python, the project, and our files
//!   `runner.py` and others, which run pytest with our plugin in it.
//! - [`overrides`]: what the project's own file makes of it for some tests.
//! - [`packages`]: what `test-requirements.txt` adds to images of Python.
//! - [`arguments`]: the command lines of collection and of tests.
//! - [`collection`]: what pytest says the tests are, and which files it could not collect.
//! - [`project`]: what belongs to a project beside its directory.
//! - [`session`]: pytest's options that are about a whole session.
//! - [`groups`]: tests that run together in one.
//! - [`job_builder`]: the jobs of a run.
//! - [`record`]: what pytest says became of a test. [`warnings`]: what it warns of.
//! - [`framework`]: all of it together, as the engine drives it. [`error`]: why it gives up.
//!
//! What a test is, which there are and how one did is for pytest to say, never for us: its
//! configuration files, its plugins and its arguments keep their meaning.
//!
//! Deliberately absent: the measuring of coverage, and distribution by pytest-xdist, both of which
//! are turned off in the containers.

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
