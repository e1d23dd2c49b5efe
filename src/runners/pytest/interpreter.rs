//! The active Python interpreter: which one it is, its directories, and whether it is suitable.
//!
//! It is the one that the user names, else that of the active virtual environment, else that of the
//! project's own if it has pytest, else `python3` or `python` on `PATH`. Shims (pyenv's, for
//! instance) are resolved, since the interpreter itself reports its path.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sandbox::invocation::Invocation;

use super::error::PytestError;
use super::project;

/// What an interpreter is asked.
const QUESTION: &str = include_str!("../../../assets/pytest/interpreter.py");

/// The oldest Python that `runner.py` and `resident.py` run with.
pub const PYTHON_LEAST: (u32, u32) = (3, 9);

/// The oldest pytest whose hooks they use.
pub const PYTEST_LEAST: u32 = 7;

/// A Python with a pytest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonInterpreter {
    pub executable: PathBuf,
    /// What belongs to it: its library, its packages, and where packages are edited in place.
    pub directories: Vec<PathBuf>,
    /// The project's virtual environment that it is of, if nobody has activated that.
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
    /// Finds the active one.
    pub async fn find(
        invocation: &Invocation,
        named: Option<&Path>,
    ) -> Result<PythonInterpreter, PytestError> {
        if let Some(prefix) = unactivated(invocation, named) {
            // One that is broken, or has no pytest, is there for something else.
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
                // A Python that starts is the one that is meant, whatever is wrong with it.
                Err(error @ PytestError::Start { .. }) => {
                    missing.get_or_insert(error);
                }
                asked => return asked,
            }
        }
        Err(missing.unwrap_or(PytestError::NoInterpreter))
    }
}

/// Asks a program what it is, and whether it will do.
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

/// The project's virtual environment, if none is active: neither by `VIRTUAL_ENV`, nor because its
/// programs come first on the search path.
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

/// Where the interpreter may be, the likeliest first.
fn candidates(invocation: &Invocation, named: Option<&Path>) -> Vec<OsString> {
    if let Some(named) = named {
        // A relative path starts where we were called; a bare name is looked up along PATH.
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

/// Whether it will do.
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

/// The directory of the shims by which tests find an interpreter that pyenv manages: everything in
/// it, since shims are programs that read it.
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
