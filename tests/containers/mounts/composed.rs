//! Projects in which, and machines on which, something is mounted in the way of an overlay: volumes
//! below the sources, file systems below `/usr`.
//!
//! The mounts are made in a mount namespace of each test's own, which ends with it.

use std::fs;
use std::process::{Command, Output};

use crate::feed;

const PROGRAM: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// Ways of having mounts of one's own: as root on the machine, and as anybody.
fn namespaces() -> Vec<&'static [&'static str]> {
    match nix::unistd::geteuid().is_root() {
        true => vec![&["-m"], &["-rm"]],
        false => vec![&["-rm"]],
    }
}

struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    fn new() -> Project {
        let directory = tempfile::tempdir().unwrap();
        for path in ["w/src/deep", "w/a/b/disk", "w/target", "w/empty"] {
            fs::create_dir_all(directory.path().join(path)).unwrap();
        }
        for file in [
            "w/top",
            "w/src/lib",
            "w/a/under",
            "w/bound",
            "w/hidden",
            "other",
        ] {
            let text = format!("{}\n", file.rsplit('/').next().unwrap());
            fs::write(directory.path().join(file), text).unwrap();
        }
        std::os::unix::fs::symlink("src/lib", directory.path().join("w/link")).unwrap();
        Project { directory }
    }

    /// Runs `script` in a mount namespace of its own, in the project, with `input`.
    fn run(&self, namespace: &[&str], script: &str, input: &str) -> Output {
        let mut command = Command::new("unshare");
        command
            .args(namespace)
            .args(["sh", "-ec", script])
            .env("PROGRAM", PROGRAM)
            .env("HOME", self.directory.path())
            .env("XDG_CONFIG_HOME", self.directory.path())
            .current_dir(self.directory.path().join("w"));
        feed::output(&mut command, input)
    }

    /// The standard output of what is to succeed.
    fn stdout(&self, namespace: &[&str], script: &str, input: &str) -> String {
        let output = self.run(namespace, script, input);
        assert!(
            output.status.success(),
            "{namespace:?} {script}\n{output:?}"
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Volumes in a project: file systems, one in another, a file, and a device to hide one.
const VOLUMES: &str = "
    mount -t tmpfs none a/b/disk; echo disk > a/b/disk/file; mkdir a/b/disk/deep
    mount -t tmpfs none a/b/disk/deep; echo deep > a/b/disk/deep/file
    mount -t tmpfs none target; echo built > target/built
    mount --bind ../other bound
    mount --bind /dev/null hidden
";

const SHOWN: &str = ".
./a
./a/b
./a/b/disk
./a/b/disk/deep
./a/b/disk/deep/file
./a/b/disk/file
./a/under
./bound
./empty
./hidden
./link
./src
./src/deep
./src/lib
./target
./target/built
./top
";

#[test]
fn a_project_with_volumes_is_seen_whole_and_is_writable() {
    let project = Project::new();
    let files = "top a/under a/b/disk/file a/b/disk/deep/file target/built bound src/lib link";
    let job = format!(
        "LC_ALL=C; export LC_ALL; find . | sort; cat {files}; wc -c < hidden; stat -c %d:%i top; \
         for file in {files} new a/new a/b/new a/b/disk/new src/new target/new empty/new; do \
         echo changed > $file; done; sort -u {files} */new a/*/new a/b/*/new; rm a/under; mv top \
         moved; mkdir made; mv made made2; chmod 700 a; ls | wc -l; find . -inum 0"
    );
    let script = format!(
        "{VOLUMES}
        $PROGRAM sh -ec '{job}'
        cat {files}; ls | wc -l"
    );
    let contents = "top\nunder\ndisk\ndeep\nbuilt\nother\nlib\nlib\n";
    for namespace in namespaces() {
        let told = project.stdout(namespace, &script, "");
        let (before, after) = told.split_once("changed\n").unwrap();
        let number = before.lines().last().unwrap();
        assert_eq!(before, format!("{SHOWN}{contents}0\n{number}\n"));
        assert_eq!(after, format!("10\n{contents}8\n"));
    }
    let top = project.directory.path().join("w/top");
    assert_eq!(fs::read_to_string(top).unwrap(), "top\n");
}

#[test]
fn jobs_that_follow_one_another_find_it_unchanged() {
    let project = Project::new();
    let job = |script: &str| {
        format!(r#"{{"program": "sh", "arguments": ["-ec", {script:?}], "parent": "default"}}"#)
    };
    let look = job("cat top a/under a/b/disk/file target/built; ls . a a/b target | wc -l");
    let leave = job(
        "echo left | tee top a/under a/b/disk/file target/built new a/new a/b/new target/new; rm \
         -r src/*",
    );
    let jobs = [look.as_str(), &leave, &look, &leave, &look].join("\n");
    let script = format!("{VOLUMES}\n exec $PROGRAM --slots=1");
    for namespace in namespaces() {
        let told = project.stdout(namespace, &script, &jobs);
        let looked: Vec<_> = told.split("left\n").collect();
        assert_eq!(looked.len(), 3, "{told}");
        assert!(looked[0].starts_with("top\nunder\ndisk\nbuilt\n"), "{told}");
        assert!(looked.iter().all(|text| *text == looked[0]), "{told}");
    }
}

/// A file system or a file below the directories that the toolbox is made of.
#[test]
fn a_machine_with_mounts_below_usr_is_lent_with_them() {
    let project = Project::new();
    let script = "
        mount -t tmpfs none /usr/share; echo there > /usr/share/file
        mount -t tmpfs none /usr/local; mkdir /usr/local/in
        mount -t tmpfs none /usr/local/in; echo local > /usr/local/in/file
        mount --bind /usr/bin/true /usr/bin/false
        exec $PROGRAM sh -ec '/usr/bin/false; cat /usr/share/file /usr/local/in/file'";
    for namespace in namespaces() {
        assert_eq!(project.stdout(namespace, script, ""), "there\nlocal\n");
    }
}

/// As sandboxes and container engines put a machine together.
#[test]
fn a_usr_of_many_mounts_is_no_obstacle() {
    let project = Project::new();
    let script = "
        mount -t tmpfs none ../pieces
        for piece in /usr/*; do
            target=../pieces/${piece##*/}
            if [ -L $piece ]; then cp -P $piece $target; continue; fi
            mkdir $target; mount --rbind $piece $target
        done
        mount --rbind ../pieces /usr
        exec $PROGRAM sh -ec 'echo new > top; cat top; ls /usr | wc -l'";
    fs::create_dir(project.directory.path().join("pieces")).unwrap();
    let pieces = fs::read_dir("/usr").unwrap().count();
    for namespace in namespaces() {
        let told = project.stdout(namespace, script, "");
        assert_eq!(told, format!("new\n{pieces}\n"));
    }
}

/// A file system that cannot be read through an overlay, here one too many of them stacked, is
/// shown read-only where it lies in a project.
#[test]
fn what_no_overlay_can_be_made_of_is_shown_read_only() {
    let project = Project::new();
    let script = "
        mkdir ../o; mount -t tmpfs none ../o; mkdir ../o/u ../o/k ../o/l ../o/u2 ../o/k2
        echo lower > ../o/l/file
        mount -t overlay none -o lowerdir=../o/l,upperdir=../o/u,workdir=../o/k,userxattr target
        mount -t overlay none -o lowerdir=target,upperdir=../o/u2,workdir=../o/k2,userxattr empty
        $PROGRAM sh -ec 'cat empty/file target/file; echo x > target/file; echo x > top; echo x > \
        empty/file || echo refused' 2>&1
        umount empty target ../o; rmdir ../o";
    for namespace in namespaces() {
        let told = project.stdout(namespace, script, "");
        // What comes by standard error may stand anywhere among it.
        assert_eq!(told.matches("lower\n").count(), 2, "{told}");
        assert!(told.contains("refused\n"), "{told}");
    }
}
