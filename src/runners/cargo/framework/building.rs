//! Runs cargo: once to build the test binaries, and once to compile the doctests.

use std::ffi::OsString;
use std::path::Path;

use super::CargoFramework;
use crate::cargo::build::{
    BuildStage, CargoBuild, CargoBuildMessage, PackageArguments, build_arguments,
};
use crate::cargo::discovery::CargoDiscovery;
use crate::cargo::doctests::stage::DoctestStage;
use crate::cargo::error::CargoError;
use crate::cargo::metadata::CargoWorkspace;
use crate::cargo::options::{CargoAction, CargoBuildOptions, DoctestChoice};
use crate::cargo::progress::is_end_of_build;
use crate::cargo::project::CargoProject;
use crate::cargo::selection::CargoSelection;
use crate::cargo::{toolchain, watchlist};
use maelstrom_model::event::BuildEvent;
use maelstrom_model::framework::FrameworkHost;

impl CargoFramework {
    pub(super) fn start_build<H: FrameworkHost>(
        &self,
        host: &H,
        workspace: &CargoWorkspace,
        packages: &PackageArguments,
    ) -> Result<CargoBuild, CargoError> {
        let options = self.build_options(workspace);
        let colors = self.invocation.colors;
        let mut arguments = build_arguments(packages, &self.settings.targets, &options, colors);
        arguments.extend(workspace.directories.iter().cloned());
        self.emit_start(host, &arguments);
        CargoBuild::start(&self.invocation, &arguments, [])
    }

    fn build_options(&self, workspace: &CargoWorkspace) -> CargoBuildOptions {
        CargoBuildOptions {
            target_dir: workspace.target_dir_option(&self.settings.build),
            ..self.settings.build.clone()
        }
    }

    fn emit_start<H: FrameworkHost>(&self, host: &H, arguments: &[OsString]) {
        let words = std::iter::once(toolchain::cargo(&self.invocation))
            .chain(arguments.iter().map(|argument| argument.as_os_str()));
        host.emit(BuildEvent::Started {
            command: words
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        });
    }

    /// Follows a run of cargo to its end. Returns whether it succeeded.
    pub(super) async fn follow_build<H: FrameworkHost>(
        &self,
        mut build: CargoBuild,
        discovery: &mut CargoDiscovery<'_, H>,
        stage: BuildStage,
    ) -> Result<Result<(), CargoError>, CargoError> {
        loop {
            tokio::select! {
                message = build.next() => match (message?, stage) {
                    (CargoBuildMessage::Finished(status), _) if status.success() => {
                        return Ok(Ok(()));
                    }
                    (CargoBuildMessage::Finished(status), _) => {
                        return Ok(Err(CargoError::Build { status }));
                    }
                    (
                        CargoBuildMessage::Artifact(_)
                        | CargoBuildMessage::Script(_)
                        | CargoBuildMessage::Progress(_),
                        BuildStage::Second,
                    ) => {}
                    (CargoBuildMessage::Artifact(artifact), BuildStage::First) => {
                        if let Some(directory) = watchlist::directory_of(&artifact) {
                            self.built_from(directory);
                        }
                        discovery.build_message(CargoBuildMessage::Artifact(artifact)).await?;
                    }
                    // The first run of cargo has printed it.
                    (CargoBuildMessage::Output(text), BuildStage::Second)
                        if is_end_of_build(&text) => {}
                    (message, _) => discovery.build_message(message).await?,
                },
                listed = discovery.listed(), if discovery.is_listing() => listed?,
            }
        }
    }

    /// Compiles the doctests that are selected. Returns whether cargo succeeded.
    pub(super) async fn compile_doctests<H: FrameworkHost>(
        &self,
        host: &H,
        project: &CargoProject<'_>,
        packages: &PackageArguments,
        discovery: &mut CargoDiscovery<'_, H>,
        stage: BuildStage,
    ) -> Result<Result<(), CargoError>, CargoError> {
        let workspace = project.workspace;
        let Some(helper) = self.doctest_helper(project.wanted) else {
            return Ok(Ok(()));
        };
        let doctests = DoctestStage { project, helper };
        let directory = doctests.directory()?;
        let options = self.build_options(workspace);
        let arguments = doctests.arguments(packages, &options);
        match stage {
            BuildStage::First => self.emit_start(host, &arguments),
            BuildStage::Second => {}
        }
        let build = doctests.start(&arguments, &directory)?;
        self.kept.keep(directory);
        let built = self.follow_build(build, discovery, stage).await?;
        // An entry says already what failed.
        Ok(
            built.or_else(|error| match discovery.has_broken_doctests() {
                true => Ok(()),
                false => Err(error),
            }),
        )
    }

    /// Returns this program if it is to compile doctests.
    fn doctest_helper(&self, wanted: &CargoSelection) -> Option<&Path> {
        let lists = match self.settings.goal {
            CargoAction::Run | CargoAction::ListTests | CargoAction::Explain => true,
            CargoAction::Build
            | CargoAction::ListBinaries
            | CargoAction::ListPackages
            | CargoAction::Init => false,
        };
        let some = wanted.packages.iter().any(|package| {
            let target = package.doctests();
            target.is_some_and(|target| wanted.target(package, &target).possible())
        });
        let helper = self.helper.as_deref().filter(|_| lists && some);
        match self.settings.doctests {
            DoctestChoice::Without => None,
            DoctestChoice::Also | DoctestChoice::Only => helper,
        }
    }
}
