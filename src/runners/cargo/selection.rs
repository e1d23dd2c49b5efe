//! Selects packages to build, and tests to run.
//!
//! `cargo test` and the original Maelstrom interpret `--exclude` differently: as a package next to
//! `--workspace`, or as a pattern. Here a value next to `--workspace` is a package if a workspace
//! member has that name (`*` and `?` are wildcards, as in cargo), and a pattern otherwise. Without
//! `--workspace` it is a pattern.

use std::sync::Arc;

use cargo_metadata::PackageId;
use globset::{Glob, GlobMatcher};

use crate::past::PastTests;
use maelstrom_model::event::UserNotice;
use maelstrom_spec::filter::{CargoSubject, PastResults, TestPattern, TestSelection, TruthValue};
use maelstrom_spec::filterset::{
    FiltersetPackage, FiltersetPlatform, FiltersetSubject, TestFilterset,
};

use super::build::PackageArguments;
use super::changed::ChangedPackages;
use super::doctests::captured::CapturedDoctest;
use super::error::SelectionError;
use super::filterset::{self, PackageNetwork};
use super::listing::IgnoreStatus;
use super::metadata::{CargoPackage, CargoWorkspace};
use super::options::{
    CargoSettings, IgnoredTests, NameFilter, NothingToRun, PackageChoice, VOCABULARY,
};
use super::target::{PackageTarget, TestBinary, TestHarness};

/// The packages to build and the tests to run.
#[derive(Clone, Debug)]
pub struct CargoSelection {
    /// The workspace members whose tests are run.
    pub packages: Vec<Arc<CargoPackage>>,
    /// Cargo's arguments that select these packages; `None` if there is nothing to build.
    pub arguments: Option<PackageArguments>,
    /// Values of `--exclude` that could be names of packages and match none. Cargo warns about
    /// them, too.
    pub unknown: Vec<String>,
    /// The notice about the packages that depend on changed files.
    pub(super) changed: Option<UserNotice>,
    /// Why no test runs, if there is nothing to build.
    pub(super) nothing: NothingToRun,
    choice: TestChoice,
    whole: Vec<TestPattern>,
    names: NameFilter,
    ignored: IgnoredTests,
    past: PastTests,
}

/// The tests that patterns and filtersets select.
#[derive(Clone, Debug)]
struct TestChoice {
    patterns: TestSelection,
    filtersets: Vec<TestFilterset>,
    platform: Option<FiltersetPlatform>,
    /// The members of the workspace as filtersets see them.
    network: PackageNetwork,
}

/// Whether a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionOutcome {
    Run,
    /// The test runs although it is marked as ignored.
    RunIgnored,
    /// The test does not run and is reported as ignored.
    Ignore,
    /// The test does not run and is only counted.
    Deselect,
}

impl CargoSelection {
    /// Selects packages and tests of a workspace. Returns an error if a value of `--exclude` is
    /// neither a package nor a valid pattern, or if a filterset names what does not exist.
    pub fn decide(
        settings: &CargoSettings,
        workspace: &CargoWorkspace,
    ) -> Result<CargoSelection, SelectionError> {
        let mut patterns = settings.patterns.clone();
        let mut excluded = Vec::new();
        let mut unknown = Vec::new();
        for value in &settings.exclude_undecided {
            match packages_called(value, workspace) {
                ids if ids.is_empty() => match TestPattern::parse(value, VOCABULARY) {
                    Ok(pattern) => patterns.exclude.push(pattern),
                    // Cargo only warns about an excluded package that does not exist.
                    Err(_) if is_name(value) => unknown.push(value.clone()),
                    Err(error) => return Err(error.into()),
                },
                ids => excluded.extend(ids),
            }
        }
        if !settings.filtersets.is_empty() {
            let names = filterset::names(workspace);
            for filterset in &settings.filtersets {
                filterset.check(&names)?;
            }
        }
        // Patterns select among the tests of the whole workspace.
        let all = settings.packages == PackageChoice::Default && !patterns.include.is_empty();
        let choice = TestChoice {
            patterns,
            filtersets: settings.filtersets.clone(),
            platform: settings.platform,
            network: PackageNetwork::of(workspace),
        };
        let unchosen = choice.is_everything();
        let chosen = |package: &CargoPackage| match &settings.packages {
            PackageChoice::Workspace => true,
            PackageChoice::Default => {
                all || workspace.default_members.contains(&package.metadata.id)
            }
            PackageChoice::Named(specs) => specs.iter().any(|spec| is_called(spec, package)),
        };
        let packages: Vec<Arc<CargoPackage>> = workspace
            .packages
            .iter()
            .filter(|package| {
                chosen(package)
                    && !excluded.contains(&package.metadata.id)
                    && choice.evaluate(package, None, None).possible()
            })
            .cloned()
            .collect();
        let arguments = match &settings.packages {
            // Names as given by the user may select packages outside the workspace, and cargo
            // reports mistakes in them.
            PackageChoice::Named(specs) if unchosen => Some(PackageArguments::Named(specs.clone())),
            PackageChoice::Default if unchosen => {
                (!packages.is_empty()).then_some(PackageArguments::Default)
            }
            PackageChoice::Workspace | PackageChoice::Default
                if packages.len() == workspace.packages.len() =>
            {
                (!packages.is_empty()).then_some(PackageArguments::Workspace)
            }
            PackageChoice::Named(_) | PackageChoice::Workspace | PackageChoice::Default => {
                let ids = packages.iter().map(|package| package.metadata.id.clone());
                (!packages.is_empty()).then(|| PackageArguments::Exactly(ids.collect()))
            }
        };
        Ok(CargoSelection {
            packages,
            arguments,
            unknown,
            changed: None,
            nothing: NothingToRun::LeftOut,
            choice,
            whole: settings.whole.clone(),
            names: settings.names.clone(),
            ignored: settings.ignored,
            past: PastTests::default(),
        })
    }

    /// Leaves out the packages whose tests depend on no changed file, if the settings ask for that.
    pub(super) fn leave_out_unchanged(&mut self, changed: Option<&ChangedPackages>) {
        let Some(changed) = changed else {
            return;
        };
        let total = self.packages.len();
        self.packages.retain(|package| changed.contains(package));
        let tested = self.packages.len();
        if tested < total {
            let ids = self.packages.iter();
            let ids: Vec<PackageId> = ids.map(|package| package.metadata.id.clone()).collect();
            self.arguments = (tested > 0).then_some(PackageArguments::Exactly(ids));
            self.nothing = NothingToRun::Unchanged;
        }
        self.changed = (total > 0).then(|| changed.notice((tested, total)));
    }

    /// Returns whether a pattern or a filterset is about the results of earlier runs.
    pub(super) fn asks_for_past(&self) -> bool {
        let mut sets = self.choice.filtersets.iter();
        self.choice.patterns.asks_for_past() || sets.any(TestFilterset::asks_for_past)
    }

    /// Sets the results of earlier runs.
    pub(super) fn remember(&mut self, past: PastTests) {
        self.past = past;
    }

    /// Returns a test as filter patterns see it.
    pub(super) fn subject<'a>(
        &self,
        package: &'a CargoPackage,
        target: &'a PackageTarget,
        case: &'a str,
    ) -> CargoSubject<'a> {
        CargoSubject {
            past: self.past(package, target, case),
            ..subject(package, Some(target), Some(case))
        }
    }

    fn past(
        &self,
        package: &CargoPackage,
        target: &PackageTarget,
        case: &str,
    ) -> Option<PastResults> {
        self.past.of(package.name(), &target.to_string(), case)
    }

    fn evaluate(&self, package: &CargoPackage, target: &PackageTarget, case: &str) -> TruthValue {
        let past = self.past(package, target, case);
        self.choice
            .evaluate(package, Some(target), Some((case, past)))
    }

    /// Returns whether the patterns select tests of a target.
    pub fn target(&self, package: &CargoPackage, target: &PackageTarget) -> TruthValue {
        self.choice.evaluate(package, Some(target), None)
    }

    /// Returns what a filterset needs to know, of a test as far as it is known.
    pub fn in_filtersets<R>(
        &self,
        package: &CargoPackage,
        target: Option<&PackageTarget>,
        case: Option<&str>,
        then: impl FnOnce(&FiltersetSubject<'_>) -> R,
    ) -> R {
        let known = target.zip(case);
        let past = known.and_then(|(target, case)| self.past(package, target, case));
        let case = case.map(|case| (case, past));
        self.choice.in_filtersets(package, target, case, then)
    }

    /// Returns whether a target's test binary runs as a whole.
    pub fn runs_whole(&self, package: &CargoPackage, target: &PackageTarget) -> bool {
        let subject = subject(package, Some(target), None);
        let mut patterns = self.whole.iter();
        patterns.any(|pattern| pattern.evaluate(&subject) == TruthValue::True)
    }

    /// Returns whether a test binary that runs as a whole is selected, as one test called `name`.
    /// With libtest, names select tests within the binary instead: [`NameFilter::to_arguments`].
    pub fn whole(
        &self,
        package: &CargoPackage,
        binary: &TestBinary,
        name: &str,
    ) -> SelectionOutcome {
        let target = &binary.target;
        let chosen = self.evaluate(package, target, name);
        match binary.harness {
            TestHarness::Own => self.test(package, target, name, IgnoreStatus::Wanted),
            TestHarness::Libtest if chosen.possible() => SelectionOutcome::Run,
            TestHarness::Libtest => SelectionOutcome::Deselect,
        }
    }

    /// Returns whether a test is selected.
    pub fn test(
        &self,
        package: &CargoPackage,
        target: &PackageTarget,
        name: &str,
        attention: IgnoreStatus,
    ) -> SelectionOutcome {
        let matches = self.evaluate(package, target, name);
        self.outcome(self.names.selects(name) && matches.possible(), attention)
    }

    /// Returns whether a doctest is selected. Its name may be given as it is printed, or as rustdoc
    /// compares it, without its mode.
    pub(super) fn doctest(
        &self,
        package: &CargoPackage,
        target: &PackageTarget,
        doctest: &CapturedDoctest,
        attention: IgnoreStatus,
    ) -> SelectionOutcome {
        let shown = doctest.shown_name();
        let matches = self.evaluate(package, target, &shown);
        let named = self.names.selects(&shown) || self.names.selects(&doctest.name);
        self.outcome(named && matches.possible(), attention)
    }

    fn outcome(&self, selected: bool, attention: IgnoreStatus) -> SelectionOutcome {
        if !selected {
            return SelectionOutcome::Deselect;
        }
        match (attention, self.ignored) {
            (IgnoreStatus::Wanted, IgnoredTests::Report | IgnoredTests::Run) => {
                SelectionOutcome::Run
            }
            (IgnoreStatus::Wanted, IgnoredTests::Only) => SelectionOutcome::Deselect,
            (IgnoreStatus::Ignored, IgnoredTests::Report) => SelectionOutcome::Ignore,
            (IgnoreStatus::Ignored, IgnoredTests::Only | IgnoredTests::Run) => {
                SelectionOutcome::RunIgnored
            }
        }
    }
}

impl TestChoice {
    /// Returns whether it selects all tests.
    fn is_everything(&self) -> bool {
        self.patterns.include.is_empty()
            && self.patterns.exclude.is_empty()
            && self.filtersets.is_empty()
            && self.platform.is_none()
    }

    /// Returns whether a test is selected, as far as it is known.
    fn evaluate(
        &self,
        package: &CargoPackage,
        target: Option<&PackageTarget>,
        case: Option<(&str, Option<PastResults>)>,
    ) -> TruthValue {
        let by_pattern = self.patterns.evaluate(&CargoSubject {
            past: case.and_then(|(_, past)| past),
            ..subject(package, target, case.map(|(name, _)| name))
        });
        if self.filtersets.is_empty() && self.platform.is_none() {
            return by_pattern;
        }
        let by_filterset = self.in_filtersets(package, target, case, |test| {
            let mut sets = self.filtersets.iter().map(|set| set.evaluate(test));
            let in_set = match self.filtersets.as_slice() {
                [] => TruthValue::True,
                _ => sets.by_ref().fold(TruthValue::False, TruthValue::or),
            };
            let binary = test.binary;
            let on_platform = match self.platform {
                None => TruthValue::True,
                Some(platform) => binary
                    .map(|binary| binary.kind.platform() == platform)
                    .into(),
            };
            in_set.and(on_platform)
        });
        by_pattern.and(by_filterset)
    }

    fn in_filtersets<R>(
        &self,
        package: &CargoPackage,
        target: Option<&PackageTarget>,
        case: Option<(&str, Option<PastResults>)>,
        then: impl FnOnce(&FiltersetSubject<'_>) -> R,
    ) -> R {
        let binary = target.map(|target| filterset::binary(package, target));
        let stranger;
        let network = match self.network.package(&package.metadata.id) {
            Some(known) => known,
            None => {
                stranger = FiltersetPackage::alone(package.name());
                &stranger
            }
        };
        then(&FiltersetSubject {
            package: network,
            binary,
            case: case.map(|(name, _)| name),
            past: case.and_then(|(_, past)| past),
        })
    }
}

/// Returns a test as filter patterns see it, without the results of earlier runs.
fn subject<'a>(
    package: &'a CargoPackage,
    target: Option<&'a PackageTarget>,
    case: Option<&'a str>,
) -> CargoSubject<'a> {
    CargoSubject {
        package: package.name(),
        target: target.map(PackageTarget::as_subject),
        case,
        past: None,
    }
}

/// Returns the members whose names match a value of `--exclude`.
fn packages_called(value: &str, workspace: &CargoWorkspace) -> Vec<PackageId> {
    workspace
        .packages
        .iter()
        .filter(|package| is_called(value, package))
        .map(|package| package.metadata.id.clone())
        .collect()
}

/// Returns whether a package specification matches a package: by its id, by its name with or
/// without version, or by a glob pattern for its name.
fn is_called(spec: &str, package: &CargoPackage) -> bool {
    let name = package.name();
    let version = &package.metadata.version;
    spec == name
        || spec == package.metadata.id.repr
        || spec == format!("{name}@{version}")
        || spec == format!("{name}:{version}")
        || glob(spec).is_some_and(|glob| glob.is_match(name))
}

/// Returns whether a value may be the name of a package or a glob pattern for names.
fn is_name(value: &str) -> bool {
    let of_name = |character: char| character.is_alphanumeric() || "-_@.*?[]".contains(character);
    !value.is_empty() && value.chars().all(of_name)
}

/// Compiles a value with wildcards. Returns `None` if it has none or is invalid.
fn glob(spec: &str) -> Option<GlobMatcher> {
    if !spec.contains(['*', '?', '[']) {
        return None;
    }
    Glob::new(spec).ok().map(|glob| glob.compile_matcher())
}

#[cfg(test)]
mod tests;
