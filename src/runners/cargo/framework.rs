//! All of `cargo maelstrom`'s parts together, as the engine drives them.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::engine::event::{EventKind, Isolation, SourceLocation, Text};
use crate::engine::framework::{DiscoverySummary, Framework, Host};
use crate::runners::sandbox;
use crate::runners::sandbox::container::Toolbox;
use crate::runners::sandbox::invocation::Invocation;

use super::build::{Build, BuildMessage, build_arguments};
use super::discovery::{Discovery, Project};
use super::environment::config;
use super::error::CargoError;
use super::location;
use super::metadata::Workspace;
use super::notices;
use super::options::{Goal, Settings};
use super::selection::Wanted;
use super::toolchain::{self, Toolchain};

/// Builds, lists and reads the tests of a Cargo workspace.
#[derive(Debug)]
pub struct CargoFramework {
    settings: Settings,
    invocation: Invocation,
    /// Where the compiler's relative paths start; known once discovery has begun.
    root: OnceLock<PathBuf>,
}

impl CargoFramework {
    /// With these settings, called so.
    pub fn new(settings: Settings, invocation: Invocation) -> CargoFramework {
        CargoFramework {
            settings,
            invocation,
            root: OnceLock::new(),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The lines of `--list-packages`. Nothing is built.
    pub async fn list_packages(&self) -> Result<Vec<String>, CargoError> {
        let (_, wanted) = self.wanted().await?;
        let names = wanted.packages.iter().map(|package| package.name());
        Ok(names.map(str::to_owned).collect())
    }

    /// The lines of `--list-binaries`. Nothing is built.
    pub async fn list_binaries(&self) -> Result<Vec<String>, CargoError> {
        let (_, wanted) = self.wanted().await?;
        let mut lines = Vec::new();
        for package in &wanted.packages {
            let targets = package.tested_targets();
            let possible = targets.filter(|target| wanted.target(package, target).possible());
            lines.extend(possible.map(|target| target.listing_line(package)));
        }
        Ok(lines)
    }

    async fn wanted(&self) -> Result<(Workspace, Wanted), CargoError> {
        let workspace = Workspace::load(&self.invocation, &self.settings.build).await?;
        let wanted = Wanted::decide(&self.settings, &workspace)?;
        Ok((workspace, wanted))
    }

    async fn toolchain(&self) -> Result<Toolchain, CargoError> {
        Toolchain::find(&self.invocation, self.settings.build.target.as_deref()).await
    }

    fn start_build<H: Host>(&self, host: &H, wanted: &Wanted) -> Result<Option<Build>, CargoError> {
        let Some(packages) = &wanted.arguments else {
            return Ok(None);
        };
        let arguments = build_arguments(
            packages,
            &self.settings.targets,
            &self.settings.build,
            self.invocation.colours,
        );
        let words = std::iter::once(toolchain::cargo(&self.invocation))
            .chain(arguments.iter().map(|argument| argument.as_os_str()));
        host.emit(EventKind::BuildStarted {
            command: words
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        });
        Build::start(&self.invocation, &arguments).map(Some)
    }

    /// Says what the user should know about the tests that were handed over.
    fn notify<H: Host>(&self, host: &H, wanted: &Wanted) {
        match self.settings.goal {
            Goal::Run => {}
            Goal::ListTests | Goal::ListBinaries | Goal::ListPackages | Goal::Build => return,
        }
        let doctests = notices::doctests(wanted, &self.settings.targets, &self.settings.build);
        let toolbox = match (self.settings.isolation, self.settings.toolbox) {
            (Isolation::Container, Toolbox::Present) => {
                Some(sandbox::notices::toolbox("Rust toolchain"))
            }
            (Isolation::Container, Toolbox::Absent) | (Isolation::Process, _) => None,
        };
        for notice in [doctests, toolbox].into_iter().flatten() {
            host.emit(EventKind::Notice(notice));
        }
    }
}

impl Framework for CargoFramework {
    type Error = CargoError;

    async fn discover<H: Host>(&self, host: &H) -> Result<DiscoverySummary, CargoError> {
        let wanted = self.wanted().await.inspect_err(|error| {
            if let Some(said) = error.tool_output() {
                let text = Text(said.as_bytes().to_vec());
                host.emit(EventKind::BuildOutput { text });
            }
        });
        let (workspace, wanted) = wanted?;
        // A second discovery is of the same workspace.
        let _ = self.root.set(workspace.root.as_std_path().to_owned());
        host.state_directory(workspace.own_directory().join("state"));
        let Some(mut build) = self.start_build(host, &wanted)? else {
            return Ok(DiscoverySummary::default());
        };
        // The compiler is asked while cargo is at work already.
        let toolchain = self.toolchain().await?;
        let configured = config::load(&self.invocation.directory, toolchain.cargo_home.as_deref())?;
        let project = Project {
            settings: &self.settings,
            invocation: &self.invocation,
            workspace: &workspace,
            wanted: &wanted,
            toolchain: &toolchain,
            configured: &configured,
        };
        let mut discovery = Discovery::new(project, host);
        let status = loop {
            tokio::select! {
                message = build.next() => match message? {
                    BuildMessage::Finished(status) => break status,
                    message => discovery.build_message(message).await?,
                },
                () = discovery.listed(), if discovery.is_listing() => {}
            }
        };
        host.emit(EventKind::BuildFinished {
            succeeded: status.success(),
        });
        if !status.success() {
            return Err(CargoError::Build { status });
        }
        discovery.build_finished()?;
        while discovery.is_listing() {
            discovery.listed().await;
        }
        self.notify(host, &wanted);
        Ok(discovery.summary())
    }

    fn failure_location(&self, stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation> {
        let directory = &self.invocation.directory;
        let root = self.root.get().unwrap_or(directory);
        location::failure_location(stdout, stderr, root, directory)
    }
}
