//! Reads containers and directives from a document's tree, checking names, types and obsolete
//! fields.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::document::{
    DocumentError, DocumentNode, DocumentTable, DocumentValue, SpanError, TableField, TextDocument,
};
use crate::filter::TestPattern;
use maelstrom_container::spec::{NetworkMode, PrivilegeLevel, RootAccess};
use maelstrom_image::ImageUri;
use maelstrom_model::error::help_of;

use super::container::{
    BaseReference, ContainerDefinition, ContainerFields, InheritedFields, ListField, ScalarFields,
    SpannedValue, SpecifiedMount, ToolboxMode,
};
use super::policy;
use super::policy::read::POLICY_FIELDS;
use super::profile::{DEFAULT_PROFILE, ProjectProfile, profile_chain, take_inherits};
use super::read_node::{SpecResult, boolean, choice, into_table, list, natural, require, text};
use super::reader::SpecReader;
use super::{TestDirective, TestSpecification, read_environment, read_layer, read_mount};

pub use super::reader::SpecContext;

/// The fields of a container, in the order in which errors list them.
pub(super) const CONTAINER_FIELDS: [&str; 15] = [
    "image",
    "parent",
    "layers",
    "added_layers",
    "environment",
    "added_environment",
    "mounts",
    "added_mounts",
    "network",
    "enable_writable_file_system",
    "working_directory",
    "user",
    "group",
    "toolbox",
    "privileges",
];

/// The fields that a directive has in addition to those of a container.
pub(super) const DIRECTIVE_FIELDS: [&str; 3] = ["filter", "ignore", "include_shared_libraries"];

/// Returns all fields of a directive.
pub(super) fn directive_fields() -> Vec<&'static str> {
    let own = DIRECTIVE_FIELDS.into_iter().chain(POLICY_FIELDS);
    own.chain(CONTAINER_FIELDS).collect()
}

/// The values of `network`.
pub(super) const NETWORK_MODES: [(&str, NetworkMode); 3] = [
    ("disabled", NetworkMode::Disabled),
    ("loopback", NetworkMode::Loopback),
    ("local", NetworkMode::Local),
];

/// The values of `privileges`.
pub(super) const PRIVILEGE_LEVELS: [(&str, PrivilegeLevel); 2] = [
    ("ordinary", PrivilegeLevel::Ordinary),
    ("full", PrivilegeLevel::Full),
];

/// The schemes of images' URIs.
pub(super) const IMAGE_SCHEMES: [&str; 4] =
    ["docker://", "oci:", "oci-archive:", "docker-archive:"];

/// The fields that earlier versions had, with hints on what replaces them.
const FORMER_FIELDS: [(&str, &str); 3] = [
    (
        "devices",
        "write a mount: { type = \"devices\", devices = [\"null\"] }; `devices` of directives names \
         others, such as /dev/kvm",
    ),
    (
        "added_devices",
        "write a mount: { type = \"devices\", devices = [\"null\"] }",
    ),
    ("enable_loopback", "write network = \"loopback\""),
];

impl TestSpecification {
    /// Reads a test runner's file, for runs that name no profile.
    pub fn read(
        document: &TextDocument,
        context: &SpecContext<'_>,
    ) -> Result<TestSpecification, DocumentError> {
        TestSpecification::read_profile(document, context, DEFAULT_PROFILE)
    }

    /// Reads a test runner's file, for runs that name this profile. If the file does not have it,
    /// the default profile counts.
    pub fn read_profile(
        document: &TextDocument,
        context: &SpecContext<'_>,
        profile: &str,
    ) -> Result<TestSpecification, DocumentError> {
        let table = document.read_toml()?;
        let reader = SpecReader::new(document, context);
        let read = reader.file(table, profile);
        let mut specification = read.map_err(|fault| document.locate(fault))?;
        specification.places = reader.places.into_inner();
        Ok(specification)
    }
}

impl SpecReader<'_> {
    fn file(&self, mut table: DocumentTable, profile: &str) -> SpecResult<TestSpecification> {
        let mut specification = TestSpecification::default();
        if let Some(field) = table.take("test_groups") {
            *self.test_groups.borrow_mut() = policy::read::test_groups(field.node)?;
        }
        if let Some(field) = table.take("containers") {
            let containers = into_table(field.node, "a table of containers")?;
            specification.containers = self.containers(containers)?;
        }
        if let Some(field) = table.take("directives") {
            for node in list(field.node, "an array of tables")? {
                specification.directives.push(self.directive(node)?);
            }
        }
        if let Some(field) = table.take("fixtures") {
            specification.fixtures = self.fixtures(field.node)?;
        }
        if let Some(field) = table.take("profiles") {
            specification.add_profiles(&self.profiles(field.node, profile)?);
        }
        let known = [
            "containers",
            "directives",
            "fixtures",
            "test_groups",
            "profiles",
        ];
        table.finish("the file", &known)?;
        Ok(specification)
    }

    /// Reads profiles. Returns the one of this name, and those from which it inherits.
    fn profiles(&self, node: DocumentNode, name: &str) -> SpecResult<Vec<ProjectProfile>> {
        let table = into_table(node, "a table of profiles")?;
        let mut profiles: BTreeMap<String, ProjectProfile> = BTreeMap::new();
        for field in table.fields {
            let profile = self.profile(field.node)?;
            profiles.insert(field.name, profile);
        }
        let name = match profiles.contains_key(name) {
            true => name,
            false => DEFAULT_PROFILE,
        };
        let is_known = |name: &str| profiles.contains_key(name);
        let parent = |name: &str| profiles.get(name)?.inherits.clone();
        let chain = profile_chain(name, &is_known, &parent)?;
        let chain = chain.iter().filter_map(|name| profiles.get(name).cloned());
        Ok(chain.collect())
    }

    /// Reads a profile, except for its options of the run, which are read elsewhere.
    fn profile(&self, node: DocumentNode) -> SpecResult<ProjectProfile> {
        let mut table = into_table(node, "a profile")?;
        let filter = table.take("filter").map(|field| self.filter(field.node));
        let directives = table.take("directives");
        let directives = directives.map_or(Ok(Vec::new()), |field| {
            list(field.node, "an array of tables")
        });
        let directives = directives?.into_iter().map(|node| self.directive(node));
        Ok(ProjectProfile {
            inherits: take_inherits(&mut table)?,
            filter: filter.transpose()?,
            policy: policy::read::policy(self.document, &self.test_groups.borrow(), &mut table)?,
            directives: directives.collect::<SpecResult<_>>()?,
        })
    }

    /// Reads containers by name.
    pub(super) fn containers(
        &self,
        table: DocumentTable,
    ) -> SpecResult<BTreeMap<String, ContainerDefinition>> {
        let named = |field: TableField| Ok((field.name, self.container(field.node)?));
        table.fields.into_iter().map(named).collect()
    }

    fn container(&self, node: DocumentNode) -> SpecResult<ContainerDefinition> {
        let mut table = into_table(node, "a container")?;
        let fields = self.fields(&mut table)?;
        refuse_former(&table)?;
        table.finish("a container", &CONTAINER_FIELDS)?;
        fields.into_container()
    }

    fn directive(&self, node: DocumentNode) -> SpecResult<TestDirective> {
        let place = self.document.place(&node.span);
        let mut table = into_table(node, "a directive")?;
        let filter = table.take("filter").map(|field| self.filter(field.node));
        let ignore = table.take("ignore").map(|field| boolean(&field.node));
        let policy = policy::read::policy(self.document, &self.test_groups.borrow(), &mut table)?;
        let libraries = table.take("include_shared_libraries");
        let libraries = libraries.map(|field| boolean(&field.node));
        let fields = self.fields(&mut table)?;
        refuse_former(&table)?;
        table.finish("a directive", &directive_fields())?;
        Ok(TestDirective {
            place,
            filter: filter.transpose()?,
            change: fields.into_change()?,
            ignore: ignore.transpose()?,
            policy,
            include_shared_libraries: libraries.transpose()?,
        })
    }

    /// Takes the fields of a container out of a table.
    pub(super) fn fields(&self, table: &mut DocumentTable) -> SpecResult<ContainerFields> {
        // The spans are recorded first, because taking a field removes it from the table.
        let spans = InheritedFields::NAMES.iter().filter_map(|(name, _)| {
            let field = table.fields.iter().find(|field| field.name == *name)?;
            Some((*name, field.span.clone()))
        });
        let spans: BTreeMap<&'static str, Range<usize>> = spans.collect();
        let image = table.take("image");
        let image = image.map(|field| self.image(field)).transpose()?;
        let parent = table.take("parent");
        let parent = parent.map(|field| self.parent(field)).transpose()?;
        Ok(ContainerFields {
            image,
            parent,
            layers: self.list(table, "layers", |node| {
                let layers = list(node, "an array of layers")?;
                let layer = |node: DocumentNode| {
                    let span = node.span.clone();
                    let layer = read_layer::layer(self, node)?;
                    self.noted(&span, &layer, |places| &mut places.layers);
                    Ok(layer)
                };
                layers.into_iter().map(layer).collect()
            })?,
            environment: self.list(table, "environment", read_environment::elements)?,
            mounts: self.list(table, "mounts", |node| {
                let mounts = list(node, "an array of mounts")?;
                let mount = |node: DocumentNode| {
                    let span = node.span.clone();
                    let place: Arc<str> = self.document.place(&span).into();
                    let placed = |mount| SpecifiedMount {
                        mount,
                        place: Some(Arc::clone(&place)),
                    };
                    let mounts = read_mount::mount(self, node)?.into_iter();
                    Ok(mounts.map(placed).collect::<Vec<_>>())
                };
                let mounts = mounts.into_iter().map(mount);
                Ok(mounts.collect::<SpecResult<Vec<_>>>()?.concat())
            })?,
            scalars: self.scalars(table)?,
            spans,
        })
    }

    /// Takes a list field out of a table, both plain and added.
    fn list<T>(
        &self,
        table: &mut DocumentTable,
        name: &str,
        read: impl Fn(DocumentNode) -> SpecResult<Vec<T>>,
    ) -> SpecResult<ListField<T>> {
        let mut take = |name: &str| -> SpecResult<Option<SpannedValue<Vec<T>>>> {
            let Some(field) = table.take(name) else {
                return Ok(None);
            };
            let span = field.span;
            let value = read(field.node)?;
            Ok(Some(SpannedValue { span, value }))
        };
        Ok(ListField {
            plain: take(name)?,
            added: take(&format!("added_{name}"))?,
        })
    }

    fn scalars(&self, table: &mut DocumentTable) -> SpecResult<ScalarFields> {
        let mut scalars = ScalarFields::default();
        if let Some(field) = table.take("network") {
            scalars.network = Some(choice(&field.node, &NETWORK_MODES)?);
        }
        if let Some(field) = table.take("enable_writable_file_system") {
            scalars.root_access = Some(if boolean(&field.node)? {
                RootAccess::Ephemeral
            } else {
                RootAccess::ReadOnly
            });
        }
        if let Some(field) = table.take("working_directory") {
            let directory = text(field.node, "a string")?;
            scalars.working_directory = Some(Path::new("/").join(directory));
        }
        if let Some(field) = table.take("user") {
            scalars.user = Some(natural(&field.node)?);
        }
        if let Some(field) = table.take("group") {
            scalars.group = Some(natural(&field.node)?);
        }
        if let Some(field) = table.take("toolbox") {
            scalars.toolbox = Some(if boolean(&field.node)? {
                ToolboxMode::Present
            } else {
                ToolboxMode::Absent
            });
        }
        if let Some(field) = table.take("privileges") {
            scalars.privileges = Some(choice(&field.node, &PRIVILEGE_LEVELS)?);
        }
        Ok(scalars)
    }

    fn image(&self, field: TableField) -> SpecResult<SpannedValue<BaseReference>> {
        let origin = self.origin(field, "an image", InheritedFields::IMAGE)?;
        if IMAGE_SCHEMES
            .iter()
            .any(|scheme| origin.value.name.starts_with(scheme))
        {
            if let Err(error) = origin.value.name.parse::<ImageUri>() {
                return Err(SpanError {
                    span: origin.span,
                    message: error.to_string(),
                    help: help_of(&error),
                });
            }
            self.noted(&origin.span, &origin.value.name, |places| {
                &mut places.images
            });
            return Ok(origin);
        }
        Err(SpanError {
            span: origin.span,
            message: format!("`{}` is not the URI of an image", origin.value.name),
            help: Some(format!(
                "an image's URI begins with {}; of a registry's image it is `docker://{}`",
                crate::snippet::alternatives(&IMAGE_SCHEMES),
                origin.value.name
            )),
        })
    }

    fn parent(&self, field: TableField) -> SpecResult<SpannedValue<BaseReference>> {
        self.origin(field, "a parent", InheritedFields::all())
    }

    /// Reads a base: a name, or a table of a name and a `use` list.
    fn origin(
        &self,
        field: TableField,
        what: &str,
        available: InheritedFields,
    ) -> SpecResult<SpannedValue<BaseReference>> {
        let span = field.node.span.clone();
        let place = self.document.place(&span);
        let mut table = match field.node.value {
            DocumentValue::Text(name) => {
                let value = BaseReference {
                    name,
                    uses: None,
                    place,
                };
                return Ok(SpannedValue { span, value });
            }
            DocumentValue::Table(table) => table,
            _ => {
                let expected = "a string, or a table of `name` and `use`";
                return Err(field.node.not(expected));
            }
        };
        let name = require(&mut table, "name", what, &span)?;
        let name = text(name.node, "a string")?;
        let uses = table.take("use");
        let uses = uses
            .map(|field| uses_of(field.node, available))
            .transpose()?;
        table.finish(what, &["name", "use"])?;
        let value = BaseReference { name, uses, place };
        Ok(SpannedValue { span, value })
    }

    pub(super) fn filter(&self, node: DocumentNode) -> SpecResult<TestPattern> {
        let span = node.span.clone();
        let pattern = text(node, "a pattern")?;
        TestPattern::parse(&pattern, self.context.vocabulary).map_err(|error| {
            // If the string has no escapes, the span in the pattern can be mapped to the file.
            match self.document.literal_at(&span, &pattern) {
                Some(start) => SpanError {
                    span: start + error.span.start..start + error.span.end,
                    message: format!("invalid filter pattern: {}", error.problem),
                    help: help_of(&error),
                },
                None => SpanError {
                    span,
                    message: error.to_string(),
                    help: help_of(&error),
                },
            }
        })
    }
}

pub(super) fn refuse_former(table: &DocumentTable) -> SpecResult<()> {
    for (name, help) in FORMER_FIELDS {
        if let Some(field) = table.fields.iter().find(|field| field.name == name) {
            return Err(SpanError {
                span: field.span.clone(),
                message: format!("`{name}` is no longer a field"),
                help: Some(help.to_owned()),
            });
        }
    }
    Ok(())
}

fn uses_of(node: DocumentNode, available: InheritedFields) -> SpecResult<InheritedFields> {
    let known: Vec<(&str, InheritedFields)> = InheritedFields::NAMES
        .into_iter()
        .filter(|(_, flag)| available.contains(*flag))
        .collect();
    let names = list(node, "an array of fields")?;
    names.iter().map(|node| choice(node, &known)).collect()
}
