//! A process as `/proc` shows it: its threads, and the files that it has mapped.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::unistd::Pid;

/// A process, by its id in the `/proc` of this process.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    directory: PathBuf,
}

/// A file that is mapped as executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExecutableMapping {
    /// The first address.
    pub start: u64,
    /// The address behind the last.
    pub end: u64,
    /// The position of the first byte in the file.
    pub offset: u64,
    /// The path as the process sees it.
    pub path: PathBuf,
}

impl Target {
    pub(crate) fn new(pid: Pid) -> Target {
        Target {
            directory: PathBuf::from(format!("/proc/{pid}")),
        }
    }

    /// Returns the ids of its threads.
    pub(crate) fn threads(&self) -> io::Result<Vec<Pid>> {
        let mut threads = Vec::new();
        for entry in fs::read_dir(self.directory.join("task"))? {
            let name = entry?.file_name();
            threads.extend(
                name.to_str()
                    .and_then(|name| name.parse().ok())
                    .map(Pid::from_raw),
            );
        }
        threads.sort_unstable();
        Ok(threads)
    }

    /// Returns its working directory as it sees it.
    pub(crate) fn working_directory(&self) -> Option<PathBuf> {
        self.directory.join("cwd").read_link().ok()
    }

    /// Returns the id that a thread has in its own namespace.
    pub(crate) fn inner_id(&self, thread: Pid) -> Option<i32> {
        let status = self.directory.join(format!("task/{thread}/status"));
        let status = fs::read_to_string(status).ok()?;
        let ids = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))?;
        ids.split_whitespace().next_back()?.parse().ok()
    }

    /// Returns the files that it may execute.
    pub(crate) fn mappings(&self) -> io::Result<Vec<ExecutableMapping>> {
        let maps = fs::read(self.directory.join("maps"))?;
        let maps = String::from_utf8_lossy(&maps);
        Ok(maps.lines().filter_map(mapping).collect())
    }

    /// Opens a file as the process sees it. A job may have put anything in its place: links are
    /// followed within the root of the process, and only a regular file is opened.
    pub(crate) fn open(&self, path: &Path) -> io::Result<File> {
        let root = File::open(self.directory.join("root"))?;
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let found = File::from(openat2(root, path, how)?);
        match found.metadata()?.is_file() {
            true => File::open(format!("/proc/self/fd/{}", found.as_raw_fd())),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Opens its memory.
    pub(crate) fn memory(&self) -> io::Result<TargetMemory> {
        File::open(self.directory.join("mem")).map(TargetMemory)
    }
}

/// The memory of a process.
pub(crate) struct TargetMemory(File);

impl TargetMemory {
    /// Reads a word.
    pub(crate) fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, address).ok()?;
        Some(u64::from_ne_bytes(bytes))
    }
}

/// Parses a line of `maps`. Returns `None` for what is not executable, or not from a file that still
/// has its name.
fn mapping(line: &str) -> Option<ExecutableMapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let offset = fields.next()?;
    let path = fields.nth(2)?.trim_start();
    if !permissions.contains('x') || !path.starts_with('/') || path.ends_with(" (deleted)") {
        return None;
    }
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(ExecutableMapping {
        start: number(start)?,
        end: number(end)?,
        offset: number(offset)?,
        path: path.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_opened_within_the_root_of_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir_all(root.join("lib")).unwrap();
        std::fs::write(root.join("lib/x.so"), "inside").unwrap();
        std::fs::write(directory.path().join("x.so"), "outside").unwrap();
        let link = |target: &Path, name: &str| {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        };
        link(Path::new("/lib"), "absolute");
        link(directory.path(), "away");
        link(Path::new("../x.so"), "up");
        let target = Target {
            directory: directory.path().to_owned(),
        };
        let read = |path: &str| {
            let file = target.open(Path::new(path)).ok()?;
            io::read_to_string(file).ok()
        };
        for inside in ["/lib/x.so", "/absolute/x.so"] {
            assert_eq!(read(inside).as_deref(), Some("inside"), "{inside}");
        }
        for missing in ["/away/x.so", "/up", "/lib"] {
            assert_eq!(read(missing), None, "{missing}");
        }
    }

    #[test]
    fn mappings_of_code_have_a_file() {
        let line = "7f0000001000-7f0000003000 r-xp 00002000 fe:00 1234           /a lib/x.so";
        let expected = ExecutableMapping {
            start: 0x7f00_0000_1000,
            end: 0x7f00_0000_3000,
            offset: 0x2000,
            path: "/a lib/x.so".into(),
        };
        assert_eq!(mapping(line), Some(expected));
        for other in [
            "7f0000001000-7f0000003000 r--p 00002000 fe:00 1234  /lib/x.so",
            "7f0000001000-7f0000003000 r-xp 00002000 fe:00 1234  /lib/x.so (deleted)",
            "7fff00001000-7fff00003000 r-xp 00000000 00:00 0  [vdso]",
            "7fff00001000-7fff00003000 rwxp 00000000 00:00 0 ",
            "",
        ] {
            assert_eq!(mapping(other), None, "{other}");
        }
    }
}
