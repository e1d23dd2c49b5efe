//! What speaks to a broker that runs: `status`, `drain` and `stop`.
//!
//! - [`there`]: which broker, and how to be let in. [`text`]: what it says, as lines and as JSON.
//! - [`watch`]: the same on the whole screen, as it changes.

mod text;
pub mod there;
mod watch;

use tonic::{Code, Status};

use self::there::There;
use super::options::{Command, StatusOptions};
use super::security;
use crate::program::failure::Failure;
use crate::program::opening::print_out;
use crate::program::session::runtime;
use maelstrom_spec::config::{Address, AddressError};
use maelstrom_wire::connection::{ConnectError, Service, connect};
use maelstrom_wire::from_proto::text;
use maelstrom_wire::limits::MESSAGE_BYTES_MAX;
use maelstrom_wire::v1::operator_client::OperatorClient;
use maelstrom_wire::v1::{DrainRequest, StatusRequest, StopRequest};

/// Why a broker could not be asked or ordered.
#[derive(Debug, thiserror::Error)]
enum OperateError {
    /// Nobody said which.
    #[error("no broker is named")]
    NoAddress,
    /// `MAELSTROM_BROKER` is no address.
    #[error("the variable MAELSTROM_BROKER")]
    Address(#[from] AddressError),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It is no broker, or it speaks TLS and we don't.
    #[error("{address} does not answer as a broker does: {message}")]
    NoAnswer { address: String, message: String },
    /// It does not let us in.
    #[error("the broker {address} does not let us in: {message}")]
    NotLetIn { address: String, message: String },
    /// It has no such worker.
    #[error("the broker {address} does not have it: {message}")]
    NotFound { address: String, message: String },
    /// It says no for another reason.
    #[error("the broker {address} refuses: {message}")]
    Refused { address: String, message: String },
}

impl OperateError {
    fn new(address: &Address, status: &Status) -> OperateError {
        let address = address.to_string();
        let message = match status.message() {
            "" => status.code().description().to_owned(),
            message => text(message).to_string(),
        };
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => {
                OperateError::NotLetIn { address, message }
            }
            Code::NotFound => OperateError::NotFound { address, message },
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Unimplemented => {
                OperateError::NoAnswer { address, message }
            }
            _ => OperateError::Refused { address, message },
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            OperateError::NoAddress => Some(
                "name it with `--broker HOST:PORT`, or set `MAELSTROM_BROKER`; the broker prints \
                 its address when it starts"
                    .to_owned(),
            ),
            OperateError::Address(_) | OperateError::Refused { .. } => None,
            OperateError::Connect(error) => error.help(),
            OperateError::NoAnswer { .. } => Some(
                "see whether maelstrom-broker runs there; if it uses TLS, name its authority with \
                 `--broker-ca`"
                    .to_owned(),
            ),
            OperateError::NotLetIn { .. } => Some(
                "show a token with `--broker-token-file`, or a certificate with `--broker-certificate`; \
                 `drain` and `stop` take the role `admin`"
                    .to_owned(),
            ),
            OperateError::NotFound { .. } => {
                Some("`maelstrom-broker status` lists the workers".to_owned())
            }
        }
    }

    fn failure(&self) -> Failure {
        match self {
            OperateError::NoAddress | OperateError::Address(_) | OperateError::NotFound { .. } => {
                Failure::usage(self, self.help())
            }
            OperateError::Connect(_)
            | OperateError::NoAnswer { .. }
            | OperateError::NotLetIn { .. }
            | OperateError::Refused { .. } => Failure::infrastructure(self, self.help()),
        }
    }
}

/// Carries out a command.
pub fn run(command: Command) -> Result<u8, Failure> {
    runtime()?.block_on(async {
        match command {
            Command::Credentials(what) => security::make(&what),
            Command::Status(options) => status(options).await,
            Command::Drain { there, worker } => drain(&there, worker.unwrap_or_default()).await,
            Command::Stop { there, workers } => stop(&there, workers).await,
        }
    })
}

/// A broker that answered.
struct Broker {
    address: Address,
    operator: OperatorClient<Service>,
}

impl Broker {
    async fn reach(there: &There) -> Result<Broker, Failure> {
        let variable = |name: &str| std::env::var_os(name);
        let address = there.broker(variable).map_err(OperateError::from);
        let address = address.and_then(|address| address.ok_or(OperateError::NoAddress));
        let address = address.map_err(|error| error.failure())?;
        let connection = connect(&address, &there.security(variable)).await;
        let connection = connection.map_err(|error| OperateError::from(error).failure())?;
        Ok(Broker {
            address,
            operator: OperatorClient::new(connection.service())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        })
    }

    fn failure(&self, status: &Status) -> Failure {
        OperateError::new(&self.address, status).failure()
    }
}

async fn status(options: StatusOptions) -> Result<u8, Failure> {
    let mut broker = Broker::reach(&options.there).await?;
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

async fn drain(there: &There, worker: String) -> Result<u8, Failure> {
    let mut broker = Broker::reach(there).await?;
    let answer = broker.operator.drain(DrainRequest { worker }).await;
    let drained = answer
        .map_err(|status| broker.failure(&status))?
        .into_inner();
    print_out(&text::drained(&drained.workers))
}

async fn stop(there: &There, workers: bool) -> Result<u8, Failure> {
    let mut broker = Broker::reach(there).await?;
    let answer = broker.operator.stop(StopRequest { workers }).await;
    answer.map_err(|status| broker.failure(&status))?;
    print_out(match workers {
        true => "the broker ends, and its workers finish what they run and end\n",
        false => "the broker ends; what waits is kept for its next start\n",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::exit_code;

    #[test]
    fn each_refusal_says_what_to_do() {
        let address: Address = "build.example:4000".parse().unwrap();
        let told: Vec<String> = [
            Status::unauthenticated("a token is needed"),
            Status::permission_denied("the role `admin` is needed"),
            Status::not_found("no worker of the name `w9` is connected"),
            Status::unavailable("transport error"),
            Status::unimplemented(""),
            Status::resource_exhausted("too many requests"),
        ]
        .iter()
        .map(|status| OperateError::new(&address, status))
        .chain([OperateError::NoAddress])
        .map(|error| format!("{error}\n  {}", error.help().unwrap_or_default()))
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn what_was_asked_wrong_is_told_from_what_went_wrong() {
        let address: Address = "build.example:4000".parse().unwrap();
        let unknown = OperateError::new(&address, &Status::not_found("no such worker"));
        assert_eq!(unknown.failure().tell(), exit_code::USAGE);
        assert_eq!(OperateError::NoAddress.failure().tell(), exit_code::USAGE);
        let refused = OperateError::new(&address, &Status::permission_denied("no"));
        assert_eq!(refused.failure().tell(), exit_code::INFRASTRUCTURE);
    }
}
