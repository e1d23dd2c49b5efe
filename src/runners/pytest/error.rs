//! The errors of `maelstrom-pytest` before and during discovery.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use super::results::UnwritableReport;
use crate::changed::ChangedError;
use crate::sandbox::container::ContainerError;
use crate::sandbox::project_spec::ProjectSpecError;
use crate::sharing::SharingError;
use maelstrom_engine::layer_cache::LayerCacheError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// pytest's exit code for invalid arguments.
pub const PYTEST_USAGE: i32 = 4;

const ACTIVATE: &str =
    "activate the project's virtual environment, or name its Python with --python";

const REQUIRE: &str = "write a line `pytest` into it, and one for each other package";

/// The error of a failed discovery.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum PytestError {
    /// No Python interpreter was found.
    #[error("no `python3` was found")]
    #[diagnostic(help("{ACTIVATE}"))]
    NoInterpreter,
    /// Python could not be started.
    #[error("can't start `{program}`")]
    #[diagnostic(help("{ACTIVATE}"))]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    /// Python failed to report its version and paths.
    #[error("`{program}` could not say what it is: {}", .stderr.trim())]
    Interpreter {
        program: String,
        /// Its standard error.
        stderr: String,
    },
    /// Python's report cannot be parsed.
    #[error("`{program}` said something unexpected of itself")]
    InterpreterForm {
        program: String,
        #[source]
        source: serde_json::Error,
    },
    /// The Python is too old, or not CPython.
    #[error("{} is {found}; CPython 3.9 or newer is needed", program.display())]
    #[diagnostic(help("name another Python with --python"))]
    PythonVersion { program: PathBuf, found: String },
    /// The Python has no pytest.
    #[error("{} has no pytest", program.display())]
    #[diagnostic(help("{}", install(program)))]
    NoPytest { program: PathBuf },
    /// The Python's pytest is too old.
    #[error("{} has pytest {found}; 7.0 or newer is needed", program.display())]
    #[diagnostic(help("{}", install(program)))]
    PytestVersion {
        program: PathBuf,
        /// The version that was found.
        found: String,
    },
    /// A pytest option that applies to a whole session, and is not supported here.
    #[error("{option}{place} can't be had here")]
    #[diagnostic(help("{instead}"))]
    Session {
        option: String,
        /// Where the option is set, unless it is on the command line.
        place: &'static str,
        instead: &'static str,
    },
    /// The report of `--junitxml` cannot be written.
    #[error("can't write the report {}", path.display())]
    #[diagnostic(help("name a file in a directory that you may write to"))]
    Report {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// pytest did something other than collecting tests.
    #[error("pytest has not collected any tests, but done something else")]
    #[diagnostic(help("run pytest itself to be told something by it"))]
    NotCollected,
    /// pytest rejects an argument.
    #[error("pytest says: {said}")]
    Usage {
        /// The message of pytest.
        said: String,
    },
    /// pytest failed before it collected any file.
    #[error("pytest could not collect the tests: {how}{}", after(.output))]
    Collection {
        /// How its process ended.
        how: String,
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
        output: String,
    },
    /// The changed files cannot be known.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Changed(#[from] ChangedError),
    /// The collection has not reported what the project's files import.
    #[error("the collection did not say what the tests import")]
    #[diagnostic(help("leave out --changed-since to run all tests"))]
    Imports,
    /// The files of the pytest plugin could not be written.
    #[error("can't write {}", path.display())]
    Plugin {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The default container cannot be created for this project.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Container(#[from] ContainerError),
    /// The project's container file, or something that it refers to, is invalid.
    #[error(transparent)]
    #[diagnostic(forward(0))]
    Specified(Box<ProjectSpecError>),
    /// The container file excludes this machine's programs.
    #[error(
        "`toolbox = false` has no meaning here: the tests' Python is one of this machine's programs"
    )]
    #[diagnostic(help("begin with an image, such as `image = \"docker://python:3.12-slim\"`"))]
    Toolbox,
    /// An image with Python needs a requirements file, which cannot be read.
    #[error("`{uri}` needs {}, which can't be read", path.display())]
    #[diagnostic(help("{REQUIRE}"))]
    Requirements {
        uri: String,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} does not name pytest", path.display())]
    #[diagnostic(help("{REQUIRE}"))]
    NotRequired { path: PathBuf },
    /// The directory for an image's packages cannot be created or written.
    #[error("can't keep installed packages in {}", path.display())]
    #[diagnostic(help("free it, or name another place with XDG_CACHE_HOME"))]
    Packages {
        /// The file or directory.
        path: PathBuf,
        source: io::Error,
    },
    /// pip could not install the packages.
    #[error("the packages of test-requirements.txt could not be installed for `{uri}`: {how}{}", after(.output))]
    Install {
        uri: String,
        how: String,
        output: String,
    },
    /// Tests cannot share a session as the project wants it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Sharing(#[from] SharingError),
    /// The files that run pytest could not be added to a container of the project's file.
    #[error("can't make a layer of what runs pytest")]
    #[diagnostic(forward(source))]
    Equipment { source: LayerCacheError },
}

impl From<UnwritableReport> for PytestError {
    fn from(UnwritableReport { path, source }: UnwritableReport) -> Self {
        PytestError::Report { path, source }
    }
}

impl From<ProjectSpecError> for PytestError {
    fn from(error: ProjectSpecError) -> Self {
        PytestError::Specified(Box::new(error))
    }
}

/// Returns the command that installs pytest for this Python.
fn install(program: &Path) -> String {
    format!(
        "{} -m pip install 'pytest>=7', or name another Python with --python",
        program.display()
    )
}

fn after(output: &str) -> String {
    match output.trim() {
        "" => String::new(),
        said => format!("\n{said}"),
    }
}

/// Extracts pytest's message about invalid arguments, in one line, from its output. `None` if there
/// is none.
pub fn usage(output: &str) -> Option<String> {
    let lines = output.lines().map(str::trim_end);
    let mut said = lines.skip_while(|line| !line.starts_with("ERROR: "));
    let first = said.next()?.strip_prefix("ERROR: ")?;
    if !first.starts_with("usage: ") {
        return Some(first.to_owned());
    }
    let mark = ": error: ";
    let line = said.find(|line| line.contains(mark))?;
    line.split_once(mark).map(|(_, said)| said.to_owned())
}

impl ProgramError for PytestError {
    fn exit_code(&self) -> u8 {
        match self {
            PytestError::Session { .. }
            | PytestError::NotCollected
            | PytestError::Usage { .. }
            | PytestError::Collection {
                code: Some(PYTEST_USAGE),
                ..
            }
            | PytestError::Requirements { .. }
            | PytestError::NotRequired { .. }
            | PytestError::Sharing(_)
            | PytestError::Toolbox => exit_code::USAGE,
            PytestError::Specified(error) => error.exit_code(),
            PytestError::Changed(error) => error.exit_code(),
            PytestError::Equipment { source } => source.exit_code(),
            PytestError::NoInterpreter
            | PytestError::Start { .. }
            | PytestError::Interpreter { .. }
            | PytestError::InterpreterForm { .. }
            | PytestError::PythonVersion { .. }
            | PytestError::NoPytest { .. }
            | PytestError::PytestVersion { .. }
            | PytestError::Collection { .. }
            | PytestError::Plugin { .. }
            | PytestError::Imports
            | PytestError::Report { .. }
            | PytestError::Packages { .. }
            | PytestError::Install { .. }
            | PytestError::Container(_) => exit_code::INFRASTRUCTURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::usage;

    #[test]
    fn what_is_wrong_is_found_among_the_rest() {
        for (output, said) in [
            (
                "=== no tests ===\nERROR: file or directory not found: x\n\n",
                Some("file or directory not found: x"),
            ),
            (
                "ERROR: not found: /w/t.py::no\n(no match in any of [<Module t.py>])\n",
                Some("not found: /w/t.py::no"),
            ),
            (
                "ERROR: usage: python -m pytest [options]\npython -m pytest: error: unrecognized arguments: --no\n  inifile: None\n",
                Some("unrecognized arguments: --no"),
            ),
            ("ImportError while loading conftest\n", None),
        ] {
            assert_eq!(usage(output).as_deref(), said);
        }
    }
}
