//! Whether the storage has the contents of templates, and who is told what is missing.

use tonic::Status;

use super::templates::TemplateReadiness;
use super::{BrokerCore, CoreInput, InventoryCheck};
use crate::broker::scheduler::{InputAvailability, InputsId};
use maelstrom_wire::v1::{self, session_event};

impl BrokerCore {
    /// Checks whether the storage has a template's contents.
    pub(super) fn check(&mut self, inputs: InputsId) {
        let Some(known) = self.templates.get_mut(inputs) else {
            return;
        };
        if let TemplateReadiness::Checking { again } = &mut known.supply {
            // One check at a time: what happens meanwhile is left to the next.
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

    /// The storage has lost a blob: checks the contents of all templates, and asks clients to
    /// upload what is missing.
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
        // What is missing may have been uploaded since the check.
        if again && let Ok(InventoryCheck::Lacking(_, pins)) = checked {
            // Otherwise `check` would consider a check to be running. The pins stay until the next
            // check has its own.
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
