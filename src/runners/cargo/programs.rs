//! Tracks which programs must be built before tests may run.
//!
//! Cargo reports a test binary as built before the programs that it runs. `cargo test` hides this,
//! since it runs nothing before everything is built. Here integration tests and benchmarks wait for
//! the programs of all packages, and other tests for those of their own package, so that no test
//! finds an outdated program or none.
//!
//! Unless targets are selected, cargo always builds examples, and it builds the programs of a
//! package that has integration tests or benchmarks. A program that cargo doesn't build after all
//! (because of a missing feature, for instance) is awaited until the build is over, which costs
//! only time.

use std::collections::{HashMap, HashSet};

use cargo_metadata::PackageId;

use super::options::TargetOptions;
use super::selection::CargoSelection;
use super::target::{PackageTarget, TargetKind};

/// The programs that are not built yet.
#[derive(Clone, Debug, Default)]
pub struct MissingPrograms {
    missing: HashMap<PackageId, HashSet<PackageTarget>>,
}

impl MissingPrograms {
    /// Returns the programs that the build may produce.
    pub fn expected(wanted: &CargoSelection, options: &TargetOptions) -> MissingPrograms {
        let mut missing = HashMap::new();
        for package in &wanted.packages {
            let targets = || {
                package
                    .metadata
                    .targets
                    .iter()
                    .map(PackageTarget::from_metadata)
            };
            let used = options.any()
                || targets()
                    .any(|target| matches!(target.kind, TargetKind::Test | TargetKind::Benchmark));
            let programs: HashSet<PackageTarget> = targets()
                .filter(|target| match target.kind {
                    TargetKind::Binary => used,
                    TargetKind::Example => true,
                    TargetKind::Library
                    | TargetKind::Test
                    | TargetKind::Benchmark
                    | TargetKind::Doctest => false,
                })
                .collect();
            if !programs.is_empty() {
                missing.insert(package.metadata.id.clone(), programs);
            }
        }
        MissingPrograms { missing }
    }

    /// Marks a program as built.
    pub fn built(&mut self, package: &PackageId, target: &PackageTarget) {
        if let Some(missing) = self.missing.get_mut(package) {
            missing.remove(target);
            if missing.is_empty() {
                self.missing.remove(package);
            }
        }
    }

    /// Marks the end of the build: no further programs will be built.
    pub fn all_built(&mut self) {
        self.missing.clear();
    }

    /// Returns whether layers may be created from build outputs: the specification file may name
    /// programs of any package.
    pub fn ready_for_layers(&self) -> bool {
        self.missing.is_empty()
    }

    /// Returns whether the tests of a package's targets of this kind may run.
    pub fn ready(&self, package: &PackageId, kind: TargetKind) -> bool {
        match kind {
            TargetKind::Test | TargetKind::Benchmark => self.missing.is_empty(),
            TargetKind::Library
            | TargetKind::Binary
            | TargetKind::Example
            | TargetKind::Doctest => !self.missing.contains_key(package),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> PackageId {
        PackageId {
            repr: name.to_owned(),
        }
    }

    fn program(name: &str, kind: TargetKind) -> PackageTarget {
        PackageTarget {
            name: name.to_owned(),
            kind,
        }
    }

    #[test]
    fn tests_wait_for_the_programs_that_they_may_run() {
        let tool = program("tool", TargetKind::Binary);
        let example = program("tool", TargetKind::Example);
        let mut programs = MissingPrograms {
            missing: HashMap::from([(id("a"), HashSet::from([tool.clone(), example.clone()]))]),
        };
        assert!(programs.ready(&id("b"), TargetKind::Library));
        assert!(!programs.ready(&id("b"), TargetKind::Test));
        assert!(!programs.ready_for_layers());
        programs.built(&id("b"), &tool);
        programs.built(&id("a"), &tool);
        assert!(!programs.ready(&id("a"), TargetKind::Library));
        programs.built(&id("a"), &example);
        assert!(programs.ready(&id("a"), TargetKind::Library));
        assert!(programs.ready(&id("b"), TargetKind::Benchmark));
        assert!(programs.ready_for_layers());
    }

    #[test]
    fn the_end_of_the_build_frees_all() {
        let tool = program("tool", TargetKind::Binary);
        let mut programs = MissingPrograms {
            missing: HashMap::from([(id("a"), HashSet::from([tool]))]),
        };
        programs.all_built();
        assert!(programs.ready(&id("a"), TargetKind::Test));
    }
}
