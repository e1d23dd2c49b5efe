//! The caller's environment, filtered for tests.
//!
//! Variables that name parts of the caller's session that no container has (sockets, displays, a
//! job server) are omitted, and so are those that differ between shells without affecting tests
//! ([`WITHHELD`]). Variables that name a directory for temporary files become `/tmp`. Further
//! variables tell tools that download packages that there is no network ([`OFFLINE`]). For tests
//! that run as plain processes, the environment stays unchanged.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use maelstrom_model::event::IsolationMode;
use maelstrom_model::forwarding::EnvironmentForwarding;

use super::invocation::{Invocation, ProcessEnvironment};

/// Variables that are not passed into containers.
pub const WITHHELD: [&str; 34] = [
    // Sockets and other resources of the session.
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
    // File descriptors of make's job server.
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "MFLAGS",
    // Variables that differ between two shells of one user.
    "OLDPWD",
    "SHLVL",
    "WINDOWID",
    "XDG_SESSION_ID",
    "_",
];

/// Variables that name a directory for temporary files.
const TEMPORARY_DIRECTORY: [&str; 4] = ["TEMP", "TEMPDIR", "TMP", "TMPDIR"];

/// The directory for temporary files in a container.
const TEMPORARY: &str = "/tmp";

/// Variables that tell tools that fetch packages not to use the network. In a container, which has
/// none, they would otherwise retry for a long time; with these variables they use what is already
/// downloaded, or fail at once. An index or a proxy on loopback, which a test may have started,
/// still works with tools that make this distinction.
///
/// `-mod=mod` is not set for Go: Go refuses it in workspaces and ignores vendored packages with it.
pub const OFFLINE: [(&str, &str); 5] = [
    ("CARGO_NET_OFFLINE", "true"),
    ("GOPROXY", "off"),
    ("GOSUMDB", "off"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_RETRIES", "0"),
];

/// Adds the variables of [`OFFLINE`] that `variables` lacks, if tests run in containers.
pub fn go_offline(variables: &mut ProcessEnvironment, isolation: IsolationMode) {
    match isolation {
        IsolationMode::Process => {}
        IsolationMode::Container => {
            for (name, value) in OFFLINE {
                variables.entry(name.into()).or_insert_with(|| value.into());
            }
        }
    }
}

/// Adds the variable that tells a test that Maelstrom runs it.
pub fn announce(variables: &mut ProcessEnvironment) {
    variables.insert("MAELSTROM".into(), "1".into());
}

/// Removes the variables of [`OFFLINE`] from the environment of a test that uses the host's
/// network, except for variables that are set in the invoking environment.
pub fn go_online(variables: &mut ProcessEnvironment, invoking: &ProcessEnvironment) {
    for (name, value) in OFFLINE {
        let name = OsStr::new(name);
        if !invoking.contains_key(name) && variables.get(name).is_some_and(|own| own == value) {
            variables.remove(name);
        }
    }
}

/// Returns the invoking environment without [`WITHHELD`] and with `/tmp` for temporary files. With
/// [`IsolationMode::Process`], returns all of it unchanged.
pub fn invoking(all: &ProcessEnvironment, isolation: IsolationMode) -> ProcessEnvironment {
    match isolation {
        IsolationMode::Process => all.clone(),
        IsolationMode::Container => all
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

/// Returns a comment for the output of `--explain` that lists which variables of the invoking
/// environment are sent to a cluster's workers and which are withheld.
pub fn explain_forwarding(
    invocation: &Invocation,
    patterns: &[String],
    named: &BTreeSet<OsString>,
) -> String {
    let variables = invoking(&invocation.environment, IsolationMode::Container);
    let forwarding = EnvironmentForwarding::new(patterns, &invocation.environment);
    let parting = forwarding.partition(&variables, named);
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

    #[test]
    fn tools_are_offline_unless_the_caller_says_otherwise() {
        let variables = |pairs: &[(&str, &str)]| -> ProcessEnvironment {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        let caller = variables(&[("GOPROXY", "off"), ("PIP_RETRIES", "7"), ("X", "1")]);
        let mut process = caller.clone();
        go_offline(&mut process, IsolationMode::Process);
        assert_eq!(process, caller);
        let mut offline = caller.clone();
        go_offline(&mut offline, IsolationMode::Container);
        let told = [
            ("CARGO_NET_OFFLINE", "true"),
            ("GOPROXY", "off"),
            ("GOSUMDB", "off"),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("PIP_RETRIES", "7"),
            ("X", "1"),
        ];
        assert_eq!(offline, variables(&told));
        go_online(&mut offline, &caller);
        assert_eq!(offline, caller);
    }
}
