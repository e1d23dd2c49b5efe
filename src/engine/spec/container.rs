//! Containers as files describe them: their own fields, and those inherited from a parent or an
//! image.
//!
//! This module checks which fields may be combined, for containers, directives and jobs alike. A
//! [`ContainerDefinition`] never contains conflicting fields.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bitflags::bitflags;

use crate::document::SpanError;
use maelstrom_container::spec::{Mount, NetworkMode, PrivilegeLevel, RootAccess};
use maelstrom_layer::LayerSpec;

use super::environment::EnvironmentElement;

/// The name of the container that tests get without a file. A container of that name in a file
/// replaces it.
pub const DEFAULT_CONTAINER: &str = "default";

bitflags! {
    /// Fields that are inherited from a parent or an image.
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
    /// The fields that can be inherited from an image.
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
    /// Jobs see only the layers and mounts of their container.
    Absent,
}

/// The base from which a container inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ContainerBase {
    #[default]
    Nothing,
    Image {
        name: String,
        /// The fields that are inherited.
        inherited: InheritedFields,
    },
    Parent {
        name: String,
        /// The fields that are inherited.
        inherited: InheritedFields,
        /// The position of the parent's name in the file, for errors.
        place: String,
    },
}

/// A container: its base and its own fields. Own items are appended to inherited lists; own scalars
/// replace inherited ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerDefinition {
    /// The base from which it inherits.
    pub base: ContainerBase,
    pub layers: Vec<LayerSpec>,
    pub environment: Vec<EnvironmentElement>,
    pub mounts: Vec<SpecifiedMount>,
    pub scalars: ScalarFields,
}

impl ContainerDefinition {
    /// Returns the container that tests get without a file.
    pub(super) fn by_default() -> ContainerDefinition {
        ContainerDefinition {
            base: ContainerBase::Parent {
                name: DEFAULT_CONTAINER.to_owned(),
                inherited: InheritedFields::all(),
                place: "built in".to_owned(),
            },
            ..ContainerDefinition::default()
        }
    }
}

/// A mount and its position in a file. The position does not affect equality.
#[derive(Clone, Debug)]
pub struct SpecifiedMount {
    pub mount: Mount,
    /// The position in the file that specifies the mount, for errors.
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

/// The fields that have a single value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScalarFields {
    /// The network that jobs see.
    pub network: Option<NetworkMode>,
    /// Whether the root file system is writable.
    pub root_access: Option<RootAccess>,
    pub working_directory: Option<PathBuf>,
    pub user: Option<u32>,
    pub group: Option<u32>,
    /// Whether this machine's programs are visible.
    pub toolbox: Option<ToolboxMode>,
    /// The privileges of jobs.
    pub privileges: Option<PrivilegeLevel>,
}

impl ScalarFields {
    /// Returns these fields, completed by those of `other` that are in `inherited`.
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

    /// Returns which fields are set.
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

/// A value and its span in the text.
#[derive(Clone, Debug)]
pub(super) struct SpannedValue<T> {
    pub(super) span: Range<usize>,
    pub(super) value: T,
}

/// A list field as written: plain, added, or both.
#[derive(Clone, Debug)]
pub(super) struct ListField<T> {
    pub(super) plain: Option<SpannedValue<Vec<T>>>,
    pub(super) added: Option<SpannedValue<Vec<T>>>,
}

/// A reference to a parent or an image, as written.
#[derive(Clone, Debug)]
pub(super) struct BaseReference {
    pub(super) name: String,
    /// The `use` list, if present.
    pub(super) uses: Option<InheritedFields>,
    /// The position of the name in the file, for errors.
    pub(super) place: String,
}

/// The fields of a container as written.
#[derive(Clone, Debug)]
pub(super) struct ContainerFields {
    pub(super) image: Option<SpannedValue<BaseReference>>,
    pub(super) parent: Option<SpannedValue<BaseReference>>,
    pub(super) layers: ListField<LayerSpec>,
    pub(super) environment: ListField<EnvironmentElement>,
    pub(super) mounts: ListField<SpecifiedMount>,
    pub(super) scalars: ScalarFields,
    /// The spans of the plain fields.
    pub(super) spans: BTreeMap<&'static str, Range<usize>>,
}

impl ContainerFields {
    /// Combines the fields into a container. Fails if they conflict.
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

    /// Checks that no plain field is also in the `use` list, since one would contradict the other.
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

/// The base of a container, which determines the fields that may be used.
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

/// Returns the items of a container's own list, plain or added.
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
