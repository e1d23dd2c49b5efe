//! Tests that compare environments with cargo's documentation.

use super::config::VariablePrecedence;
use super::*;
use crate::cargo::toolchain::RustupToolchain;

const PACKAGE: &str = r#"{
    "name": "my-pkg", "version": "1.2.3-beta.1", "id": "path+file:///w/p#my-pkg@1.2.3-beta.1",
    "license": "MIT", "license_file": null, "description": "A thing", "source": null,
    "dependencies": [], "targets": [], "features": {}, "manifest_path": "/w/p/Cargo.toml",
    "authors": ["A <a@b>", "C"], "readme": "README.md", "repository": null, "homepage": "h",
    "edition": "2024", "rust_version": "1.80"
}"#;

fn package() -> CargoPackage {
    CargoPackage {
        metadata: serde_json::from_str(PACKAGE).unwrap(),
        rust_version: Some("1.80".to_owned()),
    }
}

fn script() -> BuildScript {
    serde_json::from_str(
        r#"{"package_id": "x", "linked_libs": [], "linked_paths": [], "cfgs": [],
            "env": [["GENERATED", "yes"], ["CARGO_PKG_NAME", "renamed"]], "out_dir": "/w/target/out"}"#,
    )
    .unwrap()
}

fn toolchain() -> RustToolchain {
    RustToolchain {
        cargo: "/toolchain/bin/cargo".into(),
        sysroot: "/toolchain".into(),
        target_libdir: "/toolchain/lib".into(),
        cargo_home: Some("/home/u/.cargo".into()),
        rustup: Some(RustupToolchain {
            home: "/home/u/.rustup".into(),
            toolchain: "stable".into(),
        }),
    }
}

fn shown(variables: &ProcessEnvironment) -> String {
    let lines: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{}={}", name.display(), value.display()))
        .collect();
    lines.join("\n")
}

fn made(isolation: IsolationMode) -> ProcessEnvironment {
    let invoking = ProcessEnvironment::from(
        [
            ("HOME", "/home/u"),
            ("LD_LIBRARY_PATH", "/mine"),
            ("MAKEFLAGS", "-j --jobserver-fds=3,4"),
            ("PATH", "/usr/bin"),
            ("RUST_BACKTRACE", "1"),
            ("SSH_AUTH_SOCK", "/run/agent"),
            ("TMPDIR", "/home/u/tmp"),
        ]
        .map(|(name, value)| (name.into(), value.into())),
    );
    let configured = [
        ("HOME", "/elsewhere", VariablePrecedence::Default),
        ("RUST_BACKTRACE", "full", VariablePrecedence::Forced),
        ("TZ", "UTC", VariablePrecedence::Default),
    ]
    .map(|(name, value, strength)| ConfiguredVariable {
        name: name.into(),
        value: value.into(),
        strength,
    });
    environment(&EnvironmentSources {
        invoking: &invoking,
        isolation,
        toolchain: &toolchain(),
        configured: &configured,
        package: &package(),
        script: Some(&script()),
        programs: &BTreeMap::from([("tool".to_owned(), "/w/target/debug/tool".into())]),
        library_path: &LibraryPath::default(),
    })
}

#[test]
fn a_test_gets_what_cargo_sets_over_what_means_something_in_a_container() {
    insta::assert_snapshot!(shown(&made(IsolationMode::Container)), @"
    CARGO=/toolchain/bin/cargo
    CARGO_BIN_EXE_tool=/w/target/debug/tool
    CARGO_HOME=/home/u/.cargo
    CARGO_MANIFEST_DIR=/w/p
    CARGO_MANIFEST_PATH=/w/p/Cargo.toml
    CARGO_NET_OFFLINE=true
    CARGO_PKG_AUTHORS=A <a@b>:C
    CARGO_PKG_DESCRIPTION=A thing
    CARGO_PKG_HOMEPAGE=h
    CARGO_PKG_LICENSE=MIT
    CARGO_PKG_LICENSE_FILE=
    CARGO_PKG_NAME=my-pkg
    CARGO_PKG_README=README.md
    CARGO_PKG_REPOSITORY=
    CARGO_PKG_RUST_VERSION=1.80
    CARGO_PKG_VERSION=1.2.3-beta.1
    CARGO_PKG_VERSION_MAJOR=1
    CARGO_PKG_VERSION_MINOR=2
    CARGO_PKG_VERSION_PATCH=3
    CARGO_PKG_VERSION_PRE=beta.1
    GENERATED=yes
    GOPROXY=off
    GOSUMDB=off
    HOME=/home/u
    LD_LIBRARY_PATH=/mine
    OUT_DIR=/w/target/out
    PATH=/usr/bin
    PIP_DISABLE_PIP_VERSION_CHECK=1
    PIP_RETRIES=0
    RUSTUP_HOME=/home/u/.rustup
    RUSTUP_TOOLCHAIN=stable
    RUST_BACKTRACE=full
    TMPDIR=/tmp
    TZ=UTC
    ");
}

#[test]
fn a_mere_process_keeps_the_session() {
    let process = made(IsolationMode::Process);
    let container = made(IsolationMode::Container);
    let differing: Vec<_> = process
        .iter()
        .filter(|(name, value)| container.get(*name) != Some(value))
        .map(|(name, _)| name.to_str().unwrap())
        .collect();
    assert_eq!(differing, ["MAKEFLAGS", "SSH_AUTH_SOCK", "TMPDIR"]);
}
