//! Divides the tests into parts that separate runs take, one each (`--partition`).
//!
//! A part is decided about all tests that names and patterns select, before the results of earlier
//! runs select among them ([`HistoryFilter`]). It does not depend on the order in which tests are
//! found, so the parts of several runs have each test exactly once, as long as the runs find the same
//! tests, and, for [`PartitionScheme::Time`], know the same times. By hash, each test is decided about
//! at once; otherwise the tests are held back until discovery has ended.
//!
//! Tests that share a process are divided as one, by the first of them, or by the name of their group.
//!
//! Entries in place of tests that cannot be listed belong to every part.
//!
//! [`HistoryFilter`]: super::message::HistoryFilter

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use super::ending::{count, micros};
use super::message::FoundTest;
use maelstrom_model::job::TestKey;

/// The part of the tests that a run takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPartition {
    /// The number of the part, from 1 to `parts`.
    pub part: u32,
    /// The number of parts, at least 1.
    pub parts: u32,
    pub scheme: PartitionScheme,
}

/// How tests are divided into parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionScheme {
    /// Each part takes every n-th of all tests.
    Slice,
    /// Each part takes every n-th test of each binary or file.
    Count,
    /// A hash of the test's name decides: [`name_hash`].
    Hash,
    /// All parts take about the same time, by these times of tests, which are known by their titles.
    /// All runs must have the same: the history of a machine would differ after the first of them.
    Time(BTreeMap<String, Duration>),
}

/// A partition with the tests of the current discovery.
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub(crate) partition: TestPartition,
    waiting: Vec<FoundTest>,
    /// The number of tests that were found.
    pub(crate) found: u32,
    /// The number of tests that the part has taken so far.
    pub(crate) taken: u32,
}

/// What divides the tests into parts: a test, or all tests of a group.
struct DividedTest<'a> {
    key: &'a TestKey,
    is_ignored: bool,
    /// The times of its tests, as far as they are known.
    times: Vec<Option<Duration>>,
}

impl PartitionState {
    pub(crate) fn new(partition: TestPartition) -> PartitionState {
        PartitionState {
            partition,
            waiting: Vec::new(),
            found: 0,
            taken: 0,
        }
    }

    /// Takes tests that were found, and returns those that are known to be in the part.
    pub(crate) fn take(&mut self, mut tests: Vec<FoundTest>) -> Vec<FoundTest> {
        self.found = self.found.saturating_add(count(tests.len()));
        let TestPartition { part, parts, .. } = self.partition;
        match self.partition.scheme {
            PartitionScheme::Hash => {
                tests.retain(|test| hash_of(test) % parts.max(1) == part - 1);
                self.taken = self.taken.saturating_add(count(tests.len()));
                tests
            }
            PartitionScheme::Slice | PartitionScheme::Count | PartitionScheme::Time(_) => {
                self.waiting.append(&mut tests);
                tests
            }
        }
    }

    /// Returns the tests of the part that had to wait until all were found.
    pub(crate) fn take_waiting(&mut self) -> Vec<FoundTest> {
        let tests = std::mem::take(&mut self.waiting);
        let (divided, units) = units(&tests, &self.partition.scheme);
        let places = divide(&divided, &self.partition);
        let places: Vec<u32> = units
            .into_iter()
            .map(|unit| places.get(unit).copied().unwrap_or_default())
            .collect();
        let own = self.partition.part - 1;
        let taken = tests.into_iter().zip(places);
        let taken = taken.filter(|(_, part)| *part == own);
        let taken: Vec<FoundTest> = taken.map(|(test, _)| test).collect();
        self.taken = self.taken.saturating_add(count(taken.len()));
        taken
    }

    /// Forgets all tests.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        (self.found, self.taken) = (0, 0);
    }
}

/// Returns what is divided, and for each test, which of it the test belongs to.
fn units<'a>(
    tests: &'a [FoundTest],
    scheme: &PartitionScheme,
) -> (Vec<DividedTest<'a>>, Vec<usize>) {
    let mut divided: Vec<DividedTest<'a>> = Vec::new();
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unit = |test: &'a FoundTest| {
        let FoundTest { case, group, .. } = test;
        let time = match scheme {
            PartitionScheme::Time(times) => times.get(&case.title).copied(),
            PartitionScheme::Slice | PartitionScheme::Count | PartitionScheme::Hash => None,
        };
        let is_ignored = case.ignored.is_some();
        // An ignored test does not run with its group.
        let group = group.as_deref().filter(|_| !is_ignored);
        let known = group.and_then(|group| groups.get(group).copied());
        if let Some(unit) = known.and_then(|known| divided.get_mut(known)) {
            unit.key = unit.key.min(&case.key);
            unit.times.push(time);
        }
        known.unwrap_or_else(|| {
            let new = divided.len();
            divided.push(DividedTest {
                key: &case.key,
                is_ignored,
                times: vec![time],
            });
            groups.extend(group.map(|group| (group, new)));
            new
        })
    };
    let units = tests.iter().map(&mut unit).collect();
    (divided, units)
}

/// Returns the part of each test, from 0, whatever their order.
fn divide(tests: &[DividedTest<'_>], partition: &TestPartition) -> Vec<u32> {
    let parts = partition.parts.max(1);
    let mut order: Vec<usize> = (0..tests.len()).collect();
    // Ignored tests take no time, so they are divided by themselves, after the others.
    let rank = |index: &usize| tests.get(*index).map(|test| (test.is_ignored, test.key));
    order.sort_by(|one, other| rank(one).cmp(&rank(other)));
    let mut places = vec![0; tests.len()];
    let mut put = |index: usize, part: u32| {
        if let Some(place) = places.get_mut(index) {
            *place = part;
        }
    };
    match &partition.scheme {
        // Each test is decided about when it is found.
        PartitionScheme::Hash => {}
        PartitionScheme::Slice => {
            for (index, part) in order.into_iter().zip((0..parts).cycle()) {
                put(index, part);
            }
        }
        PartitionScheme::Count => {
            let mut next: BTreeMap<(&str, &str), u32> = BTreeMap::new();
            for index in order {
                let Some(DividedTest { key, .. }) = tests.get(index) else {
                    continue;
                };
                let part = next.entry((&*key.package, &*key.artifact)).or_default();
                put(index, *part);
                *part = (*part + 1) % parts;
            }
        }
        PartitionScheme::Time(_) => {
            let (ignored, mut running): (Vec<usize>, Vec<usize>) = order
                .into_iter()
                .partition(|index| tests.get(*index).is_some_and(|test| test.is_ignored));
            let of = |index: &usize| tests.get(*index).map_or(&[][..], |test| &test.times);
            let usual_us = median(running.iter().flat_map(of).filter_map(|time| *time));
            let time_us = |index: &usize| {
                let times = of(index).iter();
                let times = times.map(|time| time.map_or(usual_us, micros));
                times.fold(0, u64::saturating_add)
            };
            // The sort is stable: tests that take the same time stay in order.
            running.sort_by_key(|index| Reverse(time_us(index)));
            let loads = (0..parts).map(|part| Reverse((0_u64, 0_u32, part)));
            let mut loads: BinaryHeap<_> = loads.collect();
            for index in running {
                // The part that has the least to do, then the one with the fewest tests.
                if let Some(Reverse((load_us, tests, part))) = loads.pop() {
                    put(index, part);
                    let load_us = load_us.saturating_add(time_us(&index));
                    loads.push(Reverse((load_us, tests + 1, part)));
                }
            }
            for (index, part) in ignored.into_iter().zip((0..parts).cycle()) {
                put(index, part);
            }
        }
    }
    places
}

/// Returns the median of these times in microseconds; 1 second if there are none.
fn median(times: impl Iterator<Item = Duration>) -> u64 {
    let mut times: Vec<u64> = times.map(micros).collect();
    times.sort_unstable();
    let middle = times.len().saturating_sub(1) / 2;
    times.get(middle).copied().unwrap_or(1_000_000)
}

/// Returns the hash that decides about a test: its own, or that of its group.
fn hash_of(test: &FoundTest) -> u32 {
    let FoundTest { case, group, .. } = test;
    match group.as_ref().filter(|_| case.ignored.is_none()) {
        None => name_hash(&case.key),
        Some(group) => name_hash(&TestKey {
            package: Arc::clone(group),
            artifact: "".into(),
            name: String::new(),
        }),
    }
}

/// Returns the hash of a test that [`PartitionScheme::Hash`] divides by. It must never change: FNV-1a
/// of 64 bits, over the package, the artifact and the name with a NUL byte after each, folded to 32
/// bits by an exclusive or.
fn name_hash(key: &TestKey) -> u32 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let parts = [&*key.package, &*key.artifact, key.name.as_str()];
    let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    #[expect(clippy::cast_possible_truncation, reason = "folded")]
    let folded = (hash ^ (hash >> 32)) as u32;
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::event::PreviousOutcome;
    use maelstrom_model::job::{IgnoredTest, TestCase};
    use maelstrom_model::testing;
    use proptest::prelude::*;

    fn test(number: u32, ms: Option<u16>) -> FoundTest {
        FoundTest {
            case: TestCase {
                key: TestKey {
                    package: format!("p{}", number % 3).into(),
                    artifact: format!("a{}(test)", number % 5).into(),
                    name: format!("t{number}"),
                },
                title: format!("p t{number}"),
                ignored: (number % 7 == 6).then_some(IgnoredTest { reason: None }),
                job: testing::job(),
                policy: Default::default(),
                known: None,
            },
            priority: None,
            history: PreviousOutcome::New,
            estimate: ms.map(|ms| Duration::from_millis(ms.into())),
            group: None,
        }
    }

    /// The titles of the tests in a part, sorted, if the tests are found in these batches.
    fn part(partition: &TestPartition, batches: &[Vec<FoundTest>]) -> Vec<String> {
        let mut state = PartitionState::new(partition.clone());
        let mut taken = Vec::new();
        for batch in batches {
            taken.extend(state.take(batch.clone()));
        }
        taken.extend(state.take_waiting());
        let mut titles: Vec<String> = taken.into_iter().map(|test| test.case.title).collect();
        titles.sort();
        titles
    }

    fn estimates(tests: &[FoundTest]) -> BTreeMap<String, Duration> {
        let tests = tests.iter();
        let known = tests.filter_map(|test| Some((test.case.title.clone(), test.estimate?)));
        known.collect()
    }

    fn scheme() -> impl Strategy<Value = PartitionScheme> {
        let times = (0_u32..40).map(|number| (format!("p t{number}"), Duration::from_secs(1)));
        prop_oneof![
            Just(PartitionScheme::Slice),
            Just(PartitionScheme::Count),
            Just(PartitionScheme::Hash),
            Just(PartitionScheme::Time(BTreeMap::new())),
            Just(PartitionScheme::Time(times.collect())),
        ]
    }

    fn tests() -> impl Strategy<Value = Vec<FoundTest>> {
        prop::collection::btree_map(0_u32..1_000, prop::option::of(1_u16..5_000), 0..80).prop_map(
            |tests| {
                tests
                    .into_iter()
                    .map(|(number, ms)| test(number, ms))
                    .collect()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_parts_have_each_test_once_in_whatever_order_it_is_found(
            scheme in scheme(),
            parts in 1_u32..9,
            (sorted, found) in tests().prop_flat_map(|all| {
                (Just(all.clone()), Just(all).prop_shuffle())
            }),
            size in 1_usize..40,
        ) {
            let batches: Vec<Vec<FoundTest>> = found.chunks(size).map(<[_]>::to_vec).collect();
            let mut all = Vec::new();
            for number in 1..=parts {
                let scheme = scheme.clone();
                let partition = TestPartition { part: number, parts, scheme };
                let own = part(&partition, &batches);
                prop_assert_eq!(&own, &part(&partition, std::slice::from_ref(&sorted)));
                all.extend(own);
            }
            all.sort();
            let mut whole: Vec<String> = sorted.into_iter().map(|test| test.case.title).collect();
            whole.sort();
            prop_assert_eq!(all, whole);
        }

        #[test]
        fn slices_differ_by_one_test_and_times_by_one_test_s_time(
            found in tests(),
            parts in 1_u32..9,
        ) {
            let sizes = |scheme: PartitionScheme, size: &dyn Fn(&FoundTest) -> u64| {
                let sizes = (1..=parts).map(|part| {
                    let scheme = scheme.clone();
                    let mut state = PartitionState::new(TestPartition { part, parts, scheme });
                    state.take(found.clone());
                    state.take_waiting().iter().map(size).sum::<u64>()
                });
                let sizes: Vec<u64> = sizes.collect();
                sizes.iter().max().unwrap() - sizes.iter().min().unwrap()
            };
            prop_assert!(sizes(PartitionScheme::Slice, &|_| 1) <= 1);
            let running = found.iter().filter(|test| test.case.ignored.is_none());
            let usual = median(running.clone().filter_map(|test| test.estimate));
            let time = |test: &FoundTest| match test.case.ignored {
                Some(_) => 0,
                None => test.estimate.map_or(usual, micros),
            };
            let longest = running.map(time).max().unwrap_or(0);
            let scheme = PartitionScheme::Time(estimates(&found));
            prop_assert!(sizes(scheme, &time) <= longest);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_group_is_in_one_part(
            scheme in scheme(),
            parts in 1_u32..9,
            found in tests().prop_shuffle(),
            groups in 1_usize..9,
        ) {
            let grouped = found.iter().enumerate().map(|(index, test)| FoundTest {
                // Every third test is by itself.
                group: (index % 3 > 0).then(|| format!("g{}", index % groups).into()),
                ..test.clone()
            });
            let grouped: Vec<FoundTest> = grouped.collect();
            let mut all = 0;
            let mut places: BTreeMap<&str, u32> = BTreeMap::new();
            for number in 1..=parts {
                let scheme = scheme.clone();
                let partition = TestPartition { part: number, parts, scheme };
                let own = part(&partition, std::slice::from_ref(&grouped));
                all += own.len();
                let runs = |test: &&FoundTest| {
                    test.case.ignored.is_none() && own.contains(&test.case.title)
                };
                for group in grouped.iter().filter(runs).filter_map(|test| test.group.as_deref()) {
                    prop_assert_eq!(*places.entry(group).or_insert(number), number);
                }
            }
            prop_assert_eq!(all, grouped.len());
        }
    }

    #[test]
    fn the_hash_is_the_documented_one() {
        let hash = |package: &str, artifact: &str, name: &str| {
            name_hash(&TestKey {
                package: package.into(),
                artifact: artifact.into(),
                name: name.to_owned(),
            })
        };
        assert_eq!(hash("", "", ""), 0xb542_3daf);
        assert_eq!(hash("core", "core(library)", "tests::adds"), 0x70ef_551b);
        assert_eq!(hash("proj", "tests/test_a.py", "test_ü[1]"), 0x0d2a_301d);
    }

    #[test]
    fn count_divides_each_binary_and_time_puts_the_longest_first() {
        let titles = |scheme: PartitionScheme, tests: &[FoundTest]| {
            let parts = (1..=2).map(|number| {
                let scheme = scheme.clone();
                let partition = TestPartition {
                    part: number,
                    parts: 2,
                    scheme,
                };
                part(&partition, &[tests.to_vec()]).join(",")
            });
            parts.collect::<Vec<_>>().join(" | ")
        };
        // The tests 0 and 15 are of one binary, 1 of another.
        let of_binaries = [test(0, None), test(15, None), test(1, None)];
        assert_eq!(
            titles(PartitionScheme::Count, &of_binaries),
            "p t0,p t1 | p t15"
        );
        let timed = [
            test(0, Some(10)),
            test(1, Some(50)),
            // Counts as 20, the median.
            test(2, None),
            test(3, Some(20)),
            test(4, Some(20)),
        ];
        let by_estimate = PartitionScheme::Time(estimates(&timed));
        assert_eq!(titles(by_estimate, &timed), "p t0,p t1 | p t2,p t3,p t4");
        let known = BTreeMap::from([("p t0".to_owned(), Duration::from_secs(9))]);
        let by_file = PartitionScheme::Time(known);
        assert_eq!(titles(by_file, &timed), "p t0,p t1,p t2 | p t3,p t4");
    }
}
