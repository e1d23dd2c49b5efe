//! Whether the storage has the contents of templates.

use super::TemplateRegistry;
use super::readiness::{InventoryCheck, TemplateReadiness};
use crate::broker::scheduler::{ClientId, InputsId};
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::v1;

/// What follows from a check. Users are those of the template, with their numbers for it.
#[derive(Debug, PartialEq, Eq)]
pub enum CheckedTemplate {
    /// Nobody uses the template any more.
    Unused,
    /// What is missing may have been uploaded since: check again.
    Again,
    Ready,
    /// Users are asked for these.
    Missing {
        digests: Vec<v1::Digest>,
        users: Vec<(ClientId, u32)>,
    },
    Refused {
        why: String,
        users: Vec<(ClientId, u32)>,
    },
    /// The storage could not be asked.
    Failed {
        message: String,
        users: Vec<(ClientId, u32)>,
    },
}

impl TemplateRegistry {
    /// Begins a check, and returns what to look for. While one runs another is put off until its
    /// end: then, and for a template that nobody uses, there is nothing to look for.
    pub fn begin_check(&mut self, inputs: InputsId) -> Option<Vec<ContentSource>> {
        let known = self.known.get_mut(&inputs)?;
        if let TemplateReadiness::Checking { again } = &mut known.supply {
            *again = true;
            return None;
        }
        known.supply = TemplateReadiness::Checking { again: false };
        Some(known.contents.clone())
    }

    /// Whether something was missing at the last check, and none runs.
    pub fn is_lacking(&self, inputs: InputsId) -> bool {
        let known = self.known.get(&inputs);
        known.is_some_and(|known| matches!(known.supply, TemplateReadiness::Lacking))
    }

    /// The templates that had all contents at the last check.
    pub fn supplied(&self) -> Vec<InputsId> {
        let known = self.known.iter();
        let supplied = known.filter(|(_, known)| matches!(known.supply, TemplateReadiness::Ready));
        supplied.map(|(inputs, _)| *inputs).collect()
    }

    /// How many missing contents were requested since the start.
    pub fn contents_lacking(&self) -> u64 {
        self.contents_lacking
    }

    /// Ends a check.
    pub fn checked(
        &mut self,
        inputs: InputsId,
        checked: Result<InventoryCheck, String>,
    ) -> CheckedTemplate {
        let Some(known) = self.known.get_mut(&inputs) else {
            return CheckedTemplate::Unused;
        };
        let again = matches!(known.supply, TemplateReadiness::Checking { again: true });
        let users = known.users.iter().copied().collect();
        known.supply = match &checked {
            Ok(InventoryCheck::Complete(_)) => TemplateReadiness::Ready,
            Ok(InventoryCheck::Lacking(..) | InventoryCheck::Refused(_)) | Err(_) => {
                TemplateReadiness::Lacking
            }
        };
        match checked {
            Ok(InventoryCheck::Complete(pins)) => {
                known.pins = Some(pins);
                CheckedTemplate::Ready
            }
            Ok(InventoryCheck::Lacking(digests, pins)) => {
                // They stay until the next check has its own.
                known.pins = Some(pins);
                if again {
                    return CheckedTemplate::Again;
                }
                self.contents_lacking += digests.len() as u64;
                CheckedTemplate::Missing { digests, users }
            }
            Ok(InventoryCheck::Refused(why)) => {
                known.pins = None;
                CheckedTemplate::Refused { why, users }
            }
            Err(message) => {
                known.pins = None;
                CheckedTemplate::Failed { message, users }
            }
        }
    }
}
