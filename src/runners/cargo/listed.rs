//! The listing of one test binary, until its tests are handed over to the engine.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::sandbox::project_spec::DefaultContainer;
use maelstrom_model::framework::{CapturedOutput, FrameworkHost};

use super::doctests::captured::CapturedDoctest;
use super::error::CargoError;
use super::jobs::CargoBinaryJobs;
use super::listing::{BinaryListing, CargoListingError};
use super::metadata::CargoPackage;
use super::options::CargoAction;
use super::overrides::{CargoOverride, explain, override_jobs};
use super::project::CargoProject;
use super::target::{PackageTarget, TestBinary};

/// The state of a test binary during discovery.
pub(super) enum ListingStage {
    /// The binary has listed its tests.
    Listed(ListedBinary),
    /// The containers from the project's specification file are prepared. The map has an entry per
    /// test name.
    Equipped(ListedBinary, HashMap<String, CargoOverride>),
    /// The containers of a library's doctests are prepared.
    Doctests(Box<LibraryDoctests>),
}

/// The doctests of one library, until they are handed over to the engine.
pub(super) struct LibraryDoctests {
    pub package: Arc<CargoPackage>,
    pub target: PackageTarget,
    pub doctests: Vec<CapturedDoctest>,
    /// The jobs of each program.
    pub jobs: HashMap<PathBuf, CargoBinaryJobs>,
    /// The jobs of doctests that have no program.
    pub standard: CargoBinaryJobs,
    /// The jobs according to the specification file, by the doctests' names.
    pub given: HashMap<String, CargoOverride>,
}

/// A test binary and its answer to the request for its tests.
pub(super) struct ListedBinary {
    pub package: Arc<CargoPackage>,
    pub binary: TestBinary,
    /// Its jobs, without the specification file.
    pub jobs: CargoBinaryJobs,
    /// The default container of its tests.
    pub standard: DefaultContainer,
    /// Its captured output, if it was run.
    pub all: Option<CapturedOutput>,
    pub listing: Result<BinaryListing, CargoListingError>,
}

impl ListedBinary {
    /// Records the explanations of its tests for `--explain`.
    pub(super) fn explain_to(&self, project: CargoProject<'_>) -> Result<(), CargoError> {
        match (&self.listing, project.settings.goal) {
            (Ok(listing), CargoAction::Explain) => {
                explain(project, &self.package, &self.binary, listing)
            }
            (Ok(_) | Err(_), _) => Ok(()),
        }
    }

    /// Prepares the containers of its tests according to the specification file, if the tests are
    /// to run.
    pub(super) async fn equip<H: FrameworkHost>(
        self,
        project: CargoProject<'_>,
        host: &H,
    ) -> Result<ListingStage, CargoError> {
        let given = match (&self.listing, project.settings.goal) {
            (Ok(listing), CargoAction::Run) => {
                let ListedBinary {
                    package,
                    binary,
                    jobs,
                    standard,
                    ..
                } = &self;
                override_jobs(project, host, package, binary, jobs, standard, listing).await?
            }
            (Ok(_) | Err(_), _) => HashMap::new(),
        };
        Ok(ListingStage::Equipped(self, given))
    }
}
