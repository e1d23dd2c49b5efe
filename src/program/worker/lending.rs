//! The host paths that a worker lends to jobs: by default, those that a local run would show its
//! own jobs.
//!
//! A worker has no project that determines the toolchain, and must not run programs to find out
//! (some download what they lack). So the usual locations of toolchains are added to what every
//! default container shows.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use maelstrom_runners::cargo::toolchain::{CARGO_HOME, DOWNLOADS};
use maelstrom_runners::sandbox::container::facts::EtcContent;
use maelstrom_runners::sandbox::container::host;
use maelstrom_runners::sandbox::container::host_path::HostPath;
use maelstrom_runners::sandbox::invocation::Invocation;

/// A value of `--lend`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LendOption {
    /// The default: programs, libraries and toolchains of the machine.
    Usual,
    Nothing,
    /// This path.
    Path(PathBuf),
}

/// The error of a value that is neither a path nor a keyword.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an absolute path, `default` or `none`")]
pub struct LendOptionError;

impl FromStr for LendOption {
    type Err = LendOptionError;

    fn from_str(text: &str) -> Result<LendOption, LendOptionError> {
        match text {
            "default" => Ok(LendOption::Usual),
            "none" => Ok(LendOption::Nothing),
            path if Path::new(path).is_absolute() => Ok(LendOption::Path(path.into())),
            _ => Err(LendOptionError),
        }
    }
}

/// Returns the paths that the worker lends, given the values of `--lend`. No values mean the
/// default.
pub fn paths(said: &[LendOption], invocation: &Invocation) -> Vec<PathBuf> {
    let said = match said {
        [] => &[LendOption::Usual],
        said => said,
    };
    let paths = said.iter().flat_map(|one| match one {
        LendOption::Usual => usual(invocation),
        LendOption::Nothing => Vec::new(),
        LendOption::Path(path) => vec![path.clone()],
    });
    paths.collect()
}

/// Directories that are never lent by default, whatever `PATH` contains: they hold files of other
/// users and programs.
const HOLDS_OTHERS: [&str; 10] = [
    "/", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/tmp", "/var",
];

/// Returns the paths that the worker lends by default.
fn usual(invocation: &Invocation) -> Vec<PathBuf> {
    let host = host::gather(invocation, toolchains(invocation));
    let etc = host.etc.iter().filter_map(|entry| match &entry.content {
        EtcContent::Bind(source) => Some(&source.canonical),
        EtcContent::File(_) | EtcContent::Symlink(_) => None,
    });
    let tools = host.toolbox.iter().map(|path| &path.canonical);
    let home = invocation.path_variable("HOME");
    let home = home.and_then(|home| home.canonicalize().ok());
    let holds_others = |path: &PathBuf| {
        let holds_home = home.as_ref().is_some_and(|home| home.starts_with(path));
        holds_home || HOLDS_OTHERS.iter().any(|place| path == Path::new(place))
    };
    let mut lent: Vec<PathBuf> = tools
        .chain(etc)
        .filter(|path| !holds_others(path))
        .cloned()
        .collect();
    lent.sort();
    lent.dedup();
    // A path inside another lent path is lent with it.
    let all = lent.clone();
    lent.retain(|path| {
        let others = all.iter().filter(|other| *other != path);
        !others.into_iter().any(|other| path.starts_with(other))
    });
    lent
}

/// Returns the usual locations of toolchains and downloaded packages, whether or not they exist.
fn toolchains(invocation: &Invocation) -> Vec<PathBuf> {
    let home = invocation.path_variable("HOME");
    let below_home = |name: &str| home.as_ref().map(|home| home.join(name));
    let or_below_home = |variable: &str, name: &str| {
        let said = invocation.path_variable(variable);
        said.or_else(|| below_home(name))
    };
    let mut places = Vec::new();
    // A rustup toolchain may be a symlink to a directory elsewhere.
    if let Some(rustup) = or_below_home("RUSTUP_HOME", ".rustup") {
        let linked = std::fs::read_dir(rustup.join("toolchains"));
        places.extend(
            linked
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path()),
        );
        places.push(rustup);
    }
    if let Some(cargo) = or_below_home("CARGO_HOME", ".cargo") {
        let names = CARGO_HOME.iter().chain(&DOWNLOADS);
        places.extend(names.map(|name| cargo.join(name)));
    }
    // Go.
    let go_path = or_below_home("GOPATH", "go").map(PathBuf::into_os_string);
    for path in go_path.iter().flat_map(std::env::split_paths) {
        places.push(path.join("bin"));
        places.push(path.join("pkg/mod"));
    }
    places.extend(invocation.path_variable("GOMODCACHE"));
    places.extend(or_below_home("GOENV", ".config/go/env"));
    let built = invocation.cache_home().map(|cache| cache.join("go-build"));
    places.extend(invocation.path_variable("GOCACHE").or(built));
    // Packages that `pip install --user` has installed, and interpreters that uv has installed.
    places.extend(below_home(".local/share/uv/python"));
    let user_base = or_below_home("PYTHONUSERBASE", ".local");
    let libraries = user_base
        .as_ref()
        .map(|base| std::fs::read_dir(base.join("lib")));
    places.extend(
        libraries
            .and_then(Result::ok)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("python"))
            .map(|entry| entry.path()),
    );
    let user_base = user_base.and_then(|base| base.canonicalize().ok());
    let prefixes = ["go", "python3", "python"].iter().filter_map(|program| {
        let executable = on_path(invocation, program)?;
        // PREFIX/bin/PROGRAM
        let prefix = executable.parent()?.parent()?.to_owned();
        // The user's own prefix holds the files of all kinds of programs.
        (Some(&prefix) != user_base.as_ref()).then_some(prefix)
    });
    places.extend(prefixes);
    places
}

/// Returns the resolved path of a program on `PATH`.
fn on_path(invocation: &Invocation, program: &str) -> Option<PathBuf> {
    let path = invocation.variable("PATH")?;
    let found = std::env::split_paths(path)
        // A relative entry depends on the working directory.
        .filter(|directory| directory.is_absolute())
        .find_map(|directory| HostPath::resolve(&directory.join(program)).ok())?;
    // A wrapper script outside of `bin` says nothing about the program's prefix.
    let is_below_bin = found.canonical.parent()?.file_name()? == "bin";
    is_below_bin.then_some(found.canonical)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use maelstrom_runners::sandbox::invocation::ColorMode;

    #[test]
    fn what_is_said_decides_alone() {
        let invocation = Invocation {
            directory: "/".into(),
            environment: [("PATH".into(), "/nowhere".into())].into(),
            colors: ColorMode::Unwanted,
        };
        let paths = |words: &[&str]| {
            let said: Vec<LendOption> = words.iter().map(|word| word.parse().unwrap()).collect();
            paths(&said, &invocation)
        };
        let tools = PathBuf::from("/srv/tools");
        assert_eq!(paths(&[]), usual(&invocation));
        assert!(paths(&["none"]).is_empty());
        assert_eq!(paths(&["/srv/tools"]), std::slice::from_ref(&tools));
        let both = paths(&["default", "/srv/tools"]);
        assert_eq!(
            both.split_last(),
            Some((&tools, usual(&invocation).as_slice()))
        );
        for wrong in ["", "tools", "./x", "defaults"] {
            assert_eq!(wrong.parse::<LendOption>(), Err(LendOptionError), "{wrong}");
        }
    }

    #[test]
    fn what_tests_would_see_here_is_lent_and_nothing_of_the_home_besides() {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        let home = root.join("home");
        for directory in [
            "home/.ssh",
            "home/.rustup/toolchains",
            "home/.cargo/registry",
            "home/.cargo/bin",
            "home/go/pkg/mod",
            "home/.local/lib/python3.12",
            "home/.local/share/keyrings",
            "built/lib",
            "python/bin",
            "tools",
        ] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::write(root.join("home/.cargo/credentials.toml"), "token").unwrap();
        fs::write(root.join("python/bin/python3"), "").unwrap();
        symlink(root.join("built"), home.join(".rustup/toolchains/mine")).unwrap();
        symlink(root.join("python/bin/python3"), root.join("tools/python3")).unwrap();
        let path = std::env::join_paths([
            root.join("tools"),
            home.clone(),
            root.clone(),
            "/".into(),
            "/etc".into(),
        ]);
        let invocation = Invocation {
            directory: root.clone(),
            environment: [
                ("HOME".into(), home.into_os_string()),
                ("PATH".into(), path.unwrap()),
            ]
            .into(),
            colors: ColorMode::Unwanted,
        };
        let lent = usual(&invocation);
        let below: Vec<&Path> = lent
            .iter()
            .filter_map(|path| path.strip_prefix(&root).ok())
            .collect();
        let expected = [
            "built",
            "home/.cargo/bin",
            "home/.cargo/registry",
            "home/.local/lib/python3.12",
            "home/.rustup",
            "home/go/pkg/mod",
            "python",
            "tools",
        ];
        assert_eq!(below, expected.map(Path::new));
        assert!(lent.contains(&PathBuf::from("/usr")), "{lent:?}");
        for path in &lent {
            assert!(!HOLDS_OTHERS.iter().any(|other| path == Path::new(other)));
        }
    }
}
