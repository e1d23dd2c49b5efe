//! The actions `--init` and `--explain`: creates a project's container file, and explains its
//! effect on a test.

use std::path::Path;

use miette::Diagnostic;

use super::failure::ProgramFailure;
use super::startup::print_out;
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::exit_code;
use maelstrom_runners::sandbox::project_spec::StarterFile;

/// The error of `--explain` with a name that no test has.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("no test is called `{name}`")]
#[diagnostic(help("give a test's name, or the whole line that `--list` prints"))]
struct NoSuchTest {
    name: String,
}

impl ProgramError for NoSuchTest {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Writes the starter file into the project, and prints its path.
pub fn init(file: &StarterFile, project: &Path) -> Result<u8, ProgramFailure> {
    let path = file.write(project)?;
    print_out(&format!("{}\n", path.display()))
}

/// Prints the explanations of the tests named `name`, unless discovery failed with `code`.
pub fn explain(code: u8, name: &str, explanations: &[String]) -> Result<u8, ProgramFailure> {
    if code != exit_code::SUCCESS {
        return Ok(code);
    }
    if explanations.is_empty() {
        let name = name.to_owned();
        return Err(NoSuchTest { name }.into());
    }
    // Comments in the explanations contain names of tests and images, which are untrusted.
    let text = explanations.join("\n");
    let lines: Vec<_> = text.split('\n').map(clean).collect();
    print_out(&lines.join("\n"))
}
