//! Groups tests that run together in one pytest session: since they depend on one another, or since
//! they are to share it.
//!
//! `together.py` determines the groups during collection; `--together` and `share` add others. A group
//! whose tests get different containers is split by container. In a container with its own Python,
//! tests run one by one. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;

use crate::sharing::SharingReason;
use maelstrom_model::event::{NoticeSeverity, UserNotice};
use maelstrom_model::job::Job;
use maelstrom_model::policy::DeviceNeed;
use maelstrom_model::shared_process::TestGroupMember;
use maelstrom_spec::filter::TestPattern;
use maelstrom_spec::policy::ShareScope;
use maelstrom_spec::policy::words::share_word;

use super::collection::{PytestItem, TestGroup};
use super::divider::MarkerProtocol;
use super::overrides::{self, PytestOverride, PythonSource};

/// The maximum length of an argument. The kernel's limit is 128 KiB (`MAX_ARG_STRLEN`).
const WORD_BYTES_MAX: usize = 100_000;

/// The tests that run together in one session.
#[derive(Clone, Debug)]
pub struct GroupSession<'a> {
    /// The indices of its tests among the selected tests.
    pub members: Vec<usize>,
    /// Arguments that identify its tests.
    pub words: Vec<String>,
    /// One test of each file to collect; empty if the whole session has to be collected.
    pub files: Vec<&'a PytestItem>,
    /// Its name, which is unique in the run, and the same in each run of the same tests.
    pub name: Arc<str>,
    /// Whether the project wants the tests to share it.
    pub is_chosen: bool,
}

/// A test that runs in a session with others.
pub struct GroupedTest {
    pub(super) job: Job,
    pub(super) member: TestGroupMember,
    pub(super) reason: SharingReason,
}

impl GroupSession<'_> {
    /// Returns the backend's description of one of its tests.
    pub fn member(&self, index: usize, title: &str) -> TestGroupMember {
        TestGroupMember {
            group: Arc::clone(&self.name),
            name: part(index),
            title: title.to_owned(),
            protocol: Arc::new(MarkerProtocol),
        }
    }
}

fn part(index: usize) -> String {
    index.to_string()
}

/// Makes the tests that a pattern selects one group, including all tests of the groups that they
/// are already in.
pub fn mark(tests: &mut [PytestItem], patterns: &[(String, TestPattern)]) {
    for (number, (text, pattern)) in patterns.iter().enumerate() {
        let chosen = tests
            .iter()
            .enumerate()
            .filter(|(_, test)| pattern.evaluate(&overrides::subject(test)).possible());
        let chosen: BTreeSet<usize> = chosen.map(|(index, _)| index).collect();
        let group = TestGroup {
            name: format!("pattern {number}"),
            reason: format!("--together '{text}'"),
            whole: true,
            is_chosen: false,
        };
        join(tests, &mut [], &chosen, group);
    }
}

/// Makes tests share a session as their scopes say, each with all tests of the groups that they are
/// already in. `unwanted` are the tests that patterns do not select.
pub fn share(tests: &mut [PytestItem], unwanted: &mut [PytestItem], scopes: &[ShareScope]) {
    let mut groups: BTreeMap<(ShareScope, String), BTreeSet<usize>> = BTreeMap::new();
    for (index, (test, scope)) in tests.iter().zip(scopes).enumerate() {
        if let Some(place) = place(test, *scope) {
            groups.entry((*scope, place)).or_default().insert(index);
        }
    }
    for ((scope, place), chosen) in groups {
        let scope = share_word(scope);
        let group = TestGroup {
            name: format!("{scope} {place}"),
            reason: format!("share = \"{scope}\""),
            whole: false,
            is_chosen: true,
        };
        join(tests, unwanted, &chosen, group);
    }
}

/// Returns what the tests have in common that a test shares a session with; `None` if it has its own.
fn place(test: &PytestItem, scope: ShareScope) -> Option<String> {
    match scope {
        ShareScope::None | ShareScope::Binary => None,
        ShareScope::Class => {
            let base = test.node.split('[').next().unwrap_or_default();
            let (class, _) = base.rsplit_once("::")?;
            class.contains("::").then(|| class.to_owned())
        }
        ShareScope::File => Some(test.file.clone()),
        ShareScope::Package => {
            let directory = Path::new(&test.file).parent();
            Some(directory.unwrap_or(Path::new("")).display().to_string())
        }
    }
}

/// Makes tests one group, with all tests of the groups that they are in.
fn join(
    tests: &mut [PytestItem],
    unwanted: &mut [PytestItem],
    chosen: &BTreeSet<usize>,
    mut group: TestGroup,
) {
    let before = chosen
        .iter()
        .filter_map(|index| tests.get(*index)?.group.as_ref());
    let mut taken = BTreeSet::new();
    for before in before {
        taken.insert(before.name.clone());
        group.whole |= before.whole;
        group.is_chosen |= before.is_chosen;
    }
    let comes_along = |test: &PytestItem| {
        let before = test.group.as_ref();
        before.is_some_and(|before| taken.contains(&before.name))
    };
    for (index, test) in tests.iter_mut().enumerate() {
        if chosen.contains(&index) || comes_along(test) {
            test.group = Some(group.clone());
        }
    }
    for test in unwanted.iter_mut().filter(|test| comes_along(test)) {
        test.group = Some(group.clone());
    }
}

/// Returns the sessions of the groups. `unwanted` are the tests that patterns do not select; those
/// of the groups are part of the sessions.
pub fn sessions<'a>(
    tests: &'a [PytestItem],
    unwanted: &'a [PytestItem],
    own: &[PytestOverride],
) -> Vec<GroupSession<'a>> {
    type ContainerIdentity<'p> = (usize, usize, &'p Path, &'p [DeviceNeed]);
    let mut found: BTreeMap<(&str, ContainerIdentity<'_>), Vec<usize>> = BTreeMap::new();
    for (index, test) in tests.iter().enumerate() {
        let Some(group) = &test.group else {
            continue;
        };
        let place = match own.get(index) {
            None => (0, 0, Path::new(""), [].as_slice()),
            // It does not run.
            Some(own) if own.given.unavailable.is_some() => continue,
            // Compare addresses: tests with the same specification share a container.
            Some(own) if own.python == PythonSource::Here => (
                Arc::as_ptr(&own.given.container) as usize,
                Arc::as_ptr(&own.given.environment) as usize,
                &*own.given.working_directory,
                match &own.given.policy.devices {
                    Some(devices) => devices.value.as_slice(),
                    None => &[],
                },
            ),
            Some(_) => continue,
        };
        found.entry((&group.name, place)).or_default().push(index);
    }
    let session = |((name, _), members): ((&str, ContainerIdentity<'_>), Vec<usize>)| {
        let wanted = members.iter().filter_map(|index| tests.get(*index));
        let own_groups = wanted.clone().filter_map(|test| test.group.as_ref());
        let whole = own_groups.clone().any(|group| group.whole);
        let is_chosen = own_groups.clone().any(|group| group.is_chosen);
        let first = wanted.clone().next().map_or("", |first| &first.node);
        let others = unwanted.iter();
        let others = others.filter(|test| test.group.as_ref().is_some_and(|g| g.name == name));
        let mut files: BTreeMap<&str, &PytestItem> = BTreeMap::new();
        for test in wanted.clone().chain(others.clone()) {
            files.entry(&test.file).or_insert(test);
        }
        let parts = members.iter().map(|index| Some(part(*index)));
        let parts = wanted.zip(parts).chain(others.map(|test| (test, None)));
        let parts = parts.map(|(test, part)| json!([test.node, test.which, part]));
        GroupSession {
            words: words(&serde_json::Value::from_iter(parts)),
            files: match whole {
                true => Vec::new(),
                false => files.into_values().collect(),
            },
            name: format!("{name}: {first}").into(),
            is_chosen,
            members,
        }
    };
    found.into_iter().map(session).collect()
}

/// Returns a value compressed and encoded as arguments, after their number.
fn words(value: &serde_json::Value) -> Vec<String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let written = encoder.write_all(value.to_string().as_bytes());
    let packed = written.and_then(|()| encoder.finish()).unwrap_or_default();
    let text = BASE64.encode(&packed);
    let chunks = text.as_bytes().chunks(WORD_BYTES_MAX);
    let mut words: Vec<String> = chunks
        .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
        .collect();
    words.insert(0, words.len().to_string());
    words
}

/// Returns notices about which tests run together although nobody has chosen so, and why.
pub fn notices(tests: &[PytestItem], sessions: &[GroupSession<'_>]) -> Vec<UserNotice> {
    let mut reasons: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for session in sessions.iter().filter(|session| !session.is_chosen) {
        let mut members = session.members.iter().filter_map(|index| tests.get(*index));
        let Some(group) = members.next().and_then(|test| test.group.as_ref()) else {
            continue;
        };
        let (count, containers) = reasons.entry(&group.reason).or_default();
        *count += session.members.len();
        *containers += 1;
    }
    let said = |(reason, (count, containers)): (&str, (usize, usize))| {
        let which = match count {
            1 => "1 test runs".to_owned(),
            _ => format!("{count} tests run"),
        };
        let place = match containers {
            1 => "in one session of pytest".to_owned(),
            _ => format!("in {containers} sessions of pytest"),
        };
        UserNotice {
            severity: NoticeSeverity::Info,
            text: format!("{which} together, {place} and not each in its own container ({reason})"),
            help: None,
            in_summary: true,
        }
    };
    reasons.into_iter().map(said).collect()
}

/// Returns the working directory that all tests of a group share.
pub fn start<'a>(own: Option<&'a PytestOverride>, directory: &'a Path) -> &'a Path {
    own.map_or(directory, |own| &own.given.working_directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_spec::filter::vocabulary;

    fn test(file: &str, name: &str, group: Option<(&str, bool)>) -> PytestItem {
        PytestItem {
            node: format!("{file}::{name}"),
            nth: 0,
            which: "0,0/1".to_owned(),
            group: group.map(|(name, whole)| TestGroup {
                name: name.to_owned(),
                reason: format!("plugin {name}"),
                whole,
                is_chosen: false,
            }),
            file: file.to_owned(),
            name: name.to_owned(),
            markers: Vec::new(),
            skip: None,
            testcases: None,
            past: None,
        }
    }

    #[test]
    fn each_group_is_a_session() {
        let tests = [
            test("a.py", "one", Some(("0", false))),
            test("b.py", "two", None),
            test("a.py", "three", Some(("0", false))),
            test("c.py", "four", Some(("1", true))),
        ];
        let unwanted = [test("d.py", "five", Some(("0", false)))];
        let found = sessions(&tests, &unwanted, &[]);
        let shown = found.iter().map(|session| {
            let files: Vec<_> = session
                .files
                .iter()
                .map(|test| test.file.as_str())
                .collect();
            format!("{} {:?} {files:?}", session.name, session.members)
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                r#"0: a.py::one [0, 2] ["a.py", "d.py"]"#.to_owned(),
                "1: c.py::four [3] []".to_owned()
            ]
        );
        let texts: Vec<String> = notices(&tests, &found)
            .into_iter()
            .map(|n| n.text)
            .collect();
        assert_eq!(
            texts,
            [
                "2 tests run together, in one session of pytest and not each in its own container \
                 (plugin 0)",
                "1 test runs together, in one session of pytest and not each in its own container \
                 (plugin 1)",
            ]
        );
    }

    #[test]
    fn a_pattern_takes_whole_groups() {
        let mut tests = [
            test("a.py", "one", Some(("0", false))),
            test("b.py", "two", None),
            test("a.py", "three", Some(("0", false))),
            test("c.py", "four", None),
        ];
        let text = "name.equals(one) || name.equals(four)";
        let pattern = TestPattern::parse(text, &vocabulary::PYTEST).unwrap();
        mark(&mut tests, &[(text.to_owned(), pattern)]);
        let groups = tests.iter().map(|test| test.group.is_some());
        assert_eq!(groups.collect::<Vec<_>>(), [true, false, true, true]);
        assert_eq!(sessions(&tests, &[], &[]).len(), 1);
    }

    /// The sessions of five tests that share like this, of which the first two need each other.
    fn shared(scopes: [ShareScope; 5]) -> Vec<String> {
        let mut tests = [
            test("t/a.py", "C::one", Some(("0", false))),
            test("t/b.py", "two", Some(("0", false))),
            test("t/a.py", "C::three[x::y]", None),
            test("t/a.py", "four", None),
            test("u/c.py", "D::E::five", None),
        ];
        share(&mut tests, &mut [], &scopes);
        let sessions = sessions(&tests, &[], &[]);
        let shown = sessions.iter().map(|session| {
            let chosen = if session.is_chosen {
                "chosen"
            } else {
                "needed"
            };
            format!("{} {:?} {chosen}", session.name, session.members)
        });
        shown.collect()
    }

    #[test]
    fn tests_share_a_session_by_class_file_or_directory() {
        use ShareScope::{Binary, Class, File, None, Package};
        assert_eq!(shared([None; 5]), ["0: t/a.py::C::one [0, 1] needed"]);
        assert_eq!(shared([Binary; 5]), shared([None; 5]));
        assert_eq!(
            shared([Class; 5]),
            [
                "class t/a.py::C: t/a.py::C::one [0, 1, 2] chosen",
                "class u/c.py::D::E: u/c.py::D::E::five [4] chosen",
            ]
        );
        // The two files have tests that need each other.
        assert_eq!(
            shared([File; 5]),
            [
                "file t/b.py: t/a.py::C::one [0, 1, 2, 3] chosen",
                "file u/c.py: u/c.py::D::E::five [4] chosen",
            ]
        );
        assert_eq!(
            shared([Package; 5]),
            [
                "package t: t/a.py::C::one [0, 1, 2, 3] chosen",
                "package u: u/c.py::D::E::five [4] chosen",
            ]
        );
        assert_eq!(
            shared([None, None, File, File, None]),
            [
                "0: t/a.py::C::one [0, 1] needed",
                "file t/a.py: t/a.py::C::three[x::y] [2, 3] chosen",
            ]
        );
    }

    #[test]
    fn many_tests_take_several_words() {
        let long: Vec<String> = (0..30_000u32)
            .map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761)))
            .collect();
        let words = words(&serde_json::Value::from(long));
        assert!(words.len() > 2);
        assert_eq!(words[0], (words.len() - 1).to_string());
        assert!(words.iter().all(|word| word.len() <= WORD_BYTES_MAX));
    }
}
