//! What the doctests of a library may be compiled from.
//!
//! Neither cargo nor rustdoc records it, so everything counts that may be read: the arguments and the
//! environment of rustdoc, its version, the libraries that it links, and each file of the repository
//! and of the output of the package's build script. Files are compared by their stamps
//! ([`FileStamp`]).

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use data_encoding::HEXLOWER;
use maelstrom_container::store::FileStamp;
use sha2::{Digest, Sha256};

use super::protocol::{DIRECTORY, ReusePlaces};
use crate::sandbox::container::workspace::VERSION_CONTROL;

/// The maximum number of files to compare, which takes about 0.2 s.
const FILES_MAX: usize = 50_000;

/// The file that marks a directory whose content can be recreated.
const CACHE_MARK: &str = "CACHEDIR.TAG";

/// The files in a directory of compiled dependencies that rustdoc may read.
const LIBRARIES: [&str; 4] = ["a", "rlib", "rmeta", "so"];

/// Variables that differ from run to run, and that no program is compiled from.
const VOLATILE: [&str; 7] = [
    DIRECTORY,
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "MFLAGS",
    "OLDPWD",
    "SHLVL",
    "_",
];

/// What doctests are compiled from.
pub(super) struct InputSources<'a> {
    rustdoc: &'a OsStr,
    pub arguments: &'a [OsString],
    pub places: ReusePlaces,
    /// The digest of all that is no file.
    constant: Sha256,
}

/// The digest of what doctests are compiled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DoctestInputs {
    pub digest: String,
    /// Whether any later change of a file changes the digest.
    pub stable: bool,
}

impl<'a> InputSources<'a> {
    /// Returns the inputs of a call of rustdoc. `for_tests` are the arguments for its test harness.
    /// Fails if they are not known.
    pub(super) fn new(
        rustdoc: &'a OsStr,
        arguments: &'a [OsString],
        for_tests: &[String],
        places: ReusePlaces,
    ) -> io::Result<InputSources<'a>> {
        let mut bytes = arguments.iter().map(|word| word.as_bytes());
        if bytes.any(|word| word.starts_with(b"@")) {
            return Err(io::Error::other("an argument names a file of arguments"));
        }
        let version = Command::new(rustdoc)
            .arg("-vV")
            .stdin(Stdio::null())
            .output()?;
        if !version.status.success() {
            return Err(io::Error::other("rustdoc does not tell its version"));
        }
        let mut constant = Sha256::new();
        add(&mut constant, &version.stdout);
        add(
            &mut constant,
            std::env::current_dir()?.as_os_str().as_bytes(),
        );
        add(&mut constant, &arguments.len().to_le_bytes());
        for word in arguments {
            add(&mut constant, word.as_bytes());
        }
        add(&mut constant, &for_tests.len().to_le_bytes());
        for word in for_tests {
            add(&mut constant, word.as_bytes());
        }
        let variables: BTreeSet<(OsString, OsString)> = std::env::vars_os().collect();
        for (name, value) in variables {
            if !VOLATILE.iter().any(|volatile| name == *volatile) {
                add(&mut constant, name.as_bytes());
                add(&mut constant, value.as_bytes());
            }
        }
        Ok(InputSources {
            rustdoc,
            arguments,
            places,
            constant,
        })
    }

    /// Looks at the files. Fails if there are too many, or ones that cannot be compared.
    pub(super) fn inputs(&self) -> io::Result<DoctestInputs> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the times of files are compared with it"
        )]
        let mut files = InputFiles {
            now: SystemTime::now(),
            digest: self.constant.clone(),
            count: 0,
            directories: BTreeSet::new(),
            stable: true,
        };
        files.add(&std::env::current_exe()?)?;
        files.add_named(Path::new(self.rustdoc))?;
        let mut before: &[u8] = b"";
        for word in self.arguments {
            let word = word.as_bytes();
            if let Some((kind, directory)) = library_directory(before, word) {
                files.add_libraries(directory, kind == b"dependency")?;
            }
            for value in values(word) {
                files.add_named(value)?;
            }
            before = word;
        }
        let ReusePlaces { sources, built, .. } = &self.places;
        let own = ["CARGO_MANIFEST_DIR", "OUT_DIR"].map(std::env::var_os);
        let own = own.into_iter().flatten().map(PathBuf::from);
        // The package may be in a directory that is left out of the repository.
        for root in sources.iter().cloned().chain(own) {
            if !files.directories.contains(&root) {
                files.add_tree(&root, built)?;
            }
        }
        Ok(DoctestInputs {
            digest: HEXLOWER.encode(&files.digest.finalize()),
            stable: files.stable,
        })
    }
}

/// Adds bytes to a digest such that their end is part of it.
pub(super) fn add(digest: &mut Sha256, bytes: &[u8]) {
    digest.update(bytes.len().to_le_bytes());
    digest.update(bytes);
}

/// Returns the kind and the path of a directory of libraries that a word of a command names, if it
/// does. `before` is the word before.
fn library_directory<'w>(before: &[u8], word: &'w [u8]) -> Option<(&'w [u8], &'w Path)> {
    let value = match before {
        b"-L" | b"--library-path" => Some(word),
        _ => {
            let short = word.strip_prefix(b"-L").filter(|value| !value.is_empty());
            short.or_else(|| word.strip_prefix(b"--library-path="))
        }
    };
    let value = value?;
    let (kind, path) = match value.iter().position(|byte| *byte == b'=') {
        None => (&b""[..], value),
        Some(at) => (value.get(..at)?, value.get(at + 1..)?),
    };
    Some((kind, Path::new(OsStr::from_bytes(path))))
}

/// Returns a word of a command, and what follows each `=` in it.
fn values(word: &[u8]) -> impl Iterator<Item = &Path> {
    let path = |bytes| Path::new(OsStr::from_bytes(bytes));
    let positions = word.iter().enumerate().filter(|(_, byte)| **byte == b'=');
    let after = positions.filter_map(move |(at, _)| word.get(at + 1..).map(path));
    std::iter::once(path(word)).chain(after)
}

/// The files that doctests may be compiled from, as far as they are in the digest.
struct InputFiles {
    now: SystemTime,
    digest: Sha256,
    count: usize,
    /// The directories whose files have been added.
    directories: BTreeSet<PathBuf>,
    stable: bool,
}

impl InputFiles {
    /// Adds a file, or the target of a link.
    fn add(&mut self, path: &Path) -> io::Result<()> {
        let stamp = FileStamp::of(&fs::metadata(path)?);
        self.count += 1;
        if self.count > FILES_MAX {
            return Err(io::Error::other("there are too many files"));
        }
        self.stable &= stamp.is_stable(self.now);
        add(&mut self.digest, path.as_os_str().as_bytes());
        add(&mut self.digest, format!("{stamp:?}").as_bytes());
        Ok(())
    }

    /// Adds a file if a word of a command names one.
    fn add_named(&mut self, path: &Path) -> io::Result<()> {
        match path.is_file() {
            true => self.add(path),
            false => Ok(()),
        }
    }

    /// Adds the files in a directory of libraries. rustdoc does not need it to exist.
    fn add_libraries(&mut self, directory: &Path, only_libraries: bool) -> io::Result<()> {
        if !directory.is_dir() {
            return Ok(());
        }
        for path in listed(directory)? {
            let extension = path.extension().unwrap_or_default();
            if !only_libraries || LIBRARIES.iter().any(|one| extension == *one) {
                self.add_named(&path)?;
            }
        }
        Ok(())
    }

    /// Adds the files in and below a directory, except for outputs of the build.
    fn add_tree(&mut self, directory: &Path, built: &[PathBuf]) -> io::Result<()> {
        self.directories.insert(directory.to_owned());
        for path in listed(directory)? {
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                let name = path.file_name().unwrap_or_default();
                let is_history = VERSION_CONTROL.iter().any(|one| name == *one);
                if !is_history && !built.contains(&path) && !path.join(CACHE_MARK).exists() {
                    self.add_tree(&path, built)?;
                }
            } else if kind.is_symlink() && path.is_dir() {
                return Err(io::Error::other("a link leads to a directory"));
            } else if kind.is_file() || path.is_file() {
                self.add(&path)?;
            }
        }
        Ok(())
    }
}

/// Returns the paths in a directory, sorted.
fn listed(directory: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let entries = fs::read_dir(directory)?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_are_found_in_every_form_of_an_argument() {
        let found = |before: &str, word: &str| {
            let found = library_directory(before.as_bytes(), word.as_bytes());
            found.map(|(kind, path)| {
                let kind = String::from_utf8_lossy(kind).into_owned();
                (kind, path.to_string_lossy().into_owned())
            })
        };
        let some = |kind: &str, path: &str| Some((kind.to_owned(), path.to_owned()));
        assert_eq!(found("-L", "dependency=/d"), some("dependency", "/d"));
        assert_eq!(found("-L", "/d"), some("", "/d"));
        assert_eq!(found("x", "-Lnative=/d"), some("native", "/d"));
        assert_eq!(found("x", "--library-path=/d"), some("", "/d"));
        assert_eq!(found("x", "-L"), None);
        assert_eq!(found("x", "dependency=/d"), None);
        let paths = |word: &'static str| values(word.as_bytes()).collect::<Vec<_>>();
        let expected = ["--extern=a=/b", "a=/b", "/b"].map(Path::new);
        assert_eq!(paths("--extern=a=/b"), expected);
        assert_eq!(paths("src/lib.rs"), [Path::new("src/lib.rs")]);
    }

    /// Returns the digest of a tree, and whether it is stable at a time.
    fn digest(root: &Path, built: &[PathBuf], now: SystemTime) -> io::Result<(String, bool)> {
        let mut files = InputFiles {
            now,
            digest: Sha256::new(),
            count: 0,
            directories: BTreeSet::new(),
            stable: true,
        };
        files.add_tree(root, built)?;
        Ok((HEXLOWER.encode(&files.digest.finalize()), files.stable))
    }

    #[test]
    fn any_change_of_a_source_and_none_of_an_output_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for directory in ["src", "out", "cache", ".git"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        fs::write(root.join("src/lib.rs"), "one").unwrap();
        fs::write(root.join("cache/CACHEDIR.TAG"), "").unwrap();
        let built = [root.join("out")];
        let written = fs::metadata(root.join("src/lib.rs")).unwrap();
        let written = written.modified().unwrap();
        let later = written + std::time::Duration::from_secs(60);
        let now = || digest(root, &built, later).unwrap().0;
        let first = now();
        for output in ["out/x", "cache/x", ".git/x"] {
            fs::write(root.join(output), "").unwrap();
            assert_eq!(now(), first, "{output}");
        }
        fs::write(root.join("README.md"), "").unwrap();
        let second = now();
        assert_ne!(second, first);
        fs::write(root.join("src/lib.rs"), "longer").unwrap();
        assert_ne!(now(), second);
        // At the time of the change, a further change need not be seen.
        assert!(digest(root, &built, later).unwrap().1);
        assert!(!digest(root, &built, written).unwrap().1);
        std::os::unix::fs::symlink("src", root.join("link")).unwrap();
        assert!(digest(root, &built, later).is_err());
    }
}
