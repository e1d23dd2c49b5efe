//! Finds files of a project outside the working directory: the parent directories in which pytest
//! looks for its configuration, and a virtual environment that is not activated.

use std::fs;
use std::path::{Path, PathBuf};

/// The files that may contain pytest's configuration, in pytest's order, and the text that a line
/// must start with. `None` is for files of pytest alone, which count without one.
const SETTINGS: [(&str, Option<&str>); 6] = [
    ("pytest.toml", None),
    ("pytest.ini", None),
    (".pytest.ini", None),
    ("pyproject.toml", Some("[tool.pytest")),
    ("tox.ini", Some("[pytest]")),
    ("setup.cfg", Some("[tool:pytest]")),
];

/// Files that mark the root of a project without pytest configuration.
const ROOT: [&str; 2] = ["setup.py", "pyproject.toml"];

/// Names of virtual environments in a project, in order of preference.
const ENVIRONMENTS: [&str; 2] = [".venv", "venv"];

/// Returns the directories that may belong to the project, nearest first. Directories that contain
/// the home directory or a shared directory for temporary files do not.
pub(crate) fn ancestors<'a>(
    directory: &'a Path,
    home: Option<&Path>,
) -> impl Iterator<Item = &'a Path> {
    let home = home.map(|home| home.canonicalize().unwrap_or_else(|_| home.to_owned()));
    directory.ancestors().take_while(move |candidate| {
        let shared = [Path::new("/tmp"), Path::new("/var/tmp")];
        let holds = |place: &Path| place.starts_with(candidate);
        !home.as_deref().is_some_and(holds) && !shared.into_iter().any(holds)
    })
}

/// Returns the parent directories from which pytest reads its configuration and Python loads
/// modules.
pub fn roots(directory: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let configured = ancestors(directory, home).find(|place| has_settings(place));
    let root = configured.or_else(|| {
        let mut ancestors = ancestors(directory, home);
        ancestors.find(|place| ROOT.iter().any(|name| place.join(name).is_file()))
    });
    let packaged = |place: &&Path| place.join("__init__.py").is_file();
    let package = ancestors(directory, home).take_while(packaged).last();
    let base = package.and_then(Path::parent);
    let base = base.filter(|base| ancestors(directory, home).any(|place| place == *base));
    let found = root.into_iter().chain(base);
    let found = found.filter(|place| *place != directory);
    found.map(Path::to_owned).collect()
}

fn has_settings(place: &Path) -> bool {
    SETTINGS.iter().any(|(name, needed)| {
        let file = place.join(name);
        match needed {
            None => file.is_file(),
            Some(needed) => {
                let text = fs::read_to_string(file).unwrap_or_default();
                text.lines()
                    .any(|line| line.trim_start().starts_with(needed))
            }
        }
    })
}

/// Returns the virtual environment in `directory`, or in one above it up to the project's root.
pub fn environment(directory: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let is_root = |place: &Path| {
        place.join(".git").exists()
            || has_settings(place)
            || ROOT.iter().any(|name| place.join(name).is_file())
    };
    let mut within = true;
    // The directory itself counts even if it contains the home directory or a directory for
    // temporary files.
    let mut places = vec![directory];
    places.extend(ancestors(directory, home).skip(1));
    let places = places.into_iter().take_while(|place| {
        let was = within;
        within = within && !is_root(place);
        was
    });
    let mut candidates =
        places.flat_map(|place| ENVIRONMENTS.iter().map(move |name| place.join(name)));
    candidates.find(|place| is_environment(place))
}

/// Returns whether a directory is a virtual environment with a Python.
pub fn is_environment(place: &Path) -> bool {
    place.join("pyvenv.cfg").is_file() && place.join("bin/python").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (directory, root)
    }

    #[test]
    fn the_root_is_where_pytest_finds_it() {
        let (_keep, root) = made(&[
            ("ini/pytest.ini", ""),
            ("ini/a/setup.cfg", "[metadata]\n"),
            ("ini/a/b/t.py", ""),
            ("toml/pyproject.toml", "[tool.pytest.ini_options]\n"),
            ("toml/pkg/__init__.py", ""),
            ("toml/pkg/tests/__init__.py", ""),
            ("plain/setup.py", ""),
            ("plain/tests/t.py", ""),
            ("none/tests/t.py", ""),
            ("package/a/__init__.py", ""),
            ("package/a/b/__init__.py", ""),
            ("home/pytest.ini", ""),
            ("home/p/t.py", ""),
        ]);
        let home = root.join("home");
        let found = |name: &str| -> Vec<String> {
            let found = roots(&root.join(name), Some(&home)).into_iter();
            let found = found.map(|path| path.strip_prefix(&root).unwrap().to_owned());
            found.map(|path| path.display().to_string()).collect()
        };
        assert_eq!(found("ini/a/b"), ["ini"]);
        assert_eq!(found("ini"), [""; 0]);
        assert_eq!(found("toml/pkg/tests"), ["toml", "toml"]);
        assert_eq!(found("plain/tests"), ["plain"]);
        assert_eq!(found("none/tests"), [""; 0]);
        assert_eq!(found("package/a/b"), ["package"]);
        assert_eq!(found("home/p"), [""; 0]);
    }

    #[test]
    fn the_environment_is_the_projects() {
        let (_keep, root) = made(&[
            ("p/.git/x", ""),
            ("p/.venv/pyvenv.cfg", ""),
            ("p/.venv/bin/python", ""),
            ("p/a/venv/pyvenv.cfg", ""),
            ("p/a/venv/bin/python", ""),
            ("p/b/.venv/bin/python", ""),
            ("p/c/.git/x", ""),
            ("p/c/tests/t.py", ""),
        ]);
        let found = |name: &str| {
            let found = environment(&root.join(name), None)?;
            Some(found.strip_prefix(&root).unwrap().display().to_string())
        };
        assert_eq!(found("p").as_deref(), Some("p/.venv"));
        assert_eq!(found("p/a").as_deref(), Some("p/a/venv"));
        assert_eq!(found("p/b").as_deref(), Some("p/.venv"));
        assert_eq!(found("p/c/tests"), None);
    }
}
