//! Access to the broker: its options, and the command that creates credentials.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use miette::Diagnostic;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::program::failure::ProgramFailure;
use crate::program::startup::print_out;
use maelstrom_cluster::broker::limits::HANDSHAKE_MAX;
use maelstrom_cluster::security::authority::{
    AUTHORITY, AuthorityError, CertificateAuthority, TOKENS,
};
use maelstrom_cluster::security::guard::{
    AccessPolicy, ClientCertificates, OpenResults, TransportSecurity, exposure,
};
use maelstrom_cluster::security::roles::ClusterRole;
use maelstrom_cluster::security::tokens::TokenFile;
use maelstrom_model::error::ProgramError;

/// Whom the broker lets in.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Security")]
pub struct SecurityOptions {
    /// Use TLS with this certificate
    #[arg(long, value_name = "PEM-FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// Private key of that certificate
    #[arg(long, value_name = "PEM-FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// Accept client certificates that this certificate authority has signed
    #[arg(long, value_name = "PEM-FILE", requires = "tls_certificate")]
    pub client_ca: Option<PathBuf>,

    /// Accept the tokens in this file
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,

    /// Accept connections from other machines without authentication, so that anyone there can run
    /// programs on every worker
    #[arg(long)]
    pub insecure_listen: bool,

    /// Without authentication, accept action results from every client; with it, only the role
    /// writer may store them
    #[arg(long)]
    pub open_action_cache: bool,
}

/// What the options came to.
pub struct BrokerSecurity {
    /// Whose credentials are accepted.
    pub access: AccessPolicy,
    /// How TLS is spoken, if it is.
    pub tls: Option<ServerTlsConfig>,
    /// What the operator should be told again.
    pub warning: Option<String>,
}

/// A file that cannot be read.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("cannot read the {what} {}", path.display())]
struct CredentialReadError {
    what: &'static str,
    path: PathBuf,
    source: std::io::Error,
}

impl ProgramError for CredentialReadError {}

impl SecurityOptions {
    /// Reads what they name, and sees whether the broker may listen there.
    pub fn resolve(&self, address: IpAddr) -> Result<BrokerSecurity, ProgramFailure> {
        let read = |what, path: &PathBuf| {
            fs::read(path).map_err(|source| {
                let path = path.clone();
                CredentialReadError { what, path, source }
            })
        };
        let mut tls =
            match self.tls_certificate.as_ref().zip(self.tls_key.as_ref()) {
                None => None,
                Some((certificate, key)) => {
                    Some(ServerTlsConfig::new().timeout(HANDSHAKE_MAX).identity(
                        Identity::from_pem(read("certificate", certificate)?, read("key", key)?),
                    ))
                }
            };
        let certificates = match &self.client_ca {
            None => ClientCertificates::Unwanted,
            Some(path) => {
                let authority = Certificate::from_pem(read("authority's certificate", path)?);
                // Who has a token need not have a certificate.
                tls = tls.map(|tls| {
                    tls.client_ca_root(authority)
                        .client_auth_optional(self.tokens.is_some())
                });
                ClientCertificates::Accepted
            }
        };
        let tokens = match &self.tokens {
            None => None,
            Some(path) => {
                let tokens = TokenFile::open(path);
                let tokens = tokens.map_err(|error| ProgramFailure::infrastructure(&error))?;
                Some(Arc::new(tokens))
            }
        };
        let access = AccessPolicy {
            tokens,
            certificates,
            results: match self.open_action_cache {
                true => OpenResults::Writable,
                false => OpenResults::ReadOnly,
            },
        };
        let privacy = match tls {
            Some(_) => TransportSecurity::Tls,
            None => TransportSecurity::Plain,
        };
        let exposed = exposure(address, privacy, &access);
        let warning = match exposed {
            Ok(()) => None,
            Err(error) if self.insecure_listen => Some(format!("--insecure-listen: {error}")),
            Err(error) => return Err(error.into()),
        };
        Ok(BrokerSecurity {
            access,
            tls,
            warning,
        })
    }
}

/// What to make for a team.
#[derive(Clone, Debug, Subcommand)]
pub enum CredentialsCommand {
    /// Make a private authority, and a certificate for the broker
    Init {
        /// Where everything is kept
        directory: PathBuf,
        /// A name or address under which the broker is reached; repeatable
        #[arg(long = "name", value_name = "HOST", required = true)]
        names: Vec<String>,
    },
    /// Make a certificate for a member, for --broker-certificate and --broker-key
    Certificate {
        /// What the member may do.
        #[command(flatten)]
        member: MemberOptions,
    },
    /// Make a token for a member, for --broker-token-file
    Token {
        /// What the member may do.
        #[command(flatten)]
        member: MemberOptions,
    },
}

/// A member of a team.
#[derive(Clone, Debug, Args)]
pub struct MemberOptions {
    /// Where the authority is
    pub directory: PathBuf,
    /// What the member may do: client, writer, privileged, worker or admin
    #[arg(long)]
    pub role: ClusterRole,
    /// Who it is
    #[arg(long)]
    pub name: String,
}

/// Makes credentials, and says what to do with them.
pub fn make(what: &CredentialsCommand) -> Result<u8, ProgramFailure> {
    let failed = |error: AuthorityError| ProgramFailure::infrastructure(&error);
    let text = match what {
        CredentialsCommand::Init { directory, names } => {
            let authority = CertificateAuthority::create(directory).map_err(failed)?;
            let (certificate, key) = authority.broker(names).map_err(failed)?;
            format!(
                "The authority and the broker's certificate are in {directory}. Start the broker \
                 with\n  --tls-certificate {certificate} --tls-key {key} --tokens {tokens}\nand its \
                 workers and clients with\n  --broker-ca {authority} --broker-token-file TOKEN\n\
                 `maelstrom-broker credentials token {directory} --role ROLE --name NAME` makes \
                 tokens.\n",
                directory = directory.display(),
                certificate = certificate.display(),
                key = key.display(),
                tokens = directory.join(TOKENS).display(),
                authority = directory.join(AUTHORITY).display(),
            )
        }
        CredentialsCommand::Certificate { member } => {
            let authority = CertificateAuthority::open(&member.directory);
            let made = authority.member(member.role, &member.name);
            let (certificate, key) = made.map_err(failed)?;
            format!(
                "--broker-certificate {} --broker-key {}\n",
                certificate.display(),
                key.display()
            )
        }
        CredentialsCommand::Token { member } => {
            let authority = CertificateAuthority::open(&member.directory);
            let path = authority.token(member.role, &member.name).map_err(failed)?;
            format!("--broker-token-file {}\n", path.display())
        }
    };
    print_out(&text)
}
