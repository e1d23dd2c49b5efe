//! Files and helpers in the formats of Docker, Podman and Skopeo.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::reference::ImageUri;
use super::*;

fn reference(name: &str) -> RegistryReference {
    match format!("docker://{name}").parse() {
        Ok(ImageUri::Registry(reference)) => reference,
        other => panic!("{other:?}"),
    }
}

struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A helper that is found without PATH, which all tests share: a name that leads to it.
    fn helper(&self, script: &str) -> String {
        let path = self.write("helper", &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }
}

fn find(files: Vec<PathBuf>, name: &str) -> Result<Option<RegistryCredentials>, CredentialError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(CredentialFiles::new(files).find(&reference(name)))
}

fn password(user: &str, password: &str) -> Option<RegistryCredentials> {
    Some(RegistryCredentials::Password {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

#[test]
fn the_environment_says_where_to_look() {
    let files = |set: &[(&str, &str)]| {
        let set = set.to_vec();
        CredentialFiles::from_variables(move |name| {
            let (_, value) = set.iter().find(|(key, _)| *key == name)?;
            Some(value.into())
        })
        .files
    };
    assert_eq!(
        files(&[("HOME", "/h")]),
        [Path::new("/h/.docker/config.json")]
    );
    assert_eq!(
        files(&[
            ("HOME", "/h"),
            ("DOCKER_CONFIG", "/d"),
            ("REGISTRY_AUTH_FILE", "/r")
        ]),
        [Path::new("/r"), Path::new("/d/config.json")]
    );
    assert!(files(&[("HOME", "")]).is_empty());
}

#[test]
fn logins_are_found_under_all_the_names_a_registry_goes_by() {
    let bench = Bench::new();
    // `me:a:b`, for passwords may hold a colon.
    let file = bench.write(
        "config.json",
        r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "bWU6YTpi"},
            "registry.example:5000": {"username": "u", "password": "p"},
            "ghcr.io": {"auth": "dTpw", "identitytoken": "ID"},
            "quay.io/team": {"auth": "dGVhbTpw"},
            "quay.io": {"auth": "YWxsOnA="},
            "noted.example": {}
        }, "HttpHeaders": {"unknown": "keys are fine"}}"#,
    );
    for (name, expected) in [
        ("debian", password("me", "a:b")),
        ("docker.io/me/app", password("me", "a:b")),
        ("registry.example:5000/x", password("u", "p")),
        ("registry.example/x", None),
        (
            "ghcr.io/x",
            Some(RegistryCredentials::IdentityToken("ID".to_owned())),
        ),
        ("quay.io/team/app", password("team", "p")),
        ("quay.io/teams/app", password("all", "p")),
        ("noted.example/x", None),
    ] {
        assert_eq!(find(vec![file.clone()], name).unwrap(), expected, "{name}");
    }
}

#[test]
fn the_first_file_with_a_login_counts() {
    let bench = Bench::new();
    let first = bench.write(
        "first",
        r#"{"auths": {"a.example": {"auth": "Zmlyc3Q6cA=="}}}"#,
    );
    let second = bench.write(
        "second",
        r#"{"auths": {"a.example": {"auth": "c2Vjb25kOnA="}, "b.example": {"auth": "c2Vjb25kOnA="}}}"#,
    );
    let files = vec![bench.path("missing"), first, second];
    assert_eq!(
        find(files.clone(), "a.example/x").unwrap(),
        password("first", "p")
    );
    assert_eq!(find(files, "b.example/x").unwrap(), password("second", "p"));
}

#[test]
fn helpers_are_asked_by_dockers_protocol() {
    let bench = Bench::new();
    let helper = bench.helper(
        r#"[ "$1" = get ] || exit 9
        read -r key || true
        case "$key" in
            https://index.docker.io/v1/) echo '{"ServerURL":"x","Username":"hub","Secret":"s"}' ;;
            token.example) echo '{"Username":"<token>","Secret":"ID"}' ;;
            *) echo "credentials not found in native keychain"; exit 1 ;;
        esac"#,
    );
    let answer = |registry: &str| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(ask_program(&helper, registry))
            .unwrap()
    };
    assert_eq!(answer("docker.io"), password("hub", "s"));
    assert_eq!(
        answer("token.example"),
        Some(RegistryCredentials::IdentityToken("ID".to_owned()))
    );
    assert_eq!(answer("other.example"), None);
}

#[test]
fn what_is_wrong_with_logins_is_said_without_secrets() {
    let bench = Bench::new();
    let broken = bench.write("broken", "{\n  \"auths\": [\n}");
    let undecodable = bench.write("undecodable", r#"{"auths": {"a.example": {"auth": "%%"}}}"#);
    let no_helper = bench.write(
        "no-helper",
        r#"{"credsStore": "of-that-name-there-is-none"}"#,
    );
    let mut said: Vec<String> = [broken, undecodable, no_helper, bench.path("")]
        .into_iter()
        .map(|file| {
            let error = find(vec![file], "a.example/x").unwrap_err();
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            format!("{error}{cause}; {}", error.help().unwrap())
        })
        .collect();
    for script in [
        "echo secret-but-no-json",
        "echo >&2 'keychain is locked'; exit 3",
        "exit 4",
    ] {
        let helper = bench.helper(script);
        let error = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(ask_program(&helper, "a.example"))
            .unwrap_err();
        said.push(error.to_string());
    }
    let said = said
        .join("\n")
        .replace(bench.directory.path().to_str().unwrap(), "PLACE");
    assert!(!said.contains("secret-but"), "{said}");
    insta::assert_snapshot!(said);
}
