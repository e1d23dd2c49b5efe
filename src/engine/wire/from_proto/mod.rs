//! Converts and validates messages: from protobuf to the engine's own types.
//!
//! Nothing returned from here exceeds a limit of [`super::limits`]. An unknown enum value is an
//! error, never a default; paths are absolute and free of `..`; and no string that reaches the
//! kernel contains a NUL byte.
//!
//! - [`container`]: containers, whose sources the caller maps to local paths.
//! - [`job`]: templates, jobs and job results.
//! - [`process`]: programs and their environments.
//! - This file: the scalar types that both use.

pub mod container;
pub mod job;
mod process;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::error::WireError;
use super::limits::{CONTENT_BYTES_MAX, PATH_BYTES_MAX, TEXT_BYTES_MAX};
use super::v1;
use maelstrom_container::digest::Digest;
use maelstrom_model::backend::StopMode;
use maelstrom_model::event::OutputStream;
use maelstrom_model::event::untrusted_text::UntrustedText;
use maelstrom_model::job::OutputPipes;

pub use self::container::{ContentSource, container};
pub use self::job::{JobOrder, TemplateSpec, ToolboxPath, discarded, job, job_result, template};

/// Converts a digest.
pub fn digest(message: &v1::Digest) -> Result<Digest, WireError> {
    let what = "digest";
    let hash = message.hash.parse();
    let hash = hash.map_err(|_| {
        let expected = "64 lower-case hexadecimal digits";
        WireError::invalid(what, message.hash.as_bytes(), expected)
    })?;
    let size = message.size_bytes;
    let size_bytes = u64::try_from(size)
        .ok()
        .filter(|size| *size <= CONTENT_BYTES_MAX);
    let size_bytes = size_bytes.ok_or_else(|| {
        let expected = "a number of bytes from 0 to 2^40";
        WireError::invalid("size of a content", size.to_string().as_bytes(), expected)
    })?;
    Ok(Digest { hash, size_bytes })
}

/// Converts the 16-byte ID of a run or of a worker process.
pub fn name16(what: &'static str, bytes: &[u8]) -> Result<[u8; 16], WireError> {
    bytes
        .try_into()
        .map_err(|_| WireError::invalid(what, bytes, "16 bytes"))
}

/// Returns untrusted text for display, truncated to a readable length.
pub fn text(text: &str) -> UntrustedText {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    UntrustedText::from(&text[..end])
}

/// Converts a duration.
pub fn duration(message: &prost_types::Duration) -> Result<Duration, WireError> {
    let invalid = || {
        let text = format!("{} s {} ns", message.seconds, message.nanos);
        let expected = "no less than nothing, and less than a second of nanoseconds";
        WireError::invalid("length of time", text.as_bytes(), expected)
    };
    let seconds = u64::try_from(message.seconds).map_err(|_| invalid())?;
    let nanos = u32::try_from(message.nanos).map_err(|_| invalid())?;
    if nanos >= 1_000_000_000 {
        return Err(invalid());
    }
    Ok(Duration::new(seconds, nanos))
}

/// Converts an optional duration.
pub fn optional_duration(
    message: Option<&prost_types::Duration>,
) -> Result<Option<Duration>, WireError> {
    message.map(duration).transpose()
}

/// Converts an output stream.
pub fn stream(number: i32) -> Result<OutputStream, WireError> {
    match v1::Stream::try_from(number) {
        Ok(v1::Stream::Stdout) => Ok(OutputStream::Stdout),
        Ok(v1::Stream::Stderr) => Ok(OutputStream::Stderr),
        Ok(v1::Stream::Joined) => Ok(OutputStream::Joined),
        Ok(v1::Stream::Unspecified) | Err(_) => Err(unknown("stream", number)),
    }
}

/// Converts whether a job's output streams are separate.
pub fn output_pipes(number: i32) -> Result<OutputPipes, WireError> {
    match v1::OutputPipes::try_from(number) {
        Ok(v1::OutputPipes::Separate) => Ok(OutputPipes::Separate),
        Ok(v1::OutputPipes::Joined) => Ok(OutputPipes::Joined),
        Err(_) => Err(unknown("kind of output pipes", number)),
    }
}

/// Converts a stop mode.
pub fn stop(number: i32) -> Result<StopMode, WireError> {
    match v1::Stop::try_from(number) {
        Ok(v1::Stop::Terminate) => Ok(StopMode::Terminate),
        Ok(v1::Stop::Kill) => Ok(StopMode::Kill),
        Ok(v1::Stop::Unspecified) | Err(_) => Err(unknown("way to stop", number)),
    }
}

fn unknown(what: &'static str, number: i32) -> WireError {
    let expected = "one that this version knows";
    WireError::invalid(what, number.to_string().as_bytes(), expected)
}

/// Converts an absolute path without `..`.
fn absolute(what: &'static str, bytes: &[u8]) -> Result<PathBuf, WireError> {
    let path = PathBuf::from(string(what, bytes, PATH_BYTES_MAX)?);
    let is_straight = |path: &Path| {
        let mut components = path.components();
        components.all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
    };
    if !path.is_absolute() || !is_straight(&path) {
        let expected = "an absolute path without `..`";
        return Err(WireError::invalid(what, bytes, expected));
    }
    // Normalizes repeated slashes, because paths are compared.
    Ok(path.components().collect())
}

/// Converts a string that is passed to the kernel.
fn string(what: &'static str, bytes: &[u8], bytes_max: usize) -> Result<OsString, WireError> {
    if bytes.len() > bytes_max {
        return Err(WireError::invalid(what, bytes, "something shorter"));
    }
    if bytes.contains(&0) {
        return Err(WireError::invalid(
            what,
            bytes,
            "something without NUL bytes",
        ));
    }
    Ok(OsString::from_vec(bytes.to_vec()))
}

#[cfg(test)]
mod tests;
