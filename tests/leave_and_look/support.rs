//! What this test shares with others.

#[path = "../support/executable.rs"]
#[allow(dead_code)] // Each test binary uses its own part.
pub mod executable;
#[path = "../support/homes.rs"]
#[allow(dead_code)] // Each test binary uses its own part.
pub mod homes;
