//! Parses image names: the location of an image, and its tag or digest.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use miette::Diagnostic;

use maelstrom_container::digest::ContentHash;

/// Where a name without a host is looked for.
const DEFAULT_HOST: &str = "docker.io";

/// Docker Hub answers to several names; this is the one that serves.
const DEFAULT_HOST_SERVER: &str = "registry-1.docker.io";

/// What a bare name on Docker Hub stands in.
const DEFAULT_NAMESPACE: &str = "library";

const DEFAULT_TAG: &str = "latest";

const FORM: &str = "the form is `docker://[HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST]`";

/// An image as a user names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageUri {
    /// `docker://…`: in a registry.
    Registry(RegistryReference),
    /// `oci:…`, `oci-archive:…`, `docker-archive:…`: on this machine.
    Local {
        form: LocalForm,
        /// Where; relative paths start where the caller says.
        path: PathBuf,
        /// Which of several images.
        label: Option<String>,
    },
}

/// The forms in which images lie on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LocalForm {
    /// A directory, by the OCI image layout specification.
    OciDirectory,
    /// A tar of such a directory.
    OciArchive,
    /// What `docker save` writes.
    DockerArchive,
}

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryReference {
    name: String,
    host: Option<String>,
    path: String,
    version: TagOrDigest,
}

/// Which of the images of one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TagOrDigest {
    /// What the tag leads to today.
    Tag(String),
    /// This one, whatever a tag may say.
    Digest(ContentHash),
}

/// A text that names no image.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
#[error("`{uri}` names no image: {problem}")]
#[diagnostic(forward(problem))]
pub struct ReferenceError {
    uri: String,
    problem: ReferenceProblem,
}

#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
enum ReferenceProblem {
    #[error("it begins with none of `docker://`, `oci:`, `oci-archive:` and `docker-archive:`")]
    #[diagnostic(help("for an image in a registry, write `docker://` in front"))]
    Scheme,
    #[error("it has no path")]
    #[diagnostic(help("name the file or directory after the colon"))]
    NoPath,
    #[error("it has no name")]
    #[diagnostic(help("{FORM}"))]
    NoName,
    #[error("`{0}` is not a host and port")]
    #[diagnostic(help("{FORM}"))]
    Host(String),
    #[error("`{0}` is not a part of a name, which is of letters, digits, `_`, `.` and `-`")]
    #[diagnostic(help("{FORM}"))]
    Part(String),
    #[error("`{0}` is not a tag, which is of letters, digits, `_`, `.` and `-`, 128 at most")]
    #[diagnostic(help("{FORM}"))]
    Tag(String),
    #[error("`{0}` is not a digest, which is `sha256:` and 64 lower-case hexadecimal digits")]
    #[diagnostic(help("{FORM}"))]
    Digest(String),
}

impl FromStr for ImageUri {
    type Err = ReferenceError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        parse(uri).map_err(|problem| ReferenceError {
            uri: uri.to_owned(),
            problem,
        })
    }
}

fn parse(uri: &str) -> Result<ImageUri, ReferenceProblem> {
    if let Some(reference) = uri.strip_prefix("docker://") {
        return parse_registry(reference).map(ImageUri::Registry);
    }
    let (form, place) = [
        ("oci:", LocalForm::OciDirectory),
        ("oci-archive:", LocalForm::OciArchive),
        ("docker-archive:", LocalForm::DockerArchive),
    ]
    .into_iter()
    .find_map(|(prefix, form)| Some((form, uri.strip_prefix(prefix)?)))
    .ok_or(ReferenceProblem::Scheme)?;
    let (path, label) = match place.split_once(':') {
        Some((path, label)) => (path, Some(label.to_owned())),
        None => (place, None),
    };
    if path.is_empty() {
        return Err(ReferenceProblem::NoPath);
    }
    Ok(ImageUri::Local {
        form,
        path: path.into(),
        label,
    })
}

fn parse_registry(reference: &str) -> Result<RegistryReference, ReferenceProblem> {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
        None => (reference, None),
    };
    let (host, path) = match rest.split_once('/') {
        Some((first, path)) if is_host(first) => (Some(check_host(first)?.to_owned()), path),
        _ => (None, rest),
    };
    let (path, tag) = match path.rsplit_once(':') {
        Some((path, tag)) => (path, Some(check_tag(tag)?)),
        None => (path, None),
    };
    if path.is_empty() {
        return Err(ReferenceProblem::NoName);
    }
    for part in path.split('/') {
        if part.is_empty() || !part.chars().all(is_word) {
            return Err(ReferenceProblem::Part(part.to_owned()));
        }
    }
    let name = match &host {
        Some(host) => format!("{host}/{path}"),
        None => path.to_owned(),
    };
    Ok(RegistryReference {
        name,
        host,
        path: path.to_owned(),
        version: match digest {
            Some(digest) => TagOrDigest::Digest(digest),
            None => TagOrDigest::Tag(tag.unwrap_or(DEFAULT_TAG).to_owned()),
        },
    })
}

fn is_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost"
}

/// Hosts are validated strictly, since they decide where requests go.
fn check_host(text: &str) -> Result<&str, ReferenceProblem> {
    let error = || ReferenceProblem::Host(text.to_owned());
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or_else(error)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| error())?;
            ("ipv6", rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_named = !host.is_empty() && host.chars().all(is_word);
    let has_port = port.is_none_or(|port| {
        port.chars().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok()
    });
    if is_named && has_port {
        Ok(text)
    } else {
        Err(error())
    }
}

fn check_tag(tag: &str) -> Result<&str, ReferenceProblem> {
    if !tag.is_empty() && tag.len() <= 128 && tag.chars().all(is_word) {
        Ok(tag)
    } else {
        Err(ReferenceProblem::Tag(tag.to_owned()))
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
}

/// Reads `sha256:` and a hash; other algorithms are not in use.
fn parse_digest(text: &str) -> Result<ContentHash, ReferenceProblem> {
    text.strip_prefix("sha256:")
        .and_then(|hash| hash.parse().ok())
        .ok_or_else(|| ReferenceProblem::Digest(text.to_owned()))
}

impl RegistryReference {
    /// The reference as it was written, without scheme, tag and digest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which of the images of this name.
    pub fn version(&self) -> &TagOrDigest {
        &self.version
    }

    /// The digest it names, if it names one.
    pub fn digest(&self) -> Option<ContentHash> {
        match &self.version {
            TagOrDigest::Digest(hash) => Some(*hash),
            TagOrDigest::Tag(_) => None,
        }
    }

    /// The registry's name, as credentials are filed under it.
    pub fn registry(&self) -> &str {
        match self.host.as_deref() {
            None | Some("index.docker.io" | DEFAULT_HOST_SERVER) => DEFAULT_HOST,
            Some(host) => host,
        }
    }

    /// The host, and perhaps port, that serves the registry.
    pub(super) fn server(&self) -> &str {
        match self.registry() {
            DEFAULT_HOST => DEFAULT_HOST_SERVER,
            host => host,
        }
    }

    /// The repository within the registry.
    pub(super) fn repository(&self) -> String {
        if self.registry() == DEFAULT_HOST && !self.path.contains('/') {
            format!("{DEFAULT_NAMESPACE}/{}", self.path)
        } else {
            self.path.clone()
        }
    }
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            TagOrDigest::Tag(tag) => write!(formatter, "docker://{}:{tag}", self.name),
            TagOrDigest::Digest(hash) => write!(formatter, "docker://{}@sha256:{hash}", self.name),
        }
    }
}

impl fmt::Display for ImageUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageUri::Registry(reference) => reference.fmt(formatter),
            ImageUri::Local { form, path, label } => {
                let scheme = match form {
                    LocalForm::OciDirectory => "oci",
                    LocalForm::OciArchive => "oci-archive",
                    LocalForm::DockerArchive => "docker-archive",
                };
                write!(formatter, "{scheme}:{}", path.display())?;
                match label {
                    Some(label) => write!(formatter, ":{label}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn registry(uri: &str) -> RegistryReference {
        match uri.parse() {
            Ok(ImageUri::Registry(reference)) => reference,
            other => panic!("{uri}: {other:?}"),
        }
    }

    #[test]
    fn references_lead_to_server_repository_and_tag() {
        for (uri, name, registry_name, server, repository, tag) in [
            (
                "debian",
                "debian",
                "docker.io",
                "registry-1.docker.io",
                "library/debian",
                "latest",
            ),
            (
                "debian:12",
                "debian",
                "docker.io",
                "registry-1.docker.io",
                "library/debian",
                "12",
            ),
            (
                "me/it",
                "me/it",
                "docker.io",
                "registry-1.docker.io",
                "me/it",
                "latest",
            ),
            (
                "docker.io/x",
                "docker.io/x",
                "docker.io",
                "registry-1.docker.io",
                "library/x",
                "latest",
            ),
            (
                "localhost/x",
                "localhost/x",
                "localhost",
                "localhost",
                "x",
                "latest",
            ),
            (
                "ghcr.io/a/b/c:v1.2-x",
                "ghcr.io/a/b/c",
                "ghcr.io",
                "ghcr.io",
                "a/b/c",
                "v1.2-x",
            ),
            (
                "r.example:5000/a.b",
                "r.example:5000/a.b",
                "r.example:5000",
                "r.example:5000",
                "a.b",
                "latest",
            ),
            (
                "[::1]:5000/a",
                "[::1]:5000/a",
                "[::1]:5000",
                "[::1]:5000",
                "a",
                "latest",
            ),
        ] {
            let reference = registry(&format!("docker://{uri}"));
            assert_eq!(reference.name(), name, "{uri}");
            assert_eq!(reference.registry(), registry_name, "{uri}");
            assert_eq!(reference.server(), server, "{uri}");
            assert_eq!(reference.repository(), repository, "{uri}");
            assert_eq!(
                *reference.version(),
                TagOrDigest::Tag(tag.to_owned()),
                "{uri}"
            );
        }
    }

    #[test]
    fn a_digest_beats_the_tag() {
        let reference = registry(&format!("docker://debian:12@sha256:{HASH}"));
        assert_eq!(
            *reference.version(),
            TagOrDigest::Digest(HASH.parse().unwrap())
        );
        assert_eq!(
            reference.to_string(),
            format!("docker://debian@sha256:{HASH}")
        );
    }

    #[test]
    fn local_images_have_a_path_and_perhaps_a_label() {
        let local = |form, path: &str, label: Option<&str>| ImageUri::Local {
            form,
            path: path.into(),
            label: label.map(str::to_owned),
        };
        for (uri, expected) in [
            (
                "oci:images/base",
                local(LocalForm::OciDirectory, "images/base", None),
            ),
            (
                "oci:/a:b:c",
                local(LocalForm::OciDirectory, "/a", Some("b:c")),
            ),
            (
                "oci-archive:x.tar:",
                local(LocalForm::OciArchive, "x.tar", Some("")),
            ),
            (
                "docker-archive:x.tar",
                local(LocalForm::DockerArchive, "x.tar", None),
            ),
        ] {
            assert_eq!(uri.parse(), Ok(expected.clone()), "{uri}");
            assert_eq!(expected.to_string(), uri);
        }
    }

    #[test]
    fn what_names_no_image_is_explained() {
        let errors: Vec<String> = [
            "debian",
            "",
            "oci:",
            "oci-archive::label",
            "docker://",
            "docker://:tag",
            "docker://host.example/",
            "docker://a//b",
            "docker://a b",
            "docker://a:",
            "docker://a:b c",
            "docker://host.example:99999/a",
            "docker://[::1/a",
            "docker://a@sha256:123",
            "docker://a@md5:123",
        ]
        .iter()
        .map(|uri| {
            let error = uri.parse::<ImageUri>().unwrap_err();
            format!("{error}; {}", error.help().unwrap())
        })
        .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }

    proptest! {
        #[test]
        fn whatever_parses_can_be_written_and_parsed_again(
            text in "(docker://|oci:)?([a-z0-9.:@/_\\[\\]-]|sha256:|\\PC){0,30}",
        ) {
            if let Ok(uri) = text.parse::<ImageUri>() {
                prop_assert_eq!(uri.to_string().parse(), Ok(uri));
            }
        }
    }
}
