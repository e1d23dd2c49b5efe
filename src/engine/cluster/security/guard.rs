//! Authenticates and authorizes callers.
//!
//! A credential is a bearer token in the token file, or a client certificate signed by the
//! authority that the broker trusts, whose subject has the role as its organizational unit (OU) and
//! the holder's name as its common name (CN). A broker with neither lets every program on its own
//! machine do everything except write action results, and does not listen to other machines:
//! [`exposure`].

use std::net::IpAddr;
use std::sync::Arc;

use miette::Diagnostic;
use tonic::codegen::http::HeaderMap;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::{Extensions, Request, Status};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::roles::{ClusterRole, MemberIdentity};
use super::tokens::TokenFile;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// The credentials that a broker accepts.
#[derive(Clone, Debug, Default)]
pub struct AccessPolicy {
    pub tokens: Option<Arc<TokenFile>>,
    /// Client certificates, which TLS has verified.
    pub certificates: ClientCertificates,
    /// Whether anyone may write action results if there is no authentication.
    pub results: OpenResults,
}

/// Whether anyone may write action results if there is no authentication. All clients trust a
/// result, so by default reaching the broker is not enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenResults {
    #[default]
    ReadOnly,
    Writable,
}

/// Whether client certificates are requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    #[default]
    Unwanted,
    Accepted,
}

/// Admits callers that have one of the allowed roles.
#[derive(Clone, Debug)]
pub struct RoleGuard {
    access: AccessPolicy,
    allowed: &'static [ClusterRole],
}

impl AccessPolicy {
    /// Returns whether there is no authentication.
    pub fn is_open(&self) -> bool {
        self.tokens.is_none() && self.certificates == ClientCertificates::Unwanted
    }

    /// Creates a guard that admits these roles.
    pub fn guard(&self, allowed: &'static [ClusterRole]) -> RoleGuard {
        RoleGuard {
            access: self.clone(),
            allowed,
        }
    }

    /// Returns the identity behind a call's credential.
    pub fn shown(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<MemberIdentity, Status> {
        let metadata = MetadataMap::from_headers(headers.clone());
        self.identify(&Request::from_parts(metadata, extensions.clone(), ()))
    }

    fn identify(&self, request: &Request<()>) -> Result<MemberIdentity, Status> {
        // If a token is sent, it is checked; a valid certificate does not make up for an invalid
        // token.
        if let Some(shown) = request.metadata().get("authorization") {
            let token = shown
                .to_str()
                .ok()
                .and_then(|text| text.strip_prefix("Bearer "));
            let tokens = self.tokens.as_ref();
            let known = token.and_then(|token| tokens?.identify(token.trim()));
            return known.ok_or_else(|| Status::unauthenticated("this broker knows no such token"));
        }
        let certificates = match self.certificates {
            ClientCertificates::Unwanted => None,
            ClientCertificates::Accepted => request.peer_certs(),
        };
        let first = certificates.as_ref().and_then(|chain| chain.first());
        match first {
            Some(certificate) => identity(certificate),
            None => Err(Status::unauthenticated(
                "this broker wants a token (`--broker-token-file`) or a certificate \
                 (`--broker-certificate`)",
            )),
        }
    }
}

impl Interceptor for RoleGuard {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if self.access.is_open() {
            request.extensions_mut().insert(self.access.results);
            return Ok(request);
        }
        let identity = self.access.identify(&request)?;
        check(&identity, self.allowed)?;
        request.extensions_mut().insert(identity);
        Ok(request)
    }
}

/// Returns an error unless an identity has one of these roles.
fn check(identity: &MemberIdentity, allowed: &[ClusterRole]) -> Result<(), Status> {
    if identity.role.is_among(allowed) {
        return Ok(());
    }
    let roles: Vec<String> = allowed.iter().map(ClusterRole::to_string).collect();
    Err(Status::permission_denied(format!(
        "{} has the role {}; this is for {}",
        identity.name,
        identity.role,
        match roles.is_empty() {
            true => "admin".to_owned(),
            false => roles.join(", "),
        }
    )))
}

/// Returns an error unless the caller of an admitted request is an administrator, or there is no
/// authentication.
pub fn is_for_admins<T>(request: &Request<T>) -> Result<(), Status> {
    match request.extensions().get::<MemberIdentity>() {
        Some(identity) => check(identity, &[]),
        None => Ok(()),
    }
}

/// Returns an error unless the caller of an admitted request may write action results.
pub fn is_for_writers<T>(request: &Request<T>) -> Result<(), Status> {
    let extensions = request.extensions();
    match (
        extensions.get::<MemberIdentity>(),
        extensions.get::<OpenResults>(),
    ) {
        (Some(identity), _) => check(identity, &[ClusterRole::Writer]),
        (None, Some(OpenResults::ReadOnly)) => Err(Status::permission_denied(
            "this broker asks nobody for a credential, and so takes results of actions from nobody: \
             they are for the role writer (`--tokens` or `--client-ca`), or `--open-action-cache` \
             takes them from everybody",
        )),
        (None, Some(OpenResults::Writable) | None) => Ok(()),
    }
}

/// Returns the identity in a certificate.
pub fn identity(certificate: &[u8]) -> Result<MemberIdentity, Status> {
    let wrong = |why: &str| Status::unauthenticated(format!("the certificate {why}"));
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| wrong("cannot be read"))?;
    let subject = parsed.subject();
    let text = |mut values: Vec<&str>| values.pop().map(str::to_owned);
    let unit = text(
        subject
            .iter_organizational_unit()
            .filter_map(|value| value.as_str().ok())
            .collect(),
    );
    let name = text(
        subject
            .iter_common_name()
            .filter_map(|value| value.as_str().ok())
            .collect(),
    );
    let role = unit.and_then(|unit| unit.parse().ok()).ok_or_else(|| {
        wrong("names no role (client, writer, privileged, worker or admin) as its OU")
    })?;
    Ok(MemberIdentity {
        name: name.unwrap_or_else(|| "somebody".to_owned()),
        role,
    })
}

/// Why a broker refuses to listen on an address.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
#[diagnostic(help(
    "`maelstrom-broker credentials` makes what `--tls-certificate`, `--tls-key` and `--tokens` or \
     `--client-ca` want; `--insecure-listen` does without"
))]
pub enum ExposureError {
    /// Anyone could run programs on the workers.
    #[error("everybody who reaches {address} could run programs on every worker")]
    Open {
        /// The address.
        address: IpAddr,
    },
    /// Anyone on the network could read the traffic.
    #[error("without TLS everybody on the way to {address} could read tokens and contents")]
    Readable {
        /// The address.
        address: IpAddr,
    },
}

impl ProgramError for ExposureError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Whether traffic is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportSecurity {
    /// The traffic is plaintext.
    Plain,
    Tls,
}

/// Returns an error if a broker must not listen on an address. Local users are trusted; others must
/// authenticate, over an encrypted connection.
pub fn exposure(
    address: IpAddr,
    privacy: TransportSecurity,
    access: &AccessPolicy,
) -> Result<(), ExposureError> {
    if address.is_loopback() {
        return Ok(());
    }
    if access.is_open() {
        return Err(ExposureError::Open { address });
    }
    match privacy {
        TransportSecurity::Tls => Ok(()),
        TransportSecurity::Plain => Err(ExposureError::Readable { address }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(tokens: Option<TokenFile>) -> AccessPolicy {
        AccessPolicy {
            tokens: tokens.map(Arc::new),
            ..AccessPolicy::default()
        }
    }

    fn shown(token: &str) -> Request<()> {
        let mut request = Request::new(());
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request
    }

    /// Creates a token for each role, named after it: `client-token` and so on.
    fn one_of_each_role() -> (tempfile::TempDir, AccessPolicy) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        let lines: String = ClusterRole::ALL
            .map(|role| super::super::tokens::line(role, &format!("{role}-token"), "x"))
            .concat();
        std::fs::write(&path, lines).unwrap();
        let access = access(Some(TokenFile::open(&path).unwrap()));
        (directory, access)
    }

    #[test]
    fn only_who_has_the_role_comes_through() {
        let (_directory, access) = one_of_each_role();
        let code = |request, allowed| {
            let passed = access.guard(allowed).call(request);
            passed.map_err(|status| status.code()).err()
        };
        use tonic::Code::{PermissionDenied, Unauthenticated};
        let workers: &'static [ClusterRole] = &[ClusterRole::Worker];
        assert_eq!(code(shown("worker-token"), workers), None);
        assert_eq!(code(shown("admin-token"), workers), None);
        assert_eq!(code(shown("client-token"), workers), Some(PermissionDenied));
        assert_eq!(code(shown("guess"), workers), Some(Unauthenticated));
        assert_eq!(code(Request::new(()), workers), Some(Unauthenticated));
        let passed = access
            .guard(&[ClusterRole::Client])
            .call(shown("client-token"))
            .unwrap();
        assert_eq!(is_for_admins(&passed).unwrap_err().code(), PermissionDenied);
        let passed = access
            .guard(&[ClusterRole::Client])
            .call(shown("admin-token"))
            .unwrap();
        is_for_admins(&passed).unwrap();
    }

    #[test]
    fn results_of_actions_are_for_writers() {
        let (_directory, closed) = one_of_each_role();
        let open = |results| AccessPolicy {
            results,
            ..AccessPolicy::default()
        };
        for (access, request, refused) in [
            (&closed, shown("client-token"), Some("this is for writer")),
            (&closed, shown("worker-token"), Some("this is for writer")),
            (
                &closed,
                shown("privileged-token"),
                Some("this is for writer"),
            ),
            (&closed, shown("writer-token"), None),
            (&closed, shown("admin-token"), None),
            (
                &open(OpenResults::ReadOnly),
                Request::new(()),
                Some("the role writer"),
            ),
            (&open(OpenResults::Writable), Request::new(()), None),
        ] {
            let passed = access.guard(&ClusterRole::ALL).call(request).unwrap();
            let answer = is_for_writers(&passed);
            match (answer, refused) {
                (Ok(()), None) => {}
                (Err(status), Some(why)) => {
                    assert_eq!(status.code(), tonic::Code::PermissionDenied);
                    assert!(status.message().contains(why), "{status}");
                }
                (answer, refused) => panic!("{answer:?} {refused:?}"),
            }
        }
        // Both roles imply the client role.
        for token in ["writer-token", "privileged-token"] {
            let call = |allowed| closed.guard(allowed).call(shown(token));
            assert!(call(&[ClusterRole::Client]).is_ok());
            assert!(call(&[ClusterRole::Worker]).is_err());
        }
    }

    #[test]
    fn nobody_beyond_this_machine_is_let_in_without_a_credential() {
        let open = access(None);
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        let everywhere: IpAddr = "::".parse().unwrap();
        assert_eq!(exposure(here, TransportSecurity::Plain, &open), Ok(()));
        let error = exposure(everywhere, TransportSecurity::Tls, &open).unwrap_err();
        assert!(error.to_string().contains("everybody who reaches ::"));
        let closed = AccessPolicy {
            certificates: ClientCertificates::Accepted,
            ..AccessPolicy::default()
        };
        let error = exposure(everywhere, TransportSecurity::Plain, &closed).unwrap_err();
        assert!(matches!(error, ExposureError::Readable { .. }));
        assert_eq!(
            exposure(everywhere, TransportSecurity::Tls, &closed),
            Ok(())
        );
    }
}
