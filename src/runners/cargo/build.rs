//! Builds the tests with `cargo test --no-run`, and parses cargo's messages.
//!
//! Cargo's JSON messages on stdout report what was built. Its human-readable output on stderr is
//! passed through. `CARGO_TERM_PROGRESS_WHEN` makes cargo write its progress bar there, the only
//! source of the total number of units; the bar becomes [`CargoBuildMessage::Progress`].
//!
//! The build runs in its own process group. Dropping an unfinished [`CargoBuild`] kills the whole
//! group.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use cargo_metadata::{Artifact, BuildScript, Message, PackageId};
use tokio::process::{ChildStderr, ChildStdout, Command};

use crate::lines::{LineEnding, LineReader, StreamLine};
use crate::process::ProcessGroup;
use crate::sandbox::invocation::{ColorMode, Invocation};

use super::doctests;
use super::error::CargoError;
use super::options::{CargoBuildOptions, TargetOptions};
use super::progress::{CargoProgress, parse_progress};
use super::toolchain;

/// The maximum length of a JSON message. Messages contain only paths and features, since the
/// compiler's diagnostics are rendered on stderr.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The maximum length of a line of output that is passed on in one piece.
const OUTPUT_LINE_BYTES_MAX: usize = 256 * 1024;

/// A running build.
#[derive(Debug)]
pub struct CargoBuild {
    group: ProcessGroup,
    messages: LineReader<ChildStdout>,
    output: LineReader<ChildStderr>,
    open: OpenStreams,
}

/// Which of the build's output streams are still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenStreams {
    messages: bool,
    output: bool,
}

/// Which run of cargo in a discovery this is. The first one reports everything that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuildStage {
    First,
    Second,
}

/// A message from a build.
#[derive(Debug)]
pub enum CargoBuildMessage {
    /// A unit was built, or is up to date.
    Artifact(Box<Artifact>),
    /// A build script ran, in this build or an earlier one.
    Script(Box<BuildScript>),
    /// Human-readable output, in whole lines.
    Output(Vec<u8>),
    /// The build's progress.
    Progress(CargoProgress),
    /// The doctests of a library are compiled and described in this file.
    Doctests(PathBuf),
    Finished(ExitStatus),
}

/// The packages to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageArguments {
    /// The packages that cargo selects by default.
    Default,
    /// All members of the workspace.
    Workspace,
    /// The packages that the user named, as on the command line.
    Named(Vec<String>),
    /// Packages by id, which is unique, unlike names.
    Exactly(Vec<PackageId>),
}

/// Returns cargo's arguments for the build.
pub fn build_arguments(
    packages: &PackageArguments,
    targets: &TargetOptions,
    options: &CargoBuildOptions,
    colors: ColorMode,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![
        "test".into(),
        "--no-run".into(),
        // With plain `json`, cargo puts diagnostics into its messages and prints none of them.
        match options.short_messages {
            false => "--message-format=json-render-diagnostics".into(),
            true => "--message-format=json-render-diagnostics,json-diagnostic-short".into(),
        },
        match colors {
            ColorMode::Wanted => "--color=always".into(),
            ColorMode::Unwanted => "--color=never".into(),
        },
    ];
    arguments.extend(packages.to_arguments());
    arguments.extend(targets.to_arguments());
    arguments.extend(options.to_arguments());
    arguments
}

/// Returns cargo's arguments that run the doctests of these packages.
pub fn doctest_arguments(
    packages: &PackageArguments,
    options: &CargoBuildOptions,
    colors: ColorMode,
) -> Vec<OsString> {
    let options = CargoBuildOptions {
        // The reports are those of the build before.
        timings: None,
        future_incompat_report: false,
        ..options.clone()
    };
    let mut arguments = build_arguments(packages, &TargetOptions::default(), &options, colors);
    let words = [OsString::from("--doc"), "--no-fail-fast".into()];
    arguments.splice(1..2, words);
    arguments
}

impl PackageArguments {
    /// Returns cargo's arguments that select the packages.
    pub fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        match self {
            PackageArguments::Default => {}
            PackageArguments::Workspace => arguments.push("--workspace".into()),
            PackageArguments::Named(names) => pairs(&mut arguments, "--package", names),
            PackageArguments::Exactly(ids) => {
                let specs: Vec<&str> = ids.iter().map(|id| id.repr.as_str()).collect();
                pairs(&mut arguments, "--package", &specs);
            }
        }
        arguments
    }
}

impl TargetOptions {
    /// Returns whether any target is selected.
    pub fn any(&self) -> bool {
        !self.to_arguments().is_empty()
    }

    /// Returns cargo's arguments for these options.
    pub fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        flags(
            &mut arguments,
            [
                ("--lib", self.lib),
                ("--bins", self.bins),
                ("--tests", self.tests),
                ("--examples", self.examples),
                ("--benches", self.benches),
                ("--all-targets", self.all_targets),
            ],
        );
        pairs(&mut arguments, "--bin", &self.bin);
        pairs(&mut arguments, "--test", &self.test);
        pairs(&mut arguments, "--example", &self.example);
        pairs(&mut arguments, "--bench", &self.bench);
        arguments
    }
}

impl CargoBuildOptions {
    /// Returns cargo's arguments for these options.
    pub fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        flags(
            &mut arguments,
            [
                ("--release", self.release),
                ("--all-features", self.all_features),
                ("--no-default-features", self.no_default_features),
                ("--frozen", self.frozen),
                ("--locked", self.locked),
                ("--offline", self.offline),
                ("--ignore-rust-version", self.ignore_rust_version),
                ("--future-incompat-report", self.future_incompat_report),
                ("--quiet", self.cargo_quiet > 0),
            ],
        );
        arguments.extend(self.timings.iter().map(|formats| match formats.as_str() {
            "" => "--timings".into(),
            formats => format!("--timings={formats}").into(),
        }));
        pairs(&mut arguments, "--config", &self.config);
        pairs(&mut arguments, "-Z", &self.unstable);
        let verbose = (0..self.verbose).map(|_| "--verbose".into());
        arguments.extend(verbose);
        pairs(&mut arguments, "--profile", self.profile.as_slice());
        pairs(&mut arguments, "--features", &self.features);
        pairs(&mut arguments, "--target", self.target.as_slice());
        pairs(&mut arguments, "--target-dir", self.target_dir.as_slice());
        pairs(
            &mut arguments,
            "--manifest-path",
            self.manifest_path.as_slice(),
        );
        if let Some(jobs) = self.jobs {
            arguments.push("--jobs".into());
            arguments.push(jobs.to_string().into());
        }
        arguments
    }
}

fn flags<const N: usize>(arguments: &mut Vec<OsString>, flags: [(&str, bool); N]) {
    let given = flags.into_iter().filter(|(_, given)| *given);
    arguments.extend(given.map(|(flag, _)| flag.into()));
}

fn pairs<T: AsRef<std::ffi::OsStr>>(arguments: &mut Vec<OsString>, option: &str, values: &[T]) {
    for value in values {
        arguments.push(option.into());
        arguments.push(value.into());
    }
}

impl CargoBuild {
    /// Starts cargo with these arguments and further variables. Fails if the program cannot be started.
    pub fn start(
        invocation: &Invocation,
        arguments: &[OsString],
        variables: impl IntoIterator<Item = (&'static str, OsString)>,
    ) -> Result<CargoBuild, CargoError> {
        let cargo = toolchain::cargo(invocation);
        let mut command = invocation.command(cargo);
        command
            .args(arguments)
            .envs(variables)
            // Cargo refuses `always` without a width.
            .env("CARGO_TERM_PROGRESS_WHEN", "always")
            .env("CARGO_TERM_PROGRESS_WIDTH", "80");
        CargoBuild::spawn(&mut command).map_err(|source| CargoError::Start {
            program: cargo.to_string_lossy().into_owned(),
            source,
        })
    }

    fn spawn(command: &mut Command) -> std::io::Result<CargoBuild> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Cargo starts compilers and build scripts. Killing cargo alone would leave them
            // running.
            .process_group(0)
            .spawn()?;
        let gone = || std::io::Error::other("a pipe of the build is missing");
        let stdout = child.stdout.take().ok_or_else(gone)?;
        let stderr = child.stderr.take().ok_or_else(gone)?;
        Ok(CargoBuild {
            group: ProcessGroup { leader: child },
            messages: LineReader::new(stdout, MESSAGE_BYTES_MAX),
            output: LineReader::new(stderr, OUTPUT_LINE_BYTES_MAX),
            open: OpenStreams {
                messages: true,
                output: true,
            },
        })
    }

    /// Returns the next message of the build. The last one is [`CargoBuildMessage::Finished`].
    /// Cancel safe: dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<CargoBuildMessage, CargoError> {
        while self.open.messages || self.open.output {
            tokio::select! {
                line = self.messages.next(), if self.open.messages => {
                    match line.map_err(|source| CargoError::Follow { source })? {
                        Some(line) => if let Some(message) = read_message(line) {
                            return Ok(message);
                        },
                        None => self.open.messages = false,
                    }
                }
                line = self.output.next(), if self.open.output => {
                    match line.map_err(|source| CargoError::Follow { source })? {
                        Some(line) => if let Some(message) = read_output(line) {
                            return Ok(message);
                        },
                        None => self.open.output = false,
                    }
                }
            }
        }
        let ended = self.group.leader.wait().await;
        ended
            .map(CargoBuildMessage::Finished)
            .map_err(|source| CargoError::Follow { source })
    }
}

/// Parses a line of cargo's stdout. Returns `None` for messages that are not needed.
pub fn read_message(line: StreamLine) -> Option<CargoBuildMessage> {
    match serde_json::from_slice(&line.bytes) {
        Ok(Message::CompilerArtifact(artifact)) => {
            Some(CargoBuildMessage::Artifact(Box::new(artifact)))
        }
        Ok(Message::BuildScriptExecuted(script)) => {
            Some(CargoBuildMessage::Script(Box::new(script)))
        }
        Ok(_) => None,
        // A line that is not a message comes from another program that shares the stream.
        Err(_) => match doctests::read_message(&line.bytes) {
            Some(file) => Some(CargoBuildMessage::Doctests(file)),
            None => read_output(line),
        },
    }
}

/// Parses a line of cargo's stderr. Returns `None` if it contains nothing to show.
fn read_output(line: StreamLine) -> Option<CargoBuildMessage> {
    match (parse_progress(&line.bytes), line.end) {
        (Some(progress), _) => Some(CargoBuildMessage::Progress(progress)),
        // A line that ends with a carriage return and is not a progress bar erases one.
        (None, LineEnding::Return) => None,
        (None, LineEnding::Newline | LineEnding::None) => {
            let mut bytes = line.bytes;
            bytes.push(b'\n');
            Some(CargoBuildMessage::Output(bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command_line(arguments: &[OsString]) -> String {
        arguments.join(&OsString::from(" ")).into_string().unwrap()
    }

    #[test]
    fn every_option_reaches_cargo() {
        let targets = TargetOptions {
            lib: true,
            bins: true,
            bin: vec!["b".into()],
            tests: true,
            test: vec!["t".into(), "u".into()],
            examples: true,
            example: vec!["e".into()],
            benches: true,
            bench: vec!["n".into()],
            all_targets: true,
            doc: false,
        };
        let options = CargoBuildOptions {
            release: true,
            profile: Some("fast".into()),
            features: vec!["x,y".into(), "z".into()],
            all_features: true,
            no_default_features: true,
            target: Some("triple".into()),
            target_dir: Some("out".into()),
            manifest_path: Some("m/Cargo.toml".into()),
            frozen: true,
            locked: true,
            offline: true,
            ignore_rust_version: true,
            config: vec!["a.b=1".into()],
            unstable: vec!["x".into()],
            timings: Some("html".into()),
            future_incompat_report: true,
            cargo_quiet: 1,
            cargo_message_format: None,
            short_messages: true,
            verbose: 2,
            jobs: Some(-1),
        };
        let all = build_arguments(
            &PackageArguments::Named(vec!["one".into(), "two".into()]),
            &targets,
            &options,
            ColorMode::Wanted,
        );
        let least = build_arguments(
            &PackageArguments::Workspace,
            &TargetOptions::default(),
            &CargoBuildOptions::default(),
            ColorMode::Unwanted,
        );
        let exactly = build_arguments(
            &PackageArguments::Exactly(vec![PackageId {
                repr: "path+file:///p#1.0.0".into(),
            }]),
            &TargetOptions::default(),
            &CargoBuildOptions::default(),
            ColorMode::Unwanted,
        );
        let lines = [all, least, exactly].map(|arguments| command_line(&arguments));
        insta::assert_snapshot!(lines.join("\n"), @"
        test --no-run --message-format=json-render-diagnostics,json-diagnostic-short --color=always --package one --package two --lib --bins --tests --examples --benches --all-targets --bin b --test t --test u --example e --bench n --release --all-features --no-default-features --frozen --locked --offline --ignore-rust-version --future-incompat-report --quiet --timings=html --config a.b=1 -Z x --verbose --verbose --profile fast --features x,y --features z --target triple --target-dir out --manifest-path m/Cargo.toml --jobs -1
        test --no-run --message-format=json-render-diagnostics --color=never --workspace
        test --no-run --message-format=json-render-diagnostics --color=never --package path+file:///p#1.0.0
        ");
    }

    #[test]
    fn what_is_no_message_is_shown() {
        let line = |text: &str| StreamLine {
            bytes: text.into(),
            end: LineEnding::Newline,
        };
        assert!(matches!(
            read_message(line("{ broken")),
            Some(CargoBuildMessage::Output(text)) if text == b"{ broken\n"
        ));
        assert!(read_message(line(r#"{"reason":"build-finished","success":true}"#)).is_none());
        assert!(matches!(
            read_output(line("warning: unused")),
            Some(CargoBuildMessage::Output(text)) if text == b"warning: unused\n"
        ));
    }

    /// Starts a shell as if it were cargo.
    fn shell(script: &str) -> CargoBuild {
        CargoBuild::spawn(
            Command::new("sh")
                .arg("-c")
                .arg(script)
                .stdin(Stdio::null()),
        )
        .unwrap()
    }

    #[tokio::test]
    async fn both_streams_are_read_to_their_end_and_the_status_kept() {
        let mut build = shell("echo out; echo err >&2; kill -9 $$");
        let mut seen = Vec::new();
        let status = loop {
            match build.next().await.unwrap() {
                CargoBuildMessage::Output(text) => seen.push(String::from_utf8(text).unwrap()),
                CargoBuildMessage::Finished(status) => break status,
                other => panic!("{other:?}"),
            }
        };
        seen.sort();
        assert_eq!(seen, ["err\n", "out\n"]);
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
    }

    #[tokio::test]
    async fn a_dropped_build_takes_its_children_along() {
        // The grandchild holds the write end of a pipe that nobody reads. The pipe is closed when
        // all processes that have it are dead.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg("exec 3<&0; (echo ready >&2; exec cat /dev/zero >/dev/null) & wait")
            .stdin(writer);
        let mut build = CargoBuild::spawn(&mut command).unwrap();
        drop(command);
        assert!(matches!(
            build.next().await.unwrap(),
            CargoBuildMessage::Output(text) if text == b"ready\n"
        ));
        drop(build);
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut rest).unwrap();
        assert!(rest.is_empty());
    }
}
