//! Creates a project's own file, and explains its effect on a test.

use std::path::Path;

use super::failure::ProgramFailure;
use super::startup::print_out;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::exit_code;
use maelstrom_runners::sandbox::project_spec::{InitError, StarterFile};

/// `--init`: the file is there already, or can't be written.
const NOT_WRITTEN: u8 = 1;

/// Nothing that could be explained.
#[derive(Debug, thiserror::Error)]
#[error("no test is called `{name}`")]
struct NoSuchTest {
    name: String,
}

/// Writes a file to begin with, and says where.
pub fn init(file: &StarterFile, project: &Path) -> Result<u8, ProgramFailure> {
    match file.write(project) {
        Ok(path) => print_out(&format!("{}\n", path.display())),
        Err(error @ InitError::Exists { .. }) => {
            let help = "remove it first if you want to begin anew".to_owned();
            Err(ProgramFailure::with_code(&error, Some(help), NOT_WRITTEN))
        }
        Err(error @ InitError::Write { .. }) => {
            Err(ProgramFailure::with_code(&error, None, NOT_WRITTEN))
        }
    }
}

/// Prints what was said of the tests of this name, unless the run that was to find them failed.
pub fn explain(code: u8, name: &str, explanations: &[String]) -> Result<u8, ProgramFailure> {
    if code != exit_code::SUCCESS {
        return Ok(code);
    }
    if explanations.is_empty() {
        let error = NoSuchTest {
            name: name.to_owned(),
        };
        let help = "give a test's name, or the whole line that `--list` prints".to_owned();
        return Err(ProgramFailure::usage(&error, Some(help)));
    }
    // Its comments name tests and images.
    let text = explanations.join("\n");
    let lines: Vec<_> = text.split('\n').map(clean).collect();
    print_out(&lines.join("\n"))
}
