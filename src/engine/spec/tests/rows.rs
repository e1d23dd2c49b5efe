//! Rows of the reference about fields, conflicts, directives and inheritance.

use super::table;

#[test]
fn container_fields() {
    let rows = table(&[
        ("nothing", ""),
        (
            "image, a string",
            "[[directives]]\nimage = \"docker://debian\"\n",
        ),
        (
            "image, a table",
            "[[directives]]\nimage = { name = \"oci:dir\", use = [\"environment\"] }\n",
        ),
        (
            "image, an empty use",
            "[[directives]]\nimage = { name = \"oci:dir\", use = [] }\n",
        ),
        (
            "parent, a string",
            "[containers.a]\nuser = 1\n[[directives]]\nparent = \"a\"\n",
        ),
        (
            "parent, a table, before it appears",
            "[[directives]]\nparent = { name = \"a\", use = [\"group\"] }\n\
             [containers.a]\nuser = 1\ngroup = 2\n",
        ),
        ("layers", "[[directives]]\nlayers = [{ tar = \"a.tar\" }]\n"),
        (
            "environment, a table",
            "[[directives]]\nenvironment = { A = \"b\" }\n",
        ),
        (
            "environment, a list",
            "[[directives]]\nenvironment = [{ vars = { A = \"b\" }, extend = false }]\n",
        ),
        (
            "mounts",
            "[[directives]]\nmounts = [{ type = \"proc\", mount_point = \"/proc\" }]\n",
        ),
        (
            "network, disabled",
            "[[directives]]\nnetwork = \"disabled\"\n",
        ),
        (
            "network, loopback",
            "[[directives]]\nnetwork = \"loopback\"\n",
        ),
        ("network, local", "[[directives]]\nnetwork = \"local\"\n"),
        (
            "privileges",
            "[[directives]]\nprivileges = \"full\"\n\
             [[directives]]\nparent = { name = \"a\", use = [\"privileges\"] }\n\
             [containers.a]\nprivileges = \"ordinary\"\n",
        ),
        (
            "enable_writable_file_system",
            "[[directives]]\nenable_writable_file_system = true\n",
        ),
        (
            "working_directory",
            "[[directives]]\nworking_directory = \"/x\"\n",
        ),
        (
            "working_directory, relative",
            "[[directives]]\nworking_directory = \"x\"\n",
        ),
        (
            "user and group",
            "[[directives]]\nuser = 4294967295\ngroup = 0\n",
        ),
        (
            "toolbox",
            "[[directives]]\nparent = \"default\"\ntoolbox = false\n",
        ),
    ]);
    insta::assert_snapshot!(rows);
}

#[test]
fn mistakes_in_fields() {
    let rows = table(&[
        ("unknown key of the file", "[[directive]]\n"),
        ("the table's other name", "[container.x]\nuser = 1\n"),
        ("unknown field of a container", "[containers.x]\nusr = 1\n"),
        (
            "unknown field of a directive",
            "[[directives]]\nprogram = 1\n",
        ),
        ("containers of another type", "containers = 1\n"),
        ("directives of another type", "directives = {}\n"),
        ("a container of another type", "[containers]\nx = 1\n"),
        ("image of another type", "[[directives]]\nimage = 1\n"),
        (
            "image without a name",
            "[[directives]]\nimage = { use = [] }\n",
        ),
        (
            "image without a scheme",
            "[[directives]]\nimage = \"debian\"\n",
        ),
        (
            "image, unknown field",
            "[[directives]]\nimage = { name = \"oci:x\", uses = [] }\n",
        ),
        (
            "image, unknown use",
            "[[directives]]\nimage = { name = \"oci:x\", use = [\"user\"] }\n",
        ),
        (
            "parent, unknown use",
            "[[directives]]\nparent = { name = \"x\", use = [\"layer\"] }\n",
        ),
        ("layers of another type", "[[directives]]\nlayers = {}\n"),
        (
            "environment of another type",
            "[[directives]]\nenvironment = \"A=b\"\n",
        ),
        (
            "a variable of another type",
            "[[directives]]\nenvironment = { A = 1 }\n",
        ),
        (
            "a variable's bad name",
            "[[directives]]\nenvironment = { \"A=\" = \"1\" }\n",
        ),
        (
            "a bad substitution",
            "[[directives]]\nenvironment = { A = \"$HOME\" }\n",
        ),
        (
            "an element without extend",
            "[[directives]]\nenvironment = [{ vars = {} }]\n",
        ),
        (
            "an element without vars",
            "[[directives]]\nenvironment = [{ extend = true }]\n",
        ),
        ("unknown network", "[[directives]]\nnetwork = \"lopback\"\n"),
        (
            "a boolean of another type",
            "[[directives]]\nenable_writable_file_system = 1\n",
        ),
        (
            "a number of another type",
            "[[directives]]\nuser = \"root\"\n",
        ),
        ("a number below zero", "[[directives]]\ngroup = -1\n"),
        (
            "a number too large",
            "[[directives]]\ntimeout = 4294967296\n",
        ),
        (
            "a bad filter",
            "[[directives]]\nfilter = \"packge.equals(x)\"\n",
        ),
        (
            "a bad filter with escapes",
            "[[directives]]\nfilter = \"name.matches/\\\\d(/\"\n",
        ),
        ("broken TOML", "[[directives]\n"),
        (
            "devices, as they were",
            "[[directives]]\ndevices = [\"null\"]\n",
        ),
        (
            "added_devices, as they were",
            "[[directives]]\nadded_devices = [\"null\"]\n",
        ),
        (
            "enable_loopback, as it was",
            "[containers.x]\nenable_loopback = true\n",
        ),
    ]);
    insta::assert_snapshot!(rows);
}

#[test]
fn conflicts() {
    let rows = table(&[
        (
            "image with parent",
            "[[directives]]\nimage = \"oci:x\"\nparent = \"a\"\n",
        ),
        (
            "layers with added_layers",
            "[[directives]]\nimage = \"oci:x\"\nlayers = []\nadded_layers = []\n",
        ),
        (
            "environment with added_environment",
            "[containers.x]\nparent = \"a\"\nenvironment = {}\nadded_environment = {}\n",
        ),
        (
            "mounts with added_mounts",
            "[containers.x]\nparent = \"a\"\nmounts = []\nadded_mounts = []\n",
        ),
        ("added_layers alone", "[containers.x]\nadded_layers = []\n"),
        (
            "added_environment alone",
            "[containers.x]\nadded_environment = {}\n",
        ),
        ("added_mounts alone", "[containers.x]\nadded_mounts = []\n"),
        (
            "added_mounts to an image",
            "[containers.x]\nimage = \"oci:x\"\nadded_mounts = []\n",
        ),
        (
            "added_layers where use lacks layers",
            "[[directives]]\nimage = { name = \"oci:x\", use = [] }\nadded_layers = []\n",
        ),
        (
            "added_environment where use lacks environment",
            "[[directives]]\nparent = { name = \"x\", use = [] }\nadded_environment = {}\n",
        ),
        (
            "added_mounts where use lacks mounts",
            "[[directives]]\nparent = { name = \"x\", use = [] }\nadded_mounts = []\n",
        ),
        (
            "layers next to a use that has them",
            "[[directives]]\nimage = { name = \"oci:x\", use = [\"layers\"] }\nlayers = []\n",
        ),
        (
            "user next to a use that has it",
            "[[directives]]\nparent = { name = \"x\", use = [\"user\"] }\nuser = 1\n",
        ),
        (
            "a plain field without use drops out of it",
            "[containers.a]\nlayers = [{ tar = \"a.tar\" }]\nenvironment = { A = \"a\" }\n\
             [[directives]]\nparent = \"a\"\nlayers = [{ tar = \"b.tar\" }]\n",
        ),
        (
            "the same of an image",
            "[[directives]]\nimage = \"oci:x\"\nenvironment = { A = \"b\" }\n\
             working_directory = \"/w\"\n",
        ),
        (
            "plain and added in a directive without image and parent",
            "[[directives]]\nlayers = [{ tar = \"a.tar\" }]\nadded_layers = [{ tar = \"b.tar\" }]\n",
        ),
    ]);
    insta::assert_snapshot!(rows);
}

#[test]
fn directives_in_order() {
    let rows = table(&[
        (
            "filters",
            "[[directives]]\nfilter = \"name.equals(slow)\"\nuser = 1\n\
             [[directives]]\nfilter = \"name.equals(other)\"\nuser = 2\n",
        ),
        (
            "scalars overwrite",
            "[[directives]]\nuser = 1\ngroup = 1\n[[directives]]\nuser = 2\n",
        ),
        (
            "a plain list replaces, an added one appends",
            "[[directives]]\nlayers = [{ tar = \"a\" }]\nmounts = [{ type = \"tmp\", mount_point = \"/a\" }]\n\
             [[directives]]\nlayers = [{ tar = \"b\" }]\n\
             added_mounts = [{ type = \"tmp\", mount_point = \"/b\" }]\n",
        ),
        (
            "a plain list leaves what is inherited",
            "[containers.a]\nlayers = [{ tar = \"a\" }]\n\
             [[directives]]\nparent = \"a\"\nadded_layers = [{ tar = \"b\" }]\n\
             [[directives]]\nlayers = [{ tar = \"c\" }]\n",
        ),
        (
            "an image replaces the container, not what else was said",
            "[[directives]]\nuser = 1\nlayers = [{ tar = \"a\" }]\nignore = true\ntimeout = 5\n\
             include_shared_libraries = true\n[[directives]]\nimage = \"oci:x\"\ngroup = 2\n",
        ),
        (
            "ignore, timeout and libraries overwrite",
            "[[directives]]\nignore = true\ntimeout = 5\ninclude_shared_libraries = false\n\
             [[directives]]\nignore = false\ntimeout = 0\ninclude_shared_libraries = true\n",
        ),
        (
            "libraries unless layers come from an image",
            "[[directives]]\nimage = \"oci:x\"\n",
        ),
        (
            "also through a parent",
            "[containers.a]\nimage = \"oci:x\"\n[[directives]]\nparent = \"a\"\n",
        ),
        (
            "not when its layers are left out",
            "[containers.a]\nimage = \"oci:x\"\n\
             [[directives]]\nparent = { name = \"a\", use = [\"environment\"] }\n",
        ),
    ]);
    insta::assert_snapshot!(rows);
}

#[test]
fn inheritance() {
    let chain = "[containers.a]\nimage = \"oci:x\"\nadded_layers = [{ tar = \"a\" }]\nuser = 1\ngroup = 1\n\
                 network = \"disabled\"\nmounts = [{ type = \"tmp\", mount_point = \"/a\" }]\n\
                 [containers.b]\nparent = { name = \"a\", use = [\"layers\", \"user\", \"mounts\"] }\n\
                 added_layers = [{ tar = \"b\" }]\ngroup = 2\nenvironment = { B = \"b\" }\n";
    let all = format!(
        "{chain}[[directives]]\nparent = \"b\"\nadded_layers = [{{ tar = \"c\" }}]\nuser = 3\n"
    );
    let some = format!(
        "{chain}[[directives]]\nparent = {{ name = \"b\", use = [\"mounts\", \"group\", \"network\"] }}\n"
    );
    let rows = table(&[
        ("lists from the farthest, scalars from the nearest", &all),
        ("restrictions add up", &some),
        (
            "unknown parent",
            "[containers.tool]\n[[directives]]\nparent = \"tools\"\n",
        ),
        (
            "unknown parent of a parent",
            "[containers.a]\nparent = \"nobody\"\n[[directives]]\nparent = \"a\"\n",
        ),
        (
            "unknown parent that nobody needs",
            "[containers.a]\nparent = \"nobody\"\n[[directives]]\nfilter = \"none\"\nparent = \"a\"\n",
        ),
        (
            "unknown parent of which nothing is used",
            "[[directives]]\nparent = { name = \"nobody\", use = [] }\n",
        ),
        (
            "a circle",
            "[containers.a]\nparent = \"b\"\n[containers.b]\nparent = \"c\"\n\
             [containers.c]\nparent = \"b\"\n[[directives]]\nparent = \"a\"\n",
        ),
        (
            "sys and the host's network",
            "[[directives]]\nnetwork = \"local\"\nmounts = [{ type = \"sys\", mount_point = \"/sys\" }]\n",
        ),
        (
            "a container of the file hides the default one",
            "[containers.default]\nuser = 1\n[[directives]]\nparent = \"default\"\n",
        ),
        (
            "parts of the default one",
            "[[directives]]\nparent = { name = \"default\", use = [\"layers\", \"mounts\"] }\n\
             added_mounts = [{ type = \"tmp\", mount_point = \"/scratch\" }]\n",
        ),
    ]);
    insta::assert_snapshot!(rows);
}
