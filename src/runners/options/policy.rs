//! The options for how each test runs, which all test programs share.
//!
//! A file of the project says the same for some of its tests; the options come before it.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use maelstrom_model::policy::{DeviceNeed, DeviceNeedError, FlakyVerdict};
use maelstrom_spec::config::{ConfigOption, ConfigOptionKind, OptionOrigins};
use maelstrom_spec::policy::time::parse_time;
use maelstrom_spec::policy::{PolicyFields, PolicySetting, RetrySetting, ShareScope};
use maelstrom_spec::profile::DEFAULT_PROFILE;

/// The options of [`PolicyOptions`] that can also be set by variables and configuration files.
pub(crate) const POLICY_VALUES: [ConfigOption; 6] = [
    ConfigOption::new("run-profile", ConfigOptionKind::Text),
    ConfigOption::new("retries", ConfigOptionKind::Number),
    ConfigOption::new("flaky-result", ConfigOptionKind::Text),
    ConfigOption::new("slow-after", ConfigOptionKind::NumberOrText),
    ConfigOption::new("device", ConfigOptionKind::List),
    ConfigOption::new("share", ConfigOptionKind::Text),
];

/// The position of the options in the help text: after those about the run.
const HELP_ORDER: usize = 1350;

/// How each test runs.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Running")]
pub struct PolicyOptions {
    /// Profile of the project's file to use [default: default]
    #[arg(long, value_name = "NAME", display_order = HELP_ORDER)]
    pub run_profile: Option<String>,

    /// Also run the tests that the profile leaves out
    #[arg(long, display_order = HELP_ORDER + 1)]
    pub ignore_default_filter: bool,

    /// Run a test that failed again, up to this many times
    #[arg(long, value_name = "N", display_order = HELP_ORDER + 2)]
    pub retries: Option<u32>,

    /// What a test is that passes after it failed [default: pass]
    #[arg(long, value_name = "RESULT", value_enum, display_order = HELP_ORDER + 3)]
    pub flaky_result: Option<FlakyResultOption>,

    /// Report a test as slow that runs longer than this: seconds, or a time such as 500ms or 2m; 0
    /// means never
    #[arg(long, value_name = "TIME", value_parser = parse_time, display_order = HELP_ORDER + 4)]
    pub slow_after: Option<Duration>,

    /// Device of this machine that tests have, such as /dev/kvm or '/dev/nvidia*', one test at a
    /// time; with =N after it, N tests at a time; may be repeated
    #[arg(long, value_name = "DEVICE", value_parser = parse_device, display_order = HELP_ORDER + 5)]
    pub device: Vec<DeviceNeed>,
    /// Run the tests of each of these in one container and one process [default: none]
    #[arg(long, value_name = "SCOPE", value_enum, display_order = HELP_ORDER + 5)]
    pub share: Option<ShareOption>,

    /// Where values come from that are not typed.
    #[arg(skip)]
    pub origins: OptionOrigins,
}

/// The profile of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenProfile {
    pub name: String,
    /// Whether tests run that the profile's default filter leaves out.
    pub ignores_filter: bool,
}

impl Default for ChosenProfile {
    fn default() -> ChosenProfile {
        PolicyOptions::default().profile()
    }
}

/// What a test is that passes after it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlakyResultOption {
    /// Passed
    Pass,
    /// Failed
    Fail,
}

/// The tests that share a container and a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShareOption {
    /// Each test has its own
    None,
    /// The tests of a class
    Class,
    /// The tests of a file
    File,
    /// The tests of a package or directory
    Package,
    /// The tests of a test binary
    Binary,
}

impl PolicyOptions {
    /// Returns which profile counts, and whether its default filter does.
    pub(crate) fn profile(&self) -> ChosenProfile {
        let name = self.run_profile.as_deref().unwrap_or(DEFAULT_PROFILE);
        ChosenProfile {
            name: name.to_owned(),
            ignores_filter: self.ignore_default_filter,
        }
    }

    /// Returns what the options say. `timeout_s` is the program's own option for a time limit in
    /// seconds, where 0 means none.
    pub(crate) fn fields(&self, timeout_s: Option<u32>) -> PolicyFields {
        let limit = |seconds: u32| Duration::from_secs(seconds.into());
        let timeout = timeout_s.map(|seconds| (seconds > 0).then(|| limit(seconds)));
        PolicyFields {
            retries: self.setting("retries", self.retries.map(RetrySetting::immediate)),
            flaky_result: self.setting("flaky-result", self.flaky_result.map(Into::into)),
            slow: self.setting(
                "slow-after",
                self.slow_after
                    .map(|slow| (!slow.is_zero()).then_some(slow)),
            ),
            timeout: self.setting("timeout", timeout),
            devices: self.setting(
                "device",
                (!self.device.is_empty()).then(|| DeviceNeed::settle(self.device.clone())),
            ),
            share: self.setting("share", self.share.map(Into::into)),
            ..PolicyFields::default()
        }
    }

    fn setting<T>(&self, name: &str, value: Option<T>) -> Option<PolicySetting<T>> {
        let origin: Arc<str> = match self.origins.get(name) {
            Some(origin) => origin.as_str().into(),
            None => "command line".into(),
        };
        value.map(|value| PolicySetting { value, origin })
    }
}

/// Parses a device, and how many tests may have it at a time.
pub(crate) fn parse_device(text: &str) -> Result<DeviceNeed, String> {
    let need = text.parse();
    need.map_err(|error: DeviceNeedError| format!("{error}; {}", error.help()))
}

impl From<FlakyResultOption> for FlakyVerdict {
    fn from(option: FlakyResultOption) -> FlakyVerdict {
        match option {
            FlakyResultOption::Pass => FlakyVerdict::Pass,
            FlakyResultOption::Fail => FlakyVerdict::Fail,
        }
    }
}

impl From<ShareOption> for ShareScope {
    fn from(option: ShareOption) -> ShareScope {
        match option {
            ShareOption::None => ShareScope::None,
            ShareOption::Class => ShareScope::Class,
            ShareOption::File => ShareScope::File,
            ShareOption::Package => ShareScope::Package,
            ShareOption::Binary => ShareScope::Binary,
        }
    }
}
