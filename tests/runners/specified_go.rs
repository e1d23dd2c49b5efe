//! A Go module with a file that describes its tests' containers, through the whole program.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::homes::Homes;

const SOURCE: &str = r#"package victim

import (
	"os"
	"testing"
)

func TestPlain(t *testing.T) {
	if _, err := os.Stat("go.mod"); err != nil {
		t.Fatal(err)
	}
}

func TestBare(t *testing.T) {
	text, err := os.ReadFile("/srv/go.mod")
	if err != nil || len(text) == 0 {
		t.Fatal(err)
	}
	if _, err := os.Stat("/usr/bin"); err == nil {
		t.Fatal("this machine's programs are there")
	}
	if here, _ := os.Getwd(); here != "/srv" {
		t.Fatal(here)
	}
	if os.Getenv("A") != "b" || len(os.Environ()) != 1 {
		t.Fatal(os.Environ())
	}
}

func TestIgnored(t *testing.T) {
	t.Fatal("it ran")
}
"#;

const FILE: &str = r#"
[containers.bare]
layers = [{ paths = ["go.mod"], prepend_prefix = "/srv" }]
environment = { A = "b" }
working_directory = "/srv"

[[directives]]
parent = "default"

[[directives]]
filter = "name.equals(TestBare) && package_name.equals(victim)"
parent = "bare"

[[directives]]
filter = "name.equals(TestIgnored)"
ignore = true
"#;

fn run(project: &Path, arguments: &[&str]) -> (String, i32) {
    let homes = Homes::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-go-test"));
    homes.tell(&mut command);
    let output = command
        .arg("--no-tui")
        .args(arguments)
        .current_dir(project)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (text, output.status.code().unwrap())
}

#[test]
#[ignore = "needs Go"]
fn go_tests_get_what_the_file_says() {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).unwrap();
    write("go.mod", "module example.com/victim\n\ngo 1.20\n");
    write("victim_test.go", SOURCE);

    let (text, code) = run(project.path(), &["--init"]);
    assert_eq!(code, 0, "{text}");
    let (text, code) = run(project.path(), &["--explain=TestPlain"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("maelstrom-go-test.toml:9:1  every test"),
        "{text}"
    );

    write("maelstrom-go-test.toml", FILE);
    let (text, code) = run(project.path(), &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("2 passed, 0 failed, 1 ignored"), "{text}");

    write(
        "maelstrom-go-test.toml",
        "[[directives]]\nfilter = \"nam\"\n",
    );
    let (text, code) = run(project.path(), &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("maelstrom-go-test.toml:2:11: "), "{text}");
}
