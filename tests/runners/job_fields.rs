//! What each field of a described container comes to when a job looks around in it: layers, mounts,
//! devices, network, ids, environment, and how programs are found.
//!
//! How fields are read, inherited and refused is in `src/engine/spec/tests`.

use std::fs;

use crate::job_rows::JobRows;
use serde_json::{Value, json};

#[test]
fn layers() {
    let added = |layers: Value| json!({ "added_layers": layers });
    let jobs = JobRows::new();
    let told = jobs.look(&[
        (
            "stubs: directories and empty files",
            json!({}),
            "stat -c '%a %F' /tmp /dev/null",
        ),
        (
            "stubs are made with their parents, after braces",
            added(json!([{ "stubs": ["/a/{b,c{1..2}}/", "/{null, full}"] }])),
            "ls /a; stat -c '%n' /null '/ full'",
        ),
        (
            "a later layer hides an earlier one",
            added(json!([
                { "symlinks": [{ "link": "/l", "target": "one" }] },
                { "symlinks": [{ "link": "/l", "target": "two" }] },
            ])),
            "stat -c %N /l",
        ),
        (
            "relative paths start at the project, and end at the root",
            added(json!([{ "paths": ["data/a.txt"] }])),
            "cat /data/a.txt",
        ),
        (
            "a directory among paths is empty",
            added(json!([{ "paths": ["data"] }])),
            "ls -A /data; stat -c %F /data",
        ),
        (
            "wildcards of a glob cross directories",
            added(json!([{ "glob": "dat*.txt" }])),
            "cat /data/a.txt /data/sub/c.txt; ls /data",
        ),
        (
            "a glob may match nothing",
            added(json!([{ "glob": "absent*" }])),
            "ls -d /absent* 2>&- || echo nothing",
        ),
        (
            "a link is kept",
            added(json!([{ "paths": ["data/link"] }])),
            "stat -c %N /data/link",
        ),
        (
            "or followed",
            added(json!([{ "paths": ["data/link"], "follow_symlinks": true }])),
            "stat -c %F /data/link",
        ),
        (
            "or resolved",
            added(json!([{ "paths": ["data/link"], "canonicalize": true }])),
            "cat 'HERE/data/a.txt'",
        ),
        (
            "a prefix goes and another comes",
            added(json!([
                { "paths": ["data/a.txt"], "strip_prefix": "data", "prepend_prefix": "/srv" },
            ])),
            "cat /srv/a.txt",
        ),
        (
            "a prefix is of whole components",
            added(json!([{ "paths": ["data/a.txt"], "strip_prefix": "dat" }])),
            "cat /data/a.txt",
        ),
        (
            "an absolute path loses its slash",
            added(json!([{ "paths": ["/usr/bin/id"], "prepend_prefix": "/x" }])),
            "ls /x/usr/bin",
        ),
    ]);
    insta::assert_snapshot!(told, @"
    == stubs: directories and empty files
    555 directory
    444 regular empty file
    == stubs are made with their parents, after braces
    b
    c1
    c2
    /null
    / full
    == a later layer hides an earlier one
    '/l' -> 'two'
    == relative paths start at the project, and end at the root
    data/a.txt
    == a directory among paths is empty
    directory
    == wildcards of a glob cross directories
    data/a.txt
    data/sub/c.txt
    a.txt
    sub
    == a glob may match nothing
    nothing
    == a link is kept
    '/data/link' -> 'a.txt'
    == or followed
    regular file
    == or resolved
    data/a.txt
    == a prefix goes and another comes
    data/a.txt
    == a prefix is of whole components
    data/a.txt
    == an absolute path loses its slash
    id
    ");
}

#[test]
fn mounts_and_devices() {
    let mounts = |mounts: Value| json!({ "added_mounts": mounts });
    let jobs = JobRows::new();
    let told = jobs.look(&[
        (
            "a new file system of each type",
            mounts(json!([
                { "type": "proc", "mount_point": "/proc" },
                { "type": "sys", "mount_point": "/sys" },
                { "type": "tmp", "mount_point": "/tmp" },
                { "type": "devpts", "mount_point": "/pts" },
                { "type": "mqueue", "mount_point": "/queues" },
            ])),
            "stat -f -c '%n %T' /proc /sys /tmp /pts /queues; stat -c %a /pts/ptmx",
        ),
        (
            "each device",
            mounts(json!([{
                "type": "devices",
                "devices": ["full", "null", "random", "shm", "tty", "urandom", "zero"],
            }])),
            "cd /dev; stat -L -c '%n %F' full null random shm tty urandom zero",
        ),
        (
            "a directory of the project, read-only",
            mounts(json!([{
                "type": "bind", "mount_point": "/bound", "local_path": "data", "read_only": true,
            }])),
            "cat /bound/a.txt; (echo x >/bound/b.txt) 2>&- || echo refused",
        ),
        (
            "or writable",
            mounts(json!([{ "type": "bind", "mount_point": "/bound", "local_path": "data" }])),
            "echo made >/bound/made.txt",
        ),
        (
            "in the order of the list",
            mounts(json!([
                { "type": "bind", "mount_point": "/bound", "local_path": "data" },
                { "type": "tmp", "mount_point": "/bound/sub" },
            ])),
            "stat -f -c %T /bound/sub",
        ),
        (
            "counted from the root, wherever the job starts",
            json!({
                "added_mounts": [{ "type": "tmp", "mount_point": "tmp" }],
                "working_directory": "/dev",
            }),
            "stat -f -c %T /tmp",
        ),
    ]);
    insta::assert_snapshot!(told, @"
    == a new file system of each type
    /proc proc
    /sys sysfs
    /tmp tmpfs
    /pts devpts
    /queues mqueue
    666
    == each device
    full character special file
    null character special file
    random character special file
    shm directory
    tty character special file
    urandom character special file
    zero character special file
    == a directory of the project, read-only
    data/a.txt
    refused
    == or writable
    == in the order of the list
    tmpfs
    == counted from the root, wherever the job starts
    tmpfs
    ");
    let made = jobs.project.path().join("data/made.txt");
    assert_eq!(fs::read_to_string(made).unwrap(), "made\n");
}

#[test]
fn network_ids_and_the_root() {
    let jobs = JobRows::new();
    let with = |name: &str, value: Value| {
        let mut fields = json!({ "parent": "default" });
        fields[name] = value;
        fields
    };
    let host = fs::read_link("/proc/self/ns/net").unwrap();
    let is_host = format!(
        "test \"$(readlink /proc/self/ns/net)\" = '{}' && echo this machine",
        host.display()
    );
    let state = "cat /sys/class/net/lo/operstate";
    let told = jobs.look(&[
        ("no network", with("network", json!("disabled")), state),
        ("loopback", with("network", json!("loopback")), state),
        ("unless it says so", json!({ "parent": "default" }), state),
        ("local", with("network", json!("local")), &is_host),
        (
            "ids, and no further groups",
            json!({ "user": 7, "group": 8 }),
            "id -u; id -g; id -G",
        ),
        ("ids without a word", json!({}), "id -u; id -g; id -G"),
        (
            "the root is read-only",
            json!({}),
            "(echo x >/new) 2>&- || echo refused",
        ),
        (
            "or writable, once",
            json!({ "enable_writable_file_system": true }),
            "echo x >/new; cat /new",
        ),
        (
            "and then as before",
            json!({ "enable_writable_file_system": true }),
            "ls /new 2>&- || echo gone",
        ),
        ("where it starts", json!({}), "pwd"),
        (
            "or where it shall",
            json!({ "working_directory": "/dev/shm" }),
            "pwd",
        ),
        ("no time limit", json!({ "timeout": 0 }), "echo done"),
    ]);
    insta::assert_snapshot!(told, @"
    == no network
    down
    == loopback
    unknown
    == unless it says so
    unknown
    == local
    this machine
    == ids, and no further groups
    7
    8
    8
    == ids without a word
    0
    0
    0
    == the root is read-only
    refused
    == or writable, once
    x
    == and then as before
    gone
    == where it starts
    /
    == or where it shall
    /dev/shm
    == no time limit
    done
    ");
}

#[test]
fn environment_and_programs() {
    let proc = json!([{ "type": "proc", "mount_point": "/proc" }]);
    let with = |environment: Value| json!({ "environment": environment, "added_mounts": proc });
    let environment = "cat /proc/$$/environ; echo";
    let jobs = JobRows::new();
    let program = |name: &str, fields: Value| {
        let mut job = json!({ "program": name });
        for (name, value) in fields.as_object().unwrap() {
            job[name] = value.clone();
        }
        job
    };
    let told = jobs.look(&[
        ("nothing of this machine", with(json!({})), environment),
        (
            "values, and what stands for something else",
            with(json!({
                "A": "$env{MAELSTROM_TEST_SET}",
                "B": "$env{MAELSTROM_TEST_EMPTY:-empty}",
                "C": "$env{MAELSTROM_TEST_ABSENT:-absent}",
                "D": "$prev{A:-not yet}",
                "E": "$$5 is a price",
            })),
            environment,
        ),
        (
            "elements one over the other",
            with(json!([
                { "vars": { "A": "1", "B": "2" }, "extend": true },
                { "vars": { "B": "$prev{B}$prev{A}", "A": "3" }, "extend": true },
            ])),
            environment,
        ),
        (
            "elements one instead of the other",
            with(json!([
                { "vars": { "A": "1", "B": "2" }, "extend": true },
                { "vars": { "C": "$prev{B}" }, "extend": false },
            ])),
            environment,
        ),
        (
            "a program is looked for on the PATH of the job",
            program("sh", json!({ "environment": { "PATH": "/absent:/bin" } })),
            "echo found",
        ),
        (
            "and nowhere else",
            program("sh", json!({ "environment": { "PATH": "/absent" } })),
            "echo found",
        ),
        (
            "one with a slash starts where the job does",
            program("./sh", json!({ "working_directory": "/bin" })),
            "echo found",
        ),
        (
            "and not elsewhere",
            program("./sh", json!({ "working_directory": "/dev" })),
            "echo found",
        ),
    ]);
    insta::assert_snapshot!(told, @"
    == nothing of this machine

    == values, and what stands for something else
    A=set;B=empty;C=absent;D=not yet;E=$5 is a price;
    == elements one over the other
    A=3;B=21;
    == elements one instead of the other
    C=2;
    == a program is looked for on the PATH of the job
    found
    == one with a slash starts where the job does
    found
    job 6: cannot execute sh: No such file or directory (ENOENT)
    job 8: cannot execute ./sh: No such file or directory (ENOENT)
    ");
}
