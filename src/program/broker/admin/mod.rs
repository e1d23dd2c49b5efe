//! Commands for a running broker: `status`, `drain` and `stop`.
//!
//! - [`broker_address`]: which broker, and with which credentials. [`text`]: its status, as lines
//!   and as JSON.
//! - [`client`]: the connection to the broker, and its errors.
//! - [`watch`]: the status as a live full-screen view.

pub(super) mod broker_address;
mod client;
mod text;
mod watch;

use self::broker_address::BrokerAddressOptions;
use self::client::AdminClient;
use super::options::{BrokerCommand, StatusOptions};
use super::security;
use crate::program::failure::ProgramFailure;
use crate::program::session::runtime;
use crate::program::startup::print_out;
use maelstrom_wire::v1::{DrainRequest, StatusRequest, StopRequest};

/// Runs one of the commands for a running broker.
pub(super) fn run(command: BrokerCommand) -> Result<u8, ProgramFailure> {
    runtime()?.block_on(async {
        match command {
            BrokerCommand::Credentials(what) => security::make(&what),
            BrokerCommand::Status(options) => status(options).await,
            BrokerCommand::Drain { there, worker } => {
                drain(&there, worker.unwrap_or_default()).await
            }
            BrokerCommand::Stop { there, workers } => stop(&there, workers).await,
        }
    })
}

async fn status(options: StatusOptions) -> Result<u8, ProgramFailure> {
    let mut broker = AdminClient::reach(&options.there).await?;
    if options.watch {
        return watch::run(broker).await;
    }
    let answer = broker.operator.status(StatusRequest {}).await;
    let cluster = answer
        .map_err(|status| broker.failure(&status))?
        .into_inner();
    print_out(&match options.json {
        true => text::json(&cluster),
        false => text::status(&cluster),
    })
}

async fn drain(there: &BrokerAddressOptions, worker: String) -> Result<u8, ProgramFailure> {
    let mut broker = AdminClient::reach(there).await?;
    let answer = broker.operator.drain(DrainRequest { worker }).await;
    let drained = answer
        .map_err(|status| broker.failure(&status))?
        .into_inner();
    print_out(&text::drained(&drained.workers))
}

async fn stop(there: &BrokerAddressOptions, workers: bool) -> Result<u8, ProgramFailure> {
    let mut broker = AdminClient::reach(there).await?;
    let answer = broker.operator.stop(StopRequest { workers }).await;
    answer.map_err(|status| broker.failure(&status))?;
    print_out(match workers {
        true => "the broker ends, and its workers finish what they run and end\n",
        false => "the broker ends; what waits is kept for its next start\n",
    })
}
