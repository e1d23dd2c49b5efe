//! The names of packages, targets and tests of the project in the current directory, for completion.
//!
//! Nothing is built. Packages and targets come from the build tool's description of the project, and
//! tests from the history of earlier runs. Each source has a time limit; one that is late, or fails,
//! has no names.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::completion::CompletionNames;
use maelstrom_engine::run::history::HistoryStore;
use maelstrom_runners::sandbox::invocation::{ColorMode, Invocation};
use maelstrom_runners::sandbox::project_directories::ProjectDirectories;

/// The time limit of each source: a person waits for the answer.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The names of the project in the current directory.
#[derive(Clone, Copy, Debug)]
pub struct ProjectNames {
    /// The program whose command line is completed.
    program: &'static str,
}

impl ProjectNames {
    /// Returns the names for a program.
    pub fn of(program: &'static str) -> ProjectNames {
        ProjectNames { program }
    }
}

impl CompletionNames for ProjectNames {
    fn names(&self, argument: &str) -> Option<Vec<String>> {
        match (self.program, argument) {
            ("cargo-maelstrom", _) => cargo_names(argument),
            ("maelstrom-go-test", "packages") => Some(go_packages()),
            ("maelstrom-go-test", "run" | "skip" | "explain") => {
                let module = ancestor_with("go.mod");
                Some(module.map_or_else(Vec::new, |root| self.remembered(&root)))
            }
            ("maelstrom-pytest", "explain") => {
                let here = std::env::current_dir().ok()?;
                Some(self.remembered(&here))
            }
            _ => None,
        }
    }
}

impl ProjectNames {
    /// Returns the names of tests in the history of a project outside of cargo.
    fn remembered(&self, root: &Path) -> Vec<String> {
        let Ok(invocation) = Invocation::of_this_process(ColorMode::Unwanted) else {
            return Vec::new();
        };
        let directories = ProjectDirectories::of(&invocation, self.program, root);
        test_names(directories.state)
    }
}

fn ancestor_with(file: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let found = here
        .ancestors()
        .find(|directory| directory.join(file).is_file());
    found.map(Path::to_owned)
}

/// Returns the names of the tests of earlier runs.
fn test_names(state: PathBuf) -> Vec<String> {
    let names = within(move || {
        let history = HistoryStore::new(&state).load().unwrap_or_default();
        history.test_names()
    });
    names.unwrap_or_default()
}

fn cargo_names(argument: &str) -> Option<Vec<String>> {
    let kind = match argument {
        "package" | "features" | "names" | "skip" | "explain" => None,
        "bin" | "example" | "test" | "bench" => Some(argument),
        _ => return None,
    };
    let metadata = cargo_metadata().unwrap_or_default();
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    Some(match (argument, kind) {
        ("package", _) => packages
            .iter()
            .filter_map(|package| text(&package["name"]))
            .collect(),
        ("features", _) => {
            let features = packages
                .iter()
                .filter_map(|package| package["features"].as_object());
            features
                .flat_map(|features| features.keys().cloned())
                .collect()
        }
        (_, Some(kind)) => packages
            .iter()
            .flat_map(|package| targets(package, kind))
            .collect(),
        _ => {
            let target = text(&metadata["target_directory"])?;
            test_names(Path::new(&target).join("maelstrom/state"))
        }
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn targets(package: &Value, kind: &str) -> Vec<String> {
    let targets = package["targets"].as_array().cloned().unwrap_or_default();
    let is_kind = |target: &Value| {
        let kinds = target["kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|one| one == kind))
    };
    let fitting = targets.iter().filter(|target| is_kind(target));
    fitting.filter_map(|target| text(&target["name"])).collect()
}

fn cargo_metadata() -> Option<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    serde_json::from_str(&output(command)?).ok()
}

/// Returns the packages of the module as `go test` takes them.
fn go_packages() -> Vec<String> {
    let mut command = Command::new("go");
    command.args(["list", "-e", "-f", "{{.Dir}}", "./..."]);
    let (Some(output), Ok(here)) = (output(command), std::env::current_dir()) else {
        return Vec::new();
    };
    let directories = output
        .lines()
        .filter_map(|line| Path::new(line).strip_prefix(&here).ok());
    let relative = directories.map(|below| Path::new(".").join(below).display().to_string());
    relative.chain(["./...".to_owned()]).collect()
}

/// Returns the output of a program, unless it fails or takes too long.
fn output(mut command: Command) -> Option<String> {
    let streams = command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut child: Child = streams.stdout(Stdio::piped()).spawn().ok()?;
    let mut stdout = child.stdout.take()?;
    let text = within(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).ok().map(|_| text)
    });
    // It has closed its output, or it is late.
    if text.is_none() {
        drop(child.kill());
    }
    let succeeded = child.wait().is_ok_and(|status| status.success());
    text.flatten().filter(|_| succeeded)
}

/// Returns the result of a function, unless it takes too long. The function then goes on until the
/// program ends.
fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || drop(sender.send(work())));
    receiver.recv_timeout(PATIENCE).ok()
}
