//! Reads and writes `test-listing.toml`, version 3, in pieces.
//!
//! A TOML parser keeps the whole document in memory, about 2 kB per test, and a project may have
//! 100,000 tests. But every table begins on its own line, so the text can be split at such lines
//! and each piece parsed alone. A split in the wrong place (within a multi-line string or array,
//! which this program never writes) leaves an incomplete piece that fails to parse. Then the
//! document is parsed as a whole, and that result counts.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use maelstrom_model::event::PreviousOutcome;

/// The version of the file format.
const VERSION: i64 = 3;

/// The minimum size of a piece, in bytes. It ends before the next table.
const PIECE_BYTES: usize = 64 * 1024;

/// The number of test cases written at a time.
const CASES_AT_ONCE: usize = 512;

/// The test cases by package, artifact and case name.
pub(super) type PackageHistories =
    BTreeMap<String, BTreeMap<String, BTreeMap<String, CaseHistory>>>;

/// The history of one test case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct CaseHistory {
    /// Durations in seconds, the latest last.
    #[serde(default)]
    pub timings: Vec<f64>,
    /// The outcome of the latest run.
    #[serde(default)]
    pub outcome: PreviousOutcome,
    /// The results of the last runs, one letter for each, the latest last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recent: String,
    /// The largest resident set in the latest run, in bytes; 0 if unknown.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub memory_peak: u64,
}

fn is_unknown(bytes: &u64) -> bool {
    *bytes == 0
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

/// Parses a history file. A file of another version is treated as empty.
pub(super) fn read(text: &str) -> Result<PackageHistories, toml::de::Error> {
    match read_in_pieces(text) {
        Some(packages) => Ok(packages),
        None => read_at_once(text),
    }
}

/// Parses the text in pieces. Returns `None` if a piece does not parse or the version differs, so
/// that the text has to be parsed as a whole.
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

/// Splits a text before the first table that begins at or after byte `after`.
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
        // Another version may have another format.
        Err(error) => match toml::from_str(text) {
            Ok(HistoryFileVersion { version }) if version != VERSION => Ok(PackageHistories::new()),
            Ok(HistoryFileVersion { .. }) | Err(_) => Err(error),
        },
    }
}

/// Writes a history file.
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
            (timings, outcome, "[pfk]{0,3}").prop_map(|(timings, outcome, recent)| CaseHistory {
                memory_peak: (timings.len() as u64) << 20,
                timings,
                outcome,
                recent,
            });
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
                    recent: "ppk".to_owned(),
                    memory_peak: 1 << 20,
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
