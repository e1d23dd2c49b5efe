//! Why `maelstrom-pytest` failed before or during discovery.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::sandbox::container::ContainerError;
use crate::sandbox::project_spec::ProjectSpecError;
use maelstrom_engine::layer_cache::LayerCacheError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// pytest's exit code for arguments it doesn't understand.
pub const PYTEST_USAGE: i32 = 4;

const ACTIVATE: &str =
    "activate the project's virtual environment, or name its Python with --python";

const REQUIRE: &str = "write a line `pytest` into it, and one for each other package";

/// Why discovery gave up.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum PytestError {
    /// There is nowhere to look for a Python.
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
    /// Python could not say what it is.
    #[error("`{program}` could not say what it is: {}", .stderr.trim())]
    Interpreter {
        program: String,
        /// What it said instead.
        stderr: String,
    },
    /// Python's answer is not what was asked for.
    #[error("`{program}` said something unexpected of itself")]
    InterpreterForm {
        program: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// It is too old, or not CPython.
    #[error("{} is {found}; CPython 3.9 or newer is needed", program.display())]
    #[diagnostic(help("name another Python with --python"))]
    PythonVersion { program: PathBuf, found: String },
    /// It has no pytest.
    #[error("{} has no pytest", program.display())]
    #[diagnostic(help("{}", install(program)))]
    NoPytest { program: PathBuf },
    /// Its pytest is too old.
    #[error("{} has pytest {found}; 7.0 or newer is needed", program.display())]
    #[diagnostic(help("{}", install(program)))]
    PytestVersion {
        program: PathBuf,
        /// The version of its pytest.
        found: String,
    },
    /// An option that is about a whole session of pytest's, and has no meaning here.
    #[error("{option}{place} can't be had here")]
    #[diagnostic(help("{instead}"))]
    Session {
        option: String,
        /// Where it stands, if it was not typed.
        place: &'static str,
        instead: &'static str,
    },
    /// pytest did something else than collecting.
    #[error("pytest has not collected any tests, but done something else")]
    #[diagnostic(help("run pytest itself to be told something by it"))]
    NotCollected,
    /// pytest does not know what it was given.
    #[error("pytest says: {said}")]
    Usage {
        /// What it says of that.
        said: String,
    },
    /// pytest gave up before it came to any file.
    #[error("pytest could not collect the tests: {how}{}", after(.output))]
    Collection {
        /// How its process ended.
        how: String,
        /// Its exit code, if it had one.
        code: Option<i32>,
        output: String,
    },
    /// Our files could not be put where pytest finds them.
    #[error("can't write {}", path.display())]
    Plugin {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The default container can't be made for this project.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Container(#[from] ContainerError),
    /// The project's file, or what it asks for.
    #[error(transparent)]
    #[diagnostic(forward(0))]
    Specified(Box<ProjectSpecError>),
    /// A container without this machine's programs.
    #[error(
        "`toolbox = false` has no meaning here: the tests' Python is one of this machine's programs"
    )]
    #[diagnostic(help("begin with an image, such as `image = \"docker://python:3.12-slim\"`"))]
    Toolbox,
    /// An image of Python, and no requirements for it.
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
    /// The packages of an image have no place.
    #[error("can't keep installed packages in {}", path.display())]
    #[diagnostic(help("free it, or name another place with XDG_CACHE_HOME"))]
    Packages {
        /// The file or directory.
        path: PathBuf,
        source: io::Error,
    },
    /// pip could not install them.
    #[error("the packages of test-requirements.txt could not be installed for `{uri}`: {how}{}", after(.output))]
    Install {
        uri: String,
        how: String,
        output: String,
    },
    /// Our files could not be put into a container of the file's.
    #[error("can't make a layer of what runs pytest")]
    #[diagnostic(forward(source))]
    Equipment { source: LayerCacheError },
}

impl From<ProjectSpecError> for PytestError {
    fn from(error: ProjectSpecError) -> Self {
        PytestError::Specified(Box::new(error))
    }
}

/// How a Python gets a pytest.
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

/// What pytest says is wrong with what it was given, in one line, if that can be told from the
/// rest.
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
            | PytestError::Toolbox => exit_code::USAGE,
            PytestError::Specified(error) => error.exit_code(),
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
