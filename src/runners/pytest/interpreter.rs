//! Finds the active Python interpreter and its directories, and checks that it is suitable.
//!
//! It is the one that the user names, else that of the active virtual environment, else that of the
//! project's own virtual environment if it has pytest, else `python3` or `python` on `PATH`. Shims
//! (such as pyenv's) are resolved, since the interpreter itself reports its path.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sandbox::invocation::Invocation;

use super::error::PytestError;
use super::project;

/// The program that makes an interpreter describe itself.
const QUESTION: &str = include_str!("../../../assets/pytest/interpreter.py");

/// The oldest Python version that `runner.py` and `resident.py` support.
pub const PYTHON_LEAST: (u32, u32) = (3, 9);

/// The oldest pytest version that they support.
pub const PYTEST_LEAST: u32 = 7;

/// A Python interpreter with pytest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonInterpreter {
    pub executable: PathBuf,
    /// Its directories: the standard library, packages, and the sources of packages in editable
    /// mode.
    pub directories: Vec<PathBuf>,
    /// The project's virtual environment, if the interpreter is from it and it is not activated.
    pub found: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct InterpreterReport {
    executable: PathBuf,
    version: (u32, u32, u32),
    implementation: String,
    pytest: Option<String>,
    directories: Vec<PathBuf>,
}

impl PythonInterpreter {
    /// Finds the active interpreter. `named` is the user's choice.
    pub async fn find(
        invocation: &Invocation,
        named: Option<&Path>,
    ) -> Result<PythonInterpreter, PytestError> {
        if let Some(prefix) = unactivated(invocation, named) {
            // A broken environment, or one without pytest, is for another purpose.
            if let Ok(interpreter) = ask(invocation, prefix.join("bin/python").as_os_str()).await {
                let found = Some(prefix);
                return Ok(PythonInterpreter {
                    found,
                    ..interpreter
                });
            }
        }
        let mut missing = None;
        for program in candidates(invocation, named) {
            match ask(invocation, &program).await {
                // The first Python that starts is the right one, even if it is not suitable.
                Err(error @ PytestError::Start { .. }) => {
                    missing.get_or_insert(error);
                }
                asked => return asked,
            }
        }
        Err(missing.unwrap_or(PytestError::NoInterpreter))
    }
}

/// Runs an interpreter to describe itself, and checks that it is suitable.
async fn ask(invocation: &Invocation, program: &OsStr) -> Result<PythonInterpreter, PytestError> {
    let output = invocation
        .command(program)
        .args(["-c", QUESTION])
        .output()
        .await;
    let program = program.to_string_lossy().into_owned();
    let output = match output {
        Ok(output) => output,
        Err(source) => return Err(PytestError::Start { program, source }),
    };
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(PytestError::Interpreter { program, stderr });
    }
    let answer = serde_json::from_slice(&output.stdout)
        .map_err(|source| PytestError::InterpreterForm { program, source })?;
    accept(answer)
}

/// Returns the project's virtual environment, if none is active: neither by `VIRTUAL_ENV`, nor by
/// being first on `PATH`.
fn unactivated(invocation: &Invocation, named: Option<&Path>) -> Option<PathBuf> {
    if named.is_some() || invocation.variable("VIRTUAL_ENV").is_some() {
        return None;
    }
    let path = invocation.variable("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(path).map(|place| place.join("python3"));
    let active = programs.find(|program| program.is_file());
    let prefix = active
        .as_deref()
        .and_then(|active| active.parent()?.parent());
    if prefix.is_some_and(project::is_environment) {
        return None;
    }
    let home = invocation.path_variable("HOME");
    project::environment(&invocation.directory, home.as_deref())
}

/// Returns the programs that may be the interpreter, in order of preference.
fn candidates(invocation: &Invocation, named: Option<&Path>) -> Vec<OsString> {
    if let Some(named) = named {
        // A relative path starts at the working directory; a bare name is looked up on `PATH`.
        let bare = named.components().count() == 1;
        let program = match bare {
            true => named.to_owned(),
            false => invocation.directory.join(named),
        };
        return vec![program.into_os_string()];
    }
    let active = invocation.path_variable("VIRTUAL_ENV");
    let active = active.map(|prefix| prefix.join("bin/python").into_os_string());
    active
        .into_iter()
        .chain(["python3".into(), "python".into()])
        .collect()
}

/// Checks that an interpreter is suitable.
fn accept(answer: InterpreterReport) -> Result<PythonInterpreter, PytestError> {
    let (major, minor, patch) = answer.version;
    let program = answer.executable.clone();
    if (major, minor) < PYTHON_LEAST || answer.implementation != "cpython" {
        return Err(PytestError::PythonVersion {
            program,
            found: format!("{} {major}.{minor}.{patch}", answer.implementation),
        });
    }
    let Some(pytest) = answer.pytest else {
        return Err(PytestError::NoPytest { program });
    };
    let number = pytest
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if number.is_none_or(|major: u32| major < PYTEST_LEAST) {
        let found = pytest;
        return Err(PytestError::PytestVersion { program, found });
    }
    let mut directories = answer.directories;
    directories.extend(shims(&answer.executable));
    Ok(PythonInterpreter {
        executable: answer.executable,
        directories,
        found: None,
    })
}

/// Returns pyenv's directory, if it manages the interpreter and has shims: tests find the
/// interpreter by a shim, and shims read files from the whole directory.
fn shims(executable: &Path) -> Option<PathBuf> {
    let versions = executable.ancestors().find(|place| {
        let name = place.file_name();
        name.is_some_and(|name| name == "versions")
    })?;
    let manager = versions.parent()?;
    manager.join("shims").is_dir().then(|| manager.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::invocation::ColorMode;

    fn answer(version: (u32, u32, u32), pytest: Option<&str>) -> InterpreterReport {
        InterpreterReport {
            executable: "/py/bin/python3".into(),
            version,
            implementation: "cpython".to_owned(),
            pytest: pytest.map(str::to_owned),
            directories: vec!["/py".into()],
        }
    }

    #[test]
    fn what_is_too_old_is_named_with_what_is_needed() {
        let errors = [
            accept(answer((3, 8, 20), Some("8.0"))),
            accept(answer((3, 12, 1), None)),
            accept(answer((3, 12, 1), Some("6.2.5"))),
            accept(answer((3, 12, 1), Some("nightly"))),
        ]
        .map(|accepted| accepted.unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"), @r"
        /py/bin/python3 is cpython 3.8.20; CPython 3.9 or newer is needed
        /py/bin/python3 has no pytest
        /py/bin/python3 has pytest 6.2.5; 7.0 or newer is needed
        /py/bin/python3 has pytest nightly; 7.0 or newer is needed
        ");
        assert!(accept(answer((3, 9, 0), Some("7.0.0rc1"))).is_ok());
    }

    #[test]
    fn an_active_environment_comes_before_the_search_path() {
        let mut invocation = Invocation {
            directory: "/w".into(),
            environment: [("VIRTUAL_ENV".into(), "/v".into())].into(),
            colors: ColorMode::Unwanted,
        };
        let found = |invocation: &Invocation, named: Option<&str>| {
            let candidates = candidates(invocation, named.map(Path::new));
            candidates
                .first()
                .map(|first| first.to_string_lossy().into_owned())
        };
        assert_eq!(found(&invocation, None).unwrap(), "/v/bin/python");
        assert_eq!(found(&invocation, Some("py")).unwrap(), "py");
        assert_eq!(found(&invocation, Some("a/py")).unwrap(), "/w/a/py");
        invocation.environment.clear();
        assert_eq!(found(&invocation, None).unwrap(), "python3");
    }
}
