//! The variables of `cargo test` and `cargo nextest` that set options here, and those that are
//! refused.

use maelstrom_spec::config::{
    ConfigEnvironment, ConfigError, ConfigOption, ConfigOptionKind, ReplacedVariable,
};

use super::peer::CargoGrammar;
use crate::peers::PeerSupport;

const COLOR: ReplacedVariable = ReplacedVariable {
    name: "CARGO_TERM_COLOR",
    option: ConfigOption::new("color", ConfigOptionKind::Text),
    read: as_written,
};

/// Those of `cargo test` and of libtest.
const TEST_VARIABLES: &[ReplacedVariable] = &[
    COLOR,
    ReplacedVariable {
        name: "RUST_TEST_THREADS",
        option: ConfigOption::new("test-threads", ConfigOptionKind::NumberOrText),
        read: as_written,
    },
    ReplacedVariable {
        name: "RUST_TEST_NOCAPTURE",
        option: ConfigOption::new("no-capture", ConfigOptionKind::Boolean),
        read: unless_zero,
    },
];

/// Those of `cargo nextest run`.
const RUN_VARIABLES: &[ReplacedVariable] = &[
    COLOR,
    ReplacedVariable {
        name: "NEXTEST_TEST_THREADS",
        option: ConfigOption::new("test-threads", ConfigOptionKind::NumberOrText),
        read: as_written,
    },
    ReplacedVariable {
        name: "NEXTEST_PROFILE",
        option: ConfigOption::new("run-profile", ConfigOptionKind::Text),
        read: as_written,
    },
    ReplacedVariable {
        name: "NEXTEST_RETRIES",
        option: ConfigOption::new("retries", ConfigOptionKind::Number),
        read: as_written,
    },
    ReplacedVariable {
        name: "NEXTEST_FLAKY_RESULT",
        option: ConfigOption::new("flaky-result", ConfigOptionKind::Text),
        read: as_written,
    },
    ReplacedVariable {
        name: "NEXTEST_NO_TESTS",
        option: ConfigOption::new("no-tests", ConfigOptionKind::Text),
        read: as_written,
    },
    ReplacedVariable {
        name: "NEXTEST_STATUS_LEVEL",
        option: ConfigOption::new("status-level", ConfigOptionKind::Text),
        read: as_written,
    },
    ReplacedVariable {
        name: "NEXTEST_FAILURE_OUTPUT",
        option: ConfigOption::new("failure-output", ConfigOptionKind::Text),
        read: as_written,
    },
    ReplacedVariable {
        name: "NEXTEST_SUCCESS_OUTPUT",
        option: ConfigOption::new("success-output", ConfigOptionKind::Text),
        read: as_written,
    },
    ReplacedVariable {
        name: "NEXTEST_MESSAGE_FORMAT",
        option: ConfigOption::new("message-format", ConfigOptionKind::Text),
        read: as_written,
    },
];

/// Those of `cargo nextest list`.
const LIST_VARIABLES: &[ReplacedVariable] = &[
    COLOR,
    ReplacedVariable {
        name: "NEXTEST_PROFILE",
        option: ConfigOption::new("run-profile", ConfigOptionKind::Text),
        read: as_written,
    },
];

impl CargoGrammar {
    /// Returns the variables of the tool that set values here.
    pub(super) fn variables(self) -> &'static [ReplacedVariable] {
        match self {
            CargoGrammar::CargoTest => TEST_VARIABLES,
            CargoGrammar::NextestRun => RUN_VARIABLES,
            CargoGrammar::NextestList => LIST_VARIABLES,
        }
    }

    /// Returns an error if a variable of the tool is set that is refused.
    pub(super) fn check_variables(
        self,
        system: &impl ConfigEnvironment,
    ) -> Result<(), ConfigError> {
        for variable in self.peer().variables {
            let PeerSupport::Refused(instead) = variable.support else {
                continue;
            };
            let Some(value) = system.variable(variable.name) else {
                continue;
            };
            if !value.is_empty() {
                return Err(ConfigError::Variable {
                    name: variable.name.to_owned(),
                    reason: format!("`{}` is not supported: {instead}", value.display()),
                });
            }
        }
        Ok(())
    }
}

/// An empty variable counts as unset, as for `clap`.
fn as_written(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Any value but 0 counts, as for libtest.
fn unless_zero(text: &str) -> Option<String> {
    (text != "0").then(|| true.to_string())
}
