//! The listing of one test binary, until its tests can be emitted.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sandbox::project_spec::DefaultContainer;
use maelstrom_model::framework::{CapturedOutput, FrameworkHost};

use super::error::CargoError;
use super::jobs::CargoBinaryJobs;
use super::listing::{BinaryListing, CargoListingError};
use super::metadata::CargoPackage;
use super::options::CargoAction;
use super::overrides::{CargoOverride, explain, override_jobs};
use super::project::CargoProject;
use super::target::TestBinary;

/// How far a test binary has come.
pub enum ListingStage {
    /// It was asked for its tests.
    Listed(ListedBinary),
    /// What the project's own file gives to its tests is there.
    Equipped(ListedBinary, HashMap<String, CargoOverride>),
}

/// A test binary, and what it said when it was asked for its tests.
pub struct ListedBinary {
    pub package: Arc<CargoPackage>,
    pub binary: TestBinary,
    /// Its jobs, as they are without a file.
    pub jobs: CargoBinaryJobs,
    /// What its tests get without a file.
    pub standard: DefaultContainer,
    /// What it said, if it was asked.
    pub all: Option<CapturedOutput>,
    pub listing: Result<BinaryListing, CargoListingError>,
}

impl ListedBinary {
    /// Writes down what is to be said of its tests, if they are to be explained.
    pub fn explain_to(&self, project: CargoProject<'_>) -> Result<(), CargoError> {
        match (&self.listing, project.settings.goal) {
            (Ok(listing), CargoAction::Explain) => {
                explain(project, &self.package, &self.binary, listing)
            }
            (Ok(_) | Err(_), _) => Ok(()),
        }
    }

    /// Has made what the project's own file gives to its tests, if they are to be run.
    pub async fn equip<H: FrameworkHost>(
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
