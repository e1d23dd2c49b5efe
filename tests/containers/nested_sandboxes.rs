//! Sandboxes that tests make with bubblewrap, in a container of Maelstrom's: the kinds of namespaces that
//! [system-calls.md](../docs/system-calls.md) names. Bubblewrap is needed.

use std::process::{Command, Output, Stdio};

/// What bubblewrap shows: the same files, read-only, but for a `/tmp` of its own.
const SHOWN: [&str; 6] = [
    "--ro-bind",
    "/",
    "/",
    "--tmpfs",
    "/tmp",
    "--die-with-parent",
];

const NAMED: [&str; 7] = [
    "--unshare-user",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-ipc",
    "--unshare-uts",
    "--hostname",
    "inner",
];

const LOOK: &str = "uname -n; echo x > /tmp/x && cat /tmp/x; echo y > /y || echo refused; \
                    ls /sys/class/net | wc -l; test $$ -lt 10 && echo first";

fn bubblewrap(own: &[&str], words: &[&str], script: &str) -> Output {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_maelstrom-run"))
        .args(own)
        .arg("bwrap")
        .args(SHOWN)
        .args(words)
        .args(["--", "sh", "-c", script])
        .current_dir(directory.path())
        .env("XDG_CONFIG_HOME", directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
#[ignore = "needs bubblewrap"]
fn bubblewrap_works_with_the_kinds_of_namespaces_named() {
    let output = bubblewrap(&[], &NAMED, LOOK);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text.starts_with("inner\nx\nrefused\n"), "{output:?}");
    assert!(text.ends_with("first\n"), "{output:?}");
    // Each kind by itself, which root asks for together with users'.
    for kind in &NAMED[..5] {
        let output = bubblewrap(&[], &["--unshare-user", kind], "echo made");
        assert_eq!(output.stdout, b"made\n", "{kind}: {output:?}");
    }
    // One sandbox in another, which needs a `/proc` that it can write to.
    let proc = ["--bind", "/proc", "/proc"];
    let again = "bwrap --ro-bind / / --unshare-user --unshare-net echo deeper";
    let output = bubblewrap(&[], &[&proc[..], &NAMED].concat(), again);
    assert_eq!(output.stdout, b"deeper\n", "{output:?}");
}

#[test]
#[ignore = "needs bubblewrap"]
fn all_kinds_are_for_containers_with_full_privileges() {
    let refused = bubblewrap(&[], &["--unshare-all"], "echo made");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("max_*_namespaces"), "{refused:?}");
    let lifted = bubblewrap(&["--privileges=full"], &["--unshare-all"], "echo made");
    assert_eq!(lifted.stdout, b"made\n", "{lifted:?}");
}
