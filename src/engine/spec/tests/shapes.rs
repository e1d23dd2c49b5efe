//! Tests files in the styles of the original Maelstrom's users: dotted keys, tables that follow
//! their directive, patterns over several lines, relative stubs, both spellings of a key. Each file
//! is read unchanged and keeps its meaning.

use std::path::Path;

use super::{read, resolved};
use crate::document::TextDocument;
use crate::filter::{GoSubject, PatternVocabulary, PytestSubject, vocabulary};
use crate::{
    InheritedFields, ResolvedBase, RunnerLayers, SpecContext, SpecResolver, TestSpecification,
};
use maelstrom_container::spec::MountKind;
use maelstrom_layer::{LayerSpec, SymlinkMode};

fn resolver(vocabulary: &'static PatternVocabulary, text: &str) -> SpecResolver {
    let context = SpecContext {
        vocabulary,
        project: Path::new("/w"),
        variables: &[],
    };
    let document = TextDocument::new("file.toml", text);
    let specification = TestSpecification::read(&document, &context).unwrap();
    SpecResolver::new(specification, None, RunnerLayers::Some)
}

#[test]
fn a_go_module_whose_packages_are_named_by_their_import_paths() {
    let mut resolver = resolver(
        &vocabulary::GO,
        r#"
[[directives]]
include_shared_libraries = true
enable_writable_file_system = false
working_directory = "/"
user = 0
group = 0
layers = [ { stubs = [ "/{proc,tmp}/"] } ]
mounts = [ { type = "tmp", mount_point = "/tmp" }, ]

[[directives]]
filter = "name.equals(TestWhole)"
enable_writable_file_system = true
network = "local"
added_layers = [{ stubs = [ "/run/x.sock" ] }, { stubs = [ "/tables/" ] }]
added_mounts = [
    { type = "bind", mount_point = "/run/x.sock", local_path = "/run/x.sock", read_only = false },
    { type = "bind", mount_point = "/tables", local_path = "tables" }
]
added_environment = { INSIDE = "true" }

[[directives]]
filter = "package.equals(example.com/mail/courier/v4/wire)"
ignore = true
"#,
    );
    let mut resolve = |import_path, case| {
        let subject = GoSubject {
            import_path,
            path: "",
            name: "wire",
            case: Some(case),
            past: None,
        };
        resolver.resolve(&subject).unwrap()
    };
    let whole = resolve("example.com/mail/courier/v4", "TestWhole");
    assert_eq!(whole.applied, [0, 1]);
    assert_eq!(
        (whole.resolved.layers.len(), whole.resolved.mounts.len()),
        (3, 3)
    );
    assert!(whole.resolved.include_shared_libraries && !whole.resolved.ignored);
    let other = resolve("example.com/mail/courier/v4/wire", "TestWholeToo");
    assert_eq!(other.applied, [0, 2]);
    assert!(other.resolved.ignored);
}

#[test]
fn pytest_with_globs_that_are_moved_and_a_node_id_by_expression() {
    let mut resolver = resolver(
        &vocabulary::PYTEST,
        r#"
[[directives]]
image.name = "docker://python:3.12-slim"
added_layers = [
    { glob = "src/**.{py,pyc}", strip_prefix = "src/" },
    { glob = "venv/lib/python3.12/**", strip_prefix = "venv", prepend_prefix = "/usr/local" },
    { stubs = ["/dev/{null,zero}", "/tests/.pytest_cache/"] }
]
mounts = [
    { type = "tmp", mount_point = "/tests/.pytest_cache" },
    { type = "devices", devices = ["null", "zero"] },
]
[directives.added_environment]
PYTEST_DISABLE_PLUGIN_AUTOLOAD = "1"

[[directives]]
filter = """
node_id.matches(tests/test_box.py::TestLid::test_opens\\[.* .*\\])"""
ignore = true

[[directives]]
filter = "f.eq(tests/test_box.py) & markers.contains(slow)"
timeout = 9
"#,
    );
    let mut resolve = |node_id, markers: &[String]| {
        let subject = PytestSubject {
            file: "tests/test_box.py",
            node_id,
            name: "TestLid.test_opens",
            markers,
            past: None,
        };
        resolver.resolve(&subject).unwrap()
    };
    let opens = resolve("tests/test_box.py::TestLid::test_opens[wide 2]", &[]);
    assert_eq!(
        (opens.applied.as_slice(), opens.resolved.ignored),
        (&[0, 1][..], true)
    );
    let whole = ResolvedBase::Image {
        name: "docker://python:3.12-slim".to_owned(),
        inherited: InheritedFields::LAYERS
            | InheritedFields::ENVIRONMENT
            | InheritedFields::WORKING_DIRECTORY,
    };
    assert_eq!(opens.resolved.base, whole);
    let closes = resolve(
        "tests/test_box.py::TestLid::test_opens[wide]",
        &["slow".to_owned()],
    );
    assert_eq!(closes.applied, [0, 2]);
}

#[test]
fn layers_that_the_build_makes_are_told_apart() {
    for (layer, expected) in [
        ("{ tar = \"a.tar\" }", false),
        ("{ tar = \"target/a.tar\" }", true),
        ("{ paths = [\"a\", \"<build-dir>/tool\"] }", true),
        ("{ paths = [\"/etc/hosts\", \"targets\"] }", false),
        (
            "{ shared_library_dependencies = [\"<build-dir>/tool\"] }",
            true,
        ),
        ("{ glob = \"tests/**\" }", false),
        ("{ glob = \"target/debug/*.so\" }", true),
        ("{ glob = \"{target,tests}/**\" }", true),
        ("{ glob = \"**.so\" }", true),
        ("{ stubs = [\"/w/target/\"] }", false),
        (
            "{ symlinks = [{ link = \"/a\", target = \"/w/target\" }] }",
            false,
        ),
    ] {
        let text = format!("[containers.unused]\nlayers = [{layer}]\n");
        let reach = read(&text).unwrap();
        let reach = reach.layers_reach(Path::new("/w"), Path::new("/w/target"));
        assert_eq!(reach, expected, "{layer}");
    }
}

#[test]
fn an_image_by_dotted_keys_and_variables_in_a_table_of_their_own() {
    let resolved = resolved(
        r#"
[[directives]]
filter = "package.equals(courier) && name.contains(slow)"
enable_writable_file_system = true
image.name = "docker://debian:latest"
image.use = ["layers", "environment"]

added_layers = [
    { paths = ["<build-dir>/examples/helper"], canonicalize = true },
    { stubs = [ "/{proc,sys,tmp}/", "/dev/{fuse,mqueue/,null,pts/,zero}" ] },
]
mounts = [
    { type = "proc", mount_point = "/proc" },
    { type = "devices", devices = ["fuse", "null", "zero"] },
    { type = "devpts", mount_point = "/dev/pts" },
    { type = "mqueue", mount_point = "/dev/mqueue" },
]

[directives.added_environment]
RUST_BACKTRACE = "$env{RUST_BACKTRACE:-0}"

[[directives]]

filter = "!package.equals(courier)"
ignore = true
"#,
    )
    .unwrap();
    let ResolvedBase::Image { name, inherited } = &resolved.base else {
        panic!("{:?}", resolved.base)
    };
    assert_eq!(name, "docker://debian:latest");
    assert_eq!(
        *inherited,
        InheritedFields::LAYERS | InheritedFields::ENVIRONMENT
    );
    assert_eq!((resolved.layers.len(), resolved.mounts.len()), (2, 6));
    assert!(resolved.environment[0].vars.contains_key("RUST_BACKTRACE"));
    assert!(!resolved.ignored && !resolved.include_shared_libraries);
}

#[test]
fn directives_that_build_upon_earlier_ones_without_a_parent() {
    let resolved = resolved(
        r#"
[[directives]]
network = "loopback"
user = 1000
group = 1000
added_layers = [
    { stubs = ["/tmp/", "/dev/null"] },
    { paths = ["/etc/hosts"] }
]
mounts = [{ type = "tmp", mount_point = "/tmp" }]

# A pattern may take several lines.
[[directives]]
filter = """
package.equals(courier) && (
    test.equals(other) ||
    (library && name.starts_with(sl)) ||
    name.equals(else))"""
added_layers = [
    { paths = ["courier/Cargo.toml"], strip_prefix = "courier/" }
]

[[directives]]
filter = "test.equals(integration)"
network = "local"
added_mounts = [
    { type = "bind", mount_point = "$SOCKET", local_path = "/run/x.sock", read_only = false },
]
"#,
    )
    .unwrap();
    assert_eq!(resolved.base, ResolvedBase::Nothing);
    assert_eq!((resolved.layers.len(), resolved.mounts.len()), (3, 1));
    assert_eq!(
        (resolved.scalars.user, resolved.scalars.group),
        (Some(1000), Some(1000))
    );
    assert!(resolved.include_shared_libraries);
}

#[test]
fn layers_as_tables_of_their_own_and_a_key_with_dashes() {
    let resolved = resolved(
        r#"
[[directives]]
filter = "package.equals(courier)"
layers = [
    { stubs = [ "/proc/", "dev/{full,pts/,zero}" ] },
    { symlinks = [ { link = "/dev/ptmx", target = "/dev/pts/ptmx" } ] },
    { shared-library-dependencies = ["<build-dir>/helper"], follow_symlinks = true }
]
mounts = [{ type = "devices", devices = ["full", "zero"] }]
environment = { HOME = "/tmp" }

[[directives]]
[[directives.added_layers]]
paths = [ "etc/hosts" ]
strip_prefix = "etc/"
prepend_prefix = "/etc/"

[[directives]]
added_mounts = [{ type = "proc", mount_point = "/proc" }]
added_environment = { RUST_BACKTRACE = "$env{RUST_BACKTRACE:-0}" }
"#,
    )
    .unwrap();
    assert_eq!(resolved.layers.len(), 4);
    let LayerSpec::SharedLibraryDependencies { prefix, .. } = &resolved.layers[2] else {
        panic!("{:?}", resolved.layers)
    };
    assert_eq!(prefix.links, SymlinkMode::Follow);
    assert_eq!(resolved.environment.len(), 2);
    assert_eq!(resolved.mounts.len(), 3);
    assert_eq!(resolved.mounts[2].mount.kind, MountKind::Proc);
}

#[test]
fn a_file_with_all_these_is_read_and_forgets_nothing() {
    let specification = read("[containers.a]\nimage.name = \"oci:x\"\n[[directives]]\n").unwrap();
    assert_eq!(specification.containers.len(), 1);
    assert_eq!(specification.directives.len(), 1);
    assert_eq!(
        specification.places.image("oci:x"),
        Some("cargo-maelstrom.toml:2:1")
    );
}
