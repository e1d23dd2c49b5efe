//! What a job can change by way of a container's mounts, and what it sees where the host itself has
//! mounts in the way. Real containers.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/feed.rs"]
mod feed;

mod composed;
mod inodes;
mod left;
mod slot;
