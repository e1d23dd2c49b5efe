//! Hermeticity (invariant 5) as a table: what one job leaves behind, no other finds, and nor does
//! the host. Each row is tried in every way in which a container is made.
//!
//! A job leaves something, and the next one in the same slot looks for it. A third job does both,
//! and must find it: a look that cannot fail shows nothing.

mod image;
pub(crate) mod table;
mod ways;

use crate::feed;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cluster::Cluster;
use table::{Said, Time};
use ways::{MEETING, Way};

const RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// The fewest rows of the table.
const ROWS_MIN: usize = 70;

/// The most lines of errors that are shown: each job of hundreds has the same to say.
const ERRORS_MAX: usize = 10;

#[test]
fn the_table_has_many_rows_and_the_documentation_names_each() {
    let way = Way::default_container();
    let rows = way.rows();
    assert!(rows.len() >= ROWS_MIN, "{}", rows.len());
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "a name appears twice");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/isolation.md");
    let text = std::fs::read_to_string(path).unwrap();
    // The last column of its tables.
    let cells = text.lines().filter_map(|line| line.rsplit('|').nth(1));
    let code = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let said: BTreeSet<&str> = code.filter(|name| !name.contains("::")).collect();
    let missing: Vec<_> = names.difference(&said).collect();
    let unknown: Vec<_> = said.difference(&names).collect();
    assert!(missing.is_empty(), "not in {path}: {missing:?}");
    assert!(unknown.is_empty(), "no rows, in {path}: {unknown:?}");
}

/// Some rows leave locks on files of the machine, which all containers see meanwhile, those of other
/// tests included: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // Whether another test failed is no concern of this one.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs jobs one after the other in one slot: each row is left, looked for, and checked.
fn in_sequence(way: &Way) {
    let _turn = alone();
    let rows = way.rows();
    let mut input = String::new();
    for row in &rows {
        for verb in ["leave", "look", "check"] {
            input.push_str(&way.job(&[verb, &row.name]));
        }
    }
    let (said, errors) = run(way, "--slots=1", &input);
    let wrong = |row| said.complaints(row, Time::Afterwards);
    let complaints: String = rows.iter().map(wrong).collect();
    assert!(complaints.is_empty(), "\n{complaints}\n{errors}");
}

fn run(way: &Way, slots: &str, input: &str) -> (Said, String) {
    let mut command = Command::new(RUN);
    command
        .args([slots, "--cache-root=cache"])
        .current_dir(way.directory())
        .env("XDG_CONFIG_HOME", way.directory())
        .env("XDG_CACHE_HOME", way.directory().join("depot"));
    let output = feed::output(&mut command, input);
    let mut said = Said::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        said.hear(line);
    }
    // That a job exits with the number of its outcome is no news.
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors = errors
        .lines()
        .filter(|line| !line.contains("exited with code"));
    let errors = errors.take(ERRORS_MAX).collect::<Vec<_>>().join("\n");
    assert!(!output.stdout.is_empty(), "{errors}");
    (said, errors)
}

#[test]
fn nothing_passes_from_job_to_job_in_the_default_container() {
    in_sequence(&Way::default_container());
}

#[test]
fn nothing_passes_from_job_to_job_in_layers() {
    in_sequence(&Way::layers());
}

#[test]
fn nothing_passes_from_job_to_job_in_layers_that_may_be_written_to() {
    in_sequence(&Way::writable_layers());
}

#[test]
fn nothing_passes_from_job_to_job_in_an_image() {
    in_sequence(&Way::image());
}

#[test]
fn nothing_passes_from_job_to_job_in_an_image_with_mounts() {
    in_sequence(&Way::image_with_mounts());
}

/// Runs each row in two slots at once: one job leaves it and stays, the other looks meanwhile.
fn side_by_side(way: Way) {
    let _turn = alone();
    let rows = way.rows();
    let way = way.with_meeting(&rows);
    let mut input = String::new();
    for row in &rows {
        let place = format!("{MEETING}/{}", row.name);
        for verb in ["hold", "watch"] {
            input.push_str(&way.job(&[verb, &row.name, &place]));
        }
    }
    let (said, errors) = run(&way, "--slots=2", &input);
    let wrong = |row| said.complaints(row, Time::Meanwhile);
    let complaints: String = rows.iter().map(wrong).collect();
    assert!(complaints.is_empty(), "\n{complaints}\n{errors}");
}

#[test]
fn nothing_passes_between_default_containers_side_by_side() {
    side_by_side(Way::default_container());
}

#[test]
fn nothing_passes_between_containers_of_layers_side_by_side() {
    side_by_side(Way::layers());
}

/// A client of a cluster that is given one job after the other.
struct Client {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Client {
    fn start(cluster: &Cluster, way: &Way) -> Client {
        let mut command = cluster.client(RUN, way.directory());
        let errors = std::fs::File::create(way.directory().join("errors")).unwrap();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut child = command.spawn().unwrap();
        Client {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// What the job writes.
    fn run(&mut self, job: &str) -> String {
        self.stdin.write_all(job.as_bytes()).unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn end(mut self) {
        drop(self.stdin);
        self.child.wait().unwrap();
    }
}

#[test]
fn nothing_passes_from_one_clients_job_to_anothers_on_a_worker() {
    let _turn = alone();
    let way = Way::default_container();
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("only");
    let [mut one, mut other] = [(); 2].map(|()| Client::start(&cluster, &way));
    let rows = way.rows();
    let mut said = Said::default();
    for row in &rows {
        for (client, verb) in [(&mut one, "leave"), (&mut other, "look")] {
            let line = client.run(&way.job(&[verb, &row.name]));
            if !line.is_empty() {
                said.hear(line.trim_end_matches('\n'));
            }
        }
    }
    one.end();
    other.end();
    let wrong = |row| said.complaints(row, Time::AfterwardsUnchecked);
    let complaints: String = rows.iter().map(wrong).collect();
    assert!(complaints.is_empty(), "\n{complaints}");
}
