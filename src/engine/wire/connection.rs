//! Connections to a broker, with TLS if certificates are configured and with a bearer token if
//! there is one.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use maelstrom_model::address::Address;
use maelstrom_model::error::ProgramError;

/// How long a broker may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long to retry while a broker restarts and does not listen yet.
const RESTART_MAX: Duration = Duration::from_secs(2);
const RESTART_PAUSE: Duration = Duration::from_millis(50);

/// The interval and the timeout of keepalive pings: a vanished machine must be noticed before its
/// leases expire.
const KEEP_ALIVE_PERIOD: Duration = Duration::from_secs(5);
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(10);

/// Paths of the credentials of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSecurity {
    /// The CA certificate that signed the broker's; without it the connection is plaintext.
    pub authority: Option<PathBuf>,
    /// The client certificate and its private key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The file that holds the bearer token.
    pub token: Option<PathBuf>,
}

/// Why a connection could not be established.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ConnectError {
    /// A file could not be read.
    #[error("cannot read the {what} {}", path.display())]
    Read {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The file holds no valid token.
    #[error("{} holds no token: one line of visible ASCII is expected", path.display())]
    Token { path: PathBuf },
    /// The certificates are invalid.
    #[error("the certificates for the broker {address} cannot be used")]
    #[diagnostic(help("they are PEM files, as `maelstrom-broker credentials` makes them"))]
    Certificates {
        address: String,
        source: tonic::transport::Error,
    },
    /// The broker did not answer, or what answered is no broker.
    #[error("cannot connect to the broker {address}")]
    #[diagnostic(help(
        "see whether maelstrom-broker runs there, and whether both sides use TLS or neither does"
    ))]
    Connect {
        address: String,
        source: tonic::transport::Error,
    },
}

impl ProgramError for ConnectError {}

/// A channel to a broker, which reconnects by itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BrokerChannel {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
}

/// The channel type of the generated gRPC clients.
pub type AuthenticatedChannel = InterceptedService<Channel, TokenInterceptor>;

/// Adds the bearer token to each call.
#[derive(Clone, Debug)]
pub struct TokenInterceptor(Option<MetadataValue<Ascii>>);

impl Interceptor for TokenInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

impl BrokerChannel {
    /// Returns the channel for a generated gRPC client.
    pub fn service(&self) -> AuthenticatedChannel {
        InterceptedService::new(self.channel.clone(), TokenInterceptor(self.token.clone()))
    }

    /// Wraps an existing channel, without a token.
    pub fn over(channel: Channel) -> BrokerChannel {
        BrokerChannel {
            channel,
            token: None,
        }
    }
}

/// Connects to a broker.
pub async fn connect(
    address: &Address,
    security: &ClientSecurity,
) -> Result<BrokerChannel, ConnectError> {
    let (endpoint, token) = prepare(address, security)?;
    let began = Instant::now();
    loop {
        match endpoint.connect().await {
            Ok(channel) => return Ok(BrokerChannel { channel, token }),
            Err(source) if may_restart(&source) && began.elapsed() < RESTART_MAX => {
                tokio::time::sleep(RESTART_PAUSE).await;
            }
            Err(source) => {
                return Err(ConnectError::Connect {
                    address: address.to_string(),
                    source,
                });
            }
        }
    }
}

/// Returns whether the error is one that a restarting broker causes.
fn may_restart(error: &tonic::transport::Error) -> bool {
    // tonic's error says only that the transport failed; the cause lies several sources deeper.
    let mut next = error.source();
    while let Some(cause) = next {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset) = kind {
            return true;
        }
        next = cause.source();
    }
    false
}

/// Like [`connect`], but connects lazily, with the first call.
pub fn connect_later(
    address: &Address,
    security: &ClientSecurity,
) -> Result<BrokerChannel, ConnectError> {
    let (endpoint, token) = prepare(address, security)?;
    let channel = endpoint.connect_lazy();
    Ok(BrokerChannel { channel, token })
}

fn prepare(
    address: &Address,
    security: &ClientSecurity,
) -> Result<(Endpoint, Option<MetadataValue<Ascii>>), ConnectError> {
    let token = match &security.token {
        Some(path) => Some(token(path)?),
        None => None,
    };
    let certificates = |source| ConnectError::Certificates {
        address: address.to_string(),
        source,
    };
    let tls = match &security.authority {
        None => None,
        Some(path) => {
            let authority = read("certificate of the authority", path)?;
            let mut tls = ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(authority))
                .domain_name(address.host.clone());
            if let Some((certificate, key)) = &security.certificate {
                let certificate = read("certificate", certificate)?;
                let key = read("key", key)?;
                tls = tls.identity(Identity::from_pem(certificate, key));
            }
            Some(tls)
        }
    };
    let scheme = match tls {
        Some(_) => "https",
        None => "http",
    };
    let mut endpoint = endpoint(scheme, address).map_err(certificates)?;
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls).map_err(certificates)?;
    }
    Ok((endpoint, token))
}

/// Creates the endpoint of a broker with timeouts and keepalive, independent of the transport.
pub fn endpoint(scheme: &str, address: &Address) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?;
    Ok(endpoint
        .connect_timeout(CONNECT_MAX)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_PERIOD)
        .keep_alive_timeout(KEEP_ALIVE_MAX)
        .keep_alive_while_idle(true))
}

fn token(path: &Path) -> Result<MetadataValue<Ascii>, ConnectError> {
    let text = read("token", path)?;
    let wrong = || ConnectError::Token {
        path: path.to_owned(),
    };
    let text = String::from_utf8(text).map_err(|_| wrong())?;
    let text = text.trim();
    let is_sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_sound {
        return Err(wrong());
    }
    let mut value: MetadataValue<Ascii> = format!("Bearer {text}").parse().map_err(|_| wrong())?;
    // A sensitive value is hidden from `Debug` output and from HTTP/2's header compression table.
    value.set_sensitive(true);
    Ok(value)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|source| ConnectError::Read {
        what,
        path: path.to_owned(),
        source,
    })
}
