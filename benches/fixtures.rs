//! PostgreSQL as a fixture: 200 tests, each with its own server and its own copy of a seeded
//! database, compared with one shared server:
//!
//! ```console
//! $ cargo bench --bench fixtures            # 200 tests
//! $ cargo bench --bench fixtures -- 1000    # another number
//! ```
//!
//! The tests are the same in each way of running them: each reads the number of seeded rows, adds
//! one, and reads the number again, with `psql`. On the shared server, they are kept apart either by
//! a database that each test creates from a template, or not at all, by a transaction that is rolled
//! back. PostgreSQL (Debian's package `postgresql`) must be installed; as root, the servers run as
//! the user `nobody`.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MAELSTROM: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");
const TESTS: usize = 200;
const ROWS: usize = 10_000;

/// The user that servers run as if the benchmark runs as root, which PostgreSQL refuses.
const NOBODY: u32 = 65534;

const COMMAND: &str = r#"
initdb -D $MAELSTROM_FIXTURE_DIR/data -U postgres -A trust --no-sync
pg_ctl -D $MAELSTROM_FIXTURE_DIR/data -o '-k /tmp -h \"\" -F' -w start
psql -q -h /tmp -U postgres -f seed.sql
pg_ctl -D $MAELSTROM_FIXTURE_DIR/data -m fast -w stop
echo PGHOST=/tmp
"#;

const SERVICE: &str = "exec postgres -D $MAELSTROM_FIXTURE_DIR/data -k /tmp -h '' -F";

/// What each test does, given the way in which tests are kept apart.
const TEST: &str = r#"
    fn psql(database: &str, statement: &str) -> String {
        let words = ["-U", "postgres", "-tAq", "-d", database, "-c", statement];
        let output = std::process::Command::new("psql").args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn adds_a_row(number: u32) {
        const COUNT: &str = "SELECT count(*) FROM account";
        let add = format!("INSERT INTO account VALUES (1000000 + {number}, 'new')");
        if std::env::var("APART").as_deref() == Ok("transaction") {
            assert_eq!(psql("app", COUNT), "ROWS");
            let both = format!("BEGIN; {add}; {COUNT}; ROLLBACK");
            assert_eq!(psql("app", &both), "MORE");
            return;
        }
        let mut database = "app".to_owned();
        if std::env::var("APART").as_deref() == Ok("template") {
            database = format!("app_{number}");
            psql("postgres", &format!("CREATE DATABASE {database} TEMPLATE app"));
        }
        assert_eq!(psql(&database, COUNT), "ROWS");
        assert_eq!(psql(&database, &format!("{add}; {COUNT}")), "MORE");
    }
"#;

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let tests = words
        .next()
        .map_or(TESTS, |word| word.parse().expect("a number of tests"));
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let project = scratch.path().join("project");
    make(&project, tests);
    let programs = programs();

    let first = fixture(&project, &programs, tests);
    let again = fixture(&project, &programs, tests);
    let server = Server::start(scratch.path(), &project, &programs);
    let shared = server.run(&project, &programs, "template", tests);
    let rolled_back = server.run(&project, &programs, "transaction", tests);
    drop(server);

    println!("{tests} tests, {ROWS} seeded rows      whole run   per test");
    for (name, took) in [
        ("own server each, fixture made", first),
        ("own server each, from the cache", again),
        ("shared server, database each", shared),
        ("shared server, transaction each", rolled_back),
    ] {
        let each = took.as_secs_f64() * 1000.0 / tests as f64;
        println!("{name:<33} {:>8.2} s {each:>7.1} ms", took.as_secs_f64());
    }
}

/// Returns a `PATH` with PostgreSQL's own programs, which Debian keeps in a directory per version.
fn programs() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.flatten().map(|version| version.path().join("bin"));
    let newest = versions.filter(|bin| bin.join("postgres").exists()).max();
    newest.map_or(path.clone(), |bin| format!("{}:{path}", bin.display()))
}

/// Writes the project and builds its tests.
fn make(project: &Path, tests: usize) {
    fs::create_dir_all(project.join("src")).expect("making the project");
    let write = |name: &str, text: &str| fs::write(project.join(name), text).expect("writing");
    write(
        "Cargo.toml",
        "[package]\nname = \"bank\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\ndoctest = false\n\
         [workspace]\n",
    );
    let mut source = TEST
        .replace("ROWS", &ROWS.to_string())
        .replace("MORE", &(ROWS + 1).to_string());
    for number in 0..tests {
        let test = format!("#[test] fn t{number:04}() {{ adds_a_row({number}); }}");
        writeln!(source, "{test}").expect("writing to a string");
    }
    write("src/lib.rs", &format!("#![cfg(test)]\n{source}"));
    write(
        "seed.sql",
        &format!(
            "CREATE DATABASE app;\n\\c app\nCREATE TABLE account (id int PRIMARY KEY, name text);\n\
             INSERT INTO account SELECT i, 'name ' || i FROM generate_series(1, {ROWS}) i;\n"
        ),
    );
    let user = match nix::unistd::geteuid().is_root() {
        true => {
            format!("[[directives]]\nparent = \"default\"\nuser = {NOBODY}\ngroup = {NOBODY}\n")
        }
        false => String::new(),
    };
    write(
        "cargo-maelstrom.toml",
        &format!(
            "{user}[fixtures.pg]\ncommand = \"\"\"{COMMAND}\"\"\"\ninputs = [\"seed.sql\"]\n\
             service = \"{SERVICE}\"\nready = \"pg_isready -q -h /tmp\"\n"
        ),
    );
    let mut build = Command::new("cargo");
    build
        .args(["test", "--no-run", "--quiet"])
        .current_dir(project);
    assert!(build.status().expect("cargo").success());
}

fn fixture(project: &Path, programs: &str, tests: usize) -> Duration {
    let mut command = Command::new(MAELSTROM);
    command
        .args(["--no-tui", "--offline"])
        .current_dir(project)
        .env("PATH", programs);
    timed(&mut command, &format!("{tests} passed"))
}

/// Runs a command that must succeed and print this.
fn timed(command: &mut Command, expected: &str) -> Duration {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().expect("starting");
    let took = began.elapsed();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains(expected), "{text}");
    took
}

/// A server that all tests share. It is stopped when this is dropped.
struct Server {
    child: Child,
    sockets: PathBuf,
}

impl Server {
    fn start(scratch: &Path, project: &Path, programs: &str) -> Server {
        let home = scratch.join("server");
        fs::create_dir(&home).expect("making the server's directory");
        let is_root = nix::unistd::geteuid().is_root();
        if is_root {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(scratch, open).expect("opening the directory");
            std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).expect("chown");
        }
        let command = |program: &str| {
            let mut command = Command::new(program);
            command
                .current_dir(&home)
                .env("PATH", programs)
                .env("HOME", &home);
            if is_root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let mut init = command("initdb");
        init.args(["-D", "data", "-U", "postgres", "-A", "trust", "--no-sync"]);
        timed(&mut init, "");
        let mut serve = command("postgres");
        serve
            .args([
                "-D",
                "data",
                "-h",
                "",
                "-F",
                "-c",
                "max_connections=200",
                "-k",
            ])
            .arg(&home)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = serve.spawn().expect("postgres");
        let server = Server {
            child,
            sockets: home.clone(),
        };
        let is_ready = || {
            let mut ask = command("pg_isready");
            ask.arg("-q").arg("-h").arg(&home);
            ask.status().expect("pg_isready").success()
        };
        while !is_ready() {
            #[expect(clippy::disallowed_methods, reason = "the pace of the questions")]
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut seed = command("psql");
        seed.args(["-q", "-U", "postgres", "-h"])
            .arg(&home)
            .arg("-f");
        timed(seed.arg(project.join("seed.sql")), "");
        server
    }

    fn run(&self, project: &Path, programs: &str, apart: &str, tests: usize) -> Duration {
        let mut command = Command::new("cargo");
        command
            .args(["test", "--offline", "--quiet"])
            .current_dir(project)
            .env("PATH", programs)
            .env("PGHOST", &self.sockets)
            .env("APART", apart);
        timed(&mut command, &format!("{tests} passed"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        // The immediate shutdown of PostgreSQL, which also ends its other processes.
        let quit = nix::sys::signal::Signal::SIGQUIT;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), quit).expect("stopping the server");
        self.child.wait().expect("the server's end");
    }
}
