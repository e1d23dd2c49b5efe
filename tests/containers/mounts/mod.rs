//! What a job can change by way of a container's mounts, and what it sees where the host itself has
//! mounts in the way. Real containers.

mod composed;
mod inodes;
mod left;
mod slot;
