//! From a listing to tests: their names, their jobs, and what is left out.
//!
//! Pure. What is wanted is asked of the caller.

use std::sync::Arc;

use maelstrom_model::event::{Notice, Severity};
use maelstrom_model::framework::{BrokenEntry, Captured};
use maelstrom_model::job::{Ignored, Job, TestCase, TestKey};

use super::jobs::BinaryJobs;
use super::listing::{Attention, IGNORED, ListedTest, Listing, WHOLE};
use super::metadata::Package;
use super::selection::Verdict;
use super::target::{Target, Titles};

/// How the tests of one binary are called; what they have in common is shared.
#[derive(Debug)]
pub struct Naming {
    package: Arc<str>,
    artifact: Arc<str>,
    titles: Titles,
}

/// The tests of a binary.
#[derive(Debug, Default)]
pub struct Cases {
    /// Those that run or are reported as ignored.
    pub tests: Vec<TestCase>,
    /// How many others there are.
    pub deselected: u32,
    /// What the user should know about them.
    pub notices: Vec<Notice>,
}

impl Naming {
    /// The names of a target's tests.
    pub fn new(package: &Package, target: &Target) -> Naming {
        Naming {
            package: package.name().into(),
            artifact: target.to_string().into(),
            titles: Titles::new(package, target),
        }
    }

    /// The package's name and the target's, as they are in the keys of tests.
    pub fn binary(&self) -> (Arc<str>, Arc<str>) {
        (self.package.clone(), self.artifact.clone())
    }

    /// What the binary itself is called on one line.
    pub fn of_target(&self) -> String {
        self.titles.of_target()
    }

    /// What a test is called on one line.
    pub fn title(&self, name: &str) -> String {
        self.titles.of_case(name)
    }

    /// The tests in a listing.
    pub fn cases<'a>(
        &self,
        listing: Listing,
        jobs: impl Fn(&str) -> &'a BinaryJobs,
        wanted: impl Fn(&str, Attention) -> Verdict,
    ) -> Cases {
        let mut cases = Cases::default();
        match listing {
            Listing::Tests(listed) => {
                for test in listed {
                    let verdict = wanted(&test.name, test.attention);
                    self.take(&mut cases, test, verdict, |name, which| {
                        jobs(name).test(name, which)
                    });
                }
            }
            Listing::Whole => {
                let test = ListedTest {
                    name: WHOLE.to_owned(),
                    attention: Attention::Wanted,
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
        cases: &mut Cases,
        test: ListedTest,
        verdict: Verdict,
        job: impl Fn(&str, &[&str]) -> Job,
    ) {
        let (ignored, which): (_, &[&str]) = match verdict {
            Verdict::Deselect => {
                cases.deselected = cases.deselected.saturating_add(test.count);
                return;
            }
            Verdict::Run => (None, &[]),
            Verdict::RunIgnored => (None, &[IGNORED]),
            Verdict::Ignore => (Some(Ignored { reason: None }), &[]),
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
        });
    }

    /// What stands for a binary whose tests can't be told.
    pub fn broken(&self, message: String, captured: Option<Captured>) -> BrokenEntry {
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

/// Says that tests can't be told apart.
fn namesakes(count: u32, title: &str) -> Notice {
    Notice {
        severity: Severity::Warning,
        text: format!("{count} tests are all called `{title}`; they run as one"),
        help: Some("give them names of their own to see each one's outcome".to_owned()),
        in_summary: false,
    }
}
