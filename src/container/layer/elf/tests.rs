//! Finds the libraries of real programs, built with the C compiler that links Rust programs.

use std::process::Command;

use super::cache::LoaderCache;
use super::search::LoaderKind;
use super::*;

struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Returns a path in the directory, with symbolic links resolved as in `$ORIGIN`.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn compile(&self, output: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let output = self.path(output);
        std::fs::create_dir_all(output.parent().unwrap()).unwrap();
        let file = self.path("source.c");
        std::fs::write(&file, source).unwrap();
        let status = Command::new("cc")
            .arg("-o")
            .arg(&output)
            .arg(&file)
            .args(arguments)
            .arg("-Wl,--no-as-needed")
            .current_dir(self.directory.path())
            .status()
            .unwrap();
        assert!(status.success());
        output
    }

    /// Builds a library with a function of its own that needs other libraries.
    fn library(&self, path: &str, others: &[&str], arguments: &[&str]) -> PathBuf {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        let soname = format!("-Wl,-soname,{name}");
        let mut all = vec![
            "-shared",
            "-fPIC",
            "-nostdlib",
            &soname,
            "-Wl,--no-as-needed",
        ];
        all.extend(others);
        all.extend(arguments);
        self.compile(path, "int answer(void) { return 42; }", &all)
    }

    fn program(&self, path: &str, arguments: &[&str]) -> PathBuf {
        let mut all = vec!["-Wl,--no-as-needed", "-Wl,--unresolved-symbols=ignore-all"];
        all.extend(arguments);
        self.compile(path, "int main(void) { return 0; }", &all)
    }
}

/// Returns a system without libraries except the C library.
fn bare(_: &ElfFile) -> SystemLibraries {
    let mut system = SystemLibraries::host(&read(&std::env::current_exe().unwrap()).unwrap());
    if let LoaderKind::Glibc(cache) = &mut system.loader {
        *cache = LoaderCache::default();
    }
    system
}

fn named<'paths>(paths: &'paths [PathBuf], name: &str) -> Vec<&'paths Path> {
    paths
        .iter()
        .map(PathBuf::as_path)
        .filter(|path| path.file_name().unwrap() == name)
        .collect()
}

#[test]
fn this_program_needs_its_loader_and_its_c_library_once_each() {
    let program = std::env::current_exe().unwrap();
    let paths = closure(&program, &[]).unwrap();
    let loader = read(&program).unwrap().interpreter.unwrap();
    assert_eq!(paths.first(), Some(&loader));
    let loader_name = loader.file_name().unwrap().to_str().unwrap();
    assert_eq!(named(&paths, loader_name).len(), 1);
    assert!(!paths.contains(&program));
    for path in &paths {
        assert!(path.is_file(), "{}", path.display());
    }
}

#[test]
fn a_static_program_needs_nothing() {
    let bench = Bench::new();
    let program = bench.compile(
        "static",
        "void _start(void) { for (;;); }",
        &["-static", "-nostdlib"],
    );
    assert!(closure(&program, &[]).unwrap().is_empty());
}

#[test]
fn a_run_path_serves_its_own_object_only() {
    let bench = Bench::new();
    bench.library("lib/libinner.so", &[], &[]);
    bench.library("lib/libouter.so", &["-Llib", "-linner"], &[]);
    let arguments = [
        "-Llib",
        "-louter",
        "-Wl,--enable-new-dtags",
        "-Wl,-rpath,$ORIGIN/lib",
    ];
    let program = bench.program("program", &arguments);
    let error = closure_on(&program, &[], bare).unwrap_err();
    let ElfError::NotFound {
        library, needed_by, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(library, "libinner.so");
    assert_eq!(*needed_by, bench.path("lib/libouter.so"));

    bench.library(
        "lib/libouter.so",
        &["-Llib", "-linner"],
        &["-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN"],
    );
    let paths = closure_on(&program, &[], bare).unwrap();
    assert_eq!(
        named(&paths, "libouter.so"),
        [bench.path("lib/libouter.so")]
    );
    assert_eq!(
        named(&paths, "libinner.so"),
        [bench.path("lib/libinner.so")]
    );
}

#[test]
fn an_old_style_path_serves_what_its_libraries_need_too() {
    let bench = Bench::new();
    bench.library("lib/libinner.so", &[], &[]);
    bench.library("lib/libouter.so", &["-Llib", "-linner"], &[]);
    let arguments = [
        "-Llib",
        "-louter",
        "-Wl,--disable-new-dtags",
        "-Wl,-rpath,${ORIGIN}/lib",
    ];
    let program = bench.program("program", &arguments);
    let paths = closure_on(&program, &[], bare).unwrap();
    assert_eq!(named(&paths, "libinner.so").len(), 1);
}

#[test]
fn the_library_path_stands_between_the_two() {
    let bench = Bench::new();
    bench.library("mine/libx.so", &[], &[]);
    bench.library("env/libx.so", &[], &[]);
    for (style, wins) in [
        ("--disable-new-dtags", "mine"),
        ("--enable-new-dtags", "env"),
    ] {
        let style = format!("-Wl,{style}");
        let program = bench.program(
            "program",
            &["-Lmine", "-lx", &style, "-Wl,-rpath,$ORIGIN/mine"],
        );
        let paths = closure_on(&program, &[bench.path("env")], bare).unwrap();
        assert_eq!(
            named(&paths, "libx.so"),
            [bench.path(wins).join("libx.so")],
            "{style}"
        );
    }
}

#[test]
fn libraries_that_need_one_another_are_met_once() {
    let bench = Bench::new();
    bench.library("libb.so", &[], &[]);
    bench.library("liba.so", &["-L.", "-lb"], &[]);
    bench.library("libb.so", &["-L.", "-la"], &[]);
    let program = bench.program("program", &["-L.", "-la", "-lb"]);
    let here = bench.path("");
    let paths = closure_on(&program, &[here], bare).unwrap();
    assert_eq!(named(&paths, "liba.so").len(), 1);
    assert_eq!(named(&paths, "libb.so").len(), 1);
}

#[test]
fn a_file_that_is_no_library_for_this_machine_is_passed_over() {
    let bench = Bench::new();
    let library = bench.library("good/libx.so", &[], &[]);
    let program = bench.program("program", &["-Lgood", "-lx"]);
    std::fs::create_dir(bench.path("text")).unwrap();
    std::fs::write(bench.path("text/libx.so"), "INPUT(libx.so.1)").unwrap();
    std::fs::create_dir(bench.path("foreign")).unwrap();
    let mut bytes = std::fs::read(&library).unwrap();
    bytes[18] ^= 0xff;
    std::fs::write(bench.path("foreign/libx.so"), bytes).unwrap();
    let directories = ["missing", "text", "foreign", "good"].map(|name| bench.path(name));
    let paths = closure_on(&program, &directories, bare).unwrap();
    assert_eq!(named(&paths, "libx.so"), [library]);
}

#[test]
fn a_library_that_is_nowhere_is_named_with_who_needs_it() {
    let bench = Bench::new();
    let library = bench.library("lib/libgone.so", &[], &[]);
    let program = bench.program("program", &["-Llib", "-lgone"]);
    std::fs::remove_file(library).unwrap();
    let text = closure(&program, &[PathBuf::from("/my/libs")])
        .unwrap_err()
        .to_string();
    let place = bench.path("program").display().to_string();
    assert!(
        text.starts_with(&format!(
            "the library `libgone.so` that `{place}` needs is not found in /my/libs:"
        )),
        "{text}"
    );
}

#[test]
fn what_is_no_program_is_named() {
    let bench = Bench::new();
    let script = bench.path("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    let error = closure(&script, &[]).unwrap_err();
    assert!(error.to_string().contains("script"), "{error}");
    let source = std::error::Error::source(&error).unwrap();
    insta::assert_snapshot!(source, @"it is not an ELF file");
    let error = closure(&bench.path("missing"), &[]).unwrap_err();
    assert!(matches!(
        error,
        ElfError::Unusable {
            source: ElfFileError::Read(_),
            ..
        }
    ));
}

#[test]
fn a_loader_that_is_not_there_is_named() {
    let bench = Bench::new();
    let program = bench.program("program", &["-Wl,--dynamic-linker,/lib/ld-nowhere.so"]);
    let error = closure(&program, &[]).unwrap_err();
    insta::assert_snapshot!(error, @"its loader `/lib/ld-nowhere.so` does not exist");
}
