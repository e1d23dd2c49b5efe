//! Adds the mounts that a program of an image needs: the file systems and devices that images leave
//! to the container engine.
//!
//! This is only for programs on the command line; jobs of an input define their own mounts.

use std::path::Path;

use crate::sandbox::devices::{DEVICE_LINKS, DEVICES};
use maelstrom_model::job::{Mount, MountKind, NetworkMode, WhenForbidden};
use maelstrom_spec::{ContainerDefinition, Layer, SymlinkSpec};

/// Adds the usual mounts before the container's own, and the usual links. A usual mount is left out
/// if one of the container's own is at or below its mount point.
pub(super) fn furnish(container: &mut ContainerDefinition) {
    let network = container.scalars.network;
    let own = container.mounts.iter().map(|own| &own.mount);
    let own: Vec<&Path> = own.map(|mount| mount.mount_point.as_path()).collect();
    let is_free = |mount: &Mount| {
        let mut own = own.iter();
        !own.any(|point| point.starts_with(&mount.mount_point))
    };
    let usual = file_systems(network).into_iter().chain(devices());
    let mut mounts: Vec<_> = usual.filter(is_free).map(Into::into).collect();
    mounts.append(&mut container.mounts);
    container.mounts = mounts;
    let links = DEVICE_LINKS.map(|(link, target)| SymlinkSpec {
        link: link.into(),
        target: target.into(),
    });
    container.layers.push(Layer::Symlinks {
        symlinks: links.into(),
    });
}

fn file_systems(network: Option<NetworkMode>) -> Vec<Mount> {
    let at = |point: &str, kind| Mount {
        mount_point: point.into(),
        kind,
    };
    let mut mounts = vec![
        at("/proc", MountKind::Proc),
        at("/dev/pts", MountKind::DevPts),
        at("/dev/shm", MountKind::Tmp),
        at("/tmp", MountKind::Tmp),
    ];
    match network {
        // sysfs shows the devices of a network namespace, which must be the container's own.
        Some(NetworkMode::Local) => {}
        Some(NetworkMode::Disabled | NetworkMode::Loopback) | None => {
            let when_forbidden = WhenForbidden::LeaveEmpty;
            mounts.push(at("/sys", MountKind::Sys { when_forbidden }));
        }
    }
    mounts
}

fn devices() -> impl Iterator<Item = Mount> {
    DEVICES.into_iter().map(|device| Mount {
        mount_point: Path::new("/dev").join(device.name()),
        kind: MountKind::Device(device),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(network: Option<NetworkMode>, own: &[&str]) -> Vec<String> {
        let mut container = ContainerDefinition::default();
        container.scalars.network = network;
        let mounts = own.iter().map(|point| Mount {
            mount_point: point.into(),
            kind: MountKind::Proc,
        });
        container.mounts = mounts.map(Into::into).collect();
        furnish(&mut container);
        let points = container.mounts.iter().map(|own| &own.mount.mount_point);
        points.map(|point| point.display().to_string()).collect()
    }

    #[test]
    fn what_is_said_wins_over_the_usual() {
        let usual = points(None, &[]);
        for point in ["/proc", "/sys", "/tmp", "/dev/pts", "/dev/shm", "/dev/null"] {
            assert!(usual.iter().any(|known| known == point), "{point}");
        }
        let without = |gone: &str| -> Vec<String> {
            let kept = usual.iter().filter(|point| *point != gone);
            kept.cloned().collect()
        };
        assert_eq!(points(Some(NetworkMode::Local), &[]), without("/sys"));
        for (own, gone) in [
            ("/tmp/src", "/tmp"),
            ("/dev/null", "/dev/null"),
            ("/tmpfs", ""),
        ] {
            let mut expected = without(gone);
            expected.push(own.to_owned());
            assert_eq!(points(None, &[own]), expected, "{own}");
        }
    }
}
