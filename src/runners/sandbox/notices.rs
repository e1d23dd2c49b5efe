//! Notices to the user that apply to every run in a container, whatever the language.

use maelstrom_model::event::{NoticeSeverity, UserNotice};

/// Says that tests could use the host's programs, and this toolchain.
pub fn toolbox(toolchain: &str) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Info,
        text: format!("the tests could read this machine's programs, libraries and {toolchain}"),
        help: Some("--strict leaves them out".to_owned()),
        in_summary: true,
    }
}

/// Says that jobs could reach what containers do not keep apart.
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
