//! Checks for mounts that would fail or hide files, before a container is started: the kernel's
//! errors name neither the file nor the line in the specification.

use std::fs;
use std::path::{Path, PathBuf};

use maelstrom_model::job::{DeviceKind, Mount, MountKind, RootKind, SkeletonKind};
use maelstrom_spec::SpecifiedMount;

use super::ProjectSpecError;

/// Returns an error if a mount or a symbolic link of the default container would hide a file of a
/// layer.
pub(super) fn check_hidden(
    layers: &[PathBuf],
    root: Option<&RootKind>,
    mounts: &[Mount],
    place: &str,
) -> Result<(), ProjectSpecError> {
    let hidden = |path: PathBuf, what, hidden_by: &Path| ProjectSpecError::Hidden {
        place: place.to_owned(),
        path,
        what,
        hidden_by: hidden_by.to_owned(),
    };
    for layer in layers {
        for mount in mounts {
            if let Some(path) = content(layer, &mount.mount_point) {
                return Err(hidden(path, kind(&mount.kind), &mount.mount_point));
            }
        }
        let entries = match root {
            Some(RootKind::Skeleton(entries)) => entries.as_slice(),
            Some(RootKind::Layers { .. }) | None => &[],
        };
        for entry in entries {
            match &entry.kind {
                SkeletonKind::Symlink(_) if in_tree(layer, &entry.path).is_dir() => {
                    return Err(hidden(entry.path.clone(), "a link", &entry.path));
                }
                SkeletonKind::Symlink(_) | SkeletonKind::Directory | SkeletonKind::File(_) => {}
            }
        }
    }
    Ok(())
}

/// Returns what the layer contains at a mount point: a file that is not empty, or the first entry
/// of a directory. Returns `None` for an empty file or directory, since it may be meant as the
/// mount point.
fn content(layer: &Path, mount_point: &Path) -> Option<PathBuf> {
    let place = in_tree(layer, mount_point);
    let metadata = fs::symlink_metadata(&place).ok()?;
    if metadata.is_dir() {
        let first = fs::read_dir(&place).ok()?.next()?.ok()?;
        return Some(mount_point.join(first.file_name()));
    }
    (metadata.len() > 0).then(|| mount_point.to_owned())
}

fn kind(kind: &MountKind) -> &'static str {
    match kind {
        MountKind::Bind { .. } => "this machine's own files",
        MountKind::Overlay { .. } => "the project's files",
        MountKind::Scratch { .. } | MountKind::Tmp | MountKind::Mask => "an empty directory",
        MountKind::Device(_) => "a device",
        MountKind::DevPts | MountKind::MessageQueue | MountKind::Proc | MountKind::Sys { .. } => {
            "a file system of the kernel's"
        }
    }
}

/// Returns an error for the first mount in `own` whose mount point or source certainly does not
/// exist. Mounts without a place in the file of their own are reported at `place`.
pub(super) fn check_mounts(
    root: &RootKind,
    before: &[Mount],
    own: &[SpecifiedMount],
    place: &str,
) -> Result<(), ProjectSpecError> {
    for (
        index,
        SpecifiedMount {
            mount,
            place: exact,
        },
    ) in own.iter().enumerate()
    {
        let place = || exact.as_deref().unwrap_or(place).to_owned();
        if let MountKind::Bind { source, .. } = &mount.kind
            && let Err(error) = fs::metadata(source)
        {
            return Err(ProjectSpecError::NoSource {
                place: place(),
                path: source.clone(),
                source: error,
            });
        }
        let own = own.iter().take(index).map(|own| &own.mount);
        let earlier = before.iter().chain(own);
        if !may_stand(root, earlier, &mount.mount_point) {
            return Err(ProjectSpecError::NoMountPoint {
                place: place(),
                mount_point: mount.mount_point.clone(),
                stub: stub(mount),
            });
        }
    }
    Ok(())
}

/// Returns the stub to add to the layers as the mount point: a directory's ends in `/`.
fn stub(mount: &Mount) -> String {
    let is_file = match &mount.kind {
        MountKind::Bind { source, .. } => !source.is_dir(),
        MountKind::Device(device) => *device != DeviceKind::Shm,
        MountKind::Overlay { .. }
        | MountKind::Scratch { .. }
        | MountKind::Mask
        | MountKind::DevPts
        | MountKind::MessageQueue
        | MountKind::Proc
        | MountKind::Sys { .. }
        | MountKind::Tmp => false,
    };
    let end = if is_file { "" } else { "/" };
    format!("{}{end}", mount.mount_point.display())
}

/// Returns whether a path exists in the container, or may exist.
fn may_stand<'a>(root: &RootKind, mounts: impl Iterator<Item = &'a Mount>, path: &Path) -> bool {
    let covers = |mount: &&Mount| path.starts_with(&mount.mount_point);
    let depth = |mount: &&Mount| mount.mount_point.components().count();
    match mounts.filter(covers).max_by_key(depth) {
        Some(mount) => may_stand_in(mount, path),
        None => match root {
            RootKind::Skeleton(entries) => entries.iter().any(|entry| match entry.kind {
                SkeletonKind::Directory | SkeletonKind::File(_) => entry.path.starts_with(path),
                SkeletonKind::Symlink(_) => path.starts_with(&entry.path),
            }),
            RootKind::Layers { trees, .. } => trees.iter().any(|tree| may_stand_below(tree, path)),
        },
    }
}

fn may_stand_in(mount: &Mount, path: &Path) -> bool {
    let rest = path.strip_prefix(&mount.mount_point).unwrap_or(path);
    if rest.as_os_str().is_empty() {
        return true;
    }
    match &mount.kind {
        MountKind::Bind { source, .. } | MountKind::Overlay { source } => {
            may_stand_below(source, rest)
        }
        MountKind::Scratch { .. } => true,
        MountKind::Tmp | MountKind::Mask | MountKind::Device(_) | MountKind::MessageQueue => false,
        MountKind::DevPts | MountKind::Proc | MountKind::Sys { .. } => true,
    }
}

/// Returns whether `path` may exist below `tree`. A symbolic link on the way may lead anywhere.
fn may_stand_below(tree: &Path, path: &Path) -> bool {
    let mut place = tree.to_owned();
    for component in path.strip_prefix("/").unwrap_or(path).components() {
        place.push(component);
        match fs::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_symlink() => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    true
}

fn in_tree(tree: &Path, path: &Path) -> PathBuf {
    tree.join(path.strip_prefix("/").unwrap_or(path))
}
