//! Chooses which of the listed tests run, and as what: as a test, a benchmark, or the fuzz test that is
//! fuzzed.

use super::listing::{ListedKinds, is_benchmark};
use super::options::{GoAction, GoSettings};
use super::run_pattern::{RunPattern, exactly};
use crate::options::EventStreamFormat;

/// What a listed test runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TestChoice {
    /// As a test; the pattern selects its parts.
    Test(String),
    /// As a benchmark; the pattern selects its parts.
    Benchmark(String),
    Fuzz,
}

/// Returns which kinds of tests are taken from the lists of test binaries.
pub(super) fn listed_kinds(settings: &GoSettings) -> ListedKinds {
    match settings.bench.is_some() || is_gos_list(settings) {
        true => ListedKinds::TestsAndBenchmarks,
        false => ListedKinds::Tests,
    }
}

/// Returns what a test runs as; `None` if it is not selected.
pub(super) fn choose(settings: &GoSettings, name: &str) -> Option<TestChoice> {
    let skip = settings.skip.as_ref();
    if skip.is_some_and(|skip| skip.leaves_out(name)) {
        return None;
    }
    if is_benchmark(name) && !is_gos_list(settings) {
        let bench = settings.bench.as_ref()?.selecting(name)?;
        return Some(TestChoice::Benchmark(bench));
    }
    if is_fuzzed(settings, name) {
        return Some(TestChoice::Fuzz);
    }
    let run = match &settings.run {
        Some(pattern) => pattern.selecting(name)?,
        None => exactly(name),
    };
    Some(TestChoice::Test(run))
}

/// Returns the tests that `-fuzz` matches; `None` if nothing is to be fuzzed.
pub(super) fn fuzz_tests(settings: &GoSettings, names: &[String]) -> Option<Vec<String>> {
    settings.fuzz.as_ref()?;
    let names = names.iter().filter(|name| is_fuzzed(settings, name));
    Some(names.cloned().collect())
}

fn is_fuzzed(settings: &GoSettings, name: &str) -> bool {
    let matches = |pattern: &RunPattern| pattern.selecting(name).is_some();
    name.starts_with("Fuzz") && settings.fuzz.as_ref().is_some_and(matches)
}

/// Returns whether this is `-list REGEXP`, whose expression also selects benchmarks.
fn is_gos_list(settings: &GoSettings) -> bool {
    let is_streamed = match settings.common.stream {
        Some(EventStreamFormat::GoList | EventStreamFormat::Test2Json) => true,
        Some(EventStreamFormat::LibtestJson | EventStreamFormat::LibtestJsonPlus) | None => false,
    };
    settings.goal == GoAction::ListTests && is_streamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::options::GoOptions;
    use std::ffi::OsString;
    use std::num::NonZeroU32;

    fn choices(line: &str) -> Vec<String> {
        let words = format!("x {line}");
        let words = words.split_whitespace().map(OsString::from);
        let options = GoOptions::read(words).unwrap();
        let settings = options.resolve(NonZeroU32::MIN).unwrap();
        let all = ["TestA", "BenchmarkA", "BenchmarkB", "FuzzA", "ExampleA"];
        let kinds = listed_kinds(&settings);
        let listed = all
            .iter()
            .filter(|name| kinds == ListedKinds::TestsAndBenchmarks || !is_benchmark(name));
        let chosen = listed.filter_map(|name| match choose(&settings, name)? {
            TestChoice::Test(run) => Some(format!("run {run}")),
            TestChoice::Benchmark(bench) => Some(format!("bench {bench}")),
            TestChoice::Fuzz => Some(format!("fuzz {name}")),
        });
        chosen.collect()
    }

    #[test]
    fn each_flag_chooses_its_kind_of_test() {
        let tests = ["run ^TestA$", "run ^FuzzA$", "run ^ExampleA$"];
        assert_eq!(choices(""), tests);
        assert_eq!(choices("-run=^$ -bench=rkB/x"), ["bench ^BenchmarkB$/x"]);
        assert_eq!(
            choices("-run=TestA -bench=. -skip=rkB"),
            ["run ^TestA$", "bench ^BenchmarkA$"]
        );
        assert_eq!(choices("-fuzz=A -run=TestA"), ["run ^TestA$", "fuzz FuzzA"]);
        assert_eq!(choices("-list=A").len(), 4);
        assert_eq!(choices("--list"), tests);
    }
}
