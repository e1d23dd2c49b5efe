//! Reads the configuration of `cargo nextest`, `.config/nextest.toml`, as it stands.
//!
//! ```text
//! files ─[`file`]─▶ profiles ─[`load`]─▶ options of the run, and NextestSettings ─▶ NextestRules
//!                                                                                 on a platform
//! ```
//!
//! - [`file`]: one file. [`values`]: the values of its keys.
//! - [`load`]: the files of a run, and what they say about its profile.
//!
//! As in nextest, a value comes from the first override that matches a test and sets it, or else
//! from the nearest profile that does; the overrides of a farther profile come before the values of
//! a nearer one. What a project's `cargo-maelstrom.toml` says comes before all of it.
//!
//! Keys that nextest does not have are warnings, wrong values errors, and keys that mean nothing
//! here are named in one warning.

mod file;
pub(super) mod load;
mod values;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use cargo_platform::{Cfg, Platform};

use maelstrom_spec::filter::TruthValue;
use maelstrom_spec::filterset::{FiltersetSubject, TestFilterset};
use maelstrom_spec::policy::PolicyFields;

/// What the files say about the tests of a run.
#[derive(Clone, Debug, Default)]
pub struct NextestSettings {
    /// The default filters, for those platforms that they name. The first one counts.
    default_filters: Vec<DefaultFilter>,
    /// The overrides. The first one that sets a value counts.
    overrides: Vec<Arc<TestOverride>>,
    /// The values for tests for which no override sets them.
    base: PolicyFields,
    /// Further arguments for test binaries.
    pub run_extra_args: Vec<String>,
    /// The directory of the profile's reports, if there is a file.
    pub store: Option<PathBuf>,
    /// The files that are named on the command line, from the working directory.
    pub files: Vec<PathBuf>,
}

/// A default filter of a profile.
#[derive(Clone, Debug)]
struct DefaultFilter {
    platform: PlatformChoice,
    filter: TestFilterset,
}

/// Values for some tests.
#[derive(Clone, Debug)]
struct TestOverride {
    platform: PlatformChoice,
    /// The tests; `None` means all.
    filter: Option<TestFilterset>,
    fields: PolicyFields,
}

/// The platforms for which something is; `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PlatformChoice {
    host: Option<Platform>,
    target: Option<Platform>,
}

/// The platforms of a run.
#[derive(Clone, Debug)]
pub(super) struct PlatformFacts {
    /// The target triple of this machine.
    pub(super) host: String,
    /// The target triple that tests are built for.
    pub(super) target: String,
    /// The output of `rustc --print cfg`.
    pub(super) cfgs: String,
}

/// What the files say about tests on the platforms of a run.
#[derive(Clone, Debug, Default)]
pub struct NextestRules {
    default_filter: Option<TestFilterset>,
    overrides: Vec<Arc<TestOverride>>,
    base: PolicyFields,
}

impl NextestSettings {
    /// Returns whether anything depends on a `cfg(…)` expression, so that the output of
    /// `rustc --print cfg` is needed.
    pub(super) fn has_expressions(&self) -> bool {
        let filters = self.default_filters.iter().map(|filter| &filter.platform);
        let overrides = self.overrides.iter().map(|each| &each.platform);
        let mut platforms = filters
            .chain(overrides)
            .flat_map(|choice| choice.host.iter().chain(&choice.target));
        platforms.any(|platform| matches!(platform, Platform::Cfg(_)))
    }

    /// Returns what holds on the platforms of a run.
    pub(super) fn rules(&self, facts: &PlatformFacts) -> NextestRules {
        let cfgs = facts.cfgs.lines();
        let cfgs: Vec<Cfg> = cfgs.filter_map(|line| Cfg::from_str(line).ok()).collect();
        let holds = |choice: &PlatformChoice| {
            let is = |wanted: &Option<Platform>, triple: &str| {
                let mut wanted = wanted.iter();
                wanted.all(|wanted| wanted.matches(triple, &cfgs))
            };
            is(&choice.host, &facts.host) && is(&choice.target, &facts.target)
        };
        let overrides = self.overrides.iter().filter(|each| holds(&each.platform));
        let mut filters = self.default_filters.iter();
        let default_filter = filters.find(|filter| holds(&filter.platform));
        NextestRules {
            default_filter: default_filter.map(|filter| filter.filter.clone()),
            overrides: overrides.cloned().collect(),
            base: self.base.clone(),
        }
    }
}

impl NextestRules {
    /// Returns whether the default filter leaves a test out.
    pub(super) fn leaves_out(&self, test: &FiltersetSubject<'_>) -> bool {
        let mut filter = self.default_filter.iter();
        filter.any(|filter| filter.evaluate(test) == TruthValue::False)
    }

    /// Forgets the default filter.
    pub(super) fn ignore_filter(&mut self) {
        self.default_filter = None;
    }

    /// Returns what the overrides say about a test.
    pub(super) fn overridden(&self, test: &FiltersetSubject<'_>) -> PolicyFields {
        let matches = |each: &&Arc<TestOverride>| {
            let mut filter = each.filter.iter();
            filter.all(|filter| filter.evaluate(test) == TruthValue::True)
        };
        let matching = self.overrides.iter().filter(matches);
        matching.fold(PolicyFields::default(), |fields, each| {
            fields.or(&each.fields)
        })
    }

    /// Returns the values for tests for which no override sets them.
    pub(super) fn base(&self) -> PolicyFields {
        self.base.clone()
    }
}
