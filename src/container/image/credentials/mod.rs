//! Registry credentials, from where Docker, Podman and Skopeo keep them.
//!
//! Files are searched in order: `$REGISTRY_AUTH_FILE`, then `config.json` in `$DOCKER_CONFIG` or
//! `~/.docker`. Within a file, the credential helper for the registry comes first, then the login
//! stored in the file, then the default credential helper. Secrets are never printed.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use data_encoding::BASE64;
use miette::Diagnostic;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::reference::RegistryReference;

/// The key under which Docker keeps the credentials of its own registry.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// A helper's output when it has no credentials; nothing else distinguishes this from a failure.
const HELPER_NOT_FOUND: &str = "credentials not found in native keychain";

/// The user that stands for "the secret is an identity token".
const TOKEN_USER: &str = "<token>";

/// The files that are searched for credentials, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialFiles {
    files: Vec<PathBuf>,
}

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum RegistryCredentials {
    Password {
        user: String,
        password: String,
    },
    /// To be exchanged for an access token.
    IdentityToken(String),
}

impl fmt::Debug for RegistryCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            RegistryCredentials::Password { .. } => "Password",
            RegistryCredentials::IdentityToken(_) => "IdentityToken",
        })
    }
}

/// An error of searching the credentials.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum CredentialError {
    /// A file is there and can't be read.
    #[error("cannot read the registry logins in `{}`", path.display())]
    #[diagnostic(help("check the file's permissions"))]
    Read { path: PathBuf, source: io::Error },
    /// A file is malformed.
    #[error("the registry logins in `{}` are not valid", path.display())]
    #[diagnostic(help("log in again with `docker login`, or correct the file"))]
    Parse {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// A login in a file is not one.
    #[error(
        "the login for `{registry}` in `{}` is not valid: `auth` must be USER:PASSWORD in base64",
        path.display()
    )]
    #[diagnostic(help("log in again with `docker login`, or correct the file"))]
    Login { path: PathBuf, registry: String },
    /// A helper could not be run.
    #[error("cannot run the credential helper `{helper}`")]
    #[diagnostic(help("install the helper in a directory of PATH, or remove it from the file"))]
    RunHelper { helper: String, source: io::Error },
    #[error("the credential helper `{helper}` failed: {message}")]
    #[diagnostic(help("log in again, or remove the helper from the file"))]
    Helper { helper: String, message: String },
}

#[derive(Deserialize)]
struct DockerConfigFile {
    #[serde(default)]
    auths: HashMap<String, DockerAuthConfig>,
    #[serde(default, rename = "credHelpers")]
    helpers: HashMap<String, String>,
    #[serde(default, rename = "credsStore")]
    helper: Option<String>,
}

#[derive(Deserialize)]
struct DockerAuthConfig {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, rename = "identitytoken")]
    identity_token: String,
}

#[derive(Deserialize)]
struct CredentialHelperReply {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

impl CredentialFiles {
    /// The files that this process's environment points to.
    pub fn from_environment() -> Self {
        CredentialFiles::from_variables(|name| std::env::var_os(name).map(PathBuf::from))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let set = |name| variable(name).filter(|path| !path.as_os_str().is_empty());
        let docker = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")));
        CredentialFiles {
            files: [
                set("REGISTRY_AUTH_FILE"),
                docker.map(|directory| directory.join("config.json")),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }

    /// These files.
    pub fn new(files: Vec<PathBuf>) -> Self {
        CredentialFiles { files }
    }

    /// The login for an image, if there is one.
    pub(super) async fn find(
        &self,
        reference: &RegistryReference,
    ) -> Result<Option<RegistryCredentials>, CredentialError> {
        for path in &self.files {
            let Some(config) = read(path)? else { continue };
            if let Some(found) = find_in(path, &config, reference).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn read(path: &Path) -> Result<Option<DockerConfigFile>, CredentialError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(CredentialError::Read {
                    path: path.to_owned(),
                    source: error,
                }),
            };
        }
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|source| CredentialError::Parse {
            path: path.to_owned(),
            source,
        })
}

async fn find_in(
    path: &Path,
    config: &DockerConfigFile,
    reference: &RegistryReference,
) -> Result<Option<RegistryCredentials>, CredentialError> {
    let registry = reference.registry();
    let helper = config
        .helpers
        .iter()
        .find(|(key, _)| canonical(key) == registry)
        .map(|(_, helper)| helper);
    if let Some(helper) = helper {
        return ask(helper, registry).await;
    }
    // Podman files logins for parts of a registry as well; the closest counts.
    let mut place = format!("{registry}/{}", reference.repository());
    loop {
        let login = config
            .auths
            .iter()
            .find(|(key, _)| canonical(key) == place)
            .map(|(_, login)| login);
        if let Some(login) = login
            && let Some(credentials) =
                login
                    .credentials()
                    .map_err(|InvalidLogin| CredentialError::Login {
                        path: path.to_owned(),
                        registry: place.clone(),
                    })?
        {
            return Ok(Some(credentials));
        }
        match place.rfind('/') {
            Some(at) => place.truncate(at),
            None => break,
        }
    }
    match &config.helper {
        Some(helper) => ask(helper, registry).await,
        None => Ok(None),
    }
}

/// Keys may be URLs; Docker Hub goes by several names.
fn canonical(key: &str) -> &str {
    let place = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key)
        .trim_end_matches('/');
    let place = place
        .strip_suffix("/v1")
        .or_else(|| place.strip_suffix("/v2"))
        .unwrap_or(place);
    match place {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        place => place,
    }
}

struct InvalidLogin;

impl DockerAuthConfig {
    /// `None` where the file only notes that a helper has the login.
    fn credentials(&self) -> Result<Option<RegistryCredentials>, InvalidLogin> {
        if !self.identity_token.is_empty() {
            return Ok(Some(RegistryCredentials::IdentityToken(
                self.identity_token.clone(),
            )));
        }
        if self.auth.is_empty() {
            return Ok(
                (!self.username.is_empty()).then(|| RegistryCredentials::Password {
                    user: self.username.clone(),
                    password: self.password.clone(),
                }),
            );
        }
        let decoded = BASE64.decode(self.auth.as_bytes());
        let decoded = decoded.map_err(|_| InvalidLogin)?;
        let text = String::from_utf8(decoded).map_err(|_| InvalidLogin)?;
        let (user, password) = text.split_once(':').ok_or(InvalidLogin)?;
        Ok(Some(RegistryCredentials::Password {
            user: user.to_owned(),
            // Docker takes NUL bytes from the end as well.
            password: password.trim_end_matches('\0').to_owned(),
        }))
    }
}

/// Asks the helper of this name.
async fn ask(name: &str, registry: &str) -> Result<Option<RegistryCredentials>, CredentialError> {
    ask_program(&format!("docker-credential-{name}"), registry).await
}

/// Asks a program by the protocol of Docker's credential helpers.
async fn ask_program(
    helper: &str,
    registry: &str,
) -> Result<Option<RegistryCredentials>, CredentialError> {
    let helper = helper.to_owned();
    let run = |source| CredentialError::RunHelper {
        helper: helper.clone(),
        source,
    };
    let key = match registry {
        "docker.io" => DOCKER_HUB_KEY,
        registry => registry,
    };
    let mut child = Command::new(&helper)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(run)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(key.as_bytes()).await {
            // A helper may answer without reading.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(run(error)),
            Ok(()) | Err(_) => {}
        }
    }
    let output = child.wait_with_output().await.map_err(run)?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        if said.contains(HELPER_NOT_FOUND) {
            return Ok(None);
        }
        let complained = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(CredentialError::Helper {
            helper,
            message: [said, complained, output.status.to_string()]
                .into_iter()
                .find(|text| !text.is_empty())
                .unwrap_or_default(),
        });
    }
    // The answer is not quoted in the error: it holds a secret.
    let answer: CredentialHelperReply =
        serde_json::from_str(&said).map_err(|error| CredentialError::Helper {
            helper,
            message: format!(
                "its answer is not valid at line {}, column {}",
                error.line(),
                error.column()
            ),
        })?;
    Ok(Some(match answer.user.as_str() {
        TOKEN_USER => RegistryCredentials::IdentityToken(answer.secret),
        _ => RegistryCredentials::Password {
            user: answer.user,
            password: answer.secret,
        },
    }))
}

#[cfg(test)]
mod tests;
