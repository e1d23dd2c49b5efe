//! The file of tokens that a broker accepts.
//!
//! Each line has a role, the SHA-256 of a token in hexadecimal digits and a name, separated by
//! blanks; `#` begins a comment. The tokens themselves are not in the file, so it is of no use to
//! those who read it. The file is read again when it changes: a removed line takes effect at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::roles::{ClusterRole, MemberIdentity, RoleError};
use maelstrom_container::digest::{ContentHash, ParseHashError};
use maelstrom_container::store::FileStamp;

/// The file of tokens.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    known: Mutex<(FileStamp, Vec<TokenEntry>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct TokenEntry {
    hash: ContentHash,
    identity: MemberIdentity,
}

/// What is wrong with a token file.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error("cannot read the tokens in {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A line has too few fields.
    #[error(
        "{}:{line}: expected ROLE SHA-256 NAME, as `maelstrom-broker credentials token` prints it",
        path.display()
    )]
    Form {
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
    },
    /// A role is invalid.
    #[error("{}:{line}", path.display())]
    Role {
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        source: RoleError,
    },
    /// A hash is invalid.
    #[error("{}:{line}", path.display())]
    Hash {
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        source: ParseHashError,
    },
}

impl TokenFile {
    /// Reads a token file.
    pub fn open(path: &Path) -> Result<TokenFile, TokensError> {
        Ok(TokenFile {
            path: path.to_owned(),
            known: Mutex::new(read(path)?),
        })
    }

    /// The holder of this token.
    pub fn identify(&self, token: &str) -> Option<MemberIdentity> {
        let hash = ContentHash::of(token.as_bytes());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = fs::metadata(&self.path).map(|metadata| FileStamp::of(&metadata));
        if stamp.ok() != Some(known.0) {
            match read(&self.path) {
                Ok(read) => *known = read,
                Err(error) => {
                    let text = maelstrom_model::error::with_causes(&error);
                    // An editor may have written half of it; that must lock nobody out.
                    tracing::error!("the tokens stay what they were: {text}");
                }
            }
        }
        // Every entry is compared, by hash and not by token, so the time taken reveals nothing
        // about a token.
        let mut found = None;
        for entry in &known.1 {
            let own = entry.hash.as_bytes().iter().zip(hash.as_bytes());
            let difference = own.fold(0, |bits, (own, shown)| bits | (own ^ shown));
            if difference == 0 {
                found = Some(entry.identity.clone());
            }
        }
        found
    }
}

fn read(path: &Path) -> Result<(FileStamp, Vec<TokenEntry>), TokensError> {
    let failed = |source| TokensError::Read {
        path: path.to_owned(),
        source,
    };
    // The stamp is taken before the text is read: a file that changes in between has another stamp,
    // and is read again.
    let stamp = FileStamp::of(&fs::metadata(path).map_err(failed)?);
    let text = fs::read_to_string(path).map_err(failed)?;
    Ok((stamp, parse(path, &text)?))
}

fn parse(path: &Path, text: &str) -> Result<Vec<TokenEntry>, TokensError> {
    let mut entries = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let (path, line) = (path.to_owned(), index + 1);
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let mut words = text.split_whitespace();
        let (Some(role), Some(hash)) = (words.next(), words.next()) else {
            return Err(TokensError::Form { path, line });
        };
        let name = words.collect::<Vec<_>>().join(" ");
        if name.is_empty() {
            return Err(TokensError::Form { path, line });
        }
        let role = match role.parse() {
            Ok(role) => role,
            Err(source) => return Err(TokensError::Role { path, line, source }),
        };
        let hash = match hash.parse() {
            Ok(hash) => hash,
            Err(source) => return Err(TokensError::Hash { path, line, source }),
        };
        let identity = MemberIdentity { name, role };
        entries.push(TokenEntry { hash, identity });
    }
    Ok(entries)
}

/// The line that makes a broker accept a token.
pub fn line(role: ClusterRole, token: &str, name: &str) -> String {
    format!("{role} {} {name}\n", ContentHash::of(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use maelstrom_model::error::with_causes;

    #[test]
    fn a_token_is_known_until_its_line_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        let all = format!(
            "# the team\n{}\n{}",
            line(ClusterRole::Worker, "secret", "build 7"),
            line(ClusterRole::Admin, "other", "root")
        );
        fs::write(&path, all).unwrap();
        let tokens = TokenFile::open(&path).unwrap();
        let worker = tokens.identify("secret").unwrap();
        assert_eq!(
            (worker.name.as_str(), worker.role),
            ("build 7", ClusterRole::Worker)
        );
        assert_eq!(tokens.identify("other").unwrap().role, ClusterRole::Admin);
        assert_eq!(tokens.identify("Secret"), None);
        assert_eq!(tokens.identify(""), None);
        // Of another length, so that its stamp is another whatever the clock says.
        fs::write(&path, line(ClusterRole::Admin, "other", "root")).unwrap();
        assert_eq!(tokens.identify("secret"), None);
        fs::write(&path, "nonsense").unwrap();
        assert!(tokens.identify("other").is_some(), "what was known stays");
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let hash = "a".repeat(64);
        let mistake = |text: &str| with_causes(&parse(Path::new("tokens"), text).unwrap_err());
        assert!(mistake("\nclient").starts_with("tokens:2: expected ROLE"));
        assert!(mistake(&format!("client {hash}")).contains("expected ROLE"));
        assert!(mistake(&format!("king {hash} x")).contains("`king` is not a role"));
        assert!(mistake("client abc x").contains("`abc` is no SHA-256"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text: String) {
            drop(parse(Path::new("tokens"), &text));
        }
    }
}
