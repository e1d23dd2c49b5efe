//! Checks whether the storage has the contents of templates.

use super::TemplateRegistry;
use super::readiness::{InventoryCheck, TemplateReadiness};
use crate::broker::scheduler::{ClientId, InputsId};
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::v1;

/// The consequence of a check. `users` are the clients with the template, and their numbers for it.
#[derive(Debug, PartialEq, Eq)]
pub enum CheckedTemplate {
    /// No client uses the template any more.
    Unused,
    /// Missing contents may have been uploaded since: check again.
    Again,
    Ready,
    /// The users are asked to upload these contents.
    Missing {
        digests: Vec<v1::Digest>,
        users: Vec<(ClientId, u32)>,
    },
    Refused {
        why: String,
        users: Vec<(ClientId, u32)>,
    },
    /// The storage could not be queried.
    Failed {
        message: String,
        users: Vec<(ClientId, u32)>,
    },
}

impl TemplateRegistry {
    /// Begins a check, and returns the contents to look for. Returns `None` for a template without
    /// users, and while a check is running; another check then follows at its end.
    pub fn begin_check(&mut self, inputs: InputsId) -> Option<Vec<ContentSource>> {
        let known = self.known.get_mut(&inputs)?;
        if let TemplateReadiness::Checking { again } = &mut known.supply {
            *again = true;
            return None;
        }
        known.supply = TemplateReadiness::Checking { again: false };
        Some(known.contents.clone())
    }

    /// Returns whether contents were missing at the last check, and no check is running.
    pub fn is_lacking(&self, inputs: InputsId) -> bool {
        let known = self.known.get(&inputs);
        known.is_some_and(|known| matches!(known.supply, TemplateReadiness::Lacking))
    }

    /// Returns the templates that had all contents at the last check.
    pub fn supplied(&self) -> Vec<InputsId> {
        let known = self.known.iter();
        let supplied = known.filter(|(_, known)| matches!(known.supply, TemplateReadiness::Ready));
        supplied.map(|(inputs, _)| *inputs).collect()
    }

    /// Returns how many missing contents clients were asked for since the start.
    pub fn contents_lacking(&self) -> u64 {
        self.contents_lacking
    }

    /// Ends a check with its result.
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
                // Pinned until the next check replaces the pins.
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
