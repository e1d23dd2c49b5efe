//! Searches for a library by name in the order of the loader (`ld.so(8)`, "DESCRIPTION"; for musl,
//! the chapter on the dynamic linker in its manual).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::cache::LoaderCache;
use super::error::ElfError;
use super::file::{DefaultDirectories, ElfFile, ElfMachine, SearchPath};

/// A program or library that needs libraries.
#[derive(Debug)]
pub(super) struct ElfObject {
    pub(super) path: PathBuf,
    pub(super) file: ElfFile,
    /// The object that needed this one first, as an index into all objects.
    needed_by: Option<usize>,
}

impl ElfObject {
    pub(super) fn new(path: PathBuf, file: ElfFile, needed_by: Option<usize>) -> Self {
        ElfObject {
            path,
            file,
            needed_by,
        }
    }
}

/// The library directories of a system.
#[derive(Debug)]
pub(super) struct SystemLibraries {
    pub(super) loader: LoaderKind,
    pub(super) directories: Vec<PathBuf>,
}

/// The loader whose rules apply.
#[derive(Debug)]
pub(super) enum LoaderKind {
    Glibc(LoaderCache),
    Musl,
}

/// The maximum length of a path for system calls (path_resolution(7)).
const PATH_BYTES_MAX: usize = libc::PATH_MAX as usize;

/// The libraries contained in musl's single file, by the names under which programs may need them.
const MUSL_PARTS: [&str; 8] = ["c", "crypt", "dl", "m", "pthread", "rt", "util", "xnet"];

impl SystemLibraries {
    /// Returns the directories of this machine for the loader of this program.
    pub(super) fn host(program: &ElfFile) -> Self {
        let machine = program.machine;
        let is_musl = program
            .interpreter
            .as_deref()
            .and_then(Path::file_name)
            .is_some_and(|name| name.as_bytes().starts_with(b"ld-musl-"));
        if is_musl {
            return SystemLibraries {
                loader: LoaderKind::Musl,
                directories: musl_directories(machine),
            };
        }
        // The multiarch directories of Debian come first, followed by the directories that glibc is
        // configured with on other distributions.
        let (multiarch, lib) = match machine {
            ElfMachine::X86_64 => ("x86_64-linux-gnu", "lib64"),
            ElfMachine::Aarch64 => ("aarch64-linux-gnu", "lib64"),
        };
        SystemLibraries {
            loader: LoaderKind::Glibc(LoaderCache::read(Path::new("/etc/ld.so.cache"))),
            directories: vec![
                Path::new("/lib").join(multiarch),
                Path::new("/usr/lib").join(multiarch),
                Path::new("/").join(lib),
                Path::new("/usr").join(lib),
                PathBuf::from("/lib"),
                PathBuf::from("/usr/lib"),
            ],
        }
    }

    /// Returns whether a library is part of the loader.
    pub(super) fn is_part_of_loader(&self, name: &OsStr) -> bool {
        match self.loader {
            LoaderKind::Glibc(_) => false,
            LoaderKind::Musl => name
                .as_bytes()
                .strip_prefix(b"lib")
                .and_then(|rest| rest.split(|byte| *byte == b'.').next())
                .is_some_and(|part| MUSL_PARTS.iter().any(|known| known.as_bytes() == part)),
        }
    }

    /// Finds a library for one of the objects. Files that are not libraries for this architecture
    /// are skipped.
    pub(super) fn find(
        &self,
        name: &OsStr,
        index: usize,
        objects: &[ElfObject],
        library_path: &[PathBuf],
        machine: ElfMachine,
    ) -> Result<(PathBuf, ElfFile), ElfError> {
        let usable = |path: &Path| {
            ElfFile::read(path)
                .ok()
                .filter(|file| file.machine == machine)
        };
        let not_found = |searched| ElfError::NotFound {
            library: name.to_owned(),
            needed_by: objects
                .get(index)
                .map(|object| object.path.clone())
                .unwrap_or_default(),
            searched,
        };
        if name.as_bytes().contains(&b'/') {
            let expanded = objects
                .get(index)
                .map_or_else(Vec::new, |object| expand(name, &object.path, machine));
            return expanded
                .iter()
                .find_map(|path| Some((path.clone(), usable(path)?)))
                .ok_or_else(|| not_found(expanded));
        }
        let (before, after) = self.own_directories(index, objects, library_path, machine);
        let in_directories = |directories: &[PathBuf]| {
            directories.iter().find_map(|directory| {
                let path = directory.join(name);
                let file = usable(&path)?;
                Some((path, file))
            })
        };
        if let Some(found) = in_directories(&before) {
            return Ok(found);
        }
        if let LoaderKind::Glibc(cache) = &self.loader
            && after.cache == DefaultDirectories::Searched
            && let Some(found) = cache
                .find(name)
                .iter()
                .find_map(|path| Some((path.clone(), usable(path)?)))
        {
            return Ok(found);
        }
        in_directories(&after.directories).ok_or_else(|| {
            let mut searched = before.clone();
            searched.extend(after.directories.clone());
            not_found(searched)
        })
    }

    /// Returns the directories to search before the loader's cache, and what to search afterwards.
    fn own_directories(
        &self,
        index: usize,
        objects: &[ElfObject],
        library_path: &[PathBuf],
        machine: ElfMachine,
    ) -> (Vec<PathBuf>, DefaultSearch) {
        let chain = DependencyChain {
            objects,
            next: Some(index),
        };
        let named = |object: &ElfObject| -> Vec<PathBuf> {
            match &object.file.search {
                SearchPath::None => Vec::new(),
                SearchPath::Inherited(list) | SearchPath::Own(list) => list
                    .iter()
                    .flat_map(|directory| expand(directory, &object.path, machine))
                    .collect(),
            }
        };
        let requester = objects.get(index);
        let mut before = Vec::new();
        match self.loader {
            LoaderKind::Glibc(_) => {
                let own = requester.filter(|object| is_own(&object.file.search));
                // DT_RUNPATH of an object disables DT_RPATH for the libraries that it needs, both
                // its own and that of the objects that needed it.
                if own.is_none() {
                    before.extend(
                        chain
                            .filter(|object| !is_own(&object.file.search))
                            .flat_map(named),
                    );
                }
                before.extend(library_path.iter().cloned());
                before.extend(own.into_iter().flat_map(named));
            }
            // musl has one kind of search path, which is inherited and comes after the library
            // path.
            LoaderKind::Musl => {
                before.extend(library_path.iter().cloned());
                before.extend(chain.flat_map(named));
            }
        }
        let defaults = requester.map_or(DefaultDirectories::Searched, |object| {
            object.file.default_directories
        });
        let after = DefaultSearch {
            cache: defaults,
            directories: match defaults {
                DefaultDirectories::Searched => self.directories.clone(),
                DefaultDirectories::Ignored => Vec::new(),
            },
        };
        (before, after)
    }
}

struct DefaultSearch {
    cache: DefaultDirectories,
    directories: Vec<PathBuf>,
}

fn is_own(search: &SearchPath) -> bool {
    match search {
        SearchPath::Own(_) => true,
        SearchPath::None | SearchPath::Inherited(_) => false,
    }
}

/// Iterates over an object, the object that needed it, and so on up to the program.
struct DependencyChain<'objects> {
    objects: &'objects [ElfObject],
    next: Option<usize>,
}

impl<'objects> Iterator for DependencyChain<'objects> {
    type Item = &'objects ElfObject;

    fn next(&mut self) -> Option<Self::Item> {
        let object = self.objects.get(self.next?)?;
        self.next = object.needed_by;
        Some(object)
    }
}

fn musl_directories(machine: ElfMachine) -> Vec<PathBuf> {
    let list = format!("/etc/ld-musl-{}.path", machine.name());
    match std::fs::read_to_string(list) {
        Ok(list) => list
            .split([':', '\n'])
            .filter(|directory| !directory.is_empty())
            .map(PathBuf::from)
            .collect(),
        Err(_) => ["/lib", "/usr/local/lib", "/usr/lib"]
            .map(PathBuf::from)
            .into(),
    }
}

/// Expands `$ORIGIN`, `$LIB` and `$PLATFORM`, with or without braces. `$LIB` differs between
/// distributions, so there may be several results; within one result its value is the same. An
/// empty directory means the current one, which is ignored because jobs run elsewhere.
fn expand(text: &OsStr, object: &Path, machine: ElfMachine) -> Vec<PathBuf> {
    if text.is_empty() {
        return Vec::new();
    }
    let libs = match machine {
        ElfMachine::X86_64 => ["lib/x86_64-linux-gnu", "lib64", "lib"],
        ElfMachine::Aarch64 => ["lib/aarch64-linux-gnu", "lib64", "lib"],
    };
    let origin = std::path::absolute(object).unwrap_or_else(|_| object.to_owned());
    let origin = origin.parent().unwrap_or(Path::new("/")).as_os_str();
    let mut expanded = Vec::new();
    for lib in libs {
        let values = [
            ("ORIGIN", origin.as_bytes()),
            ("PLATFORM", machine.name().as_bytes()),
            ("LIB", lib.as_bytes()),
        ];
        let path = substitute(text.as_bytes(), &values).map(|path| OsString::from_vec(path).into());
        expanded.extend(path.filter(|path| !expanded.contains(path)));
    }
    expanded
}

/// Replaces tokens by their values. Returns `None` if the result exceeds the maximum length of a
/// path, because a file may contain many tokens that expand to long values.
fn substitute(mut text: &[u8], values: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let mut path = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        let found = values
            .iter()
            .find_map(|(token, value)| Some((*value, after_token(text, token)?)));
        match found {
            Some((value, after)) => {
                path.extend_from_slice(value);
                text = after;
            }
            None => {
                path.push(*first);
                text = rest;
            }
        }
        if path.len() >= PATH_BYTES_MAX {
            return None;
        }
    }
    Some(path)
}

/// Returns the text after a token, if the text begins with it.
fn after_token<'text>(text: &'text [u8], token: &str) -> Option<&'text [u8]> {
    let name = text.strip_prefix(b"$")?;
    match name.strip_prefix(b"{") {
        Some(braced) => braced.strip_prefix(token.as_bytes())?.strip_prefix(b"}"),
        None => name.strip_prefix(token.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Vec<String> {
        expand(
            OsStr::new(text),
            Path::new("/opt/app/bin/tool"),
            ElfMachine::X86_64,
        )
        .iter()
        .map(|path| path.display().to_string())
        .collect()
    }

    #[test]
    fn tokens_are_replaced() {
        assert_eq!(expanded("$ORIGIN/../lib"), ["/opt/app/bin/../lib"]);
        assert_eq!(expanded("${ORIGIN}"), ["/opt/app/bin"]);
        assert_eq!(expanded("/a/$PLATFORM"), ["/a/x86_64"]);
        assert_eq!(
            expanded("/usr/$LIB"),
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"]
        );
        assert_eq!(expanded("/plain"), ["/plain"]);
        assert!(expanded("").is_empty());
    }

    #[test]
    fn a_token_that_is_repeated_multiplies_nothing() {
        assert_eq!(
            expanded("/$LIB/${LIB}x/$PLATFORM/$LIBRARY/${LIB/$"),
            [
                "/lib/x86_64-linux-gnu/lib/x86_64-linux-gnux/x86_64/lib/x86_64-linux-gnuRARY/${LIB/$",
                "/lib64/lib64x/x86_64/lib64RARY/${LIB/$",
                "/lib/libx/x86_64/libRARY/${LIB/$",
            ]
        );
        assert_eq!(expanded(&"$LIB".repeat(200)).len(), 3);
        assert!(expanded(&"$ORIGIN".repeat(1 << 20)).is_empty());
        assert!(expanded(&"x".repeat(PATH_BYTES_MAX)).is_empty());
    }

    #[test]
    fn musl_brings_the_c_library_in_its_loader() {
        let musl = SystemLibraries {
            loader: LoaderKind::Musl,
            directories: Vec::new(),
        };
        for (name, part) in [
            ("libc.so", true),
            ("libc.musl-x86_64.so.1", true),
            ("libpthread.so.0", true),
            ("libcrypto.so.3", false),
            ("libm2.so", false),
        ] {
            assert_eq!(musl.is_part_of_loader(OsStr::new(name)), part, "{name}");
        }
    }
}
