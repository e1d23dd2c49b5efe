//! Tests what the configuration of nextest means here: its documentation's examples, in other
//! words, with their effect.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::load::NextestFiles;
use super::{NextestRules, PlatformFacts};
use crate::options::profile::ProfileAnswer;
use maelstrom_model::error::help_of;
use maelstrom_spec::config::{ConfigEnvironment, ConfigError, ProjectValues};
use maelstrom_spec::document::DocumentValue;
use maelstrom_spec::filterset::{
    FiltersetBinary, FiltersetBinaryKind, FiltersetPackage, FiltersetSubject,
};

/// The files of a workspace in `/w`.
#[derive(Default)]
struct Workspace(BTreeMap<PathBuf, String>);

impl ConfigEnvironment for Workspace {
    fn variable(&self, _: &str) -> Option<OsString> {
        None
    }

    fn variable_names(&self) -> Vec<OsString> {
        Vec::new()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.0.get(path).cloned();
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Workspace {
    fn with(mut self, path: &str, text: &str) -> Workspace {
        self.0.insert(path.into(), text.to_owned());
        self
    }

    fn configured(text: &str) -> Workspace {
        Workspace::default().with("/w/.config/nextest.toml", text)
    }

    fn load(
        &self,
        profile: &str,
        tools: &[&str],
    ) -> Result<(ProjectValues, NextestRules), ConfigError> {
        let files = NextestFiles {
            root: "/w".into(),
            named: None,
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
        };
        let (values, settings) = files.load(self, profile, ProfileAnswer::default())?;
        let facts = PlatformFacts {
            host: "x86_64-unknown-linux-gnu".to_owned(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
            cfgs: "unix\ntarget_os=\"linux\"\n".to_owned(),
        };
        assert!(settings.run_extra_args.len() < 9);
        Ok((values, settings.rules(&facts)))
    }

    /// Returns the effect of a profile on the run and on some tests.
    fn effect(&self, profile: &str, tools: &[&str], tests: &[&str]) -> String {
        let (values, rules) = match self.load(profile, tools) {
            Ok(loaded) => loaded,
            Err(error) => {
                let help = help_of(&error).map(|help| format!("help: {help}\n"));
                return format!("{error}\n{}", help.unwrap_or_default());
            }
        };
        let mut lines = String::new();
        for value in values.values {
            let text = match value.field.node.value {
                DocumentValue::Text(text) => text,
                DocumentValue::Integer(number) => number.to_string(),
                other => format!("{other:?}"),
            };
            lines.push_str(&format!("--{}={text}\n", value.option.name));
        }
        for warning in values.warnings {
            lines.push_str(&format!("warning: {}\n", warning.text));
        }
        for test in tests {
            lines.push_str(&format!("{test}: {}\n", said(&rules, test)));
        }
        lines
    }
}

/// Runs a function on a test of the package `core`.
fn with_subject<R>(name: &str, then: impl FnOnce(&FiltersetSubject<'_>) -> R) -> R {
    then(&FiltersetSubject {
        package: &FiltersetPackage::alone("core"),
        binary: Some(FiltersetBinary {
            name: "core",
            kind: FiltersetBinaryKind::Library,
        }),
        case: Some(name),
        past: None,
    })
}

/// Returns what is not a default for a test, in one line.
fn said(rules: &NextestRules, test: &str) -> String {
    with_subject(test, |subject| {
        if rules.leaves_out(subject) {
            return "left out".to_owned();
        }
        let fields = rules.overridden(subject).or(&rules.base());
        let fields = fields.shown().into_iter().filter_map(|field| {
            let place = field.origin.filter(|origin| origin.contains(':'))?;
            let line = place.rsplit(':').nth(1).unwrap_or_default().to_owned();
            Some(format!("{} = {} (line {line})", field.name, field.value))
        });
        fields.collect::<Vec<_>>().join(", ")
    })
}

#[test]
fn the_examples_of_nextests_documentation_have_their_effect() {
    let rows: [(&str, &str, &str); 22] = [
        (
            "a profile for CI",
            "ci",
            "[profile.ci]\nfail-fast = false\n",
        ),
        (
            "the default profile counts, too",
            "ci",
            "[profile.default]\nretries = 1\nfail-fast = true\n[profile.ci]\ntest-threads = 4\n",
        ),
        (
            "inheritance",
            "long",
            "[profile.ci]\nfail-fast = false\nslow-timeout = \"60s\"\n\
             [profile.long]\ninherits = \"ci\"\nslow-timeout = \"5m\"\n",
        ),
        (
            "retries with a delay",
            "default",
            "[profile.default]\nretries = { backoff = \"fixed\", count = 2, delay = \"1s\" }\n",
        ),
        (
            "retries with growing delays",
            "default",
            "[profile.default]\nretries = { backoff = \"exponential\", count = 3, delay = \"1s\", \
             jitter = true, max-delay = \"10s\" }\n",
        ),
        (
            "retries of some tests, and a verdict",
            "default",
            "[[profile.default.overrides]]\nfilter = 'test(network)'\nretries = 4\n\
             flaky-result = \"fail\"\n",
        ),
        (
            "slow tests are stopped",
            "default",
            "[profile.default]\nslow-timeout = { period = \"30s\", terminate-after = 4 }\n",
        ),
        (
            "a grace period, and time that passes is a success",
            "default",
            "[profile.default]\nslow-timeout = { period = \"1s\", terminate-after = 1, \
             grace-period = \"0s\", on-timeout = \"pass\" }\n",
        ),
        (
            "an override without a limit takes it away",
            "default",
            "[profile.default]\nslow-timeout = { period = \"1s\", terminate-after = 9 }\n\
             [[profile.default.overrides]]\nfilter = 'test(network)'\nslow-timeout = \"2m\"\n",
        ),
        (
            "leaks are failures",
            "default",
            "[profile.default]\nleak-timeout = { period = \"500ms\", result = \"fail\" }\n\
             [[profile.default.overrides]]\nfilter = 'test(network)'\nleak-timeout = \"1s\"\n",
        ),
        (
            "a serial group",
            "default",
            "[test-groups]\nserial = { max-threads = 1 }\n\
             [[profile.default.overrides]]\nfilter = 'package(core) & test(network)'\n\
             test-group = 'serial'\n",
        ),
        (
            "a test that leaves its group",
            "ci",
            "[test-groups]\nserial = { max-threads = 1 }\n\
             [[profile.default.overrides]]\nfilter = 'all()'\ntest-group = 'serial'\n\
             [[profile.ci.overrides]]\nfilter = 'test(network)'\ntest-group = '@global'\n",
        ),
        (
            "heavy tests",
            "default",
            "[[profile.default.overrides]]\nfilter = 'test(network)'\nthreads-required = 2\n\
             [[profile.default.overrides]]\nfilter = 'test(plain)'\n\
             threads-required = 'num-test-threads'\n",
        ),
        (
            "priorities",
            "default",
            "[[profile.default.overrides]]\nfilter = 'test(network)'\npriority = 100\n\
             [[profile.default.overrides]]\nfilter = 'test(plain)'\npriority = -100\n",
        ),
        (
            "the first override that sets a value counts",
            "ci",
            "[[profile.default.overrides]]\nfilter = 'all()'\nretries = 1\npriority = 1\n\
             [[profile.ci.overrides]]\nfilter = 'test(network)'\nretries = 2\n\
             [[profile.ci.overrides]]\nfilter = 'test(net)'\nretries = 3\npriority = 3\n",
        ),
        (
            "overrides of the default profile come before values of the chosen one",
            "ci",
            "[profile.ci]\nretries = 2\n\
             [[profile.default.overrides]]\nfilter = 'test(network)'\nretries = 1\n",
        ),
        (
            "platforms",
            "default",
            "[[profile.default.overrides]]\nplatform = 'cfg(windows)'\nretries = 1\n\
             [[profile.default.overrides]]\nplatform = { host = 'cfg(unix)' }\nretries = 2\n\
             [[profile.default.overrides]]\nplatform = 'aarch64-unknown-linux-gnu'\nslow-timeout = '1s'\n\
             [[profile.default.overrides]]\nplatform = 'x86_64-unknown-linux-gnu'\npriority = 1\n",
        ),
        (
            "a default filter",
            "default",
            "[profile.default]\ndefault-filter = 'not test(network)'\n",
        ),
        (
            "a default filter for a platform, and one of a farther profile",
            "ci",
            "[profile.default]\ndefault-filter = 'none()'\n\
             [profile.ci]\ndefault-filter = 'all()'\n\
             [[profile.ci.overrides]]\nplatform = 'cfg(unix)'\ndefault-filter = 'test(network)'\n",
        ),
        (
            "a report",
            "ci",
            "[store]\ndir = 'out'\n[profile.ci.junit]\npath = 'junit.xml'\n",
        ),
        (
            "output",
            "default",
            "[profile.default]\nstatus-level = 'fail'\nfailure-output = 'immediate-final'\n\
             success-output = 'final'\n",
        ),
        (
            "the number of failures",
            "default",
            "[profile.default]\nfail-fast = { max-fail = 5, terminate = 'immediate' }\n\
             test-threads = -2\n",
        ),
    ];
    let row = |(title, profile, text): (&str, &str, &str)| {
        let effect = Workspace::configured(text).effect(profile, &[], &["network", "plain"]);
        format!("=== {title}\n{effect}")
    };
    insta::assert_snapshot!(rows.map(row).concat());
}

#[test]
fn files_of_tools_come_after_the_workspaces_own() {
    let workspace = Workspace::configured(
        "[profile.ci]\nretries = 1\n[profile.default]\npriority = 1\n",
    )
    .with(
        "/tools/one.toml",
        "[profile.ci]\nretries = 2\nslow-timeout = '2s'\n[profile.default]\nthreads-required = 2\n",
    )
    .with(
        "/tools/two.toml",
        "[profile.ci]\nslow-timeout = '3s'\n[profile.mine]\ninherits = 'ci'\nleak-timeout = '1s'\n\
         [test-groups.'@tool:two:db']\nmax-threads = 3\n\
         [[profile.mine.overrides]]\nfilter = 'all()'\ntest-group = '@tool:two:db'\n",
    );
    let tools = ["one:/tools/one.toml", "two:/tools/two.toml"];
    insta::assert_snapshot!(
        [
            workspace.effect("ci", &tools, &["plain"]),
            workspace.effect("mine", &tools, &["plain"]),
            workspace.effect("mine", &tools[..1], &["plain"]),
            workspace.effect("ci", &["three:/tools/three.toml"], &["plain"]),
        ]
        .join("---\n")
    );
}

#[test]
fn keys_without_an_effect_are_named_and_mistakes_have_their_places() {
    let rows = [
        "nextest-version = '0.9.50'\nexperimental = ['setup-scripts']\n\
         [scripts.setup.x]\ncommand = 'x'\n[profile.default]\nglobal-timeout = '1h'\n\
         failure-output = 'never'\narchive.include = []\nbench.slow-timeout = '1s'\n\
         final-status-level = 'slow'\njunit.report-name = 'x'\njunit.store-failure-output = true\n\
         [[profile.default.overrides]]\nfilter = 'all()'\nsuccess-output = 'final'\n",
        "retries = 1\n[profile.default]\nfail-fats = true\nstore.dir = 'x'\njunit.file = 'x'\n",
        "[profile.default]\nretries = -1\n",
        "[profile.default]\nretries = { count = 1 }\n",
        "[profile.default]\nretries = { backoff = 'exponential', count = 1 }\n",
        "[profile.default]\nretries = { backoff = 'fixed', count = 1, max-delay = '1s' }\n",
        "[profile.default]\nslow-timeout = 60\n",
        "[profile.default]\nslow-timeout = '60'\n",
        "[profile.default]\nslow-timeout = { period = '1s', terminate-after = 0 }\n",
        "[profile.default]\nslow-timeout = { terminate-after = 1 }\n",
        "[profile.default]\nleak-timeout = { period = '1s', result = 'flaky' }\n",
        "[profile.default]\nfail-fast = { max-fail = 0 }\n",
        "[profile.default]\ndefault-filter = 'test(x'\n",
        "[profile.default]\ninherits = 'ci'\n[profile.ci]\n",
        "[[profile.default.overrides]]\nretries = 1\n",
        "[[profile.default.overrides]]\nfilter = 'all()'\ndefault-filter = 'all()'\n",
        "[[profile.default.overrides]]\nfilter = 'all()'\ntest-group = 'db'\n",
        "[[profile.default.overrides]]\nfilter = 'all()'\npriority = 101\n",
        "[[profile.default.overrides]]\nplatform = 'cfg(unix'\n",
        "[test-groups]\ndb = { max-threads = 0 }\n",
        "[test-groups]\ndb = {}\n",
    ];
    let row = |text: &str| {
        format!(
            "=== {text}{}",
            Workspace::configured(text).effect("default", &[], &[])
        )
    };
    insta::assert_snapshot!(rows.map(row).concat());
}

#[test]
fn a_profile_must_exist() {
    let told = |text: &str, profile| Workspace::configured(text).effect(profile, &[], &[]);
    let text = "[profile.ci]\ninherits = 'base'\n[profile.night]\n";
    insta::assert_snapshot!(
        [
            told(text, "nigth"),
            told(text, "ci"),
            told("", "ci"),
            told("", "default"),
            told(
                "[profile.a]\ninherits = 'b'\n[profile.b]\ninherits = 'a'\n",
                "a"
            ),
        ]
        .join("---\n")
    );
}

#[test]
fn a_projects_file_is_read_unchanged() {
    let text = include_str!("../../../../tests/fixtures/nextest/nextest.toml");
    assert!(text.lines().count() >= 100);
    let workspace = Workspace::configured(text);
    let tests = [
        "plain",
        "db_write",
        "reads_network",
        "fuzz_names",
        "manual_login",
        "fork",
    ];
    let effects = ["default", "ci", "nightly", "miri"]
        .map(|profile| format!("=== {profile}\n{}", workspace.effect(profile, &[], &tests)));
    insta::assert_snapshot!(effects.concat());
}

/// The keys of the property, each with a number as its value.
const KEYS: [(&str, &str); 3] = [
    ("retries", "retries"),
    ("threads-required", "weight"),
    ("priority", "priority"),
];

/// An override: whether it matches, and the value of each key.
type Said = (bool, [Option<u8>; 3]);

fn keys(values: &[Option<u8>; 3]) -> String {
    let set = KEYS.iter().zip(values).filter_map(|((key, _), value)| {
        let value = (*value)?;
        Some(format!("{key} = {value}\n"))
    });
    set.collect()
}

proptest! {
    /// The model: the first matching override that has a key, of the nearer profile before the
    /// farther one, and then the nearer profile's own value before the farther one's.
    #[test]
    fn values_come_from_the_first_source_that_has_them(
        profiles in prop::array::uniform3((
            prop::array::uniform3(prop::option::of(1..9_u8)),
            prop::collection::vec((any::<bool>(), prop::array::uniform3(prop::option::of(1..9_u8))), 0..3),
        )),
    ) {
        let profiles: [([Option<u8>; 3], Vec<Said>); 3] = profiles;
        let names = ["near", "far", "default"];
        let mut text = String::new();
        for (name, (own, overrides)) in names.iter().zip(&profiles) {
            text.push_str(&format!("[profile.{name}]\n{}", keys(own)));
            if *name == "near" {
                text.push_str("inherits = 'far'\n");
            }
            for (matches, values) in overrides {
                let filter = if *matches { "test(plain)" } else { "test(other)" };
                let values = keys(values);
                text.push_str(&format!("[[profile.{name}.overrides]]\nfilter = '{filter}'\n{values}"));
            }
        }
        let (_, rules) = Workspace::configured(&text).load("near", &[]).unwrap();
        let shown = with_subject("plain", |test| rules.overridden(test).or(&rules.base())).shown();
        for (index, (key, field)) in KEYS.iter().enumerate() {
            let overrides = profiles.iter().flat_map(|(_, overrides)| overrides);
            let matching = overrides.filter(|(matches, _)| *matches);
            let by_override = matching.filter_map(|(_, values)| values[index]).next();
            let by_profile = || profiles.iter().find_map(|(own, _)| own[index]);
            let expected = by_override.or_else(by_profile).map(|value| value.to_string());
            let found = shown.iter().find(|shown| shown.name == *field).unwrap();
            let found = found.origin.as_ref().map(|_| found.value.clone());
            prop_assert_eq!(found, expected, "{} in {}", key, text);
        }
    }

    #[test]
    fn any_file_is_read_or_refused(text in "(\\[profile\\.(ci|default)\\]\n|retries = [0-9'{}]{1,3}\n|slow-timeout = '[0-9smh]{0,3}'\n|inherits = 'ci'\n|\\PC{0,6}){0,6}") {
        let _ = Workspace::configured(&text).load("ci", &[]);
    }
}
