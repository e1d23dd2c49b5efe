//! Jobs that look around in their containers, and what they see.

use crate::feed;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

/// What a container without anything of this machine needs to be looked around in.
const TOOLS: [&str; 5] = [
    "/bin/sh",
    "/usr/bin/cat",
    "/usr/bin/id",
    "/usr/bin/ls",
    "/usr/bin/stat",
];

/// A row: what it shows, the job's fields, and what its shell runs. Without fields of its own the
/// job begins with the tools and places to mount things on.
pub type Row<'a> = (&'a str, Value, &'a str);

/// Jobs run one after the other in a project with a few files.
pub struct JobRows {
    pub project: tempfile::TempDir,
}

impl JobRows {
    pub fn new() -> JobRows {
        let project = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir_all(project.path().join("data/sub")).unwrap();
        for file in ["data/a.txt", "data/sub/c.txt"] {
            fs::write(project.path().join(file), format!("{file}\n")).unwrap();
        }
        symlink("a.txt", project.path().join("data/link")).unwrap();
        JobRows { project }
    }

    /// What the jobs write, each after its title, and what is told of those that fail. `HERE` is
    /// the project.
    pub fn look(&self, rows: &[Row<'_>]) -> String {
        let places = ["/{proc,sys,tmp,pts,queues,bound}/", "/dev/{full,null,tty}"];
        let places = [&places[..], &["/dev/{random,urandom,zero}", "/dev/shm/"]].concat();
        let tools = json!({ "layers": [
            { "paths": TOOLS, "follow_symlinks": true },
            { "shared_library_dependencies": TOOLS, "follow_symlinks": true },
            { "stubs": places },
        ] });
        let mut input = json!({ "containers": { "tools": tools } }).to_string();
        let here = self.project.path().to_str().unwrap();
        for (title, fields, script) in rows {
            let script = script.replace("HERE", here);
            let mut job = json!({
                "program": "/bin/sh",
                "arguments": ["-c", format!("echo '== {title}'; {script}")],
                "parent": "tools",
            });
            for (name, value) in fields.as_object().unwrap() {
                job[name] = value.clone();
            }
            input.push('\n');
            input.push_str(&job.to_string());
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-run"));
        command
            .args(["--slots=1", "--cache-root=cache"])
            .current_dir(self.project.path())
            .env("XDG_CONFIG_HOME", self.project.path())
            .env("MAELSTROM_TEST_SET", "set")
            .env("MAELSTROM_TEST_EMPTY", "");
        let output = feed::output(&mut command, &input);
        let written = [output.stdout, output.stderr].concat();
        let written = String::from_utf8(written).unwrap().replace('\0', ";");
        written.replace(here, "HERE")
    }
}
