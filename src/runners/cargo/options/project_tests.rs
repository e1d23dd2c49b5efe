//! Tests which options the files of a workspace set.

use std::ffi::OsString;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::{CargoOptions, CargoSettings};
use maelstrom_spec::config::{ConfigEnvironment, ConfigError};

/// A workspace in `/w`, seen from a member.
struct Workspace {
    variables: &'static [(&'static str, &'static str)],
}

const FILES: [(&str, &str); 5] = [
    ("/w/Cargo.toml", "[workspace]\nmembers = ['core']\n"),
    ("/w/core/Cargo.toml", "[package]\nname = 'core'\n"),
    (
        "/w/cargo-maelstrom.toml",
        "[profiles.ci]\nslots = 3\nlocked = true\n[profiles.own]\ninherits = 'ci'\nslots = 4\n",
    ),
    (
        "/w/.config/nextest.toml",
        "[profile.default]\nrun-extra-args = ['--long']\n\
         [profile.ci]\ntest-threads = 2\nfail-fast = { max-fail = 5 }\njunit.path = 'junit.xml'\n",
    ),
    (
        "/h/.config/maelstrom/cargo-maelstrom/config.toml",
        "slots = 7\noffline = true\n",
    ),
];

impl ConfigEnvironment for Workspace {
    fn variable(&self, name: &str) -> Option<OsString> {
        let mut variables = [("HOME", "/h")].iter().chain(self.variables);
        let found = variables.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.into())
    }

    fn variable_names(&self) -> Vec<OsString> {
        self.variables.iter().map(|(name, _)| name.into()).collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let found = FILES.iter().find(|(known, _)| Path::new(known) == path);
        let text = found.map(|(_, text)| (*text).to_owned());
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn directory(&self) -> Option<PathBuf> {
        Some("/w/core".into())
    }
}

fn settings(
    line: &str,
    variables: &'static [(&'static str, &'static str)],
) -> Result<CargoSettings, ConfigError> {
    let words = line.split_whitespace().map(OsString::from);
    let options = CargoOptions::resolved(words, &Workspace { variables })?.options;
    Ok(options.resolve(NonZeroU32::new(8).unwrap()).unwrap())
}

#[test]
fn a_profile_sets_options_of_the_run() {
    let shown = |line: &str, variables| match settings(line, variables) {
        Ok(settings) => {
            let common = &settings.common;
            format!(
                "{line}: slots {}, stop after {:?}, junit {:?}, locked {}, offline {}, more {:?}",
                common.slots,
                common.stop_after,
                common.report.junit,
                settings.build.locked,
                settings.build.offline,
                settings.extra_arguments,
            )
        }
        Err(error) => format!("{line}: {error}"),
    };
    insta::assert_snapshot!(
        [
            shown("p", &[]),
            shown("p --run-profile ci", &[]),
            shown("p run -P ci", &[]),
            shown("p run --profile ci --max-fail 2 -j 6", &[]),
            shown("p run -P own", &[]),
            shown("p run", &[("NEXTEST_PROFILE", "ci")]),
            shown("p", &[("NEXTEST_PROFILE", "ci")]),
            shown("p", &[("MAELSTROM_RUN_PROFILE", "ci"), ("MAELSTROM_SLOTS", "1")]),
            shown("p run -P c", &[]),
            shown("p run --config-file other.toml", &[]),
        ]
        .join("\n"),
        @r#"
    p: slots 7, stop after None, junit None, locked false, offline true, more ["--long"]
    p --run-profile ci: slots 3, stop after Some(5), junit Some("/w/target/nextest/ci/junit.xml"), locked true, offline true, more ["--long"]
    p run -P ci: slots 3, stop after Some(5), junit Some("/w/target/nextest/ci/junit.xml"), locked true, offline true, more ["--long"]
    p run --profile ci --max-fail 2 -j 6: slots 6, stop after Some(2), junit Some("/w/target/nextest/ci/junit.xml"), locked true, offline true, more ["--long"]
    p run -P own: slots 4, stop after Some(1), junit None, locked true, offline true, more ["--long"]
    p run: slots 3, stop after Some(5), junit Some("/w/target/nextest/ci/junit.xml"), locked true, offline true, more ["--long"]
    p: slots 7, stop after None, junit None, locked false, offline true, more ["--long"]
    p: slots 1, stop after Some(5), junit Some("/w/target/nextest/ci/junit.xml"), locked true, offline true, more ["--long"]
    p run -P c: there is no profile `c`
    p run --config-file other.toml: cannot read the configuration file `/w/core/other.toml`
    "#
    );
}
