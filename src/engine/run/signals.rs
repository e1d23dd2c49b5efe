//! Signals that ask the whole run to end, as messages.
//!
//! SIGTSTP and SIGCONT are not handled here: they are the terminal's, and so the user interface's.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Somebody outside wants the run to end. The first asks, the second insists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminationSignal {
    Interrupt,
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
}

/// The signals of this process cannot be received.
#[derive(Debug, thiserror::Error)]
#[error("cannot receive the signal {name}")]
pub struct SignalError {
    name: &'static str,
    source: io::Error,
}

/// Turns signals into messages from now on. Needs a runtime, and ends with it.
///
/// `concerns_us` is asked about each: `^C` goes to every program of the terminal's foreground, and
/// is not meant for this one while it has lent the terminal to an editor.
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
