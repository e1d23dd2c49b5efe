//! What stays the user's own: credentials and root's secrets in containers and on a cluster, the calling
//! environment, and everything that the programs keep on disk.

use crate::feed;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cluster::{Cluster, PORTABLE, Running};
use maelstrom_container::secrets::CREDENTIALS;

const RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// In no file but those that these tests write.
const SECRET: &str = "a-word-that-stands-nowhere-else";

/// A home directory with all kinds of credentials, and one file that is none.
struct Home {
    home: tempfile::TempDir,
    own: tempfile::TempDir,
}

impl Home {
    fn new() -> Home {
        let home = Home {
            home: tempfile::tempdir().unwrap(),
            own: tempfile::tempdir().unwrap(),
        };
        for name in CREDENTIALS {
            let path = home.at(name);
            // Some are files and some are directories.
            let is_file = [".netrc", ".toml", ".json", ".cnf", "_history", "rc"];
            let file = match is_file.iter().any(|end| name.ends_with(end)) {
                true => path,
                false => path.join("inside"),
            };
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!("{SECRET} of {name}")).unwrap();
        }
        fs::write(home.at("notes"), SECRET).unwrap();
        home
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `maelstrom-run` as it is called there.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(RUN);
        command.args(arguments).current_dir(self.home.path());
        self.tell(&mut command);
        feed::output(&mut command, "")
    }

    fn tell(&self, command: &mut Command) {
        command
            .env("HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env("XDG_CACHE_HOME", self.own.path().join("cache"))
            .env("XDG_STATE_HOME", self.own.path().join("state"));
    }
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Lists the files below the working directory that hold the word.
fn search() -> String {
    format!("grep -rl {SECRET} . 2>/dev/null | sort")
}

#[test]
fn credentials_are_in_no_container_unless_they_are_named() {
    let home = Home::new();
    let seen = |options: &[&str], script: &str| {
        let arguments = [options, &["--", "sh", "-c", script]].concat();
        stdout(&home.run(&arguments))
    };
    assert_eq!(seen(&[], &search()), "./notes\n");
    // A directory that is mounted shows no more than one that is worked in.
    let target = "source=.,target=/mnt,readonly";
    let in_mount = format!("cd /mnt && {}", search());
    assert_eq!(seen(&["--mount", target], &in_mount), "./notes\n");
    // Named, each is there: by itself, and at its place.
    let place = home.at(".aws");
    let place = format!("source=.aws,target={},readonly", place.display());
    let all = "./.aws/inside\n./notes\n";
    assert_eq!(seen(&["--mount", &place], &search()), all);
    let file = "source=.netrc,target=/mnt/x,readonly";
    let text = format!("{SECRET} of .netrc");
    assert_eq!(seen(&["--mount", file], "cat /mnt/x"), text);
}

#[test]
fn what_root_keeps_from_others_is_in_no_container_unless_it_is_named() {
    let home = Home::new();
    let cat = |mount: &str, path: &str| {
        let output = home.run(&["--mount", mount, "--", "cat", path]);
        String::from_utf8(output.stdout).unwrap()
    };
    let shadow = "/etc/shadow";
    assert_eq!(cat("source=/etc,target=/mnt,readonly", "/mnt/shadow"), "");
    let named = cat(
        "source=/etc/shadow,target=/mnt/shadow,readonly",
        "/mnt/shadow",
    );
    // To anybody but root nothing is there in either case.
    assert_eq!(named, fs::read_to_string(shadow).unwrap_or_default());
    let whole = home.run(&[
        "--",
        "sh",
        "-c",
        "find /etc -readable -type f ! -perm -4 ! -perm -1",
    ]);
    let whole = String::from_utf8(whole.stdout).unwrap();
    let closed: Vec<&str> = whole.lines().collect();
    assert!(closed.is_empty(), "{closed:?}");
}

#[test]
fn a_cluster_gets_no_credentials_and_of_the_environment_what_is_listed_or_named() {
    let home = Home::new();
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("one");
    let away = |options: &[&str], job: &str| {
        let mut command = cluster.client(RUN, home.home.path());
        home.tell(&mut command);
        command
            .args(options)
            .env("MY_FLAG", "flag")
            .env("MY_TOKEN", "token-of-mine")
            .env("CARGO_REGISTRY_TOKEN", "token-of-cargo")
            .env("RUST_BACKTRACE", "full");
        stdout(&feed::output(&mut command, job))
    };
    let job = |script: &str, more: &str| {
        format!(r#"{{"program": "sh", "arguments": ["-c", {script:?}], {PORTABLE}{more}}}"#)
    };
    let at_home = home.home.path().display();
    let found = away(&[], &job(&format!("cd {at_home} && {}", search()), ""));
    assert_eq!(found.matches("./").count(), 1, "{found}");
    assert!(found.contains("./notes\n"), "{found}");
    let print = job(
        "echo $MY_FLAG,$MY_TOKEN,$CARGO_REGISTRY_TOKEN,$RUST_BACKTRACE,$HOME",
        "",
    );
    assert!(away(&[], &print).contains(&format!(",,,full,{at_home}\n")));
    let named = away(&["--forward-environment", "MY_*"], &print);
    assert!(named.contains("flag,token-of-mine,,full"), "{named}");
    let by_job = job(
        "echo $MY_FLAG,$MY_TOKEN",
        r#", "added_environment": {"MY_TOKEN": "$env{MY_TOKEN}"}"#,
    );
    assert!(away(&[], &by_job).contains(",token-of-mine\n"));

    // What never left is nowhere on the broker's disk.
    let mut held = Vec::new();
    walk(&cluster.broker_directory(), &mut |path, metadata| {
        if metadata.is_file() {
            held.push(fs::read(path).unwrap());
        }
    });
    let holds = |word: &str| {
        let word = word.as_bytes();
        let windows = held.iter().map(|file| file.windows(word.len()));
        windows.flatten().filter(|window| *window == word).count()
    };
    assert_eq!(holds("token-of-cargo"), 0);
    assert_eq!(holds(&format!("{SECRET} of ")), 0);
}

/// Everything below a directory.
fn walk(directory: &Path, look: &mut impl FnMut(&Path, &fs::Metadata)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        // The trees of layers are what containers show, behind a directory that is closed.
        if path.ends_with("root") {
            continue;
        }
        look(&path, &metadata);
        if metadata.is_dir() {
            walk(&path, look);
        }
    }
}

/// A program under a umask that takes nothing away.
fn careless(command: Command) -> Command {
    let mut careless = Command::new("sh");
    careless
        .args(["-c", "umask 0; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => careless.env(name, value),
            None => careless.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        careless.current_dir(directory);
    }
    careless
}

#[test]
fn what_programs_keep_is_the_users_alone_whatever_the_umask() {
    let home = Home::new();
    let cluster = Cluster::start_as(&[], careless);
    let mut worker = careless(cluster.worker_command("one"));
    let (_worker, _) = Running::start(&mut worker);
    let job = format!(r#"{{"program": "true", {PORTABLE}}}"#);
    let layered =
        r#"{"program": "true", "parent": "default", "added_layers": [{"stubs": ["/srv/x"]}]}"#;
    for (options, input) in [(&["--ui", "plain"][..], job.as_str()), (&[], layered)] {
        let mut command = cluster.client(RUN, home.home.path());
        command.args(options);
        home.tell(&mut command);
        stdout(&feed::output(&mut careless(command), input));
    }
    let mut seen = 0;
    let mut open = Vec::new();
    let mut look = |path: &Path, metadata: &fs::Metadata| {
        seen += 1;
        if !metadata.is_symlink() && metadata.mode() & 0o077 != 0 {
            open.push(format!("{} {:o}", path.display(), metadata.mode()));
        }
    };
    walk(home.own.path(), &mut look);
    walk(cluster.broker_directory().parent().unwrap(), &mut look);
    assert!(seen > 20, "{seen}");
    assert!(open.is_empty(), "{open:#?}");
}

#[test]
fn a_cache_that_is_open_to_others_is_closed() {
    let home = Home::new();
    let cache = home.at("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let options = ["--cache-root", "cache", "--writable", "--", "true"];
    stdout(&home.run(&options));
    let mode = fs::metadata(&cache).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o700);
}
