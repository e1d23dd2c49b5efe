//! The part of the tests that a run takes, and the files of the tests' times: those that decide about
//! the part are read before the run, and the one that the run writes is checked.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;

use super::failure::ProgramFailure;
use maelstrom_engine::run::partition::{PartitionScheme, TestPartition};
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::{NoticeSeverity, UserNotice};
use maelstrom_model::exit_code;
use maelstrom_runners::options::partition::{
    PartitionOption, PartitionOptions, PartitionSchemeOption,
};
use maelstrom_ui::export::ReportTarget;
use maelstrom_ui::export::test_times::{SecondsByTitle, TestTimesFile};

/// The maximum number of seconds of a test: more than any takes, and still a [`Duration`].
const SECONDS_MAX: f64 = 1e9;

/// A file of tests' times that cannot be used.
#[derive(Debug, Diagnostic, thiserror::Error)]
enum TestTimesError {
    #[error("cannot read the tests' times in {path}")]
    #[diagnostic(help(
        "name a file that `--write-times` has written, or a directory of such files"
    ))]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} does not have the times of tests")]
    #[diagnostic(help(
        "a JSON object is expected that has a number of seconds for each title of a test, as \
         `--write-times` writes it"
    ))]
    Form {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("`--partition-times` is for `--partition time:M/N`")]
    #[diagnostic(help("leave it out, or divide the tests by their times"))]
    OtherScheme,
    #[error("`--partition time:M/N` needs the times of tests")]
    #[diagnostic(help(
        "give all parts the same `--partition-times FILE`, which `--write-times` writes; it may be \
         missing in the first run"
    ))]
    None,
}

impl ProgramError for TestTimesError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Returns the part of the tests that the options select, if not all. Adds a notice for files of times
/// that do not exist yet, as before the first run.
pub(super) fn partition(
    options: &PartitionOptions,
    notices: &mut Vec<UserNotice>,
) -> Result<Option<TestPartition>, ProgramFailure> {
    let Some(PartitionOption {
        scheme,
        part,
        parts,
    }) = options.partition
    else {
        return Ok(None);
    };
    let files = &options.partition_times;
    let scheme = match scheme {
        PartitionSchemeOption::Time if files.is_empty() => return Err(TestTimesError::None.into()),
        PartitionSchemeOption::Time => {
            let mut times = BTreeMap::new();
            for path in files {
                match read_all(path)? {
                    Some(seconds) => add_times(&mut times, seconds),
                    None => notices.push(no_times_yet(path)),
                }
            }
            PartitionScheme::Time(times)
        }
        _ if !files.is_empty() => return Err(TestTimesError::OtherScheme.into()),
        PartitionSchemeOption::Slice => PartitionScheme::Slice,
        PartitionSchemeOption::Count => PartitionScheme::Count,
        PartitionSchemeOption::Hash => PartitionScheme::Hash,
    };
    Ok(Some(TestPartition {
        part: part.get(),
        parts: parts.get(),
        scheme,
    }))
}

/// Returns the file of times that the run writes, if any. A run of all tests keeps the times of tests
/// that it does not run; that of a part does not, so that the files of all parts have each test once.
pub(super) fn written_times(
    options: &PartitionOptions,
) -> Result<Option<TestTimesFile>, ProgramFailure> {
    let Some(path) = &options.write_times else {
        return Ok(None);
    };
    let target = ReportTarget::check(path)?;
    let known = match options.partition {
        None if path.is_file() => read(path)?.unwrap_or_default(),
        None | Some(_) => SecondsByTitle::new(),
    };
    Ok(Some(TestTimesFile::new(target, known)))
}

/// Adds times. If a test has several, the longest counts, whatever their order.
fn add_times(times: &mut BTreeMap<String, Duration>, seconds: SecondsByTitle) {
    for (title, seconds) in seconds {
        let time = Duration::from_secs_f64(seconds.clamp(0.0, SECONDS_MAX));
        let known = times.entry(title).or_default();
        *known = time.max(*known);
    }
}

/// Reads a file, or all files of a directory that are JSON by their names. Returns `None` if there is
/// none.
fn read_all(path: &Path) -> Result<Option<SecondsByTitle>, TestTimesError> {
    if !path.is_dir() {
        return read(path);
    }
    let failed = |source| TestTimesError::Read {
        path: path.to_owned(),
        source,
    };
    let mut all: Option<SecondsByTitle> = None;
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        for (title, seconds) in read(&file)?.unwrap_or_default() {
            let known = all.get_or_insert_default().entry(title).or_insert(seconds);
            *known = known.max(seconds);
        }
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Option<SecondsByTitle>, TestTimesError> {
    let path = path.to_owned();
    match std::fs::read(&path) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(seconds) => Ok(Some(seconds)),
            Err(source) => Err(TestTimesError::Form { path, source }),
        },
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TestTimesError::Read { path, source }),
    }
}

fn no_times_yet(path: &Path) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Info,
        text: format!(
            "`{}` has no times yet: every test counts the same",
            path.display()
        ),
        help: Some("`--write-times` writes them".to_owned()),
        in_summary: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(partition: &str, times: &[&Path]) -> PartitionOptions {
        PartitionOptions {
            partition: Some(partition.parse().unwrap()),
            partition_times: times.iter().map(|path| path.to_path_buf()).collect(),
            write_times: None,
        }
    }

    #[test]
    fn times_come_from_files_and_directories_and_the_longest_counts() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        std::fs::create_dir(place("times")).unwrap();
        for (name, text) in [
            ("times/1.json", r#"{"p a": 1.5, "p b": 2}"#),
            ("times/2.json", r#"{"p a": 0.5, "p c": -3}"#),
            ("times/notes.txt", "no JSON"),
            ("more.json", r#"{"p c": 1e99}"#),
        ] {
            std::fs::write(place(name), text).unwrap();
        }
        let times = |partition: &str, files: &[&str]| {
            let files: Vec<PathBuf> = files.iter().map(|name| place(name)).collect();
            let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
            let mut notices = Vec::new();
            let found = partition_of(&options(partition, &files), &mut notices);
            (found, notices.len())
        };
        let (scheme, notices) = times("time:1/2", &["times", "more.json", "none.json"]);
        let expected = [("p a", 1.5), ("p b", 2.0), ("p c", SECONDS_MAX)];
        let expected =
            expected.map(|(title, seconds)| (title.to_owned(), Duration::from_secs_f64(seconds)));
        let known = PartitionScheme::Time(expected.into());
        assert_eq!((scheme, notices), (Ok(known), 1));
        assert_eq!(times("time:1/2", &[]), (Err(exit_code::USAGE), 0));
        assert_eq!(times("hash:1/2", &[]), (Ok(PartitionScheme::Hash), 0));
        for (partition, file) in [("slice:1/2", "more.json"), ("time:1/2", "times/notes.txt")] {
            assert_eq!(times(partition, &[file]), (Err(exit_code::USAGE), 0));
        }
    }

    fn partition_of(
        options: &PartitionOptions,
        notices: &mut Vec<UserNotice>,
    ) -> Result<PartitionScheme, u8> {
        match partition(options, notices) {
            Ok(found) => Ok(found.unwrap().scheme),
            Err(failure) => Err(failure.report()),
        }
    }
}
