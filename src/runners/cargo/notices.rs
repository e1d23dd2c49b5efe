//! Notices to the user about a run of `cargo maelstrom`.

use std::ffi::OsString;
use std::path::Path;

use maelstrom_model::event::{NoticeSeverity, UserNotice};

use super::build::PackageArguments;
use super::options::CargoBuildOptions;
use super::selection::CargoSelection;

/// The maximum number of packages that a notice names.
const NAMES_MAX: usize = 5;

/// Returns the notice that names packages whose doctests were not run, and the command that runs
/// them. Returns `None` if there are none.
pub fn doctests(wanted: &CargoSelection, build: &CargoBuildOptions) -> Option<UserNotice> {
    let arguments = wanted.arguments.as_ref()?;
    let names: Vec<&str> = wanted
        .packages
        .iter()
        .filter(|package| package.doctests().is_some())
        .map(|package| package.name())
        .collect();
    let crates = match names.len() {
        0 => return None,
        1 => "1 crate".to_owned(),
        count => format!("{count} crates"),
    };
    let listed = match names.get(..NAMES_MAX) {
        Some(first) if names.len() > NAMES_MAX => format!("{}, ...", first.join(", ")),
        Some(_) | None => names.join(", "),
    };
    Some(UserNotice {
        severity: NoticeSeverity::Info,
        text: format!("the doctests of {crates} were not run ({listed})"),
        help: Some(doctest_command(arguments, build)),
        in_summary: true,
    })
}

/// Returns the notice that the doctests of a package that is not a member of the workspace are not
/// run.
pub fn foreign_doctests(package: &Path) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: format!(
            "the doctests of {} were not run: the package is not a member of the workspace",
            package.display()
        ),
        help: Some("run this program in the package's own workspace".to_owned()),
        in_summary: true,
    }
}

/// Returns the warning that `--exclude` names a package that does not exist.
pub fn unknown_package(name: &str) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: format!("`--exclude {name}`: there is no package of that name in the workspace"),
        help: Some("--list-packages names them".to_owned()),
        in_summary: false,
    }
}

/// Returns the warning that the list of a binary's tests is mixed with other output.
pub fn noisy(binary: &str) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: format!(
            "`{binary}` prints something else among the names of its tests; it runs whole, as one test"
        ),
        help: Some("what prints before or after `main` belongs on standard error".to_owned()),
        in_summary: true,
    }
}

/// Returns the notice that no test runs, because all are marked as ignored.
pub fn all_ignored(severity: NoticeSeverity) -> UserNotice {
    UserNotice {
        severity,
        text: "no test runs: all that were selected are marked as ignored".to_owned(),
        help: Some("--run-ignored=all runs them; --no-tests=pass makes this a success".to_owned()),
        in_summary: false,
    }
}

/// Returns the command that runs the doctests.
fn doctest_command(packages: &PackageArguments, build: &CargoBuildOptions) -> String {
    let mut words = vec![
        OsString::from("cargo"),
        OsString::from("test"),
        OsString::from("--doc"),
    ];
    words.extend(packages.to_arguments());
    words.extend(build.to_arguments());
    let words: Vec<String> = words
        .iter()
        .map(|word| quoted(&word.to_string_lossy()))
        .collect();
    words.join(" ")
}

/// Quotes a word for a shell, if necessary.
fn quoted(word: &str) -> String {
    let harmless =
        |character: char| character.is_alphanumeric() || "-_./=:,@+%#".contains(character);
    // A `#` begins a comment only at the start of a word.
    if !word.is_empty() && !word.starts_with('#') && word.chars().all(harmless) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted() {
        assert_eq!(
            quoted("path+file:///w/p#p@1.0.0"),
            "path+file:///w/p#p@1.0.0"
        );
        assert_eq!(quoted("my dir/it's"), r"'my dir/it'\''s'");
        assert_eq!(quoted(""), "''");
        let command = doctest_command(
            &PackageArguments::Named(vec!["a*".to_owned()]),
            &CargoBuildOptions {
                release: true,
                features: vec!["x y".to_owned()],
                ..CargoBuildOptions::default()
            },
        );
        assert_eq!(
            command,
            "cargo test --doc --package 'a*' --release --features 'x y'"
        );
    }
}
