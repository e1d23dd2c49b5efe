//! Roles and identities.

use std::fmt;
use std::str::FromStr;

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClusterRole {
    /// Run jobs, and read the cluster's status.
    Client,
    /// What a client may, and write results of actions, which all others then take for true.
    Writer,
    /// What a client may, and have jobs run that have all privileges in their containers, where a
    /// worker
    Privileged,
    Worker,
    Admin,
}

/// An unknown role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a role: `client`, `writer`, `privileged`, `worker` or `admin` is expected"
)]
pub struct RoleError {
    pub text: String,
}

/// The identity behind a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberIdentity {
    /// The name in the credential.
    pub name: String,
    /// The role of the credential.
    pub role: ClusterRole,
}

impl ClusterRole {
    /// Every role.
    pub const ALL: [ClusterRole; 5] = [
        ClusterRole::Client,
        ClusterRole::Writer,
        ClusterRole::Privileged,
        ClusterRole::Worker,
        ClusterRole::Admin,
    ];

    /// Whether this role implies one of these.
    pub fn is_among(self, allowed: &[ClusterRole]) -> bool {
        match self {
            ClusterRole::Admin => true,
            ClusterRole::Writer | ClusterRole::Privileged => {
                allowed.contains(&self) || allowed.contains(&ClusterRole::Client)
            }
            ClusterRole::Client | ClusterRole::Worker => allowed.contains(&self),
        }
    }
}

impl fmt::Display for ClusterRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            ClusterRole::Client => "client",
            ClusterRole::Writer => "writer",
            ClusterRole::Privileged => "privileged",
            ClusterRole::Worker => "worker",
            ClusterRole::Admin => "admin",
        })
    }
}

impl FromStr for ClusterRole {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<ClusterRole, RoleError> {
        let known = ClusterRole::ALL
            .into_iter()
            .find(|role| role.to_string() == text);
        known.ok_or_else(|| RoleError {
            text: text.to_owned(),
        })
    }
}
