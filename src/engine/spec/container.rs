//! Containers as files describe them: their own fields, and what they take over from a parent or
//! an image.
//!
//! Which fields may stand next to each other is settled here, once for containers, directives and
//! jobs; a [`Container`] that exists has no conflicts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bitflags::bitflags;

use crate::document::Fault;
use maelstrom_container::spec::{Mount, Network, Privileges, RootAccess};
use maelstrom_layer::LayerSpec;

use super::environment::Element;

bitflags! {
    /// Fields that are taken over from a parent or an image.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Inherited: u16 {
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

impl Inherited {
    /// What there is to take over from an image.
    pub const IMAGE: Inherited = Inherited::LAYERS
        .union(Inherited::ENVIRONMENT)
        .union(Inherited::WORKING_DIRECTORY);

    /// The fields by their names in files.
    pub(super) const NAMES: [(&'static str, Inherited); 10] = [
        ("layers", Inherited::LAYERS),
        ("environment", Inherited::ENVIRONMENT),
        ("working_directory", Inherited::WORKING_DIRECTORY),
        ("enable_writable_file_system", Inherited::ROOT_ACCESS),
        ("mounts", Inherited::MOUNTS),
        ("network", Inherited::NETWORK),
        ("user", Inherited::USER),
        ("group", Inherited::GROUP),
        ("toolbox", Inherited::TOOLBOX),
        ("privileges", Inherited::PRIVILEGES),
    ];
}

/// Whether jobs see this machine's programs and libraries, read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Toolbox {
    /// They do.
    Present,
    /// They see nothing but what is named.
    Absent,
}

/// What a container begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    #[default]
    Nothing,
    /// An image.
    Image {
        /// Its URI.
        name: String,
        /// What is taken over.
        inherited: Inherited,
    },
    /// Another container.
    Parent {
        /// Its name.
        name: String,
        /// What is taken over.
        inherited: Inherited,
        /// Where the name stands, for errors.
        place: String,
    },
}

/// A container: what it begins with, and its own fields. Lists are added to those taken over,
/// scalars stand in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// What it begins with.
    pub base: Base,
    /// Its own layers.
    pub layers: Vec<LayerSpec>,
    /// Its own environment.
    pub environment: Vec<Element>,
    /// Its own mounts.
    pub mounts: Vec<SpecifiedMount>,
    /// Its scalar fields.
    pub scalars: Scalars,
}

/// A mount, and where it stands. Mounts are equal wherever they stand.
#[derive(Clone, Debug)]
pub struct SpecifiedMount {
    /// The mount.
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
pub struct Scalars {
    /// What of the network jobs see.
    pub network: Option<Network>,
    /// Whether the root may be written to.
    pub root_access: Option<RootAccess>,
    /// Where jobs start.
    pub working_directory: Option<PathBuf>,
    /// The user id.
    pub user: Option<u32>,
    /// The group id.
    pub group: Option<u32>,
    /// Whether this machine's programs are there.
    pub toolbox: Option<Toolbox>,
    /// What jobs may do.
    pub privileges: Option<Privileges>,
}

impl Scalars {
    /// These, and where there is none, those of `other`, if they are among `inherited`.
    pub(super) fn or(self, other: &Scalars, inherited: Inherited) -> Scalars {
        fn pick<T: Clone>(
            own: Option<T>,
            other: &Option<T>,
            inherited: Inherited,
            flag: Inherited,
        ) -> Option<T> {
            own.or_else(|| other.clone().filter(|_| inherited.contains(flag)))
        }
        Scalars {
            network: pick(self.network, &other.network, inherited, Inherited::NETWORK),
            root_access: pick(
                self.root_access,
                &other.root_access,
                inherited,
                Inherited::ROOT_ACCESS,
            ),
            working_directory: pick(
                self.working_directory,
                &other.working_directory,
                inherited,
                Inherited::WORKING_DIRECTORY,
            ),
            user: pick(self.user, &other.user, inherited, Inherited::USER),
            group: pick(self.group, &other.group, inherited, Inherited::GROUP),
            toolbox: pick(self.toolbox, &other.toolbox, inherited, Inherited::TOOLBOX),
            privileges: pick(
                self.privileges,
                &other.privileges,
                inherited,
                Inherited::PRIVILEGES,
            ),
        }
    }

    /// Those that are set.
    pub(super) fn set(&self) -> Inherited {
        let mut set = Inherited::empty();
        set.set(Inherited::NETWORK, self.network.is_some());
        set.set(Inherited::ROOT_ACCESS, self.root_access.is_some());
        set.set(
            Inherited::WORKING_DIRECTORY,
            self.working_directory.is_some(),
        );
        set.set(Inherited::USER, self.user.is_some());
        set.set(Inherited::GROUP, self.group.is_some());
        set.set(Inherited::TOOLBOX, self.toolbox.is_some());
        set.set(Inherited::PRIVILEGES, self.privileges.is_some());
        set
    }
}

/// Something with its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) span: Range<usize>,
    pub(super) value: T,
}

/// A list field as it was written: plain, added, or both.
#[derive(Clone, Debug)]
pub(super) struct List<T> {
    pub(super) plain: Option<Placed<Vec<T>>>,
    pub(super) added: Option<Placed<Vec<T>>>,
}

/// What a container is said to begin with.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) name: String,
    /// The `use` list, if there is one.
    pub(super) uses: Option<Inherited>,
    /// Where the name stands, for errors.
    pub(super) place: String,
}

/// The fields of a container as they were written.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) image: Option<Placed<Origin>>,
    pub(super) parent: Option<Placed<Origin>>,
    pub(super) layers: List<LayerSpec>,
    pub(super) environment: List<Element>,
    pub(super) mounts: List<SpecifiedMount>,
    pub(super) scalars: Scalars,
    /// Where each plain field stands.
    pub(super) spans: BTreeMap<&'static str, Range<usize>>,
}

/// What a directive does to a test's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It puts another in its place.
    Replace(Box<Container>),
    /// It alters some fields.
    Amend(Box<Amendment>),
}

/// Fields that a directive alters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Amendment {
    layers: Alteration<LayerSpec>,
    environment: Alteration<Element>,
    mounts: Alteration<SpecifiedMount>,
    scalars: Scalars,
}

/// What happens to a list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alteration<T> {
    replaced_by: Option<Vec<T>>,
    added: Vec<T>,
}

impl<T> Default for Alteration<T> {
    fn default() -> Self {
        Alteration {
            replaced_by: None,
            added: Vec::new(),
        }
    }
}

impl<T: Clone> Alteration<T> {
    fn of(list: List<T>) -> Alteration<T> {
        Alteration {
            replaced_by: list.plain.map(|plain| plain.value),
            added: list.added.map_or(Vec::new(), |added| added.value),
        }
    }

    fn apply(&self, own: &mut Vec<T>) {
        if let Some(list) = &self.replaced_by {
            own.clone_from(list);
        }
        own.extend(self.added.iter().cloned());
    }
}

impl Change {
    /// The scalar fields it sets.
    pub(super) fn scalars(&self) -> &Scalars {
        match self {
            Change::Replace(container) => &container.scalars,
            Change::Amend(amendment) => &amendment.scalars,
        }
    }

    /// The elements of environments in it.
    pub(super) fn elements(&self) -> Vec<&Element> {
        match self {
            Change::Replace(container) => container.environment.iter().collect(),
            Change::Amend(amendment) => {
                let Alteration { replaced_by, added } = &amendment.environment;
                replaced_by.iter().flatten().chain(added).collect()
            }
        }
    }

    /// Does it.
    pub(super) fn apply(&self, container: &mut Container) {
        match self {
            Change::Replace(other) => container.clone_from(other),
            Change::Amend(amendment) => {
                amendment.layers.apply(&mut container.layers);
                amendment.environment.apply(&mut container.environment);
                amendment.mounts.apply(&mut container.mounts);
                let before = std::mem::take(&mut container.scalars);
                container.scalars = amendment.scalars.clone().or(&before, Inherited::all());
            }
        }
    }
}

impl Fields {
    /// What a directive with these fields does.
    pub(super) fn into_change(self) -> Result<Change, Fault> {
        if self.image.is_some() || self.parent.is_some() {
            return self.into_container().map(Box::new).map(Change::Replace);
        }
        Ok(Change::Amend(Box::new(Amendment {
            layers: Alteration::of(self.layers),
            environment: Alteration::of(self.environment),
            mounts: Alteration::of(self.mounts),
            scalars: self.scalars,
        })))
    }

    /// The container with these fields.
    pub(super) fn into_container(self) -> Result<Container, Fault> {
        let based = Based::of(&self)?;
        self.check_plain(&based)?;
        let layers = own("layers", Inherited::LAYERS, &based, self.layers)?;
        let environment = own(
            "environment",
            Inherited::ENVIRONMENT,
            &based,
            self.environment,
        )?;
        let mounts = own("mounts", Inherited::MOUNTS, &based, self.mounts)?;
        let plain = self.spans.keys();
        let plain = plain.filter_map(|name| flag(name)).collect::<Inherited>();
        let rest = |available: Inherited, origin: &Origin| match origin.uses {
            Some(uses) => uses,
            None => available - plain,
        };
        let base = match (self.image, self.parent) {
            (Some(image), _) => Base::Image {
                inherited: rest(Inherited::IMAGE, &image.value),
                name: image.value.name,
            },
            (None, Some(parent)) => Base::Parent {
                inherited: rest(Inherited::all(), &parent.value),
                name: parent.value.name,
                place: parent.value.place,
            },
            (None, None) => Base::Nothing,
        };
        Ok(Container {
            base,
            layers,
            environment,
            mounts,
            scalars: self.scalars,
        })
    }

    /// A plain field and a `use` list that has it say two things about one field.
    fn check_plain(&self, based: &Based) -> Result<(), Fault> {
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
enum Based {
    Nothing,
    Image(Option<Inherited>),
    Parent(Option<Inherited>),
}

impl Based {
    fn of(fields: &Fields) -> Result<Based, Fault> {
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
            (Some(image), None) => Ok(Based::Image(image.value.uses)),
            (None, Some(parent)) => Ok(Based::Parent(parent.value.uses)),
            (None, None) => Ok(Based::Nothing),
        }
    }

    fn explicit_uses(&self) -> Option<Inherited> {
        match self {
            Based::Nothing => None,
            Based::Image(uses) | Based::Parent(uses) => *uses,
        }
    }
}

/// A list of a container's own, plain or added.
fn own<T>(
    name: &'static str,
    flag: Inherited,
    based: &Based,
    list: List<T>,
) -> Result<Vec<T>, Fault> {
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
        Based::Nothing if flag == Inherited::MOUNTS => Some("a `parent`"),
        Based::Nothing => Some("an `image` or a `parent`"),
        Based::Image(_) if flag == Inherited::MOUNTS => Some("a `parent` (an image has no mounts)"),
        Based::Image(_) | Based::Parent(_) => None,
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

fn flag(name: &str) -> Option<Inherited> {
    let found = Inherited::NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, flag)| *flag)
}

fn or_added(name: &str) -> String {
    match name {
        "layers" | "environment" | "mounts" => format!(", or write `added_{name}`"),
        _ => String::new(),
    }
}

fn fault(span: &Range<usize>, message: impl Into<String>) -> Fault {
    Fault {
        span: span.clone(),
        message: message.into(),
        help: None,
    }
}
