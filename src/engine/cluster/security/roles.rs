//! Who somebody is, and what that allows.

use std::fmt;
use std::str::FromStr;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Have jobs run, and see how the cluster does.
    Client,
    /// What a client may, and write results of actions, which all others then take for true.
    Writer,
    /// What a client may, and have jobs run that have all privileges in their containers, where a worker
    /// allows it.
    Privileged,
    /// Run jobs.
    Worker,
    /// Everything.
    Admin,
}

/// A text that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no role: `client`, `writer`, `privileged`, `worker` or `admin` is expected")]
pub struct RoleError {
    /// The text.
    pub text: String,
}

/// Somebody who has shown a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What the credential calls him.
    pub name: String,
    /// What he may do.
    pub role: Role,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [
        Role::Client,
        Role::Writer,
        Role::Privileged,
        Role::Worker,
        Role::Admin,
    ];

    /// Whether somebody of this role may do what is for one of these.
    pub fn is_among(self, allowed: &[Role]) -> bool {
        match self {
            Role::Admin => true,
            Role::Writer | Role::Privileged => {
                allowed.contains(&self) || allowed.contains(&Role::Client)
            }
            Role::Client | Role::Worker => allowed.contains(&self),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Role::Client => "client",
            Role::Writer => "writer",
            Role::Privileged => "privileged",
            Role::Worker => "worker",
            Role::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Role, RoleError> {
        let known = Role::ALL.into_iter().find(|role| role.to_string() == text);
        known.ok_or_else(|| RoleError {
            text: text.to_owned(),
        })
    }
}
