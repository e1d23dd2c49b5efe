//! Finds the paths below a directory that match a pattern.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use super::error::LayerError;

/// Returns all matching paths below `root`, relative to it and sorted. Symbolic links are not
/// followed, entries that disappear meanwhile are ignored, and nothing below `excluded` is visited.
pub(super) fn find(
    root: &Path,
    pattern: &str,
    excluded: &Path,
) -> Result<Vec<PathBuf>, LayerError> {
    let matcher = compile(pattern)?;
    let Some(start) = start(root, pattern)? else {
        return Ok(Vec::new());
    };
    let walk = WalkDir::new(&start)
        .follow_root_links(false)
        .into_iter()
        .filter_entry(|entry| entry.path() != excluded);
    let mut found = Vec::new();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if is_gone(&error) => continue,
            Err(error) => {
                let path = error.path().unwrap_or(&start).to_owned();
                return Err(LayerError::read(path, error.into()));
            }
        };
        if let Ok(relative) = entry.path().strip_prefix(root)
            && !relative.as_os_str().is_empty()
            && matcher.is_match(relative)
        {
            found.push(relative.to_owned());
        }
    }
    found.sort();
    Ok(found)
}

fn compile(pattern: &str) -> Result<GlobMatcher, LayerError> {
    let glob = GlobBuilder::new(pattern)
        .literal_separator(false)
        .backslash_escape(true)
        .empty_alternates(true)
        .build()
        .map_err(|source| LayerError::Glob {
            pattern: pattern.to_owned(),
            source,
        })?;
    Ok(glob.compile_matcher())
}

fn is_gone(error: &walkdir::Error) -> bool {
    error
        .io_error()
        .is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Returns the deepest directory that contains all possible matches, given by the literal beginning
/// of the pattern. Returns `None` if nothing can match.
fn start(root: &Path, pattern: &str) -> Result<Option<PathBuf>, LayerError> {
    let literal = pattern
        .find(['*', '?', '[', '{', '\\'])
        .map_or(pattern, |at| pattern.get(..at).unwrap_or_default());
    let directory = match literal.rfind('/') {
        _ if literal.len() == pattern.len() => literal,
        Some(at) => literal.get(..at).unwrap_or_default(),
        None => "",
    };
    let mut start = root.to_owned();
    for component in Path::new(directory).components() {
        // The relative paths of the walk contain no other kinds of components, and do not lead
        // through symbolic links.
        let Component::Normal(name) = component else {
            return Ok(None);
        };
        if start.is_symlink() && start != root {
            return Ok(None);
        }
        start.push(name);
    }
    match fs::symlink_metadata(&start) {
        Ok(_) => Ok(Some(start)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(LayerError::read(start, error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn project() -> tempfile::TempDir {
        let project = tempfile::tempdir().unwrap();
        for directory in ["src/deep", "cache/x", "empty"] {
            fs::create_dir_all(project.path().join(directory)).unwrap();
        }
        for file in [
            "a.py",
            "src/b.py",
            "src/deep/c.pyi",
            "src/{x}",
            "cache/x/d.py",
            "setup.cfg",
        ] {
            fs::write(project.path().join(file), "").unwrap();
        }
        symlink("src", project.path().join("link")).unwrap();
        project
    }

    fn found(pattern: &str) -> Vec<String> {
        let project = project();
        find(project.path(), pattern, &project.path().join("cache"))
            .unwrap()
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn patterns_match_whole_relative_paths() {
        for (pattern, paths) in [
            (
                "**.{py,pyc,pyi}",
                vec!["a.py", "src/b.py", "src/deep/c.pyi"],
            ),
            ("*.py", vec!["a.py", "src/b.py"]),
            (
                "src/*",
                vec!["src/b.py", "src/deep", "src/deep/c.pyi", "src/{x}"],
            ),
            ("src/**/*.py*", vec!["src/b.py", "src/deep/c.pyi"]),
            ("setup.cfg", vec!["setup.cfg"]),
            ("src", vec!["src"]),
            ("s?c", vec!["src"]),
            ("s?c?b.py", vec!["src/b.py"]),
            ("src/[!b]*", vec!["src/deep", "src/deep/c.pyi", "src/{x}"]),
            (r"src/\{x\}", vec!["src/{x}"]),
            ("emp{ty,}", vec!["empty"]),
            ("li*", vec!["link"]),
            ("link/*", vec![]),
            ("cache/**", vec![]),
            ("nothing/*", vec![]),
            ("a.py/*", vec![]),
            ("/**", vec![]),
            ("./src/*", vec![]),
            ("../**", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(found(pattern), paths, "{pattern}");
        }
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = find(Path::new("/"), "src/[a", Path::new("")).unwrap_err();
        insta::assert_snapshot!(error, @"`src/[a` is not a glob");
    }
}
