//! The environment variables that tell a test about itself. Pure.
//!
//! They are added when a job is submitted, so that all tests of a binary share one environment
//! until then. What is the same in every run is always there. What differs from run to run, such as
//! the run's id, is there only on request: a test that depends on it cannot be repeated.

use std::ffi::{OsStr, OsString};

use super::ids::RunId;
use super::job::TestVariableSet;
use super::job::{Job, TestKey};

/// The value of `NEXTEST_TEST_GROUP` for tests in no group.
const NO_GROUP: &str = "@global";

/// Adds the variables of a test to its job. `run` is the run's id, if tests get to know it.
pub fn add(job: &mut Job, key: &TestKey, run: Option<RunId>) {
    let additions = &mut job.additions;
    let group = job.needs.group.as_ref().map(|group| &*group.name);
    let mut own: Vec<(OsString, OsString)> = Vec::new();
    // A name with a NUL byte cannot be the value of a variable.
    let mut set = |name: &str, value: &str| {
        if !value.contains('\0') {
            own.push((name.into(), value.into()));
        }
    };
    // A file that gives a test another environment gives it these variables, or does not.
    let has = |name: &str| job.process.environment.contains_key(OsStr::new(name));
    match additions.test_variables {
        TestVariableSet::Own | TestVariableSet::WithNextest if has("MAELSTROM") => {}
        TestVariableSet::None | TestVariableSet::Own | TestVariableSet::WithNextest => return,
    }
    set("MAELSTROM_TEST_NAME", &key.name);
    if let Some(group) = group {
        set("MAELSTROM_TEST_GROUP", group);
    }
    if let Some(run) = run {
        set("MAELSTROM_TEST_RUN", &run.to_string());
    }
    match additions.test_variables {
        TestVariableSet::WithNextest if has("NEXTEST") => {
            set("NEXTEST_TEST_NAME", &key.name);
            set("NEXTEST_TEST_GROUP", group.unwrap_or(NO_GROUP));
            if let Some(run) = run {
                set("NEXTEST_RUN_ID", &uuid(run));
            }
        }
        TestVariableSet::None | TestVariableSet::Own | TestVariableSet::WithNextest => {}
    }
    additions.own_variables.append(&mut own);
    additions.tells_slot = run.is_some();
}

/// Returns a run's id in the form of a UUID, as nextest's ids are.
fn uuid(run: RunId) -> String {
    let (high, low) = (run.0 >> 48, run.0 & 0xffff_ffff_ffff);
    format!("00000000-0000-4000-{high:04x}-{low:012x}")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use crate::job::ProcessAdditions;
    use crate::policy::{JobGroup, JobNeeds};
    use crate::testing::job;

    use super::*;

    fn told(set: TestVariableSet, group: Option<&str>, run: Option<RunId>) -> String {
        let key = TestKey {
            package: "p".into(),
            artifact: "lib".into(),
            name: "a::b".into(),
        };
        let group = group.map(|name| JobGroup {
            name: name.into(),
            jobs_max: NonZeroU32::MIN,
        });
        let mut job = Job {
            needs: JobNeeds {
                group,
                ..JobNeeds::default()
            },
            additions: ProcessAdditions {
                test_variables: set,
                ..ProcessAdditions::default()
            },
            ..job()
        };
        let process = Arc::make_mut(&mut job.process);
        let environment = Arc::make_mut(&mut process.environment);
        for name in ["MAELSTROM", "NEXTEST"] {
            environment.insert(name.into(), "1".into());
        }
        add(&mut job, &key, run);
        assert_eq!(
            job.additions.tells_slot,
            run.is_some() && set != TestVariableSet::None
        );
        let pairs = job.additions.own_variables.iter();
        let lines: Vec<String> = pairs
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        lines.join(" ")
    }

    #[test]
    fn a_test_knows_its_name_and_on_request_its_run() {
        use TestVariableSet::{None as Nothing, Own, WithNextest};
        let run = Some(RunId(0x1234_5678_9abc_def0));
        assert_eq!(told(Nothing, Some("db"), run), "");
        assert_eq!(told(Own, None, None), "MAELSTROM_TEST_NAME=a::b");
        assert_eq!(
            told(Own, Some("db"), None),
            "MAELSTROM_TEST_NAME=a::b MAELSTROM_TEST_GROUP=db"
        );
        assert_eq!(
            told(WithNextest, None, None),
            "MAELSTROM_TEST_NAME=a::b NEXTEST_TEST_NAME=a::b NEXTEST_TEST_GROUP=@global"
        );
        assert_eq!(
            told(WithNextest, Some("db"), run),
            "MAELSTROM_TEST_NAME=a::b MAELSTROM_TEST_GROUP=db MAELSTROM_TEST_RUN=123456789abcdef0 \
             NEXTEST_TEST_NAME=a::b NEXTEST_TEST_GROUP=db \
             NEXTEST_RUN_ID=00000000-0000-4000-1234-56789abcdef0"
        );
    }
}
