//! The wrapper of rustdoc: cargo starts it in place of rustdoc.
//!
//! It runs the real rustdoc with this program as the run tool, reads rustdoc's report, and writes
//! what it learned about the library's doctests to a file, whose path it prints as a message like
//! cargo's. It exits with 0 even if doctests do not compile, so that cargo goes on to the next
//! library; it exits with rustdoc's status if there is no report at all. If nothing has changed since
//! an earlier run, that run's doctests take the place of rustdoc's.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use maelstrom_container::private;

use super::captured::{CapturedDoctest, CapturedLibrary};
use super::naming::{NamingEvent, assign, may_have_program};
use super::protocol::{DIRECTORY, DoctestMessage, REASON, RUN_TOOL, RUSTDOC, TEST_ARGUMENTS};
use super::report::{HarnessReport, ReportedWord};
use super::reuse::DoctestReuse;
use super::run_tool::{LIBRARY, MERGED, PERMITS, PROGRAMS, RELEASED};

/// The exit status of a wrapper that cannot do its work.
const FAILED: u8 = 1;

/// The options of rustdoc that are replaced, each with its value.
const REPLACED: [&str; 3] = ["--test-runtool", "--test-runtool-arg", "--test-args"];

/// Runs the wrapper with rustdoc's arguments, and returns its exit status.
pub(super) fn main(arguments: &[OsString]) -> u8 {
    match run(arguments) {
        Ok(status) => status,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: can't run rustdoc: {error}");
            FAILED
        }
    }
}

fn run(arguments: &[OsString]) -> io::Result<u8> {
    let rustdoc = std::env::var_os(RUSTDOC).unwrap_or_else(|| "rustdoc".into());
    let mut command = Command::new(&rustdoc);
    if !arguments.iter().any(|argument| argument == "--test") {
        // Cargo asks for the version, for example.
        let status = command.args(arguments).status()?;
        return Ok(status_of(status));
    }
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap_or_default());
    let library = LibraryDirectory::new(&directory)?;
    let for_tests = test_arguments();
    let reuse = DoctestReuse::new(&rustdoc, arguments, &for_tests);
    if let Some(captured) = reuse.as_ref().and_then(|reuse| reuse.take(&library.path)) {
        return library.tell(&captured).map(|()| 0);
    }
    let own = std::env::current_exe()?;
    command
        .args(replaced(arguments, &for_tests, &own))
        .env(LIBRARY, &library.path)
        // The run tool moves programs, so rustdoc's directories are on the same file system.
        .env("TMPDIR", library.path.join(TEMPORARY))
        .env_remove("RUST_TEST_NOCAPTURE")
        .env_remove("RUST_TEST_SHUFFLE")
        .env_remove("RUST_TEST_SHUFFLE_SEED")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let RustdocRun {
        report,
        events,
        diagnostics_bytes,
        status,
    } = library.follow(&mut command)?;
    let mut captured = CapturedLibrary {
        package_directory: std::env::var_os("CARGO_MANIFEST_DIR")
            .unwrap_or_default()
            .into(),
        doctests: Vec::new(),
        filtered_out: 0,
        problems: Vec::new(),
    };
    let merged = library.merged()?;
    if report.is_absent() && merged.is_empty() {
        // rustdoc has printed why.
        let problem =
            "rustdoc failed before the first of them; it must be that of Rust 1.89 or later";
        captured.problems.push(problem.to_owned());
        return library.tell(&captured).map(|()| status_of(status));
    }
    // Without a report, nothing else shows that the list is not complete.
    if let Some(signal) = status.signal() {
        let problem = format!("signal {signal} ended rustdoc");
        captured.problems.push(problem);
    }
    for listed in merged {
        match listed {
            Ok(doctests) => captured.doctests.extend(doctests),
            Err(problem) => captured.problems.push(problem),
        }
    }
    // There is no report if all doctests are merged.
    if !report.is_absent() {
        match report.end() {
            Ok(report) => {
                captured.filtered_out = report.filtered_out;
                let programs = library.path.join(PROGRAMS);
                let (doctests, problems) = assign(report, &events, &programs);
                captured.doctests.extend(doctests);
                captured.problems.extend(problems);
            }
            Err(problem) => captured
                .problems
                .push(format!("rustdoc's output can't be read: {problem}")),
        }
    }
    captured
        .doctests
        .sort_by(|one, other| one.name.cmp(&other.name));
    // Messages of rustdoc would not be printed again.
    if let Some(reuse) = reuse.filter(|_| diagnostics_bytes == 0) {
        // If they can't be kept, rustdoc compiles them again.
        drop(reuse.keep(&captured, &library.path));
    }
    library.tell(&captured).map(|()| 0)
}

fn status_of(status: std::process::ExitStatus) -> u8 {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.unwrap_or(FAILED)
}

/// Returns the arguments for rustdoc's test harness.
fn test_arguments() -> Vec<String> {
    let given = std::env::var(TEST_ARGUMENTS).unwrap_or_default();
    serde_json::from_str(&given).unwrap_or_default()
}

/// Returns rustdoc's arguments with this run tool and these arguments for the test harness in place
/// of cargo's.
fn replaced(arguments: &[OsString], for_tests: &[String], own: &Path) -> Vec<OsString> {
    let mut left = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let name = REPLACED.iter().find(|name| {
            let text = argument.to_string_lossy();
            text == **name || text.starts_with(&format!("{name}="))
        });
        match name {
            // Its value is the next argument.
            Some(name) if argument == *name => drop(rest.next()),
            Some(_) => {}
            None => left.push(argument.clone()),
        }
    }
    let tool = [
        OsStr::new("--test-runtool"),
        own.as_os_str(),
        OsStr::new("--test-runtool-arg"),
        OsStr::new(RUN_TOOL),
    ];
    left.extend(tool.map(OsStr::to_owned));
    let pairs = for_tests.iter();
    left.extend(pairs.flat_map(|argument| ["--test-args".into(), argument.into()]));
    left
}

/// What a run of rustdoc has shown.
struct RustdocRun {
    report: HarnessReport,
    events: Vec<NamingEvent>,
    /// The size of what rustdoc wrote to stderr.
    diagnostics_bytes: u64,
    /// The exit status.
    status: std::process::ExitStatus,
}

/// The directory of rustdoc's and the compiler's temporary files.
const TEMPORARY: &str = "temporary";

/// The files of one library's doctests.
struct LibraryDirectory {
    path: PathBuf,
    permits: File,
    released: File,
}

impl LibraryDirectory {
    fn new(parent: &Path) -> io::Result<LibraryDirectory> {
        let path = private::temporary_directory("library-", parent)?.keep();
        for name in [TEMPORARY, PROGRAMS] {
            private::new_directory(&path.join(name))?;
        }
        let pipe = |name: &str| -> io::Result<File> {
            let path = path.join(name);
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU)?;
            // Open for both, so that opening does not wait, and reading does not end.
            OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(&path)
        };
        Ok(LibraryDirectory {
            permits: pipe(PERMITS)?,
            released: pipe(RELEASED)?,
            path,
        })
    }

    /// Runs rustdoc, follows its report, and passes its messages on.
    fn follow(&self, command: &mut Command) -> io::Result<RustdocRun> {
        let mut report = HarnessReport::default();
        let mut events = Vec::new();
        let mut child = command.spawn()?;
        let none = || io::Error::other("rustdoc has no output");
        let stdout = child.stdout.take().ok_or_else(none)?;
        let mut stderr = child.stderr.take().ok_or_else(none)?;
        let messages = std::thread::spawn(move || io::copy(&mut stderr, &mut io::stderr()));
        let mut lines = BufReader::new(stdout).split(b'\n');
        self.permit()?;
        let mut waiting = 0;
        while let Some(line) = lines.next().transpose()? {
            // A run tool writes its id before it ends, so it comes before the line of its test.
            for id in self.released()? {
                events.push(NamingEvent::Released { id });
                waiting += 1;
            }
            let line = String::from_utf8_lossy(&line);
            let Some(test) = report.line(&line) else {
                continue;
            };
            if !may_have_program(test) {
                continue;
            }
            if test.word == ReportedWord::Ok {
                let name = test.name.clone();
                events.push(NamingEvent::Passed { name });
            }
            if waiting > 0 {
                waiting -= 1;
                self.permit()?;
            }
        }
        let status = child.wait()?;
        fs::remove_dir_all(self.path.join(TEMPORARY)).ok();
        let copied = messages.join();
        let gone = |_| io::Error::other("rustdoc's messages can't be passed on");
        Ok(RustdocRun {
            report,
            events,
            diagnostics_bytes: copied.map_err(gone)??,
            status,
        })
    }

    /// Lets one more run tool end.
    fn permit(&self) -> io::Result<()> {
        (&self.permits).write_all(b".")
    }

    /// Returns the ids that run tools have written since the last call.
    fn released(&self) -> io::Result<Vec<String>> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 1024];
        loop {
            match (&self.released).read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => bytes.extend(chunk.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Returns the lists of merged doctests.
    fn merged(&self) -> io::Result<Vec<Result<Vec<CapturedDoctest>, String>>> {
        let mut lists = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(MERGED) {
                lists.push(serde_json::from_slice(&fs::read(entry.path())?)?);
            }
        }
        Ok(lists)
    }

    /// Writes what was learned, and prints where it is.
    fn tell(&self, captured: &CapturedLibrary) -> io::Result<()> {
        let file = self.path.join("doctests.json");
        private::write(&file, &serde_json::to_vec(captured)?)?;
        let message = DoctestMessage {
            reason: REASON.to_owned(),
            file,
        };
        writeln!(io::stdout(), "{}", serde_json::to_string(&message)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_about_running_is_replaced() {
        let arguments = [
            "--test",
            "--test-runtool",
            "qemu",
            "--test-runtool-arg=-cpu",
            "--test-args",
            "--quiet",
            "-L",
            "x",
        ];
        let arguments = arguments.map(OsString::from);
        let left = replaced(&arguments, &["name".to_owned()], Path::new("/own"));
        let left: Vec<_> = left.iter().map(|word| word.to_string_lossy()).collect();
        assert_eq!(
            left.join(" "),
            "--test -L x --test-runtool /own --test-runtool-arg maelstrom-doctest --test-args name"
        );
    }
}
