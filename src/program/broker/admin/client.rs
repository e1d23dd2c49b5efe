//! An operator's connection to a broker, and its errors.

use miette::Diagnostic;
use tonic::{Code, Status};

use super::broker_address::BrokerAddressOptions;
use crate::program::failure::ProgramFailure;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::config::{Address, AddressError};
use maelstrom_wire::connection::{AuthenticatedChannel, connect};
use maelstrom_wire::from_proto::text;
use maelstrom_wire::limits::MESSAGE_BYTES_MAX;
use maelstrom_wire::v1::operator_client::OperatorClient;

/// An error while connecting to a broker or sending it a command.
#[derive(Debug, Diagnostic, thiserror::Error)]
enum AdminError {
    #[error("no broker is named")]
    #[diagnostic(help(
        "name it with `--broker HOST:PORT`, or set `MAELSTROM_BROKER`; the broker prints its \
         address when it starts"
    ))]
    NoAddress,
    /// `MAELSTROM_BROKER` is not an address.
    #[error("the variable MAELSTROM_BROKER")]
    Address(#[from] AddressError),
    /// The server is not a broker, or it uses TLS and this client doesn't.
    #[error("{address} does not answer as a broker does: {message}")]
    #[diagnostic(help(
        "see whether maelstrom-broker runs there; if it uses TLS, name its authority with \
         `--broker-ca`"
    ))]
    NoAnswer { address: String, message: String },
    /// The broker rejects the credentials, or their role is not sufficient.
    #[error("the broker {address} does not let us in: {message}")]
    #[diagnostic(help(
        "show a token with `--broker-token-file`, or a certificate with `--broker-certificate`; \
         `drain` and `stop` take the role `admin`"
    ))]
    NotLetIn { address: String, message: String },
    /// The broker has no worker of this name.
    #[error("the broker {address} does not have it: {message}")]
    #[diagnostic(help("`maelstrom-broker status` lists the workers"))]
    NotFound { address: String, message: String },
    /// The broker refuses for another reason.
    #[error("the broker {address} refuses: {message}")]
    Refused { address: String, message: String },
}

impl AdminError {
    fn new(address: &Address, status: &Status) -> AdminError {
        let address = address.to_string();
        let message = match status.message() {
            "" => status.code().description().to_owned(),
            message => text(message).to_string(),
        };
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => {
                AdminError::NotLetIn { address, message }
            }
            Code::NotFound => AdminError::NotFound { address, message },
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Unimplemented => {
                AdminError::NoAnswer { address, message }
            }
            _ => AdminError::Refused { address, message },
        }
    }
}

impl ProgramError for AdminError {
    fn exit_code(&self) -> u8 {
        match self {
            AdminError::NoAddress | AdminError::Address(_) | AdminError::NotFound { .. } => {
                exit_code::USAGE
            }
            AdminError::NoAnswer { .. }
            | AdminError::NotLetIn { .. }
            | AdminError::Refused { .. } => exit_code::INFRASTRUCTURE,
        }
    }
}

/// A connection to a broker.
pub(super) struct AdminClient {
    pub address: Address,
    pub operator: OperatorClient<AuthenticatedChannel>,
}

impl AdminClient {
    pub(super) async fn reach(there: &BrokerAddressOptions) -> Result<AdminClient, ProgramFailure> {
        let variable = |name: &str| std::env::var_os(name);
        let address = there.broker(variable).map_err(AdminError::from);
        let address = address.and_then(|address| address.ok_or(AdminError::NoAddress));
        let address = address?;
        let connection = connect(&address, &there.security(variable)).await?;
        Ok(AdminClient {
            address,
            operator: OperatorClient::new(connection.service())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        })
    }

    pub(super) fn failure(&self, status: &Status) -> ProgramFailure {
        AdminError::new(&self.address, status).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::error::help_of;

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
        .map(|status| AdminError::new(&address, status))
        .chain([AdminError::NoAddress])
        .map(|error| format!("{error}\n  {}", help_of(&error).unwrap_or_default()))
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn what_was_asked_wrong_is_told_from_what_went_wrong() {
        let address: Address = "build.example:4000".parse().unwrap();
        let unknown = AdminError::new(&address, &Status::not_found("no such worker"));
        assert_eq!(ProgramFailure::from(unknown).report(), exit_code::USAGE);
        assert_eq!(
            ProgramFailure::from(AdminError::NoAddress).report(),
            exit_code::USAGE
        );
        let refused = AdminError::new(&address, &Status::permission_denied("no"));
        assert_eq!(
            ProgramFailure::from(refused).report(),
            exit_code::INFRASTRUCTURE
        );
    }
}
