//! What else jobs find inside their containers, row by row: archives and libraries, mounts below
//! mounts, themselves as processes. The fields that a job says are in `job_fields.rs`.

use std::fs;
use std::path::Path;

use crate::job_rows::JobRows;
use serde_json::{Value, json};

/// An archive of these files, in this order.
fn archive(path: &Path, files: &[(&str, &str)]) {
    let mut archive = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, text.as_bytes())
            .unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn archives_and_libraries() {
    let jobs = JobRows::new();
    let at = |name: &str| jobs.project.path().join(name);
    let lower = [("etc/one", "one\n"), ("etc/gone", ""), ("etc/old/a", "")];
    archive(&at("lower.tar"), &lower);
    let upper = [
        ("etc/.wh.gone", ""),
        ("etc/two", "two\n"),
        ("etc/old/.wh..wh..opq", ""),
    ];
    archive(
        &at("upper.tar"),
        &[&upper[..], &[("etc/old/b", "")]].concat(),
    );
    let added = |layers: Value| json!({ "added_layers": layers });
    let told = jobs.look(&[
        (
            "an archive",
            added(json!([{ "tar": "lower.tar" }])),
            "cat /etc/one; ls /etc /etc/old",
        ),
        (
            "whiteouts of a later one",
            added(json!([{ "tar": "lower.tar" }, { "tar": "upper.tar" }])),
            "cat /etc/two; ls /etc /etc/old",
        ),
        (
            "libraries come without their program",
            added(json!([{ "shared_library_dependencies": ["/usr/bin/env"] }])),
            "ls /usr/bin/env 2>&- || echo nothing",
        ),
        (
            "a glob that begins at the root matches nothing",
            added(json!([{ "glob": "/etc/host*" }])),
            "ls -d /etc/host* 2>&- || echo nothing",
        ),
        (
            "what is no program has no libraries",
            added(json!([{ "shared_library_dependencies": ["data/a.txt"] }])),
            "echo never",
        ),
    ]);
    insta::assert_snapshot!(told, @r"
    == an archive
    one
    /etc:
    gone
    old
    one

    /etc/old:
    a
    == whiteouts of a later one
    two
    /etc:
    old
    one
    two

    /etc/old:
    b
    == libraries come without their program
    nothing
    == a glob that begins at the root matches nothing
    nothing
    job 5: standard input:6:1: the layer cannot be made: cannot find the shared libraries of `HERE/data/a.txt`: `HERE/data/a.txt` is not a usable program or library: it is not an ELF file
      help: name dynamically or statically linked programs for this machine; scripts need no shared libraries of their own
    ");
}

#[test]
fn mounts_where_they_can_be_and_where_they_cannot() {
    let mounts = |mounts: Value| json!({ "added_mounts": mounts });
    let bind = |point: &str, path: &str| json!([{ "type": "bind", "mount_point": point, "local_path": path }]);
    let jobs = JobRows::new();
    let told = jobs.look(&[
        (
            "what is mounted below comes along",
            mounts(bind("/bound", "/dev")),
            "stat -f -c %T /bound/pts",
        ),
        (
            "a file on a file",
            mounts(bind("/dev/null", "data/a.txt")),
            "cat /dev/null",
        ),
        (
            "a place that is not there",
            mounts(json!([{ "type": "proc", "mount_point": "/absent" }])),
            "echo never",
        ),
        (
            "a device whose place is not there",
            mounts(json!([{ "type": "devices", "devices": ["null", "fuse"] }])),
            "echo never",
        ),
        (
            "a directory that is not there",
            mounts(bind("/bound", "absent")),
            "echo never",
        ),
        (
            "a place that the default container lacks",
            json!({ "parent": "default", "added_mounts": [{ "type": "tmp", "mount_point": "/x" }] }),
            "echo never",
        ),
    ]);
    insta::assert_snapshot!(told, @r#"
    == what is mounted below comes along
    devpts
    == a file on a file
    data/a.txt
    job 3: standard input:4:18: there is no `/absent` in the container to mount on
      help: make one by a layer: { stubs = ["/absent/"] }
    job 4: standard input:5:18: there is no `/dev/fuse` in the container to mount on
      help: make one by a layer: { stubs = ["/dev/fuse"] }
    job 5: standard input:6:18: `HERE/absent` is to be mounted, and cannot be looked at: No such file or directory (os error 2)
      help: create it first; relative paths start at the project directory
    job 6: standard input:7:18: there is no `/x` in the container to mount on
      help: make one by a layer: { stubs = ["/x/"] }
    "#);
}

#[test]
fn a_job_as_a_process() {
    let proc = json!([{ "type": "proc", "mount_point": "/proc" }]);
    let jobs = JobRows::new();
    let told = jobs.look(&[
        (
            "leader of a session and of a group of its own",
            json!({ "added_mounts": proc }),
            "read pid name state parent group session rest </proc/self/stat; \
             echo $((pid == $$)) $((group == $$)) $((session == $$))",
        ),
        (
            "no ids but its own",
            json!({ "added_mounts": proc, "user": 7, "group": 8 }),
            "cd /proc/self; for map in uid_map gid_map; do \
             while read inside outside count; do echo $inside, $count; done <$map; done",
        ),
        ("nothing to read", json!({}), "cat; echo ended with $?"),
        (
            "what it leaves running ends with it",
            json!({}),
            "(while :; do :; done) & echo done",
        ),
        (
            "variables are named as they are written",
            json!({ "added_mounts": proc, "environment": { "A$env{B}": "1" } }),
            "cat /proc/$$/environ; echo",
        ),
        (
            "a variable of the caller that is not there",
            json!({ "environment": { "A": "$env{MAELSTROM_TEST_ABSENT}" } }),
            "echo never",
        ),
    ]);
    insta::assert_snapshot!(told, @r"
    == leader of a session and of a group of its own
    1 1 1
    == no ids but its own
    7, 1
    8, 1
    == nothing to read
    ended with 0
    == what it leaves running ends with it
    done
    == variables are named as they are written
    A$env{B}=1;
    job 6: standard input:7:1: A: $env{MAELSTROM_TEST_ABSENT} has no value and no fallback
      help: set it, or write $env{MAELSTROM_TEST_ABSENT:-FALLBACK}
    ");
}
