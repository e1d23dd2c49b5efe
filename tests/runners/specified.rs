//! A Cargo project with a file that describes its tests' containers, through the whole program.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::EXECUTABLE;
use tempfile::TempDir;

const MANIFEST: &str =
    "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";

/// Each test holds only in the container that [`FILE`] gives it.
const SOURCE: &str = r#"
#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    fn entries(directory: &str) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn plain() {
        assert!(Path::new("Cargo.toml").exists());
        assert_eq!(env::var("CARGO_PKG_NAME").unwrap(), "victim");
        assert!(!Path::new("/srv/data").exists());
    }

    #[test]
    fn added() {
        assert_eq!(fs::read_to_string("/srv/data/a.txt").unwrap(), "hello\n");
        assert_eq!(env::var("GREETING").unwrap(), "hi there");
        assert_eq!(env::var("CARGO_PKG_NAME").unwrap(), "victim");
        fs::write("/spool/x", "y").unwrap();
        assert!(fs::write("/srv/data/b", "").is_err());
    }

    #[test]
    fn bare() {
        assert!(!Path::new("/usr/bin").exists() && !Path::new("/proc").exists());
        assert_eq!(entries("/srv"), ["data", "unpacked"]);
        assert_eq!(fs::read_link("/srv/data/link").unwrap(), Path::new("a.txt"));
        assert_eq!(fs::read_to_string("/link").unwrap(), "hello\n");
        assert_eq!(fs::read_to_string("/srv/unpacked/file").unwrap(), "from a tar\n");
        assert_eq!(env::current_dir().unwrap(), Path::new("/srv"));
        let variables: Vec<_> = env::vars().collect();
        assert_eq!(variables, [("A".to_owned(), "b-$".to_owned()), ("B".to_owned(), "b-$c".to_owned())]);
        assert_eq!(entries("/dev"), ["null", "zero"]);
        fs::write("/dev/null", "x").unwrap();
        fs::write("/tmp/x", "y").unwrap();
        assert_eq!(fs::read_to_string("/bound/a.txt").unwrap(), "hello\n");
        assert!(fs::write("/bound/b.txt", "").is_err());
        fs::write("/srv/new", "gone afterwards").unwrap();
        let status = fs::read_to_string("/system/self/status").unwrap();
        assert!(status.contains("Uid:\t7\t7\t7\t7\n"), "{status}");
        assert!(status.contains("Gid:\t8\t8\t8\t8\n"), "{status}");
        let built = concat!("/built", env!("CARGO_MANIFEST_DIR"), "/target/debug");
        assert!(Path::new(built).is_dir());
    }

    #[test]
    fn without_network() {
        assert!(std::net::UdpSocket::bind("127.0.0.1:0").unwrap().connect("127.0.0.1:9").is_err());
    }

    #[test]
    fn without_toolbox() {
        assert!(!Path::new("/usr/bin/env").exists());
        assert!(Path::new("Cargo.toml").exists());
    }

    #[test]
    fn only_layers_of_a_parent() {
        assert!(Path::new("/srv/data/a.txt").exists());
        assert!(env::var("A").is_err() && env::current_dir().unwrap() == Path::new("/"));
    }

    #[test]
    fn read_only() {
        assert!(fs::write("made", "").is_err());
    }

    #[test]
    fn writable() {
        fs::write("/made", "gone afterwards").unwrap();
    }

    #[test]
    fn endless() {
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn ignored_by_the_file() {
        panic!();
    }
}
"#;

const FILE: &str = r#"
[containers.bare]
parent = "lower"
added_layers = [
    { tar = "data.tar" },
    { symlinks = [{ link = "/link", target = "srv/data/a.txt" }] },
    { stubs = ["/{tmp,bound,system,built}/", "/dev/{null,zero}"] },
    { paths = ["<build-dir>"], prepend_prefix = "/built" },
]
environment = [
    { vars = { A = "b-$$", B = "$prev{A:-no}" }, extend = true },
    { vars = { A = "b-$$", B = "$prev{A}c" }, extend = false },
]
added_mounts = [
    { type = "devices", devices = ["null"] },
    { type = "bind", mount_point = "/bound", local_path = "data", read_only = true },
    { type = "proc", mount_point = "/system" },
]
working_directory = "/srv"
enable_writable_file_system = true
user = 7
group = 8

[containers.lower]
layers = [{ glob = "data/**", prepend_prefix = "/srv" }]
mounts = [{ type = "tmp", mount_point = "/tmp" }]

[[directives]]
parent = "default"

[[directives]]
filter = "name.contains(added)"
added_layers = [{ glob = "data/**", prepend_prefix = "/srv" }, { stubs = ["/spool/"] }]
added_environment = { GREETING = "hi $env{MAELSTROM_TEST_ABSENT:-there}" }
added_mounts = [{ type = "tmp", mount_point = "/spool" }]

[[directives]]
filter = "name.contains(bare)"
parent = "bare"

[[directives]]
filter = "name.contains(without_network)"
network = "disabled"

[[directives]]
filter = "name.contains(without_toolbox)"
toolbox = false

[[directives]]
filter = "name.contains(only_layers)"
parent = { name = "bare", use = ["layers"] }

[[directives]]
filter = "name.contains(read_only)"
enable_writable_file_system = false

[[directives]]
filter = "name.contains(writable)"
enable_writable_file_system = true

[[directives]]
filter = "name.contains(endless)"
timeout = 1

[[directives]]
filter = "name.contains(ignored)"
ignore = true
"#;

fn project(file: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("Cargo.toml", MANIFEST);
    fs::create_dir(directory.path().join("src")).unwrap();
    write("src/lib.rs", SOURCE);
    fs::create_dir(directory.path().join("data")).unwrap();
    write("data/a.txt", "hello\n");
    std::os::unix::fs::symlink("a.txt", directory.path().join("data/link")).unwrap();
    let tar = fs::File::create(directory.path().join("data.tar")).unwrap();
    let mut tar = tar::Builder::new(tar);
    let mut header = tar::Header::new_gnu();
    header.set_size(11);
    header.set_mode(0o644);
    let content = b"from a tar\n".as_slice();
    tar.append_data(&mut header, "srv/unpacked/file", content)
        .unwrap();
    tar.finish().unwrap();
    write("cargo-maelstrom.toml", file);
    directory
}

fn maelstrom(project: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(EXECUTABLE);
    command
        .arg("--no-tui")
        .args(arguments)
        .current_dir(project)
        .env("XDG_CACHE_HOME", project.join("depot"))
        .stdin(Stdio::null());
    command
}

/// What it wrote to standard output and error, and the exit code.
fn run(command: &mut Command) -> (String, String, i32) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap();
    (text(&output.stdout), text(&output.stderr), code)
}

#[test]
fn every_test_gets_what_the_file_says() {
    let project = project(FILE);
    for round in ["cold", "warm"] {
        let (stdout, stderr, code) = run(&mut maelstrom(project.path(), &[]));
        assert_eq!(code, 1, "{round}: {stdout}{stderr}");
        let summary = "summary: 8 passed, 0 failed, 1 timed out, 1 ignored";
        assert!(stdout.contains(summary), "{round}: {stdout}{stderr}");
        assert!(
            stdout.contains("stopped after its limit of 1.000s"),
            "{stdout}"
        );
    }
    // Whoever says so on the command line wins.
    let arguments = [
        "--timeout=0",
        "--exclude=name.contains(endless)",
        "--repeat=2",
    ];
    let (stdout, stderr, code) = run(&mut maelstrom(project.path(), &arguments));
    assert_eq!(code, 0, "{stdout}{stderr}");
}

/// Cargo may say that a test is built long before the program of another package is, of which its
/// container has a layer.
#[test]
fn a_layer_waits_for_the_program_that_it_is_made_of() {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
    write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"user\", \"tool\"]\nresolver = \"3\"\n",
    );
    write("user/Cargo.toml", &package("user"));
    let test = "#[test]\nfn runs() { assert!(std::path::Path::new(\"/tool\").exists()); }\n";
    write("user/src/lib.rs", test);
    write("tool/Cargo.toml", &package("tool"));
    write("tool/src/main.rs", "fn main() {}\n");
    write("tool/tests/none.rs", "");
    // Begins to build the program when the test is there.
    let build = r#"
        fn main() {
            let out = std::env::var("OUT_DIR").unwrap();
            let debug = std::path::Path::new(&out).ancestors().nth(3).unwrap();
            let is_test = |name: &str| name.starts_with("user-") && !name.contains('.');
            while !std::fs::read_dir(debug.join("deps")).unwrap().any(|entry| {
                is_test(&entry.unwrap().file_name().into_string().unwrap())
            }) {
                std::thread::yield_now();
            }
        }"#;
    write("tool/build.rs", build);
    let debug = directory.path().join("target/debug");
    let layer = format!(
        "{{ paths = [\"<build-dir>/tool\"], strip_prefix = \"{}\" }}",
        debug.display()
    );
    write(
        "cargo-maelstrom.toml",
        &format!("[[directives]]\nlayers = [{layer}]\n"),
    );
    let (stdout, stderr, code) = run(&mut maelstrom(directory.path(), &["--offline", "--jobs=2"]));
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn a_test_is_explained_by_its_name_or_its_title() {
    let project = project(FILE);
    let explained = |test: &str| {
        let (stdout, stderr, code) = run(&mut maelstrom(project.path(), &["--explain", test]));
        assert_eq!(code, 0, "{stdout}{stderr}");
        stdout
    };
    let text = explained("tests::bare");
    assert_eq!(text, explained("victim tests::bare"));
    // What follows depends on the environment here.
    let (text, environment) = text.split_once("\n# Of the environment here").unwrap();
    assert!(environment.contains("PATH"), "{environment}");
    let text = text.replace(&project.path().display().to_string(), "PROJECT");
    insta::assert_snapshot!(text);

    // What was printed gives every test the same.
    fs::write(
        project.path().join("cargo-maelstrom.toml"),
        text.replace("PROJECT", &project.path().display().to_string()),
    )
    .unwrap();
    let (stdout, stderr, code) = run(&mut maelstrom(project.path(), &["bare"]));
    assert_eq!(code, 0, "{stdout}{stderr}");

    let (_, stderr, code) = run(&mut maelstrom(project.path(), &["--explain=tests::bear"]));
    assert_eq!(code, 2);
    assert!(
        stderr.contains("no test is called `tests::bear`"),
        "{stderr}"
    );
}

#[test]
fn a_file_to_begin_with_changes_nothing_and_is_not_overwritten() {
    let project = project("");
    let path = project.path().join("cargo-maelstrom.toml");
    fs::remove_file(&path).unwrap();
    let plain = run(&mut maelstrom(
        project.path(),
        &["plain", "--explain=tests::plain"],
    ));
    let (stdout, stderr, code) = run(&mut maelstrom(project.path(), &["--init"]));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(Path::new(stdout.trim()), path.canonicalize().unwrap());
    let (stdout, stderr, code) = run(&mut maelstrom(project.path(), &["plain"]));
    assert_eq!(code, 0, "{stdout}{stderr}");
    let body = |text: &str| text.split_once("[[directives]]").unwrap().1.to_owned();
    let begun = run(&mut maelstrom(
        project.path(),
        &["plain", "--explain=tests::plain"],
    ));
    assert_eq!(body(&begun.0), body(&plain.0));
    let (_, stderr, code) = run(&mut maelstrom(project.path(), &["--init"]));
    assert_eq!(code, 1);
    assert!(stderr.contains("already exists"), "{stderr}");
}

#[test]
fn without_containers_the_file_counts_for_what_it_can() {
    let project = project(FILE);
    let arguments = ["--isolation=process", "plain", "ignored", "endless"];
    let (stdout, stderr, code) = run(&mut maelstrom(project.path(), &arguments));
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(
        stdout.contains("1 passed, 0 failed, 1 timed out, 1 ignored"),
        "{stdout}"
    );
    assert!(
        stdout.contains("only `ignore` and how tests run count"),
        "{stdout}"
    );
}

/// Files that a test named `plain` cannot have, each with one mistake.
const MISTAKES: [(&str, &str); 27] = [
    ("no TOML", "[[directives]\n"),
    ("an unknown table", "[[directive]]\n"),
    ("a misspelt field", "[[directives]]\nadded_layer = []\n"),
    ("the table's singular", "[container.x]\nuser = 1\n"),
    (
        "a former field",
        "[[directives]]\nadded_devices = [\"null\"]\n",
    ),
    (
        "a field of the wrong type",
        "[[directives]]\nuser = \"me\"\n",
    ),
    (
        "a bad pattern",
        "[[directives]]\nfilter = \"nme.equals(x)\"\n",
    ),
    (
        "a bad substitution",
        "[[directives]]\nenvironment = { A = \"x${HOME}\" }\n",
    ),
    (
        "conflicting fields",
        "[containers.x]\nimage = \"docker://a\"\nparent = \"b\"\n",
    ),
    (
        "a list twice",
        "[containers.x]\nparent = \"y\"\nlayers = []\nadded_layers = []\n",
    ),
    (
        "an unknown template variable",
        "[[directives]]\nlayers = [{ tar = \"<buid-dir>/x\" }]\n",
    ),
    (
        "a mount on the root",
        "[[directives]]\nmounts = [{ type = \"tmp\", mount_point = \"/\" }]\n",
    ),
    ("no URI", "[[directives]]\nimage = \"docker://a b\"\n"),
    (
        "an unknown parent",
        "[containers.tools]\nuser = 1\n[[directives]]\nparent = \"tool\"\n",
    ),
    (
        "a cycle",
        "[containers.a]\nparent = \"b\"\n[containers.b]\nparent = \"a\"\n[[directives]]\nparent = \"a\"\n",
    ),
    (
        "a sys mount of another network",
        "[[directives]]\nnetwork = \"local\"\nmounts = [{ type = \"sys\", mount_point = \"/sys\" }]\n",
    ),
    (
        "a missing tar",
        "[[directives]]\nlayers = [{ stubs = [\"/x\"] }, { tar = \"absent.tar\" }]\n",
    ),
    (
        "a tar that is none",
        "[[directives]]\nlayers = [{ tar = \"data/a.txt\" }]\n",
    ),
    (
        "a missing path",
        "[containers.x]\nlayers = [{ paths = [\"absent\"] }]\n[[directives]]\nparent = \"x\"\n",
    ),
    (
        "unbalanced braces",
        "[[directives]]\nlayers = [{ stubs = [\"/{a,b\"] }]\n",
    ),
    (
        "a variable that is not there",
        "[[directives]]\nenvironment = { A = \"$env{MAELSTROM_TEST_ABSENT}\" }\n",
    ),
    (
        "a missing mount point",
        "[[directives]]\nparent = \"default\"\nadded_mounts = [\n  { type = \"tmp\", mount_point = \"/absent/place\" },\n]\n",
    ),
    (
        "a mount point that only another test's container has",
        "[[directives]]\nfilter = \"name.equals(nobody)\"\nlayers = [{ stubs = [\"/own/\"] }]\n\
         mounts = [{ type = \"tmp\", mount_point = \"/own\" }]\n\n[[directives]]\n\
         mounts = [{ type = \"tmp\", mount_point = \"/own\" }]\n",
    ),
    (
        "a mount of nothing",
        "[[directives]]\nlayers = [{ stubs = [\"/x/\"] }]\nmounts = [{ type = \"bind\", mount_point = \"/x\", local_path = \"absent\" }]\n",
    ),
    (
        "a layer that nobody would see",
        "[[directives]]\nparent = \"default\"\nadded_layers = [{ stubs = [\"/usr/bin/mine\"] }]\n",
    ),
    ("the toolbox elsewhere", "[[directives]]\ntoolbox = true\n"),
    (
        "a missing image layout",
        "[[directives]]\nimage = \"oci:absent\"\n",
    ),
];

#[test]
fn each_mistake_names_its_place_and_what_to_do() {
    let project = project("");
    let mut told = String::new();
    for (title, file) in MISTAKES {
        fs::write(project.path().join("cargo-maelstrom.toml"), file).unwrap();
        let (stdout, stderr, code) = run(&mut maelstrom(project.path(), &["plain"]));
        assert!(!stdout.contains("PASS"), "{title}: {stdout}");
        let text = format!("{stdout}{stderr}");
        let error = text
            .find("error: ")
            .unwrap_or_else(|| panic!("{title}: {text}"));
        let end = text[error..]
            .find("summary: ")
            .map_or(text.len(), |end| error + end);
        told.push_str(&format!(
            "== {title} ({code})\n{}\n\n",
            text[error..end].trim_end()
        ));
    }
    let real = project.path().canonicalize().unwrap();
    let told = told.replace(&real.display().to_string(), "PROJECT");
    insta::assert_snapshot!(told);
}

/// A glob that matches nothing is no mistake, but an empty layer.
#[test]
fn a_glob_may_match_nothing() {
    let project = project("[[directives]]\nlayers = [{ glob = \"absent/**\" }]\n");
    let (stdout, stderr, code) = run(&mut maelstrom(
        project.path(),
        &["--exact", "tests::endless", "--timeout=1"],
    ));
    assert!(stdout.contains("1 timed out"), "{stdout}{stderr}");
    assert_eq!(code, 1);
}
