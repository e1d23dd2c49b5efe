//! Finds the packages whose tests depend on changed files (`--changed-since`).
//!
//! The units are the packages of the main modules, whether they are tested or not, and all that they or
//! their tests import. A file belongs to the package with the nearest directory above it, and to those
//! that embed it. Packages of other modules, and of the standard library, change with `go.mod`, on which
//! everything depends; but a directory that replaces a module has files like the main modules. A package
//! that `go list` cannot load counts as changed: it may have been deleted.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::error::GoError;
use super::options::GoSettings;
use super::packages::GoPackage;
use super::toolchain::GO;
use crate::changed::git::ChangedFiles;
use crate::changed::plan::{
    ChangedUnits, FileOwner, ProjectUnit, UnitDirectories, UnitPart, choose,
};
use crate::changed::{changed_files, notice, real};
use crate::sandbox::invocation::Invocation;
use crate::sandbox::project_spec::files;
use maelstrom_model::event::UserNotice;

/// The fields to query with `go list`.
const FIELDS: &str = "-json=Dir,ImportPath,Standard,Module,Error,Imports,TestImports,XTestImports,\
                      EmbedPatterns,TestEmbedPatterns,XTestEmbedPatterns";

/// Names of files on which all tests depend.
const SHARED: [&str; 6] = [
    "go.mod",
    "go.sum",
    "go.work",
    "go.work.sum",
    "maelstrom-container-tags.lock",
    files::GO.name,
];

/// The directory whose files Go ignores, but tests read.
const TEST_DATA: &str = "testdata";

/// The flags that name a file on which all builds depend.
const FILE_FLAGS: [&str; 3] = ["modfile", "overlay", "pgo"];

/// The directory of a main module or workspace with copies of other modules.
const VENDOR: &str = "vendor";

/// A package as `go list` describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ListedPackage {
    dir: PathBuf,
    import_path: String,
    standard: bool,
    module: Option<ListedModule>,
    error: Option<IgnoredAny>,
    imports: Vec<String>,
    test_imports: Vec<String>,
    #[serde(rename = "XTestImports")]
    x_test_imports: Vec<String>,
    embed_patterns: Vec<String>,
    test_embed_patterns: Vec<String>,
    #[serde(rename = "XTestEmbedPatterns")]
    x_test_embed_patterns: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ListedModule {
    path: String,
    version: String,
    dir: PathBuf,
    main: bool,
    replace: Option<Box<ListedModule>>,
}

impl ListedPackage {
    /// Returns whether its files are the project's own.
    fn is_own(&self) -> bool {
        match &self.module {
            None => !self.standard,
            // A directory that replaces a module has no version.
            Some(module) => {
                let mut replacing = module.replace.iter();
                module.main || replacing.any(|module| module.version.is_empty())
            }
        }
    }
}

/// The packages whose tests depend on changed files.
#[derive(Debug)]
pub(super) struct ChangedPackages {
    files: ChangedFiles,
    units: ChangedUnits,
    /// The units, by import path.
    indices: HashMap<String, usize>,
}

impl ChangedPackages {
    /// Finds them. Returns `None` if the settings do not ask for them.
    pub(super) async fn find(
        settings: &GoSettings,
        invocation: &Invocation,
        workspace: Option<&Path>,
    ) -> Result<Option<ChangedPackages>, GoError> {
        let changed = changed_files(&settings.common.changed, invocation, &invocation.directory);
        let Some(files) = changed.await? else {
            return Ok(None);
        };
        let modules = main_modules(invocation).await?;
        let all = modules.iter().map(|module| format!("{}/...", module.path));
        let mut command = invocation.command(OsStr::new(GO));
        command
            .args(["list", "-e", "-deps", "-test", FIELDS])
            .args(&settings.build_flags)
            .arg("--")
            .args(&settings.packages)
            .args(all);
        let output = command.output().await;
        let output = output.map_err(|source| GoError::Start { source })?;
        if !output.status.success() {
            return Err(GoError::Tool {
                command: "go list",
                status: output.status,
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        let packages: Vec<ListedPackage> = read(&output.stdout)?;
        let roots = modules.iter().map(|module| module.dir.as_path());
        let vendored = roots.chain(workspace).map(|root| real(root).join(VENDOR));
        let flagged = flag_files(&settings.build_flags, &real(&invocation.directory));
        let shared: Vec<PathBuf> = vendored.chain(flagged).collect();
        let (units, indices) = changed_units(&files, &packages, &shared);
        Ok(Some(ChangedPackages {
            files,
            units,
            indices,
        }))
    }

    /// Leaves out the packages whose tests depend on no changed file, and returns the notice about it.
    pub(super) fn retain(&self, packages: &mut Vec<GoPackage>) -> UserNotice {
        let total = packages.len();
        packages.retain(|package| {
            let unit = self.indices.get(&package.import_path);
            unit.is_none_or(|unit| self.units.contains(*unit))
        });
        let counts = (packages.len(), total);
        notice::tested(&self.files, &self.units, notice::PACKAGES, counts)
    }
}

/// Returns the main modules: one, or those of the workspace. Without modules there are none.
async fn main_modules(invocation: &Invocation) -> Result<Vec<ListedModule>, GoError> {
    let mut command = invocation.command(OsStr::new(GO));
    let output = command.args(["list", "-m", "-json"]).output().await;
    let output = output.map_err(|source| GoError::Start { source })?;
    match output.status.success() {
        true => read(&output.stdout),
        false => Ok(Vec::new()),
    }
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<Vec<T>, GoError> {
    let values = serde_json::Deserializer::from_slice(answer).into_iter();
    let values: Result<Vec<T>, _> = values.collect();
    values.map_err(|source| GoError::Form {
        command: "go list",
        source,
    })
}

/// Returns the packages that depend on changed files, and the index of each. Pure, but for symbolic
/// links that are followed. `shared` are files and directories on which all tests depend.
fn changed_units(
    files: &ChangedFiles,
    packages: &[ListedPackage],
    shared: &[PathBuf],
) -> (ChangedUnits, HashMap<String, usize>) {
    // A package that is compiled again for a test has the name of the test's package behind its own.
    let packages = packages.iter().filter(|package| {
        let name = &package.import_path;
        !name.contains(' ')
    });
    let packages: Vec<&ListedPackage> = packages.collect();
    let names = packages.iter().enumerate();
    let indices: HashMap<String, usize> = names
        .map(|(index, package)| (package.import_path.clone(), index))
        .collect();
    let of = |imports: &[String]| -> Vec<usize> {
        let known = imports.iter().filter_map(|import| indices.get(import));
        known.copied().collect()
    };
    let units: Vec<ProjectUnit> = packages
        .iter()
        .map(|package| ProjectUnit {
            dependencies: of(&package.imports),
            test_dependencies: [of(&package.test_imports), of(&package.x_test_imports)].concat(),
        })
        .collect();
    let mut places = PackagePlaces::default();
    let mut strange = Vec::new();
    for (index, package) in packages.iter().enumerate() {
        let is_missing = package.dir == Path::new("");
        if !package.standard && (is_missing || package.error.is_some()) {
            strange.push(UnitPart::Whole(index));
        }
        if !package.is_own() || is_missing {
            continue;
        }
        let directory = real(&package.dir);
        if !directory.starts_with(&files.top) {
            strange.push(UnitPart::Whole(index));
        }
        places.add(package, directory, index);
    }
    let changed = files.paths.iter().map(PathBuf::as_path);
    let chosen = choose(changed, strange, &units, |path| {
        let mut inside = shared.iter();
        match is_shared(path) || inside.any(|shared| path.starts_with(shared)) {
            true => FileOwner::Everybody,
            false => places.owner(path),
        }
    });
    (chosen, indices)
}

/// Returns the files that flags such as `-modfile=go.ci.mod` name, from a directory without symbolic
/// links, and the list of checksums next to a `go.mod`.
fn flag_files(flags: &[String], directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for flag in flags {
        let Some((name, file)) = flag.trim_start_matches('-').split_once('=') else {
            continue;
        };
        if !FILE_FLAGS.contains(&name) {
            continue;
        }
        let file = directory.join(file);
        if file.extension() == Some(OsStr::new("mod")) {
            files.push(real(&file.with_extension("sum")));
        }
        files.push(real(&file));
    }
    files
}

/// Returns whether all tests depend on a file.
fn is_shared(path: &Path) -> bool {
    let name = path.file_name();
    let is_data = path.components().any(|part| part.as_os_str() == TEST_DATA);
    !is_data && name.is_some_and(|name| SHARED.iter().any(|shared| name == *shared))
}

/// Where the files of packages are.
#[derive(Default)]
struct PackagePlaces {
    directories: UnitDirectories,
    /// The directory of each package.
    own: HashMap<usize, PathBuf>,
    embedding: Vec<EmbedPattern>,
}

/// A pattern of files that are embedded in a package or its tests.
struct EmbedPattern {
    directory: PathBuf,
    matcher: GlobMatcher,
    part: UnitPart,
}

impl PackagePlaces {
    fn add(&mut self, package: &ListedPackage, directory: PathBuf, index: usize) {
        let own = package.embed_patterns.iter();
        let own = own.map(|pattern| (pattern, UnitPart::Whole(index)));
        let of_tests = package.test_embed_patterns.iter();
        let of_tests = of_tests.chain(&package.x_test_embed_patterns);
        let of_tests = of_tests.map(|pattern| (pattern, UnitPart::Tests(index)));
        let patterns = own.chain(of_tests).filter_map(|(pattern, part)| {
            let pattern = pattern.strip_prefix("all:").unwrap_or(pattern);
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            // Go does not build a package with a pattern that means nothing.
            let matcher = glob.ok()?.compile_matcher();
            Some(EmbedPattern {
                directory: directory.clone(),
                matcher,
                part,
            })
        });
        self.embedding.extend(patterns);
        self.directories.add(directory.clone(), index);
        self.own.insert(index, directory);
    }

    fn owner(&self, path: &Path) -> FileOwner {
        let is_test = path.to_string_lossy().ends_with("_test.go");
        let owners = self.directories.owners(path).into_iter().map(|unit| {
            let parent = path.parent();
            let is_direct = parent == self.own.get(&unit).map(PathBuf::as_path);
            match is_test && is_direct {
                true => UnitPart::Tests(unit),
                false => UnitPart::Whole(unit),
            }
        });
        let embeds = |pattern: &&EmbedPattern| pattern.embeds(path);
        let embedding = self.embedding.iter().filter(embeds);
        let parts: Vec<UnitPart> = owners
            .chain(embedding.map(|pattern| pattern.part))
            .collect();
        match parts.is_empty() {
            true => FileOwner::Nobody,
            false => FileOwner::Units(parts),
        }
    }
}

impl EmbedPattern {
    /// Returns whether a file is embedded: its name matches, or that of a directory around it does.
    fn embeds(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.directory) else {
            return false;
        };
        let mut names = inside.ancestors().filter(|name| *name != Path::new(""));
        names.any(|name| self.matcher.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changed::plan::WholeReason;

    /// `m/app` imports `m/lib`, embeds `static` and tests with `m/kit`; `m/lib` imports a module that
    /// imports `r/far`, whose directory replaces a module.
    const LISTED: &[u8] = br#"
{"Dir":"/w/app","ImportPath":"m/app","Module":{"Path":"m","Main":true,"Dir":"/w"},
 "Imports":["m/lib","fmt"],"TestImports":["m/kit"],"EmbedPatterns":["all:static","*.txt"],
 "XTestEmbedPatterns":["static/deep/golden"]}
{"Dir":"/w/app/static/deep","ImportPath":"m/app/static/deep","Module":{"Path":"m","Main":true}}
{"Dir":"/w/lib","ImportPath":"m/lib","Module":{"Path":"m","Main":true},"Imports":["x/between"]}
{"Dir":"/w/lib","ImportPath":"m/lib [m/app.test]","Module":{"Path":"m","Main":true}}
{"Dir":"/w/kit","ImportPath":"m/kit","Module":{"Path":"m","Main":true},"XTestImports":["m/app"]}
{"Dir":"/cache/x@v1/between","ImportPath":"x/between","Module":{"Path":"x","Version":"v1"},
 "Imports":["r/far"]}
{"Dir":"/far","ImportPath":"r/far","Module":{"Path":"r","Version":"v1","Replace":{"Path":"../far"}}}
{"Dir":"/go/src/fmt","ImportPath":"fmt","Standard":true}
"#;

    /// `m/user` imports a package that was deleted, `m/other` one with a syntax error.
    const UNLOADED: &[u8] = br#"
{"Dir":"/w/user","ImportPath":"m/user","Module":{"Path":"m","Main":true},"Imports":["m/missing"]}
{"Dir":"/w/other","ImportPath":"m/other","Module":{"Path":"m","Main":true},"TestImports":["m/bad"]}
{"Dir":"/w/bad","ImportPath":"m/bad","Module":{"Path":"m","Main":true},"Error":{"Err":"syntax error"}}
{"Dir":"/w","ImportPath":"m","Module":{"Path":"m","Main":true}}
{"ImportPath":"m/missing","Error":{"ImportStack":["m/user"],"Err":"no required module provides it"}}
{"ImportPath":"std/missing","Standard":true,"Error":{"Err":"not in std"}}
"#;

    fn tested(listed: &[u8], top: &str, changed: &[&str]) -> String {
        let files = ChangedFiles {
            reference: "main".to_owned(),
            top: top.into(),
            paths: changed.iter().map(PathBuf::from).collect(),
        };
        let packages = read(listed).unwrap();
        let (units, indices) = changed_units(&files, &packages, &["/w/vendor".into()]);
        match &units {
            ChangedUnits::All(path, WholeReason::Nobody) => format!("all, by {}", path.display()),
            ChangedUnits::All(path, WholeReason::Everybody) => format!("all: {}", path.display()),
            ChangedUnits::Some(_) => {
                let names = indices.iter().filter(|(_, unit)| units.contains(**unit));
                let mut names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
                names.sort_unstable();
                names.join(" ")
            }
        }
    }

    #[test]
    fn packages_that_depend_on_changed_files_are_tested() {
        for (changed, expected) in [
            (&[][..], ""),
            (&["/w/app/main.go"], "m/app m/kit"),
            (&["/w/app/main_test.go"], "m/app"),
            (&["/w/app/testdata/x_test.go"], "m/app m/kit"),
            (&["/w/lib/lib.c"], "m/app m/kit m/lib"),
            (&["/w/kit/kit.go"], "m/app m/kit"),
            (&["/far/far.go"], "m/app m/kit m/lib r/far x/between"),
            // Embedded, although it is in the directory of another package.
            (&["/w/app/static/deep/x"], "m/app m/app/static/deep m/kit"),
            (&["/w/app/a.txt"], "m/app m/kit"),
            (&["/go/src/fmt/print.go"], "all, by /go/src/fmt/print.go"),
            (&["/w/go.sum"], "all: /w/go.sum"),
            (&["/w/app/testdata/go.mod"], "m/app m/kit"),
            (&["/w/vendor/x/x.go"], "all: /w/vendor/x/x.go"),
            (&["/w/README.md"], "all, by /w/README.md"),
        ] {
            assert_eq!(tested(LISTED, "/", changed), expected, "{changed:?}");
        }
    }

    #[test]
    fn all_tests_depend_on_the_files_that_flags_name() {
        let directory = Path::new("/nowhere");
        for (flag, expected) in [
            ("-modfile=go.ci.mod", &["go.ci.sum", "go.ci.mod"][..]),
            ("--overlay=/o.json", &["/o.json"]),
            ("-pgo=a/b.pprof", &["a/b.pprof"]),
            ("-tags=a", &[]),
            ("-race", &[]),
        ] {
            let expected: Vec<PathBuf> = expected.iter().map(|name| directory.join(name)).collect();
            assert_eq!(
                flag_files(&[flag.to_owned()], directory),
                expected,
                "{flag}"
            );
        }
    }

    #[test]
    fn a_package_outside_the_repository_counts_as_changed() {
        let expected = "m/app m/kit m/lib r/far x/between";
        assert_eq!(tested(LISTED, "/w", &[]), expected);
    }

    #[test]
    fn a_package_that_cannot_be_loaded_counts_as_changed() {
        let expected = "m/bad m/missing m/other m/user";
        assert_eq!(tested(UNLOADED, "/", &[]), expected);
        let changed = ["/w/missing/missing.go"];
        assert_eq!(tested(UNLOADED, "/", &changed), format!("m {expected}"));
    }
}
