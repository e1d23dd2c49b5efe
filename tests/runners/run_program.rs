//! `maelstrom-run` as it is called from a shell and from scripts.

use crate::feed;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// A directory to be called in, and what it is called with.
struct Shell {
    directory: tempfile::TempDir,
}

impl Shell {
    fn new() -> Shell {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::write(directory.path().join("file"), "as it was\n").unwrap();
        Shell { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs the program with this on standard input.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.path())
            .env("MAELSTROM_TEST_FORWARDED", "forwarded")
            .env("XDG_CONFIG_HOME", self.path());
        feed::output(&mut command, input)
    }

    fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What is told of a mistake, with the exit code.
    fn mistake(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let stderr = stderr.replace(self.path().to_str().unwrap(), "HERE");
        format!("{}\n{stderr}", output.status.code().unwrap())
    }
}

fn job(program: &str, arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|word| format!("{word:?}")).collect();
    format!(
        r#"{{"program": {program:?}, "arguments": [{}], "parent": "default"}}"#,
        arguments.join(", ")
    )
}

#[test]
fn a_program_runs_in_a_container_like_here_and_ends_as_it_ends() {
    let shell = Shell::new();
    let script = "cat file; echo new > file; cat file; hostname; id -u; echo $$";
    let user = nix::unistd::geteuid();
    assert_eq!(
        shell.stdout(&["--", "sh", "-c", script]),
        format!("as it was\nnew\nmaelstrom\n{user}\n2\n")
    );
    let file = fs::read_to_string(shell.path().join("file")).unwrap();
    assert_eq!(file, "as it was\n", "what a job writes is thrown away");
    let output = shell.run(&["sh", "-c", "exit 7"], "");
    assert_eq!(output.status.code(), Some(7));
    let output = shell.run(&["sh", "-c", "kill -TERM $$"], "");
    assert_eq!(output.status.signal(), Some(15));
    let output = shell.run(&["cat"], "what comes in");
    assert_eq!(output.stdout, b"what comes in");
}

#[test]
fn what_it_runs_in_can_be_said_on_the_command_line() {
    let shell = Shell::new();
    let script = "echo $GIVEN $MAELSTROM_TEST_FORWARDED; ls /sys/class/net; pwd; cat /other/file; \
                  echo x > /other/file || echo refused; echo y > /scratch/y && cat /scratch/y";
    let printed = shell.stdout(&[
        "--env=GIVEN=given",
        "--env=MAELSTROM_TEST_FORWARDED",
        "--network=disabled",
        "--working-directory=/usr",
        "--mount=type=bind,source=.,target=/other,readonly",
        "--mount=type=tmp,target=/scratch",
        "sh",
        "-c",
        script,
    ]);
    assert_eq!(
        printed,
        "given forwarded\nlo\n/usr\nas it was\nrefused\ny\n"
    );
}

#[test]
fn a_stream_of_jobs_gives_each_ones_output_in_one_piece() {
    let shell = Shell::new();
    let lines = "i=0; while [ $i -lt 2000 ]; do echo $0; echo $0 >&2; i=$((i+1)); done";
    let jobs: String = ["a", "b", "c", "d"]
        .map(|name| job("sh", &["-c", lines, name]))
        .concat();
    let output = shell.run(&["--slots=4"], &jobs);
    assert!(output.status.success(), "{output:?}");
    for stream in [output.stdout, output.stderr] {
        let mut lines: Vec<&[u8]> = stream.split(|&byte| byte == b'\n').collect();
        assert_eq!(lines.pop(), Some(b"".as_slice()));
        assert_eq!(lines.len(), 8000);
        lines.dedup();
        assert_eq!(
            lines.len(),
            4,
            "nothing of one job stands between another's"
        );
    }
}

/// More slots than the machine allows containers: a user namespace around the program, which has a
/// limit of its own, stands for the machine.
#[test]
fn jobs_wait_where_the_machine_allows_no_further_container() {
    let shell = Shell::new();
    let jobs: String = (0..24)
        .map(|number| job("echo", &[&format!("job {number}")]))
        .collect();
    for kind in ["ipc", "user"] {
        let limited =
            format!("echo 4 > /proc/sys/user/max_{kind}_namespaces && exec {PROGRAM} --slots=8");
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "sh", "-c", &limited])
            .current_dir(shell.path())
            .env("XDG_CONFIG_HOME", shell.path());
        let output = feed::output(&mut command, &jobs);
        assert!(output.status.success(), "{kind}: {output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.lines().count(), 24, "{kind}: {printed}");
    }
}

#[test]
fn full_privileges_are_told() {
    let shell = Shell::new();
    let output = shell.run(&["--privileges=full", "echo", "x"], "");
    assert_eq!(output.stdout, b"x\n");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("could reach this machine's keyrings"),
        "{told}"
    );
    let output = shell.run(&["--privileges=ordinary", "echo", "x"], "");
    assert_eq!(output.stderr, b"");
}

#[test]
fn a_stream_ends_with_the_code_of_its_first_failure() {
    let shell = Shell::new();
    let jobs = [
        r#"{"program": "true", "parent": "absent"}"#.to_owned(),
        job("true", &[]),
        job("sh", &["-c", "exit 3"]),
        job("sh", &["-c", "kill -9 $$"]),
        job("nonsense", &[]),
        r#"{"program": "sleep", "arguments": ["1000"], "parent": "default", "timeout": 1}"#.into(),
    ];
    let output = shell.run(&["--slots=1"], &jobs.join("\n"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let mut told: Vec<&str> = stderr.lines().collect();
    told.sort_unstable();
    insta::assert_snapshot!(told.join("\n"), @"
      help: define `absent` among the `containers`
    job 1: standard input:1:31: there is no container `absent`
    job 3: exited with code 3
    job 4: ended by SIGKILL
    job 5: cannot execute nonsense: No such file or directory (ENOENT)
    job 6: took longer than its timeout
    ");
    assert_eq!(output.status.code(), Some(1));
    let output = shell.run(&["--slots=1"], &jobs[1..].join("\n"));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_job_starts_before_the_input_goes_on() {
    let shell = Shell::new();
    let mut child = Command::new(PROGRAM)
        .current_dir(shell.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    for word in ["one", "two"] {
        stdin.write_all(job("echo", &[word]).as_bytes()).unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        assert_eq!(line.trim_end(), word);
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_first_job_can_be_run_alone_and_with_another_program() {
    let shell = Shell::new();
    let jobs = [
        r#"{"containers": {"mine": {"parent": "default", "added_environment": {"A": "1"}}}}"#,
        r#"{"program": "sh", "arguments": ["-c", "echo first $A; exit 4"], "parent": "mine"}"#,
        r#"{"program": "echo", "arguments": ["second"], "parent": "mine"} nonsense"#,
    ]
    .join("\n");
    let output = shell.run(&["--one"], &jobs);
    assert_eq!(output.stdout, b"first 1\n");
    assert_eq!(output.status.code(), Some(4));
    fs::write(shell.path().join("jobs.json"), &jobs).unwrap();
    let arguments = ["-1", "-f", "jobs.json", "sh", "-c", "echo other $A"];
    assert_eq!(shell.stdout(&arguments), "other 1\n");
}

#[test]
fn a_later_definition_of_a_container_holds_for_the_jobs_after_it() {
    let shell = Shell::new();
    let define = |value: &str| {
        format!(
            r#"{{"containers": {{"c": {{"parent": "default", "added_environment": {{"A": "{value}"}}}}}}}}"#
        )
    };
    let job = r#"{"program": "sh", "arguments": ["-c", "echo $A"], "parent": "c"}"#;
    let input = [&define("1"), job, &define("2"), job]
        .map(String::from)
        .concat();
    let output = shell.run(&["--slots=1"], &input);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n2\n");
}

#[test]
fn output_longer_than_memory_should_hold_arrives_whole() {
    let shell = Shell::new();
    let script = "head -c 3000000 /dev/zero | tr '\\0' x";
    let output = shell.run(&[], &job("sh", &["-c", script]));
    assert_eq!(output.stdout.len(), 3_000_000);
}

#[test]
fn a_container_can_be_made_of_layers_alone() {
    let shell = Shell::new();
    let job = r#"{"program": "/usr/bin/cat", "arguments": ["/data/file", "/proc/1/comm"], "user": 7,
        "layers": [{"paths": ["/usr/bin/cat"]}, {"shared_library_dependencies": ["/usr/bin/cat"]},
                   {"glob": "fi*", "prepend_prefix": "data/"}, {"stubs": ["/proc/"]}],
        "mounts": [{"type": "proc", "mount_point": "/proc"}]}"#;
    let output = shell.run(&["--cache-root=cache"], job);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "as it was\nmael-init\n",
        "{output:?}"
    );
    let stderr = shell.run(
        &[],
        r#"{"program": "/x", "layers": [{"paths": ["absent"]}]}"#,
    );
    let stderr = String::from_utf8(stderr.stderr).unwrap();
    assert!(stderr.contains("absent"), "{stderr}");
}

/// A job that was kept as a run keeps those of its failures.
fn kept(shell: &Shell) -> String {
    use maelstrom_engine::job_file::JobFiles;
    use maelstrom_model::event::IsolationMode;
    use maelstrom_model::job::{Job, OutputPipes, PlacementConstraint, ProcessSpec};
    use maelstrom_runners::run::default_container::DefaultJobContainer;
    use maelstrom_runners::sandbox::environment::invoking;
    use maelstrom_runners::sandbox::invocation::{ColorMode, Invocation};

    let mut invocation = Invocation::of_this_process(ColorMode::Unwanted).unwrap();
    invocation.directory = shell.path().to_owned();
    let surroundings = DefaultJobContainer::make(&invocation).unwrap();
    let mut environment = invoking(&invocation.environment, IsolationMode::Container);
    environment.insert("KEPT".into(), "kept".into());
    let job = Job {
        placement: PlacementConstraint::Here,
        container: surroundings.container,
        process: std::sync::Arc::new(ProcessSpec {
            program: std::ffi::OsStr::new("sh").into(),
            arguments: vec!["-c".into(), "echo the job; exit 6".into()],
            environment: std::sync::Arc::new(environment),
            working_directory: shell.path().into(),
        }),
        resident: None,
        timeout: None,
        output: OutputPipes::Separate,
        grace: None,
        needs: Default::default(),
        additions: Default::default(),
    };
    let files = JobFiles::new(shell.path().join("jobs"));
    files.save(&job).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_job_that_was_kept_runs_again_or_lends_its_container() {
    let shell = Shell::new();
    let file = kept(&shell);
    let output = shell.run(&["--job", &file], "");
    assert_eq!(output.stdout, b"the job\n");
    assert_eq!(output.status.code(), Some(6));
    let arguments = ["--job", &file, "sh", "-c", "echo $KEPT; cat file"];
    assert_eq!(shell.stdout(&arguments), "kept\nas it was\n");
    fs::write(&file, "garbage").unwrap();
    let told = shell.mistake(&["--job", &file], "");
    assert!(told.contains("is not a job of this version"), "{told}");
    assert!(told.contains("help: run the test again"), "{told}");
}

#[test]
fn every_mistake_is_told_with_what_to_do() {
    let shell = Shell::new();
    let mistakes: [(&[&str], &str); 15] = [
        (&["--file=absent.json"], ""),
        (&["--one", "--tty"], ""),
        (&["--tty", "true"], ""),
        (&["--file=jobs.json", "true"], ""),
        (&["--image=docker://x"], "{}"),
        (&["--mount=/a:/b", "true"], ""),
        (&["--env==x", "true"], ""),
        (&["--escape-char=ab", "true"], ""),
        (&["--slotss=3", "true"], ""),
        (&["--slots=0"], ""),
        (&["--one"], ""),
        (&[], "{\"program\": \"true\", \"parent\": \"default\"} ]"),
        (&[], "{\"program\": \"true\""),
        (&[], "{\"program\": \"true\", \"layer\": []}"),
        (&["--working-directory=/absent", "true"], ""),
    ];
    let told = mistakes.map(|(arguments, input)| {
        let command = arguments.join(" ");
        format!(
            "$ maelstrom-run {command}\n{}",
            shell.mistake(arguments, input)
        )
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_configuration_file_says_how_many_at_a_time() {
    let shell = Shell::new();
    fs::create_dir_all(shell.path().join("maelstrom/run")).unwrap();
    let file = shell.path().join("maelstrom/run/config.toml");
    fs::write(file, "slots = 7\nescape-char = \"^B\"\n").unwrap();
    let printed = shell.stdout(&["--print-config"]);
    assert!(printed.contains("slots = 7"), "{printed}");
    assert!(printed.contains("escape-char = \"^B\""), "{printed}");
}

#[test]
fn names_are_the_containers_own_or_with_the_hosts_network_the_hosts() {
    let shell = Shell::new();
    let script = "cat /etc/resolv.conf /etc/hosts; printenv CARGO_NET_OFFLINE GOPROXY || true";
    let said = |network: &str| {
        let mut command = Command::new(PROGRAM);
        command
            .args([network, "--", "sh", "-c", script])
            .current_dir(shell.path())
            .env("XDG_CONFIG_HOME", shell.path())
            .env_remove("CARGO_NET_OFFLINE")
            .env("GOPROXY", "direct");
        String::from_utf8(feed::output(&mut command, "").stdout).unwrap()
    };
    let own = [
        "nameserver 127.0.0.1\n",
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 maelstrom\n",
    ];
    let own_or_hosts = |path, own: &str| fs::read_to_string(path).unwrap_or(own.to_owned());
    assert_eq!(
        said("--network=loopback"),
        format!("{}{}true\ndirect\n", own[0], own[1])
    );
    let resolver = own_or_hosts("/etc/resolv.conf", own[0]);
    let hosts = own_or_hosts("/etc/hosts", own[1]);
    assert_eq!(
        said("--network=local"),
        format!("{resolver}{hosts}direct\n")
    );
}

#[test]
fn a_recording_has_all_jobs_and_their_results() {
    let shell = Shell::new();
    let record = shell.path().join("run.ndjson");
    let input = [job("true", &[]), job("sh", &["-c", "echo said; exit 3"])].concat();
    for (arguments, input, names) in [
        (&["--no-tui"][..], input.as_str(), &["passed", "failed"][..]),
        (&["--", "sh", "-c", "echo said; exit 3"], "", &["failed"]),
    ] {
        let words = [&["--slots=1", "--record", "run.ndjson"], arguments].concat();
        let output = shell.run(&words, input);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let events = fs::read_to_string(&record).unwrap();
        let events = events
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let events: Vec<serde_json::Value> = events.collect();
        assert_eq!(events[0]["event"], "run_started");
        assert_eq!(events[events.len() - 1]["exit_code"], 3);
        let named = |name: &'static str| {
            let events = events.iter();
            events.filter(move |event| event["event"] == name)
        };
        let outcomes = named("finished").map(|event| event["outcome"]["kind"].as_str().unwrap());
        assert_eq!(outcomes.collect::<Vec<_>>(), names);
        assert!(named("output").any(|event| event["text"] == "said\n"));
        let summary = &named("round_finished").next().unwrap()["summary"];
        assert_eq!(summary["failed"], 1);
        assert!(summary["duration_us"].as_u64().unwrap() > 0);
    }
    let told = shell.mistake(&["--tty", "--record", "run.ndjson", "--", "true"], "");
    assert!(
        told.starts_with("2\n") && told.contains("`--record`"),
        "{told}"
    );
}
