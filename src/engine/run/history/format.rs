//! The format of `test-listing.toml`, version 3, read and written in pieces.
//!
//! A TOML parser keeps a whole document in memory, some 2 kB per test, of which a project may have
//! 100,000. But every table begins on its own line, so the text can be split at such lines and each
//! piece parsed alone. A split in the wrong place (within a string or an array of several lines,
//! which this program never writes) leaves an incomplete piece, which fails to parse; then the
//! document is parsed as a whole, and that result counts.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use maelstrom_model::event::PreviousOutcome;

/// The version of the form.
const VERSION: i64 = 3;

/// A piece is cut when it is longer than this.
const PIECE_BYTES: usize = 64 * 1024;

/// Cases written at a time.
const CASES_AT_ONCE: usize = 512;

/// Package, artifact, case.
pub(super) type PackageHistories =
    BTreeMap<String, BTreeMap<String, BTreeMap<String, CaseHistory>>>;

/// What is known of one case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct CaseHistory {
    /// Seconds, the latest last.
    #[serde(default)]
    pub timings: Vec<f64>,
    /// How it ended last.
    #[serde(default)]
    pub outcome: PreviousOutcome,
}

#[derive(Deserialize)]
struct HistoryFile {
    version: i64,
    #[serde(flatten)]
    packages: PackageHistories,
}

#[derive(Serialize, Deserialize)]
struct HistoryFileVersion {
    version: i64,
}

/// Reads a listing. One of another version is empty.
pub(super) fn read(text: &str) -> Result<PackageHistories, toml::de::Error> {
    match read_in_pieces(text) {
        Some(packages) => Ok(packages),
        None => read_at_once(text),
    }
}

/// `None` if it is not certain what the text says.
fn read_in_pieces(text: &str) -> Option<PackageHistories> {
    let (head, mut rest) = cut(text, 0);
    let HistoryFile {
        version,
        mut packages,
    } = toml::from_str(head).ok()?;
    if version != VERSION {
        return None;
    }
    while !rest.is_empty() {
        let (piece, after) = cut(rest, PIECE_BYTES);
        rest = after;
        for (package, artifacts) in toml::from_str::<PackageHistories>(piece).ok()? {
            let known = packages.entry(package).or_default();
            for (artifact, mut cases) in artifacts {
                known.entry(artifact).or_default().append(&mut cases);
            }
        }
    }
    Some(packages)
}

/// Cuts a text before the first table that begins after this many bytes.
fn cut(text: &str, after: usize) -> (&str, &str) {
    let start = text.ceil_char_boundary(after);
    let (_, tail) = text.split_at(start);
    match tail.find("\n[") {
        Some(at) => text.split_at(start + at + 1),
        None => (text, ""),
    }
}

fn read_at_once(text: &str) -> Result<PackageHistories, toml::de::Error> {
    match toml::from_str(text) {
        Ok(HistoryFile {
            version: VERSION,
            packages,
        }) => Ok(packages),
        Ok(HistoryFile { .. }) => Ok(PackageHistories::new()),
        // Another version may well have another form.
        Err(error) => match toml::from_str(text) {
            Ok(HistoryFileVersion { version }) if version != VERSION => Ok(PackageHistories::new()),
            Ok(HistoryFileVersion { .. }) | Err(_) => Err(error),
        },
    }
}

/// Writes a listing.
pub(super) fn write(packages: &PackageHistories, out: &mut impl Write) -> io::Result<()> {
    write_table(&HistoryFileVersion { version: VERSION }, out)?;
    for (package, artifacts) in packages {
        for (artifact, cases) in artifacts {
            let mut cases = cases.iter().peekable();
            while cases.peek().is_some() {
                let piece: BTreeMap<_, _> = cases.by_ref().take(CASES_AT_ONCE).collect();
                let piece = BTreeMap::from([(package, BTreeMap::from([(artifact, piece)]))]);
                out.write_all(b"\n")?;
                write_table(&piece, out)?;
            }
        }
    }
    Ok(())
}

fn write_table(table: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    let text = toml::to_string(table).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(packages: &PackageHistories) -> String {
        let mut text = Vec::new();
        write(packages, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn packages() -> impl Strategy<Value = PackageHistories> {
        let name = prop_oneof!["[a-z\\[\\]\"' \n.]{0,6}", "[a-z]{1,3}"];
        let timings = prop::collection::vec(0.0..9.0, 0..4);
        let outcome = prop::sample::select(vec![
            PreviousOutcome::New,
            PreviousOutcome::Success,
            PreviousOutcome::Failure,
        ]);
        let case =
            (timings, outcome).prop_map(|(timings, outcome)| CaseHistory { timings, outcome });
        let cases = prop::collection::btree_map(name.clone(), case, 1..5);
        let artifacts = prop::collection::btree_map(name.clone(), cases, 1..4);
        prop::collection::btree_map(name, artifacts, 0..4)
            .prop_filter("taken by the file's own", |map| {
                !map.contains_key("version")
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_in_pieces_and_at_once(packages in packages()) {
            let text = written(&packages);
            prop_assert_eq!(read_in_pieces(&text), Some(packages.clone()));
            prop_assert_eq!(read_at_once(&text), Ok(packages));
        }

        /// Invariant 9.
        #[test]
        fn no_text_makes_reading_panic(text in "\\PC*", table in "(version = 3\n)?([a\"\\[\\]=\n]|\"\"\"){0,40}") {
            drop(read(&text));
            if let (Some(pieces), Ok(whole)) = (read_in_pieces(&table), read_at_once(&table)) {
                prop_assert_eq!(pieces, whole);
            }
        }
    }

    #[test]
    fn many_pieces_make_a_whole() {
        let case = |number: u32| {
            let timings = vec![f64::from(number)];
            (
                format!("case {number}"),
                CaseHistory {
                    timings,
                    outcome: PreviousOutcome::Success,
                },
            )
        };
        let cases: BTreeMap<_, _> = (0..5_000).map(case).collect();
        let artifacts = BTreeMap::from([("a(test)".to_owned(), cases)]);
        let packages = PackageHistories::from([("p".to_owned(), artifacts)]);
        let text = written(&packages);
        assert!(text.len() > 3 * PIECE_BYTES, "{}", text.len());
        assert_eq!(read_in_pieces(&text), Some(packages));
    }

    #[test]
    fn a_cut_within_something_is_noticed() {
        let text = format!(
            "version = 3\n[p.a.\"{}\"]\ntimings = [\n[\n]]\n",
            "x".repeat(PIECE_BYTES)
        );
        assert_eq!(read_in_pieces(&text), None);
        let string = "version = 3\nother = \"\"\"\n[p.a.b]\n\"\"\"\n";
        assert_eq!(read_in_pieces(string), None);
    }
}
