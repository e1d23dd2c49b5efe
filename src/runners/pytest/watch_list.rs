//! Finds the files whose change starts a new round.

use std::path::Path;

use super::options::PytestArguments;
use super::words::WordRole;
use crate::sandbox::project_directories::ProjectDirectories;
use maelstrom_model::framework::WatchPaths;

/// Patterns for files that Python and pytest write next to the sources.
const GENERATED: [&str; 3] = ["__pycache__/", "*.py[co]", ".pytest_cache/"];

/// Returns the files to watch: the project's directory, and those of paths on the command line.
pub(super) fn watch_list(
    here: &Path,
    pytest: &PytestArguments,
    own: &ProjectDirectories,
) -> WatchPaths {
    let mut directories = vec![here.to_owned()];
    for named in pytest.typed(&[WordRole::Path]).chain(&pytest.paths) {
        let file = named.to_string_lossy();
        let path = here.join(file.split("::").next().unwrap_or_default());
        let directory = if path.is_dir() {
            Some(path.as_path())
        } else {
            path.parent()
        };
        directories.extend(
            directory
                .filter(|directory| !directory.starts_with(here) && directory.is_dir())
                .map(Path::to_owned),
        );
    }
    WatchPaths {
        directories,
        without: own.hidden(),
        generated: &GENERATED,
        written: Vec::new(),
    }
}
