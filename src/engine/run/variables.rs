//! The environment variables that tell a test about itself. Pure.
//!
//! They are added when a job is submitted, so that all tests of a binary share one environment
//! until then. What is the same in every run is always there. What differs from run to run, such as
//! the run's id, is there only on request: a test that depends on it cannot be repeated.

use std::ffi::OsString;

use maelstrom_model::ids::RunId;
use maelstrom_model::job::{Job, TestKey};
use maelstrom_model::policy::TestVariableSet;

/// The value of `NEXTEST_TEST_GROUP` for tests in no group.
const NO_GROUP: &str = "@global";

/// Adds the variables of a test to its job. `run` is the run's id, if tests get to know it.
pub fn add(job: &mut Job, key: &TestKey, run: Option<RunId>) {
    let needs = &mut job.needs;
    let group = needs.group.as_ref().map(|group| &*group.name);
    let mut own: Vec<(OsString, OsString)> = Vec::new();
    // A name with a NUL byte cannot be the value of a variable.
    let mut set = |name: &str, value: &str| {
        if !value.contains('\0') {
            own.push((name.into(), value.into()));
        }
    };
    match needs.test_variables {
        TestVariableSet::None => return,
        TestVariableSet::Own | TestVariableSet::WithNextest => {}
    }
    set("MAELSTROM_TEST_NAME", &key.name);
    if let Some(group) = group {
        set("MAELSTROM_TEST_GROUP", group);
    }
    if let Some(run) = run {
        set("MAELSTROM_TEST_RUN", &run.to_string());
    }
    match needs.test_variables {
        TestVariableSet::None | TestVariableSet::Own => {}
        TestVariableSet::WithNextest => {
            set("NEXTEST_TEST_NAME", &key.name);
            set("NEXTEST_TEST_GROUP", group.unwrap_or(NO_GROUP));
            if let Some(run) = run {
                set("NEXTEST_RUN_ID", &uuid(run));
            }
        }
    }
    needs.own_variables.append(&mut own);
    needs.tells_slot = run.is_some();
}

/// Returns a run's id in the form of a UUID, as nextest's ids are.
fn uuid(run: RunId) -> String {
    let (high, low) = (run.0 >> 48, run.0 & 0xffff_ffff_ffff);
    format!("00000000-0000-4000-{high:04x}-{low:012x}")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use maelstrom_model::policy::{JobGroup, JobNeeds};
    use maelstrom_model::testing::job;

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
                test_variables: set,
                group,
                ..JobNeeds::default()
            },
            ..job()
        };
        add(&mut job, &key, run);
        assert_eq!(
            job.needs.tells_slot,
            run.is_some() && set != TestVariableSet::None
        );
        let pairs = job.needs.own_variables.iter();
        let lines: Vec<String> = pairs
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        lines.join(" ")
    }

    #[test]
    fn a_test_knows_its_name_and_on_request_its_run() {
        use TestVariableSet::{None as Nothing, Own, WithNextest};
        let run = Some(RunId(0x12_3456_789a_bcde_f0));
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
