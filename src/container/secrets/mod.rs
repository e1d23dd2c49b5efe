//! The secrets that containers hide, and that are not sent to clusters: credentials in the home
//! directory, and files that root hides from other users.
//!
//! A container shows directories of the machine: sources, toolchains, the user's mounts. Secrets in
//! such a directory are hidden ([`HostSecrets::conceal`]) and not uploaded with it
//! ([`HostSecrets::below`]). A mount of exactly such a file or directory requests it explicitly,
//! and shows it.
//!
//! - **Credentials** are identified by their paths ([`CREDENTIALS`]).
//! - **Files that root hides from other users** are identified by their permissions. They matter
//!   only if the program runs as root; for other users the kernel refuses access anyway. They are
//!   searched for below the system's directories, not in projects, where a mode of 0600 means
//!   nothing.

mod restricted;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid};

use self::restricted::RestrictedPathScan;
pub use self::restricted::{DirectoryUse, is_restricted};

use crate::spec::{ContainerSpec, Mount, MountKind};

/// The paths where programs store credentials and traces of them, relative to the home directory.
pub const CREDENTIALS: [&str; 72] = [
    // Keys and passwords of all kinds.
    ".gnupg",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".netrc",
    ".authinfo",
    ".authinfo.gpg",
    ".password-store",
    ".pki",
    ".ssh",
    ".vault-token",
    ".config/1Password",
    ".config/Bitwarden",
    ".config/Bitwarden CLI",
    ".config/age",
    ".config/op",
    ".config/sops",
    // Code hosting.
    ".git-credentials",
    ".config/gh",
    ".config/git/credentials",
    ".config/glab-cli",
    ".config/hub",
    // Clouds and clusters.
    ".aws",
    ".azure",
    ".boto",
    ".config/containers/auth.json",
    ".config/doctl",
    ".config/gcloud",
    ".config/hcloud",
    ".config/helm/registry",
    ".config/openstack",
    ".config/rclone",
    ".docker/config.json",
    ".fly",
    ".kube",
    ".oci",
    ".s3cfg",
    ".terraform.d/credentials.tfrc.json",
    ".terraformrc",
    // Package registries.
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".composer/auth.json",
    ".config/composer/auth.json",
    ".config/pip/pip.conf",
    ".config/pypoetry/auth.toml",
    ".gem/credentials",
    ".gradle/gradle.properties",
    ".m2/settings-security.xml",
    ".m2/settings.xml",
    ".npmrc",
    ".pip/pip.conf",
    ".pypirc",
    ".yarnrc",
    ".yarnrc.yml",
    // Databases.
    ".my.cnf",
    ".mylogin.cnf",
    ".pgpass",
    // Browsers and mail.
    ".config/BraveSoftware",
    ".config/chromium",
    ".config/google-chrome",
    ".config/microsoft-edge",
    ".config/opera",
    ".config/vivaldi",
    ".mozilla",
    ".thunderbird",
    // Histories of typed commands, which may contain passwords.
    ".bash_history",
    ".local/share/fish/fish_history",
    ".mysql_history",
    ".node_repl_history",
    ".psql_history",
    ".python_history",
    ".sh_history",
    ".zsh_history",
];

/// Environment variables that contain another location for some of [`CREDENTIALS`], and the prefix
/// of the paths that they move.
const MOVED: [(&str, &str); 6] = [
    ("CARGO_HOME", ".cargo"),
    ("DOCKER_CONFIG", ".docker"),
    ("GNUPGHOME", ".gnupg"),
    ("PASSWORD_STORE_DIR", ".password-store"),
    ("XDG_CONFIG_HOME", ".config"),
    ("XDG_DATA_HOME", ".local/share"),
];

/// The secrets of this process's user.
#[derive(Clone, Debug)]
pub struct HostSecrets {
    credentials: BTreeSet<PathBuf>,
    reader: SecretReader,
    closed: RestrictedPathScan,
}

/// The user whose processes could read secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecretReader {
    /// Root, which permissions do not restrict.
    Root,
    Other,
}

impl HostSecrets {
    /// Returns the secrets of the current user.
    pub fn of_this_process() -> HostSecrets {
        let user = geteuid();
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        // The home directory of the account is included, because `HOME` may have been changed for
        // this run.
        let account = User::from_uid(user).ok().flatten();
        let homes = variable("HOME").map(PathBuf::from).into_iter();
        let homes = homes.chain(account.map(|account| account.dir));
        HostSecrets {
            credentials: credentials(homes, variable),
            reader: match user.is_root() {
                true => SecretReader::Root,
                false => SecretReader::Other,
            },
            closed: RestrictedPathScan::default(),
        }
    }

    /// Starts scanning the system in the background, if that will be needed.
    pub fn look_ahead(&self) {
        match self.reader {
            SecretReader::Root => self.closed.look_ahead(),
            SecretReader::Other => {}
        }
    }

    /// Returns the secrets of an unprivileged user with this home directory.
    pub fn in_home(home: &Path) -> HostSecrets {
        HostSecrets {
            credentials: credentials(std::iter::once(home.to_owned()), |_| None),
            reader: SecretReader::Other,
            closed: RestrictedPathScan::default(),
        }
    }

    /// Returns whether a path without symbolic links is a credential or is inside one.
    pub fn is_credential(&self, place: &Path) -> bool {
        let mut around = place.ancestors();
        around.any(|around| self.credentials.contains(around))
    }

    /// Returns the secrets below a directory that is shown, excluding the directory itself.
    /// `directory` must not contain symbolic links.
    pub fn below(&self, directory: &Path, shown: DirectoryUse) -> Vec<PathBuf> {
        let credentials = self.credentials.iter();
        let mut found: Vec<PathBuf> = credentials
            .filter(|secret| secret.starts_with(directory) && *secret != directory)
            .cloned()
            .collect();
        match self.reader {
            SecretReader::Root => {
                found.extend(self.closed.below(directory, shown));
                found.retain(|secret| secret != directory);
            }
            SecretReader::Other => {}
        }
        found
    }

    /// Returns the specification with secrets hidden, or `None` if it shows none.
    pub fn conceal(&self, spec: &ContainerSpec) -> Option<ContainerSpec> {
        let mut places = BTreeSet::new();
        for (index, mount) in spec.mounts.iter().enumerate() {
            let shown = match &mount.kind {
                MountKind::Bind { .. } => DirectoryUse::Bound,
                MountKind::Overlay { .. } => DirectoryUse::WorkedIn,
                _ => continue,
            };
            let Some(source) = mount.kind.source() else {
                continue;
            };
            let source = fs::canonicalize(source).unwrap_or_else(|_| source.clone());
            let later = spec.mounts.get(index + 1..).unwrap_or_default();
            for secret in self.below(&source, shown) {
                if let Ok(rest) = secret.strip_prefix(&source) {
                    hide(&secret, mount.mount_point.join(rest), later, &mut places);
                }
            }
        }
        if places.is_empty() {
            return None;
        }
        tracing::debug!(?places, "hidden in the container");
        let mut concealed = spec.clone();
        let masks = places.into_iter().map(|mount_point| Mount {
            mount_point,
            kind: MountKind::Mask,
        });
        concealed.mounts.extend(masks);
        Some(concealed)
    }
}

/// Returns the existing credentials, with symbolic links resolved.
fn credentials(
    homes: impl Iterator<Item = PathBuf>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> BTreeSet<PathBuf> {
    let in_homes = homes.flat_map(|home| CREDENTIALS.map(|name| home.join(name)));
    let moved = MOVED.iter().filter_map(|(name, from)| {
        let directory = PathBuf::from(variable(name)?);
        let names = CREDENTIALS.iter().map(Path::new);
        let names = names.filter_map(move |name| name.strip_prefix(from).ok());
        Some(names.map(move |rest| directory.join(rest)))
    });
    in_homes
        .chain(moved.flatten())
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect()
}

/// Hides a secret at its path in the container, unless a later mount covers it. If a later mount is
/// inside it, hides all other entries of the directory.
fn hide(secret: &Path, place: PathBuf, later: &[Mount], places: &mut BTreeSet<PathBuf>) {
    let covers = |mount: &&Mount| place.starts_with(&mount.mount_point);
    if later.iter().any(|mount| covers(&mount)) {
        return;
    }
    let is_inside = |mount: &Mount| mount.mount_point.starts_with(&place);
    if !later.iter().any(is_inside) {
        places.insert(place);
        return;
    }
    for entry in fs::read_dir(secret).into_iter().flatten().flatten() {
        hide(&entry.path(), place.join(entry.file_name()), later, places);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::spec::{BindAccess, NetworkMode, PrivilegeLevel, RootKind};

    /// Creates a home directory with two credentials, one of them elsewhere, and another file.
    fn home() -> (tempfile::TempDir, PathBuf) {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        for directory in ["home/.ssh/keys", "home/project", "dots/aws"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in ["home/.ssh/id", "home/.ssh/known", "home/project/.netrc"] {
            fs::write(root.join(file), "text").unwrap();
        }
        symlink(root.join("dots/aws"), root.join("home/.aws")).unwrap();
        (keep, root)
    }

    fn secrets(root: &Path) -> HostSecrets {
        HostSecrets::in_home(&root.join("home"))
    }

    fn bind(source: PathBuf, mount_point: &str) -> Mount {
        Mount {
            mount_point: mount_point.into(),
            kind: MountKind::Bind {
                source,
                access: BindAccess::ReadOnly,
            },
        }
    }

    fn hidden(secrets: &HostSecrets, mounts: Vec<Mount>) -> Vec<String> {
        let spec = ContainerSpec {
            root: RootKind::Skeleton(Vec::new()),
            mounts: mounts.clone(),
            network: NetworkMode::Loopback,
            hostname: "localhost".into(),
            user: 0,
            group: 0,
            privileges: PrivilegeLevel::Ordinary,
            services: Vec::new(),
            devices: Vec::new(),
        };
        let Some(concealed) = secrets.conceal(&spec) else {
            return Vec::new();
        };
        let (same, masks) = concealed.mounts.split_at(mounts.len());
        assert_eq!(same, mounts);
        assert!(masks.iter().all(|mask| mask.kind == MountKind::Mask));
        let points = masks.iter().map(|mask| &mask.mount_point);
        points.map(|point| point.display().to_string()).collect()
    }

    #[test]
    fn credentials_are_hidden_wherever_they_are_shown_and_not_named() {
        let (_keep, root) = home();
        let secrets = secrets(&root);
        let at = |name: &str| root.join(name);
        let overlay = Mount {
            mount_point: "/o".into(),
            kind: MountKind::Overlay { source: at("home") },
        };
        let cases = [
            (vec![overlay], &["/o/.ssh"][..]),
            (vec![bind(at("home"), "/h")], &["/h/.ssh"]),
            (
                vec![bind(root.clone(), "/r")],
                &["/r/dots/aws", "/r/home/.ssh"],
            ),
            // A path that is a credential in a home directory is none in a project.
            (vec![bind(at("home/project"), "/p")], &[]),
            // Requested explicitly: the credential itself, a part of it, or a mount that covers it.
            (vec![bind(at("home/.ssh"), "/s")], &[]),
            (vec![bind(at("home/.aws"), "/s")], &[]),
            (vec![bind(at("home/.ssh/id"), "/s")], &[]),
            (
                vec![bind(at("home"), "/h"), bind(at("home/.ssh"), "/h/.ssh")],
                &[],
            ),
            (
                vec![
                    bind(at("home"), "/h"),
                    bind(at("home/.ssh/known"), "/h/.ssh/known"),
                ],
                &["/h/.ssh/id", "/h/.ssh/keys"],
            ),
            // Not visible in any case.
            (
                vec![bind(at("home"), "/h"), bind(at("dots"), "/h")],
                &["/h/aws"],
            ),
        ];
        for (mounts, expected) in cases {
            assert_eq!(hidden(&secrets, mounts.clone()), expected, "{mounts:?}");
        }
    }

    #[test]
    fn variables_say_where_credentials_are_instead() {
        let (_keep, root) = home();
        fs::create_dir(root.join("cargo")).unwrap();
        fs::write(root.join("cargo/credentials.toml"), "").unwrap();
        let variable = |name: &str| match name {
            "CARGO_HOME" => Some(root.join("cargo").into_os_string()),
            _ => None,
        };
        let found = credentials([root.join("home")].into_iter(), variable);
        let expected = ["cargo/credentials.toml", "dots/aws", "home/.ssh"];
        let expected = expected.map(|name| root.join(name));
        assert!(found.iter().eq(&expected), "{found:?}");
    }
}
