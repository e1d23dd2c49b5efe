//! The invoking environment, as far as it means something to a test.
//!
//! What names something of the calling session that no container holds (sockets, displays, a job
//! server) is left out, and so is what changes from shell to shell without meaning ([`WITHHELD`]);
//! a directory for temporary files becomes `/tmp`. Where tests are mere processes, all of it stays.

use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::engine::event::Isolation;
use crate::engine::forwarding::Forwarding;

use super::invocation::{Invocation, Variables};

/// Variables that are withheld from containers.
pub const WITHHELD: [&str; 34] = [
    // Sockets and other things of the session.
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DESKTOP_STARTUP_ID",
    "DISPLAY",
    "GPG_AGENT_INFO",
    "ICEAUTHORITY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "PULSE_SERVER",
    "SESSION_MANAGER",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "SSH_TTY",
    "STY",
    "SYSTEMD_EXEC_PID",
    "TMUX",
    "TMUX_PANE",
    "VSCODE_GIT_IPC_HANDLE",
    "VSCODE_IPC_HOOK_CLI",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    // Descriptors of make's job server.
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "MFLAGS",
    // What differs between two shells of one user.
    "OLDPWD",
    "SHLVL",
    "WINDOWID",
    "XDG_SESSION_ID",
    "_",
];

/// Variables that name a directory for temporary files.
const TEMPORARY_DIRECTORY: [&str; 4] = ["TEMP", "TEMPDIR", "TMP", "TMPDIR"];

/// Where temporary files go in a container.
const TEMPORARY: &str = "/tmp";

/// The invoking environment, as far as it means something to a test.
pub fn invoking(all: &Variables, isolation: Isolation) -> Variables {
    match isolation {
        Isolation::Process => all.clone(),
        Isolation::Container => all
            .iter()
            .filter(|(name, _)| !WITHHELD.iter().any(|withheld| name == withheld))
            .map(|(name, value)| {
                let temporary = TEMPORARY_DIRECTORY.iter().any(|known| name == known);
                let value = if temporary {
                    OsString::from(TEMPORARY)
                } else {
                    value.clone()
                };
                (name.clone(), value)
            })
            .collect(),
    }
}

/// What of the invoking environment goes along to a cluster, as comments below what else is explained.
pub fn explain_forwarding(
    invocation: &Invocation,
    patterns: &[String],
    named: &BTreeSet<OsString>,
) -> String {
    let variables = invoking(&invocation.environment, Isolation::Container);
    let forwarding = Forwarding::new(patterns, &invocation.environment);
    let parting = forwarding.parting(&variables, named);
    let list = |names: &[OsString]| match names {
        [] => "none".to_owned(),
        names => {
            let names = names.iter().map(|name| name.to_string_lossy());
            let names: Vec<String> = names
                .map(|name| name.replace(|character: char| character.is_control(), "\u{fffd}"))
                .collect();
            names.join(", ")
        }
    };
    format!(
        "\n# Of the environment here, workers of a cluster see these variables:\n#   {}\n\
         # and not these, which --forward-environment adds by name:\n#   {}\n",
        list(&parting.sent),
        list(&parting.withheld)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_what_is_withheld_has_no_doubles() {
        let mut sorted = WITHHELD.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), WITHHELD.len());
    }
}
