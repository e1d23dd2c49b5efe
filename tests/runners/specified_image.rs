//! A Cargo project whose tests run in an image of a registry, through the whole program.

#[path = "../../src/container/image/tests/server.rs"]
#[allow(dead_code)]
mod server;

use crate::images::real;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::EXECUTABLE;
use real::{Access, Layout, Registry, Wire};
use tempfile::TempDir;

const MANIFEST: &str =
    "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";

const SOURCE: &str = r#"
#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    #[test]
    fn in_the_image() {
        assert_eq!(fs::read_to_string("/etc/one").unwrap(), "one\n");
        assert_eq!(fs::read_to_string("/etc/hidden/new").unwrap(), "new\n");
        assert!(!Path::new("/etc/gone").exists() && !Path::new("/etc/hidden/old").exists());
        assert_eq!(env::current_dir().unwrap(), Path::new("/srv"));
        assert_eq!(env::var("GREETING").unwrap(), "hello");
        assert_eq!(env::var("SUM").unwrap(), "hello world");
        assert!(fs::write("/srv/x", "").is_err());
    }

    #[test]
    fn with_its_layers_alone() {
        assert!(Path::new("/bin/busybox").exists());
        assert_eq!(env::current_dir().unwrap(), Path::new("/"));
        assert_eq!(env::vars().count(), 0);
    }
}
"#;

fn project(image: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("Cargo.toml", MANIFEST);
    fs::create_dir(directory.path().join("src")).unwrap();
    write("src/lib.rs", SOURCE);
    let file = format!(
        "[containers.image]\nimage = \"{image}\"\n\n\
         [[directives]]\nparent = \"image\"\nadded_environment = {{ SUM = \"$prev{{GREETING}} world\" }}\n\
         include_shared_libraries = true\n\n\
         [[directives]]\nfilter = \"name.contains(alone)\"\n\
         image = {{ name = \"{image}\", use = [\"layers\"] }}\n"
    );
    write("cargo-maelstrom.toml", &file);
    directory
}

/// What it wrote, and the exit code.
fn run(project: &Path, arguments: &[&str]) -> (String, i32) {
    let output = Command::new(EXECUTABLE)
        .arg("--no-tui")
        .args(arguments)
        .current_dir(project)
        .env("XDG_CACHE_HOME", project.join("depot"))
        .env_remove("DOCKER_CONFIG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (text, output.status.code().unwrap())
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn an_image_is_fetched_once_and_locked() {
    let layout = Layout::new();
    let registry = Registry::start(Access::Everybody, Wire::Http);
    registry.push(&layout.uri(), "app:1", &[]);
    let project = project(&registry.image("app:1"));
    let (text, code) = run(project.path(), &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("2 passed"), "{text}");
    // Where no test was given this machine's programs, nobody is told of them.
    assert!(
        !text.contains("could read this machine's programs"),
        "{text}"
    );
    let lock = fs::read_to_string(project.path().join("maelstrom-container-tags.lock")).unwrap();
    assert!(lock.starts_with("version = 1\n"), "{lock}");
    assert!(lock.contains("1 = \"sha256:"), "{lock}");
    for layer in layout.layers() {
        assert_eq!(registry.times_fetched(&layer), 1, "{layer}");
    }

    // What is at hand needs no registry.
    drop(registry);
    let (text, code) = run(project.path(), &[]);
    assert_eq!(code, 0, "{text}");
}

#[test]
#[ignore = "needs docker-registry, skopeo, umoci and a static busybox"]
fn an_image_that_cannot_be_had_says_why_and_what_to_do() {
    let layout = Layout::new();
    let registry = Registry::start(Access::Password, Wire::Http);
    let secure = Registry::start(Access::Everybody, Wire::Https);
    registry.push(&layout.uri(), "app:1", &[]);
    let foreign = layout.save("oci", "foreign", "base", &[]);
    let index = layout.path("foreign/index.json");
    let mut document: serde_json::Value =
        serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    let entries = ["s390x", "ppc64le"].map(|architecture| {
        let mut entry = document["manifests"][0].clone();
        entry["platform"] = serde_json::json!({ "os": "linux", "architecture": architecture });
        entry
    });
    document["manifests"] = entries.to_vec().into();
    fs::write(&index, document.to_string()).unwrap();
    let unlabelled = layout.uri().replace(":base", ":absent");
    let (_taken, nowhere) = server::unserved();
    let down = format!("docker://{nowhere}/app:1");
    let mut told = String::new();
    for (title, image) in [
        ("a registry that is down", down.as_str()),
        ("a registry that wants a login", &registry.image("app:1")),
        (
            "a certificate of an unknown authority",
            &secure.image("app:1"),
        ),
        ("an image for another platform", &foreign),
        ("a label that is not there", &unlabelled),
    ] {
        let project = project(image);
        let (text, code) = run(project.path(), &[]);
        assert!(!text.contains("PASS"), "{title}: {text}");
        let error = text
            .find("error: ")
            .unwrap_or_else(|| panic!("{title}: {text}"));
        let end = text[error..]
            .find("\nsummary:")
            .unwrap_or(text.len() - error);
        let text = text[error..error + end].replace(image, "IMAGE");
        told.push_str(&format!("== {title} ({code})\n{}\n\n", text.trim_end()));
    }
    let host = maelstrom_image::Platform::host().to_string();
    for (from, to) in [
        (host.as_str(), "THIS/PLATFORM"),
        (nowhere.as_str(), "DOWN"),
        (registry.address(), "PRIVATE"),
        (secure.address(), "SECURE"),
        (layout.path("").to_str().unwrap(), "LAYOUT/"),
    ] {
        told = told.replace(from, to);
    }
    insta::assert_snapshot!(told);
}
