//! The test cases of a package.

use crate::sandbox::project_spec::{RunOrIgnore, TestContainer};
use maelstrom_model::framework::FrameworkHost;
use maelstrom_model::job::{IgnoredTest, TestCase, TestKey};

use super::discovery::{GoDiscovery, NamedPackage};
use super::jobs::GoBinaryJobs;
use super::overrides;
use super::packages::ARTIFACT;
use super::run_pattern::RunPattern;
use super::test_choice::{TestChoice, choose};

impl<H: FrameworkHost> GoDiscovery<'_, H> {
    /// Returns the test case of a test, if the test is selected.
    pub(super) fn test(
        &mut self,
        package: &NamedPackage,
        jobs: &GoBinaryJobs,
        given: Option<&TestContainer>,
        name: String,
    ) -> Option<TestCase> {
        let settings = self.project.settings;
        let wanted = overrides::is_wanted(&self.project, &package.package, &name);
        match choose(settings, &name).filter(|_| wanted) {
            Some(choice) => {
                let own = given.map(|given| jobs.with(given));
                let jobs = own.as_ref().unwrap_or(jobs);
                let skip = settings.skip.as_ref().map(RunPattern::as_written);
                let job = match choice {
                    TestChoice::Test(run) => jobs.test(&run, skip),
                    TestChoice::Benchmark(bench) => jobs.benchmark(&bench, skip),
                    TestChoice::Fuzz => jobs.fuzz(&name),
                };
                let mut case = TestCase {
                    title: format!("{} {name}", package.import_path),
                    key: TestKey {
                        package: package.import_path.clone(),
                        artifact: ARTIFACT.into(),
                        name,
                    },
                    ignored: given.and_then(|given| match given.attention {
                        RunOrIgnore::Run => None,
                        RunOrIgnore::Ignore => Some(IgnoredTest { reason: None }),
                    }),
                    job,
                    policy: Default::default(),
                    known: given.and_then(|given| given.unavailable.as_deref().cloned()),
                };
                let said = given.map(|given| &*given.policy);
                self.project.policies.apply(&mut case, said);
                Some(case)
            }
            None => {
                self.deselected = self.deselected.saturating_add(1);
                None
            }
        }
    }
}
