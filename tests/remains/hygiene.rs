//! Nothing outlives the program (invariant 7): killed at random moments, it leaves no process, no
//! mount and no temporary directory behind.
//!
//! `MAELSTROM_KILLS=50` kills it fifty times instead of ten.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::remains::{self, Moments, kills, surroundings, wait_for_all};
use crate::support::{EXECUTABLE, crates};

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

#[test]
fn nothing_is_left_of_a_run_that_was_killed_at_any_moment() {
    let _turn = remains::alone();
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let mut moments = Moments::new("client");
    let project = crates::built(SOURCE);
    let before = surroundings(project.path());
    for kill in 0..kills(10) {
        let moment = moments.next(Duration::from_millis(1200));
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
