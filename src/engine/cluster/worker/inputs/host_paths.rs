//! The paths of this machine that jobs may mount.
//!
//! A template contains paths on the worker's host, and its author may be anyone. So a path is
//! mounted only if its target, with all symlinks resolved, lies in a directory that the operator
//! lends, and is not, does not contain and does not lie in anything private to the worker. The
//! target itself is mounted: a symlink that leads out of a lent directory exposes nothing.
//!
//! Files that root keeps from other users are never lent, although a worker that runs as root could
//! read them, and neither are credentials of the worker's user
//! ([`secrets`](maelstrom_container::secrets)): locally, a mount of exactly such a file is the
//! user's own choice, but here it would be that of the template's author.
//!
//! Whether other paths exist is not revealed: the error is the same.
//!
//! A device is different: it is offered by its name, and a job gets it whatever may be lent.
//!
//! File systems mounted below a lent directory are lent with it: containers show them, too.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::WorkerInputError;
use maelstrom_container::devices::{self, DevicePattern};
use maelstrom_container::secrets::HostSecrets;
use maelstrom_wire::from_proto::ToolboxPath;
use maelstrom_wire::toolbox;

/// The paths that the operator lends, and those that are private.
#[derive(Clone, Debug, Default)]
pub struct HostPathPolicy {
    /// The paths that the operator lends.
    lent: Vec<PathBuf>,
    /// The paths that no job may mount, even if they are lent.
    private: Vec<PathBuf>,
    secrets: Option<HostSecrets>,
    /// The devices that the operator offers.
    offered: Vec<DevicePattern>,
}

impl HostPathPolicy {
    /// Lends these paths, except private ones.
    pub fn new(lent: Vec<PathBuf>, private: Vec<PathBuf>) -> HostPathPolicy {
        HostPathPolicy {
            lent,
            private,
            secrets: None,
            offered: Vec::new(),
        }
    }

    /// Excludes these secrets.
    pub fn without(self, secrets: HostSecrets) -> HostPathPolicy {
        HostPathPolicy {
            secrets: Some(secrets),
            ..self
        }
    }

    /// Offers these devices.
    pub fn offering(self, offered: Vec<DevicePattern>) -> HostPathPolicy {
        HostPathPolicy { offered, ..self }
    }

    /// Returns the target of a path, if it is lent.
    pub fn place(&self, path: &Path) -> Result<PathBuf, WorkerInputError> {
        let not_lent = || WorkerInputError::ToolboxNotLent {
            path: path.to_owned(),
        };
        let place = match path.canonicalize() {
            Ok(place) => place,
            Err(source) if self.would_allow(path) => {
                let path = path.to_owned();
                return Err(WorkerInputError::ToolboxUnreadable { path, source });
            }
            Err(_) => return Err(not_lent()),
        };
        let is_secret = |secrets: &HostSecrets| secrets.is_credential(&place);
        let is_secret = self.secrets.as_ref().is_some_and(is_secret);
        if !self.is_allowed(&place) || self.is_closed(&place) || is_secret {
            return Err(not_lent());
        }
        let concerns = |own: &PathBuf| {
            let own = own.canonicalize().unwrap_or_else(|_| own.clone());
            own.starts_with(&place) || place.starts_with(own)
        };
        match self.private.iter().any(concerns) {
            true => Err(WorkerInputError::ToolboxPrivate {
                path: path.to_owned(),
            }),
            false => Ok(place),
        }
    }

    /// Returns whether a path without symlinks is lent. Symlinks to lent directories may change
    /// while a worker runs, for example when a toolchain is updated.
    fn is_allowed(&self, place: &Path) -> bool {
        let is_within = |lent: &PathBuf| match lent.canonicalize() {
            Ok(lent) => place.starts_with(lent),
            Err(_) => false,
        };
        self.lent.iter().any(is_within)
    }

    /// Returns whether only root may read a path, because of its own mode or that of a parent. A
    /// worker that runs as root could mount it, so it must be refused: `/etc/ssl` is lent, the keys
    /// in it are not.
    fn is_closed(&self, place: &Path) -> bool {
        let within = place
            .ancestors()
            .take_while(|around| self.is_allowed(around));
        let mut kept = within.filter_map(|around| around.symlink_metadata().ok());
        kept.any(|metadata| toolbox::is_closed(metadata.uid(), metadata.mode()))
    }

    /// Returns whether a missing path would be lent if it existed: its parent is lent, and it is
    /// not a symlink to another place.
    fn would_allow(&self, path: &Path) -> bool {
        for there in path.ancestors() {
            if let Ok(place) = there.canonicalize() {
                return self.is_allowed(&place);
            }
            if there.is_symlink() {
                return false;
            }
        }
        false
    }

    /// Returns an error unless the operator offers a device, and this machine has it.
    fn check_device(&self, path: &Path) -> Result<(), WorkerInputError> {
        let device: Option<DevicePattern> = path.to_str().and_then(|path| path.parse().ok());
        let device = device.ok_or_else(|| WorkerInputError::ToolboxNotLent {
            path: path.to_owned(),
        })?;
        if !self.offered.iter().any(|offered| offered.covers(&device)) {
            return Err(WorkerInputError::DeviceNotOffered(device));
        }
        devices::find(&[device])?;
        Ok(())
    }

    /// Returns an error unless this machine provides this path, and lends it.
    pub fn check(&self, wanted: &ToolboxPath) -> Result<(), WorkerInputError> {
        if wanted.is_device() {
            return self.check_device(&wanted.path);
        }
        self.place(&wanted.path)?;
        let identity = toolbox::identity(&wanted.path);
        let identity = identity.map_err(|source| WorkerInputError::ToolboxUnreadable {
            path: wanted.path.clone(),
            source,
        })?;
        match identity == wanted.identity {
            true => Ok(()),
            false => Err(WorkerInputError::ToolboxDiffers {
                path: wanted.path.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    /// Creates a machine: `usr` is lent, `etc` and `home` are not.
    fn machine() -> (TempDir, PathBuf) {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        for directory in ["usr/lib/ssl", "usr/own", "etc/ssl", "home", "usrlocal"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in [
            "usr/lib/file",
            "etc/ssl/key",
            "home/secret",
            "usr/own/token",
        ] {
            fs::write(root.join(file), "text").unwrap();
        }
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink(root.join("etc/ssl"), root.join("usr/lib/ssl/private")).unwrap();
        symlink("../../home/secret", root.join("usr/lib/relative")).unwrap();
        symlink("file", root.join("usr/lib/link")).unwrap();
        symlink(root.join("usr/own"), root.join("usr/lib/around")).unwrap();
        symlink(root.join("nowhere"), root.join("usr/lib/dangling")).unwrap();
        symlink("loop", root.join("usr/lib/loop")).unwrap();
        (keep, root)
    }

    fn answer(lending: &HostPathPolicy, path: &Path) -> &'static str {
        match lending.place(path) {
            Ok(_) => "shown",
            Err(WorkerInputError::ToolboxNotLent { .. }) => "not lent",
            Err(WorkerInputError::ToolboxPrivate { .. }) => "private",
            Err(WorkerInputError::ToolboxUnreadable { .. }) => "unreadable",
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_path_is_shown_only_if_what_it_leads_to_is_lent() {
        let (_keep, root) = machine();
        let lending = HostPathPolicy::new(vec![root.join("usr")], vec![root.join("usr/own/token")]);
        for (path, expected) in [
            ("usr/lib", "shown"),
            ("usr/lib/file", "shown"),
            ("lib", "shown"),
            ("lib/file", "shown"),
            ("usr/lib/link", "shown"),
            // Out of the lent directories, through every kind of symlink.
            ("usr/lib/ssl/private", "not lent"),
            ("usr/lib/ssl/private/key", "not lent"),
            ("usr/lib/relative", "not lent"),
            ("usr/../home/secret", "not lent"),
            ("", "not lent"),
            ("etc", "not lent"),
            ("home/secret", "not lent"),
            // A name that begins like a lent one.
            ("usrlocal", "not lent"),
            // The worker's private directory, a parent of it, and a symlink to it.
            ("usr", "private"),
            ("usr/own", "private"),
            ("usr/own/token", "private"),
            ("usr/lib/around", "private"),
            ("usr/lib/around/token", "private"),
            ("usr/lib/missing", "unreadable"),
            // Whether another path exists is not revealed.
            ("usr/lib/dangling", "not lent"),
            ("usr/lib/loop", "not lent"),
            ("home/missing", "not lent"),
            ("usr/lib/ssl/private/missing", "not lent"),
        ] {
            assert_eq!(answer(&lending, &root.join(path)), expected, "{path}");
        }
        let nothing = HostPathPolicy::default();
        for path in ["/usr", "/bin/sh", "/etc/passwd", "/"] {
            assert_eq!(answer(&nothing, Path::new(path)), "not lent", "{path}");
        }
    }

    #[test]
    fn what_root_keeps_from_others_is_lent_to_nobody() {
        let (_keep, root) = machine();
        let close = |path: &str, mode: u32| {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(root.join(path), permissions).unwrap();
        };
        fs::create_dir(root.join("usr/keys")).unwrap();
        fs::write(root.join("usr/keys/key"), "text").unwrap();
        close("usr/keys", 0o710);
        close("usr/lib/file", 0o640);
        let lending = HostPathPolicy::new(vec![root.join("usr")], Vec::new());
        // A directory that is closed, but not owned by root, may be lent.
        let expected = match nix::unistd::geteuid().is_root() {
            true => "not lent",
            false => "shown",
        };
        for path in ["usr/keys", "usr/keys/key", "usr/lib/file", "usr/lib/link"] {
            assert_eq!(answer(&lending, &root.join(path)), expected, "{path}");
        }
        assert_eq!(answer(&lending, &root.join("usr/lib")), "shown");
    }

    #[test]
    fn credentials_are_lent_to_nobody() {
        let (_keep, root) = machine();
        let write = |path: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        };
        for path in [
            "home/.ssh/keys/id",
            "home/.cargo/credentials.toml",
            "home/.cargo/registry/x",
            "home/.netrc",
            "home/project/.netrc",
        ] {
            write(path);
        }
        symlink("../home/.ssh", root.join("usr/ssh")).unwrap();
        let lent = ["home", "usr", "home/.ssh", "home/.cargo/credentials.toml"];
        let lent = lent.map(|path| root.join(path)).to_vec();
        let lending =
            HostPathPolicy::new(lent, Vec::new()).without(HostSecrets::in_home(&root.join("home")));
        for (path, expected) in [
            ("home", "shown"),
            ("home/.cargo", "shown"),
            ("home/.cargo/registry/x", "shown"),
            // A credential's file name in a home directory means nothing in a project.
            ("home/project/.netrc", "shown"),
            ("home/.ssh", "not lent"),
            ("home/.ssh/keys", "not lent"),
            ("home/.ssh/keys/id", "not lent"),
            ("home/.ssh/../.ssh/keys/id", "not lent"),
            ("home/.cargo/credentials.toml", "not lent"),
            ("home/.netrc", "not lent"),
            ("usr/ssh", "not lent"),
            ("usr/ssh/keys/id", "not lent"),
        ] {
            assert_eq!(answer(&lending, &root.join(path)), expected, "{path}");
        }
    }

    #[test]
    fn what_is_shown_is_the_place_that_was_looked_at() {
        let (_keep, root) = machine();
        let lending = HostPathPolicy::new(vec![root.join("lib")], Vec::new());
        let place = lending.place(&root.join("lib/link")).unwrap();
        assert_eq!(place, root.join("usr/lib/file"));
        // An update of the lent directory itself is followed.
        fs::create_dir(root.join("newer")).unwrap();
        fs::remove_file(root.join("lib")).unwrap();
        symlink("newer", root.join("lib")).unwrap();
        assert_eq!(answer(&lending, &root.join("usr/lib/file")), "not lent");
        assert_eq!(answer(&lending, &root.join("lib")), "shown");
    }

    #[test]
    fn what_is_lent_must_be_the_same_too() {
        let (_keep, root) = machine();
        let lending = HostPathPolicy::new(vec![root.join("usr")], Vec::new());
        let wanted = |path: &str, identity: Vec<u8>| ToolboxPath {
            path: root.join(path),
            identity,
        };
        let identity = |path: &str| toolbox::identity(&root.join(path)).unwrap();
        let same = wanted("usr/lib", identity("usr/lib"));
        lending.check(&same).unwrap();
        let other = lending.check(&wanted("usr/lib", vec![0; 32])).unwrap_err();
        assert!(matches!(other, WorkerInputError::ToolboxDiffers { .. }));
        // A correct guess of another path's contents is not revealed, either.
        let guessed = lending.check(&wanted("home", identity("home")));
        let guessed = guessed.unwrap_err();
        assert!(matches!(guessed, WorkerInputError::ToolboxNotLent { .. }));
    }

    #[test]
    fn a_device_must_be_offered_and_there() {
        let offered = ["/dev/zero*", "/dev/missing"].map(|text| text.parse());
        let offered = offered.into_iter().collect::<Result<_, _>>().unwrap();
        let policy = HostPathPolicy::new(vec!["/dev".into()], Vec::new()).offering(offered);
        let answer = |path: &str| {
            let identity = toolbox::DEVICE.to_vec();
            let path = path.into();
            match policy.check(&ToolboxPath { path, identity }) {
                Ok(()) => "there",
                Err(WorkerInputError::DeviceNotOffered(_)) => "not offered",
                Err(WorkerInputError::Device(_)) => "missing",
                Err(WorkerInputError::ToolboxNotLent { .. }) => "no device",
                Err(other) => panic!("{other}"),
            }
        };
        for (path, expected) in [
            ("/dev/zero", "there"),
            ("/dev/zero*", "there"),
            ("/dev/missing", "missing"),
            ("/dev/zer*", "not offered"),
            ("/dev/vda", "not offered"),
            // What is lent offers nothing.
            ("/dev/net/tun", "not offered"),
            ("/etc/passwd", "no device"),
            ("/dev/../etc/passwd", "no device"),
        ] {
            assert_eq!(answer(path), expected, "{path}");
        }
    }
}
