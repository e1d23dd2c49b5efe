//! A test that hangs: before it is stopped, its stacks show where.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::EXECUTABLE;
use tempfile::TempDir;

const MANIFEST: &str =
    "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";

/// One thread waits in a function that calls itself, another one never sleeps.
const SOURCE: &str = "\
#[inline(never)]
fn waits_for_ever(depth: u32) {
    match depth {
        0 => loop {
            std::thread::park();
        },
        _ => waits_for_ever(depth - 1),
    }
    std::hint::black_box(depth);
}

#[inline(never)]
fn spins(mut count: u64) {
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

#[test]
fn hangs() {
    let spinner = std::thread::Builder::new().name(\"spinner\".to_owned());
    let _running = spinner.spawn(|| spins(0)).unwrap();
    waits_for_ever(2);
}
";

/// How often a run is repeated whose stacks came too late: on a machine that does much else, they are
/// left out after a second.
const ATTEMPTS_MAX: usize = 10;

/// Runs the tests with this level of debug information until all of this is printed, and returns what
/// is printed.
fn hang(debug: &str, wanted: &[&str]) -> String {
    let project = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::create_dir(project.path().join("src")).unwrap();
    fs::write(project.path().join("Cargo.toml"), MANIFEST).unwrap();
    fs::write(project.path().join("src/lib.rs"), SOURCE).unwrap();
    let mut text = String::new();
    for _ in 0..ATTEMPTS_MAX {
        let output = Command::new(EXECUTABLE)
            .arg("--timeout=1")
            .current_dir(project.path())
            .env("XDG_CACHE_HOME", project.path().join("depot"))
            .env("CARGO_PROFILE_DEV_DEBUG", debug)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        if wanted.iter().all(|shown| text.contains(shown)) {
            return text;
        }
    }
    panic!("{wanted:?} is not all there: {text}");
}

#[test]
fn the_stacks_of_all_threads_have_functions_and_lines() {
    let wanted = [
        "victim::waits_for_ever at src/lib.rs:5",
        "victim::hangs at src/lib.rs:23",
        "(spinner) of victim-",
        "victim::spins at src/lib.rs:1",
    ];
    hang("full", &wanted);
}

#[test]
fn without_debug_information_there_are_names() {
    let wanted = [
        "victim::waits_for_ever in victim-",
        "victim::spins in victim-",
    ];
    hang("none", &wanted);
}
