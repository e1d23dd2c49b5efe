//! Reads the `addopts` of a project's own configuration file, the way pytest finds it.
//!
//! pytest reads them by itself, so only the options for the whole run are taken from them
//! ([`super::words`]). A file with an error has none here: pytest reports the error.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::project::ancestors;
use maelstrom_spec::config::ConfigEnvironment;

/// The files that may have pytest's configuration, in pytest's order.
const FILES: [&str; 7] = [
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
];

/// What a file says of pytest.
#[derive(Debug, PartialEq, Eq)]
enum PytestSection {
    /// Nothing: pytest looks for another file.
    Absent,
    /// These words are the value of `addopts`.
    Present(Vec<String>),
}

/// Returns the words of `addopts` that pytest reads when it is started in `directory` with these
/// words, program name first.
pub fn project_words(
    system: &impl ConfigEnvironment,
    directory: &Path,
    words: &[OsString],
) -> Vec<String> {
    let line = CommandWords::read(words.get(1..).unwrap_or_default());
    if let Some(added) = line.overridden {
        return shlex::split(&added).unwrap_or_default();
    }
    if let Some(file) = line.file {
        let path = directory.join(file);
        return match section(&path, system) {
            PytestSection::Present(words) => words,
            PytestSection::Absent => Vec::new(),
        };
    }
    let home = system.variable("HOME").map(PathBuf::from);
    let start = start(system, directory, &line.others);
    let places = ancestors(&start, home.as_deref());
    let files = places.flat_map(|place| FILES.map(|name| place.join(name)));
    let mut sections = files.map(|file| section(&file, system));
    sections
        .find_map(|section| match section {
            PytestSection::Present(words) => Some(words),
            PytestSection::Absent => None,
        })
        .unwrap_or_default()
}

/// The words of a command line that decide which `addopts` apply.
#[derive(Debug, Default)]
struct CommandWords<'a> {
    /// The value of `-c`.
    file: Option<&'a OsStr>,
    /// The value of `-o addopts=…`.
    overridden: Option<String>,
    /// Words that may be paths.
    others: Vec<&'a OsStr>,
}

impl<'a> CommandWords<'a> {
    fn read(words: &'a [OsString]) -> CommandWords<'a> {
        let mut read = CommandWords::default();
        let mut words = words.iter().map(OsString::as_os_str);
        while let Some(word) = words.next() {
            // A word that is not UTF-8 can only be a path.
            let text = word.to_str().unwrap_or_default();
            let attached = |option: &str| text.strip_prefix(option);
            if ["-c", "--config-file"].contains(&text) {
                read.file = words.next();
            } else if let Some(file) = attached("--config-file=") {
                read.file = Some(OsStr::new(file));
            } else if ["-o", "--override-ini"].contains(&text) {
                read.set(words.next().and_then(OsStr::to_str).unwrap_or_default());
            } else if let Some(setting) = attached("--override-ini=") {
                read.set(setting);
            } else if !text.starts_with('-') {
                read.others.push(word);
            } else if let Some(setting) = attached("-o") {
                read.set(setting);
            } else if let Some(file) = attached("-c") {
                read.file = Some(OsStr::new(file));
            }
        }
        read
    }

    fn set(&mut self, setting: &str) {
        if let Some(value) = setting.strip_prefix("addopts=") {
            self.overridden = Some(value.to_owned());
        }
    }
}

/// Returns the directory from which pytest looks for its configuration: the common ancestor of the
/// paths on the command line.
fn start(system: &impl ConfigEnvironment, directory: &Path, words: &[&OsStr]) -> PathBuf {
    let mut common: Option<PathBuf> = None;
    for word in words {
        let text = word.to_string_lossy();
        let path = directory.join(text.split("::").next().unwrap_or_default());
        let place = match system.read(&path) {
            Err(error) if error.kind() == ErrorKind::IsADirectory => path,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Ok(_) | Err(_) => path.parent().unwrap_or(directory).to_owned(),
        };
        common = Some(match common {
            None => place,
            Some(known) => {
                let shared = known.ancestors().find(|known| place.starts_with(known));
                shared.unwrap_or(directory).to_owned()
            }
        });
    }
    common.unwrap_or_else(|| directory.to_owned())
}

fn section(file: &Path, system: &impl ConfigEnvironment) -> PytestSection {
    let Ok(text) = system.read(file) else {
        return PytestSection::Absent;
    };
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    match name {
        "pytest.toml" | ".pytest.toml" => toml(&text, &["pytest"]).or_empty(),
        "pytest.ini" | ".pytest.ini" => ini(&text, "pytest").or_empty(),
        "setup.cfg" => ini(&text, "tool:pytest"),
        _ if name.ends_with(".toml") => match toml(&text, &["tool", "pytest", "ini_options"]) {
            PytestSection::Absent => toml(&text, &["tool", "pytest"]),
            present => present,
        },
        _ if name.ends_with(".cfg") => ini(&text, "tool:pytest"),
        _ => ini(&text, "pytest"),
    }
}

impl PytestSection {
    /// A file of pytest alone counts without a section.
    fn or_empty(self) -> PytestSection {
        match self {
            PytestSection::Absent => PytestSection::Present(Vec::new()),
            present => present,
        }
    }
}

fn toml(text: &str, table: &[&str]) -> PytestSection {
    let Ok(document) = text.parse::<toml::Table>() else {
        return PytestSection::Absent;
    };
    let mut found = Some(&document);
    for key in table {
        found = found.and_then(|table| table.get(*key)?.as_table());
    }
    let Some(found) = found else {
        return PytestSection::Absent;
    };
    PytestSection::Present(match found.get("addopts") {
        Some(toml::Value::String(line)) => shlex::split(line).unwrap_or_default(),
        Some(toml::Value::Array(words)) => {
            let words = words.iter().filter_map(toml::Value::as_str);
            words.map(str::to_owned).collect()
        }
        Some(_) | None => Vec::new(),
    })
}

/// Reads a section of an INI file. The value of a key goes on in the indented lines after it.
fn ini(text: &str, section: &str) -> PytestSection {
    let mut is_inside = false;
    let mut is_there = false;
    let mut is_value = false;
    let mut value = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if is_inside && is_value {
                value.push(' ');
                value.push_str(trimmed);
            }
        } else if let Some(name) = trimmed.strip_prefix('[') {
            is_inside = name.split(']').next() == Some(section);
            is_there |= is_inside;
            is_value = false;
        } else {
            let (key, first) = trimmed.split_once(['=', ':']).unwrap_or((trimmed, ""));
            is_value = key.trim() == "addopts";
            if is_inside && is_value {
                first.trim().clone_into(&mut value);
            }
        }
    }
    match is_there {
        true => PytestSection::Present(shlex::split(&value).unwrap_or_default()),
        false => PytestSection::Absent,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;

    use super::*;

    /// Files by their paths; a path with `/` at its end is a directory.
    struct ProjectFiles(BTreeMap<&'static str, &'static str>);

    impl ConfigEnvironment for ProjectFiles {
        fn variable(&self, name: &str) -> Option<OsString> {
            (name == "HOME").then(|| "/home/me".into())
        }

        fn variable_names(&self) -> Vec<OsString> {
            Vec::new()
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            let path = path.to_str().unwrap();
            let inside = format!("{path}/");
            match self.0.get(path) {
                Some(text) => Ok((*text).to_owned()),
                None if self.0.keys().any(|file| file.starts_with(&inside)) => {
                    Err(ErrorKind::IsADirectory.into())
                }
                None => Err(ErrorKind::NotFound.into()),
            }
        }
    }

    fn found(files: &[(&'static str, &'static str)], directory: &str, line: &str) -> String {
        let files = ProjectFiles(files.iter().copied().collect());
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        project_words(&files, Path::new(directory), &words).join(" ")
    }

    #[test]
    fn each_form_of_file_has_them() {
        for (file, text, expected) in [
            ("pytest.ini", "[pytest]\naddopts = -n 2\n", "-n 2"),
            (".pytest.ini", "[pytest]\naddopts: --lf", "--lf"),
            (
                "pytest.ini",
                "# x\n[other]\naddopts=-x\n[pytest]\nmarkers =\n  a: b\naddopts =\n    -n 2\n  # no\n\t--ff 'a b'\nx=1\n",
                "-n 2 --ff a b",
            ),
            ("tox.ini", "[tox]\n[pytest]\naddopts=-n auto", "-n auto"),
            ("setup.cfg", "[tool:pytest]\naddopts=-q", "-q"),
            ("setup.cfg", "[pytest]\naddopts=-q", ""),
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\naddopts = '-n 3'",
                "-n 3",
            ),
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\naddopts = ['-n', '3']",
                "-n 3",
            ),
            ("pyproject.toml", "[tool.pytest]\naddopts=['-q']", "-q"),
            ("pyproject.toml", "[tool.black]\naddopts='-q'", ""),
            ("pytest.toml", "[pytest]\naddopts=['-q']", "-q"),
            // Errors, which pytest reports.
            ("pyproject.toml", "[tool.pytest", ""),
            ("pytest.ini", "addopts = -x\n[pytest\naddopts", ""),
            ("pytest.ini", "[pytest]\naddopts = 'x", ""),
        ] {
            let path: &'static str = format!("/w/{file}").leak();
            assert_eq!(found(&[(path, text)], "/w", "x"), expected, "{file} {text}");
        }
    }

    #[test]
    fn the_file_is_the_one_that_pytest_takes() {
        let files = [
            ("/w/pytest.ini", "[pytest]\naddopts=w"),
            ("/w/tox.ini", "[pytest]\naddopts=tox"),
            ("/w/a/pyproject.toml", "[project]\n"),
            ("/w/a/t.py", ""),
            ("/w/b/setup.cfg", "[tool:pytest]\naddopts=b"),
            ("/w/b/c/t.py", ""),
            ("/w/b/d/t.py", ""),
            ("/w/e/pytest.ini", ""),
            ("/w/other.ini", "[pytest]\naddopts=other"),
            ("/home/pytest.ini", "[pytest]\naddopts=home"),
            ("/home/me/p/t.py", ""),
        ];
        for (directory, line, expected) in [
            ("/w", "x", "w"),
            ("/w/a", "x", "w"),
            ("/w/b/c", "x", "b"),
            ("/w/e", "x", ""),
            ("/home/me/p", "x", ""),
            // That of the paths' common ancestor.
            ("/w", "x b/c/t.py::test -k x", "b"),
            ("/w", "x b/c b/d --tb short", "b"),
            ("/w", "x a b", "w"),
            ("/w/a", "x ../b/none", "w"),
            // The command line decides.
            ("/w", "x -c other.ini", "other"),
            ("/w", "x --config-file=other.ini -v", "other"),
            ("/w", "x -c none.ini", ""),
            ("/w", "x -o addopts=", ""),
            ("/w", "x -oaddopts=-q", "-q"),
            ("/w", "x --override-ini addopts=-q", "-q"),
            ("/w", "x --override-ini=addopts=-q", "-q"),
            ("/w", "x -o other=1", "w"),
        ] {
            assert_eq!(
                found(&files, directory, line),
                expected,
                "{directory} {line}"
            );
        }
    }
}
