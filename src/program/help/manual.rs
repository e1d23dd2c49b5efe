//! The six programs as their help sees them: the name and configuration values of each, and its
//! command line.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap::Command;

use crate::program::broker::options::{self as broker, BrokerServerOptions};
use crate::program::worker::options::{self as worker, WorkerOptions};
use maelstrom_runners::cargo::options::{self as cargo, CargoOptions};
use maelstrom_runners::go::options::{self as go, GoOptions};
use maelstrom_runners::pytest::options::{self as pytest, PytestOptions};
use maelstrom_runners::run::options::{self as run, RunCommandOptions};
use maelstrom_spec::config::{ConfigEnvironment, ConfigSchema, ThisProcess, command_line};

/// The reader of a help text, who determines which configuration files it names.
#[derive(Clone, Copy, Debug)]
pub enum HelpReader {
    /// The user of this process.
    ThisUser,
    /// Somebody else: the files are below [`ANY_CONFIG_HOME`].
    AnyUser,
}

/// The directory of configuration files in texts for [`HelpReader::AnyUser`].
pub const ANY_CONFIG_HOME: &str = "/XDG_CONFIG_HOME";

impl ConfigEnvironment for HelpReader {
    fn variable(&self, name: &str) -> Option<OsString> {
        match self {
            HelpReader::ThisUser => ThisProcess.variable(name),
            HelpReader::AnyUser => (name == "XDG_CONFIG_HOME").then(|| ANY_CONFIG_HOME.into()),
        }
    }

    fn variable_names(&self) -> Vec<OsString> {
        Vec::new()
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A program and its command line.
#[derive(Clone, Copy, Debug)]
pub struct ProgramManual {
    pub schema: &'static ConfigSchema,
    /// Builds the command line, with the help text for a reader.
    pub command_for: fn(HelpReader) -> Command,
    /// The word by which another program calls this one: `maelstrom` in `cargo maelstrom`.
    pub subcommand: Option<&'static str>,
}

/// `cargo maelstrom`.
pub static CARGO: ProgramManual = ProgramManual {
    schema: &cargo::PROGRAM,
    command_for: |reader| command_line::<CargoOptions>(&cargo::PROGRAM, &reader),
    subcommand: Some("maelstrom"),
};

/// `maelstrom-go-test`.
pub static GO: ProgramManual = ProgramManual {
    schema: &go::PROGRAM,
    command_for: |reader| command_line::<GoOptions>(&go::PROGRAM, &reader),
    subcommand: None,
};

/// `maelstrom-pytest`.
pub static PYTEST: ProgramManual = ProgramManual {
    schema: &pytest::PROGRAM,
    command_for: |reader| command_line::<PytestOptions>(&pytest::PROGRAM, &reader),
    subcommand: None,
};

/// `maelstrom-run`.
pub static RUN: ProgramManual = ProgramManual {
    schema: &run::PROGRAM,
    command_for: |reader| command_line::<RunCommandOptions>(&run::PROGRAM, &reader),
    subcommand: None,
};

/// `maelstrom-broker`.
pub static BROKER: ProgramManual = ProgramManual {
    schema: &broker::PROGRAM,
    command_for: |reader| command_line::<BrokerServerOptions>(&broker::PROGRAM, &reader),
    subcommand: None,
};

/// `maelstrom-worker`.
pub static WORKER: ProgramManual = ProgramManual {
    schema: &worker::PROGRAM,
    command_for: |reader| command_line::<WorkerOptions>(&worker::PROGRAM, &reader),
    subcommand: None,
};

/// All programs. Only tests and the generator of files use it: it links every program.
pub static PROGRAM_MANUALS: [&ProgramManual; 6] = [&CARGO, &GO, &PYTEST, &RUN, &BROKER, &WORKER];

impl ProgramManual {
    /// Returns the command line.
    pub fn command(&self) -> Command {
        (self.command_for)(HelpReader::ThisUser)
    }

    /// Returns how the program is called: `cargo maelstrom`, or the name of its executable.
    pub fn called(&self) -> String {
        match self.subcommand {
            Some(word) => format!("cargo {word}"),
            None => self.schema.name.to_owned(),
        }
    }
}
