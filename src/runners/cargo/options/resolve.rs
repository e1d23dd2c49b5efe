//! Resolves options into settings.

use std::ffi::OsString;
use std::num::NonZeroU32;

use miette::Diagnostic;

use crate::options::{self, EventStreamFormat, PassingTestOutput, StrictProcessError, time_limit};
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::filter::{
    PatternError, PatternVocabulary, TestPattern, TestSelection, vocabulary,
};
use maelstrom_spec::filterset::{FiltersetError, FiltersetPlatform, TestFilterset};

use super::harness::{HarnessArguments, HarnessError, HarnessFlag};
use super::nextest::{
    ListTypeOption, MaximumFailures, MessageFormatOption, NextestOptions, OutputTimeOption,
    PlatformFilterOption, RunIgnoredOption,
};
use super::peer::CargoGrammar;
use super::settings::{
    CargoAction, CargoSettings, DoctestChoice, IgnoredTests, NameFilter, NameMatch, PackageChoice,
};
use super::{CargoBuildOptions, CargoOptions, CargoTestOptions, PackageOptions, TargetOptions};

/// The vocabulary of cargo's patterns.
pub(in crate::cargo) const VOCABULARY: &PatternVocabulary = &vocabulary::CARGO;

/// The error of options that contradict each other or are invalid.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum CargoOptionsError {
    /// An invalid argument after `--`.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Harness(#[from] HarnessError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] PatternError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Filterset(#[from] FiltersetError),
    #[error("`{option}` must not be 0")]
    JobsZero { option: &'static str },
    /// Both `--ignored` and `--include-ignored`.
    #[error("`--ignored` and `--include-ignored` exclude one another")]
    IgnoredTwice,
    /// Names of tests together with `--print-config`, which runs none.
    #[error("`--print-config` (`-P`) runs no tests, so `{name}` would mean nothing")]
    #[diagnostic(help(
        "leave `-P` out to run tests; `--run-profile NAME` chooses a profile, as does `-P NAME` \
         after `run`"
    ))]
    PrintsOnly { name: String },
    /// A flag of the replaced tool that cannot mean the same here.
    #[error("`{flag}` of `{command}` is not supported")]
    #[diagnostic(help("{instead}"))]
    PeerFlag {
        flag: String,
        command: &'static str,
        /// What to use instead.
        instead: &'static str,
    },
    /// `--failure-output=never`.
    #[error(
        "`--failure-output=never` is not supported: the output of failed tests is always shown"
    )]
    #[diagnostic(help("`--failure-output=final` is nearest"))]
    FailureOutputNever,
    /// Names before `--`, and `--exact` after it, which is about the names there only.
    #[error("`--exact` (after `--`) is about names after `--`, and `{name}` is before it")]
    #[diagnostic(help("put all names after `--`"))]
    ExactElsewhere { name: String },
    /// The original Maelstrom's `-r N`.
    #[error("`-r` is `--release` and takes no value; `{number}` after it would be a test's name")]
    #[diagnostic(help(
        "use `--repeat {number}` to run each test {number} times; for tests with `{number}` in \
         their names, write `-r -- {number}`"
    ))]
    RepeatLetter { number: String },
    /// `--strict` without a container.
    #[error(transparent)]
    Strict(#[from] StrictProcessError),
}

impl ProgramError for CargoOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl CargoOptions {
    /// Returns an error if the command line names tests, because printing the configuration runs
    /// none.
    pub fn only_print(&self) -> Result<(), CargoOptionsError> {
        match self.names.first() {
            None => Ok(()),
            Some(name) => Err(CargoOptionsError::PrintsOnly { name: name.clone() }),
        }
    }

    /// Turns the options into settings for a machine with `cpus` CPUs.
    pub fn resolve(self, cpus: NonZeroU32) -> Result<CargoSettings, CargoOptionsError> {
        self.check_refused()?;
        let harness = HarnessArguments::read(&self.test_arguments)?;
        // Next to `--workspace` a value may be a package, which is known only once the workspace
        // is.
        let (exclude, exclude_undecided) = match self.packages.workspace {
            true => (Vec::new(), self.tests.exclude.clone()),
            false => (self.tests.exclude.clone(), Vec::new()),
        };
        let toolbox = self.common.toolbox(self.run.strict)?;
        let selected = TestSelection::parse(&self.tests.include, &exclude, VOCABULARY)?;
        let filtersets = self.tests.filterset.iter();
        let filtersets: Result<Vec<TestFilterset>, FiltersetError> =
            filtersets.map(|text| TestFilterset::parse(text)).collect();
        let whole = patterns(&self.tests.whole)?;
        let ignored = ignored(&self.tests, &self.nextest, &harness)?;
        let slots = self.slots(&harness, cpus)?;
        let stop_after = self.stop_after(&harness);
        let stream = self.stream(&harness);
        let goal = self.goal(&harness);
        let passing_output = passing_output(&self.nextest, &harness);
        let names = names(self.names, self.tests, &harness, self.grammar)?;
        let (mut common, containers) = self.common.settle(slots, self.run.timeout, passing_output);
        common.stop_after = stop_after;
        common.stream = stream;
        if goal == CargoAction::ListTests && self.grammar == CargoGrammar::NextestList {
            let format = self.nextest.list_format.unwrap_or_default().form();
            common.list_format = common.list_format.or(Some(format));
        }
        let hides = self
            .nextest
            .status_level
            .is_some_and(|level| level.hides_passing());
        let report = &mut common.report;
        if hides && goal == CargoAction::Run && report.ui.is_none() && !report.no_tui {
            report.quiet = true;
        }
        Ok(CargoSettings {
            goal,
            packages: packages(&self.packages),
            patterns: selected,
            filtersets: filtersets?,
            platform: self
                .nextest
                .platform_filter
                .and_then(PlatformFilterOption::platform),
            exclude_undecided,
            whole,
            ignored,
            names,
            doctests: doctests(&self.targets, self.grammar),
            targets: self.targets,
            build: CargoBuildOptions {
                short_messages: self.run.message_format == Some(MessageFormatOption::Short),
                ..self.build
            },
            common,
            toolbox,
            timeout_s: self.run.timeout,
            timeout: self.run.timeout.and_then(time_limit),
            containers,
            extra_arguments: {
                let words = self.nextest.config.run_extra_args.iter();
                let words = words.map(OsString::from);
                harness.extra.into_iter().chain(words).collect()
            },
            nextest: self.nextest.config,
            grammar: self.grammar,
        })
    }

    /// Returns an error if a flag of the replaced tool was given that cannot mean the same here.
    fn check_refused(&self) -> Result<(), CargoOptionsError> {
        let tool = self.grammar.peer();
        let refused = |flag: &str, instead| CargoOptionsError::PeerFlag {
            flag: flag.to_owned(),
            command: tool.command,
            instead,
        };
        if let Some((flag, instead)) = self.refused.first(tool) {
            return Err(refused(flag, instead));
        }
        if let Some(number) = &self.number_after_release
            && self.names == [number.as_str()]
        {
            let number = number.clone();
            return Err(CargoOptionsError::RepeatLetter { number });
        }
        match self.nextest.failure_output {
            Some(OutputTimeOption::Never) => Err(CargoOptionsError::FailureOutputNever),
            Some(
                OutputTimeOption::Immediate
                | OutputTimeOption::ImmediateFinal
                | OutputTimeOption::Final,
            )
            | None => Ok(()),
        }
    }

    fn goal(&self, harness: &HarnessArguments) -> CargoAction {
        let (tests, containers) = (&self.tests, &self.common.containers);
        if containers.init {
            CargoAction::Init
        } else if containers.asked().0.is_some() {
            CargoAction::Explain
        } else if tests.list_tests {
            CargoAction::ListTests
        } else if tests.list_binaries {
            CargoAction::ListBinaries
        } else if tests.list_packages {
            CargoAction::ListPackages
        } else if tests.no_run {
            CargoAction::Build
        } else if harness.has(HarnessFlag::List) {
            CargoAction::ListTests
        } else {
            match (self.grammar, self.nextest.list_type) {
                (CargoGrammar::NextestList, Some(ListTypeOption::BinariesOnly)) => {
                    CargoAction::ListBinaries
                }
                (CargoGrammar::NextestList, Some(ListTypeOption::Full) | None) => {
                    CargoAction::ListTests
                }
                (CargoGrammar::CargoTest | CargoGrammar::NextestRun, _) => CargoAction::Run,
            }
        }
    }

    fn slots(
        &self,
        harness: &HarnessArguments,
        cpus: NonZeroU32,
    ) -> Result<u32, CargoOptionsError> {
        let (option, jobs_of_tests) = match self.grammar {
            CargoGrammar::CargoTest => ("--jobs", self.build.jobs),
            // The jobs are those of the build alone.
            CargoGrammar::NextestRun | CargoGrammar::NextestList => ("--build-jobs", None),
        };
        // Cargo rejects this as well, but only once it builds.
        if self.build.jobs == Some(0) {
            return Err(CargoOptionsError::JobsZero { option });
        }
        let wanted = self.common.slots;
        let wanted = wanted.or(harness.test_threads.map(NonZeroU32::get));
        let wanted = wanted.or(self.nextest.test_threads.map(|threads| threads.of(cpus)));
        let wanted = wanted.or(jobs_of_tests.map(|jobs| match u32::try_from(jobs) {
            Ok(jobs) => jobs,
            Err(_) => cpus.get().saturating_sub(jobs.unsigned_abs()),
        }));
        Ok(options::slots(wanted, cpus))
    }

    fn stop_after(&self, harness: &HarnessArguments) -> Option<NonZeroU32> {
        let fail_fast = self.nextest.fail_fast || harness.has(HarnessFlag::FailFast);
        match (self.nextest.max_fail, self.common.stop_after, self.grammar) {
            (Some(MaximumFailures(failures)), _, _) => failures,
            (None, _, _) if fail_fast => Some(NonZeroU32::MIN),
            (None, Some(failures), _) => Some(failures),
            (None, None, CargoGrammar::NextestRun) if !self.run.no_fail_fast => {
                Some(NonZeroU32::MIN)
            }
            (None, None, _) => None,
        }
    }

    fn stream(&self, harness: &HarnessArguments) -> Option<EventStreamFormat> {
        let chosen = self.run.message_format.map(MessageFormatOption::stream);
        let json = harness.has(HarnessFlag::Json);
        chosen.unwrap_or(json.then_some(EventStreamFormat::LibtestJson))
    }
}

/// Returns whether doctests are among the tests. As in cargo, they are unless targets are selected;
/// `cargo nextest` runs none.
fn doctests(targets: &TargetOptions, grammar: CargoGrammar) -> DoctestChoice {
    match grammar {
        _ if targets.doc => DoctestChoice::Only,
        CargoGrammar::CargoTest if !targets.any() => DoctestChoice::Also,
        CargoGrammar::CargoTest | CargoGrammar::NextestRun | CargoGrammar::NextestList => {
            DoctestChoice::Without
        }
    }
}

fn passing_output(nextest: &NextestOptions, harness: &HarnessArguments) -> PassingTestOutput {
    let wanted = match nextest.success_output {
        Some(
            OutputTimeOption::Immediate
            | OutputTimeOption::ImmediateFinal
            | OutputTimeOption::Final,
        ) => true,
        Some(OutputTimeOption::Never) | None => false,
    };
    let live = nextest.no_capture || harness.has(HarnessFlag::NoCapture);
    match (live, wanted || harness.has(HarnessFlag::ShowOutput)) {
        (true, _) => PassingTestOutput::Shown,
        (false, true) => PassingTestOutput::ShownAtEnd,
        (false, false) => PassingTestOutput::Hidden,
    }
}

impl PlatformFilterOption {
    fn platform(self) -> Option<FiltersetPlatform> {
        match self {
            PlatformFilterOption::Target => Some(FiltersetPlatform::Target),
            PlatformFilterOption::Host => Some(FiltersetPlatform::Host),
            PlatformFilterOption::Any => None,
        }
    }
}

fn patterns(texts: &[String]) -> Result<Vec<TestPattern>, PatternError> {
    let texts = texts.iter();
    texts
        .map(|text| TestPattern::parse(text, VOCABULARY))
        .collect()
}

fn packages(options: &PackageOptions) -> PackageChoice {
    if !options.package.is_empty() {
        PackageChoice::Named(options.package.clone())
    } else if options.workspace {
        PackageChoice::Workspace
    } else {
        PackageChoice::Default
    }
}

fn ignored(
    tests: &CargoTestOptions,
    nextest: &NextestOptions,
    harness: &HarnessArguments,
) -> Result<IgnoredTests, CargoOptionsError> {
    let only = tests.ignored || harness.has(HarnessFlag::Ignored);
    let include = tests.include_ignored || harness.has(HarnessFlag::IncludeIgnored);
    match (only, include, nextest.run_ignored) {
        (true, true, _) => Err(CargoOptionsError::IgnoredTwice),
        (true, false, _) => Ok(IgnoredTests::Only),
        (false, true, _) => Ok(IgnoredTests::Run),
        (false, false, Some(RunIgnoredOption::Only)) => Ok(IgnoredTests::Only),
        (false, false, Some(RunIgnoredOption::All)) => Ok(IgnoredTests::Run),
        (false, false, Some(RunIgnoredOption::Default) | None) => Ok(IgnoredTests::Report),
    }
}

fn names(
    names: Vec<String>,
    tests: CargoTestOptions,
    harness: &HarnessArguments,
    grammar: CargoGrammar,
) -> Result<NameFilter, CargoOptionsError> {
    let exact = harness.has(HarnessFlag::Exact);
    match (grammar, names.first()) {
        (CargoGrammar::NextestRun | CargoGrammar::NextestList, Some(name))
            if exact && !tests.exact =>
        {
            let name = name.clone();
            return Err(CargoOptionsError::ExactElsewhere { name });
        }
        (CargoGrammar::NextestRun | CargoGrammar::NextestList | CargoGrammar::CargoTest, _) => {}
    }
    let joined =
        |own: Vec<String>, after: &[String]| own.into_iter().chain(after.to_vec()).collect();
    Ok(NameFilter {
        names: joined(names, &harness.names),
        skip: joined(tests.skip, &harness.skip),
        matching: match tests.exact || exact {
            true => NameMatch::Whole,
            false => NameMatch::Part,
        },
    })
}
