//! Discovery of real Cargo projects: the fixtures are built by the real cargo, and their test
//! binaries are listed and run as plain processes, so that only the runner itself is tested here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use maelstrom_model::error::ProgramError;
use maelstrom_model::event::{BuildEvent, EventKind, UserNotice};
use maelstrom_model::framework::{
    BrokenEntry, CapturedOutput, Framework, FrameworkHost, WatchPaths,
};
use maelstrom_model::job::{ExitStatus, Job, JobOutcome, JobResult, MountKind, TestCase};
use maelstrom_runners::cargo::{
    CargoError, CargoFramework, CargoOptions, CargoOptionsError, ColorMode, Invocation,
};
use maelstrom_runners::sandbox::environment::OFFLINE;

/// Runs jobs as plain processes and remembers everything else.
#[derive(Default)]
struct PlainHost {
    events: RefCell<Vec<EventKind>>,
    tests: RefCell<Vec<TestCase>>,
    broken: RefCell<Vec<BrokenEntry>>,
}

impl FrameworkHost for PlainHost {
    fn emit(&self, event: impl Into<EventKind>) {
        self.events.borrow_mut().push(event.into());
    }

    fn state_directory(&self, directory: PathBuf) {
        assert!(directory.ends_with("maelstrom/state"), "{directory:?}");
    }

    fn watch(&self, _: WatchPaths) {}

    fn found(&self, tests: Vec<TestCase>) {
        self.tests.borrow_mut().extend(tests);
    }

    fn found_at(&self, priority: i8, test: TestCase) {
        panic!("nobody gave {test:?} the priority {priority}");
    }

    fn broken(&self, entry: BrokenEntry) {
        self.broken.borrow_mut().push(entry);
    }

    async fn run(&self, job: Job) -> CapturedOutput {
        let process = &job.process;
        let output = tokio::process::Command::new(&process.program)
            .args(&process.arguments)
            .env_clear()
            .envs(process.environment.iter())
            .current_dir(&process.working_directory)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        let (end, stdout, stderr) = match output {
            Ok(output) => {
                let status = match output.status.code() {
                    Some(code) => ExitStatus::Code(code),
                    None => ExitStatus::Signal {
                        number: output.status.signal().unwrap(),
                        core_dumped: output.status.core_dumped(),
                    },
                };
                (JobOutcome::Exited(status), output.stdout, output.stderr)
            }
            Err(error) => (JobOutcome::Error(error.to_string()), Vec::new(), Vec::new()),
        };
        CapturedOutput {
            result: JobResult::not_run(end),
            stdout,
            stderr,
        }
    }
}

impl PlainHost {
    /// A line for each test, in the order of their titles.
    fn listing(&self) -> String {
        let mut lines: Vec<String> = self
            .tests
            .borrow()
            .iter()
            .map(|test| match test.ignored {
                Some(_) => format!("{} (ignored)", test.title),
                None => test.title.clone(),
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }

    fn test(&self, title: &str) -> TestCase {
        let tests = self.tests.borrow();
        tests
            .iter()
            .find(|test| test.title == title)
            .unwrap()
            .clone()
    }

    fn notices(&self) -> Vec<UserNotice> {
        let events = self.events.borrow();
        let notices = events.iter().filter_map(|event| match event {
            EventKind::Notice(notice) => Some(notice.clone()),
            _ => None,
        });
        notices.collect()
    }

    fn build_output(&self) -> String {
        let events = self.events.borrow();
        let output = events.iter().filter_map(|event| match event {
            EventKind::Build(BuildEvent::Output { text }) => Some(String::from_utf8_lossy(&text.0)),
            _ => None,
        });
        output.collect()
    }
}

/// A fixture, and a directory of its own for what is built of it.
struct Fixture {
    directory: PathBuf,
    target: tempfile::TempDir,
}

impl Fixture {
    fn new(name: &str) -> Fixture {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cargo");
        Fixture::at(fixtures.join(name))
    }

    fn at(directory: PathBuf) -> Fixture {
        Fixture {
            directory,
            target: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        }
    }

    /// What a user has who calls us without cargo.
    fn invocation(&self) -> Invocation {
        let kept = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME"];
        let variables =
            std::env::vars_os().filter(|(name, _)| kept.iter().any(|kept| name == kept));
        Invocation {
            directory: self.directory.clone(),
            environment: variables.collect(),
            colors: ColorMode::Unwanted,
        }
    }

    fn framework(&self, arguments: &[&str]) -> CargoFramework {
        let target = self.target.path().as_os_str().to_owned();
        let own = ["--offline", "--target-dir"].map(OsString::from);
        let words = std::iter::once(OsString::from("cargo-maelstrom"))
            .chain(own)
            .chain([target])
            .chain(arguments.iter().map(OsString::from));
        let options = CargoOptions::read(words).unwrap();
        let settings: Result<_, CargoOptionsError> = options.resolve(NonZeroU32::MIN);
        CargoFramework::new(settings.unwrap(), self.invocation())
    }

    async fn discover(&self, arguments: &[&str]) -> (PlainHost, Result<u32, CargoError>) {
        let host = PlainHost::default();
        let result = self.framework(arguments).discover(&host).await;
        (host, result.map(|summary| summary.deselected))
    }
}

/// The `NAME=VALUE` lines of an output.
fn variables(output: &[u8]) -> BTreeMap<String, String> {
    let output = String::from_utf8_lossy(output);
    let lines = output.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test]
async fn every_kind_of_test_is_found_and_passes() {
    let fixture = Fixture::new("workspace");
    let (host, result) = fixture.discover(&["--locked"]).await;
    assert_eq!(result.unwrap(), 0);
    assert!(host.broken.borrow().is_empty());
    insta::assert_snapshot!(host.listing(), @"
    fixture-app answering left out (ignored)
    fixture-app answering twice
    fixture-app answering with spaces: and a colon
    fixture-app answering 日本語 ✓
    fixture-app cli deep::deeper::module
    fixture-app cli environment
    fixture-app cli runs_the_packages_program
    fixture-app fixture-app(binary) tests::a_binary_has_tests_of_its_own
    fixture-app tested an_example_has_tests
    fixture-app tests::environment
    fixture-app tests::finds_what_the_build_script_made
    fixture-app tests::größe_und_maß
    fixture-app tests::is_ignored (ignored)
    fixture-app tests::passes
    fixture-app tests::should_panic
    fixture-app tests::starts_in_the_package
    fixture-app whole main
    fixture-macros a_macro_crate_has_tests
    fixture-outside reads_its_own_sources
    fixture-shared a_shared_library_has_tests
    ");
    let tests = host.tests.borrow().clone();
    for test in tests.iter().filter(|test| test.ignored.is_none()) {
        let captured = host.run(test.job.clone()).await;
        let passed = JobOutcome::Exited(ExitStatus::Code(0));
        assert_eq!(
            captured.result.end,
            passed,
            "{}: {}",
            test.title,
            String::from_utf8_lossy(&captured.stderr)
        );
    }
    let notices: Vec<String> = host
        .notices()
        .into_iter()
        .map(|notice| {
            let help = notice.help.unwrap_or_default();
            let target = fixture.target.path().to_str().unwrap();
            format!("{}: {}", notice.text, help.replace(target, "TARGET"))
        })
        .collect();
    insta::assert_snapshot!(notices.join("\n"), @"
    2 tests are all called `fixture-app answering twice`; they run as one: give them names of their own to see each one's outcome
    the doctests of 3 crates were not run (fixture-app, fixture-macros, fixture-outside): cargo test --doc --locked --offline --target-dir TARGET
    the tests could read this machine's programs, libraries and Rust toolchain: --strict leaves them out
    ");
}

#[tokio::test]
async fn a_test_has_the_environment_that_cargo_test_gives_it() {
    let fixture = Fixture::new("workspace");
    let (host, result) = fixture.discover(&["-p", "fixture-app"]).await;
    result.unwrap();
    for (title, target) in [
        ("fixture-app tests::environment", ["--lib"].as_slice()),
        ("fixture-app cli environment", &["--test", "cli"]),
    ] {
        let mut ours = variables(&host.run(host.test(title).job).await.stdout);
        let command = fixture
            .invocation()
            .command("cargo".as_ref())
            .args([
                "test",
                "--offline",
                "--quiet",
                "--package",
                "fixture-app",
                "--target-dir",
            ])
            .arg(fixture.target.path())
            .args(target)
            .args([
                "--",
                "--exact",
                "--nocapture",
                title.rsplit(' ').next().unwrap(),
            ])
            .output()
            .await
            .unwrap();
        let mut cargos = variables(&command.stdout);
        assert!(cargos.contains_key("CARGO_MANIFEST_DIR"), "{cargos:?}");
        // Rustup's notes to itself, and what cargo's own TLS library found.
        let unintended = [
            "RUSTUP_TOOLCHAIN_SOURCE",
            "RUST_RECURSION_COUNT",
            "SSL_CERT_DIR",
            "SSL_CERT_FILE",
        ];
        cargos.retain(|name, _| !unintended.contains(&name.as_str()));
        // Cargo sets these at run time since 1.94.
        let program = ours.remove("CARGO_BIN_EXE_fixture-app");
        assert_eq!(program.is_some(), title.contains("cli"));
        if let Some(cargos) = cargos.remove("CARGO_BIN_EXE_fixture-app") {
            assert_eq!(Some(cargos), program);
        }
        // Who runs a test is no secret.
        ours.retain(|name, _| !name.starts_with("NEXTEST") && name != "MAELSTROM");
        // Nothing can be fetched in a container.
        for (name, value) in OFFLINE {
            let said = cargos.remove(name);
            assert_eq!(ours.remove(name), said.or(Some(value.to_owned())), "{name}");
        }
        let library_path = |variables: &mut BTreeMap<String, String>| {
            let path = variables.remove("LD_LIBRARY_PATH").unwrap();
            path.split(':').map(PathBuf::from).collect::<Vec<_>>()
        };
        // A test finds the same libraries in the same order: what is left out has none for it.
        let our_path = library_path(&mut ours);
        let mut cargos_path = library_path(&mut cargos);
        // Rustup's addition, for the programs of the toolchain itself.
        let of_toolchain = Path::new(&ours["CARGO"])
            .parent()
            .unwrap()
            .with_file_name("lib");
        cargos_path.retain(|directory| *directory != of_toolchain);
        assert_eq!(our_path, cargos_path, "{title}");
        assert_eq!(ours, cargos, "{title}");
    }
}

#[tokio::test]
async fn a_binary_that_cannot_be_listed_is_one_entry_and_the_others_go_on() {
    let fixture = Fixture::new("broken");
    let (host, result) = fixture.discover(&[]).await;
    assert_eq!(result.unwrap(), 0);
    insta::assert_snapshot!(host.listing(), @"
    fixture-broken fine goes_on
    fixture-broken garbage listed_all_the_same
    ");
    let mut broken: Vec<String> = host
        .broken
        .borrow()
        .iter()
        .map(|entry| {
            let (program, what) = entry.message.split_once(' ').unwrap();
            let program = Path::new(program).file_name().unwrap().to_str().unwrap();
            let program = program.split_once('-').unwrap().0;
            format!("{}: {program} {what}", entry.title)
        })
        .collect();
    broken.sort();
    insta::assert_snapshot!(broken.join("\n"), @"fixture-broken crashes(test): crashes was ended by signal 6 while it listed its tests");
}

#[tokio::test]
async fn what_is_selected_is_listed_and_the_rest_counted() {
    let fixture = Fixture::new("workspace");
    let arguments = [
        "-i",
        "package.equals(fixture-app) & library",
        "--include-ignored",
        "is_",
        "passes",
    ];
    let (host, result) = fixture.discover(&arguments).await;
    insta::assert_snapshot!(host.listing(), @"
    fixture-app tests::is_ignored
    fixture-app tests::passes
    ");
    assert_eq!(result.unwrap(), 5);
    let ignored = host.test("fixture-app tests::is_ignored").job;
    assert_eq!(
        ignored.process.arguments,
        [
            "--exact",
            "--nocapture",
            "--ignored",
            "--test-threads=2",
            "tests::is_ignored"
        ]
    );
}

#[tokio::test]
async fn packages_and_targets_are_listed_without_a_build() {
    let fixture = Fixture::new("workspace");
    let all = fixture.framework(&[]);
    assert_eq!(
        all.list_packages().await.unwrap(),
        [
            "fixture-app",
            "fixture-macros",
            "fixture-outside",
            "fixture-shared"
        ]
    );
    let some = fixture.framework(&["-i", "package.equals(fixture-app)", "-x", "library"]);
    insta::assert_snapshot!(some.list_binaries().await.unwrap().join("\n"), @"
    fixture-app (binary)
    fixture-app tested (example)
    fixture-app answering (test)
    fixture-app cli (test)
    fixture-app whole (test)
    ");
    assert_eq!(std::fs::read_dir(fixture.target.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_build_that_fails_says_so_itself() {
    let project = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let manifest = "[package]\nname = 'bad'\nedition = '2024'\n[workspace]\n";
    std::fs::write(project.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::create_dir(project.path().join("src")).unwrap();
    std::fs::write(
        project.path().join("src/lib.rs"),
        "fn f() -> u8 { \"text\" }",
    )
    .unwrap();
    let fixture = Fixture::at(project.path().to_owned());
    let (host, result) = fixture.discover(&[]).await;
    let error = result.unwrap_err();
    assert_eq!(error.exit_code(), 101);
    assert!(host.build_output().contains("mismatched types"));
    let finished = EventKind::Build(BuildEvent::Finished { succeeded: false });
    assert_eq!(host.events.borrow().last(), Some(&finished));
}

#[tokio::test]
async fn a_broken_manifest_is_explained_by_cargo() {
    let project = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::write(project.path().join("Cargo.toml"), "[package\n").unwrap();
    let fixture = Fixture::at(project.path().to_owned());
    let (host, result) = fixture.discover(&[]).await;
    let error = result.unwrap_err();
    assert_eq!(error.exit_code(), 101);
    assert_eq!(error.to_string(), "`cargo metadata` failed");
    // Where and what, as cargo draws it, once.
    let output = host.build_output();
    assert!(output.contains("Cargo.toml:1:9"), "{output}");
    assert!(output.contains("unclosed table"), "{output}");
}

#[tokio::test]
async fn a_filter_that_matches_nothing_builds_nothing() {
    let fixture = Fixture::new("workspace");
    let (host, result) = fixture.discover(&["-i", "none"]).await;
    assert_eq!(result.unwrap(), 0);
    assert!(host.events.borrow().is_empty() && host.tests.borrow().is_empty());
    assert_eq!(std::fs::read_dir(fixture.target.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_container_shows_everything_that_belongs_to_the_project() {
    let fixture = Fixture::new("workspace");
    let (host, result) = fixture.discover(&["--test", "cli"]).await;
    result.unwrap();
    let job = host.test("fixture-app cli environment").job;
    let overlays: Vec<&Path> = job
        .container
        .mounts
        .iter()
        .filter(|mount| matches!(mount.kind, MountKind::Overlay { .. }))
        .map(|mount| mount.mount_point.as_path())
        .collect();
    let outside = fixture.directory.parent().unwrap().join("outside");
    for place in [&*fixture.directory, &outside, fixture.target.path()] {
        let place = place.canonicalize().unwrap();
        assert!(
            overlays.iter().any(|overlay| place.starts_with(overlay)),
            "{}: {overlays:?}",
            place.display()
        );
    }
    assert!(
        job.process
            .environment
            .contains_key(&OsString::from("CARGO_BIN_EXE_fixture-app"))
    );
}

#[tokio::test]
async fn without_the_toolbox_there_are_the_shared_libraries_and_nothing_else() {
    let fixture = Fixture::new("workspace");
    let (host, result) = fixture.discover(&["--strict", "--test", "cli"]).await;
    result.unwrap();
    assert!(host.broken.borrow().is_empty());
    let job = host.test("fixture-app cli runs_the_packages_program").job;
    let bound: Vec<String> = job
        .container
        .mounts
        .iter()
        .filter(|mount| matches!(mount.kind, MountKind::Bind { .. }))
        .map(|mount| mount.mount_point.to_str().unwrap().to_owned())
        .collect();
    for library in ["/libc.so.6", "/libstd-"] {
        assert!(bound.iter().any(|path| path.contains(library)), "{bound:?}");
    }
    assert!(bound.iter().all(|path| path.contains(".so")), "{bound:?}");
    let notices = host.notices();
    assert!(
        notices
            .iter()
            .all(|notice| !notice.text.contains("toolchain"))
    );
}
