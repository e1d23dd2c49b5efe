//! Containers as files describe them: their own fields, and what they inherit from a parent or an
//! image.
//!
//! Which fields may be combined is checked here, once for containers, directives and jobs; a
//! [`ContainerDefinition`] that exists has no conflicts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bitflags::bitflags;

use crate::document::SpanError;
use maelstrom_container::spec::{Mount, NetworkMode, PrivilegeLevel, RootAccess};
use maelstrom_layer::LayerSpec;

use super::environment::EnvironmentElement;

bitflags! {
    /// Fields that are taken over from a parent or an image.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct InheritedFields: u16 {
        /// `layers`
        const LAYERS = 1;
        /// `environment`
        const ENVIRONMENT = 1 << 1;
        /// `working_directory`
        const WORKING_DIRECTORY = 1 << 2;
        /// `enable_writable_file_system`
        const ROOT_ACCESS = 1 << 3;
        /// `mounts`
        const MOUNTS = 1 << 4;
        /// `network`
        const NETWORK = 1 << 5;
        /// `user`
        const USER = 1 << 6;
        /// `group`
        const GROUP = 1 << 7;
        /// `toolbox`
        const TOOLBOX = 1 << 8;
        /// `privileges`
        const PRIVILEGES = 1 << 9;
    }
}

impl InheritedFields {
    /// What there is to take over from an image.
    pub const IMAGE: InheritedFields = InheritedFields::LAYERS
        .union(InheritedFields::ENVIRONMENT)
        .union(InheritedFields::WORKING_DIRECTORY);

    /// The fields by their names in files.
    pub(super) const NAMES: [(&'static str, InheritedFields); 10] = [
        ("layers", InheritedFields::LAYERS),
        ("environment", InheritedFields::ENVIRONMENT),
        ("working_directory", InheritedFields::WORKING_DIRECTORY),
        ("enable_writable_file_system", InheritedFields::ROOT_ACCESS),
        ("mounts", InheritedFields::MOUNTS),
        ("network", InheritedFields::NETWORK),
        ("user", InheritedFields::USER),
        ("group", InheritedFields::GROUP),
        ("toolbox", InheritedFields::TOOLBOX),
        ("privileges", InheritedFields::PRIVILEGES),
    ];
}

/// Whether jobs see this machine's programs and libraries, read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolboxMode {
    Present,
    /// They see nothing but what is named.
    Absent,
}

/// What a container begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ContainerBase {
    #[default]
    Nothing,
    Image {
        name: String,
        /// What is taken over.
        inherited: InheritedFields,
    },
    Parent {
        name: String,
        /// What is taken over.
        inherited: InheritedFields,
        /// Where the name stands, for errors.
        place: String,
    },
}

/// A container: what it begins with, and its own fields. Lists are added to those taken over,
/// scalars stand in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerDefinition {
    /// What it begins with.
    pub base: ContainerBase,
    pub layers: Vec<LayerSpec>,
    pub environment: Vec<EnvironmentElement>,
    pub mounts: Vec<SpecifiedMount>,
    pub scalars: ScalarFields,
}

/// A mount, and where it stands. Mounts are equal wherever they stand.
#[derive(Clone, Debug)]
pub struct SpecifiedMount {
    pub mount: Mount,
    /// Where a file asks for it, for errors.
    pub place: Option<Arc<str>>,
}

impl PartialEq for SpecifiedMount {
    fn eq(&self, other: &SpecifiedMount) -> bool {
        self.mount == other.mount
    }
}

impl Eq for SpecifiedMount {}

impl From<Mount> for SpecifiedMount {
    fn from(mount: Mount) -> SpecifiedMount {
        SpecifiedMount { mount, place: None }
    }
}

/// Fields that have one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScalarFields {
    /// What of the network jobs see.
    pub network: Option<NetworkMode>,
    /// Whether the root may be written to.
    pub root_access: Option<RootAccess>,
    pub working_directory: Option<PathBuf>,
    pub user: Option<u32>,
    pub group: Option<u32>,
    /// Whether this machine's programs are there.
    pub toolbox: Option<ToolboxMode>,
    /// What jobs may do.
    pub privileges: Option<PrivilegeLevel>,
}

impl ScalarFields {
    /// These, and where there is none, those of `other`, if they are among `inherited`.
    pub(super) fn or(self, other: &ScalarFields, inherited: InheritedFields) -> ScalarFields {
        fn pick<T: Clone>(
            own: Option<T>,
            other: &Option<T>,
            inherited: InheritedFields,
            flag: InheritedFields,
        ) -> Option<T> {
            own.or_else(|| other.clone().filter(|_| inherited.contains(flag)))
        }
        ScalarFields {
            network: pick(
                self.network,
                &other.network,
                inherited,
                InheritedFields::NETWORK,
            ),
            root_access: pick(
                self.root_access,
                &other.root_access,
                inherited,
                InheritedFields::ROOT_ACCESS,
            ),
            working_directory: pick(
                self.working_directory,
                &other.working_directory,
                inherited,
                InheritedFields::WORKING_DIRECTORY,
            ),
            user: pick(self.user, &other.user, inherited, InheritedFields::USER),
            group: pick(self.group, &other.group, inherited, InheritedFields::GROUP),
            toolbox: pick(
                self.toolbox,
                &other.toolbox,
                inherited,
                InheritedFields::TOOLBOX,
            ),
            privileges: pick(
                self.privileges,
                &other.privileges,
                inherited,
                InheritedFields::PRIVILEGES,
            ),
        }
    }

    /// Those that are set.
    pub(super) fn set(&self) -> InheritedFields {
        let mut set = InheritedFields::empty();
        set.set(InheritedFields::NETWORK, self.network.is_some());
        set.set(InheritedFields::ROOT_ACCESS, self.root_access.is_some());
        set.set(
            InheritedFields::WORKING_DIRECTORY,
            self.working_directory.is_some(),
        );
        set.set(InheritedFields::USER, self.user.is_some());
        set.set(InheritedFields::GROUP, self.group.is_some());
        set.set(InheritedFields::TOOLBOX, self.toolbox.is_some());
        set.set(InheritedFields::PRIVILEGES, self.privileges.is_some());
        set
    }
}

/// Something with its place.
#[derive(Clone, Debug)]
pub(super) struct SpannedValue<T> {
    pub(super) span: Range<usize>,
    pub(super) value: T,
}

/// A list field as it was written: plain, added, or both.
#[derive(Clone, Debug)]
pub(super) struct ListField<T> {
    pub(super) plain: Option<SpannedValue<Vec<T>>>,
    pub(super) added: Option<SpannedValue<Vec<T>>>,
}

/// What a container is said to begin with.
#[derive(Clone, Debug)]
pub(super) struct BaseReference {
    pub(super) name: String,
    /// The `use` list, if there is one.
    pub(super) uses: Option<InheritedFields>,
    /// Where the name stands, for errors.
    pub(super) place: String,
}

/// The fields of a container as they were written.
#[derive(Clone, Debug)]
pub(super) struct ContainerFields {
    pub(super) image: Option<SpannedValue<BaseReference>>,
    pub(super) parent: Option<SpannedValue<BaseReference>>,
    pub(super) layers: ListField<LayerSpec>,
    pub(super) environment: ListField<EnvironmentElement>,
    pub(super) mounts: ListField<SpecifiedMount>,
    pub(super) scalars: ScalarFields,
    /// Where each plain field stands.
    pub(super) spans: BTreeMap<&'static str, Range<usize>>,
}

impl ContainerFields {
    /// The container with these fields.
    pub(super) fn into_container(self) -> Result<ContainerDefinition, SpanError> {
        let based = BaseKind::of(&self)?;
        self.check_plain(&based)?;
        let layers = own("layers", InheritedFields::LAYERS, &based, self.layers)?;
        let environment = own(
            "environment",
            InheritedFields::ENVIRONMENT,
            &based,
            self.environment,
        )?;
        let mounts = own("mounts", InheritedFields::MOUNTS, &based, self.mounts)?;
        let plain = self.spans.keys();
        let plain = plain
            .filter_map(|name| flag(name))
            .collect::<InheritedFields>();
        let rest = |available: InheritedFields, origin: &BaseReference| match origin.uses {
            Some(uses) => uses,
            None => available - plain,
        };
        let base = match (self.image, self.parent) {
            (Some(image), _) => ContainerBase::Image {
                inherited: rest(InheritedFields::IMAGE, &image.value),
                name: image.value.name,
            },
            (None, Some(parent)) => ContainerBase::Parent {
                inherited: rest(InheritedFields::all(), &parent.value),
                name: parent.value.name,
                place: parent.value.place,
            },
            (None, None) => ContainerBase::Nothing,
        };
        Ok(ContainerDefinition {
            base,
            layers,
            environment,
            mounts,
            scalars: self.scalars,
        })
    }

    /// A plain field and a `use` list that has it say two things about one field.
    fn check_plain(&self, based: &BaseKind) -> Result<(), SpanError> {
        let Some(uses) = based.explicit_uses() else {
            return Ok(());
        };
        for (name, span) in &self.spans {
            if flag(name).is_some_and(|flag| uses.contains(flag)) {
                return Err(
                    fault(span, format!("`{name}` is set here and listed in `use`"))
                        .with_help(format!("remove one of the two{}", or_added(name))),
                );
            }
        }
        Ok(())
    }
}

/// What fields may refer to.
enum BaseKind {
    Nothing,
    Image(Option<InheritedFields>),
    Parent(Option<InheritedFields>),
}

impl BaseKind {
    fn of(fields: &ContainerFields) -> Result<BaseKind, SpanError> {
        match (&fields.image, &fields.parent) {
            (Some(image), Some(parent)) => {
                let later = if image.span.start > parent.span.start {
                    &image.span
                } else {
                    &parent.span
                };
                Err(
                    fault(later, "a container cannot have both `image` and `parent`")
                        .with_help("let the parent name the image"),
                )
            }
            (Some(image), None) => Ok(BaseKind::Image(image.value.uses)),
            (None, Some(parent)) => Ok(BaseKind::Parent(parent.value.uses)),
            (None, None) => Ok(BaseKind::Nothing),
        }
    }

    fn explicit_uses(&self) -> Option<InheritedFields> {
        match self {
            BaseKind::Nothing => None,
            BaseKind::Image(uses) | BaseKind::Parent(uses) => *uses,
        }
    }
}

/// A list of a container's own, plain or added.
fn own<T>(
    name: &'static str,
    flag: InheritedFields,
    based: &BaseKind,
    list: ListField<T>,
) -> Result<Vec<T>, SpanError> {
    let Some(added) = list.added else {
        return Ok(list.plain.map_or(Vec::new(), |plain| plain.value));
    };
    if list.plain.is_some() {
        return Err(fault(
            &added.span,
            format!("`{name}` and `added_{name}` exclude each other here"),
        )
        .with_help("put everything into one of the two"));
    }
    let missing = match based {
        BaseKind::Nothing if flag == InheritedFields::MOUNTS => Some("a `parent`"),
        BaseKind::Nothing => Some("an `image` or a `parent`"),
        BaseKind::Image(_) if flag == InheritedFields::MOUNTS => {
            Some("a `parent` (an image has no mounts)")
        }
        BaseKind::Image(_) | BaseKind::Parent(_) => None,
    };
    if let Some(missing) = missing {
        return Err(fault(
            &added.span,
            format!("`added_{name}` needs {missing} to add to"),
        )
        .with_help(format!("write `{name}`")));
    }
    let uses = based.explicit_uses();
    if uses.is_some_and(|uses| !uses.contains(flag)) {
        return Err(fault(
            &added.span,
            format!("`added_{name}` adds to something that the `use` list lacks"),
        )
        .with_help(format!("add \"{name}\" to the list, or write `{name}`")));
    }
    Ok(added.value)
}

fn flag(name: &str) -> Option<InheritedFields> {
    let found = InheritedFields::NAMES
        .iter()
        .find(|(known, _)| *known == name);
    found.map(|(_, flag)| *flag)
}

fn or_added(name: &str) -> String {
    match name {
        "layers" | "environment" | "mounts" => format!(", or write `added_{name}`"),
        _ => String::new(),
    }
}

fn fault(span: &Range<usize>, message: impl Into<String>) -> SpanError {
    SpanError {
        span: span.clone(),
        message: message.into(),
        help: None,
    }
}
