//! The test runners on projects: what is found, what runs in which container, and what is told.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/feed.rs"]
mod feed;
#[path = "../support/job_rows.rs"]
mod job_rows;
#[path = "../support/mod.rs"]
mod support;

mod cargo_discovery;
mod cargo_doctests;
mod cargo_places;
mod cargo_ran;
mod changed;
mod driver;
mod filtersets;
mod fixtures;
mod go_habits;
mod go_json;
mod go_program;
mod go_unruly;
mod go_words;
mod hanging;
mod images;
mod job_fields;
mod job_insides;
mod jobs_discovery;
mod output_order;
mod peer_flags;
mod profiles;
mod pytest;
mod pytest_junit;
mod pytest_sessions;
mod reports;
mod run_modes;
mod run_program;
mod sharing;
mod specified;
mod specified_go;
mod specified_image;
mod specified_pytest;
mod watch;
mod watch_languages;
