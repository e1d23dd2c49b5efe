//! Sets up the terminal for the dashboard, and restores it in all cases. A report that has changed
//! the terminal's title or progress bar marks that here, for the case of a panic.
//!
//! Only [`restore`] restores the terminal. It may be called any number of times and from anywhere:
//! by the `Drop` of [`TerminalGuard`], by the panic hook, or after a signal. The settings that it
//! needs are saved before the terminal is changed.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::signal::unix::{SignalKind, signal};

/// Enables the alternate screen and bracketed paste, hides the cursor, clears the screen and moves
/// the cursor to the top left.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[2J\x1b[H";
/// Disables everything that may have been enabled, including a synchronized update.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";
/// Enables clicks, drags and the wheel, with columns beyond 223.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// The terminal settings to restore; `None` while the terminal is not set up.
static SETTINGS_BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
/// The maximum wait for a stop to take effect.
const STOP_MAX: Duration = Duration::from_millis(500);

/// Removes the progress bar and restores the title that a report has saved.
const CLEAR_STATUS: &[u8] = b"\x1b]9;4;0\x1b\\\x1b[23;2t";

/// Whether a report has changed the title or the progress bar.
static STATUS_SHOWN: AtomicBool = AtomicBool::new(false);
static LENT: AtomicBool = AtomicBool::new(false);
static PANIC_HOOK: Once = Once::new();

/// A guard for the set-up terminal. Restores the terminal when dropped.
#[derive(Debug)]
pub struct TerminalGuard(());

impl TerminalGuard {
    /// Sets up the terminal: raw input, alternate screen and mouse capture.
    pub fn enter() -> io::Result<Self> {
        restore_on_panic();
        let stdin = io::stdin();
        let settings = tcgetattr(stdin.as_fd())?;
        let mut raw = settings.clone();
        cfmakeraw(&mut raw);
        {
            let mut before = lock();
            // If called twice, keep the original settings rather than those of the first call.
            before.get_or_insert(settings);
        }
        tcsetattr(stdin.as_fd(), SetArg::TCSADRAIN, &raw)?;
        // From here on, the guard restores the settings on any error.
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

/// Returns the escape sequence that enables mouse capture.
pub fn mouse_on() -> &'static [u8] {
    MOUSE_ON
}

/// Returns the escape sequence that disables mouse capture.
pub fn mouse_off() -> &'static [u8] {
    MOUSE_OFF
}

fn restore_on_panic() {
    PANIC_HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Restore first, because the alternate screen vanishes along with any message on it.
            restore();
            before(info);
        }));
    });
}

/// Marks that a report is about to change the title or the progress bar.
pub(super) fn status_is_shown() {
    restore_on_panic();
    STATUS_SHOWN.store(true, Ordering::SeqCst);
}

/// Marks that a report has undone that.
pub(super) fn status_is_removed() {
    STATUS_SHOWN.store(false, Ordering::SeqCst);
}

/// Restores the terminal, if it was set up.
pub fn restore() {
    if STATUS_SHOWN.swap(false, Ordering::SeqCst) {
        // If the terminal is gone, there is no place to report the error.
        let _ = write_now(CLEAR_STATUS);
    }
    let Some(settings) = lock().take() else {
        return;
    };
    // If the terminal is gone, there is no place to report the error.
    let _ = write_now(LEAVE);
    // Discard unread keys: they were meant for the dashboard, not for the shell.
    let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &settings);
}

/// Marks the terminal as used by another program until the returned value is dropped.
pub(super) fn hand_off() -> TerminalHandoff {
    LENT.store(true, Ordering::SeqCst);
    TerminalHandoff(())
}

/// Returns whether another program uses the terminal. If so, an interrupt from the keyboard is
/// meant for that program, although the kernel sends it to the whole foreground process group.
pub fn is_handed_off() -> bool {
    LENT.load(Ordering::SeqCst)
}

/// Marks the terminal as used by another program until it is dropped.
#[derive(Debug)]
pub(super) struct TerminalHandoff(());

impl Drop for TerminalHandoff {
    fn drop(&mut self) {
        LENT.store(false, Ordering::SeqCst);
    }
}

/// Stops the whole process group, as `^Z` does, and returns when it has been continued.
///
/// The signal is sent to the process, so any thread may receive it, and this thread may run for a
/// short time before it stops; only SIGCONT signals the end of the stop. If the kernel discards the
/// signal, because no shell could continue the group (it is orphaned), nothing stops.
pub async fn stop_job() -> io::Result<()> {
    let mut continued = signal(SignalKind::from_raw(Signal::SIGCONT as i32))?;
    killpg(getpgrp(), Signal::SIGTSTP)?;
    // A stop that outlasts this timeout also outlasts the wait, so the wait is over either way.
    let _ = tokio::time::timeout(STOP_MAX, continued.recv()).await;
    Ok(())
}

/// Returns whether this process is in the foreground of the terminal on standard input.
pub fn is_foreground() -> bool {
    tcgetpgrp(io::stdin().as_fd()).is_ok_and(|foreground| foreground == getpgrp())
}

fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    // The settings are valid even if a thread panicked while holding the lock.
    SETTINGS_BEFORE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Writes to the terminal and flushes.
fn write_now(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(bytes)?;
    stdout.flush()
}
