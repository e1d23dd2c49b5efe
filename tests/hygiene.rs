//! Nothing outlives the program (invariant 7): killed at random moments, it leaves no process, no
//! mount and no temporary directory behind.
//!
//! `MAELSTROM_KILLS=50` kills it fifty times instead of ten. There is one test in this file, since
//! it looks at every process that descends from it.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use support::EXECUTABLE;

/// Tests that last, write, listen and leave daemons.
const SOURCE: &str = r#"
#[cfg(test)]
mod tests {
    use std::{fs, net::TcpListener, process::Command, thread::sleep, time::Duration};
    fn last() { sleep(Duration::from_secs(1000)); }
    #[test] fn lasts() { last(); }
    #[test] fn writes() { fs::write("/tmp/x", vec![0; 1 << 20]).unwrap(); fs::write("new", "x").unwrap(); last(); }
    #[test] fn listens() { let _listener = TcpListener::bind("127.0.0.1:4000").unwrap(); last(); }
    #[test] fn forks() { for _ in 0..9 { Command::new("setsid").args(["sleep", "1000"]).spawn().unwrap(); } last(); }
    #[test] fn passes() {}
    #[test] fn fails() { panic!("as it should"); }
}
"#;

/// What of the file system this program could have left something in.
fn surroundings(project: &Path) -> (Vec<String>, BTreeSet<String>) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = mounts.lines().map(str::to_owned).collect();
    let ours = |name: &String| name.contains("maelstrom") || name.starts_with("mael-");
    let names = |directory: &Path| {
        fs::read_dir(directory)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect::<Vec<_>>()
    };
    let mut files: BTreeSet<String> = ["/tmp", "/var/tmp", "/dev/shm"]
        .iter()
        .flat_map(|directory| names(Path::new(directory)))
        .filter(ours)
        .collect();
    files.extend(names(project));
    (mounts, files)
}

/// Waits until every process that descends from this one is gone: orphans become its children.
fn wait_for_all() {
    loop {
        match waitpid(Pid::from_raw(-1), None) {
            Err(Errno::ECHILD) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => panic!("{errno}"),
        }
    }
}

#[test]
fn nothing_is_left_of_a_run_that_was_killed_at_any_moment() {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let kills: u32 =
        std::env::var("MAELSTROM_KILLS").map_or(10, |text| text.parse().expect("a number"));
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    println!("seed {seed}");
    let project = tempfile::tempdir().unwrap();
    let manifest =
        "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(project.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(project.path().join("src")).unwrap();
    fs::write(project.path().join("src/lib.rs"), SOURCE).unwrap();
    let mut build = Command::new("cargo");
    build
        .args(["test", "--no-run", "--quiet"])
        .current_dir(project.path());
    assert!(build.status().unwrap().success());
    let before = surroundings(project.path());
    let mut random = seed;
    for kill in 0..kills {
        // A linear congruential generator: the moments only have to differ.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let moment = Duration::from_millis(u64::from(random >> 16) % 1200);
        let mut command = Command::new("timeout");
        command
            .args([
                "--signal=KILL",
                &format!("{:.3}", moment.as_secs_f64().max(0.001)),
                EXECUTABLE,
            ])
            .args(["--no-tui", "--slots", "4"])
            .current_dir(project.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command.spawn().unwrap().wait().unwrap();
        // `timeout --signal=KILL` ends as what it has killed.
        assert_eq!(
            status.signal().or(status.code()),
            Some(9),
            "kill {kill} after {moment:?}: {status}"
        );
        wait_for_all();
        assert_eq!(
            surroundings(project.path()),
            before,
            "kill {kill} after {moment:?}"
        );
    }
}
