//! Protocol version negotiation.
//!
//! A release speaks its own version and the previous one, so a cluster can be upgraded machine by
//! machine. If two peers have no version in common, the error names both sides and the remedy.

use std::sync::LazyLock;

use super::from_proto::text;
use super::v1;

/// The highest version that this release speaks.
const HIGHEST: u32 = 1;

/// The lowest version that this release speaks.
const LOWEST: u32 = 1;

/// The versions that this release speaks.
pub static VERSIONS: LazyLock<v1::Versions> = LazyLock::new(|| v1::Versions {
    lowest: LOWEST,
    highest: HIGHEST,
    release: env!("CARGO_PKG_VERSION").to_owned(),
});

/// Returns the version to speak with a peer (`client`, `worker`, `broker`), or an error message.
pub fn agree(theirs: Option<&v1::Versions>, who: &str) -> Result<u32, String> {
    let Some(theirs) = theirs else {
        return Err(format!("the {who} does not say which versions it speaks"));
    };
    let highest = HIGHEST.min(theirs.highest);
    if highest >= LOWEST.max(theirs.lowest) && theirs.lowest <= theirs.highest {
        return Ok(highest);
    }
    let release = match theirs.release.as_str() {
        "" => "of an unnamed release".to_owned(),
        release => text(release).to_string(),
    };
    let ours = env!("CARGO_PKG_VERSION");
    let older = match theirs.highest < LOWEST {
        true => format!("update the {who}"),
        false => format!("update this side, or use an older {who}"),
    };
    Err(format!(
        "the {who} ({release}) speaks the protocol's versions {} to {}, this side ({ours}) {LOWEST} \
         to {HIGHEST}: {older}",
        theirs.lowest, theirs.highest
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(lowest: u32, highest: u32) -> v1::Versions {
        v1::Versions {
            lowest,
            highest,
            release: "9.9.9".to_owned(),
        }
    }

    #[test]
    fn neighbors_agree_and_strangers_are_told_why_not() {
        assert_eq!(agree(Some(&VERSIONS), "worker"), Ok(HIGHEST));
        assert_eq!(
            agree(Some(&versions(0, HIGHEST + 3)), "worker"),
            Ok(HIGHEST)
        );
        let newer = agree(Some(&versions(HIGHEST + 1, HIGHEST + 2)), "broker").unwrap_err();
        assert!(newer.contains("broker (9.9.9)") && newer.contains("update this side"));
        let older = agree(Some(&versions(0, LOWEST - 1)), "worker").unwrap_err();
        assert!(older.ends_with("update the worker"), "{older}");
        assert!(agree(Some(&versions(2, 0)), "worker").is_err());
        assert!(agree(None, "client").unwrap_err().contains("client"));
    }
}
