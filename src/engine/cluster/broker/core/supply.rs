//! Checks whether the storage has the contents of templates, and notifies clients of the results.

use tonic::Status;

use super::templates::{CheckedTemplate, InventoryCheck};
use super::{BrokerCore, CoreInput};
use crate::broker::scheduler::{InputAvailability, InputsId};
use maelstrom_wire::v1::{self, session_event};

impl BrokerCore {
    /// Starts a check whether the storage has a template's contents.
    pub(super) fn check(&mut self, inputs: InputsId) {
        let Some(contents) = self.templates.begin_check(inputs) else {
            return;
        };
        let checking = self.inventory.check(contents);
        let own = self.own.clone();
        tokio::spawn(async move {
            let checked = checking.await;
            drop(own.send(CoreInput::Checked(inputs, checked)));
        });
    }

    /// Checks the contents of all templates after the storage has lost a blob, and asks clients to
    /// upload what is missing.
    pub(super) fn contents_lost(&mut self) {
        for inputs in self.templates.supplied() {
            self.check(inputs);
        }
    }

    pub(super) fn checked(&mut self, inputs: InputsId, checked: Result<InventoryCheck, String>) {
        match self.templates.checked(inputs, checked) {
            CheckedTemplate::Unused => {}
            CheckedTemplate::Again => self.check(inputs),
            CheckedTemplate::Ready => self.scheduler.inputs(inputs, InputAvailability::Ready),
            CheckedTemplate::Missing { digests, users } => {
                self.scheduler.inputs(inputs, InputAvailability::Missing);
                for (client, template) in users {
                    let digests = digests.clone();
                    let missing = v1::Missing { template, digests };
                    self.runs
                        .send(client, session_event::Kind::Missing(missing));
                }
            }
            CheckedTemplate::Refused { why, users } => {
                self.scheduler.inputs(inputs, InputAvailability::Missing);
                for (client, template) in users {
                    let why = format!("template {template} is refused: {why}");
                    self.runs
                        .dismiss(client, Status::invalid_argument(why), self.now);
                }
            }
            CheckedTemplate::Failed { message, users } => {
                self.scheduler.inputs(inputs, InputAvailability::Missing);
                for (client, _) in users {
                    let status = Status::unavailable(message.clone());
                    self.runs.dismiss(client, status, self.now);
                }
            }
        }
    }
}
