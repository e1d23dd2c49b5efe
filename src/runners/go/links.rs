//! Caches linked test binaries.
//!
//! `go build` does not relink a program that is up to date, but `go test` links every test binary
//! in every run, which takes longer than most test suites. `-toolexec` makes Go call its tools
//! through this program: it caches the linker's output, and copies a binary that was linked from
//! the same inputs before.
//!
//! ```text
//! go test ──▶ this program ──▶ compile, vet, asm, cgo, …
//!                    └───────▶ link -buildid=ID …   unless its output is cached
//! ```
//!
//! The cache key is Go's own: the build id that Go passes to the linker is a digest of all of the
//! linker's inputs, of the linker, and of its flags; `go build` relies on it, too. The flags are
//! also part of the key directly. Binaries linked by the system's linker (packages with C code,
//! `-race`) are linked every time: the build id does not cover the system's libraries.
//!
//! The linker's output is cached before Go writes its build id into it. The cache is in the
//! runner's cache for the project, up to a size limit; the least recently used binary is evicted
//! first. Each run gets a copy, so that no run can modify the cache.
//!
//! The cache is disabled if the user sets `-toolexec`, which takes precedence.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::SystemTime;

use data_encoding::HEXLOWER;
use object::Object;
use sha2::{Digest, Sha256};

use maelstrom_container::private;

/// The environment variable with the path of the cache, for the tools.
pub const VARIABLE: &str = "MAELSTROM_GO_TEST_LINKS";

/// The argument before the tool on the command line.
const MARK: &str = "tool";

/// The size limit of the cache, enough for about a hundred binaries of typical size. If one build
/// has more, the rest is linked every time.
const KEPT_BYTES_MAX: u64 = 1 << 30;

/// Sections that only the system's linker creates, from the startup files of C programs.
const FOREIGN_SECTIONS: [&str; 2] = [".init", ".comment"];

/// Returns the flag `-toolexec` for this program, whose path is quoted for Go.
pub fn toolexec(quoted: &OsStr) -> OsString {
    let mut value = OsString::from("-toolexec=");
    value.push(quoted);
    value.push(" ");
    value.push(MARK);
    value
}

/// Returns whether the flags include `-toolexec`.
pub fn is_taken<'a>(flags: impl IntoIterator<Item = &'a str>) -> bool {
    let name = |flag: &str| flag.trim_start_matches('-').starts_with("toolexec");
    flags.into_iter().any(name)
}

/// If Go has called this process as a tool, runs the tool and returns its exit status.
pub fn run_if_tool() -> Option<u8> {
    let kept = std::env::var_os(VARIABLE)?;
    let mut words = std::env::args_os().skip(1);
    words.next().filter(|first| first == MARK)?;
    let words: Vec<OsString> = words.collect();
    let (tool, arguments) = words.split_first()?;
    let code = match LinkerInvocation::read(tool, arguments) {
        Some(link) => link.make(Path::new(&kept), Command::new(tool).args(arguments)),
        // `exec` only returns if the tool can't be started.
        None => Err(Command::new(tool).args(arguments).exec()),
    };
    Some(code.unwrap_or_else(|error| {
        let tool = tool.display();
        drop(writeln!(io::stderr(), "{tool} can't be called: {error}"));
        1
    }))
}

/// An invocation of the linker.
#[derive(Debug, PartialEq, Eq)]
struct LinkerInvocation {
    output: PathBuf,
    /// The cache key: a digest of everything that determines the output.
    key: String,
}

impl LinkerInvocation {
    /// Parses a tool's command line. Returns `None` if it does not link a program.
    fn read(tool: &OsStr, arguments: &[OsString]) -> Option<LinkerInvocation> {
        if Path::new(tool).file_stem()? != "link" {
            return None;
        }
        // The archive comes last. Its path and that of the list of the others don't matter: the
        // build id covers their content.
        let (_, flags) = arguments.split_last()?;
        let mut output = None;
        let mut id = None;
        let mut hash = Sha256::new();
        let mut counted = |word: &OsStr| {
            // The length distinguishes `ab` `c` from `a` `bc`.
            hash.update(word.len().to_le_bytes());
            hash.update(word.as_encoded_bytes());
        };
        counted(tool);
        let mut words = flags.iter();
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("-o") => output = words.next().map(PathBuf::from),
                Some("-importcfg") => drop(words.next()),
                text => {
                    id = id.or(text.and_then(|text| text.strip_prefix("-buildid=")));
                    counted(word);
                }
            }
        }
        id.filter(|id| !id.is_empty())?;
        let key = hash.finalize();
        Some(LinkerInvocation {
            output: output?,
            key: HEXLOWER.encode(&key),
        })
    }

    /// Copies the cached output, or runs the linker and caches its output. Returns the exit status.
    fn make(&self, kept: &Path, linker: &mut Command) -> io::Result<u8> {
        let place = kept.join(&self.key);
        // Go writes its build id into this file later, so a hard link would modify the cache.
        if fs::copy(&place, &self.output).is_ok() {
            // If updating the time fails, the binary is only evicted earlier.
            #[expect(clippy::disallowed_methods, reason = "a file's time")]
            drop(File::open(&place).and_then(|file| file.set_modified(SystemTime::now())));
            return Ok(0);
        }
        let status = linker.status()?;
        if status.success() {
            // An error of the cache must not fail the build.
            drop(self.keep(kept, &place));
        }
        Ok(exit_code(status))
    }

    fn keep(&self, kept: &Path, place: &Path) -> io::Result<()> {
        if is_foreign(&self.output)? {
            return Ok(());
        }
        private::directory(kept)?;
        let mut copy = tempfile::NamedTempFile::new_in(kept)?;
        io::copy(&mut File::open(&self.output)?, &mut copy)?;
        let permissions = fs::metadata(&self.output)?.permissions();
        copy.as_file().set_permissions(permissions)?;
        // After this, a file with the final name has its complete content, even after a power
        // failure.
        copy.as_file().sync_data()?;
        copy.persist(place)?;
        Ok(())
    }
}

/// Returns whether the system's linker was involved. A file that cannot be parsed counts as well.
pub fn is_foreign(binary: &Path) -> io::Result<bool> {
    let cache = object::ReadCache::new(File::open(binary)?);
    let Ok(file) = object::File::parse(&cache) else {
        return Ok(true);
    };
    let mut sections = FOREIGN_SECTIONS.iter();
    Ok(sections.any(|name| file.section_by_name(name).is_some()))
}

fn exit_code(status: ExitStatus) -> u8 {
    let of_signal = || status.signal().map(|signal| 128 + signal);
    let code = status.code().or_else(of_signal);
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Removes the least recently used files beyond the size limit, including temporary files of killed
/// tools.
pub fn tidy(kept: &Path) {
    tidy_to(kept, KEPT_BYTES_MAX);
}

fn tidy_to(kept: &Path, bytes_max: u64) {
    let Ok(entries) = fs::read_dir(kept) else {
        return;
    };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    // Most recently used first.
    files.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0_u64;
    for (_, length, path) in files {
        bytes = bytes.saturating_add(length);
        if bytes > bytes_max {
            drop(fs::remove_file(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn read(tool: &str, line: &str) -> Option<LinkerInvocation> {
        LinkerInvocation::read(OsStr::new(tool), &words(line))
    }

    const TOOL: &str = "/go/pkg/tool/linux_amd64/link";
    const LINE: &str = "-o $WORK/b001/p.test -importcfg $WORK/b001/importcfg.link -s -w \
                        -X=a.b=c -buildmode=exe -buildid=A/b/c/D -extld=gcc /cache/f1/f14d-d";

    #[test]
    fn what_decides_about_a_binary_is_its_key_and_where_things_are_is_not() {
        let link = read(TOOL, LINE).unwrap();
        assert_eq!(link.output, Path::new("$WORK/b001/p.test"));
        let elsewhere = LINE.replace("b001", "b002").replace("/cache/f1", "/other");
        assert_eq!(read(TOOL, &elsewhere).unwrap().key, link.key);
        for (from, to) in [
            ("A/b/c/D", "A/b/c/E"),
            ("-s -w", "-s"),
            ("-X=a.b=c", "-X=a.b=d"),
            ("-extld=gcc", "-extld=cc"),
            ("-s -w", "-s-w"),
        ] {
            let other = read(TOOL, &LINE.replace(from, to)).unwrap();
            assert_ne!(other.key, link.key, "{to}");
        }
        assert_ne!(read("/other/link", LINE).unwrap().key, link.key);
    }

    #[test]
    fn other_calls_are_no_links() {
        assert_eq!(read("/go/pkg/tool/linux_amd64/compile", LINE), None);
        assert_eq!(read(TOOL, "-V=full"), None);
        assert_eq!(read(TOOL, &LINE.replace("-buildid=A/b/c/D", "-v")), None);
        assert_eq!(
            read(TOOL, &LINE.replace("-buildid=A/b/c/D", "-buildid=")),
            None
        );
        assert_eq!(read(TOOL, "-buildid=A -importcfg x main.a"), None);
        assert_eq!(read(TOOL, "-buildid=A -o"), None);
    }

    #[test]
    fn a_toolexec_of_the_users_is_noticed() {
        assert!(is_taken(["-race", "-toolexec=x"]));
        assert!(is_taken(["--toolexec", "x"]));
        assert!(!is_taken(["-race", "-exec=x"]));
        let ours = toolexec(OsStr::new("'/a b/c'"));
        assert_eq!(ours, "-toolexec='/a b/c' tool");
    }

    #[test]
    fn what_was_not_made_by_gos_own_linker_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let kept = directory.path().join("kept");
        let output = directory.path().join("output");
        let link = LinkerInvocation {
            output: output.clone(),
            key: "key".to_owned(),
        };
        // The system's linker has linked this test, and a text file has not been linked at all.
        for source in ["/proc/self/exe", "/proc/self/stat"] {
            fs::copy(source, &output).unwrap();
            assert_eq!(link.make(&kept, &mut Command::new("true")).unwrap(), 0);
            assert!(!kept.join("key").exists(), "{source}");
        }
        let failed = link.make(&kept, Command::new("sh").args(["-c", "exit 3"]));
        assert_eq!(failed.unwrap(), 3);
        let killed = link.make(&kept, Command::new("sh").args(["-c", "kill -9 $$"]));
        assert_eq!(killed.unwrap(), 137);
    }

    #[test]
    fn what_is_kept_is_copied_and_nothing_is_linked() {
        let kept = tempfile::tempdir().unwrap();
        let place = kept.path().join("key");
        fs::write(&place, "binary").unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::open(&place).unwrap().set_modified(long_ago).unwrap();
        let output = kept.path().join("output");
        let link = LinkerInvocation {
            output: output.clone(),
            key: "key".to_owned(),
        };
        let code = link.make(kept.path(), &mut Command::new("false")).unwrap();
        assert_eq!((code, fs::read(&output).unwrap()), (0, b"binary".to_vec()));
        assert_ne!(fs::metadata(&place).unwrap().modified().unwrap(), long_ago);
    }

    #[test]
    fn what_is_too_much_goes_and_the_latest_stay() {
        let kept = tempfile::tempdir().unwrap();
        for (name, age) in [("new", 9), ("middle", 5), ("old", 1)] {
            let path = kept.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(age);
            File::open(&path).unwrap().set_modified(time).unwrap();
        }
        let left = || {
            let entries = fs::read_dir(kept.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        };
        tidy_to(kept.path(), 300);
        assert_eq!(left(), ["middle", "new", "old"]);
        tidy_to(kept.path(), 250);
        assert_eq!(left(), ["middle", "new"]);
        tidy_to(kept.path(), 99);
        assert_eq!(left(), [""; 0]);
        tidy_to(&kept.path().join("absent"), 0);
    }
}
