//! Tests that share a container and a process by choice (`share` of a directive or a profile, and
//! `--share`): which tests a framework lets share, what a group needs, and how many tests of a round
//! have shared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use miette::Diagnostic;

use maelstrom_model::event::{NoticeSeverity, UserNotice};
use maelstrom_model::job::{TestCase, TestKey};
use maelstrom_model::shared_process::TestGroupMember;
use maelstrom_spec::policy::words::share_word;
use maelstrom_spec::policy::{PolicySetting, ShareScope};

/// Tests cannot share as the project wants it.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
pub enum SharingError {
    /// The framework has no such scope.
    #[error("{origin}: tests can't share by {}", share_word(*scope))]
    #[diagnostic(help("{}", allowed_words(allowed)))]
    Scope {
        origin: String,
        scope: ShareScope,
        /// The scopes that the framework has.
        allowed: &'static [ShareScope],
    },
    /// Arguments for test binaries change the output that tells which test runs.
    #[error("{origin}: tests can't share a process whose output has another format")]
    #[diagnostic(help(
        "leave out `--format`, `--quiet`, `--report-time` and `-Z` from the arguments for test \
         binaries, or write share = \"none\""
    ))]
    Format { origin: String },
    /// Tests of one group are in different test groups.
    #[error("`{first}` and `{second}` share a process, but are in the test groups `{}` and `{}`", groups.0, groups.1)]
    #[diagnostic(help(
        "give them the same `test_group`, or write share = \"none\" for one of them"
    ))]
    TestGroups {
        first: String,
        second: String,
        groups: (Arc<str>, Arc<str>),
    },
}

fn allowed_words(allowed: &[ShareScope]) -> String {
    let words = allowed
        .iter()
        .map(|scope| format!("\"{}\"", share_word(*scope)));
    format!(
        "write {}, or \"none\"",
        words.collect::<Vec<_>>().join(", ")
    )
}

/// Returns the scope of a test's setting, if the framework has it.
pub(crate) fn scope(
    setting: Option<&PolicySetting<ShareScope>>,
    allowed: &'static [ShareScope],
) -> Result<ShareScope, SharingError> {
    let Some(PolicySetting { value, origin }) = setting else {
        return Ok(ShareScope::None);
    };
    match *value {
        ShareScope::None => Ok(ShareScope::None),
        scope if allowed.contains(&scope) => Ok(scope),
        scope => Err(SharingError::Scope {
            origin: origin.to_string(),
            scope,
            allowed,
        }),
    }
}

/// Gives the jobs of each group what its tests need together: the sum of their time limits, the
/// longest grace period, and [`JobNeeds::include`]. A group with a test without a limit has none.
///
/// [`JobNeeds::include`]: maelstrom_model::policy::JobNeeds::include
pub(crate) fn combine_needs<'a>(
    cases: impl IntoIterator<Item = &'a mut TestCase>,
    member: impl Fn(&TestKey) -> Option<TestGroupMember>,
) -> Result<(), SharingError> {
    let mut groups: BTreeMap<Arc<str>, Vec<&mut TestCase>> = BTreeMap::new();
    for case in cases {
        if let (Some(member), None) = (member(&case.key), &case.ignored) {
            groups.entry(member.group).or_default().push(case);
        }
    }
    for cases in groups.values_mut() {
        let Some((first, others)) = cases.split_first() else {
            continue;
        };
        let mut needs = first.job.needs.clone();
        let mut timeout = first.job.timeout;
        let mut grace = first.job.grace;
        let mut grouped = &**first;
        for other in others {
            if let (Some(group), Some(another)) = (&needs.group, &other.job.needs.group)
                && group.name != another.name
            {
                return Err(SharingError::TestGroups {
                    first: grouped.title.clone(),
                    second: other.title.clone(),
                    groups: (Arc::clone(&group.name), Arc::clone(&another.name)),
                });
            }
            if needs.group.is_none() {
                grouped = other;
            }
            needs.include(&other.job.needs);
            timeout = timeout
                .zip(other.job.timeout)
                .map(|(sum, one)| sum.saturating_add(one));
            grace = grace.max(other.job.grace);
        }
        for case in cases {
            case.job.needs = needs.clone();
            case.job.timeout = timeout;
            case.job.grace = grace;
        }
    }
    Ok(())
}

/// Who decided that a test shares a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SharingReason {
    /// The project, by `share`.
    Chosen,
    /// The framework, because the test needs others.
    Needed,
}

/// The tests that share a process, and those of a round that have run.
#[derive(Debug, Default)]
pub(crate) struct SharedTests(Mutex<SharedState>);

#[derive(Debug, Default)]
struct SharedState {
    members: HashMap<TestKey, (TestGroupMember, SharingReason)>,
    /// The tests of the round that shared by choice, with their groups.
    ran: BTreeSet<(TestKey, Arc<str>)>,
}

impl SharedTests {
    fn state(&self) -> MutexGuard<'_, SharedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all tests, at the beginning of a discovery.
    pub(crate) fn forget(&self) {
        self.state().members.clear();
    }

    /// Adds a test.
    pub(crate) fn add(&self, test: TestKey, member: TestGroupMember, reason: SharingReason) {
        self.state().members.insert(test, (member, reason));
    }

    /// Returns the group of a test, if it shares a process.
    pub(crate) fn member(&self, test: &TestKey) -> Option<TestGroupMember> {
        let state = self.state();
        state.members.get(test).map(|(member, _)| member.clone())
    }

    /// Notes that an attempt of a test begins.
    pub(crate) fn attempt_begins(&self, test: &TestKey) {
        let state = &mut *self.state();
        if let Some((member, SharingReason::Chosen)) = state.members.get(test) {
            let group = Arc::clone(&member.group);
            state.ran.insert((test.clone(), group));
        }
    }

    /// Ends a round. Returns how many tests have shared by choice, if any.
    pub(crate) fn conclusion(&self) -> Option<UserNotice> {
        let ran = std::mem::take(&mut self.state().ran);
        let groups: BTreeSet<&str> = ran.iter().map(|(_, group)| &**group).collect();
        let tests = match ran.len() {
            0 => return None,
            1 => "1 test".to_owned(),
            more => format!("{more} tests"),
        };
        let containers = match groups.len() {
            1 => "1 container".to_owned(),
            more => format!("{more} containers"),
        };
        Some(UserNotice {
            severity: NoticeSeverity::Info,
            text: format!("{tests} shared {containers}, each with one process"),
            help: None,
            in_summary: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use maelstrom_model::job::{
        ContainerSpec, Job, NetworkMode, OutputPipes, PlacementConstraint, PrivilegeLevel,
        ProcessSpec, RootKind,
    };
    use maelstrom_model::policy::JobGroup;
    use maelstrom_model::shared_process::{GroupProtocol, OutputDivider};

    use super::*;

    #[derive(Debug)]
    struct NoProtocol;

    impl GroupProtocol for NoProtocol {
        fn pipes(&self) -> OutputPipes {
            OutputPipes::Joined
        }

        fn divider(&self) -> Box<dyn OutputDivider> {
            unreachable!("nothing runs")
        }
    }

    fn key(name: &str) -> TestKey {
        TestKey {
            package: "p".into(),
            artifact: "a".into(),
            name: name.to_owned(),
        }
    }

    fn member(group: &str, name: &str) -> TestGroupMember {
        TestGroupMember {
            group: group.into(),
            name: name.to_owned(),
            title: name.to_owned(),
            protocol: Arc::new(NoProtocol),
        }
    }

    fn job() -> Job {
        Job {
            placement: PlacementConstraint::Here,
            container: Arc::new(ContainerSpec {
                root: RootKind::Skeleton(Vec::new()),
                mounts: Vec::new(),
                network: NetworkMode::Loopback,
                hostname: "localhost".into(),
                user: 0,
                group: 0,
                privileges: PrivilegeLevel::Ordinary,
                services: Vec::new(),
                devices: Vec::new(),
            }),
            process: Arc::new(ProcessSpec {
                program: std::ffi::OsStr::new("true").into(),
                arguments: Vec::new(),
                environment: Arc::default(),
                working_directory: std::path::Path::new("/").into(),
            }),
            resident: None,
            timeout: None,
            output: OutputPipes::Separate,
            grace: None,
            needs: Default::default(),
            additions: Default::default(),
        }
    }

    fn case(name: &str, timeout: Option<u64>, group: Option<&str>) -> TestCase {
        let mut job = job();
        job.timeout = timeout.map(Duration::from_secs);
        job.needs.group = group.map(|name| JobGroup {
            name: name.into(),
            jobs_max: 2.try_into().unwrap(),
        });
        TestCase {
            key: key(name),
            title: name.to_owned(),
            ignored: None,
            job,
            policy: Default::default(),
            known: None,
        }
    }

    #[test]
    fn a_scope_that_the_framework_lacks_is_an_error_with_the_others() {
        let setting = |value| PolicySetting {
            value,
            origin: "x.toml:1:1".into(),
        };
        let allowed: &[ShareScope] = &[ShareScope::Class, ShareScope::File];
        assert_eq!(scope(None, allowed), Ok(ShareScope::None));
        for value in [ShareScope::None, ShareScope::File] {
            assert_eq!(scope(Some(&setting(value)), allowed), Ok(value));
        }
        let error = scope(Some(&setting(ShareScope::Binary)), allowed).unwrap_err();
        let help = error.help().unwrap().to_string();
        insta::assert_snapshot!(format!("{error}\n{help}"), @r#"
        x.toml:1:1: tests can't share by binary
        write "class", "file", or "none"
        "#);
    }

    #[test]
    fn a_group_has_the_sum_of_its_limits_and_the_test_group_of_any_test() {
        let timeouts = |limits: [Option<u64>; 2]| {
            let mut cases = [
                case("a", limits[0], None),
                case("b", limits[1], Some("db")),
                case("alone", Some(1), None),
            ];
            let grouped = |key: &TestKey| (key.name != "alone").then(|| member("g", &key.name));
            combine_needs(&mut cases, grouped).unwrap();
            let groups = cases.iter().map(|case| case.job.needs.group.is_some());
            assert_eq!(groups.collect::<Vec<_>>(), [true, true, false]);
            cases.map(|case| case.job.timeout.map(|limit| limit.as_secs()))
        };
        assert_eq!(timeouts([Some(2), Some(3)]), [Some(5), Some(5), Some(1)]);
        assert_eq!(timeouts([Some(2), None]), [None, None, Some(1)]);
    }

    #[test]
    fn tests_of_two_test_groups_cannot_share() {
        let mut cases = [
            case("a", None, None),
            case("b", None, Some("db")),
            case("c", None, Some("network")),
        ];
        let error = combine_needs(&mut cases, |key| Some(member("g", &key.name))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`b` and `c` share a process, but are in the test groups `db` and `network`"
        );
    }

    #[test]
    fn the_tests_of_a_round_that_shared_by_choice_are_counted_once() {
        let shared = SharedTests::default();
        for (group, name) in [("g", "a"), ("g", "b"), ("h", "c"), ("h", "d")] {
            shared.add(key(name), member(group, name), SharingReason::Chosen);
        }
        shared.add(key("e"), member("i", "e"), SharingReason::Needed);
        assert_eq!(shared.conclusion(), None);
        for name in ["a", "b", "b", "c", "e", "alone"] {
            shared.attempt_begins(&key(name));
        }
        let text = |notice: UserNotice| notice.text;
        assert_eq!(
            shared.conclusion().map(text).as_deref(),
            Some("3 tests shared 2 containers, each with one process")
        );
        assert_eq!(shared.conclusion(), None);
    }
}
