//! Notices about tests that do not run.

use maelstrom_model::event::{NoticeSeverity, UserNotice};

/// Returns the warning that a package has tests and none of them will run.
pub(super) fn none_listed(package: &str) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: format!(
            "no test of {package} runs: its TestMain ended the process, with success, before they \
             were listed"
        ),
        help: Some(format!("`go test -v {package}` shows what it does there")),
        in_summary: true,
    }
}

/// Returns the notice that no test runs because of `-count=0`.
pub(super) fn count_is_zero() -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Info,
        text: "the tests were built, and none runs because of -count=0".to_owned(),
        help: None,
        in_summary: true,
    }
}

/// Returns the warning that `-fuzz` matches nothing.
pub(super) fn nothing_to_fuzz(package: &str) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: format!("no fuzz tests to fuzz in {package}"),
        help: None,
        in_summary: true,
    }
}
