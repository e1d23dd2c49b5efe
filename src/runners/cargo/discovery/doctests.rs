//! Turns the doctests that rustdoc has compiled into tests and their jobs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_metadata::camino::Utf8PathBuf;

use super::{CargoDiscovery, PendingTests};
use crate::cargo::cases::TestNaming;
use crate::cargo::doctests::captured::{CapturedDoctest, CapturedLibrary, CapturedResult};
use crate::cargo::doctests::of_error;
use crate::cargo::error::CargoError;
use crate::cargo::jobs::CargoBinaryJobs;
use crate::cargo::listed::{LibraryDoctests, ListingStage};
use crate::cargo::listing::{BinaryListing, IgnoreStatus, ListedTest};
use crate::cargo::metadata::CargoPackage;
use crate::cargo::notices;
use crate::cargo::options::{CargoAction, IgnoredTests};
use crate::cargo::output_directory::output_directory;
use crate::cargo::overrides::{self, explain, override_jobs};
use crate::cargo::selection::SelectionOutcome;
use crate::cargo::target::{PackageTarget, TestBinary, TestHarness};
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::RunOrIgnore;
use maelstrom_engine::libraries::ElfError;
use maelstrom_model::error::help_of;
use maelstrom_model::event::EventKind;
use maelstrom_model::framework::FrameworkHost;
use maelstrom_model::job::{ContainerSpec, IgnoredTest, TestCase};
use maelstrom_model::job::{KnownResult, KnownVerdict};

/// A default container of doctests, and the same without the toolbox if it is needed.
type DoctestContainers = (Arc<ContainerSpec>, Option<Arc<ContainerSpec>>);

impl<'a, H: FrameworkHost> CargoDiscovery<'a, H> {
    /// Processes the doctests of a library, which are described in a file.
    pub(super) fn library_doctests(&mut self, file: &Path) -> Result<(), CargoError> {
        let captured = CapturedLibrary::read(file)?;
        let mut packages = self.project.workspace.packages.iter();
        let directory = &captured.package_directory;
        let package = packages.find(|package| package.directory() == directory.as_path());
        let Some((package, target)) = package.and_then(|package| {
            let target = package.doctests()?;
            Some((package.clone(), target))
        }) else {
            let notice = notices::foreign_doctests(directory);
            self.host.emit(EventKind::Notice(notice));
            return Ok(());
        };
        self.deselected = self.deselected.saturating_add(captured.filtered_out);
        if !captured.problems.is_empty() {
            self.doctests_broken = true;
            let naming = TestNaming::new(&package, &target);
            let message = format!("doctests are missing: {}", captured.problems.join("; "));
            self.broken(naming.broken(message, None));
        }
        self.equip_doctests(package, target, captured.doctests)
    }

    /// Returns whether some doctests could not be compiled or told apart, and an entry says so.
    pub fn has_broken_doctests(&self) -> bool {
        self.doctests_broken
    }

    /// Starts preparing the containers of doctests.
    fn equip_doctests(
        &mut self,
        package: Arc<CargoPackage>,
        target: PackageTarget,
        doctests: Vec<CapturedDoctest>,
    ) -> Result<(), CargoError> {
        let programs: BTreeSet<PathBuf> = doctests
            .iter()
            .filter_map(|doctest| doctest.program().map(Path::to_owned))
            .collect();
        let programs: Vec<PathBuf> = programs.into_iter().collect();
        let binary = |executable: Utf8PathBuf| TestBinary {
            target: target.clone(),
            harness: TestHarness::Own,
            executable,
        };
        let workspace = self.project.workspace;
        let below = output_directory(&self.project.settings.build);
        let place = workspace.build_directory.join(below).join("deps/doctest");
        let place = binary(place);
        let (environment, needed) = self.doctest_needs(&package, &place, &programs);
        let found = needed.as_ref().cloned().unwrap_or_default();
        let elsewhere = self.elsewhere(found, &environment);
        let (container, without_toolbox) = match self.doctest_containers(needed, elsewhere)? {
            Ok(containers) => containers,
            Err(error) => {
                let message = format!(
                    "its doctests can't be run without the toolbox: {error}; {}",
                    help_of(&error).unwrap_or_default()
                );
                let entry = TestNaming::new(&package, &target).broken(message, None);
                self.broken(entry);
                return Ok(());
            }
        };
        let project = self.project;
        let jobs = |binary: &TestBinary| {
            let (container, environment) = (container.clone(), environment.clone());
            CargoBinaryJobs::new(&project, container, &package, binary, environment)
        };
        let of_programs = programs.into_iter().filter_map(|path| {
            let binary = binary(Utf8PathBuf::from_path_buf(path.clone()).ok()?);
            Some((path, (jobs(&binary), binary)))
        });
        let of_programs: BTreeMap<PathBuf, (CargoBinaryJobs, TestBinary)> = of_programs.collect();
        let standard = jobs(&place);
        let (host, goal) = (self.host, project.settings.goal);
        self.listings.push(Box::pin(async move {
            if goal == CargoAction::Explain {
                let all = listing(doctests.iter());
                explain(project, &package, &place, &all)?;
            }
            let mut given = HashMap::new();
            if goal == CargoAction::Run && project.specified.is_some() {
                for (path, (jobs, binary)) in &of_programs {
                    let own = doctests
                        .iter()
                        .filter(|doctest| doctest.program() == Some(path));
                    let default = jobs.standard(binary, without_toolbox.clone());
                    let own = listing(own);
                    given.extend(
                        override_jobs(project, host, &package, binary, jobs, &default, &own)
                            .await?,
                    );
                }
            }
            let jobs = of_programs.into_iter();
            Ok(ListingStage::Doctests(Box::new(LibraryDoctests {
                package,
                target,
                doctests,
                jobs: jobs.map(|(path, (jobs, _))| (path, jobs)).collect(),
                standard,
                given,
            })))
        }));
        Ok(())
    }

    /// Returns the containers of doctests that need these libraries. The inner error is that the
    /// libraries cannot be found, and that some doctest sees no others.
    fn doctest_containers(
        &mut self,
        needed: Result<BTreeSet<PathBuf>, ElfError>,
        elsewhere: BTreeSet<PathBuf>,
    ) -> Result<Result<DoctestContainers, ElfError>, CargoError> {
        let (project, toolbox) = (self.project, self.project.settings.toolbox);
        let bare = match (toolbox, needed) {
            (Toolbox::Present, _) if !self.some_want_no_toolbox() => None,
            (Toolbox::Present | Toolbox::Absent, Ok(needed)) => {
                Some(self.containers.get(&project, Toolbox::Absent, needed)?)
            }
            (Toolbox::Present | Toolbox::Absent, Err(error)) => return Ok(Err(error)),
        };
        match (toolbox, bare) {
            (Toolbox::Absent, Some(bare)) => Ok(Ok((bare, None))),
            (Toolbox::Present | Toolbox::Absent, bare) => {
                let full = self.containers.get(&project, toolbox, elsewhere)?;
                Ok(Ok((full, bare)))
            }
        }
    }

    /// Hands over the doctests of a library.
    pub(super) fn take_doctests(&mut self, library: LibraryDoctests) {
        let naming = TestNaming::new(&library.package, &library.target);
        for doctest in &library.doctests {
            let Some(test) = self.doctest(&library, &naming, doctest) else {
                self.deselected = self.deselected.saturating_add(1);
                continue;
            };
            self.selected += 1;
            self.running += usize::from(test.ignored.is_none());
            let program = doctest.program().map(Path::to_owned);
            let program = program.and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
            self.held.push(PendingTests {
                package: library.package.metadata.id.clone(),
                kind: library.target.kind,
                executable: program.unwrap_or_default(),
                tests: vec![test],
            });
        }
        self.release();
    }

    /// Returns the test case of a doctest, or `None` if it is not selected.
    fn doctest(
        &self,
        library: &LibraryDoctests,
        naming: &TestNaming,
        doctest: &CapturedDoctest,
    ) -> Option<TestCase> {
        let project = self.project;
        let attention = match (&doctest.result, project.settings.ignored) {
            // rustdoc has compiled only what its author ignores.
            (CapturedResult::Ignored { .. }, _) | (_, IgnoredTests::Only) => IgnoreStatus::Ignored,
            (_, IgnoredTests::Report | IgnoredTests::Run) => IgnoreStatus::Wanted,
        };
        let (package, target) = (&library.package, &library.target);
        let outcome = project.wanted.doctest(package, target, doctest, attention);
        let name = doctest.shown_name();
        let own = library.given.get(&name);
        let outcome = overrides::verdict(&project, (package, target, &name), own, outcome);
        if outcome == SelectionOutcome::Deselect {
            return None;
        }
        let said = overrides::said(&project, (package, target, &name), own);
        let unignored = own.is_none_or(|own| own.attention == RunOrIgnore::Run);
        let jobs = match (own, doctest.program()) {
            (Some(own), _) => &own.jobs,
            (None, Some(program)) => library.jobs.get(program)?,
            (None, None) => &library.standard,
        };
        let (number, ignored, known) = match &doctest.result {
            CapturedResult::Runs(program) => (program.number, None, None),
            CapturedResult::Ignored { reason } => {
                let reason = reason.clone();
                (None, Some(IgnoredTest { reason }), None)
            }
            CapturedResult::Passed => (None, None, Some(passed())),
            CapturedResult::Failed { output } => {
                let root = project.workspace.root.as_std_path();
                let directory = &project.invocation.directory;
                let known = KnownResult {
                    verdict: KnownVerdict::Failed {
                        reason: reason(output),
                    },
                    output: output.clone().into_bytes(),
                    location: of_error(&doctest.name, output, root, directory),
                };
                (None, None, Some(known))
            }
        };
        let unavailable = own.and_then(|own| own.unavailable.as_deref());
        let known = known.or_else(|| unavailable.cloned());
        let ignored = ignored.or((!unignored).then_some(IgnoredTest { reason: None }));
        let mut case = naming.doctest(name, jobs.doctest(number), ignored, known);
        project.policies.apply(&mut case, Some(&said));
        if let CapturedResult::Runs(program) = &doctest.result {
            project.doctests.note(case.key.clone(), program.passes);
        }
        Some(case)
    }
}

/// Returns doctests as the list of a binary's tests.
fn listing<'d>(doctests: impl Iterator<Item = &'d CapturedDoctest>) -> BinaryListing {
    let tests = doctests.map(|doctest| ListedTest {
        name: doctest.shown_name(),
        attention: IgnoreStatus::Wanted,
        count: 1,
    });
    BinaryListing::Tests(tests.collect())
}

fn passed() -> KnownResult {
    KnownResult {
        verdict: KnownVerdict::Passed,
        output: Vec::new(),
        location: None,
    }
}

/// Returns the reason why a doctest failed without being run: the last line that rustdoc prints.
fn reason(output: &str) -> String {
    let last = output.lines().last().unwrap_or_default();
    match last.trim_end_matches('.') {
        "Couldn't compile the test" | "" => "it does not compile".to_owned(),
        other => other.to_owned(),
    }
}
