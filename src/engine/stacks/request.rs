//! The program's side: starts the helper, kills it after a time, and adds the stacks to a list of
//! threads.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::helper::{END, HELPER_NAME, REFUSED, THREAD};

/// How long reading stacks may take. With the time for a list of threads it is less than a second.
const READ_MAX: Duration = Duration::from_millis(900);

/// The maximum size of all versions of the helper's output. More is not read.
const OUTPUT_BYTES_MAX: usize = 4 << 20;

/// The processes whose stacks are to be read.
#[derive(Debug)]
pub struct StackRequest {
    /// An executable that calls [`super::run_if_helper`] first.
    pub executable: PathBuf,
    /// A descriptor of each process (`pidfd_open(2)`).
    pub processes: Vec<OwnedFd>,
}

/// Why there are no stacks.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error("the process that reads them cannot be started: {0}")]
    Start(#[source] io::Error),
    #[error("they could not be read within a second")]
    Late,
    /// The kernel refuses to let the threads be traced.
    #[error("the kernel refuses to show them: {0}")]
    Refused(String),
    #[error("the test has just ended")]
    Ended,
}

impl StackRequest {
    /// Reads the stacks. Blocks, for less than a second.
    pub fn read(&self) -> Result<String, StackError> {
        let deadline = Instant::now() + READ_MAX;
        let pids: Vec<String> = self.processes.iter().filter_map(pid).collect();
        if pids.is_empty() {
            return Err(StackError::Ended);
        }
        let mut helper = Command::new(&self.executable)
            .arg0(HELPER_NAME)
            .args(pids)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(StackError::Start)?;
        let output = helper.stdout.take();
        let written = output.map(|output| read_until(output, deadline));
        end(&mut helper);
        let written = written.transpose().map_err(StackError::Start)?;
        let last = last_version(&written.unwrap_or_default()).ok_or(StackError::Late)?;
        let (refusal, stacks) = match last.strip_prefix(REFUSED) {
            Some(rest) => rest.split_once('\n').unwrap_or((rest, "")),
            None => ("", last.as_str()),
        };
        match (refusal, stacks) {
            ("", "") => Err(StackError::Ended),
            (refusal, "") => Err(StackError::Refused(refusal.to_owned())),
            (_, stacks) => Ok(stacks.to_owned()),
        }
    }
}

/// Returns the id of a process in the namespace of this one, unless it has ended.
fn pid(process: &OwnedFd) -> Option<String> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    let pid: i32 = pid.trim().parse().ok()?;
    // It is 0 in another namespace, and negative once it has ended.
    (pid > 0).then(|| pid.to_string())
}

/// Reads what the helper writes, up to a point in time.
fn read_until(mut output: ChildStdout, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut written = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while written.len() < OUTPUT_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut watched = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, left) {
            Ok(0) => break,
            Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        match output.read(&mut buffer)? {
            0 => break,
            count => written.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(written)
}

/// Ends the helper. Threads that it has stopped continue.
fn end(helper: &mut Child) {
    // It may have ended by itself.
    let _ = helper.kill();
    let _ = helper.wait();
}

/// Returns the last version that is complete.
fn last_version(written: &[u8]) -> Option<String> {
    let end = written.iter().rposition(|byte| *byte == END)?;
    let begin = written[..end].iter().rposition(|byte| *byte == END);
    let begin = begin.map_or(0, |before| before + 1);
    Some(String::from_utf8_lossy(&written[begin..end]).into_owned())
}

/// Adds stacks to a list of threads, of which each line begins with `thread ID`. Without stacks, a
/// line says why.
pub fn with_stacks(threads: &str, stacks: &Result<String, StackError>) -> String {
    let stacks = match stacks {
        Ok(stacks) => stacks,
        Err(error) => return format!("{threads}no stacks: {error}\n"),
    };
    let mut frames: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = "";
    for line in stacks.lines() {
        match line.strip_prefix(THREAD) {
            Some(id) => current = id,
            None => frames.entry(current).or_default().push(line),
        }
    }
    let mut text = String::new();
    for line in threads.lines() {
        text.push_str(line);
        text.push('\n');
        let id = line
            .strip_prefix(THREAD)
            .and_then(|rest| rest.split(' ').next());
        for frame in id.and_then(|id| frames.remove(id)).unwrap_or_default() {
            text.push_str(frame);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complete_version_counts() {
        let version = |bytes: &[u8]| last_version(bytes);
        assert_eq!(version(b""), None);
        assert_eq!(version(b"first, cut o"), None);
        assert_eq!(version(b"first\0").as_deref(), Some("first"));
        assert_eq!(version(b"first\0sec").as_deref(), Some("first"));
        assert_eq!(version(b"first\0second\0").as_deref(), Some("second"));
        assert_eq!(version(b"\0").as_deref(), Some(""));
    }

    #[test]
    fn each_thread_has_its_frames_below_it() {
        let threads =
            "thread 2 (main) of app: sleeping\nthread 3 (io) of app: running\nand more threads\n";
        let stacks =
            "thread 3\n   0: read\nthread 2\n   0: wait\n   1: main\nthread 9\n   0: gone\n";
        let expected = "thread 2 (main) of app: sleeping\n   0: wait\n   1: main\n\
                        thread 3 (io) of app: running\n   0: read\nand more threads\n";
        assert_eq!(with_stacks(threads, &Ok(stacks.to_owned())), expected);
        let refused = StackError::Refused("Operation not permitted".to_owned());
        assert_eq!(
            with_stacks("thread 2 (a) of b: sleeping\n", &Err(refused)),
            "thread 2 (a) of b: sleeping\n\
             no stacks: the kernel refuses to show them: Operation not permitted\n"
        );
    }
}
