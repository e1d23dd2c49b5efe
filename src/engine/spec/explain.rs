//! Prints a test's resolved container as an equivalent file, to read or to copy from.

use std::fmt::Write;
use std::path::Path;

use maelstrom_container::spec::{
    BindAccess, Mount, MountKind, NetworkMode, PrivilegeLevel, RootAccess,
};
use maelstrom_layer::{LayerSpec, PathForm, PrefixOptions, SymlinkMode};

use maelstrom_model::event::untrusted_text;

use super::container::{InheritedFields, ScalarFields, ToolboxMode};
use super::environment::{EnvironmentElement, MergeMode};
use super::template::escape;
use super::{DEFAULT_CONTAINER, ResolvedBase, ResolvedSpec, SpecResolution, TestSpecification};

/// Returns the directives that apply to a test, as comments, and the resulting specification, as
/// TOML.
pub fn explain(
    title: &str,
    specification: &TestSpecification,
    resolution: &SpecResolution,
) -> String {
    let mut text = format!("# {}\n#\n", comment(title));
    let applied: Vec<_> = resolution
        .applied
        .iter()
        .filter_map(|index| specification.directives.get(*index))
        .collect();
    if applied.is_empty() {
        text.push_str("# No directive applies.\n");
    } else {
        text.push_str("# These directives apply, in this order:\n");
    }
    for directive in applied {
        let filter = match &directive.filter {
            None => "every test".to_owned(),
            Some(filter) => comment(&filter.to_string()),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "#   {}  {filter}", comment(&directive.place));
    }
    if !resolution.resolved.fixtures.is_empty() {
        text.push_str("# It begins with what these fixtures have made:\n");
    }
    for fixture in &resolution.resolved.fixtures {
        let directory = comment(&fixture.directory.to_string_lossy());
        let service = match &fixture.service {
            Some(_) => ", with a service",
            None => "",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "#   {}  {}: {directory}{service}",
            comment(&fixture.place),
            fixture.name
        );
    }
    text.push_str("#\n# So the test gets:\n\n");
    text.push_str(&print(&resolution.resolved));
    text
}

/// Returns a file with one directive that gives every test this specification.
pub fn print(resolved: &ResolvedSpec) -> String {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut field = |name: &str, value: String| fields.push((name.to_owned(), value));
    let inherited = resolved.base.inherited();
    match &resolved.base {
        ResolvedBase::Nothing => {}
        ResolvedBase::Default { inherited } => {
            field("parent", origin(DEFAULT_CONTAINER, *inherited));
        }
        ResolvedBase::Image { name, inherited } => field("image", origin(name, *inherited)),
    }
    let list = |name: &str, flag: InheritedFields| {
        if inherited.contains(flag) {
            format!("added_{name}")
        } else {
            name.to_owned()
        }
    };
    let lists = [
        (
            list("layers", InheritedFields::LAYERS),
            resolved.layers.iter().map(layer).collect::<Vec<_>>(),
        ),
        (
            list("environment", InheritedFields::ENVIRONMENT),
            resolved.environment.iter().map(element).collect(),
        ),
        (
            list("mounts", InheritedFields::MOUNTS),
            resolved
                .mounts
                .iter()
                .filter_map(|own| mount(&own.mount))
                .collect(),
        ),
    ];
    for (name, items) in lists {
        if !items.is_empty() {
            field(&name, format!("[\n    {},\n]", items.join(",\n    ")));
        }
    }
    scalars(&resolved.scalars, &mut field);
    for shown in resolved.policy.shown() {
        // A limit of 0 is that of a test without the field.
        let is_set = shown.origin.is_some() && (shown.name != "timeout" || shown.value != "0");
        if is_set {
            field(shown.name, shown.value);
        }
    }
    if resolved.ignored {
        field("ignore", "true".to_owned());
    }
    // This field is always printed, because its default depends on the base.
    let libraries = resolved.include_shared_libraries;
    field("include_shared_libraries", libraries.to_string());
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name} = {value}\n"));
    format!("[[directives]]\n{}", fields.collect::<String>())
}

fn scalars(scalars: &ScalarFields, field: &mut impl FnMut(&str, String)) {
    if let Some(network) = scalars.network {
        let network = match network {
            NetworkMode::Disabled => "disabled",
            NetworkMode::Loopback => "loopback",
            NetworkMode::Local => "local",
        };
        field("network", string(network));
    }
    if let Some(access) = scalars.root_access {
        let writable = match access {
            RootAccess::Ephemeral => "true",
            RootAccess::ReadOnly => "false",
        };
        field("enable_writable_file_system", writable.to_owned());
    }
    if let Some(directory) = &scalars.working_directory {
        field("working_directory", path(directory));
    }
    if let Some(user) = scalars.user {
        field("user", user.to_string());
    }
    if let Some(group) = scalars.group {
        field("group", group.to_string());
    }
    if let Some(toolbox) = scalars.toolbox {
        let present = match toolbox {
            ToolboxMode::Present => "true",
            ToolboxMode::Absent => "false",
        };
        field("toolbox", present.to_owned());
    }
    if let Some(privileges) = scalars.privileges {
        let privileges = match privileges {
            PrivilegeLevel::Ordinary => "ordinary",
            PrivilegeLevel::Full => "full",
        };
        field("privileges", string(privileges));
    }
}

fn origin(name: &str, inherited: InheritedFields) -> String {
    let names = InheritedFields::NAMES.iter();
    let uses = names.filter(|(_, flag)| inherited.contains(*flag));
    let uses: Vec<String> = uses.map(|(name, _)| string(name)).collect();
    format!("{{ name = {}, use = [{}] }}", string(name), uses.join(", "))
}

fn layer(layer: &LayerSpec) -> String {
    let strings = |texts: &mut dyn Iterator<Item = &str>| {
        let texts: Vec<String> = texts.map(|text| string(&escape(text))).collect();
        format!("[{}]", texts.join(", "))
    };
    let fields = match layer {
        LayerSpec::Tar { path } => vec![format!("tar = {}", escaped(path))],
        LayerSpec::Glob { pattern, prefix } => {
            let glob = format!("glob = {}", string(&escape(pattern)));
            [vec![glob], prefix_options(prefix)].concat()
        }
        LayerSpec::Paths { paths, prefix } => {
            let texts: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
            let paths = strings(&mut texts.iter().map(AsRef::as_ref));
            [vec![format!("paths = {paths}")], prefix_options(prefix)].concat()
        }
        LayerSpec::Stubs { stubs } => {
            vec![format!(
                "stubs = {}",
                strings(&mut stubs.iter().map(String::as_str))
            )]
        }
        LayerSpec::Symlinks { symlinks } => {
            let links = symlinks.iter().map(|symlink| {
                let (link, target) = (escaped(&symlink.link), escaped(&symlink.target));
                format!("{{ link = {link}, target = {target} }}")
            });
            let links: Vec<String> = links.collect();
            vec![format!("symlinks = [{}]", links.join(", "))]
        }
        LayerSpec::SharedLibraryDependencies { binaries, prefix } => {
            let texts: Vec<_> = binaries.iter().map(|path| path.to_string_lossy()).collect();
            let binaries = strings(&mut texts.iter().map(AsRef::as_ref));
            let key = format!("shared_library_dependencies = {binaries}");
            [vec![key], prefix_options(prefix)].concat()
        }
    };
    format!("{{ {} }}", fields.join(", "))
}

fn prefix_options(options: &PrefixOptions) -> Vec<String> {
    let mut fields = Vec::new();
    match options.links {
        SymlinkMode::Keep => {}
        SymlinkMode::Follow => fields.push("follow_symlinks = true".to_owned()),
    }
    match options.form {
        PathForm::AsGiven => {}
        PathForm::Canonical => fields.push("canonicalize = true".to_owned()),
    }
    let strip = options.strip_prefix.as_ref();
    fields.extend(strip.map(|prefix| format!("strip_prefix = {}", path(prefix))));
    let prepend = options.prepend_prefix.as_ref();
    fields.extend(prepend.map(|prefix| format!("prepend_prefix = {}", path(prefix))));
    fields
}

fn element(element: &EnvironmentElement) -> String {
    let vars = element.vars.iter();
    let vars = vars.map(|(name, text)| format!("{} = {}", string(name), string(&text.to_string())));
    let vars: Vec<String> = vars.collect();
    let extend = match element.merge {
        MergeMode::Extend => true,
        MergeMode::Replace => false,
    };
    format!("{{ vars = {{ {} }}, extend = {extend} }}", vars.join(", "))
}

/// Formats a mount. Returns `None` for kinds that only runners use, which have no syntax in files.
fn mount(mount: &Mount) -> Option<String> {
    let at = |kind: &str| {
        let point = path(&mount.mount_point);
        Some(format!("{{ type = \"{kind}\", mount_point = {point} }}"))
    };
    match &mount.kind {
        MountKind::Bind { source, access } => {
            let read_only = match access {
                BindAccess::ReadOnly => true,
                BindAccess::ReadWrite => false,
            };
            let (point, source) = (path(&mount.mount_point), path(source));
            Some(format!(
                "{{ type = \"bind\", mount_point = {point}, local_path = {source}, \
                 read_only = {read_only} }}"
            ))
        }
        MountKind::Device(device) => {
            let name = string(device.name());
            Some(format!("{{ type = \"devices\", devices = [{name}] }}"))
        }
        MountKind::DevPts => at("devpts"),
        MountKind::MessageQueue => at("mqueue"),
        MountKind::Proc => at("proc"),
        MountKind::Sys { .. } => at("sys"),
        MountKind::Tmp => at("tmp"),
        MountKind::Overlay { .. } | MountKind::Scratch { .. } | MountKind::Mask => None,
    }
}

fn escaped(text: &Path) -> String {
    string(&escape(&text.to_string_lossy()))
}

fn path(text: &Path) -> String {
    string(&text.to_string_lossy())
}

/// Formats a TOML string.
fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Removes characters from a text that would end a comment or affect a terminal.
fn comment(text: &str) -> String {
    untrusted_text::clean(text).into_owned()
}
