//! The ways in which a container is made, each as a job that `maelstrom-run` reads.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::image;
use super::table::{self, Row};
use crate::support::executable;

/// A project with the program and the files that it looks at, and a way to run it.
pub struct Way {
    pub project: TempDir,
    job: Value,
    has: &'static [&'static str],
}

const EVERYTHING: [&str; 10] = [
    "proc",
    "tmp",
    "shm",
    "queues",
    "pts",
    "devices",
    "home",
    "project",
    "added-tmp",
    "null-input",
];

/// What a container has that shows nothing of the machine but for what is mounted.
const MOUNTED: [&str; 8] = [
    "proc",
    "tmp",
    "shm",
    "queues",
    "pts",
    "devices",
    "added-tmp",
    "null-input",
];

/// Where the jobs meet that run side by side.
pub const MEETING: &str = "/mnt";

fn project() -> TempDir {
    let project = tempfile::tempdir().unwrap();
    let at = |name: &str| project.path().join(name);
    executable::write_bytes(&at("helper"), table::program());
    for (name, text) in table::FILES {
        fs::write(at(name), text).unwrap();
    }
    project
}

fn mounts() -> Value {
    json!([
        { "type": "proc", "mount_point": "/proc" },
        { "type": "sys", "mount_point": "/sys" },
        { "type": "tmp", "mount_point": "/tmp" },
        { "type": "tmp", "mount_point": "/var/tmp" },
        { "type": "tmp", "mount_point": "/srv" },
        { "type": "tmp", "mount_point": "/dev/shm" },
        { "type": "mqueue", "mount_point": "/dev/mqueue" },
        { "type": "devpts", "mount_point": "/dev/pts" },
        { "type": "devices",
          "devices": ["full", "null", "random", "tty", "urandom", "zero"] },
    ])
}

/// The places that these mounts stand on, and the links among them.
fn places() -> Value {
    json!([
        { "stubs": ["/{proc,sys,tmp,srv,mnt,run,usr,etc}/", "/var/tmp/", "/dev/{shm,mqueue,pts}/",
                    "/dev/{full,null,random,tty,urandom,zero}"] },
        { "symlinks": [{ "link": "/dev/ptmx", "target": "pts/ptmx" }] },
    ])
}

impl Way {
    /// What a test or a program gets that asks for nothing, and a `tmp` mount.
    pub fn default_container() -> Way {
        let project = project();
        let job = json!({
            "program": project.path().join("helper"),
            "parent": "default",
            "added_mounts": [{ "type": "tmp", "mount_point": "/srv" }],
        });
        Way {
            project,
            job,
            has: &EVERYTHING,
        }
    }

    /// Layers alone.
    pub fn layers() -> Way {
        let mut layers = places();
        layers
            .as_array_mut()
            .unwrap()
            .push(json!({ "paths": ["helper"] }));
        let job = json!({ "program": "/helper", "layers": layers, "mounts": mounts() });
        Way {
            project: project(),
            job,
            has: &MOUNTED,
        }
    }

    /// Layers that may be written to.
    pub fn writable_layers() -> Way {
        let mut way = Way::layers();
        way.job["enable_writable_file_system"] = true.into();
        way
    }

    /// An image with nothing mounted in it.
    pub fn image() -> Way {
        let project = project();
        image::write(&project.path().join("layout"), table::program());
        let job = json!({ "program": "/helper", "image": "oci:layout:one" });
        Way {
            project,
            job,
            has: &["null-input"],
        }
    }

    /// An image with what images leave to whoever runs them.
    pub fn image_with_mounts() -> Way {
        let mut way = Way::image();
        way.job["added_layers"] = places();
        way.job["mounts"] = mounts();
        way.has = &MOUNTED;
        way
    }

    /// The rows that such a container has what they need for.
    pub fn rows(&self) -> Vec<Row> {
        let rows = table::rows(&self.project.path().join("helper"));
        let fits = |row: &Row| {
            row.needs
                .iter()
                .all(|need| self.has.contains(&need.as_str()))
        };
        rows.into_iter().filter(fits).collect()
    }

    /// The job that runs the program with these words.
    pub fn job(&self, words: &[&str]) -> String {
        let mut job = self.job.clone();
        job["arguments"] = words.into();
        // Of two that should meet, one may never come.
        job["timeout"] = 30.into();
        format!("{job}\n")
    }

    /// Lets jobs meet in a directory of the host.
    pub fn with_meeting(mut self, rows: &[Row]) -> Way {
        let place = self.project.path().join("meeting");
        for row in rows {
            let directory = place.join(&row.name);
            fs::create_dir_all(&directory).unwrap();
            for name in ["left", "looked"] {
                let mode = nix::sys::stat::Mode::S_IRWXU;
                nix::unistd::mkfifo(&directory.join(name), mode).unwrap();
            }
        }
        let mount = json!({ "type": "bind", "mount_point": MEETING, "local_path": place });
        let mounts = match self.job.get_mut("added_mounts") {
            Some(mounts) => mounts,
            None => &mut self.job["mounts"],
        };
        mounts.as_array_mut().unwrap().push(mount);
        self
    }

    pub fn directory(&self) -> &Path {
        self.project.path()
    }
}
