//! Rows of the reference about layers and mounts.

use super::table;

/// Formats a row for each layer, in a directive of its own file.
fn layers(rows: &[(&str, &str)]) -> String {
    let files: Vec<(&str, String)> = rows
        .iter()
        .map(|(title, layer)| (*title, format!("[[directives]]\nlayers = [{layer}]\n")))
        .collect();
    let rows: Vec<(&str, &str)> = files
        .iter()
        .map(|(title, file)| (*title, file.as_str()))
        .collect();
    table(&rows)
}

#[test]
fn kinds_of_layers() {
    let all = "follow_symlinks = true, canonicalize = true, strip_prefix = \"a\", prepend_prefix = \"/b\"";
    let glob = format!("{{ glob = \"**.{{rs,toml}}\", {all} }}");
    let paths = format!("{{ paths = [\"<build-dir>/helper\", \"b\"], {all} }}");
    let libraries = format!("{{ shared_library_dependencies = [\"<build-dir>/x\"], {all} }}");
    let rows = layers(&[
        ("tar", "{ tar = \"<build-dir>/a.tar\" }"),
        ("glob", &glob),
        ("paths", &paths),
        (
            "stubs",
            "{ stubs = [\"/{proc,sys}/\", \"/dev/{null, full}\"] }",
        ),
        (
            "symlinks",
            "{ symlinks = [{ link = \"/l\", target = \"<build-dir>\" }] }",
        ),
        ("libraries", &libraries),
        (
            "libraries, with dashes",
            "{ shared-library-dependencies = [\"x\"] }",
        ),
        (
            "prefix options that say no",
            "{ paths = [], follow_symlinks = false, canonicalize = false }",
        ),
        (
            "template variables are not in prefix options",
            "{ paths = [], strip_prefix = \"<build-dir>\" }",
        ),
        (
            "template escapes",
            "{ tar = \"<<x>/<build-dir>/<<<build-dir>\" }",
        ),
    ]);
    insta::assert_snapshot!(rows);
}

#[test]
fn mistakes_in_layers() {
    let rows = layers(&[
        ("another type", "\"a\""),
        ("no kind", "{}"),
        ("no kind but an option", "{ canonicalize = true }"),
        ("a misspelt kind", "{ path = [\"a\"] }"),
        ("two kinds", "{ tar = \"a\", stubs = [] }"),
        ("a stray key", "{ glob = \"a\", strip = \"b\" }"),
        (
            "options where there are none",
            "{ stubs = [], canonicalize = true }",
        ),
        ("tar of another type", "{ tar = [\"a\"] }"),
        ("paths of another type", "{ paths = \"a\" }"),
        ("a path of another type", "{ paths = [\"a\", 1] }"),
        (
            "symlinks without a target",
            "{ symlinks = [{ link = \"a\" }] }",
        ),
        (
            "an option of another type",
            "{ paths = [], follow_symlinks = \"yes\" }",
        ),
        ("a bad glob", "{ glob = \"a[\" }"),
        (
            "an unknown template variable",
            "{ tar = \"<target-dir>/a\" }",
        ),
        ("an empty command", "{ command = [] }"),
        ("a command", "{ command = [\"make\", \"it\"] }"),
        ("a NUL", "{ tar = \"a\\u0000b\" }"),
    ]);
    insta::assert_snapshot!(rows);
}

fn mounts(rows: &[(&str, &str)]) -> String {
    let files: Vec<(&str, String)> = rows
        .iter()
        .map(|(title, mount)| (*title, format!("[[directives]]\nmounts = [{mount}]\n")))
        .collect();
    let rows: Vec<(&str, &str)> = files
        .iter()
        .map(|(title, file)| (*title, file.as_str()))
        .collect();
    table(&rows)
}

#[test]
fn kinds_of_mounts() {
    let rows = mounts(&[
        (
            "bind",
            "{ type = \"bind\", mount_point = \"/a\", local_path = \"data\" }",
        ),
        (
            "bind, read-only",
            "{ type = \"bind\", mount_point = \"/a\", local_path = \"/data\", read_only = true }",
        ),
        (
            "devices",
            "{ type = \"devices\", devices = [\"full\", \"fuse\", \"null\", \"random\", \"shm\", \
             \"tty\", \"urandom\", \"zero\"] }",
        ),
        (
            "devpts",
            "{ type = \"devpts\", mount_point = \"/dev/pts\" }",
        ),
        (
            "mqueue",
            "{ type = \"mqueue\", mount_point = \"/dev/mqueue\" }",
        ),
        ("proc", "{ type = \"proc\", mount_point = \"/proc\" }"),
        ("sys", "{ type = \"sys\", mount_point = \"/sys\" }"),
        ("tmp", "{ type = \"tmp\", mount_point = \"/tmp\" }"),
        (
            "a mount point counts from the root",
            "{ type = \"tmp\", mount_point = \"a/./b/\" }",
        ),
    ]);
    insta::assert_snapshot!(rows);
}

#[test]
fn mistakes_in_mounts() {
    let rows = mounts(&[
        ("another type", "\"/proc\""),
        ("no type", "{ mount_point = \"/proc\" }"),
        (
            "an unknown type",
            "{ type = \"prc\", mount_point = \"/proc\" }",
        ),
        ("no mount point", "{ type = \"proc\" }"),
        ("the root", "{ type = \"tmp\", mount_point = \"//\" }"),
        ("outside", "{ type = \"tmp\", mount_point = \"/a/../..\" }"),
        ("no local path", "{ type = \"bind\", mount_point = \"/a\" }"),
        (
            "a stray key",
            "{ type = \"tmp\", mount_point = \"/a\", read_only = true }",
        ),
        ("no devices", "{ type = \"devices\" }"),
        (
            "an unknown device",
            "{ type = \"devices\", devices = [\"nul\"] }",
        ),
        (
            "devices at a place",
            "{ type = \"devices\", devices = [], mount_point = \"/dev\" }",
        ),
        (
            "fs_type, as it was",
            "{ fs_type = \"proc\", mount_point = \"/proc\" }",
        ),
    ]);
    insta::assert_snapshot!(rows);
}
