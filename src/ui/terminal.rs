//! Takes over the terminal, and restores it whatever happens.
//!
//! [`restore`] is the only way back. It may be called any number of times from anywhere: from the
//! `Drop` of [`TerminalGuard`], from the panic hook, after a signal. What it needs is saved before
//! the terminal is changed. Drawing happens elsewhere.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::signal::unix::{SignalKind, signal};

/// Alternate screen, no cursor, bracketed paste; the cursor's home, since nothing was drawn yet.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[2J\x1b[H";
/// Everything that was or may have been switched on, off again, a frame being drawn included.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";
/// Clicks, drags and the wheel, with columns beyond 223.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// The settings to go back to; `None` while the terminal is not ours.
static SETTINGS_BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
/// A stop takes effect within this time, if at all.
const STOP_MAX: Duration = Duration::from_millis(500);

static LENT: AtomicBool = AtomicBool::new(false);
static PANIC_HOOK: Once = Once::new();

/// The terminal, taken. Gives it back when dropped.
#[derive(Debug)]
pub struct TerminalGuard(());

impl TerminalGuard {
    /// Takes the terminal: raw input, alternate screen.
    pub fn enter() -> io::Result<Self> {
        PANIC_HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                // On the alternate screen the message would go with it.
                restore();
                before(info);
            }));
        });
        let stdin = io::stdin();
        let settings = tcgetattr(stdin.as_fd())?;
        let mut raw = settings.clone();
        cfmakeraw(&mut raw);
        {
            let mut before = lock();
            // Entering twice must not take our own settings for those to go back to.
            before.get_or_insert(settings);
        }
        tcsetattr(stdin.as_fd(), SetArg::TCSADRAIN, &raw)?;
        // From here on the settings go back whatever fails.
        let terminal = TerminalGuard(());
        write_now(ENTER)?;
        write_now(MOUSE_ON)?;
        Ok(terminal)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
    }
}

/// What takes the mouse.
pub fn mouse_on() -> &'static [u8] {
    MOUSE_ON
}

/// What gives the mouse to the terminal.
pub fn mouse_off() -> &'static [u8] {
    MOUSE_OFF
}

/// Gives the terminal back, if it was taken.
pub fn restore() {
    let Some(settings) = lock().take() else {
        return;
    };
    // There is nobody to tell of a terminal that is gone.
    let _ = write_now(LEAVE);
    // Keys that were not read yet were meant for the dashboard, not for the shell.
    let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &settings);
}

/// Lends the terminal to another program until what this gives back is dropped.
pub(super) fn hand_off() -> TerminalHandoff {
    LENT.store(true, Ordering::SeqCst);
    TerminalHandoff(())
}

/// Whether another program has the terminal: an interrupt from the keyboard is then meant for
/// that program, although the kernel sends it to the whole job.
pub fn is_handed_off() -> bool {
    LENT.load(Ordering::SeqCst)
}

/// The terminal, lent.
#[derive(Debug)]
pub(super) struct TerminalHandoff(());

impl Drop for TerminalHandoff {
    fn drop(&mut self) {
        LENT.store(false, Ordering::SeqCst);
    }
}

/// Stops this program and all of its job, as `^Z` does, and ends when it was continued.
///
/// The signal is the whole process's, so any thread may take it, and this one may run a little
/// further before it stands still: only SIGCONT tells that the stop is over. Where the system
/// leaves the signal out (a job without a shell that could continue it), nothing stops.
pub async fn stop_job() -> io::Result<()> {
    let mut continued = signal(SignalKind::from_raw(Signal::SIGCONT as i32))?;
    killpg(getpgrp(), Signal::SIGTSTP)?;
    // When the stop took longer than this, so did the wait, and it is over as well.
    let _ = tokio::time::timeout(STOP_MAX, continued.recv()).await;
    Ok(())
}

/// Whether this program is in the foreground of the terminal at standard input.
pub fn is_foreground() -> bool {
    tcgetpgrp(io::stdin().as_fd()).is_ok_and(|foreground| foreground == getpgrp())
}

fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    // The settings are whole even if somebody panicked while holding them.
    SETTINGS_BEFORE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Writes to the terminal, past any buffer.
fn write_now(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(bytes)?;
    stdout.flush()
}
