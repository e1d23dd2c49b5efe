//! A test's environment: what `cargo test` would give it.
//!
//! On top of the environment it was called with, cargo sets the package's variables, those of its
//! build script, `[env]` of its configuration files ([`config`]), and the search path for shared
//! libraries ([`library_path`]). This module does the same, with these differences:
//!
//! - Variables that mean nothing in a container are omitted, see [`invoking`].
//! - In a container cargo itself is made to work offline, see [`go_offline`].
//! - `CARGO_BIN_EXE_*` is set with every cargo; cargo itself sets it at run time since 1.94.
//! - The path for shared libraries has only the directories in which a test may find one: the
//!   others affect only its speed, and which of the build scripts' directories are known when a
//!   test starts depends on the progress of the build.
//!
//! Invariant: pure, except for looking into the directories for shared libraries.

pub mod config;
pub mod library_path;
pub mod runner;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use cargo_metadata::BuildScript;
use cargo_metadata::camino::Utf8PathBuf;

use maelstrom_model::event::IsolationMode;

use self::config::ConfiguredVariable;
use self::library_path::LibraryPath;
use super::metadata::CargoPackage;
use super::toolchain::RustToolchain;
use crate::sandbox::environment::{go_offline, invoking};
use crate::sandbox::invocation::ProcessEnvironment;

/// What the environments of one package's test binaries are made from.
#[derive(Clone, Copy, Debug)]
pub struct EnvironmentSources<'a> {
    /// The environment the program was called with.
    pub invoking: &'a ProcessEnvironment,
    /// What keeps tests apart.
    pub isolation: IsolationMode,
    /// The toolchain that builds.
    pub toolchain: &'a RustToolchain,
    /// `[env]` of cargo's configuration.
    pub configured: &'a [ConfiguredVariable],
    pub package: &'a CargoPackage,
    /// What the package's build script said, if it has one.
    pub script: Option<&'a BuildScript>,
    /// The package's programs, for its integration tests and benchmarks; nothing for the others.
    pub programs: &'a BTreeMap<String, Utf8PathBuf>,
    /// Where shared libraries are found, before what the invoking environment adds.
    pub library_path: &'a LibraryPath,
}

/// A test's environment.
pub fn environment(sources: &EnvironmentSources<'_>) -> ProcessEnvironment {
    let mut variables = invoking(sources.invoking, sources.isolation);
    toolchain_variables(&mut variables, sources.toolchain);
    let inherited = variables.remove(OsStr::new(library_path::VARIABLE));
    let cargos = cargo_variables(sources, inherited.as_ref());
    // What cargo sets wins even against `force = true`.
    for configured in sources.configured {
        if !cargos.contains_key(&configured.name) {
            configured.apply(&mut variables);
        }
    }
    variables.extend(cargos);
    // This comes last: it sets only what nobody else has set.
    go_offline(&mut variables, sources.isolation);
    variables
}

/// What cargo itself sets. What it tells of the package wins against the build script.
fn cargo_variables(
    sources: &EnvironmentSources<'_>,
    library_path: Option<&OsString>,
) -> ProcessEnvironment {
    let mut variables = ProcessEnvironment::new();
    if let Some(path) = sources.library_path.value(library_path) {
        set(&mut variables, library_path::VARIABLE, path);
    }
    if let Some(script) = sources.script {
        if !script.out_dir.as_str().is_empty() {
            set(&mut variables, "OUT_DIR", script.out_dir.as_str());
        }
        for (name, value) in &script.env {
            set(&mut variables, name, value);
        }
    }
    set(&mut variables, "CARGO", &sources.toolchain.cargo);
    package_variables(&mut variables, sources.package);
    for (name, path) in sources.programs {
        let name = format!("CARGO_BIN_EXE_{name}");
        set(&mut variables, name, path.as_str());
    }
    variables
}

fn set(variables: &mut ProcessEnvironment, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
    variables.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
}

/// What rustup's proxy for cargo sets. Nothing changes when it has been at work already.
fn toolchain_variables(variables: &mut ProcessEnvironment, toolchain: &RustToolchain) {
    let Some(rustup) = &toolchain.rustup else {
        return;
    };
    if variables.contains_key(OsStr::new("RUSTUP_TOOLCHAIN")) {
        return;
    }
    let mut set_if_missing = |name: &str, value: &OsStr| {
        variables
            .entry(name.into())
            .or_insert_with(|| value.to_owned());
    };
    if let Some(home) = &toolchain.cargo_home {
        set_if_missing("CARGO_HOME", home.as_os_str());
    }
    set_if_missing("RUSTUP_HOME", rustup.home.as_os_str());
    set_if_missing("RUSTUP_TOOLCHAIN", &rustup.toolchain);
}

/// The variables that cargo sets for a package.
fn package_variables(variables: &mut ProcessEnvironment, package: &CargoPackage) {
    let metadata = &package.metadata;
    let version = &metadata.version;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let path = |path: &Option<Utf8PathBuf>| path.clone().unwrap_or_default().into_string();
    let known = [
        ("CARGO_MANIFEST_DIR", package.directory().to_string()),
        ("CARGO_MANIFEST_PATH", metadata.manifest_path.to_string()),
        ("CARGO_PKG_AUTHORS", metadata.authors.join(":")),
        ("CARGO_PKG_DESCRIPTION", text(&metadata.description)),
        ("CARGO_PKG_HOMEPAGE", text(&metadata.homepage)),
        ("CARGO_PKG_LICENSE", text(&metadata.license)),
        ("CARGO_PKG_LICENSE_FILE", path(&metadata.license_file)),
        ("CARGO_PKG_NAME", metadata.name.to_string()),
        ("CARGO_PKG_README", path(&metadata.readme)),
        ("CARGO_PKG_REPOSITORY", text(&metadata.repository)),
        ("CARGO_PKG_RUST_VERSION", text(&package.rust_version)),
        ("CARGO_PKG_VERSION", version.to_string()),
        ("CARGO_PKG_VERSION_MAJOR", version.major.to_string()),
        ("CARGO_PKG_VERSION_MINOR", version.minor.to_string()),
        ("CARGO_PKG_VERSION_PATCH", version.patch.to_string()),
        ("CARGO_PKG_VERSION_PRE", version.pre.to_string()),
    ];
    for (name, value) in known {
        set(variables, name, value);
    }
}
