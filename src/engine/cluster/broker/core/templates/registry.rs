//! The templates and toolboxes in use, and their users.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message;

use super::error::TemplateError;
use super::readiness::{PinGuard, TemplateReadiness};
use crate::broker::core::defect::broken_invariant;
use crate::broker::scheduler::{Architecture, ClientId, InputsId, SchedulingClass, ToolboxId};
use maelstrom_container::digest::ContentHash;
use maelstrom_wire::from_proto::container::sources;
use maelstrom_wire::from_proto::{self, ContentSource};
use maelstrom_wire::toolbox::DEVICE;
use maelstrom_wire::v1;

/// A template that at least one client has defined.
pub struct DefinedTemplate {
    /// The template as it is sent to workers.
    pub template: v1::Template,
    /// The workers on which its jobs can run.
    pub kind: SchedulingClass,
    pub(super) contents: Vec<ContentSource>,
    /// Whether its contents are present.
    pub(super) supply: TemplateReadiness,
    /// Pins its present and future contents as long as the template exists: a template may need
    /// more than the storage's target size.
    pub(super) pins: Option<PinGuard>,
    /// The clients that use it, and their numbers for it.
    pub(super) users: BTreeSet<(ClientId, u32)>,
    hash: ContentHash,
}

/// The host paths that a worker must provide for templates with this toolbox.
pub struct TemplateToolbox {
    pub paths: Vec<v1::ToolboxPath>,
    hash: ContentHash,
    /// The number of templates that use it.
    templates: u32,
}

impl TemplateToolbox {
    /// Returns whether a device is part of it.
    pub fn has_device(&self) -> bool {
        self.paths.iter().any(|path| path.identity == DEVICE)
    }
}

/// The toolbox that a template requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedToolbox {
    None,
    /// No template has required it so far.
    New,
    Known(ToolboxId),
}

/// Templates and toolboxes that are no longer used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UnusedTemplates {
    pub templates: Vec<InputsId>,
    /// Toolboxes that only these templates used.
    pub toolboxes: Vec<ToolboxId>,
}

const UNKNOWN: &str = "a template is referred to that nobody uses";

/// The templates of all clients.
#[derive(Default)]
pub struct TemplateRegistry {
    pub(super) known: BTreeMap<InputsId, DefinedTemplate>,
    by_hash: HashMap<ContentHash, InputsId>,
    next: u32,
    toolboxes: BTreeMap<ToolboxId, TemplateToolbox>,
    next_toolbox: u32,
    /// The number of missing contents that clients were asked for since the start.
    pub(super) contents_lacking: u64,
}

/// The result of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefineOutcome {
    /// The template is new.
    New(InputsId),
    Known(InputsId),
}

impl TemplateRegistry {
    /// Defines a client's template.
    pub fn define(
        &mut self,
        client: ClientId,
        number: u32,
        template: v1::Template,
    ) -> Result<DefineOutcome, TemplateError> {
        let hash = ContentHash::of(&template.encode_to_vec());
        if let Some(id) = self.by_hash.get(&hash) {
            match self.known.get_mut(id) {
                Some(known) => drop(known.users.insert((client, number))),
                None => broken_invariant(UNKNOWN),
            }
            return Ok(DefineOutcome::Known(*id));
        }
        // All fallible steps come before the toolbox is counted.
        let contents = contents(&template)?;
        let architecture =
            Architecture::from_rust_name(&template.architecture).ok_or_else(|| {
                TemplateError::Architecture {
                    name: template.architecture.clone(),
                }
            })?;
        let toolbox = match template.toolbox.is_empty() {
            true => None,
            false => Some(self.retain_toolbox(&template.toolbox)),
        };
        let inputs = InputsId(self.next);
        self.next += 1;
        self.by_hash.insert(hash, inputs);
        self.known.insert(
            inputs,
            DefinedTemplate {
                template,
                kind: SchedulingClass {
                    architecture,
                    toolbox,
                    inputs,
                    group: None,
                },
                contents,
                // The contents are unknown until the first check.
                supply: TemplateReadiness::Lacking,
                pins: None,
                users: BTreeSet::from([(client, number)]),
                hash,
            },
        );
        Ok(DefineOutcome::New(inputs))
    }

    /// Returns the template with this id.
    pub fn get(&self, inputs: InputsId) -> Option<&DefinedTemplate> {
        self.known.get(&inputs)
    }

    /// Removes a client from all templates, and returns what is no longer used.
    pub fn leave(&mut self, client: ClientId) -> UnusedTemplates {
        let of_client = |known: &DefinedTemplate| {
            let mut users = known.users.range((client, 0)..=(client, u32::MAX));
            users.next().is_some()
        };
        let concerned = self.known.iter().filter(|(_, known)| of_client(known));
        let concerned: Vec<InputsId> = concerned.map(|(inputs, _)| *inputs).collect();
        let mut unused = UnusedTemplates::default();
        for inputs in concerned {
            if let Some(known) = self.known.get_mut(&inputs) {
                known.users.retain(|(user, _)| *user != client);
            }
            self.forget_if_unused(inputs, &mut unused);
        }
        unused
    }

    /// Removes one user of a template, and returns what is no longer used.
    pub fn leave_one(&mut self, inputs: InputsId, user: (ClientId, u32)) -> UnusedTemplates {
        let mut unused = UnusedTemplates::default();
        match self.known.get_mut(&inputs) {
            Some(known) => drop(known.users.remove(&user)),
            None => broken_invariant(UNKNOWN),
        }
        self.forget_if_unused(inputs, &mut unused);
        unused
    }

    fn forget_if_unused(&mut self, inputs: InputsId, unused: &mut UnusedTemplates) {
        let is_used = |known: &DefinedTemplate| !known.users.is_empty();
        if self.known.get(&inputs).is_none_or(is_used) {
            return;
        }
        let Some(known) = self.known.remove(&inputs) else {
            return;
        };
        self.by_hash.remove(&known.hash);
        unused.templates.push(inputs);
        let Some(id) = known.kind.toolbox else {
            return;
        };
        let Some(toolbox) = self.toolboxes.get_mut(&id) else {
            return broken_invariant("a template requires a toolbox that is not known");
        };
        toolbox.templates -= 1;
        if toolbox.templates == 0 {
            self.toolboxes.remove(&id);
            unused.toolboxes.push(id);
        }
    }

    /// Returns all toolboxes in use.
    pub fn toolboxes(&self) -> impl Iterator<Item = (ToolboxId, &TemplateToolbox)> {
        self.toolboxes.iter().map(|(id, toolbox)| (*id, toolbox))
    }

    /// Returns a toolbox in use.
    pub fn toolbox(&self, id: ToolboxId) -> Option<&TemplateToolbox> {
        self.toolboxes.get(&id)
    }

    /// Returns the toolbox that a template requires.
    pub fn requested_toolbox(&self, template: &v1::Template) -> RequestedToolbox {
        match self.find_toolbox(&template.toolbox) {
            _ if template.toolbox.is_empty() => RequestedToolbox::None,
            Some(toolbox) => RequestedToolbox::Known(toolbox),
            None => RequestedToolbox::New,
        }
    }

    /// Returns the toolbox of these paths, if a template uses it.
    fn find_toolbox(&self, paths: &[v1::ToolboxPath]) -> Option<ToolboxId> {
        let hash = toolbox_hash(paths);
        let mut toolboxes = self.toolboxes.iter();
        toolboxes.find_map(|(id, toolbox)| (toolbox.hash == hash).then_some(*id))
    }

    /// Returns the toolbox of these paths, and counts one more user.
    fn retain_toolbox(&mut self, paths: &[v1::ToolboxPath]) -> ToolboxId {
        if let Some(id) = self.find_toolbox(paths) {
            if let Some(toolbox) = self.toolboxes.get_mut(&id) {
                toolbox.templates += 1;
            }
            return id;
        }
        let id = ToolboxId(self.next_toolbox);
        self.next_toolbox = self.next_toolbox.wrapping_add(1);
        let toolbox = TemplateToolbox {
            paths: paths.to_vec(),
            hash: toolbox_hash(paths),
            templates: 1,
        };
        self.toolboxes.insert(id, toolbox);
        id
    }
}

fn toolbox_hash(paths: &[v1::ToolboxPath]) -> ContentHash {
    let mut bytes = Vec::new();
    for path in paths {
        // Prefixed with its length, so that no two lists have the same encoding.
        bytes.extend(path.encode_length_delimited_to_vec());
    }
    ContentHash::of(&bytes)
}

/// Validates a template, and returns the contents that it refers to.
fn contents(template: &v1::Template) -> Result<Vec<ContentSource>, TemplateError> {
    let checked = from_proto::template(template)?;
    let container = template.container.as_ref();
    let mut contents = Vec::new();
    for source in sources(container.unwrap_or(&v1::Container::default()))? {
        match &source {
            ContentSource::Directory(_) | ContentSource::File { .. } => contents.push(source),
            ContentSource::Toolbox(path) => {
                let mut listed = checked.toolbox.iter();
                if !listed.any(|tool| path.starts_with(&tool.path)) {
                    return Err(TemplateError::Toolbox { path: path.clone() });
                }
            }
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_wire::v1::{container, mount, source};

    fn template(digest: char) -> v1::Template {
        let digest = v1::Digest {
            hash: digest.to_string().repeat(64),
            size_bytes: 1,
        };
        v1::Template {
            working_directory: b"/".as_slice().into(),
            container: Some(v1::Container {
                hostname: "h".to_owned(),
                network: v1::Network::Loopback.into(),
                privileges: v1::Privileges::Ordinary.into(),
                root: Some(container::Root::Layers(v1::Layers {
                    trees: vec![v1::Source {
                        kind: Some(source::Kind::Directory(digest)),
                    }],
                    writable: false,
                })),
                ..v1::Container::default()
            }),
            architecture: "x86_64".to_owned(),
            ..v1::Template::default()
        }
    }

    #[test]
    fn equal_templates_are_one_until_nobody_uses_them() {
        let mut templates = TemplateRegistry::default();
        let (a, b) = (ClientId(1), ClientId(2));
        let DefineOutcome::New(first) = templates.define(a, 0, template('a')).unwrap() else {
            panic!("nobody had it");
        };
        let again = templates.define(b, 7, template('a')).unwrap();
        assert_eq!(again, DefineOutcome::Known(first));
        let other = templates.define(a, 1, template('b')).unwrap();
        assert_ne!(other, DefineOutcome::Known(first));
        assert_eq!(templates.leave(a).templates.len(), 1);
        assert_eq!(templates.leave(b).templates, [first]);
        assert!(templates.get(first).is_none());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let mut templates = TemplateRegistry::default();
        let mut define =
            |template: v1::Template| templates.define(ClientId(1), 0, template).unwrap_err();
        let elsewhere = v1::Template {
            architecture: "riscv64".to_owned(),
            ..template('a')
        };
        assert!(define(elsewhere).to_string().contains("riscv64"));
        let empty = v1::Template::default();
        assert!(matches!(define(empty), TemplateError::Wire(_)));
        let mut unlisted = template('a');
        let container = unlisted.container.as_mut().unwrap();
        container.mounts.push(v1::Mount {
            mount_point: b"/usr".as_slice().into(),
            kind: Some(mount::Kind::ReadOnly(v1::Source {
                kind: Some(source::Kind::Toolbox(b"/usr".as_slice().into())),
            })),
        });
        assert!(define(unlisted.clone()).to_string().contains("/usr"));
        unlisted.toolbox.push(v1::ToolboxPath {
            path: b"/usr".as_slice().into(),
            identity: b"1".as_slice().into(),
        });
        templates.define(ClientId(1), 0, unlisted).unwrap();
        assert_eq!(templates.toolboxes().count(), 1);
    }

    #[test]
    fn a_toolbox_is_known_as_long_as_a_template_wants_it() {
        let mut templates = TemplateRegistry::default();
        let with = |digest: char, identity: u32| v1::Template {
            toolbox: vec![v1::ToolboxPath {
                path: b"/usr".as_slice().into(),
                identity: identity.to_be_bytes().to_vec().into(),
            }],
            ..template(digest)
        };
        let (a, b) = (ClientId(1), ClientId(2));
        for identity in 0..300 {
            templates.define(a, identity, with('a', identity)).unwrap();
        }
        let shared = with('b', 7);
        let DefineOutcome::New(inputs) = templates.define(b, 1, shared).unwrap() else {
            panic!("nobody had it");
        };
        let toolbox = templates.get(inputs).unwrap().kind.toolbox.unwrap();
        assert_eq!(templates.toolboxes().count(), 300);
        let left = templates.leave(a);
        assert_eq!((left.templates.len(), left.toolboxes.len()), (300, 299));
        assert_eq!(
            templates.toolboxes().map(|(id, _)| id).collect::<Vec<_>>(),
            [toolbox]
        );
        let left = templates.leave_one(inputs, (b, 1));
        assert_eq!(
            (left.templates, left.toolboxes),
            (vec![inputs], vec![toolbox])
        );
        assert_eq!(
            (templates.toolboxes().count(), templates.by_hash.len()),
            (0, 0)
        );
    }
}
