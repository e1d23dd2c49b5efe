//! The file of a report: checked before the run, and replaced as a whole, so that nobody reads half
//! of a report.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use tempfile::{Builder, NamedTempFile};

use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// The mode of a report before the umask, so that a CI service running as another user can read it.
const MODE: u32 = 0o666;

/// The file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTarget {
    path: PathBuf,
    replacement: TargetReplacement,
}

/// How a file gets new contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetReplacement {
    /// A new file takes its name.
    Renamed,
    /// A pipe or a device, such as `/dev/stdout`, is written to.
    Written,
}

/// A report that cannot be written.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("cannot write the report {path}")]
#[diagnostic(help("name a file in a directory that exists and that you can write to"))]
pub struct ReportTargetError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

impl ProgramError for ReportTargetError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl ReportTarget {
    /// Returns the file with this path, if it can be written. An existing report stays until the
    /// new one is complete.
    pub fn check(path: &Path) -> Result<ReportTarget, ReportTargetError> {
        let failed = |source| ReportTargetError {
            path: path.to_owned(),
            source,
        };
        // The file that a link leads to is replaced, not the link. A relative path must not depend
        // on the working directory at the end of the run.
        let resolved = resolve(path).map_err(failed)?;
        let target = match std::fs::metadata(&resolved) {
            Ok(found) if found.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(found) if !found.is_file() => ReportTarget {
                path: resolved,
                replacement: TargetReplacement::Written,
            },
            Ok(_) | Err(_) => {
                let target = ReportTarget {
                    path: resolved,
                    replacement: TargetReplacement::Renamed,
                };
                target.beside().map_err(failed)?;
                target
            }
        };
        Ok(target)
    }

    /// Returns the file with this path, and makes its directory if that is missing.
    pub fn make(path: &Path) -> Result<ReportTarget, ReportTargetError> {
        let directory = path.parent().unwrap_or(path);
        std::fs::create_dir_all(directory).map_err(|source| ReportTargetError {
            path: path.to_owned(),
            source,
        })?;
        ReportTarget::check(path)
    }

    /// Returns the path, absolute and without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the report. After an error, the file is as before.
    pub fn write(
        &self,
        report: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ReportTargetError> {
        let written = match self.replacement {
            TargetReplacement::Renamed => self.replace(report),
            TargetReplacement::Written => OpenOptions::new()
                .write(true)
                .open(&self.path)
                .and_then(|mut file| buffered(&mut file, report)),
        };
        written.map_err(|source| ReportTargetError {
            path: self.path.clone(),
            source,
        })
    }

    fn replace(&self, report: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut file = self.beside()?;
        buffered(file.as_file_mut(), report)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Creates a file beside the report. It is deleted unless it takes the report's name.
    fn beside(&self) -> io::Result<NamedTempFile> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        Builder::new()
            .prefix(".report-")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(directory)
    }
}

/// Returns the absolute path of a file that may not exist yet.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    if let Ok(found) = path.canonicalize() {
        return Ok(found);
    }
    let absolute = std::path::absolute(path)?;
    let (Some(directory), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    Ok(directory.canonicalize()?.join(name))
}

fn buffered(
    file: &mut File,
    report: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    report(&mut out)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(target: &ReportTarget, text: &str) -> Result<(), ReportTargetError> {
        target.write(|out| out.write_all(text.as_bytes()))
    }

    #[test]
    fn a_report_is_replaced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.xml");
        let link = directory.path().join("link.xml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::fs::write(&path, "old").unwrap();
        let target = ReportTarget::check(&link).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        target
            .write(|out| {
                out.write_all(b"half")?;
                Err(io::Error::other("no more"))
            })
            .unwrap_err();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        write(&target, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "new");
        assert!(link.is_symlink());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o600, 0o600);
        // Nothing is left beside them.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_before_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [
            directory.path().to_owned(),
            directory.path().join("absent/report.xml"),
            file.join("report.xml"),
            PathBuf::from("/proc/report.xml"),
            PathBuf::from("/"),
            PathBuf::new(),
        ] {
            let error = ReportTarget::check(&path).unwrap_err();
            assert_eq!(error.exit_code(), exit_code::USAGE);
            assert_eq!(error.path, path);
        }
    }

    #[test]
    fn a_device_is_written_to() {
        let target = ReportTarget::check(Path::new("/dev/null")).unwrap();
        write(&target, "text").unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }
}
