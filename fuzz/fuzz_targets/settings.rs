//! Files of settings and tables of the system: ours, cargo's, git's, the kernel's.
#![no_main]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use maelstrom::program::{broker, worker};
use maelstrom_engine::run::watch::ignores::{IgnoreRules, WatchedPathKind};
use maelstrom_fuzz::{Parts, file, scratch};
use maelstrom_model::error::help_of;
use maelstrom_model::framework::WatchPaths;
use maelstrom_runners::cargo::manifest::CargoManifest;
use maelstrom_runners::cargo::{self, environment, progress};
use maelstrom_runners::sandbox::container::mountinfo;
use maelstrom_runners::{go, pytest, run};
use maelstrom_spec::config::{self, ConfigEnvironment, ConfigError, ConfigSchema};
use maelstrom_ui::dashboard::settings::{DashboardSettings, ThemeChoice};
use maelstrom_ui::dashboard::theme::ColorChoice;

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() % 8 {
        0..=2 => programs(parts),
        3 => dashboard(parts),
        4 => cargo(parts),
        5 => drop(CargoManifest::load(&file("Cargo.toml", parts.0))),
        6 => git(parts),
        _ => {
            let mounts = mountinfo::parse(parts.0);
            drop(mountinfo::below(&mounts, Path::new("/")));
            drop(progress::parse_progress(parts.0));
        }
    }
});

/// An environment and files that are what the input says.
struct Given {
    variables: BTreeMap<String, OsString>,
    files: BTreeMap<PathBuf, String>,
}

impl ConfigEnvironment for Given {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn variable_names(&self) -> Vec<OsString> {
        self.variables.keys().map(OsString::from).collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn programs(mut parts: Parts<'_>) {
    match parts.byte() % 6 {
        0 => settle::<cargo::CargoOptions>(&cargo::options::PROGRAM, parts),
        1 => settle::<go::GoOptions>(&go::options::PROGRAM, parts),
        2 => settle::<pytest::PytestOptions>(&pytest::options::PROGRAM, parts),
        3 => settle::<run::options::RunCommandOptions>(&run::options::PROGRAM, parts),
        4 => settle::<broker::options::BrokerServerOptions>(&broker::options::PROGRAM, parts),
        _ => settle::<worker::options::WorkerOptions>(&worker::options::PROGRAM, parts),
    }
}

fn settle<P: clap::Parser>(program: &ConfigSchema, mut parts: Parts<'_>) {
    let mut given = Given {
        variables: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    given.variables.insert("HOME".to_owned(), "/home".into());
    for base in ["/home/.config", "/etc/xdg"] {
        for directory in program.directories {
            let path = Path::new(base).join(directory).join("config.toml");
            given.files.insert(path, parts.text());
        }
    }
    let names: Vec<&str> = program.values().map(|value| value.name).collect();
    while !parts.is_empty() {
        let name = names[usize::from(parts.byte()) % names.len()];
        let name = format!(
            "{}_{}",
            program.prefix,
            name.replace('-', "_").to_uppercase()
        );
        given
            .variables
            .insert(name, parts.text().replace('\0', " ").into());
    }
    match config::resolve::<P>(program, &[program.name.into()], &given) {
        Ok(settled) => drop(settled),
        // The parser's own, of its own form.
        Err(ConfigError::CommandLine(error)) => drop(error.to_string()),
        Err(error) => drop((error.to_string(), help_of(&error))),
    }
}

fn dashboard(mut parts: Parts<'_>) {
    let color = match parts.byte() % 2 {
        0 => ColorChoice::Color,
        _ => ColorChoice::Monochrome,
    };
    let theme = file("theme.toml", parts.part());
    let text = String::from_utf8_lossy(parts.0);
    let text = text.replace("@T", &theme.display().to_string());
    if let Err(error) = DashboardSettings::read(
        &file("dashboard.toml", text.as_bytes()),
        &ThemeChoice::dark(color),
    ) {
        drop(error.to_string());
    }
}

fn cargo(mut parts: Parts<'_>) {
    let directory = scratch("project/.cargo");
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    file("project/.cargo/config.toml", parts.part());
    let home = scratch("cargo");
    std::fs::create_dir_all(&home).expect("a directory can be made");
    file("cargo/config.toml", parts.0);
    match environment::config::load(&scratch("project"), Some(&home)) {
        Ok(variables) => drop(variables),
        Err(error) => drop(error.to_string()),
    }
}

/// Rules of what is ignored, and files that say where a repository is.
fn git(mut parts: Parts<'_>) {
    let root = scratch("tree");
    drop(std::fs::remove_dir_all(&root));
    std::fs::create_dir_all(root.join("own/info")).expect("a directory can be made");
    let write = |name: &str, content: &[u8]| {
        std::fs::write(root.join(name), content).expect("a file can be written");
    };
    let (pointer, common) = (parts.part(), parts.part());
    write(
        ".git",
        if pointer.is_empty() {
            b"gitdir: own"
        } else {
            pointer
        },
    );
    write(
        "own/commondir",
        if common.is_empty() { b"." } else { common },
    );
    write("own/info/exclude", parts.part());
    write(".gitignore", parts.part());
    let list = WatchPaths {
        directories: vec![root.clone()],
        without: Vec::new(),
        generated: &["__pycache__"],
        written: Vec::new(),
    };
    let mut ignores = IgnoreRules::new(&list);
    ignores.enter_root(&root);
    for name in String::from_utf8_lossy(parts.0).split('\0') {
        let _ = ignores.ignores(
            &root.join(name.trim_start_matches('/')),
            WatchedPathKind::File,
        );
        let _ = ignores.ignores(
            &root.join(name.trim_start_matches('/')),
            WatchedPathKind::Directory,
        );
    }
}
