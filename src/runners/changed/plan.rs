//! From changed files to the units whose tests depend on them. Pure.
//!
//! A changed file touches units, and a touched unit touches all units that depend on it, directly or
//! not. Dependencies of a unit's tests do not touch what depends on the unit.
//!
//! Invariant: more changed files never lead to fewer tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Something with tests, or that tests depend on: a package or a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectUnit {
    /// The indices of the units that it depends on.
    pub dependencies: Vec<usize>,
    /// The indices of the units that its tests alone depend on.
    pub test_dependencies: Vec<usize>,
}

/// A part of a unit, by the unit's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnitPart {
    /// All of it, and so whatever depends on it.
    Whole(usize),
    /// Its tests, on which nothing depends.
    Tests(usize),
}

/// What a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileOwner {
    /// Units, one at least.
    Units(Vec<UnitPart>),
    /// No unit, so any test may read it.
    Nobody,
    /// The whole project: it decides how everything is built or run.
    Everybody,
}

/// Why all tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WholeReason {
    /// The file belongs to no unit.
    Nobody,
    /// The file decides how everything is built or run.
    Everybody,
}

/// The units whose tests depend on changed files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChangedUnits {
    /// All of them, because this file changed.
    All(PathBuf, WholeReason),
    /// The units with these indices.
    Some(BTreeSet<usize>),
}

impl ChangedUnits {
    /// Returns whether tests of a unit depend on changed files.
    pub(crate) fn contains(&self, unit: usize) -> bool {
        match self {
            ChangedUnits::All(..) => true,
            ChangedUnits::Some(units) => units.contains(&unit),
        }
    }
}

/// Returns the units whose tests depend on changed files, or on the parts that have `touched` already.
pub(crate) fn choose<'a>(
    changed: impl IntoIterator<Item = &'a Path>,
    touched: impl IntoIterator<Item = UnitPart>,
    units: &[ProjectUnit],
    owner: impl Fn(&Path) -> FileOwner,
) -> ChangedUnits {
    let mut parts: BTreeSet<UnitPart> = touched.into_iter().collect();
    let mut unowned = None;
    for path in changed {
        match owner(path) {
            FileOwner::Units(own) => parts.extend(own),
            // The better reason, should there be both.
            FileOwner::Everybody => {
                return ChangedUnits::All(path.to_owned(), WholeReason::Everybody);
            }
            FileOwner::Nobody => {
                unowned.get_or_insert(path);
            }
        }
    }
    match unowned {
        Some(path) => ChangedUnits::All(path.to_owned(), WholeReason::Nobody),
        None => ChangedUnits::Some(reached(&parts, units)),
    }
}

/// Returns the units whose tests depend on these parts.
fn reached(parts: &BTreeSet<UnitPart>, units: &[ProjectUnit]) -> BTreeSet<usize> {
    let mut dependents = vec![Vec::new(); units.len()];
    for (index, unit) in units.iter().enumerate() {
        for dependency in &unit.dependencies {
            if let Some(dependents) = dependents.get_mut(*dependency) {
                dependents.push(index);
            }
        }
    }
    let whole = |part: &UnitPart| match part {
        UnitPart::Whole(unit) => Some(*unit),
        UnitPart::Tests(_) => None,
    };
    let mut whole_units = BTreeSet::new();
    let mut next: Vec<usize> = parts.iter().filter_map(whole).collect();
    while let Some(unit) = next.pop() {
        if whole_units.insert(unit) {
            next.extend(dependents.get(unit).into_iter().flatten());
        }
    }
    let by_tests = units.iter().enumerate().filter(|(index, unit)| {
        let mut needed = unit.test_dependencies.iter();
        parts.contains(&UnitPart::Tests(*index)) || needed.any(|unit| whole_units.contains(unit))
    });
    let by_tests: Vec<usize> = by_tests.map(|(index, _)| index).collect();
    whole_units.extend(by_tests);
    whole_units
}

/// The directories of units. A file belongs to the unit with the nearest directory above it.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnitDirectories(Vec<(PathBuf, usize)>);

impl UnitDirectories {
    /// Adds a unit's directory, which has no symbolic links.
    pub(crate) fn add(&mut self, directory: PathBuf, unit: usize) {
        self.0.push((directory, unit));
    }

    /// Returns the units to which a changed path belongs. A path that is a directory changed as a whole,
    /// so it belongs to all units below it as well.
    pub(crate) fn owners(&self, path: &Path) -> Vec<usize> {
        let above = self.0.iter().filter(|(own, _)| path.starts_with(own));
        let nearest = above.max_by_key(|(own, _)| own.components().count());
        let nearest = nearest.map(|(own, _)| own);
        let owns = |own: &PathBuf| Some(own) == nearest || own.starts_with(path);
        let owners = self.0.iter().filter(|(own, _)| owns(own));
        owners.map(|(_, unit)| *unit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(dependencies: &[usize], test_dependencies: &[usize]) -> ProjectUnit {
        ProjectUnit {
            dependencies: dependencies.to_vec(),
            test_dependencies: test_dependencies.to_vec(),
        }
    }

    /// The owner of a path such as `2/src/lib.rs` or `t2`: unit 2, or its tests.
    fn owner(path: &Path) -> FileOwner {
        let name = path.components().next();
        let name = name.map(|name| name.as_os_str().to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        match (name.parse(), name.strip_prefix('t').map(str::parse)) {
            (Ok(unit), _) => FileOwner::Units(vec![UnitPart::Whole(unit)]),
            (_, Some(Ok(unit))) => FileOwner::Units(vec![UnitPart::Tests(unit)]),
            _ if name == "lock" => FileOwner::Everybody,
            _ => FileOwner::Nobody,
        }
    }

    fn chosen(changed: &[&str], units: &[ProjectUnit]) -> ChangedUnits {
        choose(changed.iter().map(Path::new), [], units, owner)
    }

    #[test]
    fn what_depends_on_a_changed_unit_is_tested() {
        // 0 and 1 use 2, whose tests use 3; 3's tests use 0.
        let units = [
            unit(&[2], &[]),
            unit(&[2], &[]),
            unit(&[], &[3]),
            unit(&[], &[0]),
        ];
        for (changed, expected) in [
            (&[][..], &[][..]),
            (&["0/a"], &[0, 3]),
            (&["1/a"], &[1]),
            (&["2/a"], &[0, 1, 2, 3]),
            (&["3/a"], &[2, 3]),
            (&["t2"], &[2]),
            (&["t0", "1/a"], &[0, 1]),
        ] {
            let expected = ChangedUnits::Some(expected.iter().copied().collect());
            assert_eq!(chosen(changed, &units), expected, "{changed:?}");
        }
        let all = |path: &str, reason| ChangedUnits::All(path.into(), reason);
        for (changed, expected) in [
            (&["0/a", "README"][..], all("README", WholeReason::Nobody)),
            (&["README", "lock"], all("lock", WholeReason::Everybody)),
        ] {
            assert_eq!(chosen(changed, &units), expected);
        }
    }

    #[test]
    fn a_file_belongs_to_the_nearest_directory() {
        let mut directories = UnitDirectories::default();
        for (index, directory) in ["/w", "/w/a", "/w/a/b", "/w/ab", "/w/a"].iter().enumerate() {
            directories.add(directory.into(), index);
        }
        for (path, expected) in [
            ("/w/x", &[0][..]),
            ("/w/a/x", &[1, 4]),
            ("/w/a/b/x/y", &[2]),
            ("/w/ab", &[3]),
            // A directory that changed as a whole.
            ("/w/a", &[1, 2, 4]),
            ("/elsewhere", &[]),
            ("/", &[0, 1, 2, 3, 4]),
        ] {
            assert_eq!(directories.owners(Path::new(path)), expected, "{path}");
        }
    }

    /// The number of units in a random graph.
    const UNITS: usize = 8;

    /// Units that depend on any of them, themselves included.
    fn graph() -> impl Strategy<Value = Vec<ProjectUnit>> {
        let indices = || proptest::collection::vec(0..UNITS, 0..3);
        let unit =
            (indices(), indices()).prop_map(|(dependencies, test_dependencies)| ProjectUnit {
                dependencies,
                test_dependencies,
            });
        proptest::collection::vec(unit, UNITS)
    }

    fn files() -> impl Strategy<Value = Vec<String>> {
        let file = prop_oneof![
            8 => (0..UNITS).prop_map(|unit| format!("{unit}/file")),
            4 => (0..UNITS).prop_map(|unit| format!("t{unit}")),
            1 => Just("README".to_owned()),
            1 => Just("lock".to_owned()),
        ];
        proptest::collection::vec(file, 0..4)
    }

    fn of(files: &[String], units: &[ProjectUnit]) -> ChangedUnits {
        choose(files.iter().map(Path::new), [], units, owner)
    }

    proptest! {
        #[test]
        fn more_changes_never_lead_to_fewer_tests(
            units in graph(), some in files(), more in files(),
        ) {
            let before = of(&some, &units);
            let after = of(&[some, more].concat(), &units);
            for unit in 0..units.len() {
                prop_assert!(!before.contains(unit) || after.contains(unit));
            }
        }

        #[test]
        fn what_is_left_out_depends_on_nothing_changed(units in graph(), files in files()) {
            let ChangedUnits::Some(tested) = of(&files, &units) else { return Ok(()) };
            let owned = |part| {
                files.iter().any(|file| owner(Path::new(file)) == FileOwner::Units(vec![part]))
            };
            for (index, unit) in units.iter().enumerate() {
                // Everything that its tests reach, step by step.
                let mut all = BTreeSet::from([index]);
                all.extend(&unit.test_dependencies);
                for _ in &units {
                    let known: Vec<&ProjectUnit> =
                        all.iter().filter_map(|unit| units.get(*unit)).collect();
                    all.extend(known.iter().flat_map(|unit| &unit.dependencies));
                }
                let depends = owned(UnitPart::Tests(index))
                    || all.iter().any(|unit| owned(UnitPart::Whole(*unit)));
                prop_assert_eq!(depends, tested.contains(&index), "unit {}", index);
            }
        }

        #[test]
        fn the_order_of_changes_does_not_matter(units in graph(), files in files()) {
            let mut reversed = files.clone();
            reversed.reverse();
            let tested = |files: &[String]| {
                let of = of(files, &units);
                (0..units.len()).filter(|unit| of.contains(*unit)).collect::<Vec<_>>()
            };
            prop_assert_eq!(tested(&files), tested(&reversed));
        }
    }
}
