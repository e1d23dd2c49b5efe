//! Tests what directives say about how tests run, and how several sources are combined.

use std::time::Duration;

use proptest::prelude::*;

use super::{PolicyFields, PolicyResolver, PolicySetting};
use crate::tests::laws::policy;
use crate::tests::{resolve, resolver};

/// Returns the fields that a file's directives set for a test, or the error.
fn said(text: &str) -> String {
    let resolution = resolver(text).and_then(|mut resolver| resolve(&mut resolver));
    let fields = match resolution {
        Ok(resolution) => resolution.resolved.policy.shown(),
        Err(error) => return format!("{error}\n"),
    };
    let set = fields.iter().filter_map(|field| {
        let origin = field.origin.as_ref()?;
        Some(format!("{} = {}  # {origin}\n", field.name, field.value))
    });
    set.collect()
}

#[test]
fn directives_say_how_tests_run() {
    let rows = [
        "retries = 2",
        "retries = { count = 2, delay = \"1s 500ms\" }",
        "retries = { count = 2, delay = 1, jitter = true, backoff = \"fixed\" }",
        "retries = { count = 3, backoff = \"exponential\", delay = 1, max_delay = \"1m\" }",
        "retries = { backoff = \"exponential\", count = 3 }",
        "retries = { delay = 1 }",
        "retries = { count = 1, delay = 1, max_delay = 2 }",
        "retries = { count = 1, dely = 1 }",
        "retries = \"often\"",
        "flaky_result = \"fail\"",
        "flaky_result = \"flaky\"",
        "slow = 60\ntimeout = \"5m\"\ngrace = \"100ms\"\non_timeout = \"pass\"",
        "slow = \"60\"",
        "timeout = 1.5",
        "leak = \"fail\"\npriority = -3",
        "priority = 200",
        "weight = 2\nexclusive = true",
        "weight = \"all\"",
        "weight = 0",
        "weight = \"num-cpus\"",
        "test_group = \"db\"",
        "test_group = \"dbs\"",
        "test_group = \"\"",
        "devices = [\"/dev/kvm\", \"/dev/dri=4\", \"/dev/nvidia*\", \"/dev/kvm\"]",
        "devices = []",
        "devices = [\"null\"]",
        "devices = [\"/dev/pts/0\"]",
        "devices = [\"/dev/../etc/passwd\"]",
        "devices = [\"/dev/kvm=0\"]",
        "devices = \"/dev/kvm\"",
        "share = \"file\"",
        "share = \"none\"",
        "share = \"clas\"",
        "share = true",
    ];
    let table = rows.map(|row| {
        let text = format!("[test_groups.db]\nmax = 4\n[[directives]]\n{row}\n");
        format!("=== {row}\n{}", said(&text))
    });
    insta::assert_snapshot!(table.concat());
}

#[test]
fn the_last_directive_that_sets_a_field_determines_it() {
    let text = "[[directives]]\nretries = 1\nslow = 2\n\
                [[directives]]\nfilter = \"name.equals(slow)\"\nretries = 3\n\
                [[directives]]\nfilter = \"name.equals(other)\"\nretries = 4\n";
    assert_eq!(
        said(text),
        "retries = 3  # cargo-maelstrom.toml:6:1\nslow = 2  # cargo-maelstrom.toml:3:1\n"
    );
}

#[test]
fn a_file_without_containers_leaves_the_default_one() {
    use crate::{InheritedFields, ResolvedBase};
    let base = |text: &str| {
        resolve(&mut resolver(text).unwrap())
            .unwrap()
            .resolved
            .base
            .clone()
    };
    let inherited = InheritedFields::all();
    assert_eq!(
        base("[[directives]]\nretries = 1\n"),
        ResolvedBase::Default { inherited }
    );
    let described = "[[directives]]\nretries = 1\n[[directives]]\nfilter = \"none\"\nuser = 1\n";
    assert_eq!(base(described), ResolvedBase::Nothing);
}

#[test]
fn options_come_before_files_and_profiles_after_them() {
    fn seconds<T>(value: T, origin: &str) -> Option<PolicySetting<T>> {
        let origin = origin.into();
        Some(PolicySetting { value, origin })
    }
    let limit = |seconds| Some(Duration::from_secs(seconds));
    let options = PolicyFields {
        timeout: seconds(limit(1), "--timeout"),
        ..PolicyFields::default()
    };
    let base = PolicyFields {
        timeout: seconds(limit(2), "profile"),
        slow: seconds(limit(3), "profile"),
        grace: seconds(Duration::from_secs(4), "profile"),
        ..PolicyFields::default()
    };
    let resolver = PolicyResolver::new(options, base);
    let own = PolicyFields {
        timeout: seconds(limit(5), "file"),
        slow: seconds(None, "file"),
        ..PolicyFields::default()
    };
    let settled = resolver.settle(&own);
    assert_eq!(settled.timeout, limit(1));
    assert_eq!(settled.policy.slow_after, None);
    assert_eq!(settled.grace, limit(4));
    let again = resolver.settle(&own.clone()).policy;
    assert!(std::sync::Arc::ptr_eq(&settled.policy, &again));
    insta::assert_snapshot!(resolver.fields(&own).explain());
}

/// The value of each field that is set, by name: the model of [`PolicyFields`].
fn values(fields: &PolicyFields) -> Vec<(&'static str, Option<String>)> {
    let shown = fields.shown().into_iter();
    let value = |field: super::show::ShownField| field.origin.map(|_| field.value);
    shown.map(|field| (field.name, value(field))).collect()
}

proptest! {
    #[test]
    fn the_first_source_that_sets_a_field_determines_it(
        sources in prop::collection::vec(policy(), 1..5),
    ) {
        let combined = sources.iter().fold(PolicyFields::default(), PolicyFields::or);
        let models: Vec<_> = sources.iter().map(values).collect();
        for (index, (name, value)) in values(&combined).into_iter().enumerate() {
            let expected = models.iter().find_map(|model| model[index].1.clone());
            prop_assert_eq!(value, expected, "{}", name);
        }
    }
}
