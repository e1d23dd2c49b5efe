//! Crates that tests make, and published ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A crate `victim` of this source, its tests built.
pub fn built(source: &str) -> TempDir {
    let project = tempfile::tempdir().unwrap();
    write(project.path(), source);
    let mut build = Command::new("cargo");
    build
        .args(["test", "--no-run", "--quiet"])
        .current_dir(project.path());
    assert!(build.status().unwrap().success());
    project
}

fn write(directory: &Path, source: &str) {
    let manifest = "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [lib]\ndoctest = false\n[workspace]\n";
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("src/lib.rs"), source).unwrap();
}

/// The workspace that a published program came from, put together again in a directory: the program
/// and those of its libraries that these are, in the versions that it was published with.
pub fn workspace(directory: &Path, program: (&str, &str), libraries: &[&str]) {
    let (name, version) = program;
    let fetched = fetched(&[(name.to_owned(), version.to_owned())]);
    let locked = fs::read_to_string(fetched[0].join("Cargo.lock")).unwrap();
    let lock: Lock = toml::from_str(&locked).unwrap();
    let version_of = |library: &&str| {
        let mut locked = lock.package.iter();
        let package = locked.find(|package| package["name"].as_str() == Some(library));
        let version = package.and_then(|package| package["version"].as_str());
        ((*library).to_owned(), version.unwrap().to_owned())
    };
    let libraries: Vec<(String, String)> = libraries.iter().map(version_of).collect();
    let sources = [fetched, self::fetched(&libraries)].concat();
    let names = std::iter::once(name).chain(libraries.iter().map(|(name, _)| name.as_str()));
    for (source, name) in sources.iter().zip(names) {
        let mut copying = Command::new("cp");
        copying.arg("-r").arg(source).arg(directory.join(name));
        assert!(copying.status().unwrap().success());
    }
    let here = libraries.iter().map(|(name, _)| {
        let place = toml::Table::from_iter([("path".to_owned(), name.as_str().into())]);
        (name.clone(), toml::Value::Table(place))
    });
    let here = toml::Table::from_iter(here);
    let members = here.keys().map(String::as_str).chain([name]);
    let members: Vec<toml::Value> = members.map(toml::Value::from).collect();
    let manifest = format!(
        "workspace = {}\npatch.crates-io = {}\n",
        toml::Value::from(toml::Table::from_iter([
            ("resolver".to_owned(), "2".into()),
            ("members".to_owned(), members.into()),
        ])),
        toml::Value::from(here)
    );
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::write(directory.join("Cargo.lock"), locked).unwrap();
}

/// What a lock file says of packages.
#[derive(serde::Deserialize)]
struct Lock {
    package: Vec<toml::Table>,
}

/// Where cargo keeps the sources of published packages, each a name and a version.
fn fetched(packages: &[(String, String)]) -> Vec<PathBuf> {
    let asking = tempfile::tempdir().unwrap();
    let directory = asking.path();
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("src/lib.rs"), "").unwrap();
    let dependencies = packages
        .iter()
        .map(|(name, version)| format!("{name} = \"={version}\"\n"));
    let manifest = format!(
        "[package]\nname = \"asking\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\n{}",
        dependencies.collect::<String>()
    );
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    let mut fetching = Command::new("cargo");
    fetching.args(["fetch", "--quiet"]).current_dir(directory);
    assert!(fetching.status().unwrap().success());
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cargo"));
    let registries = fs::read_dir(home.join("registry/src")).unwrap();
    let registries: Vec<PathBuf> = registries.map(|entry| entry.unwrap().path()).collect();
    let place = |(name, version): &(String, String)| {
        let places = registries
            .iter()
            .map(|registry| registry.join(format!("{name}-{version}")));
        places.into_iter().find(|place| place.exists()).unwrap()
    };
    packages.iter().map(place).collect()
}

/// What cargo itself says that a workspace's tests come to, doctests aside: how many there are of each
/// outcome.
pub fn under_cargo(workspace: &Path) -> BTreeMap<String, usize> {
    let output = Command::new("cargo")
        .args(["test", "--workspace", "--lib", "--bins", "--tests"])
        .current_dir(workspace)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}{complaint}");
    let mut counts = BTreeMap::new();
    let results = text
        .lines()
        .filter_map(|line| line.strip_prefix("test result: ok. "));
    for count in results.flat_map(|line| line.split("; ")) {
        if let Some((number, outcome)) = count.split_once(' ')
            && let Ok(number) = number.parse::<usize>()
        {
            *counts.entry(outcome.to_owned()).or_default() += number;
        }
    }
    counts
}
