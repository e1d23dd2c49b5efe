//! External programs that take over the terminal: an editor, a pager or a shell.

use std::io::Write;

use tempfile::NamedTempFile;
use tokio::process::Command;

use super::app::{App, ExternalProgram};

/// A command to run, with the temporary file that it needs.
pub(super) struct PreparedProgram {
    pub command: Command,
    pub name: String,
    _file: Option<NamedTempFile>,
}

/// Prepares the command of an external program. The error is a message of one line.
pub(super) fn prepare(external: &ExternalProgram, app: &App) -> Result<PreparedProgram, String> {
    match external {
        ExternalProgram::Editor { path, line } => {
            let mut words = words_of(&["VISUAL", "EDITOR"], "vi");
            // vi, emacs, nano and similar editors accept a line number in this form.
            words.extend([format!("+{line}"), path.clone()]);
            command(words, None)
        }
        ExternalProgram::Pager { log } => {
            let mut file = tempfile::Builder::new()
                .prefix("maelstrom-log-")
                .tempfile()
                .map_err(|error| format!("cannot make a file for the pager: {error}"))?;
            app.logs()
                .write_to(*log, app.log_streams(), file.as_file_mut())
                .and_then(|()| file.flush())
                .map_err(|error| format!("cannot write the log for the pager: {error}"))?;
            let mut words = words_of(&["PAGER"], "less -R");
            words.push(file.path().to_string_lossy().into_owned());
            command(words, Some(file))
        }
        ExternalProgram::Shell { command: words } => command(words.clone(), None),
    }
}

/// Returns the words of the first of the environment variables that is set and not blank, or those
/// of `otherwise`.
fn words_of(variables: &[&str], otherwise: &str) -> Vec<String> {
    let set = variables.iter().filter_map(|name| std::env::var(name).ok());
    let text = set.into_iter().find(|text| !text.trim().is_empty());
    let text = text.unwrap_or_else(|| otherwise.to_owned());
    text.split_whitespace().map(str::to_owned).collect()
}

fn command(words: Vec<String>, file: Option<NamedTempFile>) -> Result<PreparedProgram, String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("there is no command to run".to_owned());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(PreparedProgram {
        command,
        name: program.clone(),
        _file: file,
    })
}
