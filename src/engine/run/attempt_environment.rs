//! The environment of an attempt of a test that is retried: it has the number of the attempt.
//!
//! Tests share environments, of which there may be 100,000, so equal ones are made once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

/// The variables that are always set: the number of the attempt, and the maximum number.
const OWN: [&str; 2] = ["MAELSTROM_ATTEMPT", "MAELSTROM_TOTAL_ATTEMPTS"];
/// The same in the words of nextest, for tests that have its variables.
const NEXTEST: [&str; 2] = ["NEXTEST_ATTEMPT", "NEXTEST_TOTAL_ATTEMPTS"];

type VariableMap = Arc<BTreeMap<OsString, OsString>>;

/// The environments made so far.
#[derive(Debug, Default)]
pub(super) struct AttemptEnvironments {
    /// By the address of the environment without the variables, which is kept, so that no other
    /// gets that address; and by the number of the attempt and the maximum.
    made: BTreeMap<(usize, u32, u32), (VariableMap, VariableMap)>,
}

impl AttemptEnvironments {
    /// Returns `base` with the number of an attempt, from 1, and the maximum number of attempts.
    pub(super) fn of(
        &mut self,
        base: &VariableMap,
        (number, attempts_max): (u32, u32),
    ) -> VariableMap {
        let key = (Arc::as_ptr(base).addr(), number, attempts_max);
        let make = || {
            let mut environment = BTreeMap::clone(base);
            let has_nextest = environment.keys().any(|name| name == "NEXTEST");
            let nextest = NEXTEST.iter().filter(|_| has_nextest);
            for (name, value) in OWN.iter().zip([number, attempts_max]) {
                environment.insert(name.into(), value.to_string().into());
            }
            for (name, value) in nextest.zip([number, attempts_max]) {
                environment.insert(name.into(), value.to_string().into());
            }
            (Arc::clone(base), Arc::new(environment))
        };
        Arc::clone(&self.made.entry(key).or_insert_with(make).1)
    }

    /// Drops all environments.
    pub(super) fn clear(&mut self) {
        self.made.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(names: &[&str]) -> VariableMap {
        let variable = |name: &&str| (OsString::from(name), OsString::from("1"));
        Arc::new(names.iter().map(variable).collect())
    }

    #[test]
    fn attempts_with_equal_variables_share_an_environment() {
        let (base, other) = (environment(&["A"]), environment(&["A", "NEXTEST"]));
        let mut environments = AttemptEnvironments::default();
        let first = environments.of(&base, (1, 3));
        assert!(Arc::ptr_eq(&first, &environments.of(&base, (1, 3))));
        let second = environments.of(&base, (2, 3));
        let text = |environment: &VariableMap| {
            let variables = environment.iter();
            let lines =
                variables.map(|(name, value)| format!("{}={}", name.display(), value.display()));
            lines.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            text(&second),
            "A=1 MAELSTROM_ATTEMPT=2 MAELSTROM_TOTAL_ATTEMPTS=3"
        );
        assert_eq!(
            text(&environments.of(&other, (2, 4))),
            "A=1 MAELSTROM_ATTEMPT=2 MAELSTROM_TOTAL_ATTEMPTS=4 \
             NEXTEST=1 NEXTEST_ATTEMPT=2 NEXTEST_TOTAL_ATTEMPTS=4"
        );
    }
}
