//! What speaks to a broker that runs.

use super::options::Command;
use crate::engine::wire::v1;
use crate::program::failure::Failure;
use crate::program::opening::print_out;

/// Carries out a command.
pub fn run(command: Command) -> Result<u8, Failure> {
    let _ = command;
    print_out(&text(&v1::Cluster::default()))
}

/// A status as lines.
fn text(cluster: &v1::Cluster) -> String {
    let mut text = String::new();
    text.push_str(&format!("Number of workers: {}\n", cluster.workers.len()));
    text.push_str(&format!("Number of clients: {}\n", cluster.clients.len()));
    text
}
