//! Selects the variables of the calling environment that are forwarded to a cluster.
//!
//! A broker stores jobs, and workers are other people's machines: they must not see tokens and
//! passwords that happen to be in the environment. Jobs on this machine see the whole environment;
//! a cluster gets
//!
//! - variables that a runner or a specification sets: they are not the caller's;
//! - of the caller's variables, those on a list ([`FORWARDED`], [`INSTALLATIONS`]) that do not look
//!   like secrets;
//! - variables that the user names: by `--forward-environment`, by `--env`, or in the `environment`
//!   of a specification.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Variables that are forwarded without being named: those that configure programs, and those that
/// hold locations. A trailing `*` matches any suffix.
pub const FORWARDED: [&str; 71] = [
    // The account, the shell and the terminal.
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "FORCE_COLOR",
    "HOME",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "LINES",
    "LOGNAME",
    "NO_COLOR",
    "PATH",
    "PWD",
    "SHELL",
    "TEMP",
    "TEMPDIR",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    // Reproducible builds, and CI services.
    "CI",
    "LD_LIBRARY_PATH",
    "SOURCE_DATE_EPOCH",
    // Rust.
    "CARGO",
    "CARGO_*",
    "INSTA_*",
    "MAELSTROM_*",
    "PROPTEST_*",
    "QUICKCHECK_*",
    "RUSTC",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUSTUP_*",
    "RUST_*",
    "TRYBUILD",
    "UPDATE_EXPECT",
    // Go. Proxies are excluded, because their addresses may contain passwords.
    "CGO_*",
    "GO111MODULE",
    "GOARCH",
    "GOCACHE",
    "GOCOVERDIR",
    "GODEBUG",
    "GOENV",
    "GOEXPERIMENT",
    "GOFLAGS",
    "GOGC",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOMODCACHE",
    "GOOS",
    "GOPATH",
    "GORACE",
    "GOTMPDIR",
    "GOTOOLCHAIN",
    "GOTRACEBACK",
    "GOWORK",
    // Python.
    "COVERAGE_*",
    "HYPOTHESIS_*",
    "PYTEST_*",
    "PYTHON*",
    "PY_COLORS",
    "PY_IGNORE_IMPORTMISMATCH",
    "TOX_ENV_NAME",
];

/// Variables that name the directory of a version manager or an installation, without which the
/// programs that it puts on `PATH` do not work. They are forwarded as well.
pub const INSTALLATIONS: [&str; 14] = [
    "ASDF_DATA_DIR",
    "ASDF_DIR",
    "BUN_INSTALL",
    "CONDA_PREFIX",
    "DENO_INSTALL",
    "GOROOT",
    "JAVA_HOME",
    "NVM_DIR",
    "PNPM_HOME",
    "PYENV_ROOT",
    "RBENV_ROOT",
    "SDKMAN_DIR",
    "VIRTUAL_ENV",
    "VOLTA_HOME",
];

/// A listed variable is not forwarded if its name contains one of these, as in
/// `CARGO_REGISTRY_TOKEN`.
const SECRET_WORDS: [&str; 9] = [
    "AUTH",
    "COOKIE",
    "CREDENTIAL",
    "KEY",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "SECRET",
    "TOKEN",
];

/// The user's patterns, and the caller's environment.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentForwarding {
    patterns: Vec<String>,
    own: Arc<BTreeMap<OsString, OsString>>,
}

/// The caller's variables in a job's environment: those that are sent, and those that are withheld.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariablePartition {
    pub sent: Vec<OsString>,
    pub withheld: Vec<OsString>,
}

impl EnvironmentForwarding {
    /// Creates the rules for these names and patterns of the user, in this environment.
    pub fn new(patterns: &[String], own: &BTreeMap<OsString, OsString>) -> EnvironmentForwarding {
        EnvironmentForwarding {
            patterns: patterns.to_vec(),
            own: Arc::new(own.clone()),
        }
    }

    /// Creates the rules for this process's environment.
    pub fn of_this_process(patterns: &[String]) -> EnvironmentForwarding {
        EnvironmentForwarding::new(patterns, &std::env::vars_os().collect())
    }

    /// Returns the part of a job's environment that is sent; `named` are variables that its
    /// specification names.
    pub fn sent(
        &self,
        environment: &BTreeMap<OsString, OsString>,
        named: &BTreeSet<OsString>,
    ) -> BTreeMap<OsString, OsString> {
        let variables = environment.iter();
        variables
            .filter(|(name, value)| {
                !self.is_the_callers(name, value) || self.leaves(name, value, named)
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Splits the caller's variables in a job's environment into those sent and those withheld.
    pub fn partition(
        &self,
        environment: &BTreeMap<OsString, OsString>,
        named: &BTreeSet<OsString>,
    ) -> VariablePartition {
        let mut parting = VariablePartition::default();
        for (name, value) in environment {
            if self.is_the_callers(name, value) {
                match self.leaves(name, value, named) {
                    true => parting.sent.push(name.clone()),
                    false => parting.withheld.push(name.clone()),
                }
            }
        }
        parting
    }

    fn is_the_callers(&self, name: &OsStr, value: &OsStr) -> bool {
        self.own.get(name).is_some_and(|own| own == value)
    }

    fn leaves(&self, name: &OsStr, value: &OsStr, named: &BTreeSet<OsString>) -> bool {
        let matches = |pattern: &str| is_match(pattern, name);
        let is_named = named.contains(name) || self.patterns.iter().any(|known| matches(known));
        let is_listed = FORWARDED.into_iter().chain(INSTALLATIONS).any(matches);
        // A variable that the user names is sent even if it looks like a secret: the lists only
        // guess.
        is_named || is_listed && !looks_secret(name, value)
    }
}

/// Matches a name against a pattern: the same name, or a prefix that ends with `*`.
fn is_match(pattern: &str, name: &OsStr) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.as_bytes().starts_with(start.as_bytes()),
        None => name == pattern,
    }
}

fn looks_secret(name: &OsStr, value: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    let value = value.to_string_lossy();
    // `https://name:password@host`
    let in_address = value.split("://").skip(1).any(|rest| {
        let authority = rest.split('/').next().unwrap_or_default();
        authority.contains('@')
    });
    in_address || SECRET_WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    const OWN: [(&str, &str); 12] = [
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("CARGO_HTTP_PROXY", "http://me:word@proxy/"),
        ("CARGO_REGISTRY_TOKEN", "s"),
        ("DATABASE_URL", "postgres://me:word@host/"),
        ("GITHUB_TOKEN", "s"),
        ("HOME", "/home/u"),
        ("LC_ALL", "C"),
        ("MY_FLAG", "1"),
        ("MY_TOKEN", "s"),
        ("PATH", "/bin"),
        ("RUST_LOG", "debug"),
        ("TMPDIR", "/home/u/tmp"),
    ];

    fn sent(patterns: &[&str], named: &[&str], job: &[(&str, &str)]) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(|text| text.to_string()).collect();
        let forwarding = EnvironmentForwarding::new(&patterns, &variables(&OWN));
        let named = named.iter().map(OsString::from).collect();
        let job = variables(job);
        let sent = forwarding.sent(&job, &named);
        let parting = forwarding.partition(&job, &named);
        // Both functions agree.
        for name in job.keys() {
            assert_eq!(sent.contains_key(name), !parting.withheld.contains(name));
        }
        assert!(parting.sent.iter().all(|name| sent.contains_key(name)));
        let names = sent.keys().map(|name| name.to_string_lossy().into_owned());
        names.collect()
    }

    #[test]
    fn of_the_callers_environment_only_the_list_goes_along() {
        assert_eq!(
            sent(&[], &[], &OWN),
            ["HOME", "LC_ALL", "PATH", "RUST_LOG", "TMPDIR"]
        );
    }

    #[test]
    fn what_was_set_for_the_job_goes_along_whatever_it_is_called() {
        let job = [("GITHUB_TOKEN", "another"), ("MINE", "1"), ("MY_FLAG", "1")];
        assert_eq!(sent(&[], &[], &job), ["GITHUB_TOKEN", "MINE"]);
    }

    #[test]
    fn what_is_named_goes_along() {
        let all = sent(&["MY_*", "GITHUB_TOKEN"], &["DATABASE_URL"], &OWN);
        for name in ["MY_FLAG", "MY_TOKEN", "GITHUB_TOKEN", "DATABASE_URL"] {
            assert!(all.iter().any(|known| known == name), "{name}: {all:?}");
        }
        assert!(!all.iter().any(|known| known == "AWS_SECRET_ACCESS_KEY"));
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, expected) in [
            ("A", "A", true),
            ("A", "AB", false),
            ("A*", "AB", true),
            ("A*", "A", true),
            ("*", "ANY", true),
            ("A*", "BA", false),
        ] {
            assert_eq!(
                is_match(pattern, OsStr::new(name)),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn nothing_on_the_list_is_there_twice() {
        let mut sorted = [&FORWARDED[..], &INSTALLATIONS].concat();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), FORWARDED.len() + INSTALLATIONS.len());
    }
}
