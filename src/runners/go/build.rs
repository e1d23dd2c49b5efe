//! Builds tests with `go test`, without running them.
//!
//! `-exec` makes Go pass each test binary to the [collector](super::collector) instead of running
//! it. So packages are built, vetted and linked exactly as by `go test`, with its own parallelism,
//! and a package's tests can start while the next one is compiled. A package that can't be built
//! does not stop the others.
//!
//! Go runs in its own process group. Dropping an unfinished [`GoBuild`] kills the whole group.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::net::UnixStream;
use tokio::process::{ChildStderr, ChildStdout};

use crate::lines::LineReader;
use crate::process::ProcessGroup;
use crate::sandbox::invocation::Invocation;

use super::collector::{self, CollectorListener};
use super::error::GoError;
use super::links;
use super::options::GoSettings;
use super::report::{PackageResult, package_end};
use super::toolchain::GO;

/// The maximum length of a line that is passed on in one piece.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A running build.
#[derive(Debug)]
pub struct GoBuild {
    group: ProcessGroup,
    desk: CollectorListener,
    stdout: Option<LineReader<ChildStdout>>,
    stderr: Option<LineReader<ChildStderr>>,
}

/// Whether linked test binaries are cached.
#[derive(Clone, Copy, Debug)]
pub enum LinkCachePolicy<'a> {
    /// Every binary is linked.
    Again,
    /// Linked binaries are cached in this directory.
    Kept(&'a Path),
}

/// A message from a build.
#[derive(Debug)]
pub enum GoBuildMessage {
    /// A line of stderr for the user, without its newline.
    Said(Vec<u8>),
    /// A line of stdout for the user, without its newline.
    Output(Vec<u8>),
    /// Go has finished with a package.
    Package(PackageResult),
    Call(UnixStream),
    /// Go has exited.
    Finished(ExitStatus),
}

impl GoBuildMessage {
    /// Returns Go's exit status, if Go has exited.
    pub fn finished(&self) -> Option<ExitStatus> {
        match self {
            GoBuildMessage::Finished(status) => Some(*status),
            GoBuildMessage::Said(_)
            | GoBuildMessage::Output(_)
            | GoBuildMessage::Package(_)
            | GoBuildMessage::Call(_) => None,
        }
    }
}

/// Returns the arguments of Go to show to the user; they lack `-exec` and `-toolexec`.
pub fn arguments(settings: &GoSettings, packages: &[String]) -> Vec<String> {
    let words = [&settings.build_flags, &settings.go_test_flags];
    let mut arguments = vec!["test".to_owned()];
    arguments.extend(words.into_iter().flatten().cloned());
    // Disable Go's cache of test results.
    arguments.push("-count=1".to_owned());
    arguments.extend(packages.iter().cloned());
    arguments.extend(settings.test_flags.iter().cloned());
    arguments
}

impl GoBuild {
    /// Starts Go with these arguments. Go's temporary files go into `temporary`.
    pub fn start(
        invocation: &Invocation,
        arguments: &[String],
        temporary: &Path,
        linking: LinkCachePolicy<'_>,
    ) -> Result<GoBuild, GoError> {
        let desk = CollectorListener::open().map_err(|source| GoError::Listen { source })?;
        let own = std::env::current_exe().map_err(|source| GoError::Listen { source })?;
        // Flags of this program come right after `test`: after the packages, Go may pass them to
        // the test binaries.
        let (first, rest) = match arguments.split_first() {
            Some((first, rest)) => (first.as_str(), rest),
            None => ("test", arguments),
        };
        let mut command = invocation.command(OsStr::new(GO));
        command.arg(first);
        match linking {
            LinkCachePolicy::Again => {}
            LinkCachePolicy::Kept(kept) => {
                command
                    .arg(links::toolexec(&quoted(own.as_os_str())))
                    .env(links::VARIABLE, kept);
            }
        }
        let mut exec = OsString::from("-exec=");
        exec.push(quoted(own.as_os_str()));
        command
            .arg(exec)
            .args(rest)
            .env(collector::VARIABLE, desk.socket())
            // On the same file system as the stored test binaries, so that storing one is a rename.
            .env("GOTMPDIR", temporary)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command
            .spawn()
            .map_err(|source| GoError::Start { source })?;
        let gone = || GoError::Follow {
            source: io::Error::other("a pipe of the build is missing"),
        };
        let stdout = child.stdout.take().ok_or_else(gone)?;
        let stderr = child.stderr.take().ok_or_else(gone)?;
        Ok(GoBuild {
            group: ProcessGroup { leader: child },
            desk,
            stdout: Some(LineReader::new(stdout, LINE_BYTES_MAX)),
            stderr: Some(LineReader::new(stderr, LINE_BYTES_MAX)),
        })
    }

    /// Returns the next message of the build. The last one is [`GoBuildMessage::Finished`]. Cancel
    /// safe: dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<GoBuildMessage, GoError> {
        loop {
            let line = tokio::select! {
                // Read stderr first: errors in a package come before the line on stdout that it
                // failed.
                biased;
                line = next_line(&mut self.stderr) => match line {
                    Ok(Some(line)) => return Ok(GoBuildMessage::Said(line)),
                    ended => ended.map(|_| self.stderr = None),
                },
                stream = self.desk.next() => {
                    return stream
                        .map(GoBuildMessage::Call)
                        .map_err(|source| GoError::Listen { source });
                }
                line = next_line(&mut self.stdout) => match line {
                    Ok(Some(line)) => return Ok(read_line(line)),
                    ended => ended.map(|_| self.stdout = None),
                },
                // Report Go's exit after all of its output.
                ended = self.group.leader.wait(), if self.is_silent() => {
                    return ended
                        .map(GoBuildMessage::Finished)
                        .map_err(|source| GoError::Follow { source });
                }
            };
            line.map_err(|source| GoError::Follow { source })?;
        }
    }

    fn is_silent(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }
}

/// Returns the next line, or `None` at the stream's end. Pending once the stream has ended.
async fn next_line<R>(lines: &mut Option<LineReader<R>>) -> io::Result<Option<Vec<u8>>>
where
    R: tokio::io::AsyncRead + Unpin,
{
    match lines {
        Some(lines) => Ok(lines.next().await?.map(|line| line.bytes)),
        None => std::future::pending().await,
    }
}

fn read_line(line: Vec<u8>) -> GoBuildMessage {
    let end = std::str::from_utf8(&line).ok().and_then(package_end);
    match end {
        Some(end) => GoBuildMessage::Package(end),
        None => GoBuildMessage::Output(line),
    }
}

/// Quotes a program for `-exec` or `-toolexec`. Go splits the value at spaces; quotes keep a word
/// together, and nothing escapes a quote.
fn quoted(program: &OsStr) -> OsString {
    let quote = match program.as_encoded_bytes().contains(&b'\'') {
        true => "\"",
        false => "'",
    };
    let mut word = OsString::from(quote);
    word.push(program);
    word.push(quote);
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::options::GoOptions;
    use std::num::NonZeroU32;

    #[test]
    fn flags_come_before_packages_and_the_tests_own_after_them() {
        let words = "x -race -short -update ./a ./b"
            .split(' ')
            .map(OsString::from);
        let options = GoOptions::read(words).unwrap();
        let settings = options.resolve(NonZeroU32::MIN).unwrap();
        let packages = ["./a".to_owned()];
        assert_eq!(
            arguments(&settings, &packages).join(" "),
            "test -race -short -count=1 ./a -update"
        );
    }

    #[test]
    fn programs_are_quoted_as_go_reads_them() {
        assert_eq!(quoted(OsStr::new("/a b/c")), "'/a b/c'");
        assert_eq!(quoted(OsStr::new("/it's/c")), "\"/it's/c\"");
    }
}
