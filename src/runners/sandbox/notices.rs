//! Notices to the user that don't depend on the language of the tests.

use maelstrom_model::event::{NoticeSeverity, UserNotice};

/// Returns the notice that tests could read the host's programs and libraries, and `toolchain`.
pub fn toolbox(toolchain: &str) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Info,
        text: format!("the tests could read this machine's programs, libraries and {toolchain}"),
        help: Some("--strict leaves them out".to_owned()),
        in_summary: true,
    }
}

/// Returns the notice that jobs with full privileges could reach resources of the host that no
/// container isolates.
pub fn full_privileges() -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: "jobs with `privileges = \"full\"` could reach this machine's keyrings, vsock ports and \
               control groups"
            .to_owned(),
        help: None,
        in_summary: true,
    }
}
