//! Runs one job of another program on this terminal, or passes its output through.

use std::io::{self, IsTerminal};

use super::job_events::JobEvents;
use super::messages::end;
use super::{infrastructure, one, single, stdin, terminal};
use crate::program::failure::ProgramFailure;
use maelstrom_model::job::Job;
use maelstrom_runners::run::escape::EscapeCharacter;
use maelstrom_runners::run::options::StandardInput;
use maelstrom_runners::sandbox::cluster::MachineOptions;

/// The character that begins commands to this program, `^]`.
const ESCAPE: EscapeCharacter = EscapeCharacter(0x1d);

/// Returns whether standard input and output are a terminal.
pub(in crate::program) fn has_terminal() -> bool {
    stdin() == StandardInput::Terminal && io::stdout().is_terminal()
}

/// Runs the job to its end, and exits like it.
pub(in crate::program) fn run_alone(
    job: Job,
    machine: &MachineOptions,
) -> Result<u8, ProgramFailure> {
    let is_terminal = has_terminal();
    let ending = single(machine, async |backend, interrupts| {
        if !is_terminal {
            let mut reports = JobEvents::default();
            return one::run(backend, job, interrupts, &mut reports).await;
        }
        let (master, slave) = terminal::open().map_err(|error| infrastructure(&error))?;
        let backend = backend.on_terminal(slave);
        terminal::run(backend, job, master, ESCAPE, interrupts).await
    })?;
    end(&ending)
}
