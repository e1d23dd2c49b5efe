//! Job files: store a test's job on disk, so that you can open a shell in the same container, with
//! the same layers down to their digests, long after the run.
//!
//! Each job has one file, which is overwritten when the same job is saved again. A file may contain
//! secrets from the environment, so only its owner can read it. Only the newest [`KEPT`] files are
//! kept.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};

use maelstrom_container::digest::ContentHash;
use maelstrom_container::private;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_model::job::{ContainerSpec, Job, OutputPipes, PlacementConstraint, ProcessSpec};

/// The number of files that are kept.
const KEPT: usize = 64;

/// The number of characters of the digest in a file's name.
const NAME_LENGTH: usize = 12;

const EXTENSION: &str = "job";

/// The version of the file format.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct JobFile {
    version: u32,
    container: Arc<ContainerSpec>,
    process: ProcessSpec,
    timeout: Option<Duration>,
}

/// Why a job file cannot be read.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[diagnostic(help("run the test again: a failure writes a new file"))]
pub enum JobFileError {
    /// The file cannot be read.
    #[error("cannot read the job {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file is not a job file.
    #[error("{} is not a job of this version of the program", path.display())]
    Form {
        path: PathBuf,
        source: postcard::Error,
    },
    /// The file has another format version.
    #[error("{} is a job of version {version}, not {VERSION}", path.display())]
    Version { path: PathBuf, version: u32 },
}

impl ProgramError for JobFileError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// A directory of job files.
#[derive(Clone, Debug)]
pub struct JobFiles {
    directory: PathBuf,
}

impl JobFiles {
    /// Uses this directory, which need not exist yet.
    pub fn new(directory: PathBuf) -> JobFiles {
        JobFiles { directory }
    }

    /// Writes a job file, replacing the file of the same job, and returns its path.
    pub fn save(&self, job: &Job) -> io::Result<PathBuf> {
        let digest = ContentHash::of(&encode(&(&job.container, &*job.process))?);
        let name = digest.to_string();
        let name = name.get(..NAME_LENGTH).unwrap_or(&name);
        let path = self.directory.join(format!("{name}.{EXTENSION}"));
        let form = JobFile {
            version: VERSION,
            container: Arc::clone(&job.container),
            process: (*job.process).clone(),
            timeout: job.timeout,
        };
        private::directory(&self.directory)?;
        let mut file = tempfile::Builder::new()
            .prefix(".job-")
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(&self.directory)?;
        file.write_all(&encode(&form)?)?;
        // An existing file is replaced as well: the new modification time keeps it among the newest
        // files.
        file.persist(&path).map_err(|error| error.error)?;
        self.prune()?;
        Ok(path)
    }

    fn prune(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = entry.path();
            if path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
            {
                files.push((entry.metadata()?.modified()?, path));
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(KEPT);
        for (_, path) in files.into_iter().take(surplus) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Encodes a value compactly, without limiting paths to UTF-8.
fn encode(form: &impl Serialize) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(form).map_err(io::Error::other)
}

/// Reads a job file.
pub fn load(path: &Path) -> Result<Job, JobFileError> {
    let bytes = fs::read(path).map_err(|source| JobFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let form: JobFile = postcard::from_bytes(&bytes).map_err(|source| JobFileError::Form {
        path: path.to_owned(),
        source,
    })?;
    if form.version != VERSION {
        return Err(JobFileError::Version {
            path: path.to_owned(),
            version: form.version,
        });
    }
    Ok(Job {
        placement: PlacementConstraint::Here,
        container: form.container,
        process: Arc::new(form.process),
        resident: None,
        timeout: form.timeout,
        // Each stream is passed on to that of the command which runs the job.
        output: OutputPipes::Separate,
        grace: None,
        needs: Default::default(),
        additions: Default::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::testing::job_of;

    fn kept() -> (tempfile::TempDir, JobFiles) {
        let directory = tempfile::tempdir().unwrap();
        let files = JobFiles::new(directory.path().join("jobs"));
        (directory, files)
    }

    #[test]
    fn a_job_comes_back_as_it_was_and_is_nobody_elses_business() {
        let (_keep, files) = kept();
        let job = job_of("cat", &["-n"]);
        let path = files.save(&job).unwrap();
        assert_eq!(load(&path).unwrap(), job);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn each_job_is_one_file_and_the_newest_stay() {
        let (_keep, files) = kept();
        let first = files.save(&job_of("cat", &["a"])).unwrap();
        assert_eq!(files.save(&job_of("cat", &["a"])).unwrap(), first);
        // Another test of the same binary.
        let second = files.save(&job_of("cat", &["b"])).unwrap();
        assert_ne!(second, first);
        let arguments = |path: &Path| load(path).unwrap().process.arguments.clone();
        assert_eq!(
            (arguments(&first), arguments(&second)),
            (vec!["a".into()], vec!["b".into()])
        );
        let mut last = first.clone();
        for user in 1..=u32::try_from(KEPT).unwrap() + 9 {
            let mut job = job_of("cat", &[]);
            Arc::make_mut(&mut job.container).user = user;
            last = files.save(&job).unwrap();
        }
        let names = fs::read_dir(last.parent().unwrap()).unwrap();
        assert_eq!(names.count(), KEPT);
    }

    #[test]
    fn what_is_no_job_is_told() {
        let (directory, files) = kept();
        let absent = directory.path().join("absent.job");
        assert!(matches!(load(&absent), Err(JobFileError::Read { .. })));
        let garbage = directory.path().join("garbage.job");
        fs::write(&garbage, "garbage").unwrap();
        assert!(load(&garbage).is_err());
        let other = JobFile {
            version: VERSION + 1,
            container: job_of("x", &[]).container,
            process: (*job_of("x", &[]).process).clone(),
            timeout: None,
        };
        let path = files.save(&job_of("x", &[])).unwrap();
        fs::write(&path, encode(&other).unwrap()).unwrap();
        let told = load(&path).unwrap_err().to_string();
        assert!(told.ends_with("is a job of version 3, not 2"), "{told}");
    }
}
