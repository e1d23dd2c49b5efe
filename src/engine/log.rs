//! The program's own log, and where it goes: to standard error, to standard output between the
//! lines of a report, or to a file while the dashboard uses the terminal.
//!
//! A log starts before its destination is known. Until then its lines are buffered, up to a limit.
//! If no destination is ever set, they go to standard error at the end, so that a program that
//! fails early does not hide the cause.
//!
//! [`ProgramLog`] owns the state and hands out [`LogWriter`]s. A writer takes whole lines from any
//! thread and never fails, because nothing may depend on the log.
//!
//! Levels and the format of lines are chosen by the composition root.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use maelstrom_container::private;

/// The name of the log file in the run's state directory.
pub const FILE_NAME: &str = "log.txt";

/// The size limit of the buffer, in bytes: several thousand lines, far more than are logged before
/// a run knows its state directory.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// The size limit of the file, in bytes: about a million lines. A larger log is not read, and fills
/// the disk.
const FILE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The line that replaces everything beyond the limit.
const FULL: &[u8] = b"(the log is full; what comes now is left out)\n";

/// The program's log; see the module documentation.
#[derive(Debug, Default)]
pub struct ProgramLog {
    place: Arc<Mutex<LogDestination>>,
}

/// Writes lines to the log. All clones have the same destination.
#[derive(Clone, Debug)]
pub struct LogWriter {
    place: Arc<Mutex<LogDestination>>,
}

#[derive(Default)]
enum LogDestination {
    #[default]
    Stderr,
    /// Standard output, through this writer until it returns an error.
    Stdout(Box<dyn Write + Send>),
    Waiting(Vec<u8>),
    File {
        path: PathBuf,
        /// Created when the first line is written.
        file: Option<File>,
        written_bytes: usize,
        bytes_max: usize,
    },
}

impl fmt::Debug for LogDestination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            LogDestination::Stderr => "Stderr",
            LogDestination::Stdout(_) => "Stdout",
            LogDestination::Waiting(_) => "Waiting",
            LogDestination::File { .. } => "File",
        })
    }
}

impl ProgramLog {
    /// Creates a log that buffers its lines.
    pub fn waiting() -> ProgramLog {
        ProgramLog {
            place: Arc::new(Mutex::new(LogDestination::Waiting(Vec::new()))),
        }
    }

    /// Returns a writer to this log.
    pub fn writer(&self) -> LogWriter {
        LogWriter {
            place: Arc::clone(&self.place),
        }
    }

    /// Sends the buffered and all further lines to standard error, unless a destination is set.
    pub fn to_stderr(&self) {
        let mut place = lock(&self.place);
        if let LogDestination::Waiting(lines) = &*place {
            drop(io::stderr().lock().write_all(lines));
            *place = LogDestination::Stderr;
        }
    }

    /// Sends the buffered and all further lines to standard output, unless a destination is set.
    /// They go through `beside`, or directly once it returns an error.
    pub fn to_stdout(&self, beside: Box<dyn Write + Send>) {
        let mut place = lock(&self.place);
        if let LogDestination::Waiting(lines) = &mut *place {
            let lines = std::mem::take(lines);
            *place = LogDestination::Stdout(beside);
            place.write(&lines);
        }
    }

    /// Sends the buffered and all further lines to a file in this directory, replacing that of an
    /// earlier run. Does nothing if a destination is set.
    pub fn keep_in(&self, directory: &Path) {
        self.keep_up_to(directory, FILE_BYTES_MAX);
    }

    fn keep_up_to(&self, directory: &Path, bytes_max: usize) {
        let mut place = lock(&self.place);
        if let LogDestination::Waiting(lines) = &mut *place {
            let lines = std::mem::take(lines);
            let path = directory.join(FILE_NAME);
            // If the file cannot be removed, it is truncated, or cannot be written either.
            drop(fs::remove_file(&path));
            *place = LogDestination::File {
                path,
                file: None,
                written_bytes: 0,
                bytes_max,
            };
            place.write(&lines);
        }
    }
}

impl Drop for ProgramLog {
    fn drop(&mut self) {
        self.to_stderr();
    }
}

fn lock(place: &Mutex<LogDestination>) -> MutexGuard<'_, LogDestination> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LogDestination {
    fn write(&mut self, lines: &[u8]) {
        match self {
            LogDestination::Stderr => drop(io::stderr().lock().write_all(lines)),
            LogDestination::Stdout(beside) => {
                if beside.write_all(lines).is_err() {
                    drop(io::stdout().lock().write_all(lines));
                }
            }
            LogDestination::Waiting(waiting) => {
                if let Some(fitting) = fitting(lines, waiting.len(), WAITING_BYTES_MAX) {
                    waiting.extend_from_slice(fitting);
                }
            }
            LogDestination::File {
                path,
                file,
                written_bytes,
                bytes_max,
            } => {
                let Some(fitting) = fitting(lines, *written_bytes, *bytes_max) else {
                    return;
                };
                if fitting.is_empty() {
                    return;
                }
                *written_bytes += fitting.len();
                if file.is_none() {
                    *file = create(path).ok();
                }
                if let Some(file) = file {
                    drop(file.write_all(fitting));
                }
            }
        }
    }
}

/// Returns the lines to write to a destination that already has `present_bytes` bytes: once the
/// limit is reached, a line that says so, and then nothing.
fn fitting(lines: &[u8], present_bytes: usize, bytes_max: usize) -> Option<&[u8]> {
    if present_bytes + lines.len() <= bytes_max {
        Some(lines)
    } else if present_bytes <= bytes_max {
        Some(FULL)
    } else {
        None
    }
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        private::directory(directory)?;
    }
    private::file(path)
}

impl Write for LogWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        lock(&self.place).write(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn content(directory: &Path) -> String {
        fs::read_to_string(directory.join(FILE_NAME)).unwrap()
    }

    #[test]
    fn lines_wait_for_their_file() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let log = ProgramLog::waiting();
        let mut writer = log.writer();
        writer.write_all(b"early\n").unwrap();
        log.keep_in(&state);
        writer.clone().write_all(b"late\n").unwrap();
        assert_eq!(content(&state), "early\nlate\n");
        log.to_stderr();
        log.keep_in(directory.path());
        writer.write_all(b"last\n").unwrap();
        assert_eq!(content(&state), "early\nlate\nlast\n");
    }

    #[test]
    fn without_lines_there_is_no_file_and_none_of_an_earlier_run() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE_NAME);
        fs::write(&file, "of an earlier run").unwrap();
        ProgramLog::waiting().keep_in(directory.path());
        assert!(!file.exists());
    }

    #[test]
    fn lines_wait_for_what_writes_on_standard_output() {
        let (mut reader, beside) = io::pipe().unwrap();
        let log = ProgramLog::waiting();
        log.writer().write_all(b"early\n").unwrap();
        log.to_stdout(Box::new(beside));
        log.writer().write_all(b"late\n").unwrap();
        log.to_stderr();
        drop(log);
        let mut written = String::new();
        reader.read_to_string(&mut written).unwrap();
        assert_eq!(written, "early\nlate\n");
    }

    #[test]
    fn a_full_log_says_so_once() {
        let directory = tempfile::tempdir().unwrap();
        let log = ProgramLog::waiting();
        log.keep_up_to(directory.path(), 10);
        for _ in 0..4 {
            log.writer().write_all(b"12345\n").unwrap();
        }
        let full = String::from_utf8_lossy(FULL);
        assert_eq!(content(directory.path()), format!("12345\n{full}"));
        let waiting = ProgramLog::waiting();
        let long = vec![b'x'; WAITING_BYTES_MAX];
        for lines in [&long[..], b"1\n", b"2\n"] {
            waiting.writer().write_all(lines).unwrap();
        }
        waiting.keep_in(directory.path());
        assert!(content(directory.path()).ends_with(&format!("x{full}")));
    }
}
