//! A terminal without a screen: a program runs on it, and its bytes are counted and searched.
//!
//! Nothing is computed here but that, so that what is measured is the program and not a terminal.

#![allow(dead_code)] // Each user of this file uses a part of it.

use crate::pseudoterminal;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Far longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module's documentation.
pub struct Pty {
    program: Child,
    keyboard: File,
    chunks: Receiver<(Instant, Vec<u8>)>,
    /// All that was read and not yet searched through.
    unseen: Vec<u8>,
}

impl Pty {
    /// Starts a program in the foreground of a terminal of its own. `words` begin with its path.
    pub fn start(words: &[&str], settings: impl FnOnce(&mut Command)) -> Self {
        let (keyboard, programs) = pseudoterminal::open(120, 36);
        let end = || Stdio::from(programs.try_clone().expect("a descriptor"));
        // It becomes the program itself, after having made the terminal its own.
        let mut command = Command::new("setsid");
        command.arg("--ctty").args(words);
        command.env_remove("CI").env_remove("NO_COLOR");
        command
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8");
        settings(&mut command);
        let program = command.stdin(end()).stdout(end()).stderr(end()).spawn();
        let program = program.expect("util-linux is installed");
        // The command holds the terminal open as long as it lives.
        drop((command, programs));
        let mut screen = keyboard.try_clone().expect("a descriptor");
        let (sender, chunks) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            // When the last program has closed it, the kernel says EIO.
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let chunk = (Instant::now(), buffer[..count].to_vec());
                if sender.send(chunk).is_err() {
                    return;
                }
            }
        });
        Pty {
            program,
            keyboard,
            chunks,
            unseen: Vec::new(),
        }
    }

    /// The program's process.
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        let typed = self.keyboard.write_all(keys.as_bytes());
        typed.expect("the terminal is open");
    }

    /// Waits until these bytes were written after all that was waited for before, and says when.
    pub fn wait_for(&mut self, text: &str) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (at, chunk) = self.chunks.recv_timeout(left).unwrap_or_else(|error| {
                let said = String::from_utf8_lossy(&self.unseen);
                panic!("waited in vain for {text:?} ({error}) in {said:?}")
            });
            self.unseen.extend(chunk);
            let mut windows = self.unseen.windows(text.len());
            if let Some(index) = windows.rposition(|window| window == text.as_bytes()) {
                self.unseen.drain(..index + text.len());
                return at;
            }
        }
    }

    /// Lets time pass, and gives the number of bytes that were written meanwhile.
    pub fn watch_for(&mut self, time: Duration) -> usize {
        let deadline = Instant::now() + time;
        let mut bytes = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok((_, chunk)) => bytes += chunk.len(),
                Err(RecvTimeoutError::Timeout) => return bytes,
                Err(RecvTimeoutError::Disconnected) => panic!("the program has ended"),
            }
        }
    }

    /// Waits for the program's end, and gives the number of bytes it wrote.
    pub fn finish(mut self) -> (ExitStatus, usize) {
        let written = self.chunks.iter().map(|(_, chunk)| chunk.len()).sum();
        (self.program.wait().expect("it is our child"), written)
    }

    /// Ends the program, whatever it does.
    pub fn stop(mut self) {
        self.program.kill().expect("it is our child");
        self.program.wait().expect("it is our child");
    }
}
