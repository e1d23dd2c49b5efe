//! Builds a test's environment, as `cargo test` would.
//!
//! In addition to the environment that it is started with, cargo sets the package's variables,
//! those of its build script, `[env]` of its configuration files ([`config`]), and the search path
//! for shared libraries ([`library_path`]). This module does the same, with these differences:
//!
//! - Variables that have no meaning in a container are omitted; see [`invoking`].
//! - In a container, cargo is set to work offline; see [`go_offline`].
//! - `CARGO_BIN_EXE_*` is set for every version of cargo; cargo itself sets it at run time since
//!   1.94.
//! - The search path for shared libraries contains only the directories in which a test may find
//!   one. The others affect only its speed, and the progress of the build determines which of the
//!   build scripts' directories are known when a test starts.
//! - Variables say who runs the test; see [`nextest`].
//!
//! Invariant: pure, except for reading the directories of shared libraries.

pub mod config;
pub mod library_path;
pub mod nextest;
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

/// The inputs for the environments of one package's test binaries.
#[derive(Clone, Copy, Debug)]
pub struct EnvironmentSources<'a> {
    /// The environment with which this program was started.
    pub invoking: &'a ProcessEnvironment,
    /// Whether tests run in containers or as plain processes.
    pub isolation: IsolationMode,
    /// The toolchain that builds the tests.
    pub toolchain: &'a RustToolchain,
    /// The variables of `[env]` in cargo's configuration.
    pub configured: &'a [ConfiguredVariable],
    pub package: &'a CargoPackage,
    /// The output of the package's build script, if it has one.
    pub script: Option<&'a BuildScript>,
    /// The package's programs, for its integration tests and benchmarks; empty for other targets.
    pub programs: &'a BTreeMap<String, Utf8PathBuf>,
    /// Cargo's part of the search path for shared libraries; the invoking environment's comes after
    /// it.
    pub library_path: &'a LibraryPath,
}

/// Returns a test's environment.
pub fn environment(sources: &EnvironmentSources<'_>) -> ProcessEnvironment {
    let mut variables = invoking(sources.invoking, sources.isolation);
    toolchain_variables(&mut variables, sources.toolchain);
    let inherited = variables.remove(OsStr::new(library_path::VARIABLE));
    let cargos = cargo_variables(sources, inherited.as_ref());
    // Variables that cargo sets take precedence even over `force = true`.
    for configured in sources.configured {
        if !cargos.contains_key(&configured.name) {
            configured.apply(&mut variables);
        }
    }
    variables.extend(cargos);
    // Last, since it sets only variables that are not set otherwise.
    go_offline(&mut variables, sources.isolation);
    variables
}

/// Returns the variables that cargo itself sets. Those of the package take precedence over the
/// build script's.
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

/// Adds the variables that rustup's proxy for cargo sets. Changes nothing if the proxy has already
/// set them.
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

/// Adds the variables that cargo sets for a package.
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
