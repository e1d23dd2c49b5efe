//! Mounts for containers that use the host's network: its files for name resolution. Files in the
//! container's own layers take precedence.

use std::fs;
use std::path::{Path, PathBuf};

use maelstrom_model::job::{BindAccess, Mount, MountKind};
use maelstrom_spec::Layer;

use super::stub::stub_of;

/// The files that configure name resolution. The default container has its own version of each.
const NAMES: [&str; 3] = ["/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"];

/// The files for name resolution that a container engine provides for an image.
/// `/etc/nsswitch.conf` is not among them, because it must fit the image's own C library.
const NAMES_IN_IMAGE: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];

/// Returns mounts of the host's files over those of the default container.
pub(super) fn names_in_default(layers: &[PathBuf]) -> Vec<Mount> {
    names(&NAMES, layers)
}

/// Returns mounts of the host's files over those of an image.
pub(super) fn names_in_image(layers: &[PathBuf]) -> Vec<Mount> {
    names(&NAMES_IN_IMAGE, layers)
}

fn names(files: &[&str], layers: &[PathBuf]) -> Vec<Mount> {
    let is_free = |file: &str| {
        let place = file.trim_start_matches('/');
        let mut places = layers.iter().map(|layer| layer.join(place));
        !places.any(|place| fs::symlink_metadata(place).is_ok())
    };
    let lent = files
        .iter()
        .filter(|file| Path::new(file).is_file() && is_free(file));
    lent.map(|file| Mount {
        mount_point: file.into(),
        kind: MountKind::Bind {
            source: file.into(),
            access: BindAccess::ReadOnly,
        },
    })
    .collect()
}

/// Returns a layer of stubs as mount points for `mounts`, for images that lack the files.
pub(super) fn stubs(mounts: &[Mount]) -> Layer {
    let paths = mounts
        .iter()
        .map(|mount| stub_of(&mount.mount_point.to_string_lossy()));
    Layer::Stubs {
        stubs: paths.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_win_over_the_host() {
        let layer = tempfile::tempdir().unwrap();
        let points = |layers: &[PathBuf]| -> Vec<PathBuf> {
            let names = names_in_image(layers).into_iter();
            names.map(|mount| mount.mount_point).collect()
        };
        let all = points(&[]);
        let here = NAMES_IN_IMAGE
            .iter()
            .filter(|file| Path::new(file).is_file());
        assert_eq!(all.len(), here.count());
        fs::create_dir(layer.path().join("etc")).unwrap();
        assert_eq!(points(&[layer.path().to_owned()]), all);
        fs::write(layer.path().join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
        let hosts = Path::new("/etc/hosts");
        let others: Vec<_> = all.into_iter().filter(|point| point != hosts).collect();
        assert_eq!(points(&[layer.path().to_owned()]), others);
    }
}
