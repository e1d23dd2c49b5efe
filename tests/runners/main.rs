//! The test runners on projects: what is found, what runs in which container, and what is told.

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/feed.rs"]
mod feed;
#[path = "../support/job_rows.rs"]
mod job_rows;
#[path = "../support/mod.rs"]
mod support;

mod cargo_discovery;
mod cargo_places;
mod cargo_ran;
mod driver;
#[cfg(feature = "system-tests")]
mod go_habits;
#[cfg(feature = "system-tests")]
mod go_program;
#[cfg(feature = "system-tests")]
mod go_unruly;
#[cfg(feature = "system-tests")]
mod images;
mod job_fields;
mod job_insides;
mod jobs_discovery;
#[cfg(feature = "system-tests")]
mod output_order;
#[cfg(feature = "system-tests")]
mod pytest;
#[cfg(feature = "system-tests")]
mod pytest_sessions;
mod run_modes;
mod run_program;
mod specified;
#[cfg(feature = "system-tests")]
mod specified_go;
#[cfg(feature = "system-tests")]
mod specified_image;
#[cfg(feature = "system-tests")]
mod specified_pytest;
mod watch;
#[cfg(feature = "system-tests")]
mod watch_languages;
