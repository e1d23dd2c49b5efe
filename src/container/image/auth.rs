//! Authentication at a registry: parses the challenge and obtains the matching credentials.
//!
//! Implements the distribution specification's token authentication and RFC 7617. Credentials are
//! looked up only when a registry asks for them: most don't.

use data_encoding::BASE64;
use http_auth::{ChallengeRef, parse_challenges};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Response, Url};
use tokio::sync::Mutex;

use super::credentials::{CredentialFiles, RegistryCredentials};
use super::document;
use super::error::ImageError;
use super::reference::RegistryReference;
use super::transport::{BoundedBody, HttpTransport, complaint, read_body};

/// The maximum size of a token response. A token is a signed statement of a few hundred bytes; some
/// registries make it larger.
const TOKEN_BYTES_MAX: u64 = 1024 * 1024;

/// The client id in token requests.
const CLIENT_ID: &str = "maelstrom";

/// The access to one repository, shared by all requests to it.
#[derive(Debug, Default)]
pub(super) struct RepositoryAuth {
    header: Mutex<Option<HeaderValue>>,
}

/// A registry's challenge.
#[derive(Debug, PartialEq, Eq)]
enum AuthChallenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl RepositoryAuth {
    /// Returns the current `Authorization` header.
    pub(super) async fn header(&self) -> Option<HeaderValue> {
        self.header.lock().await.clone()
    }

    /// Obtains access after a request with the header `refused` was rejected. Concurrent requests
    /// share one renewal.
    pub(super) async fn renew(
        &self,
        refused: Option<&HeaderValue>,
        url: &str,
        response: Response,
        asker: &RegistryAuthenticator<'_>,
    ) -> Result<(), ImageError> {
        let mut header = self.header.lock().await;
        if header.as_ref() != refused {
            return Ok(());
        }
        let challenge = challenge(response.headers(), url)?;
        let credentials = asker.credentials.find(asker.reference).await?;
        let renewed = match (challenge, credentials) {
            (AuthChallenge::Basic, Some(RegistryCredentials::Password { user, password })) => {
                basic(&user, &password)
            }
            (AuthChallenge::Basic, Some(RegistryCredentials::IdentityToken(_)) | None) => {
                return Err(complaint(url, response).await);
            }
            (
                AuthChallenge::Bearer {
                    realm,
                    service,
                    scope,
                },
                credentials,
            ) => {
                let scope = scope
                    .unwrap_or_else(|| format!("repository:{}:pull", asker.reference.repository()));
                let token = asker
                    .token(&realm, service.as_deref(), &scope, credentials)
                    .await?;
                format!("Bearer {token}")
            }
        };
        *header = Some(secret_header(&renewed, url)?);
        Ok(())
    }
}

/// Authenticates at a registry.
pub(super) struct RegistryAuthenticator<'registry> {
    pub(super) transport: &'registry HttpTransport,
    pub(super) credentials: &'registry CredentialFiles,
    pub(super) reference: &'registry RegistryReference,
    /// `https`, or `http` for a registry on this machine.
    pub(super) scheme: &'static str,
}

impl RegistryAuthenticator<'_> {
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        credentials: Option<RegistryCredentials>,
    ) -> Result<String, ImageError> {
        let unknown = || ImageError::Challenge {
            url: realm.to_owned(),
            challenge: "Bearer".to_owned(),
        };
        let mut url = Url::parse(realm).map_err(|_| unknown())?;
        // Passwords are sent to this URL: a registry behind HTTPS must not redirect them to plain
        // HTTP.
        if url.scheme() != "https" && url.scheme() != self.scheme {
            return Err(unknown());
        }
        let server = url.host_str().unwrap_or_default().to_owned();
        let client = self.transport.client(&server)?;
        let mut fields = vec![("scope", scope.to_owned())];
        fields.extend(service.map(|service| ("service", service.to_owned())));
        let request = match credentials {
            Some(RegistryCredentials::IdentityToken(token)) => {
                fields.push(("grant_type", "refresh_token".to_owned()));
                fields.push(("client_id", CLIENT_ID.to_owned()));
                fields.push(("refresh_token", token));
                post_form(client.post(url.clone()), &fields)
            }
            credentials => {
                url.query_pairs_mut().extend_pairs(&fields);
                let request = client.get(url.clone());
                match credentials {
                    Some(RegistryCredentials::Password { user, password }) => {
                        let header = secret_header(&basic(&user, &password), realm)?;
                        request.header(AUTHORIZATION, header)
                    }
                    Some(RegistryCredentials::IdentityToken(_)) | None => request,
                }
            }
        };
        self.read_token(realm, request).await
    }

    async fn read_token(&self, realm: &str, request: RequestBuilder) -> Result<String, ImageError> {
        #[derive(serde::Deserialize)]
        struct TokenResponse {
            #[serde(default)]
            token: String,
            #[serde(default)]
            access_token: String,
        }
        let failure = |error| self.transport.failure(realm, error);
        let response = request.send().await.map_err(failure)?;
        if !response.status().is_success() {
            return Err(complaint(realm, response).await);
        }
        let body = match read_body(response, TOKEN_BYTES_MAX)
            .await
            .map_err(failure)?
        {
            BoundedBody::Whole(body) => body,
            BoundedBody::TooLarge => {
                return Err(ImageError::TooLarge {
                    place: realm.to_owned(),
                    limit_bytes: TOKEN_BYTES_MAX,
                });
            }
        };
        let answer: TokenResponse = document::parse(&body, realm, "token")?;
        // A server may use either name (the second is that of OAuth 2.0), or both.
        Ok(if answer.token.is_empty() {
            answer.access_token
        } else {
            answer.token
        })
    }
}

fn post_form(request: RequestBuilder, fields: &[(&str, String)]) -> RequestBuilder {
    let body = url_encoded(fields);
    request
        .header(
            reqwest::header::CONTENT_TYPE,
            "application/x-www-form-urlencoded",
        )
        .body(body)
}

fn url_encoded(fields: &[(&str, String)]) -> String {
    // The query of a URL has the same format as the body.
    let mut url = Url::parse("http://localhost/").ok();
    url.as_mut()
        .map(|url| {
            url.query_pairs_mut().extend_pairs(fields);
            url.query().unwrap_or_default().to_owned()
        })
        .unwrap_or_default()
}

fn basic(user: &str, password: &str) -> String {
    let login = format!("{user}:{password}");
    format!("Basic {}", BASE64.encode(login.as_bytes()))
}

fn secret_header(value: &str, url: &str) -> Result<HeaderValue, ImageError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| ImageError::Challenge {
        url: url.to_owned(),
        challenge: "a token that no header can hold".to_owned(),
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// Returns the challenge to answer: a token is preferred to sending a password with each request.
fn challenge(headers: &HeaderMap, url: &str) -> Result<AuthChallenge, ImageError> {
    let texts: Vec<&str> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let all: Vec<ChallengeRef<'_>> = texts
        .iter()
        .filter_map(|text| parse_challenges(text).ok())
        .flatten()
        .collect();
    let bearer = all.iter().find_map(|challenge| {
        if !challenge.scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameter = |wanted: &str| {
            challenge
                .params
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.to_unescaped())
        };
        Some(AuthChallenge::Bearer {
            realm: parameter("realm")?,
            service: parameter("service"),
            scope: parameter("scope"),
        })
    });
    let basic = || {
        all.iter()
            .any(|challenge| challenge.scheme.eq_ignore_ascii_case("basic"))
            .then_some(AuthChallenge::Basic)
    };
    bearer.or_else(basic).ok_or_else(|| ImageError::Challenge {
        url: url.to_owned(),
        challenge: texts.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(texts: &[&str]) -> Result<AuthChallenge, ImageError> {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap());
        }
        challenge(&headers, "https://registry.example/v2/")
    }

    #[test]
    fn a_token_is_preferred() {
        let bearer = r#"Bearer realm="https://auth.example/token",service="registry.example""#;
        let expected = AuthChallenge::Bearer {
            realm: "https://auth.example/token".to_owned(),
            service: Some("registry.example".to_owned()),
            scope: None,
        };
        assert_eq!(read(&["Basic realm=\"x\"", bearer]).unwrap(), expected);
        assert_eq!(read(&["basic realm=\"x\""]).unwrap(), AuthChallenge::Basic);
    }

    #[test]
    fn an_unknown_challenge_is_shown() {
        let error = read(&["Negotiate"]).unwrap_err();
        insta::assert_snapshot!(
            error,
            @"`https://registry.example/v2/`: the registry wants a login of an unknown kind: `Negotiate`"
        );
        assert!(read(&[]).is_err());
        assert!(read(&["Bearer service=\"no realm\""]).is_err());
    }

    #[test]
    fn forms_are_encoded() {
        let fields = [("a", "x y&z".to_owned()), ("b", "/".to_owned())];
        assert_eq!(url_encoded(&fields), "a=x+y%26z&b=%2F");
    }

    proptest! {
        #[test]
        fn no_header_panics(text in "[ -~]{0,60}") {
            let _ = read(&[&text]);
        }
    }
}
