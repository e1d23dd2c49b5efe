//! Writes the files of a release that are made from the programs' command lines: man pages,
//! completion scripts and JSON schemas. `just dist` calls it.
//!
//! ```console
//! $ cargo run --example generate -- DIRECTORY      # writes DIRECTORY/share/man/man1/… and so on
//! ```
//!
//! It is a program of its own, so that the six programs need not contain it.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use maelstrom::program::help::manual::{
    ANY_CONFIG_HOME, HelpReader, PROGRAM_MANUALS, ProgramManual,
};
use maelstrom::program::help::schemas;
use maelstrom::program::help::scripts::{CompletionShell, script};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(root) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err("give the directory to write to".into());
    };
    for manual in PROGRAM_MANUALS {
        let name = manual.schema.name;
        write(
            &root,
            &format!("share/man/man1/{name}.1"),
            &man_page(manual)?,
        )?;
        for shell in CompletionShell::ALL {
            write(
                &root,
                &shell.installed(name),
                script(manual, shell).as_bytes(),
            )?;
        }
        for schema in schemas::names(manual) {
            let text = schemas::schema(manual, schema).unwrap_or_default();
            let path = match schema {
                "config" => format!("share/maelstrom/schemas/config-{name}.schema.json"),
                shared => format!("share/maelstrom/schemas/{shared}.schema.json"),
            };
            write(&root, &path, text.as_bytes())?;
        }
    }
    Ok(())
}

fn write(root: &Path, path: &str, text: &[u8]) -> io::Result<()> {
    let path = root.join(path);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(&path, text)?;
    println!("{}", path.display());
    Ok(())
}

/// Returns a program's manual page, in the language of `man`.
fn man_page(manual: &ProgramManual) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut page = Vec::new();
    let command = (manual.command_for)(HelpReader::AnyUser);
    // The page leaves out the descriptions of options that `-h` does not show.
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    Man::new(command).render(&mut page)?;
    let page = String::from_utf8(page)?;
    Ok(page
        .replace(ANY_CONFIG_HOME, "$XDG_CONFIG_HOME")
        .into_bytes())
}
