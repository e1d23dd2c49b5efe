//! Ownership of runs: only the client that opened a run may resume it.
//!
//! A run belongs to the credential that opened it and, if its client sent one, to a secret. Both
//! must be presented again. Only a hash of the secret is stored. A run that was opened without
//! either cannot be resumed, because its owner cannot be distinguished from others.

use crate::security::roles::{ClusterRole, MemberIdentity};
use maelstrom_container::digest::ContentHash;

/// The minimum length of a secret: infeasible to guess.
const SECRET_BYTES_MIN: usize = 16;

/// The maximum length: more random bits are of no use.
const SECRET_BYTES_MAX: usize = 64;

/// The error of a client that names another client's run.
pub const FOREIGN: &str = "the run of this name was opened by another client: only the credential and the \
                           secret that it was opened with resume it";

/// The error of a client that names a run without an identifiable owner.
pub const NOBODYS: &str = "the run of this name was opened without a credential and without a secret, so it \
                           cannot be resumed: begin another one, with `Hello.secret`";

/// The error of a job whose client may not request the privileges that it needs.
pub const UNPRIVILEGED: &str = "the job wants all privileges in its container, and only who has the role \
                                `privileged` may have such jobs run on this cluster; its operator makes \
                                such a credential with `maelstrom-broker credentials`";

/// The privileges that a client's jobs may request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivilegeScope {
    /// The privileges that a worker grants every job.
    Ordinary,
    /// All privileges that a worker allows.
    Everything,
}

/// The owner of a run: a credential, a secret, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOwner {
    /// The credential: its role and its name.
    member: Option<String>,
    /// The hash of the secret.
    secret: Option<[u8; 32]>,
}

impl RunOwner {
    /// Creates the owner with this credential, as returned by [`member`], and this secret; an empty
    /// secret means none.
    pub fn new(member: Option<String>, secret: &[u8]) -> Result<RunOwner, String> {
        let secret = match secret.len() {
            0 => None,
            SECRET_BYTES_MIN..=SECRET_BYTES_MAX => Some(hash(secret)),
            other => {
                return Err(format!(
                    "a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} random bytes; this one has \
                     {other}"
                ));
            }
        };
        Ok(RunOwner { member, secret })
    }

    /// Returns an error unless another client is this owner.
    pub fn check(&self, somebody: &RunOwner) -> Result<(), &'static str> {
        // Without credential and secret, every client would match.
        if self.member.is_none() && self.secret.is_none() {
            return Err(NOBODYS);
        }
        let is_member = self.member.is_none() || self.member == somebody.member;
        let knows = self.secret.is_none() || self.secret == somebody.secret;
        match is_member && knows {
            true => Ok(()),
            false => Err(FOREIGN),
        }
    }

    /// Returns the privileges that the owner's jobs may request. A broker without authentication
    /// leaves that decision to its workers.
    pub fn may_ask(&self) -> PrivilegeScope {
        let Some(member) = &self.member else {
            return PrivilegeScope::Everything;
        };
        let role = member.split(' ').next().unwrap_or_default();
        match role.parse::<ClusterRole>() {
            Ok(role) if role.is_among(&[ClusterRole::Privileged]) => PrivilegeScope::Everything,
            Ok(_) | Err(_) => PrivilegeScope::Ordinary,
        }
    }

    /// Returns the form that the journal stores.
    pub fn recorded(&self) -> (&str, &[u8]) {
        let secret = self.secret.as_ref();
        (
            self.member.as_deref().unwrap_or_default(),
            secret.map_or(&[][..], |hash| hash.as_slice()),
        )
    }

    /// Restores the owner from the form that the journal stores. An invalid record matches no
    /// client.
    pub fn of_record(member: &str, secret: &[u8]) -> RunOwner {
        let nobody = RunOwner::default();
        let secret = match <[u8; 32]>::try_from(secret) {
            Ok(hash) => Some(hash),
            Err(_) if secret.is_empty() => None,
            // Without the secret, any client with the credential would be the owner.
            Err(_) => return nobody,
        };
        RunOwner {
            member: Some(member.to_owned()).filter(|member| !member.is_empty()),
            secret,
        }
    }
}

/// Returns the name of a credential, as it identifies owners.
pub fn member(identity: &MemberIdentity) -> String {
    format!("{} {}", identity.role, identity.name)
}

fn hash(secret: &[u8]) -> [u8; 32] {
    *ContentHash::of(&[b"maelstrom secret of a run ".as_slice(), secret].concat()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(member: &str, secret: &[u8]) -> RunOwner {
        let member = Some(member.to_owned()).filter(|member| !member.is_empty());
        RunOwner::new(member, secret).unwrap()
    }

    /// Who opened a run, who names it, and whether access is granted.
    #[test]
    fn only_who_opened_a_run_resumes_it() {
        const A: &[u8] = &[1; 16];
        const B: &[u8] = &[2; 32];
        type PrivilegeCase<'a> = (&'a str, &'a [u8], &'a str, &'a [u8], bool);
        let rows: [PrivilegeCase<'_>; 14] = [
            ("", A, "", A, true),
            ("", A, "", B, false),
            ("", A, "", b"", false),
            ("", b"", "", b"", false),
            ("", b"", "", A, false),
            ("", b"", "client ann", b"", false),
            ("client ann", b"", "client ann", b"", true),
            ("client ann", b"", "client bob", b"", false),
            ("client ann", b"", "admin ann", b"", false),
            ("client ann", A, "client ann", A, true),
            ("client ann", A, "client ann", B, false),
            ("client ann", A, "client ann", b"", false),
            ("client ann", A, "client bob", A, false),
            ("client ann", A, "", A, false),
        ];
        for (opener, secret, other, shown, expected) in rows {
            let opened = owner(opener, secret);
            let (member, hash) = opened.recorded();
            let recalled = RunOwner::of_record(member, hash);
            assert_eq!(recalled, opened);
            for opened in [opened, recalled] {
                let is_let_in = opened.check(&owner(other, shown)).is_ok();
                assert_eq!(
                    is_let_in, expected,
                    "{opener:?} {secret:?} {other:?} {shown:?}"
                );
            }
        }
    }

    #[test]
    fn who_is_privileged_is_told_by_the_role() {
        for (member, expected) in [
            ("", PrivilegeScope::Everything),
            ("client ann", PrivilegeScope::Ordinary),
            ("client privileged", PrivilegeScope::Ordinary),
            ("writer ann", PrivilegeScope::Ordinary),
            ("privileged ann", PrivilegeScope::Everything),
            ("admin ann", PrivilegeScope::Everything),
            ("nonsense", PrivilegeScope::Ordinary),
        ] {
            assert_eq!(owner(member, b"").may_ask(), expected, "{member}");
        }
    }

    #[test]
    fn a_secret_is_neither_kept_nor_short() {
        let secret = b"sixteen bytes or more";
        let opened = owner("", secret);
        assert!(
            !opened
                .recorded()
                .1
                .windows(8)
                .any(|part| secret.windows(8).any(|it| it == part))
        );
        assert!(RunOwner::new(None, &[1; 15]).is_err());
        assert!(RunOwner::new(None, &[1; 65]).is_err());
        let damaged = RunOwner::of_record("client ann", &[1; 7]);
        assert!(damaged.check(&owner("client ann", b"")).is_err());
    }
}
