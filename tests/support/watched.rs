//! A program that runs again whenever files change, and what it prints meanwhile.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The last line of a round.
const AWAITING: &str = "for changes; ^C ends this";

/// The program, and what it has printed so far.
pub struct Watched {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Watched {
    /// Starts the program.
    pub fn start(mut command: Command) -> Watched {
        let mut child = command
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Watched { child, stdout }
    }

    /// What is printed up to the line with this text.
    pub fn until(&mut self, text: &str) -> String {
        let mut printed = String::new();
        loop {
            let from = printed.len();
            let read = self.stdout.read_line(&mut printed).unwrap();
            assert!(read > 0, "it ended before {text:?}:\n{printed}");
            if printed[from..].contains(text) {
                return printed;
            }
        }
    }

    /// What is printed until the next change is awaited.
    pub fn round(&mut self) -> String {
        self.until(AWAITING)
    }

    /// What else it prints, and its exit code.
    pub fn end(mut self) -> (String, Option<i32>) {
        let mut printed = String::new();
        while self.stdout.read_line(&mut printed).unwrap() > 0 {}
        (printed, self.child.wait().unwrap().code())
    }

    /// Ends it as a person does; what else it prints, and its exit code.
    pub fn interrupt(self) -> (String, Option<i32>) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT).unwrap();
        self.end()
    }
}

impl Drop for Watched {
    /// A test that fails leaves nothing behind.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether each of the parts was printed.
pub fn assert_has(printed: &str, parts: &[&str]) {
    for part in parts {
        assert!(printed.contains(part), "no {part:?} in:\n{printed}");
    }
}
