//! What speaks to a broker that runs.

use tonic::Status;

use super::options::{Command, There};
use super::security;
use crate::engine::config::Address;
use crate::engine::security::client::{Service, connect};
use crate::engine::wire::v1;
use crate::engine::wire::v1::operator_client::OperatorClient;
use crate::program::failure::Failure;
use crate::program::opening::print_out;
use crate::program::session::runtime;

/// Carries out a command.
pub fn run(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Credentials(what) => security::make(&what),
        Command::Status(there) => ask(&there, async |mut operator| {
            let status = operator.status(v1::StatusRequest {}).await?;
            Ok(text(status.get_ref()))
        }),
        Command::Drain { there, worker } => ask(&there, async |mut operator| {
            let worker = worker.unwrap_or_default();
            let drained = operator.drain(v1::DrainRequest { worker }).await?;
            let names = drained.into_inner().workers.into_iter();
            Ok(names.map(|name| format!("draining: {name}\n")).collect())
        }),
        Command::Stop { there, workers } => ask(&there, async |mut operator| {
            operator.stop(v1::StopRequest { workers }).await?;
            Ok(String::new())
        }),
    }
}

/// Asks a broker, and prints what comes of the answer.
fn ask(
    there: &There,
    question: impl AsyncFnOnce(OperatorClient<Service>) -> Result<String, Status>,
) -> Result<u8, Failure> {
    let answer = runtime()?.block_on(async {
        let security = there.cluster.security();
        let known = std::env::var("MAELSTROM_BROKER").ok();
        let known = known.map(|text| text.parse::<Address>()).transpose();
        let known = known.map_err(|error| Failure::usage(&error, None))?;
        let Some(broker) = &there.cluster.broker.clone().or(known) else {
            return Err(Failure::usage(&NoBroker, None));
        };
        let connection = connect(broker, &security).await;
        let connection =
            connection.map_err(|error| Failure::infrastructure(&error, error.help()))?;
        let answer = question(OperatorClient::new(connection.service())).await;
        answer.map_err(|status| {
            let error = Refused {
                broker: broker.to_string(),
                message: status.message().to_owned(),
            };
            Failure::infrastructure(&error, None)
        })
    })?;
    print_out(&answer)
}

/// No broker was named.
#[derive(Debug, thiserror::Error)]
#[error("no broker is named: `--broker HOST:PORT`, or MAELSTROM_BROKER")]
struct NoBroker;

/// The broker did not do it.
#[derive(Debug, thiserror::Error)]
#[error("the broker {broker}: {message}")]
struct Refused {
    broker: String,
    message: String,
}

/// A status as lines.
fn text(cluster: &v1::Cluster) -> String {
    let mut text = String::new();
    text.push_str(&format!("Number of workers: {}\n", cluster.workers.len()));
    text.push_str(&format!("Number of clients: {}\n", cluster.clients.len()));
    text
}
