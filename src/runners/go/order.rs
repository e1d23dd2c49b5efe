//! Sorts packages for the build.
//!
//! Go starts a package's tests after those of the package named before it, and a package that waits
//! for its turn occupies a build step. In alphabetical order, the first package is often the one
//! that depends on all others. So packages are sorted by the number of their dependencies: those
//! with fewer can be built sooner.

use std::collections::{HashMap, HashSet};

use super::packages::GoPackage;

/// Returns the packages sorted by the number of their dependencies. The sort is stable.
pub fn by_need(packages: &[GoPackage]) -> Vec<&GoPackage> {
    let known: HashMap<&str, &GoPackage> = packages
        .iter()
        .map(|package| (package.import_path.as_str(), package))
        .collect();
    let mut ordered: Vec<(usize, &GoPackage)> = packages
        .iter()
        .map(|package| (needed(package, &known), package))
        .collect();
    ordered.sort_by_key(|(needed, _)| *needed);
    ordered.into_iter().map(|(_, package)| package).collect()
}

/// Returns the number of packages that must be compiled before this one's tests.
fn needed(package: &GoPackage, known: &HashMap<&str, &GoPackage>) -> usize {
    let mut seen = HashSet::new();
    let mut rest: Vec<&str> = vec![&package.import_path];
    rest.extend(package.test_imports());
    while let Some(name) = rest.pop() {
        let Some(needed) = known.get(name) else {
            continue;
        };
        if seen.insert(name) {
            rest.extend(needed.imports());
        }
    }
    seen.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::packages::read;

    #[test]
    fn whoever_needs_others_comes_after_them() {
        let answer = br#"
{"ImportPath":"w","Imports":["w/b","w/c","fmt"]}
{"ImportPath":"w/a","Imports":["fmt"],"XTestImports":["w"]}
{"ImportPath":"w/b","Imports":["w/c"],"TestImports":["testing"]}
{"ImportPath":"w/c","TestImports":["w/d"]}
{"ImportPath":"w/d","Imports":["w/e"]}
{"ImportPath":"w/e","Imports":["w/d"]}
{"ImportPath":"w/z"}
"#;
        let packages = read(answer).unwrap();
        let ordered: Vec<&str> = by_need(&packages)
            .into_iter()
            .map(|package| package.import_path.as_str())
            .collect();
        let expected = ["w/z", "w/b", "w/d", "w/e", "w", "w/c", "w/a"];
        assert_eq!(ordered, expected);
    }
}
