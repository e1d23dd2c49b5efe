//! Lists the packages to test, with `go list`.
//!
//! An invalid package is no error here: `go test` reports it with a better message and continues
//! with the others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::past::PastTests;
use crate::sandbox::invocation::Invocation;
use maelstrom_spec::filter::{GoSubject, TestSelection};

use super::error::GoError;
use super::options::GoSettings;
use super::toolchain::GO;

/// The artifact of every Go test: a package has one test binary.
pub(super) const ARTIFACT: &str = "test";

/// The fields to query with `go list`.
const FIELDS: &str = "-json=Dir,ImportPath,Name,Module,TestGoFiles,XTestGoFiles,Imports,\
                      TestImports,XTestImports";

/// Go's import path for a package of individually named files.
const OF_FILES: &str = "command-line-arguments";

/// A Go package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub struct GoPackage {
    /// Its import path.
    pub import_path: String,
    /// Its name in the `package` clause.
    pub name: String,
    /// Its directory; empty if it has none.
    pub dir: PathBuf,
    /// Its module; `None` for packages of the standard library.
    pub module: Option<GoModule>,
    test_go_files: Vec<String>,
    #[serde(rename = "XTestGoFiles")]
    x_test_go_files: Vec<String>,
    imports: Vec<String>,
    test_imports: Vec<String>,
    #[serde(rename = "XTestImports")]
    x_test_imports: Vec<String>,
}

/// A Go module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GoModule {
    /// Its module path.
    pub path: String,
    /// Its directory; empty if it has none.
    pub dir: PathBuf,
    /// Whether it is a main module: the one in the working directory or one of the workspace.
    pub main: bool,
}

impl GoPackage {
    /// Returns whether the package has tests.
    pub fn has_tests(&self) -> bool {
        !self.test_go_files.is_empty() || !self.x_test_go_files.is_empty()
    }

    /// Returns whether it has tests in the package itself, not only in its external test package.
    pub fn has_inner_tests(&self) -> bool {
        !self.test_go_files.is_empty()
    }

    /// Returns the package's test files.
    pub fn test_files(&self) -> impl Iterator<Item = PathBuf> {
        let files = self.test_go_files.iter().chain(&self.x_test_go_files);
        files.map(|file| self.dir.join(file))
    }

    /// Returns whether the package has an import path that can be passed to Go.
    pub fn has_name(&self) -> bool {
        self.import_path != OF_FILES
    }

    /// Returns the import paths of its dependencies.
    pub fn imports(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(String::as_str)
    }

    /// Returns the import paths of its tests' dependencies.
    pub fn test_imports(&self) -> impl Iterator<Item = &str> {
        let both = self.test_imports.iter().chain(&self.x_test_imports);
        both.map(String::as_str)
    }

    /// Returns its path relative to its module.
    fn path(&self) -> &str {
        let Some(module) = &self.module else {
            return &self.import_path;
        };
        let below = self.import_path.strip_prefix(&module.path);
        below.map_or(self.import_path.as_str(), |below| {
            below.trim_start_matches('/')
        })
    }

    /// Returns whether the patterns may select tests of the package.
    pub fn is_wanted(&self, patterns: &TestSelection) -> bool {
        let package = GoSubject {
            import_path: &self.import_path,
            path: self.path(),
            name: &self.name,
            case: None,
            past: None,
        };
        patterns.evaluate(&package).possible()
    }

    /// Returns one of its tests as filter patterns see it.
    pub(super) fn subject<'a>(&'a self, case: &'a str, past: &PastTests) -> GoSubject<'a> {
        GoSubject {
            import_path: &self.import_path,
            path: self.path(),
            name: &self.name,
            case: Some(case),
            past: past.of(&self.import_path, ARTIFACT, case),
        }
    }
}

/// Runs `go list` for the packages in the settings.
pub async fn list(
    invocation: &Invocation,
    settings: &GoSettings,
) -> Result<Vec<GoPackage>, GoError> {
    let mut command = invocation.command(OsStr::new(GO));
    command
        // With `-e`, Go also lists broken packages, and does not fail.
        .args(["list", "-e", FIELDS])
        .args(&settings.build_flags)
        .arg("--")
        .args(&settings.packages);
    let output = command
        .output()
        .await
        .map_err(|source| GoError::Start { source })?;
    if !output.status.success() {
        return Err(GoError::Tool {
            command: "go list",
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    read(&output.stdout)
}

/// Parses the output of `go list`.
pub fn read(answer: &[u8]) -> Result<Vec<GoPackage>, GoError> {
    serde_json::Deserializer::from_slice(answer)
        .into_iter()
        .collect::<Result<Vec<GoPackage>, _>>()
        .map_err(|source| GoError::Form {
            command: "go list",
            source,
        })
}

/// Returns the first package with a property: the package itself, or one that it or its tests
/// import, directly or through others of these packages.
pub fn first_of<'a>(
    packages: impl Iterator<Item = &'a GoPackage>,
    package: &str,
    has: impl Fn(&str) -> bool,
) -> Option<String> {
    let packages: HashMap<&str, &GoPackage> = packages
        .map(|package| (package.import_path.as_str(), package))
        .collect();
    let mut seen = HashSet::from([package.to_owned()]);
    let mut waiting = VecDeque::from([package.to_owned()]);
    while let Some(name) = waiting.pop_front() {
        if has(&name) {
            return Some(name);
        }
        let Some(known) = packages.get(name.as_str()) else {
            continue;
        };
        // The tests' imports of a dependency do not matter.
        let of_tests = known.test_imports().filter(|_| name == package);
        for import in known.imports().chain(of_tests) {
            if seen.insert(import.to_owned()) {
                waiting.push_back(import.to_owned());
            }
        }
    }
    None
}

/// Returns the directories of the main modules and, for packages outside them, their own
/// directories.
pub fn directories(packages: &[GoPackage]) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = packages
        .iter()
        .map(|package| match &package.module {
            Some(module) if module.main => module.dir.clone(),
            Some(_) | None => package.dir.clone(),
        })
        .filter(|directory| directory != Path::new(""))
        .collect();
    directories.sort();
    directories.dedup();
    directories
}

/// Returns the directories that replace modules (`replace example.com/lib => ../lib`). They belong
/// to the project like the main modules.
pub async fn replacements(
    invocation: &Invocation,
    directories: &[PathBuf],
    workspace: Option<&Path>,
) -> Result<Vec<PathBuf>, GoError> {
    let modules = directories
        .iter()
        .map(|directory| ("mod", directory.as_path(), "go.mod"));
    let workspace = workspace.map(|directory| ("work", directory, "go.work"));
    let mut found = Vec::new();
    for (command, directory, file) in modules.chain(workspace) {
        let file = directory.join(file);
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        // Reading a file is cheaper than running Go, and few modules have replacements.
        if !text.contains("=>") {
            continue;
        }
        let mut edit = invocation.command(OsStr::new(GO));
        edit.args([command, "edit", "-json"]).arg(&file);
        let output = edit.output().await;
        let output = output.map_err(|source| GoError::Start { source })?;
        // The build reports errors in such a file with better messages.
        if output.status.success() {
            found.extend(replaced(&output.stdout, directory));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Returns the directories among the replacements that `go mod edit -json` prints.
fn replaced(answer: &[u8], base: &Path) -> Vec<PathBuf> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct GoModFile {
        replace: Option<Vec<ReplaceDirective>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct ReplaceDirective {
        new: GoModule,
    }
    let file = serde_json::from_slice(answer).unwrap_or(GoModFile { replace: None });
    let new = file
        .replace
        .into_iter()
        .flatten()
        .map(|replace| replace.new.path);
    // Go distinguishes a directory from a module by its prefix.
    new.filter(|path| path.starts_with("./") || path.starts_with("../") || path.starts_with('/'))
        .filter_map(|path| base.join(path).canonicalize().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_spec::filter::vocabulary;

    #[test]
    fn directories_are_told_from_modules_that_replace() {
        let place = tempfile::tempdir().unwrap();
        let base = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("work")).unwrap();
        std::fs::create_dir_all(base.join("lib")).unwrap();
        let answer = br#"{"Module": {"Path": "example.com/w"}, "Replace": [
            {"Old": {"Path": "example.com/lib"}, "New": {"Path": "../lib"}},
            {"Old": {"Path": "example.com/fork"}, "New": {"Path": "example.com/x", "Version": "v1"}},
            {"Old": {"Path": "example.com/gone"}, "New": {"Path": "../gone"}}]}"#;
        assert_eq!(replaced(answer, &base.join("work")), [base.join("lib")]);
        assert_eq!(
            replaced(b"{\"Replace\": null}", &base),
            [""; 0].map(PathBuf::from)
        );
        assert_eq!(replaced(b"no JSON", &base), [""; 0].map(PathBuf::from));
    }

    const ANSWER: &[u8] = br#"
{"Dir":"/w","ImportPath":"example.com/w","Name":"w",
 "Module":{"Path":"example.com/w","Dir":"/w","Main":true},"TestGoFiles":["a_test.go"]}
{"Dir":"/w/in/ner","ImportPath":"example.com/w/in/ner","Name":"main",
 "Module":{"Path":"example.com/w","Dir":"/w","Main":true},"XTestGoFiles":["b_test.go"]}
{"Dir":"/go/src/fmt","ImportPath":"fmt","Name":"fmt","Standard":true}
{"Dir":"/mod/x@v1","ImportPath":"example.com/x","Name":"x",
 "Module":{"Path":"example.com/x","Dir":"/mod/x@v1","Version":"v1"}}
{"ImportPath":"./nowhere","Error":{"Err":"no such directory"}}
"#;

    #[test]
    fn packages_know_their_place() {
        let packages = read(ANSWER).unwrap();
        let paths: Vec<&str> = packages.iter().map(GoPackage::path).collect();
        assert_eq!(paths, ["", "in/ner", "fmt", "", "./nowhere"]);
        let tested: Vec<bool> = packages.iter().map(GoPackage::has_tests).collect();
        assert_eq!(tested, [true, true, false, false, false]);
        let expected = ["/go/src/fmt", "/mod/x@v1", "/w"].map(PathBuf::from);
        assert_eq!(directories(&packages), expected);
    }

    #[test]
    fn patterns_ask_for_packages_in_all_their_names() {
        let packages = read(ANSWER).unwrap();
        let wanted = |pattern: &str| -> Vec<&str> {
            let patterns =
                TestSelection::parse(&[pattern.to_owned()], &[], &vocabulary::GO).unwrap();
            let wanted = packages.iter().filter(|p| p.is_wanted(&patterns));
            wanted.map(|package| package.import_path.as_str()).collect()
        };
        assert_eq!(
            wanted("package_path.equals(in/ner)"),
            ["example.com/w/in/ner"]
        );
        assert_eq!(
            wanted("package_name.equals(main)"),
            ["example.com/w/in/ner"]
        );
        assert_eq!(wanted("package_import_path.equals(fmt)"), ["fmt"]);
        assert_eq!(wanted("name.equals(TestA)").len(), packages.len());
    }

    #[test]
    fn what_a_package_needs_is_found_through_its_imports() {
        let answer = br#"{"ImportPath":"a","Imports":["b"],"TestImports":["t"]}
            {"ImportPath":"b","Imports":["c","fmt"],"TestImports":["u"]} {"ImportPath":"c"}"#;
        let packages = read(answer).unwrap();
        let first = |has: &[&str]| first_of(packages.iter(), "a", |name| has.contains(&name));
        assert_eq!(first(&["c", "fmt"]).as_deref(), Some("c"));
        assert_eq!(first(&["a", "t"]).as_deref(), Some("a"));
        assert_eq!(first(&["t", "c"]).as_deref(), Some("t"));
        assert_eq!(first(&["u"]), None);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        assert!(read(b"{\"Dir\":").is_err());
        assert_eq!(read(b"").unwrap(), []);
    }
}
