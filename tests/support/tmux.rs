//! A terminal to drive the program in: tmux in control mode.
//!
//! Nothing here sleeps: tmux reports each byte that the program writes, and a condition on the
//! screen is looked at again whenever something was written, and now and then for what is not on the
//! screen. A screen in the middle of a frame is never looked at: it shows a part of what the program
//! means to show.

#![allow(dead_code)] // Each user of this file uses a part of it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough for a machine that does much else; a condition that holds is seen at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long after the last byte a condition is looked at again that is about more than the screen.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A frame is what is written between these.
const FRAME_BEGIN: &[u8] = b"\x1b[?2026h";
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// See the module's documentation.
pub struct Tmux {
    control: Child,
    stdin: ChildStdin,
    lines: Receiver<Vec<u8>>,
    directory: TempDir,
    /// All bytes that were written to the terminal.
    pub raw: Vec<u8>,
}

impl Tmux {
    /// A terminal with a shell in it.
    pub fn start(columns: u16, rows: u16) -> Self {
        // tmux leaves its socket behind; the directory takes it along.
        let directory = TempDir::new().expect("a temporary directory");
        let socket = directory.path().join("tmux");
        let shell = "exec env -u CI -u NO_COLOR PS1='$ ' bash --norc --noprofile -i";
        let mut control = Command::new("tmux")
            .arg("-S")
            .arg(&socket)
            .args(["-f", "/dev/null", "-C", "new-session"])
            .args(["-x", &columns.to_string(), "-y", &rows.to_string(), shell])
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tmux is installed");
        let stdin = control.stdin.take().expect("it was asked for");
        let stdout = control.stdout.take().expect("it was asked for");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut tmux = Tmux {
            control,
            stdin,
            lines,
            directory,
            raw: Vec::new(),
        };
        tmux.command(&format!("refresh-client -C {columns}x{rows}"));
        tmux.wait_for("a prompt", |screen| {
            screen.starts_with("$ ") || screen.starts_with("$\n")
        });
        tmux
    }

    /// Types a line into the shell.
    pub fn type_line(&mut self, line: &str) {
        self.command(&format!("send-keys -l {}", quoted(line)));
        self.command("send-keys Enter");
    }

    /// Presses keys, by tmux's names for them.
    pub fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            self.command(&format!("send-keys {}", quoted(key)));
        }
    }

    /// The screen's text.
    pub fn screen(&mut self) -> String {
        self.command("capture-pane -p")
    }

    /// The text of the screen and of all that was scrolled out of it.
    pub fn scrollback(&mut self) -> String {
        self.command("capture-pane -p -J -S -")
    }

    /// Changes the terminal's size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.command(&format!("refresh-client -C {columns}x{rows}"));
        self.command(&format!("resize-window -x {columns} -y {rows}"));
    }

    /// Waits until the screen is as `holds` wants it, and gives it.
    pub fn wait_for(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // All that is on the screen has been reported by the time that the answer is there.
            let screen = self.screen();
            if !self.is_within_a_frame() && holds(&screen) {
                return screen;
            }
            let now = Instant::now();
            assert!(
                now < deadline,
                "waited in vain for {what}; the screen is\n{screen}"
            );
            self.await_output(deadline.min(now + LOOK_AGAIN));
        }
    }

    fn is_within_a_frame(&self) -> bool {
        let last = |mark: &[u8]| {
            self.raw
                .windows(mark.len())
                .rposition(|bytes| bytes == mark)
        };
        last(FRAME_BEGIN) > last(FRAME_END)
    }

    /// Waits until the bytes written since `from` have `text` in them, and says when they had.
    pub fn wait_for_bytes(&mut self, from: usize, text: &[u8]) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let written = self.raw.get(from..).unwrap_or_default();
            if written.windows(text.len()).any(|window| window == text) {
                return Instant::now();
            }
            let end = written.len().saturating_sub(4_000);
            let said = String::from_utf8_lossy(&written[end..]).into_owned();
            let wanted = String::from_utf8_lossy(text);
            assert!(
                self.await_output(deadline),
                "waited in vain for {wanted:?} in {said:?}"
            );
        }
    }

    /// Lets time pass, and gives the number of bytes that were written meanwhile.
    pub fn watch_for(&mut self, time: Duration) -> usize {
        let before = self.raw.len();
        let deadline = Instant::now() + time;
        while self.await_output(deadline) {}
        self.raw.len() - before
    }

    /// Takes in what tmux reports until something was written. `false` when nothing was.
    fn await_output(&mut self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if self.take_output(&line) {
                        while let Ok(line) = self.lines.try_recv() {
                            self.take_output(&line);
                        }
                        return true;
                    }
                }
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => panic!("tmux has ended"),
            }
        }
    }

    fn take_output(&mut self, line: &[u8]) -> bool {
        let Some(rest) = line.strip_prefix(b"%output ") else {
            return false;
        };
        let pane_end = rest.iter().position(|byte| *byte == b' ').unwrap_or(0);
        let mut bytes = rest[pane_end + 1..].iter().copied();
        while let Some(byte) = bytes.next() {
            let byte = match byte {
                b'\\' => {
                    let digits = [bytes.next(), bytes.next(), bytes.next()];
                    digits.iter().flatten().fold(0, |sum: u8, digit| {
                        sum.wrapping_mul(8).wrapping_add(digit.wrapping_sub(b'0'))
                    })
                }
                byte => byte,
            };
            self.raw.push(byte);
        }
        true
    }

    /// Gives tmux a command, and gives back what it says.
    pub fn command(&mut self, command: &str) -> String {
        writeln!(self.stdin, "{command}").expect("tmux listens");
        let deadline = Instant::now() + PATIENCE;
        let mut said: Option<Vec<u8>> = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self
                .lines
                .recv_timeout(left)
                .unwrap_or_else(|error| panic!("tmux does not answer {command:?}: {error}"));
            match &mut said {
                // Only answers to this client's own commands have the flag 1.
                None if line.starts_with(b"%begin ") && line.ends_with(b" 1") => {
                    said = Some(Vec::new());
                }
                Some(said) if line.starts_with(b"%end ") || line.starts_with(b"%error ") => {
                    return String::from_utf8_lossy(said).into_owned();
                }
                Some(said) => {
                    said.extend_from_slice(&line);
                    said.push(b'\n');
                }
                None => {
                    self.take_output(&line);
                }
            }
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(self.directory.path().join("tmux"))
            .arg("kill-server")
            .stderr(Stdio::null())
            .status();
        let _ = self.control.wait();
    }
}

/// A word as tmux reads it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
