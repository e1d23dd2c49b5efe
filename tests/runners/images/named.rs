//! Programs of an image that the command line names.

use std::process::Command;

use crate::images::real::Layout;

/// What a shell of the image writes.
fn written(image: &str, options: &[&str], script: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "from here\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_maelstrom-run"))
        .args([
            "--config-file=-",
            "--cache-root=cache",
            "--container-image-depot-root=depot",
        ])
        .args(["--image", image])
        .args(options)
        .args(["--", "/bin/busybox", "sh", "-c", script])
        .current_dir(&directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs umoci and a static busybox"]
fn a_program_of_an_image_finds_what_images_leave_out() {
    let layout = Layout::new();
    let look = "alias stat='busybox stat' ls='busybox ls' cat='busybox cat'; PATH=/bin; \
                stat -f -c %T /proc /sys /tmp /dev/shm /dev/pts; \
                stat -c %F /dev/null /dev/zero /dev/tty; echo lost >/dev/null; \
                echo kept >/tmp/x; cat /tmp/x; (echo x >/etc/new) 2>/dev/null || echo refused; \
                echo through >/dev/stdout; echo $GREETING from $PWD";
    let told = written(&layout.uri(), &[], look);
    insta::assert_snapshot!(told, @"
    proc
    sysfs
    tmpfs
    tmpfs
    devpts
    character special file
    character special file
    character special file
    kept
    refused
    through
    hello from /srv
    ");
    let mount = ["--mount=type=bind,source=.,target=/tmp/here,readonly"];
    let told = written(&layout.uri(), &mount, "/bin/busybox cat /tmp/here/file");
    assert_eq!(told, "from here\n");
}
