//! A private certificate authority for a team: issues certificates for brokers and members, and
//! tokens.
//!
//! Everything is a file in one directory; only the owner can read keys and tokens.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use super::roles::ClusterRole;
use super::tokens;

/// The CA certificate.
pub const AUTHORITY: &str = "ca.pem";
const AUTHORITY_KEY: &str = "ca.key";
/// The tokens that a broker accepts.
pub const TOKENS: &str = "tokens";

/// Why a credential could not be created.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The file already exists.
    #[error("{} is there already", path.display())]
    Exists { path: PathBuf },
    /// A certificate could not be created or parsed.
    #[error("cannot make the certificate of {name}")]
    Certificate {
        name: String,
        source: Box<rcgen::Error>,
    },
    /// The name is no file name.
    #[error("`{name}` is not a name for a member: letters, digits, `.`, `-` and `_` are expected")]
    Name { name: String },
}

/// An authority in a directory.
pub struct CertificateAuthority {
    directory: PathBuf,
}

impl CertificateAuthority {
    /// Creates an authority.
    pub fn create(directory: &Path) -> Result<CertificateAuthority, AuthorityError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| file("make", directory, source))?;
        let certificate = directory.join(AUTHORITY);
        if certificate.exists() {
            return Err(AuthorityError::Exists { path: certificate });
        }
        let failed = made_badly("the authority");
        let key = KeyPair::generate().map_err(&failed)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(&failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "maelstrom private authority");
        let key_pem = key.serialize_pem();
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(&failed)?;
        write(
            &directory.join(AUTHORITY_KEY),
            &key_pem,
            FileVisibility::Secret,
        )?;
        write(&certificate, &issuer.pem(), FileVisibility::Public)?;
        write(&directory.join(TOKENS), "", FileVisibility::Secret)?;
        Ok(CertificateAuthority {
            directory: directory.to_owned(),
        })
    }

    /// Opens an existing authority.
    pub fn open(directory: &Path) -> CertificateAuthority {
        CertificateAuthority {
            directory: directory.to_owned(),
        }
    }

    /// Issues a certificate for a broker with these host names. Returns the paths of the
    /// certificate and its key.
    pub fn broker(&self, names: &[String]) -> Result<(PathBuf, PathBuf), AuthorityError> {
        let failed = made_badly("the broker");
        let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params
            .distinguished_name
            .push(DnType::CommonName, "maelstrom-broker");
        self.sign("broker", params)
    }

    /// Issues a certificate for a member. Returns the paths of the certificate and its key.
    pub fn member(
        &self,
        role: ClusterRole,
        name: &str,
    ) -> Result<(PathBuf, PathBuf), AuthorityError> {
        let failed = made_badly(name);
        let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let subject = &mut params.distinguished_name;
        subject.push(DnType::OrganizationalUnitName, role.to_string());
        subject.push(DnType::CommonName, name);
        self.sign(name, params)
    }

    /// Creates a token for a member and adds it to the token file. Returns the token's path.
    pub fn token(&self, role: ClusterRole, name: &str) -> Result<PathBuf, AuthorityError> {
        check_name(name)?;
        let token = random()?;
        let path = self.directory.join(format!("{name}.token"));
        write(&path, &format!("{token}\n"), FileVisibility::Secret)?;
        let accepted = self.directory.join(TOKENS);
        let added = OpenOptions::new()
            .append(true)
            .open(&accepted)
            .and_then(|mut file| file.write_all(tokens::line(role, &token, name).as_bytes()));
        added.map_err(|source| file("write", &accepted, source))?;
        Ok(path)
    }

    fn sign(
        &self,
        name: &str,
        params: CertificateParams,
    ) -> Result<(PathBuf, PathBuf), AuthorityError> {
        check_name(name)?;
        let failed = made_badly(name);
        let read = |name: &str| {
            let path = self.directory.join(name);
            fs::read_to_string(&path).map_err(|source| file("read", &path, source))
        };
        let (authority, key) = (read(AUTHORITY)?, read(AUTHORITY_KEY)?);
        let key = KeyPair::from_pem(&key).map_err(&failed)?;
        let issuer = Issuer::from_ca_cert_pem(&authority, key).map_err(&failed)?;
        let own = KeyPair::generate().map_err(&failed)?;
        let certificate = params.signed_by(&own, &issuer).map_err(&failed)?;
        let paths = (
            self.directory.join(format!("{name}.pem")),
            self.directory.join(format!("{name}.key")),
        );
        // The key comes first: a certificate without its key looks complete and is useless.
        write(&paths.1, &own.serialize_pem(), FileVisibility::Secret)?;
        write(&paths.0, &certificate.pem(), FileVisibility::Public)?;
        Ok(paths)
    }
}

#[derive(Clone, Copy)]
enum FileVisibility {
    Public,
    Secret,
}

fn write(path: &Path, text: &str, secrecy: FileVisibility) -> Result<(), AuthorityError> {
    let mode = match secrecy {
        FileVisibility::Public => 0o644,
        FileVisibility::Secret => 0o600,
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => AuthorityError::Exists {
            path: path.to_owned(),
        },
        _ => file("write", path, source),
    })
}

/// 32 random bytes from the kernel, as text.
fn random() -> Result<String, AuthorityError> {
    use std::io::Read;
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; 32];
    fs::File::open(path)
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|source| file("read", path, source))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

fn check_name(name: &str) -> Result<(), AuthorityError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    match !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err(AuthorityError::Name {
            name: name.to_owned(),
        }),
    }
}

fn file(doing: &'static str, path: &Path, source: io::Error) -> AuthorityError {
    AuthorityError::File {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn made_badly(name: &str) -> impl Fn(rcgen::Error) -> AuthorityError {
    move |source| AuthorityError::Certificate {
        name: name.to_owned(),
        source: Box::new(source),
    }
}
