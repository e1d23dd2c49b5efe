//! Images from real registries and archives, made by other tools, and what becomes of them.

mod named;
pub(crate) mod real;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use maelstrom_container::message::{
    self, ContainerReply, ContainerRequest, LaunchMode, PackedStrings, ProcessImage,
};
use maelstrom_container::plan::plan;
use maelstrom_container::spawner::Spawner;
use maelstrom_container::spec::*;
use maelstrom_container::store::{Store, StoreOptions, TreeCheckLevel};
use maelstrom_image::{
    ContainerImage, CredentialFiles, ImageCache, ImageCacheOptions, ImageError, ImageLockFile,
    ImageUri, Platform, ProgressCallback, RetryPolicy, TlsVerification,
};
use real::{Access, Layout, NAME, Proxy, Registry, Wire, run};

/// A depot in a directory, as one program has it.
struct Pull {
    store: Store,
    options: ImageCacheOptions,
}

impl Pull {
    fn new(cache: &Path) -> Self {
        let store = Store::open(&StoreOptions {
            root: cache.to_owned(),
            size_target_bytes: u64::MAX,
        })
        .unwrap();
        let options = ImageCacheOptions {
            credentials: CredentialFiles::default(),
            certificates: TlsVerification::Checked,
            patience: RetryPolicy::default(),
            platform: Platform::host(),
        };
        Pull { store, options }
    }

    fn image(&self, uri: &str) -> Result<ContainerImage, ImageError> {
        let depot = ImageCache::new(self.store.clone(), self.options.clone());
        let uri: ImageUri = uri.parse().unwrap();
        let silent: ProgressCallback = Arc::new(|_| {});
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(depot.image(&uri, None, Path::new("/"), &silent))
    }
}

/// Everything in a directory: kind, mode, size, number of names, target; of files the time, too.
fn listing(directory: &Path) -> String {
    let find = "find . -mindepth 1 -type d -printf '%P %y %m\\n' , -mindepth 1 -type l \
                -printf '%P %y %l\\n' , -type f -printf '%P %y %m %s %n %Ts\\n'";
    let output = Command::new("sh")
        .args(["-c", &format!("{find} | sort")])
        .current_dir(directory)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The same of an image's layers, stacked as in a container.
fn stacked(image: &ContainerImage) -> String {
    let mount_point = tempfile::tempdir().unwrap();
    let lower: Vec<_> = image
        .layers
        .iter()
        .rev()
        .map(|layer| layer.root().display().to_string())
        .collect();
    let me = std::env::current_exe().unwrap();
    let script = "mount -t overlay -o \"userxattr,lowerdir=$1\" overlay \"$0\" && exec \"$2\" \
                  images::list_a_directory --exact --include-ignored --nocapture";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(mount_point.path())
        .arg(lower.join(":"))
        .arg(me)
        .env(ROLE, mount_point.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = text
        .split_once(BEGIN)
        .unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    rest.split(END).next().unwrap().to_owned()
}

const ROLE: &str = "MAELSTROM_IMAGE_TEST_ROLE";
const BEGIN: &str = "<<<<";
const END: &str = ">>>>";

/// Not a test by itself: what [`stacked`] runs within a mount namespace.
#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn list_a_directory() {
    if let Some(directory) = std::env::var_os(ROLE) {
        println!("{BEGIN}{}{END}", listing(Path::new(&directory)));
    }
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn whatever_form_an_image_comes_in_it_is_what_its_maker_unpacks() {
    let layout = Layout::new();
    let registry = Registry::start(Access::Everybody, Wire::Http);
    let source = layout.uri();
    registry.push(&source, "app:oci", &[]);
    registry.push(&source, "app:docker", &["--format", "v2s2"]);
    let zstd = layout.save("oci", "zstd", "base", &["--dest-compress-format", "zstd"]);
    registry.push(&zstd, "app:zstd", &[]);
    let docker = layout.save("docker-archive", "docker.tar", "app:1", &[]);
    run("gzip", &["-k", layout.path("docker.tar").to_str().unwrap()]);
    let uris = [
        source,
        registry.image("app:oci"),
        registry.image("app:docker"),
        registry.image("app:zstd"),
        zstd,
        layout.save("oci-archive", "oci.tar", "base", &[]),
        docker,
        format!("docker-archive:{}", layout.path("docker.tar.gz").display()),
    ];
    let expected = listing(&layout.unpacked());
    assert!(
        expected.contains("etc/hidden/new f 644") && !expected.contains("gone"),
        "{expected}"
    );
    let mut trees = Vec::new();
    for uri in uris {
        let cache = tempfile::tempdir().unwrap();
        let pull = Pull::new(cache.path());
        let image = pull.image(&uri).unwrap();
        assert_eq!(image.layers.len(), 3, "{uri}");
        assert_eq!(image.settings.working_directory.as_deref(), Some("/srv"));
        let greeting = ("GREETING".to_owned(), "hello".to_owned());
        assert!(image.settings.environment.contains(&greeting), "{uri}");
        for layer in &image.layers {
            pull.store.verify(layer, TreeCheckLevel::Content).unwrap();
        }
        assert_eq!(stacked(&image), expected, "{uri}");
        let names: Vec<_> = image.layers.iter().map(|layer| layer.hash()).collect();
        trees.push(names);
    }
    trees.dedup();
    assert_eq!(trees.len(), 1, "one image is one stack of trees");
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn an_index_gives_each_platform_its_image() {
    let layout = Layout::new();
    let index = layout.path("layout/index.json");
    let text = fs::read_to_string(&index).unwrap();
    let one: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (host, foreign) = (Platform::host(), other_platform());
    // The other platform's image is the same in all but its configuration.
    let mut entries = Vec::new();
    for platform in [&host, &foreign] {
        fs::write(&index, &text).unwrap();
        let architecture = format!("--architecture={}", platform.architecture);
        let place = layout.path("layout").display().to_string();
        let image = format!("{place}:base");
        run(
            "umoci",
            &["config", "--image", &image, "--os=linux", &architecture],
        );
        let made: serde_json::Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
        let mut entry = made["manifests"][0].clone();
        entry["platform"] =
            serde_json::json!({ "os": "linux", "architecture": platform.architecture });
        entry.as_object_mut().unwrap().remove("annotations");
        entries.push(entry);
    }
    let both = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries,
    })
    .to_string();
    let digest = maelstrom_container::digest::Digest::of(both.as_bytes());
    let blob = layout.path(&format!("layout/blobs/sha256/{}", digest.hash));
    fs::write(blob, &both).unwrap();
    let mut entry = one["manifests"][0].clone();
    entry["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
    entry["digest"] = format!("sha256:{}", digest.hash).into();
    entry["size"] = both.len().into();
    let outer = serde_json::json!({ "schemaVersion": 2, "manifests": [entry] });
    fs::write(&index, outer.to_string()).unwrap();

    let registry = Registry::start(Access::Everybody, Wire::Http);
    registry.push(&layout.uri(), "app:both", &["--all"]);
    let cache = tempfile::tempdir().unwrap();
    let mut pull = Pull::new(cache.path());
    for uri in [registry.image("app:both"), layout.uri()] {
        for platform in [&host, &foreign] {
            pull.options.platform = platform.clone();
            let image = pull.image(&uri).unwrap();
            assert_eq!(image.digest, digest.hash);
            let manifest = entries
                .iter()
                .find(|entry| entry["platform"]["architecture"] == platform.architecture.as_str())
                .unwrap()["digest"]
                .as_str()
                .unwrap();
            let kept = manifest.strip_prefix("sha256:").unwrap();
            assert!(
                cache.path().join("blobs").join(kept).exists(),
                "{uri} for {platform}"
            );
        }
    }
    pull.options.platform = Platform {
        os: "linux".to_owned(),
        architecture: "s390x".to_owned(),
        variant: None,
    };
    let error = pull.image(&registry.image("app:both")).unwrap_err();
    assert!(matches!(error, ImageError::NoPlatform { .. }), "{error}");
}

fn other_platform() -> Platform {
    let architecture = match Platform::host().architecture.as_str() {
        "amd64" => "arm64",
        _ => "amd64",
    };
    Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        variant: None,
    }
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn a_tag_that_moves_is_followed_only_without_its_lock() {
    let layout = Layout::new();
    let registry = Registry::start(Access::Everybody, Wire::Http);
    registry.push(&layout.uri(), "app:moving", &[]);
    let project = tempfile::tempdir().unwrap();
    let lock_file = project.path().join("tags.lock");
    let Ok(ImageUri::Registry(reference)) = registry.image("app:moving").parse() else {
        panic!("a registry's image")
    };
    let pulled = || {
        let cache = tempfile::tempdir().unwrap();
        let mut lock = ImageLockFile::read(&lock_file).unwrap();
        let pull = Pull::new(cache.path());
        let depot = ImageCache::new(pull.store, pull.options);
        let silent: ProgressCallback = Arc::new(|_| {});
        let image = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(depot.registry_image(&reference, lock.get(&reference), &silent))
            .unwrap();
        lock.record(&reference, image.digest);
        lock.save(&lock_file).unwrap();
        image.digest
    };
    let first = pulled();
    registry.push(&layout.uri(), "app:moving", &["--format", "v2s2"]);
    assert_eq!(pulled(), first);
    fs::remove_file(&lock_file).unwrap();
    assert_ne!(pulled(), first);
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn a_private_image_needs_its_password() {
    let layout = Layout::new();
    let registry = Registry::start(Access::Password, Wire::Http);
    registry.push(&layout.uri(), "team/app", &[]);
    let cache = tempfile::tempdir().unwrap();
    let mut pull = Pull::new(cache.path());
    let uri = registry.image("team/app");
    let error = pull.image(&uri).unwrap_err();
    assert!(
        matches!(error, ImageError::Refused { status: 401, .. }),
        "{error}"
    );

    let logins = tempfile::tempdir().unwrap();
    let file = logins.path().join("auth.json");
    let target = file.to_str().unwrap();
    let arguments = [
        "login",
        "--authfile",
        target,
        "--tls-verify=false",
        "-u",
        "me",
    ];
    run(
        "skopeo",
        &[&arguments[..], &["-p", "secret", registry.address()]].concat(),
    );
    pull.options.credentials = CredentialFiles::new(vec![file]);
    assert_eq!(pull.image(&uri).unwrap().layers.len(), 3);
}

/// Runs one of these tests in a process with this environment.
fn with_environment(test: &str, role: &str, variables: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("images::{test}"), "--exact", "--include-ignored"])
        .arg("--nocapture")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env(ROLE, role)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn a_private_authority_is_taken_from_the_environment() {
    let test = "a_private_authority_is_taken_from_the_environment";
    let cache = tempfile::tempdir().unwrap();
    let mut pull = Pull::new(cache.path());
    if let Ok(uri) = std::env::var(ROLE) {
        pull.image(&uri).unwrap();
        return;
    }
    let layout = Layout::new();
    let registry = Registry::start(Access::Everybody, Wire::Https);
    registry.push(&layout.uri(), "app", &[]);
    let uri = registry.image("app");
    let error = pull.image(&uri).unwrap_err();
    assert!(matches!(error, ImageError::Certificate { .. }), "{error:?}");
    let authority = registry.authority();
    with_environment(
        test,
        &uri,
        &[("SSL_CERT_FILE", authority.to_str().unwrap())],
    );

    pull.options.certificates = TlsVerification::AnyAccepted;
    pull.image(&uri).unwrap();
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn a_proxy_is_taken_from_the_environment() {
    let test = "a_proxy_is_taken_from_the_environment";
    if let Ok(uri) = std::env::var(ROLE) {
        let cache = tempfile::tempdir().unwrap();
        Pull::new(cache.path()).image(&uri).unwrap();
        return;
    }
    let layout = Layout::new();
    let registry = Registry::start(Access::Everybody, Wire::Https);
    registry.push(&layout.uri(), "app", &[]);
    let proxy = Proxy::start(registry.address());
    let authority = registry.authority();
    let place = format!("{NAME}:{}", registry.port());
    let uri = format!("docker://{place}/app");
    let variables = [
        ("HTTPS_PROXY", proxy.url()),
        ("SSL_CERT_FILE", authority.display().to_string()),
    ];
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    with_environment(test, &uri, &variables);
    let asked = proxy.asked();
    assert!(!asked.is_empty());
    for line in asked {
        assert_eq!(line, format!("CONNECT {place} HTTP/1.1"));
    }
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn programs_that_pull_at_once_fetch_each_layer_once() {
    let test = "programs_that_pull_at_once_fetch_each_layer_once";
    if let Ok(role) = std::env::var(ROLE) {
        let (cache, uri) = role.split_once(' ').unwrap();
        assert_eq!(
            Pull::new(Path::new(cache)).image(uri).unwrap().layers.len(),
            3
        );
        return;
    }
    let layout = Layout::new();
    let registry = Registry::start(Access::Everybody, Wire::Http);
    registry.push(&layout.uri(), "app", &[]);
    let cache = tempfile::tempdir().unwrap();
    let role = format!("{} {}", cache.path().display(), registry.image("app"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| with_environment(test, &role, &[]));
        }
    });
    let trees = fs::read_dir(cache.path().join("trees")).unwrap().count();
    assert_eq!(trees, 3);
    for layer in layout.layers() {
        assert_eq!(registry.times_fetched(&layer), 1, "{layer}");
    }
}

#[test]
#[ignore = "needs umoci and a static busybox"]
fn a_job_runs_in_an_image() {
    let layout = Layout::new();
    let cache = tempfile::tempdir().unwrap();
    let image = Pull::new(cache.path()).image(&layout.uri()).unwrap();
    for access in [RootAccess::ReadOnly, RootAccess::Ephemeral] {
        let spec = ContainerSpec {
            root: RootKind::Layers {
                trees: image.layers.iter().map(|tree| tree.root().into()).collect(),
                access,
            },
            mounts: Vec::new(),
            network: NetworkMode::Loopback,
            hostname: "image".to_owned(),
            user: 0,
            group: 0,
            privileges: PrivilegeLevel::Ordinary,
            services: Vec::new(),
            devices: Vec::new(),
        };
        let process = ProcessSpec {
            program: std::ffi::OsStr::new("/bin/sh").into(),
            arguments: vec![
                "-c".into(),
                "busybox cat /etc/one /etc/hidden/*; [ -e /etc/gone ] || echo gone; pwd; \
                 echo written > /srv/file && busybox cat /srv/file"
                    .into(),
            ],
            environment: Arc::new(BTreeMap::from([("PATH".into(), "/bin".into())])),
            working_directory: Path::new("/srv").into(),
        };
        let output = run_job(&spec, &process);
        let written = match access {
            RootAccess::ReadOnly => "Read-only file system",
            RootAccess::Ephemeral => "\nwritten\n",
        };
        assert!(output.starts_with("one\nnew\ngone\n/srv\n"), "{output}");
        assert!(output.contains(written), "{access:?}: {output}");
    }
    for layer in &image.layers {
        let store = Pull::new(cache.path()).store;
        store.verify(layer, TreeCheckLevel::Content).unwrap();
    }
}

/// What a job writes, in a container of its own.
fn run_job(spec: &ContainerSpec, process: &ProcessSpec) -> String {
    let spawner = Spawner::launch(Path::new(env!("CARGO_BIN_EXE_cargo-maelstrom"))).unwrap();
    let slot = spawner.start_container(&plan(spec).unwrap()).unwrap();
    let (reply, _) = message::receive(slot.as_fd()).unwrap();
    assert!(matches!(reply, ContainerReply::Ready), "{reply:?}");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let null = fs::File::open("/dev/null").unwrap();
    let environment = PackedStrings::of_environment(&process.environment).unwrap();
    let order = ContainerRequest::Do(
        LaunchMode::Run,
        ProcessImage::new(process, environment).unwrap(),
    );
    let streams = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    message::send(slot.as_fd(), &order, &streams).unwrap();
    drop(writer);
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    let (reply, _) = message::receive(slot.as_fd()).unwrap();
    assert!(matches!(reply, ContainerReply::Ended { .. }), "{reply:?}");
    spawner.close();
    output
}
