//! Receives the signals that end the whole run, as messages.
//!
//! SIGTSTP and SIGCONT are not handled here: they concern the terminal, which belongs to the user
//! interface.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// A signal that asks the run to end. The first one cancels, the second one kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminationSignal {
    Interrupt,
    Terminate,
    /// SIGHUP: the terminal was closed.
    Hangup,
}

/// A signal handler cannot be installed.
#[derive(Debug, thiserror::Error)]
#[error("cannot receive the signal {name}")]
pub struct SignalError {
    name: &'static str,
    source: io::Error,
}

/// Starts turning signals into messages. Requires a Tokio runtime, and stops when it shuts down.
///
/// `concerns_us` is called for each signal: `^C` reaches every process in the terminal's foreground
/// process group, and must be ignored while the terminal is lent to an editor.
pub fn listen(
    concerns_us: fn(TerminationSignal) -> bool,
) -> Result<mpsc::UnboundedReceiver<TerminationSignal>, SignalError> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for (kind, name, interrupt) in [
        (
            SignalKind::interrupt(),
            "SIGINT",
            TerminationSignal::Interrupt,
        ),
        (
            SignalKind::terminate(),
            "SIGTERM",
            TerminationSignal::Terminate,
        ),
        (SignalKind::hangup(), "SIGHUP", TerminationSignal::Hangup),
    ] {
        let mut signals = signal(kind).map_err(|source| SignalError { name, source })?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if concerns_us(interrupt) && sender.send(interrupt).is_err() {
                    return;
                }
            }
        });
    }
    Ok(receiver)
}
