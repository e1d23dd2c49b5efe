//! The completion script of bash, which calls the program: names with colons and values after `=`
//! are words of bash's own making, and cargo's own completion stays.

use std::path::Path;
use std::process::Command;

/// Completes a line in bash, whose words are as bash splits them, and returns the candidates.
fn completed(function: &str, words: &str, last: usize) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_cargo-maelstrom"));
    let script = format!(
        "other() {{ COMPREPLY=(other); }}
         complete -F other cargo
         source <(cargo-maelstrom --completions bash)
         compopt() {{ :; }}
         COMP_WORDS=({words})
         COMP_CWORD={last}
         {function}
         printf '%s ' \"${{COMPREPLY[@]}}\""
    );
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let own = program.parent().unwrap().to_owned();
    let path = [own].into_iter().chain(std::env::split_paths(&directories));
    let output = Command::new("bash")
        .args(["--norc", "--noprofile", "-c", &script])
        .env("PATH", std::env::join_paths(path).unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs bash"]
fn bash_completes_options_values_and_names() {
    let own = |words, last| completed("_cargo-maelstrom", words, last);
    assert_eq!(own("cargo-maelstrom --isol", 1), "--isolation ");
    assert_eq!(own("cargo-maelstrom --isolation = p", 3), "process ");
    assert_eq!(own("cargo-maelstrom -p maelstrom-sp", 2), "maelstrom-spec ");
}

#[test]
#[ignore = "needs bash"]
fn bash_completes_the_subcommand_of_cargo_and_leaves_the_others() {
    let cargo = |words, last| completed("_maelstrom_cargo_own", words, last);
    assert_eq!(cargo("cargo maelstrom --isol", 2), "--isolation ");
    assert_eq!(cargo("cargo +stable maelstrom --isol", 3), "--isolation ");
    assert_eq!(cargo("cargo bui", 1), "other ");
}
