//! A test binary that was asked for its tests, on its way to tests that can be handed over.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sandbox::specified::Standard;
use maelstrom_model::framework::{Captured, Host};

use super::error::CargoError;
use super::jobs::BinaryJobs;
use super::listing::{Listing, ListingError};
use super::metadata::Package;
use super::options::Goal;
use super::own_jobs::{Own, explain, own_jobs};
use super::project::Project;
use super::target::TestBinary;

/// How far a test binary has come.
pub enum Step {
    /// It was asked for its tests.
    Listed(Listed),
    /// What the project's own file gives to its tests is there.
    Equipped(Listed, HashMap<String, Own>),
}

/// A test binary, and what it said when it was asked for its tests.
pub struct Listed {
    /// Its package.
    pub package: Arc<Package>,
    /// The binary.
    pub binary: TestBinary,
    /// Its jobs, as they are without a file.
    pub jobs: BinaryJobs,
    /// What its tests get without a file.
    pub standard: Standard,
    /// What it said, if it was asked.
    pub all: Option<Captured>,
    /// What that means.
    pub listing: Result<Listing, ListingError>,
}

impl Listed {
    /// Writes down what is to be said of its tests, if they are to be explained.
    pub fn explain_to(&self, project: Project<'_>) -> Result<(), CargoError> {
        match (&self.listing, project.settings.goal) {
            (Ok(listing), Goal::Explain) => explain(project, &self.package, &self.binary, listing),
            (Ok(_) | Err(_), _) => Ok(()),
        }
    }

    /// Has made what the project's own file gives to its tests, if they are to be run.
    pub async fn equip<H: Host>(self, project: Project<'_>, host: &H) -> Result<Step, CargoError> {
        let given = match (&self.listing, project.settings.goal) {
            (Ok(listing), Goal::Run) => {
                let Listed {
                    package,
                    binary,
                    jobs,
                    standard,
                    ..
                } = &self;
                own_jobs(project, host, package, binary, jobs, standard, listing).await?
            }
            (Ok(_) | Err(_), _) => HashMap::new(),
        };
        Ok(Step::Equipped(self, given))
    }
}
