//! A real registry, and images made by real tools: Debian's `docker-registry`, `umoci` and `skopeo`.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// How long a registry may take to say what it did.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who may use a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Everybody,
    /// `me` with the password `secret`.
    Password,
}

/// How a registry is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Http,
    /// By a certificate that a private authority signed.
    Https,
}

/// `me:secret`, as `htpasswd -B` writes it.
const PASSWORDS: &str = "me:$2y$05$N6NBpJffXWuIYaAIjenb8u.8GomBYXblsnqVJvM8GXSRiU7ZpHUhq\n";

/// What a registry's certificate is for, besides this machine.
pub const NAME: &str = "registry.example";

/// A registry that runs while this lives.
pub struct Registry {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    directory: tempfile::TempDir,
}

impl Registry {
    pub fn start(access: Access, wire: Wire) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut config = format!(
            "version: 0.1\nlog:\n  fields: {{}}\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: 127.0.0.1:0\n",
            path("storage").display()
        );
        if wire == Wire::Https {
            make_certificates(directory.path());
            config.push_str(&format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                path("server.pem").display(),
                path("server.key").display()
            ));
        }
        if access == Access::Password {
            fs::write(path("passwords"), PASSWORDS).unwrap();
            config.push_str(&format!(
                "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
                path("passwords").display()
            ));
        }
        fs::write(path("config.yml"), config).unwrap();
        // It dies with the thread that runs the test, however that ends.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "docker-registry", "serve"])
            .arg(path("config.yml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the packages docker-registry and util-linux are installed");
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), Arc::clone(&log));
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let address = address(&mut lines);
        collect(lines, Arc::new(Mutex::new(String::new())));
        Registry {
            child,
            address,
            log,
            directory,
        }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    /// The private authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    pub fn image(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.address)
    }

    /// Copies an image into the registry.
    pub fn push(&self, source: &str, name: &str, options: &[&str]) {
        let mut arguments = vec!["--insecure-policy", "copy", "--dest-tls-verify=false"];
        arguments.extend(["--dest-creds", "me:secret"]);
        arguments.extend(options);
        let target = self.image(name);
        arguments.extend([source, &target]);
        run("skopeo", &arguments);
    }

    /// How often a blob was fetched; at least once. The registry notes a request when it has
    /// answered it, which may be later than whoever asked goes on.
    pub fn times_fetched(&self, digest: &str) -> usize {
        let path = format!("/blobs/{digest} ");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let count = {
                let log = self.log.lock().unwrap();
                let fetches = log.lines().filter(|line| line.contains("\"GET "));
                fetches.filter(|line| line.contains(&path)).count()
            };
            if count > 0 {
                return count;
            }
            assert!(Instant::now() < deadline, "{digest} was never fetched");
            thread::yield_now();
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(lines: &mut impl BufRead) -> String {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            panic!("the registry did not start: {text}");
        }
        if let Some((_, rest)) = line.split_once("listening on ") {
            let end = rest.find(['"', ',', ' ', '\n']).unwrap_or(rest.len());
            return rest[..end].to_owned();
        }
        text.push_str(&line);
    }
}

fn collect(mut from: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            let text = String::from_utf8_lossy(&chunk[..count]);
            log.lock().unwrap().push_str(&text);
        }
    });
}

fn make_certificates(directory: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = [NAME, "localhost", "127.0.0.1"].map(str::to_owned);
    let server = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    for (name, text) in [
        ("authority.pem", authority.pem()),
        ("server.pem", server.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        fs::write(directory.join(name), text).unwrap();
    }
}

/// A proxy that takes every tunnel to one address, whatever was asked for.
pub struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (target, heard) = (target.to_owned(), Arc::clone(&asked));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (target, heard) = (target.clone(), Arc::clone(&heard));
                thread::spawn(move || tunnel(client, &target, &heard));
            }
        });
        Proxy { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, target: &str, heard: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    heard.lock().unwrap().push(first.trim_end().to_owned());
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
    let (mut up, mut down) = (server.try_clone().unwrap(), client);
    let upwards = thread::spawn(move || {
        let _ = std::io::copy(&mut reader, &mut up);
        let _ = up.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut down);
    let _ = down.shutdown(std::net::Shutdown::Write);
    upwards.join().unwrap();
}

/// An image of three layers in a layout directory: what the first holds, the second removes and
/// replaces, and of the third a directory hides what was there.
pub struct Layout {
    directory: tempfile::TempDir,
}

impl Layout {
    pub fn new() -> Self {
        let layout = Layout {
            directory: tempfile::tempdir().unwrap(),
        };
        let image = format!("{}:base", layout.path("layout").display());
        layout.umoci(&["init", "--layout", "layout"]);
        layout.umoci(&["new", "--image", &image]);
        layout.edit(
            "mkdir -p bin etc/hidden srv && cp /bin/busybox bin/busybox && ln bin/busybox bin/twin \
             && ln -s busybox bin/sh && echo one > etc/one && echo gone > etc/gone \
             && echo hidden > etc/hidden/old && chmod 0555 srv && chmod 0600 etc/one",
        );
        layout.edit("rm etc/gone && rm bin/twin && mkdir bin/twin && echo two > etc/two");
        fs::create_dir(layout.path("insert")).unwrap();
        fs::write(layout.path("insert/new"), "new\n").unwrap();
        let arguments = ["insert", "--rootless", "--opaque", "--image", &image];
        layout.umoci(&[&arguments[..], &["insert", "/etc/hidden"]].concat());
        let arguments = ["config", "--image", &image, "--config.workingdir", "/srv"];
        layout.umoci(&[&arguments[..], &["--config.env", "GREETING=hello"]].concat());
        layout
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The image as a source for copies.
    pub fn uri(&self) -> String {
        format!("oci:{}:base", self.path("layout").display())
    }

    /// Copies the image to another form.
    pub fn save(&self, scheme: &str, name: &str, label: &str, options: &[&str]) -> String {
        let target = format!("{scheme}:{}:{label}", self.path(name).display());
        let mut arguments = vec!["--insecure-policy", "copy"];
        arguments.extend(options);
        let source = self.uri();
        arguments.extend([source.as_str(), &target]);
        run("skopeo", &arguments);
        target
    }

    /// The image as `umoci` unpacks it.
    pub fn unpacked(&self) -> PathBuf {
        self.umoci(&[
            "unpack",
            "--rootless",
            "--image",
            "layout:base",
            "reference",
        ]);
        self.path("reference/rootfs")
    }

    /// The digests of the layers, as they lie in the layout.
    pub fn layers(&self) -> Vec<String> {
        let read = |path: &str| -> serde_json::Value {
            serde_json::from_slice(&fs::read(self.path(path)).unwrap()).unwrap()
        };
        let index = read("layout/index.json");
        let digest = index["manifests"][0]["digest"].as_str().unwrap();
        let manifest = read(&format!("layout/blobs/{}", digest.replace(':', "/")));
        let layers = manifest["layers"].as_array().unwrap();
        layers
            .iter()
            .map(|layer| layer["digest"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Adds a layer with what a script changes.
    pub fn edit(&self, script: &str) {
        self.umoci(&["unpack", "--rootless", "--image", "layout:base", "bundle"]);
        let status = Command::new("sh")
            .args(["-ec", script])
            .current_dir(self.path("bundle/rootfs"))
            .status()
            .unwrap();
        assert!(status.success(), "{script}");
        self.umoci(&["repack", "--image", "layout:base", "bundle"]);
        run(
            "chmod",
            &[
                OsStr::new("-R"),
                OsStr::new("u+rwx"),
                self.path("bundle").as_os_str(),
            ],
        );
        fs::remove_dir_all(self.path("bundle")).unwrap();
    }

    fn umoci(&self, arguments: &[&str]) {
        let output = Command::new("umoci")
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .expect("the package umoci is installed");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}");
    }
}

pub fn run(program: &str, arguments: &[impl AsRef<OsStr>]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("the package {program} is installed: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {text}");
}
