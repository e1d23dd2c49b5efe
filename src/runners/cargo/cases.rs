//! Turns a binary's list of tests into test cases with names and jobs.
//!
//! Pure. The caller decides which tests are selected or ignored.

use std::sync::Arc;

use maelstrom_model::event::{NoticeSeverity, UserNotice};
use maelstrom_model::framework::{BrokenEntry, CapturedOutput};
use maelstrom_model::job::KnownResult;
use maelstrom_model::job::{IgnoredTest, Job, TestCase, TestKey};

use super::jobs::CargoBinaryJobs;
use super::listing::{BinaryListing, IGNORED, IgnoreStatus, ListedTest, WHOLE};
use super::metadata::CargoPackage;
use super::selection::SelectionOutcome;
use super::target::PackageTarget;
use super::titles::TargetTitles;

/// Names the tests of one binary. The common parts of the names are shared.
#[derive(Debug)]
pub struct TestNaming {
    package: Arc<str>,
    artifact: Arc<str>,
    titles: TargetTitles,
}

/// The test cases of a binary.
#[derive(Debug, Default)]
pub struct BinaryTests {
    /// The tests that run or are reported as ignored.
    pub tests: Vec<TestCase>,
    /// The number of tests that are not selected.
    pub deselected: u32,
    /// Notices about the tests.
    pub notices: Vec<UserNotice>,
}

impl TestNaming {
    /// Returns the naming of a target's tests.
    pub fn new(package: &CargoPackage, target: &PackageTarget) -> TestNaming {
        TestNaming {
            package: package.name().into(),
            artifact: target.to_string().into(),
            titles: TargetTitles::new(package, target),
        }
    }

    /// Returns the names of the package and the target as in [`TestKey`].
    pub fn binary(&self) -> (Arc<str>, Arc<str>) {
        (self.package.clone(), self.artifact.clone())
    }

    /// Returns the title of the binary.
    pub fn of_target(&self) -> String {
        self.titles.of_target()
    }

    /// Returns the title of a test.
    pub fn title(&self, name: &str) -> String {
        self.titles.of_case(name)
    }

    /// Returns the test cases of a listing. `jobs` returns the jobs for a test's name, and `wanted`
    /// decides whether a test runs.
    pub fn cases<'a>(
        &self,
        listing: BinaryListing,
        jobs: impl Fn(&str) -> &'a CargoBinaryJobs,
        wanted: impl Fn(&str, IgnoreStatus) -> SelectionOutcome,
    ) -> BinaryTests {
        let mut cases = BinaryTests::default();
        match listing {
            BinaryListing::Tests(listed) => {
                for test in listed {
                    let verdict = wanted(&test.name, test.attention);
                    self.take(&mut cases, test, verdict, |name, which| {
                        jobs(name).test(name, which)
                    });
                }
            }
            BinaryListing::Whole => {
                let test = ListedTest {
                    name: WHOLE.to_owned(),
                    attention: IgnoreStatus::Wanted,
                    count: 1,
                };
                let verdict = wanted(&test.name, test.attention);
                self.take(&mut cases, test, verdict, |name, _| jobs(name).whole());
            }
        }
        cases
    }

    fn take(
        &self,
        cases: &mut BinaryTests,
        test: ListedTest,
        verdict: SelectionOutcome,
        job: impl Fn(&str, &[&str]) -> Job,
    ) {
        let (ignored, which): (_, &[&str]) = match verdict {
            SelectionOutcome::Deselect => {
                cases.deselected = cases.deselected.saturating_add(test.count);
                return;
            }
            SelectionOutcome::Run => (None, &[]),
            // libtest skips an ignored test even if it is named, unless it gets this argument.
            SelectionOutcome::RunIgnored => (None, &[IGNORED]),
            SelectionOutcome::Ignore => (Some(IgnoredTest { reason: None }), &[]),
        };
        let title = self.titles.of_case(&test.name);
        if test.count > 1 {
            cases.notices.push(namesakes(test.count, &title));
        }
        cases.tests.push(TestCase {
            job: job(&test.name, which),
            key: self.key(test.name),
            title,
            ignored,
            policy: Default::default(),
            known: None,
        });
    }

    /// Returns the test case of a doctest.
    pub fn doctest(
        &self,
        name: String,
        job: Job,
        ignored: Option<IgnoredTest>,
        known: Option<KnownResult>,
    ) -> TestCase {
        TestCase {
            title: self.titles.of_case(&name),
            key: self.key(name),
            ignored,
            job,
            policy: Arc::default(),
            known,
        }
    }

    /// Returns the entry for a binary whose tests cannot be listed.
    pub fn broken(&self, message: String, captured: Option<CapturedOutput>) -> BrokenEntry {
        let (stdout, stderr) = captured
            .map(|captured| (captured.stdout, captured.stderr))
            .unwrap_or_default();
        BrokenEntry {
            title: self.titles.of_target(),
            key: self.key(String::new()),
            message,
            stdout,
            stderr,
            location: None,
        }
    }

    fn key(&self, name: String) -> TestKey {
        TestKey {
            package: self.package.clone(),
            artifact: self.artifact.clone(),
            name,
        }
    }
}

/// Returns the warning that several tests have the same name.
fn namesakes(count: u32, title: &str) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: format!("{count} tests are all called `{title}`; they run as one"),
        help: Some("give them names of their own to see each one's outcome".to_owned()),
        in_summary: false,
    }
}
