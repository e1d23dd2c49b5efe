//! A foreign client of the Remote Execution API reads and fills the broker's storage: `bgd` of
//! BuildGrid, from PyPI's `buildgrid`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::cluster::{Cluster, credentials, reading_job};
use crate::support::files::noise;
use sha2::{Digest, Sha256};

/// More than one message takes.
const LARGE_BYTES: usize = 9_000_000;

fn bgd(remote: &str, options: &[String], words: &[&str], directory: &Path) -> Output {
    let mut command = Command::new("bgd");
    command
        .args(["cas", "--remote", remote])
        .args(options)
        .args(words)
        .current_dir(directory);
    command
        .output()
        .expect("`bgd`: pip install buildgrid, and have it in PATH")
}

/// What it said, having succeeded.
fn said(output: &Output) -> String {
    let streams = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&streams).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hash}/{}", content.len())
}

#[test]
#[ignore = "needs BuildGrid"]
fn a_foreign_client_writes_and_reads() {
    let cluster = Cluster::start(&[]);
    let remote = format!("http://{}", cluster.address);
    let keep = tempfile::tempdir().unwrap();
    let at = |name: &str| keep.path().join(name);
    let run = |words: &[&str]| bgd(&remote, &[], words, keep.path());

    fs::create_dir_all(at("tree/below")).unwrap();
    fs::create_dir(at("tree/empty")).unwrap();
    fs::write(at("tree/below/large"), noise(LARGE_BYTES)).unwrap();
    fs::write(at("tree/program"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("tree/program"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("below/large", at("tree/link")).unwrap();
    let told = said(&run(&["upload-dir", "tree"]));
    let line = told
        .lines()
        .find(|line| line.contains("Pushed path=[tree]"));
    let (_, root) = line.unwrap().rsplit_once("digest=[").unwrap();
    said(&run(&["download-dir", root.trim_end_matches(']'), "copy"]));
    let differ = Command::new("diff")
        .args(["--recursive", "--no-dereference", "tree", "copy"])
        .current_dir(keep.path())
        .output()
        .unwrap();
    assert_eq!(said(&differ), "");
    let mode = fs::metadata(at("copy/program"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o111, 0o111);

    let absent = digest(b"nobody wrote this");
    run(&["download-file", &absent, "absent"]);
    assert!(!at("absent").exists());
}

/// What our own client has sent is there for others.
#[test]
#[ignore = "needs BuildGrid"]
fn a_foreign_client_reads_what_a_job_was_given() {
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    let keep = tempfile::tempdir().unwrap();
    let content = noise(100_000);
    said(
        &reading_job(&cluster, keep.path(), &content)
            .output()
            .unwrap(),
    );
    let remote = format!("http://{}", cluster.address);
    let words = ["download-file", &digest(&content), "output"];
    said(&bgd(&remote, &[], &words, keep.path()));
    assert_eq!(fs::read(keep.path().join("output")).unwrap(), content);
}

#[test]
#[ignore = "needs BuildGrid"]
fn a_foreign_client_shows_a_token_over_tls() {
    let keep = tempfile::tempdir().unwrap();
    let team = credentials(&keep.path().join("team"), &["localhost", "127.0.0.1"]);
    let options: Vec<&str> = team.broker.iter().map(String::as_str).collect();
    let cluster = Cluster::start(&options);
    let remote = format!("https://{}", cluster.address);
    fs::write(keep.path().join("file"), "x").unwrap();
    let shown = |token: &str| {
        [("--server-cert", "team/ca.pem"), ("--auth-token", token)]
            .map(|(option, file)| [option, file].map(str::to_owned))
            .concat()
    };
    let words = ["upload-file", "file"];
    said(&bgd(
        &remote,
        &shown("team/client.token"),
        &words,
        keep.path(),
    ));
    fs::write(keep.path().join("forged"), "nonsense\n").unwrap();
    let refused = bgd(&remote, &shown("forged"), &words, keep.path());
    let streams = [refused.stdout, refused.stderr].concat();
    let told = String::from_utf8_lossy(&streams).into_owned();
    assert!(!told.contains("Success: Pushed"), "{told}");
}
