//! Selections of a workspace that is made up.

use super::*;
use crate::cargo::options::CargoOptions;
use maelstrom_spec::filter::TargetKind;
use std::num::NonZeroU32;

fn workspace() -> CargoWorkspace {
    let package = |name: &str| {
        let json = serde_json::json!({
            "name": name, "version": "1.0.0", "id": format!("path+file:///w/{name}#1.0.0"),
            "dependencies": [], "targets": [], "features": {},
            "manifest_path": format!("/w/{name}/Cargo.toml"), "edition": "2024",
        });
        Arc::new(CargoPackage {
            metadata: serde_json::from_value(json).unwrap(),
            rust_version: None,
        })
    };
    CargoWorkspace {
        root: "/w".into(),
        target_directory: "/w/target".into(),
        build_directory: "/w/target".into(),
        packages: vec![package("core"), package("cli"), package("test")],
        default_members: ["core", "cli"].map(id).to_vec(),
        directories: Vec::new(),
    }
}

fn decide(line: &str) -> Result<CargoSelection, SelectionError> {
    let words = line.split_whitespace().map(std::ffi::OsString::from);
    let options = CargoOptions::read(words).unwrap();
    let settings = options.resolve(NonZeroU32::MIN).unwrap();
    CargoSelection::decide(&settings, &workspace())
}

fn id(name: &str) -> PackageId {
    PackageId {
        repr: format!("path+file:///w/{name}#1.0.0"),
    }
}

fn exactly(names: &[&str]) -> Option<PackageArguments> {
    let ids = names.iter().map(|name| id(name));
    Some(PackageArguments::Exactly(ids.collect()))
}

#[test]
fn packages_are_narrowed_by_id_only_where_needed() {
    let arguments = |line: &str| decide(line).unwrap().arguments;
    assert_eq!(arguments("x"), Some(PackageArguments::Default));
    assert_eq!(arguments("x name"), Some(PackageArguments::Default));
    assert_eq!(
        arguments("x --workspace"),
        Some(PackageArguments::Workspace)
    );
    assert_eq!(
        arguments("x -i name.eq(a)"),
        Some(PackageArguments::Workspace)
    );
    assert_eq!(arguments("x -i package.eq(cli)"), exactly(&["cli"]));
    assert_eq!(arguments("x -i package.eq(test)"), exactly(&["test"]));
    assert_eq!(arguments("x -x package.eq(cli)"), exactly(&["core"]));
    assert_eq!(
        arguments("x --workspace -x package.eq(cli)"),
        exactly(&["core", "test"])
    );
    assert_eq!(arguments("x -i none"), None);
    assert_eq!(
        arguments("x -p elsewhere -p c*"),
        Some(PackageArguments::Named(vec![
            "elsewhere".into(),
            "c*".into()
        ]))
    );
    assert_eq!(arguments("x -p c* -i p.eq(cli)"), exactly(&["cli"]));
    assert_eq!(arguments("x -p cli@1.0.0 -i all"), exactly(&["cli"]));
}

#[test]
fn filtersets_narrow_like_patterns_and_intersect_with_them() {
    let arguments = |line: &str| decide(line).unwrap().arguments;
    assert_eq!(arguments("x run -E all()"), exactly(&["core", "cli"]));
    assert_eq!(arguments("x run -E package(cli)"), exactly(&["cli"]));
    // Unlike `--include`, filtersets select among the default packages.
    assert_eq!(arguments("x run -E package(test)"), None);
    assert_eq!(
        arguments("x run --workspace -E package(test) -E package(core)"),
        exactly(&["core", "test"])
    );
    assert_eq!(
        arguments("x -E package(c*) -x package.eq(cli)"),
        exactly(&["core"])
    );
    assert_eq!(
        arguments("x -E test(a) -E none()"),
        exactly(&["core", "cli"])
    );
    for line in ["x -E package(other)", "x -E not(binary(core))"] {
        let error = decide(line).unwrap_err();
        assert!(matches!(error, SelectionError::Filterset(_)), "{line}");
    }
}

#[test]
fn an_exclude_next_to_workspace_is_a_package_if_there_is_one() {
    let arguments = |line: &str| decide(line).unwrap().arguments;
    assert_eq!(
        arguments("x --workspace --exclude test"),
        exactly(&["core", "cli"])
    );
    assert_eq!(arguments("x --workspace --exclude c*"), exactly(&["test"]));
    assert_eq!(
        arguments("x --workspace --exclude library"),
        Some(PackageArguments::Workspace)
    );
    assert!(decide("x --workspace --exclude nothing(").is_err());
    let unknown = decide("x --workspace --exclude nothing --exclude cli").unwrap();
    assert_eq!(unknown.unknown, ["nothing"]);
    assert_eq!(unknown.arguments, exactly(&["core", "test"]));
    assert_eq!(arguments("x --exclude test"), exactly(&["core", "cli"]));
}

#[test]
fn a_test_is_run_ignored_or_left_out() {
    let verdict = |line: &str, name: &str, attention| {
        let wanted = decide(line).unwrap();
        let package = wanted.packages.first().unwrap().clone();
        let target = PackageTarget {
            name: "core".to_owned(),
            kind: TargetKind::Library,
        };
        wanted.test(&package, &target, name, attention)
    };
    use IgnoreStatus::{Ignored, Wanted};
    assert_eq!(verdict("x", "a", Wanted), SelectionOutcome::Run);
    assert_eq!(verdict("x", "a", Ignored), SelectionOutcome::Ignore);
    assert_eq!(
        verdict("x --ignored", "a", Wanted),
        SelectionOutcome::Deselect
    );
    assert_eq!(
        verdict("x --ignored", "a", Ignored),
        SelectionOutcome::RunIgnored
    );
    assert_eq!(
        verdict("x --include-ignored", "a", Ignored),
        SelectionOutcome::RunIgnored
    );
    assert_eq!(verdict("x -- b", "a", Wanted), SelectionOutcome::Deselect);
    assert_eq!(
        verdict("x -x name.eq(a)", "a", Ignored),
        SelectionOutcome::Deselect
    );
    assert_eq!(verdict("x -i library", "a", Wanted), SelectionOutcome::Run);
    for (line, expected) in [
        ("x -E test(a)", SelectionOutcome::Run),
        ("x -E test(=b) -E kind(lib)", SelectionOutcome::Run),
        ("x -E test(=b)", SelectionOutcome::Deselect),
        ("x b -E test(a)", SelectionOutcome::Deselect),
        ("x a -E test(a)", SelectionOutcome::Run),
        ("x -i name.eq(b) -E test(a)", SelectionOutcome::Deselect),
        ("x run --platform-filter host", SelectionOutcome::Deselect),
        ("x run --platform-filter target", SelectionOutcome::Run),
    ] {
        assert_eq!(verdict(line, "a", Wanted), expected, "{line}");
    }
}
