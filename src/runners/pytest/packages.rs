//! Installs the packages of `test-requirements.txt` for images of Python.
//!
//! An image is one of Python if it comes from a registry under the name `python`. The image's pip
//! installs into a virtual environment on top of the image's own packages, using this machine's
//! network. The environment has the same path when it is created and when tests use it:
//!
//! ```text
//! cache/pip_packages/KEY        the environment: [`PLACE`] in containers, read-only
//! cache/pip_packages/KEY.new    the same, while it is being created
//! cache/pip_packages/KEY.lock   locked exclusively during creation, shared during use
//! ```
//!
//! `KEY` is a digest of the requirements and the image's layers, so an environment is recreated
//! only when one of them changes. The most recently used environments are kept.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use regex::Regex;
use sha2::{Digest, Sha256};

use crate::sandbox::container::HOSTNAME;
use crate::sandbox::invocation::{Invocation, ProcessEnvironment};
use maelstrom_container::private;
use maelstrom_engine::layer_cache::{CachedImage, LayerCache};
use maelstrom_model::event::{EventKind, ExitStatus, NoticeSeverity, UserNotice};
use maelstrom_model::framework::{CapturedOutput, FrameworkHost};
use maelstrom_model::job::{
    BindAccess, ContainerSpec, DeviceKind, Job, JobOutcome, Mount, MountKind, NetworkMode,
    OutputPipes, PlacementConstraint, PrivilegeLevel, ProcessSpec, RootAccess, RootKind,
    SkeletonEntry, SkeletonKind,
};

use super::error::PytestError;

/// The path of the environment in a container.
pub const PLACE: &str = "/run/maelstrom/python";

/// The path of the environment's Python in a container.
pub const PROGRAM: &str = "/run/maelstrom/python/bin/python";

/// The name of the project's requirements file.
pub const REQUIREMENTS: &str = "test-requirements.txt";

/// Its path while pip reads it.
const REQUIREMENTS_PLACE: &str = "/run/maelstrom/test-requirements.txt";

/// Part of the digest. Increase the number when the same requirements are to be installed
/// differently.
const FORMAT: &[u8] = b"maelstrom packages 1";

/// The maximum number of environments that are kept per user, enough for a few projects with a few
/// images each.
const KEPT_MAX: usize = 8;

/// The time limit for pip, which downloads packages and may compile some.
const INSTALL_MAX: Duration = Duration::from_secs(3600);

/// The interval between attempts to get the lock of an environment.
const LOOK: Duration = Duration::from_millis(100);

/// An environment in use. It is not removed while this value exists.
#[derive(Debug)]
pub struct PythonEnvironment {
    /// Its path on the host.
    pub directory: PathBuf,
    _lock: Flock<File>,
}

/// Creates environments.
#[derive(Clone, Copy, Debug)]
pub struct PackageInstaller<'a> {
    /// The working directory and environment of the invocation.
    pub invocation: &'a Invocation,
    /// The directory of all environments.
    pub cache: &'a Path,
    pub materials: &'a LayerCache,
}

/// Returns whether an image is one of Python.
pub fn is_python(uri: &str) -> bool {
    let name = uri.strip_prefix("docker://").unwrap_or_default();
    let name = name.split('@').next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    name.split(':').next() == Some("python")
}

impl PackageInstaller<'_> {
    /// Returns the environment for an image. Creates it if necessary.
    pub async fn packages<H: FrameworkHost>(
        &self,
        host: &H,
        uri: &str,
        image: &CachedImage,
    ) -> Result<PythonEnvironment, PytestError> {
        let requirements = self.requirements(uri)?;
        let directory = self.cache.join(key(&requirements, image));
        let failed = |path: &Path, source: io::Error| PytestError::Packages {
            path: path.to_owned(),
            source,
        };
        private::directory(self.cache).map_err(|source| failed(self.cache, source))?;
        let path = directory.with_extension("lock");
        let lock = lock(&path).await.map_err(|source| failed(&path, source))?;
        if !directory.exists() {
            let new = directory.with_extension("new");
            // A killed run may have left an incomplete environment there.
            empty(&new).map_err(|source| failed(&new, source))?;
            self.install(host, uri, image, requirements, &new).await?;
            fs::rename(&new, &directory).map_err(|source| failed(&directory, source))?;
        }
        // The lock file's modification time is the time of last use, which determines the order of
        // removal.
        #[expect(clippy::disallowed_methods, reason = "a file's time")]
        let used = lock.set_modified(SystemTime::now());
        used.map_err(|source| failed(&path, source))?;
        // Changing the lock's mode releases it for a moment (flock(2)). The environment is not
        // removed then, since it is among the most recently used ones.
        let shared = lock.relock(FlockArg::LockShared);
        shared.map_err(|errno| failed(&path, errno.into()))?;
        remove_surplus(self.cache);
        Ok(PythonEnvironment {
            directory,
            _lock: lock,
        })
    }

    fn requirements(&self, uri: &str) -> Result<Vec<u8>, PytestError> {
        let path = self.invocation.directory.join(REQUIREMENTS);
        let text = fs::read(&path).map_err(|source| PytestError::Requirements {
            uri: uri.to_owned(),
            path: path.clone(),
            source,
        })?;
        match names_pytest(&String::from_utf8_lossy(&text)) {
            true => Ok(text),
            false => Err(PytestError::NotRequired { path }),
        }
    }

    async fn install<H: FrameworkHost>(
        &self,
        host: &H,
        uri: &str,
        image: &CachedImage,
        requirements: Vec<u8>,
        place: &Path,
    ) -> Result<(), PytestError> {
        host.emit(EventKind::Notice(UserNotice {
            severity: NoticeSeverity::Info,
            text: format!("installing the packages of {REQUIREMENTS} for `{uri}`"),
            help: None,
            in_summary: false,
        }));
        let entries = self.entries(requirements);
        let tree = self.materials.skeleton(&entries).await;
        let tree = tree.map_err(|source| PytestError::Equipment { source })?;
        let mut trees = image.trees.clone();
        trees.push(tree);
        let container = Arc::new(container(trees, place));
        let environment = Arc::new(self.environment(image));
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        // pip is the image's; `--system-site-packages` makes it visible in the environment.
        let make = words(&[
            "-m",
            "venv",
            "--system-site-packages",
            "--without-pip",
            PLACE,
        ]);
        let install = words(&[
            "-m",
            "pip",
            "install",
            "--no-input",
            // pip's cache would be discarded with the container.
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--requirement",
            REQUIREMENTS_PLACE,
        ]);
        let python = program(&environment);
        for (program, arguments) in [(python, make), (OsStr::new(PROGRAM), install)] {
            let process = ProcessSpec {
                program: program.into(),
                arguments,
                environment: Arc::clone(&environment),
                working_directory: Path::new("/").into(),
            };
            let captured = host.run(Job {
                placement: PlacementConstraint::Here,
                container: Arc::clone(&container),
                process: Arc::new(process),
                resident: None,
                timeout: Some(INSTALL_MAX),
                output: OutputPipes::Separate,
                grace: None,
                needs: Default::default(),
                additions: Default::default(),
            });
            succeeded(uri, captured.await)?;
        }
        Ok(())
    }

    /// Returns the files and directories that pip needs in addition to the image.
    fn entries(&self, requirements: Vec<u8>) -> Vec<SkeletonEntry> {
        let entry = |path: &str, kind| SkeletonEntry {
            path: path.into(),
            kind,
        };
        let directories = [PLACE, "/proc", "/tmp", "/root"];
        let devices = DEVICES.map(|device| format!("/dev/{}", device.name()));
        let devices = devices.iter().map(String::as_str);
        let mut entries: Vec<SkeletonEntry> = directories
            .map(|path| entry(path, SkeletonKind::Directory))
            .into_iter()
            .chain(devices.map(|path| entry(path, SkeletonKind::File(Vec::new()))))
            .collect();
        let file = SkeletonKind::File(requirements);
        entries.push(entry(REQUIREMENTS_PLACE, file));
        // Files for name resolution, and the user's configuration of pip, at the paths where pip
        // looks for it.
        let home = self.invocation.path_variable("HOME");
        let own = |path: &str| home.as_ref().map(|home| home.join(path));
        let files = [
            (Some("/etc/resolv.conf".into()), "/etc/resolv.conf"),
            (Some("/etc/hosts".into()), "/etc/hosts"),
            (Some("/etc/pip.conf".into()), "/etc/pip.conf"),
            (own(".config/pip/pip.conf"), "/root/.config/pip/pip.conf"),
            (own(".pip/pip.conf"), "/root/.pip/pip.conf"),
        ];
        for (source, path) in files {
            let text = source.and_then(|source: PathBuf| fs::read(source).ok());
            entries.extend(text.map(|text| entry(path, SkeletonKind::File(text))));
        }
        entries
    }

    /// Returns the image's environment with the caller's variables for pip.
    fn environment(&self, image: &CachedImage) -> ProcessEnvironment {
        let own = image.environment.iter();
        let mut variables: ProcessEnvironment = own
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let invoking = self.invocation.environment.iter();
        let for_pip = invoking.filter(|(name, _)| {
            let name = name.to_string_lossy();
            name.starts_with("PIP_") || name.to_ascii_lowercase().ends_with("_proxy")
        });
        variables.extend(for_pip.map(|(name, value)| (name.clone(), value.clone())));
        variables.insert("HOME".into(), "/root".into());
        variables
    }
}

/// Returns the program name or path of the Python in a container with this environment: the first
/// on `PATH`, or the one at its path in images of Python.
pub fn program(environment: &ProcessEnvironment) -> &'static OsStr {
    OsStr::new(match environment.contains_key(OsStr::new("PATH")) {
        true => "python3",
        false => "/usr/local/bin/python3",
    })
}

const DEVICES: [DeviceKind; 5] = [
    DeviceKind::Full,
    DeviceKind::Null,
    DeviceKind::Random,
    DeviceKind::Urandom,
    DeviceKind::Zero,
];

fn container(trees: Vec<PathBuf>, place: &Path) -> ContainerSpec {
    let mount = |mount_point: &str, kind| Mount {
        mount_point: mount_point.into(),
        kind,
    };
    let devices = DEVICES.map(|device| {
        let place = format!("/dev/{}", device.name());
        mount(&place, MountKind::Device(device))
    });
    let environment = MountKind::Bind {
        source: place.to_owned(),
        access: BindAccess::ReadWrite,
    };
    let mut mounts = vec![
        mount("/proc", MountKind::Proc),
        mount("/tmp", MountKind::Scratch { mode: 0o1777 }),
        mount(PLACE, environment),
    ];
    mounts.extend(devices);
    ContainerSpec {
        root: RootKind::Layers {
            trees,
            access: RootAccess::Ephemeral,
        },
        mounts,
        network: NetworkMode::Local,
        hostname: HOSTNAME.to_owned(),
        user: 0,
        group: 0,
        privileges: PrivilegeLevel::Ordinary,
        services: Vec::new(),
        devices: Vec::new(),
    }
}

fn succeeded(uri: &str, captured: CapturedOutput) -> Result<(), PytestError> {
    let how = match captured.result.end {
        JobOutcome::Exited(ExitStatus::Code(0)) => return Ok(()),
        JobOutcome::Exited(ExitStatus::Code(code)) => format!("exit code {code}"),
        JobOutcome::Exited(ExitStatus::Signal { number, .. }) => format!("signal {number}"),
        JobOutcome::TimedOut => "it took too long".to_owned(),
        JobOutcome::Cancelled => "it was stopped".to_owned(),
        JobOutcome::Error(message) => message,
    };
    let output = [captured.stdout, captured.stderr].concat();
    Err(PytestError::Install {
        uri: uri.to_owned(),
        how,
        output: String::from_utf8_lossy(&output).into_owned(),
    })
}

/// Returns whether a requirements file has a line for pytest (PEP 508).
fn names_pytest(text: &str) -> bool {
    let line = Regex::new(r"(?im)^\s*pytest\s*([\[<>=!~;@#(]|\r?$)");
    line.is_ok_and(|line| line.is_match(text))
}

fn key(requirements: &[u8], image: &CachedImage) -> String {
    let mut hasher = Sha256::new();
    let trees = image.trees.iter().map(|tree| tree.as_os_str().as_bytes());
    for part in [FORMAT, requirements].into_iter().chain(trees) {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    HEXLOWER.encode(&hasher.finalize())
}

fn empty(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    private::new_directory(directory)
}

/// Waits for the exclusive lock.
async fn lock(path: &Path) -> io::Result<Flock<File>> {
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        match try_lock(path) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            locked => return locked,
        }
    }
}

fn try_lock(path: &Path) -> io::Result<Flock<File>> {
    let file = private::appended(path)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => io::ErrorKind::WouldBlock.into(),
        errno => errno.into(),
    })
}

/// Removes the least recently used environments beyond the limit, except those in use.
fn remove_surplus(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else {
        return;
    };
    let mut locks: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new("lock")))
        .filter(|path| path.with_extension("").exists())
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    locks.sort();
    let surplus = locks.len().saturating_sub(KEPT_MAX);
    for (_, path) in locks.into_iter().take(surplus) {
        // A run that needs it waits for the lock and then creates it again.
        if let Ok(_lock) = try_lock(&path) {
            drop(fs::remove_dir_all(path.with_extension("")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_python_are_known_by_their_name() {
        for uri in [
            "docker://python",
            "docker://python:3.12-slim",
            "docker://registry.example:5000/team/python@sha256:00",
        ] {
            assert!(is_python(uri), "{uri}");
        }
        for uri in [
            "docker://cpython:3",
            "docker://python/base",
            "oci:python",
            "docker://debian:python",
        ] {
            assert!(!is_python(uri), "{uri}");
        }
    }

    #[test]
    fn requirements_name_pytest_itself() {
        for text in [
            "pytest",
            "a\n PyTest>=7 # why\nb",
            "pytest[dev]\r\n",
            "pytest ; x",
        ] {
            assert!(names_pytest(text), "{text:?}");
        }
        for text in ["", "# pytest", "pytest-cov\n", "pytest_x==1", "a-pytest"] {
            assert!(!names_pytest(text), "{text:?}");
        }
    }

    #[test]
    fn what_was_used_last_is_kept_and_what_is_in_use_stays() {
        let cache = tempfile::tempdir().unwrap();
        let mut locks = Vec::new();
        for age in 0..KEPT_MAX as u64 + 3 {
            let place = cache.path().join(format!("{age:02}"));
            fs::create_dir(&place).unwrap();
            let lock = try_lock(&place.with_extension("lock")).unwrap();
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age);
            lock.set_modified(used).unwrap();
            locks.push(lock);
        }
        // The least recently used one is in use.
        let oldest = locks.pop();
        drop(locks);
        remove_surplus(cache.path());
        let kept = |age: usize| cache.path().join(format!("{age:02}")).exists();
        assert!((0..KEPT_MAX).all(kept));
        let last = KEPT_MAX + 2;
        assert!(!kept(KEPT_MAX) && !kept(KEPT_MAX + 1) && kept(last));
        drop(oldest);
    }
}
