//! The templates of leases, by the numbers that the broker assigns.
//!
//! A template lives as long as a number or a lease refers to it. Dropping it aborts its preparation
//! and allows the eviction of its inputs. Equal templates are merged, whatever their numbers: a
//! restarted broker starts numbering again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures_util::future::{AbortHandle, AbortRegistration};

use super::inputs::{PreparedInputs, WorkerInputError};
use super::leases::LeaseReadiness;
use maelstrom_model::error::with_causes;
use maelstrom_model::job::ContainerSpec;
use maelstrom_wire::error::WireError;
use maelstrom_wire::from_proto::{self, TemplateSpec};
use maelstrom_wire::v1;

/// The maximum number of templates of one worker, over all runs.
pub const TEMPLATES_MAX: usize = 4096;

/// The templates that the broker has sent.
#[derive(Debug, Default)]
pub struct TemplateStore {
    numbers: HashMap<u32, Rc<ReceivedTemplate>>,
}

/// A template received from the broker.
#[derive(Debug)]
pub struct ReceivedTemplate {
    message: v1::Template,
    /// The template, if it is valid.
    pub template: Rc<Result<TemplateSpec, WireError>>,
    state: RefCell<PreparationState>,
    preparation: AbortHandle,
}

#[derive(Debug)]
enum PreparationState {
    Preparing,
    Ready(PreparedInputs),
    Failed(String),
}

impl Drop for ReceivedTemplate {
    fn drop(&mut self) {
        self.preparation.abort();
    }
}

/// A template to prepare, unless it was dropped.
#[derive(Debug)]
pub struct PreparationRequest {
    /// Receives the result: [`ReceivedTemplate::prepared`].
    pub known: Weak<ReceivedTemplate>,
    /// The template.
    pub template: Rc<Result<TemplateSpec, WireError>>,
    pub abort: AbortRegistration,
}

/// The error of too many templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names more than {TEMPLATES_MAX} templates")]
pub struct TemplateLimitError;

impl TemplateStore {
    /// Defines a template. A new one is returned for preparation.
    pub fn define(
        &mut self,
        number: u32,
        message: v1::Template,
    ) -> Result<Option<PreparationRequest>, TemplateLimitError> {
        if let Some(known) = self.equal(&message) {
            self.numbers.insert(number, known);
            return Ok(None);
        }
        if self.numbers.len() >= TEMPLATES_MAX && !self.numbers.contains_key(&number) {
            return Err(TemplateLimitError);
        }
        let (preparation, abort) = AbortHandle::new_pair();
        let template = Rc::new(from_proto::template(&message));
        let known = Rc::new(ReceivedTemplate {
            message,
            template: Rc::clone(&template),
            state: RefCell::new(PreparationState::Preparing),
            preparation,
        });
        self.numbers.insert(number, Rc::clone(&known));
        Ok(Some(PreparationRequest {
            known: Rc::downgrade(&known),
            template,
            abort,
        }))
    }

    /// Returns an equal template that has not failed.
    fn equal(&self, message: &v1::Template) -> Option<Rc<ReceivedTemplate>> {
        let mut known = self.numbers.values();
        let equal = known.find(|known| known.message == *message && !known.has_failed());
        equal.cloned()
    }

    /// Returns the template with this number.
    pub fn get(&self, number: u32) -> Option<Rc<ReceivedTemplate>> {
        self.numbers.get(&number).cloned()
    }

    /// Forgets a number, which will not be used again.
    pub fn forget(&mut self, number: u32) {
        self.numbers.remove(&number);
    }
}

impl ReceivedTemplate {
    fn has_failed(&self) -> bool {
        match &*self.state.borrow() {
            PreparationState::Failed(_) => true,
            PreparationState::Preparing | PreparationState::Ready(_) => false,
        }
    }

    /// Sets the result of its preparation.
    pub fn prepared(&self, prepared: Result<PreparedInputs, WorkerInputError>) {
        *self.state.borrow_mut() = match prepared {
            Ok(prepared) => PreparationState::Ready(prepared),
            Err(error) => PreparationState::Failed(with_causes(&error)),
        };
    }

    /// Returns whether its jobs can start; errors mention `host`.
    pub fn readiness(&self, host: &str) -> LeaseReadiness {
        match &*self.state.borrow() {
            PreparationState::Preparing => LeaseReadiness::NotYet,
            PreparationState::Ready(_) => LeaseReadiness::Ready,
            PreparationState::Failed(reason) => LeaseReadiness::Never(format!(
                "the worker {host} could not prepare the job's container: {reason}"
            )),
        }
    }

    /// Returns its container, once it is ready.
    pub fn container(&self) -> Option<Arc<ContainerSpec>> {
        match &*self.state.borrow() {
            PreparationState::Ready(prepared) => Some(Arc::clone(&prepared.container)),
            PreparationState::Preparing | PreparationState::Failed(_) => None,
        }
    }
}
