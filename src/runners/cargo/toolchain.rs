//! Finds the Rust toolchain that builds the tests.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::sandbox::invocation::Invocation;

use super::error::CargoError;

/// Files and directories in cargo's home directory that tests need.
pub const CARGO_HOME: [&str; 4] = ["bin", "config", "config.toml", "env"];

/// Directories in cargo's home directory that cargo writes to, even if it downloads nothing.
pub const DOWNLOADS: [&str; 2] = ["git", "registry"];

/// The Rust toolchain that builds the tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RustToolchain {
    /// The cargo program itself, not rustup's proxy for it. Tests get it as `CARGO`.
    pub cargo: PathBuf,
    /// The compiler's sysroot.
    pub sysroot: PathBuf,
    /// The directory of the standard library's shared objects for the target platform.
    pub target_libdir: PathBuf,
    /// Cargo's home directory, with downloaded sources and installed programs.
    pub cargo_home: Option<PathBuf>,
    /// The toolchain's location in rustup, if rustup manages it.
    pub rustup: Option<RustupToolchain>,
}

/// The location of a toolchain that rustup manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RustupToolchain {
    pub home: PathBuf,
    /// The toolchain's name, such as `stable-x86_64-unknown-linux-gnu`.
    pub toolchain: OsString,
}

/// Whether the toolchain is known to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolchainPresence {
    /// The toolchain's cargo has started this program.
    Installed,
    /// Not known: rustup may have to install the toolchain.
    Unknown,
}

/// Returns whether the toolchain is known to be installed, without running the compiler.
pub fn chosen(invocation: &Invocation) -> ToolchainPresence {
    match invocation.variable("CARGO") {
        Some(_) => ToolchainPresence::Installed,
        None => ToolchainPresence::Unknown,
    }
}

/// Returns the cargo program to run: the one that started this program, or `cargo` on `PATH`.
pub fn cargo(invocation: &Invocation) -> &OsStr {
    invocation.variable("CARGO").unwrap_or(OsStr::new("cargo"))
}

/// Runs `rustc --print` for each of `things` and returns its stdout.
async fn printed(
    invocation: &Invocation,
    target: Option<&str>,
    things: &[&str],
) -> Result<String, CargoError> {
    let rustc = invocation.variable("RUSTC").unwrap_or(OsStr::new("rustc"));
    let mut command = invocation.command(rustc);
    command.args(things.iter().flat_map(|thing| ["--print", thing]));
    if let Some(target) = target {
        command.args(["--target", target]);
    }
    let output = command.output().await.map_err(|source| CargoError::Start {
        program: rustc.to_string_lossy().into_owned(),
        source,
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(CargoError::Rustc {
            status: output.status,
            stderr: text(&output.stderr),
        }),
    }
}

/// Returns the output of `rustc --print cfg` for the target platform: one configuration option per
/// line.
pub async fn cfgs(invocation: &Invocation, target: Option<&str>) -> Result<String, CargoError> {
    printed(invocation, target, &["cfg"]).await
}

impl RustToolchain {
    /// Runs the compiler to find the toolchain.
    pub async fn find(
        invocation: &Invocation,
        target: Option<&str>,
    ) -> Result<RustToolchain, CargoError> {
        let stdout = printed(invocation, target, &["sysroot", "target-libdir"]).await?;
        let mut lines = stdout.lines();
        let (Some(sysroot), Some(target_libdir)) = (lines.next(), lines.next()) else {
            return Err(CargoError::RustcForm { stdout });
        };
        Ok(RustToolchain::at(
            invocation,
            Path::new(sysroot),
            Path::new(target_libdir),
        ))
    }

    /// Returns the target triple of the platform: the standard library is in
    /// `lib/rustlib/TRIPLE/lib`.
    pub fn triple(&self) -> String {
        let directory = self.target_libdir.parent().and_then(Path::file_name);
        directory.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns the directory of the shared libraries of the toolchain's own programs. rustup's
    /// proxies add it to the library path.
    pub fn programs_libdir(&self) -> PathBuf {
        self.sysroot.join("lib")
    }

    /// Returns the toolchain with these directories.
    fn at(invocation: &Invocation, sysroot: &Path, target_libdir: &Path) -> RustToolchain {
        let below_home = |name| invocation.path_variable("HOME").map(|home| home.join(name));
        let rustup_home = invocation
            .path_variable("RUSTUP_HOME")
            .or_else(|| below_home(".rustup"));
        RustToolchain {
            cargo: cargo_itself(invocation, sysroot),
            sysroot: sysroot.to_owned(),
            target_libdir: target_libdir.to_owned(),
            cargo_home: invocation
                .path_variable("CARGO_HOME")
                .or_else(|| below_home(".cargo")),
            rustup: rustup_home.and_then(|home| RustupToolchain::holding(home, sysroot)),
        }
    }
}

impl RustupToolchain {
    /// Returns the location of the toolchain with this sysroot, if it is in rustup's home
    /// directory.
    fn holding(home: PathBuf, sysroot: &Path) -> Option<RustupToolchain> {
        let toolchains = home.join("toolchains");
        // Either path may lead through symbolic links; only canonical paths can be compared.
        let canonical = std::fs::canonicalize(&toolchains).unwrap_or(toolchains);
        let below = std::fs::canonicalize(sysroot)
            .unwrap_or_else(|_| sysroot.to_owned())
            .strip_prefix(canonical)
            .ok()?
            .to_owned();
        let toolchain = below.components().next()?.as_os_str().to_owned();
        Some(RustupToolchain { home, toolchain })
    }
}

/// Returns the directories of downloaded packages.
pub fn downloads(toolchain: &RustToolchain) -> impl Iterator<Item = PathBuf> {
    let cargo_home = toolchain.cargo_home.iter();
    cargo_home.flat_map(|home| DOWNLOADS.iter().map(|name| home.join(name)))
}

/// Returns the files and directories of the toolchain that tests can use, besides downloaded
/// packages.
pub fn lent(toolchain: &RustToolchain) -> Vec<PathBuf> {
    let cargo_home = toolchain.cargo_home.iter();
    let of_cargo = cargo_home.flat_map(|home| CARGO_HOME.iter().map(|name| home.join(name)));
    let rustup = toolchain.rustup.iter().map(|rustup| rustup.home.clone());
    rustup
        // The compiler may come from a distribution, or be linked into rustup from elsewhere.
        .chain([toolchain.sysroot.clone()])
        .chain(toolchain.cargo.parent().map(Path::to_owned))
        .chain(of_cargo)
        .collect()
}

/// Returns the cargo program for a test's `CARGO`. If cargo started this program, it is the one
/// that `CARGO` names. Otherwise it is the one next to the compiler, which is no proxy, or else the
/// first on `PATH`.
fn cargo_itself(invocation: &Invocation, sysroot: &Path) -> PathBuf {
    if let Some(cargo) = invocation.path_variable("CARGO") {
        return cargo;
    }
    let beside = sysroot.join("bin/cargo");
    if beside.is_file() {
        return beside;
    }
    invocation
        .variable("PATH")
        .map(std::env::split_paths)
        .into_iter()
        .flatten()
        .map(|directory| invocation.directory.join(directory).join("cargo"))
        .find(|candidate| candidate.is_file())
        .unwrap_or(beside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::invocation::ColorMode;

    fn invocation(variables: &[(&str, &Path)]) -> Invocation {
        Invocation {
            directory: PathBuf::from("/project"),
            environment: variables
                .iter()
                .map(|(name, value)| ((*name).into(), value.into()))
                .collect(),
            colors: ColorMode::Unwanted,
        }
    }

    #[test]
    fn a_toolchain_of_rustup_is_told_by_its_place() {
        let home = tempfile::tempdir().unwrap();
        let sysroot = home.path().join(".rustup/toolchains/stable-x");
        std::fs::create_dir_all(sysroot.join("bin")).unwrap();
        std::fs::write(sysroot.join("bin/cargo"), "").unwrap();
        let toolchain = RustToolchain::at(
            &invocation(&[("HOME", home.path())]),
            &sysroot,
            &sysroot.join("lib"),
        );
        assert_eq!(toolchain.cargo, sysroot.join("bin/cargo"));
        assert_eq!(toolchain.cargo_home, Some(home.path().join(".cargo")));
        assert_eq!(
            toolchain.rustup,
            Some(RustupToolchain {
                home: home.path().join(".rustup"),
                toolchain: "stable-x".into()
            })
        );
    }

    #[test]
    fn elsewhere_the_caller_or_path_tells_which_cargo() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("cargo");
        std::fs::write(&program, "").unwrap();
        let nowhere = Path::new("/nowhere");
        let by_path =
            RustToolchain::at(&invocation(&[("PATH", directory.path())]), nowhere, nowhere);
        assert_eq!(by_path.cargo, program);
        assert_eq!(by_path.rustup, None);
        let said = RustToolchain::at(
            &invocation(&[("CARGO", Path::new("/x/cargo")), ("PATH", directory.path())]),
            nowhere,
            nowhere,
        );
        assert_eq!(said.cargo, Path::new("/x/cargo"));
    }

    #[test]
    fn a_toolchain_whose_cargo_calls_us_is_there() {
        let by_cargo = invocation(&[("CARGO", Path::new("/x/cargo"))]);
        assert_eq!(chosen(&by_cargo), ToolchainPresence::Installed);
        assert_eq!(chosen(&invocation(&[])), ToolchainPresence::Unknown);
    }

    #[tokio::test]
    async fn a_compiler_that_is_not_there_is_named() {
        let missing = invocation(&[("RUSTC", Path::new("/nowhere/rustc"))]);
        let mut missing = missing;
        missing.directory = PathBuf::from("/");
        let error = RustToolchain::find(&missing, None).await.unwrap_err();
        assert_eq!(error.to_string(), "can't start `/nowhere/rustc`");
    }
}
