//! Files in the shapes that users of the original write: dotted keys, tables that follow their
//! directive, patterns over several lines, relative stubs, both spellings of a key. Each is read as
//! it stands and says what it means.

use super::{read, resolved};
use crate::container::layer::{LayerSpec, Links};
use crate::container::spec::MountKind;
use crate::engine::spec::{Inherited, ResolvedBase};

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
    assert_eq!(*inherited, Inherited::LAYERS | Inherited::ENVIRONMENT);
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
    assert_eq!(prefix.links, Links::Follow);
    assert_eq!(resolved.environment.len(), 2);
    assert_eq!(resolved.mounts.len(), 3);
    assert_eq!(resolved.mounts[2].kind, MountKind::Proc);
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
