//! Notices to the user about how jobs run.

use maelstrom_container::exhausted::ExhaustedResource;
use maelstrom_model::event::{NoticeSeverity, UserNotice};
use maelstrom_model::job::ProcessSpec;

/// Returns a notice that jobs wait for a resource.
pub(super) fn waits(exhausted: ExhaustedResource) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: format!("fewer jobs run at a time: {}", exhausted.message()),
        help: Some(exhausted.help().to_owned()),
        in_summary: true,
    }
}

/// Returns a notice that jobs start their own processes, without a fork server.
pub(super) fn no_forks(resident: &ProcessSpec, reason: &str) -> UserNotice {
    let program = resident.program.to_string_lossy();
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: format!(
            "tests start {program} afresh instead of forking one that is ready: {reason}"
        ),
        help: None,
        in_summary: true,
    }
}
