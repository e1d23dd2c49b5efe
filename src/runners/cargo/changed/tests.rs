//! A workspace with each kind of dependency, and files of each kind that change in it.

use super::*;
use crate::changed::plan::WholeReason;
use serde_json::{Value, json};

/// In `/w`: `app` uses `core`, builds with `gen` and tests with `kit`; `gen` has a build script; `core`
/// uses `ext`, which is outside the workspace; `user` uses `app`. The source of `user` is in `/w/flows`.
fn packages() -> Vec<Arc<CargoPackage>> {
    let dependency = |path: &str, kind: Value| {
        json!({
            "name": path.rsplit('/').next(), "source": null, "req": "*", "kind": kind,
            "optional": false, "uses_default_features": true, "features": [], "target": null,
            "rename": null, "registry": null, "path": path,
        })
    };
    let package = |path: &str, dependencies: Value, kind: &str| {
        let name = path.rsplit('/').next();
        let sources = match name {
            Some("user") => "/w/user/../flows",
            _ => path,
        };
        json!({
            "name": name, "version": "1.0.0", "id": format!("path+file://{path}#1.0.0"),
            "dependencies": dependencies, "features": {},
            "manifest_path": format!("{path}/Cargo.toml"), "edition": "2024",
            "targets": [{
                "name": name, "kind": [kind], "crate_types": ["bin"],
                "src_path": format!("{sources}/x.rs"),
                "edition": "2024", "doctest": false, "test": true, "doc": true,
            }],
        })
    };
    let app = json!([
        dependency("/w/core", Value::Null),
        dependency("/w/gen", json!("build")),
        dependency("/w/kit", json!("dev")),
    ]);
    let packages = json!([
        package("/w/app", app, "lib"),
        package(
            "/w/core",
            json!([dependency("/repo/ext", Value::Null)]),
            "lib"
        ),
        package("/w/gen", json!([]), "custom-build"),
        package("/w/kit", json!([]), "lib"),
        package("/w/user", json!([dependency("/w/app", Value::Null)]), "lib"),
        package("/repo/ext", json!([]), "lib"),
    ]);
    let ids = packages.as_array().unwrap().iter();
    let ids: Vec<&Value> = ids.map(|package| &package["id"]).collect();
    let metadata = json!({
        "packages": packages, "workspace_members": ids, "workspace_default_members": ids,
        "resolve": null, "target_directory": "/w/target", "version": 1, "workspace_root": "/w",
        "metadata": null,
    });
    let workspace = CargoWorkspace::read(metadata.to_string().as_bytes());
    workspace.unwrap().packages
}

/// The names of the packages to test, or why it is all.
fn tested(top: &str, changed: &[&str], scripts: &ScriptInputs) -> String {
    let files = ChangedFiles {
        reference: "main".to_owned(),
        top: top.into(),
        paths: changed.iter().map(PathBuf::from).collect(),
    };
    let packages = packages();
    let shared = SharedFiles {
        root: "/w".into(),
        here: "/w/app".into(),
        configured: vec!["/w/app/ci.toml".into()],
        replacing: vec!["/w/vendored".into()],
    };
    match changed_units(&files, &packages, scripts, &shared) {
        ChangedUnits::All(path, WholeReason::Nobody) => format!("all, by {}", path.display()),
        ChangedUnits::All(path, WholeReason::Everybody) => format!("all: {}", path.display()),
        ChangedUnits::Some(units) => {
            let names = units.iter().map(|unit| packages[*unit].name());
            names.collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn packages_that_depend_on_changed_files_are_tested() {
    let unknown = ScriptInputs::default();
    for (changed, expected) in [
        (&[][..], ""),
        (&["/w/core/src/lib.rs"], "app core user"),
        (&["/w/gen/a"], "app gen user"),
        // Nothing depends on the tests of `app`.
        (&["/w/kit/a"], "app kit"),
        (&["/repo/ext/src/lib.rs"], "app core user ext"),
        (&["/w/user/README.md"], "user"),
        (&["/w/flows/x.rs"], "user"),
        (&["/w/flows/deep/y.rs"], "user"),
        (&["/w/Cargo.lock"], "all: /w/Cargo.lock"),
        (&["/w/app/Cargo.lock"], "app user"),
        (
            &["/w/app/.cargo/config.toml"],
            "all: /w/app/.cargo/config.toml",
        ),
        (&["/w/core/.cargo/config.toml"], "app core user"),
        (&["/rust-toolchain.toml"], "all: /rust-toolchain.toml"),
        (&["/w/vendored/src/lib.rs"], "all: /w/vendored/src/lib.rs"),
        (&["/w/app/ci.toml"], "all: /w/app/ci.toml"),
        (&["/w/README.md", "/w/kit/a"], "all, by /w/README.md"),
        // A submodule that changed as a whole.
        (&["/w"], "app core gen kit user"),
    ] {
        assert_eq!(tested("/", changed, &unknown), expected, "{changed:?}");
    }
}

#[test]
fn a_package_outside_the_repository_counts_as_changed() {
    let unknown = ScriptInputs::default();
    assert_eq!(tested("/w", &[], &unknown), "app core user ext");
}

#[test]
fn what_a_build_script_reads_belongs_to_its_package() {
    let build = tempfile::tempdir().unwrap();
    let write = |directory: &str, text: &str| {
        let directory = build.path().join(directory);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("output"), text).unwrap();
    };
    let packages = packages();
    let unbuilt = ScriptInputs::read(&packages, build.path());
    // The script may read any file.
    assert_eq!(tested("/", &["/w/user/a"], &unbuilt), "app gen user");
    assert_eq!(tested("/", &["/w/kit/a"], &unbuilt), "app gen kit user");
    assert_eq!(tested("/", &[], &unbuilt), "");
    let all = "all, by /w/proto/a.proto";
    assert_eq!(tested("/", &["/w/proto/a.proto"], &unbuilt), all);
    write("core-0123456789abcdef", "cargo:rerun-if-changed=/w/not\n");
    write(
        "gen-0123456789abcdef",
        "cargo:rerun-if-changed=../proto\ncargo::rerun-if-changed=../core/x\nother\n\
         cargo:rerun-if-changed=build.rs\n",
    );
    let built = ScriptInputs::read(&packages, build.path());
    for (changed, expected) in [
        (&["/w/proto/a.proto"][..], "app gen user"),
        (&["/w/core/x"], "app core gen user"),
        (&["/w/core/y"], "app core user"),
        (&["/w/proto2"], "all, by /w/proto2"),
    ] {
        assert_eq!(tested("/", changed, &built), expected, "{changed:?}");
    }
    let partly = ScriptInputs {
        unknown: vec![3],
        ..built
    };
    assert_eq!(tested("/", &["/w/proto/a.proto"], &partly), all);
}

#[test]
fn replacements_are_found_in_the_manifest() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(replacing(root.path()), [""; 0].map(PathBuf::from));
    let text = "[patch.crates-io]\nserde = { path = \"a/../vendored\" }\nlog = { git = \"x\" }\n\
                [replace]\n\"x:1.0.0\" = { path = \"/x\" }\n[dependencies]\ny = { path = \"y\" }\n";
    fs::write(root.path().join("Cargo.toml"), text).unwrap();
    let expected = [root.path().join("a/../vendored"), "/x".into()];
    assert_eq!(replacing(root.path()), expected);
}
