//! Which broker a command addresses, and with which credentials: the clients' options for a
//! cluster, and the variables that clients read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use maelstrom_runners::sandbox::cluster::BrokerOptions;
use maelstrom_spec::config::{Address, AddressError};
use maelstrom_wire::connection::ClientSecurity;

/// A broker that runs.
#[derive(Clone, Debug, Args)]
pub struct BrokerAddressOptions {
    /// Which, and what to show it.
    #[command(flatten)]
    pub cluster: BrokerOptions,
}

impl BrokerAddressOptions {
    /// The broker, if one is named.
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

    /// What to trust and what to show.
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
