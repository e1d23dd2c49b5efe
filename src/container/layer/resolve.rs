//! Builds a layer's tree from its specification.

use std::fs;
use std::path::{Path, PathBuf};

use super::brace;
use super::elf;
use super::error::LayerError;
use super::glob;
use super::listing::{LayerEntry, LayerListing};
use super::source_entry::SourceEntry;
use super::spec::{LayerSpec, PathForm, PrefixOptions, SymlinkMode};
use super::tarball::{self, SpecialFiles};
use maelstrom_container::digest::{ContentHash, Digest, DigestHasher};
use maelstrom_container::store::{FileStamp, Store, Tree, TreePath};

/// Part of the name of every archive layer. Change it when the same archive results in a different
/// tree.
const TAR_FORMAT: &[u8] = b"maelstrom tar layer 1";

/// The permission bits of a stub directory.
const STUB_DIRECTORY_MODE: u32 = 0o555;

/// Builds layers for one project.
#[derive(Clone, Debug)]
pub struct LayerBuilder {
    store: Store,
    project: PathBuf,
    library_path: Vec<PathBuf>,
}

/// A resolved layer.
#[derive(Clone, Debug)]
pub struct ResolvedLayer {
    /// The canonical name of its tree. Equal names mean equal trees.
    pub hash: ContentHash,
    pub content: LayerContent,
}

/// The contents of a layer.
#[derive(Clone, Debug)]
pub enum LayerContent {
    Listing(LayerListing),
    /// The contents of an archive.
    Tar {
        path: PathBuf,
        /// The stamp of the archive, which shows whether it has changed since.
        stamp: FileStamp,
        /// The digest of the archive itself.
        digest: Digest,
    },
}

impl LayerBuilder {
    /// Creates a builder that stores layers in `store`. Relative paths start at `project`.
    pub fn new(store: Store, project: PathBuf) -> Self {
        LayerBuilder {
            store,
            project,
            library_path: Vec::new(),
        }
    }

    /// Sets directories in which programs search for libraries first, as in `LD_LIBRARY_PATH`.
    pub fn with_library_path(mut self, directories: Vec<PathBuf>) -> Self {
        self.library_path = directories;
        self
    }

    /// Resolves a layer. Reads only files that have changed since they were last hashed.
    pub fn resolve(&self, spec: &LayerSpec) -> Result<ResolvedLayer, LayerError> {
        let mut listing = LayerListing::default();
        match spec {
            LayerSpec::Tar { path } => return self.resolve_tar(path),
            LayerSpec::Glob { pattern, prefix } => self.list_glob(pattern, prefix, &mut listing)?,
            LayerSpec::Paths { paths, prefix } => {
                for path in paths {
                    let place = SourceEntry::find(&self.project, path, prefix)?;
                    place.list(self.store.digests(), &mut listing)?;
                }
            }
            LayerSpec::Stubs { stubs } => list_stubs(stubs, &mut listing)?,
            LayerSpec::Symlinks { symlinks } => {
                for symlink in symlinks {
                    let target = symlink.target.clone();
                    listing.add(
                        TreePath::parse(&symlink.link)?,
                        LayerEntry::Symlink { target },
                    );
                }
            }
            LayerSpec::SharedLibraryDependencies { binaries, prefix } => {
                for binary in binaries {
                    self.list_libraries(binary, prefix, &mut listing)?;
                }
            }
        }
        listing.check()?;
        Ok(ResolvedLayer {
            hash: listing.digest(),
            content: LayerContent::Listing(listing),
        })
    }

    /// Returns the layer's tree, building it if the store does not have it.
    pub fn materialize(&self, layer: &ResolvedLayer) -> Result<Tree, LayerError> {
        self.store
            .tree_or_build(layer.hash, |writer| match &layer.content {
                LayerContent::Listing(listing) => listing.write(writer),
                LayerContent::Tar { path, stamp, .. } => {
                    let read = |source| LayerError::read(path, source);
                    let file = fs::File::open(path).map_err(read)?;
                    tarball::unpack(path, &file, SpecialFiles::Refuse, writer)?;
                    // Checked after unpacking, so that a change during unpacking is detected as
                    // well.
                    if FileStamp::of(&file.metadata().map_err(read)?) != *stamp {
                        return Err(LayerError::Changed { path: path.clone() });
                    }
                    Ok(())
                }
            })
    }

    /// Resolves a layer and returns its tree.
    pub fn build(&self, spec: &LayerSpec) -> Result<Tree, LayerError> {
        self.materialize(&self.resolve(spec)?)
    }

    fn resolve_tar(&self, path: &Path) -> Result<ResolvedLayer, LayerError> {
        let path = self.project.join(path);
        let metadata = fs::metadata(&path).map_err(|source| LayerError::read(&path, source))?;
        if !metadata.is_file() {
            return Err(LayerError::NotAFile { path });
        }
        let hashed = self.store.digests().digest(&path)?;
        let mut name = DigestHasher::default();
        name.update_framed(TAR_FORMAT);
        name.update_framed(hashed.digest.hash.as_bytes());
        Ok(ResolvedLayer {
            hash: name.finish().hash,
            content: LayerContent::Tar {
                path,
                stamp: hashed.stamp,
                digest: hashed.digest,
            },
        })
    }

    fn list_glob(
        &self,
        pattern: &str,
        prefix: &PrefixOptions,
        listing: &mut LayerListing,
    ) -> Result<(), LayerError> {
        // The store may be inside the project. Without this, a layer could contain copies of the
        // store.
        let project = fs::canonicalize(&self.project)
            .map_err(|source| LayerError::read(&self.project, source))?;
        for path in glob::find(&project, pattern, self.store.root())? {
            let place = SourceEntry::find(&project, &path, prefix)?;
            // A pattern may match an existing socket by accident, which is skipped. Only an
            // explicitly named special file is an error.
            if place.is_ordinary() {
                place.list(self.store.digests(), listing)?;
            }
        }
        Ok(())
    }

    fn list_libraries(
        &self,
        binary: &Path,
        prefix: &PrefixOptions,
        listing: &mut LayerListing,
    ) -> Result<(), LayerError> {
        let binary = self.project.join(binary);
        fs::metadata(&binary).map_err(|source| LayerError::read(&binary, source))?;
        let library_path: Vec<PathBuf> = self
            .library_path
            .iter()
            .map(|directory| self.project.join(directory))
            .collect();
        let libraries = elf::closure(&binary, &library_path)
            .map_err(|source| LayerError::Libraries { binary, source })?;
        for library in libraries {
            self.list_library(library, prefix, listing)?;
        }
        Ok(())
    }

    /// Adds a library. Its path is often a symbolic link; if links are kept, their targets are
    /// added too.
    fn list_library(
        &self,
        library: PathBuf,
        prefix: &PrefixOptions,
        listing: &mut LayerListing,
    ) -> Result<(), LayerError> {
        let place = SourceEntry::find(&self.project, &library, prefix)?;
        if place.is_link() {
            let last = PrefixOptions {
                links: SymlinkMode::Keep,
                form: PathForm::AsGiven,
                ..prefix.clone()
            };
            let mut link = place.source.clone();
            // The loop ends, because the links were already followed when the library was opened.
            while let Ok(target) = fs::read_link(&link) {
                link = link.parent().unwrap_or(Path::new("/")).join(target);
                SourceEntry::find(&self.project, &link, &last)?
                    .list(self.store.digests(), listing)?;
            }
        }
        place.list(self.store.digests(), listing)
    }
}

fn list_stubs(stubs: &[String], listing: &mut LayerListing) -> Result<(), LayerError> {
    for stub in stubs {
        let expanded = brace::expand(stub).map_err(|source| LayerError::Brace {
            stub: stub.clone(),
            source,
        })?;
        for text in expanded {
            let entry = if text.ends_with('/') {
                LayerEntry::Directory {
                    mode: STUB_DIRECTORY_MODE,
                }
            } else {
                LayerEntry::Stub
            };
            listing.add(TreePath::parse(Path::new(&text))?, entry);
        }
    }
    Ok(())
}
