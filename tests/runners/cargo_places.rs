//! Tests that need what lies outside of their project, as they find it under `cargo test`: the
//! repository of a linked worktree, libraries, programs, what links lead to; and projects that put
//! what they build elsewhere, or of which only a part is tested.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{EXECUTABLE, executable};
use tempfile::TempDir;

const MANIFEST: &str =
    "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";

/// Makes a shared library outside of the project, and links the tests with it by its path.
const BUILD: &str = r#"
use std::path::Path;
use std::process::Command;

fn main() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("linked-libraries");
    let source = Path::new(&std::env::var("OUT_DIR").unwrap()).join("answer.c");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(&source, "int answer(void) { return 42; }\n").unwrap();
    let mut compiling = Command::new("cc");
    compiling.args(["-shared", "-fPIC", "-o"]).arg(place.join("libanswer.so")).arg(&source);
    assert!(compiling.status().unwrap().success());
    println!("cargo:rustc-link-search=native={}", place.display());
    println!("cargo:rustc-link-lib=dylib=answer");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", place.display());
}
"#;

const SOURCE: &str = r#"
unsafe extern "C" { pub fn answer() -> i32; }

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    fn output(program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn git_knows_the_worktree() {
        assert_eq!(output("git", &["log", "--format=%s"]).trim(), "first");
        output("git", &["-c", "user.name=u", "-c", "user.email=e", "commit", "--allow-empty", "-m", "x"]);
    }

    #[test]
    fn a_library_is_found_by_the_path_it_was_linked_with() {
        assert_eq!(unsafe { super::answer() }, 42);
    }

    #[test]
    fn libraries_are_found_by_the_callers_path() {
        let path = std::env::var("LD_LIBRARY_PATH").unwrap();
        assert!(path.split(':').any(|place| Path::new(place).join("libplugin.so").exists()), "{path}");
    }

    #[test]
    fn links_lead_out_of_the_repository() {
        assert_eq!(std::fs::read_to_string("data/text").unwrap(), "data\n");
        assert_eq!(std::fs::read_to_string("file").unwrap(), "file\n");
    }

    #[test]
    fn programs_on_path_find_what_is_theirs() {
        assert_eq!(output("beside", &[]), "beside\n");
        assert_eq!(output("installed", &[]), "installed\n");
    }

    #[test]
    fn the_runner_runs_the_test() {
        assert_eq!(std::env::var("STARTED_BY").unwrap(), "the runner");
    }

    #[test]
    fn downloaded_packages_are_there_and_cargo_can_lock_them() {
        let home = std::env::var("CARGO_HOME").unwrap();
        let index = Path::new(&home).join("registry/index");
        assert_eq!(std::fs::read_to_string(index.join("known")).unwrap(), "known\n");
        std::fs::write(index.join("locked"), "").unwrap();
    }

    #[test]
    fn no_variable_is_added() {
        assert_eq!(std::env::var_os("RUST_TEST_THREADS"), None);
    }
}
"#;

/// A directory with a repository, and a worktree linked to it that holds the project.
fn around() -> TempDir {
    let around = tempfile::tempdir().unwrap();
    let at = |name: &str| around.path().join(name);
    for name in [
        "main/.cargo",
        "main/src",
        "data",
        "libraries",
        "tools/bin",
        "tools/lib",
        "apps/one/bin",
        "apps/one/share",
        "links",
        "cargo/registry/index",
    ] {
        fs::create_dir_all(at(name)).unwrap();
    }
    let write = |name: &str, text: &str| fs::write(at(name), text).unwrap();
    write("main/Cargo.toml", MANIFEST);
    write("main/build.rs", BUILD);
    write("main/src/lib.rs", SOURCE);
    write(
        "main/.cargo/config.toml",
        "[target.'cfg(unix)']\nrunner = ['env', 'STARTED_BY=the runner']\n",
    );
    write("data/text", "data\n");
    write("a-file", "file\n");
    write("libraries/libplugin.so", "");
    write("cargo/registry/index/known", "known\n");
    write("tools/lib/text", "beside\n");
    write("apps/one/share/text", "installed\n");
    symlink("../data", at("main/data")).unwrap();
    symlink("../a-file", at("main/file")).unwrap();
    let script = |name: &str, beside: &str| {
        let text =
            format!("#!/bin/sh\ncat \"$(dirname \"$(readlink -f \"$0\")\")/../{beside}/text\"\n");
        executable::write(&at(name), &text);
    };
    script("tools/bin/beside", "lib");
    script("apps/one/bin/installed", "share");
    symlink("../apps/one/bin/installed", at("links/installed")).unwrap();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=u", "-c", "user.email=e"])
            .args(arguments);
        let output = git.current_dir(at("main")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "-m", "first"]);
    git(&["worktree", "add", "--quiet", "../linked"]);
    around
}

fn run(directory: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> (String, i32) {
    let mut command = Command::new(EXECUTABLE);
    command
        .arg("--no-tui")
        .args(arguments)
        .current_dir(directory);
    command
        .envs(variables.iter().copied())
        .env_remove("RUST_TEST_THREADS");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (text.concat(), output.status.code().unwrap())
}

#[test]
fn what_lies_outside_is_found_as_under_cargo() {
    let around = around();
    let at = |name: &str| around.path().join(name);
    let path = std::env::var_os("PATH").unwrap();
    let directories = std::env::split_paths(&path);
    let directories = directories.chain([at("tools/bin"), at("links")]);
    let path = std::env::join_paths(directories).unwrap();
    let variables = [
        ("PATH", Path::new(&path)),
        ("LD_LIBRARY_PATH", &at("libraries")),
        ("CARGO_HOME", &at("cargo")),
    ];
    let (told, code) = run(&at("linked"), &["--offline"], &variables);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("8 passed, 0 failed"), "{told}");
    assert!(!at("cargo/registry/index/locked").exists());
    // What a test committed is gone.
    let mut log = Command::new("git");
    let log = log
        .args(["log", "--format=%s"])
        .current_dir(at("linked"))
        .output()
        .unwrap();
    assert_eq!(log.stdout, b"first\n");
}

#[test]
fn what_is_built_may_go_anywhere() {
    let around = tempfile::tempdir().unwrap();
    let project = around.path().join("deep/er/project");
    fs::create_dir_all(project.join("src")).unwrap();
    fs::create_dir_all(project.join(".cargo")).unwrap();
    fs::create_dir_all(project.join("tests")).unwrap();
    fs::write(project.join("Cargo.toml"), MANIFEST).unwrap();
    fs::write(
        project.join("src/main.rs"),
        "fn main() { println!(\"hello\") }",
    )
    .unwrap();
    fs::write(
        project.join("tests/runs.rs"),
        "#[test] fn runs() {\n\
         let output = std::process::Command::new(env!(\"CARGO_BIN_EXE_victim\")).output().unwrap();\n\
         assert_eq!(output.stdout, b\"hello\\n\");\n\
         std::fs::write(concat!(env!(\"CARGO_TARGET_TMPDIR\"), \"/x\"), \"\").unwrap();\n}",
    )
    .unwrap();
    let ways = [
        (&["--target-dir", "../by-option"][..], None, "by-option"),
        (&[], Some("../../by-variable"), "../by-variable"),
        (&[], None, "by-file"),
    ];
    for (arguments, variable, place) in ways {
        let file = match place {
            "by-file" => "[build]\ntarget-dir = '../by-file'\n",
            _ => "",
        };
        fs::write(project.join(".cargo/config.toml"), file).unwrap();
        let variables: Vec<_> = variable
            .map(|at| ("CARGO_TARGET_DIR", Path::new(at)))
            .into_iter()
            .collect();
        let (told, code) = run(&project, arguments, &variables);
        assert_eq!(code, 0, "{place}: {told}");
        assert!(told.contains("1 passed, 0 failed"), "{place}: {told}");
        assert!(
            project.join("..").join(place).join("debug").is_dir(),
            "{place}"
        );
    }
}

#[test]
fn the_packages_are_those_that_cargo_tests() {
    let workspace = tempfile::tempdir().unwrap();
    let at = |name: &str| workspace.path().join(name);
    let package = |name: &str, source: &str| {
        fs::create_dir_all(at(name).join("src")).unwrap();
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n");
        fs::write(at(name).join("Cargo.toml"), manifest).unwrap();
        fs::write(at(name).join("src/lib.rs"), source).unwrap();
    };
    package("one", "#[test] fn a() {}");
    package("two", "#[test] fn b() {}");
    package("elsewhere", "compile_error!(\"not on this machine\");");
    let manifest = "[workspace]\nresolver = \"2\"\nmembers = [\"*\"]\nexclude = [\"target\"]\n\
                    default-members = [\"one\", \"two\"]\n";
    fs::write(at("Cargo.toml"), manifest).unwrap();
    for (place, arguments, code, lines) in [
        (".", &[][..], 0, &["one a", "two b", "2 passed"][..]),
        ("two", &[], 0, &["two b", "1 passed"]),
        ("elsewhere", &[], 101, &["not on this machine"]),
        (".", &["--workspace"], 101, &["not on this machine"]),
        (
            ".",
            &["--exclude", "package.equals(one)"],
            0,
            &["two b", "1 passed"],
        ),
        (
            "two",
            &["--include", "package.equals(one)"],
            0,
            &["one a", "1 passed"],
        ),
        ("two", &["-p", "one"], 0, &["one a", "1 passed"]),
        (
            ".",
            &["--manifest-path", "two/Cargo.toml"],
            0,
            &["two b", "1 passed"],
        ),
    ] {
        let (told, ended) = run(&at(place), arguments, &[]);
        assert_eq!(ended, code, "{place} {arguments:?}: {told}");
        for line in lines {
            assert!(told.contains(line), "{place} {arguments:?}: {told}");
        }
    }
}

#[test]
fn what_tests_write_among_the_sources_is_told() {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = project.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("Cargo.toml", MANIFEST);
    write("tests/snapshots/old.snap", "old");
    write(
        "src/lib.rs",
        "#[test] fn updates() {\n\
         std::fs::write(\"tests/snapshots/old.snap\", \"new\").unwrap();\n\
         std::fs::write(\"tests/snapshots/new.snap\", \"new\").unwrap();\n\
         std::fs::write(\"/tmp/other\", \"\").unwrap();\n\
         std::fs::write(\"target/made\", \"\").unwrap();\n}\n\
         #[test] fn writes_elsewhere() { std::fs::write(\"/tmp/other\", \"\").unwrap(); }\n",
    );
    let (told, code) = run(project.path(), &["updates"], &[]);
    assert_eq!(code, 0, "{told}");
    let notice = "2 files that tests wrote among the sources were discarded: \
                  tests/snapshots/new.snap, tests/snapshots/old.snap";
    assert!(told.contains(notice), "{told}");
    assert_eq!(
        fs::read_to_string(project.path().join("tests/snapshots/old.snap")).unwrap(),
        "old"
    );
    let (told, code) = run(project.path(), &["elsewhere"], &[]);
    assert_eq!(code, 0, "{told}");
    assert!(!told.contains("discarded"), "{told}");
    let (told, _) = run(project.path(), &["--isolation=process", "updates"], &[]);
    assert!(!told.contains("discarded"), "{told}");
    assert_eq!(
        fs::read_to_string(project.path().join("tests/snapshots/old.snap")).unwrap(),
        "new"
    );
}
