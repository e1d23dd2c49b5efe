//! The image lock file: the digest that each tag resolved to when it was first used.
//!
//! The format is that of the original Maelstrom, so both can use the same file.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use super::reference::{RegistryReference, TagOrDigest};
use maelstrom_container::digest::ContentHash;
use maelstrom_container::private;

/// The name of the file in a project's directory.
pub const TAG_LOCK_FILE: &str = "maelstrom-container-tags.lock";

const VERSION: i64 = 1;

/// The key of the file's version, which therefore cannot be the name of an image.
const VERSION_KEY: &str = "version";

/// The mode of a new file: as readable as the rest of the project, because it is meant to be
/// committed.
const PUBLIC: u32 = 0o644;

/// The contents of a lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageLockFile {
    tags: BTreeMap<String, BTreeMap<String, ContentHash>>,
    /// The tags that this program has resolved, which are merged with those of other programs on
    /// saving.
    news: BTreeMap<String, BTreeMap<String, ContentHash>>,
}

/// An error while reading or writing a lock file.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[diagnostic(help(
    "make the file, and the directory it is in, readable and writable, or name the image by its \
     digest"
))]
pub enum ImageLockError {
    /// The file exists and cannot be read.
    #[error("cannot read the lock file `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file cannot be written.
    #[error("cannot write the lock file `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// The result of saving a lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageLockUpdate {
    /// There was nothing to add.
    NothingNew,
    /// The file was extended.
    Written,
}

impl ImageLockFile {
    /// Reads a project's lock file. A file that doesn't exist, has another version or is malformed
    /// counts as empty.
    pub fn read(path: &Path) -> Result<Self, ImageLockError> {
        match fs::read(path) {
            Ok(text) => Ok(ImageLockFile {
                tags: parse(&String::from_utf8_lossy(&text)).unwrap_or_default(),
                news: BTreeMap::new(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ImageLockFile::default()),
            Err(source) => Err(ImageLockError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Returns the digest to which a reference's tag is locked.
    pub fn get(&self, reference: &RegistryReference) -> Option<ContentHash> {
        match reference.version() {
            TagOrDigest::Tag(tag) => self.tags.get(reference.name())?.get(tag).copied(),
            TagOrDigest::Digest(_) => None,
        }
    }

    /// Locks a reference's tag. References by digest aren't recorded.
    pub fn record(&mut self, reference: &RegistryReference, digest: ContentHash) {
        let TagOrDigest::Tag(tag) = reference.version() else {
            return;
        };
        if self.get(reference) == Some(digest) || reference.name() == VERSION_KEY {
            return;
        }
        for tags in [&mut self.tags, &mut self.news] {
            tags.entry(reference.name().to_owned())
                .or_default()
                .insert(tag.clone(), digest);
        }
    }

    /// Writes the recorded tags, if there are any. Tags that other programs have recorded in the
    /// meantime, or record concurrently, are preserved.
    pub fn save(&mut self, path: &Path) -> Result<ImageLockUpdate, ImageLockError> {
        if self.news.is_empty() {
            return Ok(ImageLockUpdate::NothingNew);
        }
        // The lock is held until the file has been replaced.
        let _locked = lock(path).map_err(|source| ImageLockError::Write {
            path: path.to_owned(),
            source,
        })?;
        let mut merged = ImageLockFile::read(path)?.tags;
        for (name, tags) in &self.news {
            merged.entry(name.clone()).or_default().extend(tags.clone());
        }
        write(path, &render(&merged)).map_err(|source| ImageLockError::Write {
            path: path.to_owned(),
            source,
        })?;
        self.tags = merged;
        self.news.clear();
        Ok(ImageLockUpdate::Written)
    }
}

/// Parses the file; `None` if the text is malformed.
fn parse(text: &str) -> Option<BTreeMap<String, BTreeMap<String, ContentHash>>> {
    let mut table: toml::Table = text.parse().ok()?;
    if table.remove(VERSION_KEY)?.as_integer()? != VERSION {
        return None;
    }
    table
        .into_iter()
        .map(|(name, tags)| {
            let tags = tags
                .as_table()?
                .iter()
                .map(|(tag, digest)| Some((tag.clone(), parse_digest(digest.as_str()?)?)))
                .collect::<Option<_>>()?;
            Some((name, tags))
        })
        .collect()
}

fn parse_digest(text: &str) -> Option<ContentHash> {
    text.strip_prefix("sha256:")?.parse().ok()
}

fn render(tags: &BTreeMap<String, BTreeMap<String, ContentHash>>) -> String {
    let mut table = toml::Table::new();
    table.insert(VERSION_KEY.to_owned(), VERSION.into());
    for (name, tags) in tags {
        let tags: toml::Table = tags
            .iter()
            .map(|(tag, digest)| (tag.clone(), format!("sha256:{digest}").into()))
            .collect();
        table.insert(name.clone(), tags.into());
    }
    table.to_string()
}

/// Locks the file against other programs that save it, and creates it if necessary.
fn lock(path: &Path) -> io::Result<File> {
    loop {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match private::new_file(path) {
                    // Another program was faster. A dangling symlink stays one.
                    Err(error)
                        if error.kind() == io::ErrorKind::AlreadyExists && !path.is_symlink() =>
                    {
                        continue;
                    }
                    created => created?,
                }
            }
            opened => opened?,
        };
        match file.lock() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Some network file systems have no locks. There, programs may lose each other's tags,
            // but a run that can save its own does not fail.
            Err(_) => return Ok(file),
        }
        // The previous holder of the lock may have replaced the file. Then this is the lock of a
        // deleted file.
        let locked = file.metadata()?;
        match fs::metadata(path) {
            Ok(current) if (current.dev(), current.ino()) == (locked.dev(), locked.ino()) => {
                return Ok(file);
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Replaces the file atomically: readers see the old file or the new one.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        Some(_) | None => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    let permissions = match fs::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => metadata.permissions(),
        // The file is new, or was empty when it was locked.
        Ok(_) | Err(_) => Permissions::from_mode(PUBLIC),
    };
    file.as_file().set_permissions(permissions)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::super::reference::ImageUri;
    use super::*;

    fn reference(uri: &str) -> RegistryReference {
        match uri.parse() {
            Ok(ImageUri::Registry(reference)) => reference,
            other => panic!("{other:?}"),
        }
    }

    fn hash(text: &str) -> ContentHash {
        ContentHash::of(text.as_bytes())
    }

    #[test]
    fn the_file_has_the_originals_form() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(TAG_LOCK_FILE);
        let mut lock = ImageLockFile::read(&path).unwrap();
        lock.record(&reference("docker://debian:bookworm"), hash("a"));
        lock.record(
            &reference("docker://registry.example:5000/team/base"),
            hash("b"),
        );
        lock.record(
            &reference(&format!("docker://debian@sha256:{}", hash("c"))),
            hash("c"),
        );
        lock.save(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            format!(
                "version = 1\n\n[debian]\nbookworm = \"sha256:{}\"\n\n\
                 [\"registry.example:5000/team/base\"]\nlatest = \"sha256:{}\"\n",
                hash("a"),
                hash("b")
            )
        );
        let again = ImageLockFile::read(&path).unwrap();
        assert_eq!(
            again.get(&reference("docker://debian:bookworm")),
            Some(hash("a"))
        );
        assert_eq!(again.get(&reference("docker://debian:other")), None);
    }

    #[test]
    fn what_has_no_meaning_counts_as_empty_and_is_replaced() {
        let debian = reference("docker://debian");
        for text in [
            "",
            "version = 2\n[debian]\nlatest = \"sha256:00\"",
            "version = 1\n[debian]\nlatest = 7",
            "version = 1\ndebian = 7",
            "{ json }",
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(TAG_LOCK_FILE);
            fs::write(&path, text).unwrap();
            let mut lock = ImageLockFile::read(&path).unwrap();
            assert_eq!(lock.get(&debian), None);
            lock.record(&debian, hash("a"));
            lock.save(&path).unwrap();
            assert_eq!(
                ImageLockFile::read(&path).unwrap().get(&debian),
                Some(hash("a"))
            );
        }
    }

    #[test]
    fn two_programs_add_to_one_file_and_nothing_new_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(TAG_LOCK_FILE);
        let (one, two) = (reference("docker://one"), reference("docker://two"));
        let mut first = ImageLockFile::read(&path).unwrap();
        let mut second = ImageLockFile::read(&path).unwrap();
        first.record(&one, hash("1"));
        second.record(&two, hash("2"));
        first.save(&path).unwrap();
        second.save(&path).unwrap();
        let mut both = ImageLockFile::read(&path).unwrap();
        assert_eq!(both.get(&one), Some(hash("1")));
        assert_eq!(both.get(&two), Some(hash("2")));

        fs::remove_file(&path).unwrap();
        both.record(&one, hash("1"));
        both.save(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn programs_that_save_at_the_same_time_lose_nothing() {
        const PROGRAMS: usize = 8;
        for _ in 0..20 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(TAG_LOCK_FILE);
            let together = Barrier::new(PROGRAMS);
            let names: Vec<String> = (0..PROGRAMS)
                .map(|number| format!("docker://image{number}"))
                .collect();
            std::thread::scope(|scope| {
                for name in &names {
                    scope.spawn(|| {
                        let mut lock = ImageLockFile::read(&path).unwrap();
                        lock.record(&reference(name), hash(name));
                        together.wait();
                        lock.save(&path).unwrap();
                    });
                }
            });
            let all = ImageLockFile::read(&path).unwrap();
            for name in &names {
                assert_eq!(all.get(&reference(name)), Some(hash(name)), "{name}");
            }
            let mode = fs::metadata(&path).unwrap().mode();
            assert_eq!(mode & 0o7777, PUBLIC);
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn an_image_called_version_is_not_locked_and_harms_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(TAG_LOCK_FILE);
        let debian = reference("docker://debian");
        let mut lock = ImageLockFile::default();
        lock.record(&debian, hash("a"));
        lock.record(&reference("docker://version"), hash("b"));
        lock.save(&path).unwrap();
        assert_eq!(
            ImageLockFile::read(&path).unwrap().get(&debian),
            Some(hash("a"))
        );
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = ImageLockFile::read(directory.path()).unwrap_err();
        assert!(matches!(error, ImageLockError::Read { .. }), "{error}");
        let mut lock = ImageLockFile::default();
        lock.record(&reference("docker://one"), hash("1"));
        let error = lock.save(Path::new("/proc/nowhere/lock")).unwrap_err();
        assert!(error.to_string().contains("/proc/nowhere/lock"), "{error}");
    }
}
