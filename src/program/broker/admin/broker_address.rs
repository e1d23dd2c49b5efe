//! The broker that a command talks to, and the credentials to present: the clients' options for a
//! cluster, with the variables that clients read as fallback.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use maelstrom_runners::sandbox::cluster::BrokerOptions;
use maelstrom_spec::config::{Address, AddressError};
use maelstrom_wire::connection::ClientSecurity;

/// The options that select a running broker.
#[derive(Clone, Debug, Args)]
pub struct BrokerAddressOptions {
    /// The broker's address, and the credentials to present.
    #[command(flatten)]
    pub cluster: BrokerOptions,
}

impl BrokerAddressOptions {
    /// Returns the broker's address, from `--broker` or else `MAELSTROM_BROKER`; `None` if neither
    /// is set.
    pub fn broker(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Address>, AddressError> {
        let known = variable("MAELSTROM_BROKER").filter(|text| !text.is_empty());
        let known = known.map(|text| text.to_string_lossy().parse());
        match &self.cluster.broker {
            Some(broker) => Ok(Some(broker.clone())),
            None => known.transpose(),
        }
    }

    /// Returns the authority to trust and the credentials to present. Options take precedence over
    /// variables.
    pub fn security(&self, variable: impl Fn(&str) -> Option<OsString>) -> ClientSecurity {
        let known = |name: &str| variable(name).map(PathBuf::from);
        let certificate = known("MAELSTROM_BROKER_CERTIFICATE").zip(known("MAELSTROM_BROKER_KEY"));
        let typed = self.cluster.security();
        ClientSecurity {
            authority: typed.authority.or_else(|| known("MAELSTROM_BROKER_CA")),
            certificate: typed.certificate.or(certificate),
            token: typed.token.or_else(|| known("MAELSTROM_BROKER_TOKEN_FILE")),
        }
    }
}
