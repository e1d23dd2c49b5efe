//! Detects the facts about the project: which directories its tests need.

use std::path::{Path, PathBuf};

use super::ContainerError;
use super::facts::WorkspaceFacts;
use super::host_path::{FileKind, HostPath};
use super::mountinfo::{self, HostMount};
use super::outward;

/// Names in the root directory of a version-controlled tree.
pub(crate) const VERSION_CONTROL: [&str; 6] = [".git", ".hg", ".jj", ".svn", ".pijul", "_darcs"];

/// The directories of a project.
#[derive(Clone, Debug)]
pub struct WorkspacePaths<'a> {
    pub root: &'a Path,
    /// The packages' directories, which may be outside `root`.
    pub packages: &'a [PathBuf],
    /// The directories of build outputs.
    pub built: &'a [PathBuf],
    /// Maelstrom's own directories, inside or outside the others.
    pub own: &'a [PathBuf],
    pub home: Option<&'a Path>,
}

/// Gathers the facts about a project. Leaves out directories of build outputs that don't exist.
pub fn gather(
    places: &WorkspacePaths<'_>,
    mounts: &[HostMount],
) -> Result<WorkspaceFacts, ContainerError> {
    let resolve = |path: &Path| {
        HostPath::resolve(path).map_err(|error| ContainerError::Unreachable {
            path: path.to_owned(),
            message: error.to_string(),
        })
    };
    let mut roots = vec![resolve(places.root)?];
    let root = roots.first().map(|root| root.canonical.clone());
    let tree = root.and_then(|root| version_controlled_tree(&root, places.home));
    // A project may be part of a larger tree, and its tests may read files elsewhere in it.
    if let Some(tree) = tree {
        roots.push(resolve(&tree)?);
        let repositories = repositories(&tree);
        roots.extend(
            repositories
                .iter()
                .filter_map(|path| HostPath::resolve(path).ok()),
        );
    }
    for package in places.packages {
        roots.push(resolve(package)?);
    }
    for built in places.built {
        roots.extend(HostPath::resolve(built).ok());
    }
    let nested: Vec<HostPath> = roots
        .iter()
        .flat_map(|root| mountinfo::below(mounts, &root.canonical))
        .filter_map(|path| HostPath::resolve(&path).ok())
        .collect();
    let masked = masked(&roots, places.own);
    Ok(WorkspaceFacts {
        roots,
        nested,
        linked: Vec::new(),
        masked,
        lent: Vec::new(),
    })
}

/// Adds the targets of symbolic links in the sources. Does not search the build outputs.
pub fn follow_links(facts: &mut WorkspaceFacts, places: &WorkspacePaths<'_>) {
    let built = |path: &Path| places.built.iter().any(|built| path.starts_with(built));
    let roots = facts.roots.iter().map(|root| root.canonical.clone());
    let roots: Vec<PathBuf> = roots.filter(|root| !built(root)).collect();
    for path in outward::targets(&roots, places.home) {
        match HostPath::resolve(&path) {
            Ok(path) if path.kind == FileKind::Directory => facts.roots.push(path),
            Ok(path) => facts.linked.push(path),
            // The target was deleted after the search.
            Err(_) => {}
        }
    }
}

/// Returns Maelstrom's own directories below `roots`, by their canonical paths, where they are
/// mounted.
fn masked(roots: &[HostPath], own: &[PathBuf]) -> Vec<PathBuf> {
    let real = |path: &PathBuf| {
        HostPath::resolve(path).map_or_else(|_| path.clone(), |resolved| resolved.canonical)
    };
    let shown = |path: &PathBuf| {
        let mut roots = roots.iter();
        roots.any(|root| path.starts_with(&root.canonical))
    };
    own.iter().map(real).filter(shown).collect()
}

/// Returns the root of the version-controlled tree that contains `directory`. A tree that contains
/// the home directory or a shared directory for temporary files does not belong to the project and
/// does not count.
pub(crate) fn version_controlled_tree(directory: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let home = home.map(|home| home.canonicalize().unwrap_or_else(|_| home.to_owned()));
    let shared = [Path::new("/tmp"), Path::new("/var/tmp")];
    directory
        .ancestors()
        .take_while(|candidate| {
            let holds = |place: &Path| place.starts_with(candidate);
            !home.as_deref().is_some_and(holds) && !shared.into_iter().any(holds)
        })
        .find(|candidate| {
            VERSION_CONTROL
                .iter()
                .any(|marker| candidate.join(marker).exists())
        })
        .map(Path::to_owned)
}

/// Returns the directories of a tree's Git repository that are not in its own `.git`: in a linked
/// worktree or a submodule, `.git` is a file that names the directory, and the directory may name
/// others in turn (gitrepository-layout(5)).
fn repositories(tree: &Path) -> Vec<PathBuf> {
    let line = |path: &Path| -> Option<String> {
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.lines().next()?.trim_end().to_owned())
    };
    let own = tree.join(".git");
    let named = line(&own).filter(|_| own.is_file());
    let named = named.and_then(|line| Some(line.strip_prefix("gitdir: ")?.to_owned()));
    let directory = named.map_or_else(|| own.clone(), |named| tree.join(named));
    let common = line(&directory.join("commondir")).map(|common| directory.join(common));
    let common = common.unwrap_or_else(|| directory.clone());
    // Objects that a clone shares with its origin (`git clone --shared`, `--reference`).
    let objects = common.join("objects");
    let alternates = std::fs::read_to_string(objects.join("info/alternates")).unwrap_or_default();
    let alternates = alternates.lines().filter(|line| !line.starts_with('#'));
    let alternates: Vec<PathBuf> = alternates.map(|line| objects.join(line)).collect();
    let all = [directory, common].into_iter().chain(alternates);
    all.filter(|path| path.is_dir() && *path != own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for name in names {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        (directory, root)
    }

    #[test]
    fn the_tree_is_the_nearest_that_is_not_somebodys_home() {
        let (_keep, root) = made(&[
            "home/.git",
            "home/repo/.jj",
            "home/repo/a/b",
            "home/plain/a",
        ]);
        let home = root.join("home");
        let tree = |name: &str| version_controlled_tree(&root.join(name), Some(&home));
        assert_eq!(tree("home/repo/a/b"), Some(root.join("home/repo")));
        assert_eq!(tree("home/repo"), Some(root.join("home/repo")));
        assert_eq!(tree("home/plain/a"), None);
        assert_eq!(tree("home"), None);
        assert_eq!(
            version_controlled_tree(&root.join("home/plain"), None),
            Some(root.join("home"))
        );
    }

    #[test]
    fn everything_that_is_there_is_gathered() {
        let (_keep, root) = made(&["w/target/maelstrom", "w/disk", "outside", "built"]);
        let mounts = [HostMount {
            mount_point: root.join("w/disk"),
            kind: "ext4".to_owned(),
        }];
        let facts = gather(
            &WorkspacePaths {
                root: &root.join("w"),
                packages: &[root.join("w"), root.join("outside")],
                built: &[root.join("built"), root.join("missing")],
                own: &[root.join("w/target/maelstrom"), root.join("elsewhere")],
                home: None,
            },
            &mounts,
        )
        .unwrap();
        let paths = |paths: &[HostPath]| -> Vec<String> {
            let below = paths.iter().map(|path| path.canonical.strip_prefix(&root));
            below
                .map(|path| path.unwrap().display().to_string())
                .collect()
        };
        assert_eq!(paths(&facts.roots), ["w", "w", "outside", "built"]);
        assert!(paths(&facts.nested).iter().all(|path| path == "w/disk"));
        assert_eq!(facts.masked, [root.join("w/target/maelstrom")]);
    }

    #[test]
    fn the_repository_of_a_tree_is_gathered_wherever_it_is() {
        let (_keep, root) = made(&[
            "main/.git/worktrees/w",
            "main/.git/modules/sub",
            "main/.git/objects/info",
            "main/sub",
            "linked",
            "origin/.git/objects",
            "gone",
        ]);
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
        let linked = root.join("main/.git/worktrees/w");
        write("linked/.git", &format!("gitdir: {}\n", linked.display()));
        write("main/.git/worktrees/w/commondir", "../..\n");
        write("main/sub/.git", "gitdir: ../.git/modules/sub\n");
        let objects = root.join("origin/.git/objects");
        write(
            "main/.git/objects/info/alternates",
            &format!("{}\n", objects.display()),
        );
        write("gone/.git", "gitdir: /nowhere/at/all\n");
        let of = |tree: &str| -> Vec<String> {
            let found = repositories(&root.join(tree)).into_iter();
            let found = found.map(|path| path.canonicalize().unwrap());
            found
                .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
                .collect()
        };
        let all = ["main/.git/worktrees/w", "main/.git", "origin/.git/objects"];
        assert_eq!(of("linked"), all);
        assert_eq!(
            of("main/sub"),
            ["main/.git/modules/sub", "main/.git/modules/sub"]
        );
        assert_eq!(of("main"), ["origin/.git/objects"]);
        assert_eq!(of("gone"), [""; 0]);
    }

    #[test]
    fn a_package_that_vanished_is_named() {
        let (_keep, root) = made(&["w"]);
        let gone = root.join("gone");
        let error = gather(
            &WorkspacePaths {
                root: &root.join("w"),
                packages: std::slice::from_ref(&gone),
                built: &[],
                own: &[],
                home: None,
            },
            &[],
        )
        .unwrap_err();
        assert!(matches!(error, ContainerError::Unreachable { path, .. } if path == gone));
    }
}
