//! What programs that were killed could have left behind, and the moments to kill them at.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// The mounts, and what of the file system a program of ours could have left something in.
pub fn surroundings(project: &Path) -> (Vec<String>, BTreeSet<String>) {
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

/// Keeps the process for the test that holds this: no other may wait for its children.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until every process that descends from this one is gone: orphans of a subreaper become
/// its children.
pub fn wait_for_all() {
    loop {
        match waitpid(Pid::from_raw(-1), None) {
            Err(Errno::ECHILD) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => panic!("{errno}"),
        }
    }
}

/// How often each victim is killed: `MAELSTROM_KILLS`, or this often.
pub fn kills(usual: u32) -> u32 {
    std::env::var("MAELSTROM_KILLS").map_or(usual, |text| text.parse().expect("a number"))
}

/// Random moments.
pub struct Moments(u32);

impl Moments {
    /// Says which they are, for somebody in particular.
    pub fn new(who: &str) -> Moments {
        #[expect(clippy::disallowed_methods, reason = "a seed")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = now.subsec_nanos();
        println!("{who}: seed {seed}");
        Moments(seed)
    }

    /// The next, before the longest.
    pub fn next(&mut self, longest: Duration) -> Duration {
        // A linear congruential generator: the moments only have to differ.
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        longest * (self.0 >> 16) / 0x1_0000
    }
}
