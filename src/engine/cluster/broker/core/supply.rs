//! Whether the storage has what templates name, and who is told what it lacks.

use tonic::Status;

use super::templates::TemplateReadiness;
use super::{BrokerCore, CoreInput, InventoryCheck};
use crate::broker::scheduler::{InputAvailability, InputsId};
use maelstrom_wire::v1::{self, session_event};

impl BrokerCore {
    /// Looks whether the storage has what a template names.
    pub(super) fn check(&mut self, inputs: InputsId) {
        let Some(known) = self.templates.get_mut(inputs) else {
            return;
        };
        if let TemplateReadiness::Checking { again } = &mut known.supply {
            // One look at a time: what is said meanwhile is seen to by the next.
            *again = true;
            return;
        }
        known.supply = TemplateReadiness::Checking { again: false };
        let checking = self.inventory.check(known.contents.clone());
        let own = self.own.clone();
        tokio::spawn(async move {
            let checked = checking.await;
            drop(own.send(CoreInput::Checked(inputs, checked)));
        });
    }

    /// The storage has lost something: what templates name is looked for again, and whoever has it is
    /// asked for it.
    pub(super) fn contents_lost(&mut self) {
        for inputs in self.templates.supplied() {
            self.check(inputs);
        }
    }

    pub(super) fn checked(&mut self, inputs: InputsId, checked: Result<InventoryCheck, String>) {
        let Some(known) = self.templates.get_mut(inputs) else {
            return;
        };
        let again = matches!(known.supply, TemplateReadiness::Checking { again: true });
        let users: Vec<_> = known.users.iter().copied().collect();
        // What is still lacking may have come since it was looked for.
        if again && let Ok(InventoryCheck::Lacking(_, pins)) = checked {
            // Otherwise `check` would take a look to be under way still. The pins stay until the
            // next look has its own.
            known.supply = TemplateReadiness::Lacking;
            known.pins = Some(pins);
            return self.check(inputs);
        }
        match checked {
            Ok(InventoryCheck::Complete(pins)) => {
                known.supply = TemplateReadiness::Ready;
                known.pins = Some(pins);
                self.book.inputs(inputs, InputAvailability::Ready);
            }
            Ok(InventoryCheck::Lacking(digests, pins)) => {
                self.contents_lacking += digests.len() as u64;
                known.supply = TemplateReadiness::Lacking;
                known.pins = Some(pins);
                self.book.inputs(inputs, InputAvailability::Missing);
                for (client, template) in users {
                    let digests = digests.clone();
                    let missing = v1::Missing { template, digests };
                    self.emit(client, session_event::Kind::Missing(missing));
                }
            }
            Ok(InventoryCheck::Refused(why)) => {
                known.supply = TemplateReadiness::Lacking;
                known.pins = None;
                self.book.inputs(inputs, InputAvailability::Missing);
                for (client, template) in users {
                    let why = format!("template {template} is refused: {why}");
                    self.fail_session(client, Status::invalid_argument(why));
                }
            }
            Err(message) => {
                known.supply = TemplateReadiness::Lacking;
                known.pins = None;
                self.book.inputs(inputs, InputAvailability::Missing);
                for (client, _) in users {
                    self.fail_session(client, Status::unavailable(message.clone()));
                }
            }
        }
    }
}
