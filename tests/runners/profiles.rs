//! A Cargo project with profiles and with a configuration of nextest, through the whole program.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::EXECUTABLE;
use tempfile::TempDir;

const FILES: [(&str, &str); 4] = [
    (
        "Cargo.toml",
        "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n",
    ),
    (
        "src/lib.rs",
        "#[test]\nfn plain() {}\n\n#[test]\nfn endless() {\n    loop {\n        std::thread::park();\n    }\n}\n",
    ),
    (
        "cargo-maelstrom.toml",
        "[profiles.ci]\nretries = 2\nfilter = \"!name.contains(endless)\"\n\
         [[profiles.ci.directives]]\nfilter = \"name.contains(plain)\"\ngrace = 1\n",
    ),
    (
        ".config/nextest.toml",
        "[profile.default]\nfail-fast = false\n\
         slow-timeout = { period = '500ms', terminate-after = 1 }\n\
         junit.path = 'junit.xml'\n\
         [[profile.default.overrides]]\nfilter = 'test(plain)'\npriority = 7\n",
    ),
];

#[test]
fn a_profile_and_the_configuration_of_nextest_say_how_tests_run() {
    let project = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (path, text) in FILES {
        let path = project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(EXECUTABLE);
        let command = command
            .arg("run")
            .args(arguments)
            .current_dir(project.path())
            .env("XDG_CACHE_HOME", project.path().join("depot"))
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        (stdout, stderr, output.status.code().unwrap())
    };
    let (stdout, stderr, code) = run(&["-P", "ci", "--show-config=plain", "--slow-after=9"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    insta::assert_snapshot!(stdout, @r#"
    # victim plain
    retries = 2            # cargo-maelstrom.toml:2:1
    flaky_result = "pass"  # built in
    slow = 9               # command line
    timeout = "500ms"      # .config/nextest.toml:3:1
    on_timeout = "fail"    # .config/nextest.toml:3:1
    grace = 1              # cargo-maelstrom.toml:6:1
    leak = "pass"          # built in
    priority = 7           # .config/nextest.toml:7:1
    test_group = ""        # built in
    weight = 1             # built in
    exclusive = false      # built in
    devices = []           # built in
    share = "none"         # built in
    "#);
    let (stdout, stderr, code) = run(&["-P", "ci"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}");
    let (stdout, stderr, code) = run(&[]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("1 timed out"), "{stdout}");
    for profile in ["ci", "default"] {
        let report = project.path().join("target/nextest").join(profile);
        let report = fs::read_to_string(report.join("junit.xml")).unwrap();
        assert!(report.contains("plain"), "{report}");
    }
}
