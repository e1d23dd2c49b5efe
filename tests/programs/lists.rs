//! Lists of tests: lines on standard output, or a refusal of what cannot show them.

/// A list is plain lines: another user interface is refused, by option and by variable.
#[test]
fn lists_are_plain_lines() {
    let cargo = env!("CARGO_BIN_EXE_cargo-maelstrom");
    let go = env!("CARGO_BIN_EXE_maelstrom-go-test");
    let pytest = env!("CARGO_BIN_EXE_maelstrom-pytest");
    let nothing_here = tempfile::tempdir().unwrap();
    let told = |program: &str, list: &str, option: &str, variable: Option<&str>| {
        let mut command = std::process::Command::new(program);
        command.args([list, option]).current_dir(&nothing_here);
        command
            .env_clear()
            .envs(variable.map(|ui| ("MAELSTROM_UI", ui)));
        let output = command.output().unwrap();
        assert_eq!(output.stdout, b"", "{program} {list} {option}");
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for (program, lists) in [
        (
            cargo,
            &[
                "--list-tests",
                "--list",
                "-l",
                "--list-binaries",
                "--list-packages",
            ][..],
        ),
        (go, &["--list-tests", "--list", "-l", "--list-packages"]),
        (pytest, &["--list", "--co"]),
    ] {
        for list in lists {
            for (option, variable, what) in [
                ("--ui=fancy", None, "the dashboard"),
                ("--ui=dashboard", Some("simple"), "the dashboard"),
                ("--ui=quiet", None, "the quiet report"),
                ("--quiet", None, "the quiet report"),
                ("--config-file=-", Some("fancy"), "the dashboard"),
                ("--config-file=-", Some("quiet"), "the quiet report"),
            ] {
                if program == pytest && option == "--quiet" {
                    // `pytest --co -q` prints node ids alone, as every list here does.
                    continue;
                }
                let (code, message) = told(program, list, option, variable);
                let expected = format!(
                    "error: a list is plain lines: {what} cannot show it\nhelp: leave out what \
                     chooses the user interface, or say --ui=auto\n"
                );
                assert_eq!(
                    (code, message),
                    (Some(2), expected),
                    "{program} {list} {option}"
                );
            }
            // Whatever else is wrong with an empty directory, it is not this.
            for (option, variable) in [
                ("--ui=simple", None),
                ("--ui=auto", Some("fancy")),
                ("--no-tui", Some("quiet")),
            ] {
                let (code, message) = told(program, list, option, variable);
                assert_ne!(code, Some(0), "{program} {list} {option}");
                assert!(
                    !message.contains("plain lines"),
                    "{program} {list} {option}: {message}"
                );
            }
        }
    }
}

/// The flags of a project's own pytest configuration count, after those of the command line.
#[test]
fn flags_of_a_projects_file_are_options() {
    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir(project.path().join("tests")).unwrap();
    let file = project.path().join("pytest.ini");
    std::fs::write(file, "[pytest]\naddopts = -n 3 -v\n").unwrap();
    for (directory, arguments, expected) in [
        ("", &[][..], "slots = 3"),
        ("tests", &[], "slots = 3"),
        ("", &["-n", "5"], "slots = 5"),
        ("", &["-o", "addopts="], "# slots is not set"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"));
        command
            .args(["--print-config", "--maelstrom-config-file=-"])
            .args(arguments)
            .env_remove("PYTEST_ADDOPTS")
            .env_remove("MAELSTROM_SLOTS")
            .current_dir(project.path().join(directory));
        let output = command.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains(expected), "{arguments:?}: {printed}");
    }
}
