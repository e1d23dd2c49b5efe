//! Determines the program that starts test binaries, if one is configured: `[target.….runner]` in
//! cargo's configuration, or the corresponding environment variable.
//!
//! Cargo's order is: the variable `CARGO_TARGET_TRIPLE_RUNNER`, the table of the triple, then the
//! table of a matching expression (`cfg(unix)`). Among files, the nearest one takes precedence.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cargo_platform::{Cfg, CfgExpr};
use serde::Deserialize;

use crate::sandbox::invocation::Invocation;

/// A table `[target.KEY]` of a configuration file.
#[derive(Debug, Deserialize)]
pub struct TargetTable {
    runner: Option<ProgramAndArguments>,
}

/// A program and its arguments.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum ProgramAndArguments {
    Text(String),
    List(Vec<String>),
}

/// The runners that configuration files name, by their keys: triples and expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetRunners(BTreeMap<String, Vec<OsString>>);

impl TargetRunners {
    /// Adds the tables of a configuration file. Relative paths start at `base`. Tables that are
    /// already present, from nearer files, take precedence.
    pub fn add(&mut self, tables: BTreeMap<String, TargetTable>, base: &Path) {
        for (key, table) in tables {
            if let Some(words) = table.runner.map(|words| split(words, base))
                && !words.is_empty()
            {
                self.0.entry(key).or_insert(words);
            }
        }
    }

    /// Returns whether any table has a `cfg(…)` expression, so that the output of
    /// `rustc --print cfg` is needed.
    pub fn have_expressions(&self) -> bool {
        self.0.keys().any(|key| key.starts_with("cfg("))
    }

    /// Returns the command that starts test binaries of this triple, or nothing to start them
    /// directly. `cfgs` is the output of `rustc --print cfg`.
    pub fn of(&self, invocation: &Invocation, triple: &str, cfgs: &str) -> Vec<OsString> {
        let name = triple.to_uppercase().replace(['-', '.'], "_");
        let variable = invocation.variable(&format!("CARGO_TARGET_{name}_RUNNER"));
        if let Some(words) = variable.and_then(|words| words.to_str()) {
            return split(
                ProgramAndArguments::Text(words.to_owned()),
                &invocation.directory,
            );
        }
        if let Some(words) = self.0.get(triple) {
            return words.clone();
        }
        let cfgs: Vec<Cfg> = cfgs
            .lines()
            .filter_map(|line| Cfg::from_str(line).ok())
            .collect();
        let holds = |key: &str| {
            let expression = key
                .strip_prefix("cfg(")
                .and_then(|key| key.strip_suffix(')'));
            let expression = expression.and_then(|text| CfgExpr::from_str(text).ok());
            expression.is_some_and(|expression| expression.matches(&cfgs))
        };
        // Cargo refuses to build if several expressions match, so there is at most one.
        let mut found = self.0.iter().filter(|(key, _)| holds(key));
        found
            .next()
            .map(|(_, words)| words.clone())
            .unwrap_or_default()
    }
}

/// Splits a command into words. The path of a program that contains a `/` is relative to `base`.
fn split(words: ProgramAndArguments, base: &Path) -> Vec<OsString> {
    let words: Vec<String> = match words {
        // Cargo does not interpret quotes or escapes here either.
        ProgramAndArguments::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
        ProgramAndArguments::List(list) => list,
    };
    let mut words = words.into_iter();
    // As in cargo, a name without a slash is looked up on `PATH`.
    let program = words.next().map(|program| match program.contains('/') {
        true => base.join(PathBuf::from(program)).into_os_string(),
        false => program.into(),
    });
    program
        .into_iter()
        .chain(words.map(OsString::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::invocation::ColorMode;

    const TRIPLE: &str = "x86_64-unknown-linux-gnu";

    fn runner(files: &[&str], variable: Option<&str>) -> Vec<OsString> {
        let mut runners = TargetRunners::default();
        for file in files {
            runners.add(toml::from_str(file).unwrap(), Path::new("/w"));
        }
        let name = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";
        let invocation = Invocation {
            directory: "/here".into(),
            environment: variable
                .map(|value| (name.into(), value.into()))
                .into_iter()
                .collect(),
            colors: ColorMode::Unwanted,
        };
        runners.of(&invocation, TRIPLE, "unix\ntarget_os=\"linux\"\n")
    }

    #[test]
    fn the_most_special_word_decides() {
        let exact = "[x86_64-unknown-linux-gnu]\nrunner = 'tools/run -v'\n";
        let unix = "['cfg(unix)']\nrunner = ['sudo', '-E', 'a b']\n";
        let all = "['cfg(all(unix, target_os = \"linux\"))']\nrunner = 'qemu'\n";
        let windows = "['cfg(windows)']\nrunner = 'wine'\n[aarch64-apple-darwin]\nrunner = 'x'\n";
        assert_eq!(runner(&[exact, unix], None), ["/w/tools/run", "-v"]);
        assert_eq!(runner(&[windows, unix], None), ["sudo", "-E", "a b"]);
        assert_eq!(runner(&[all], None), ["qemu"]);
        assert_eq!(runner(&[exact], Some("./mine x")), ["/here/./mine", "x"]);
        assert_eq!(runner(&[windows, "[x]\nlinker = 'cc'\n"], None), [""; 0]);
        let other = "[x86_64-unknown-linux-gnu]\nrunner = 'far'\n";
        assert_eq!(runner(&[exact, other], None), ["/w/tools/run", "-v"]);
    }
}
