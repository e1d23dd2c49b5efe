//! Templates by the numbers that the broker gives them.
//!
//! A template lives as long as a number or a lease names it. Dropping it ends its preparation, if
//! that is still under way, and lets its inputs be evicted. Equal templates are one, whatever their
//! numbers: a broker that was started again counts anew.

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

/// Templates of one worker: those of all runs that it has jobs of.
pub const TEMPLATES_MAX: usize = 4096;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct TemplateStore {
    numbers: HashMap<u32, Rc<ReceivedTemplate>>,
}

/// A template that the broker has told of.
#[derive(Debug)]
pub struct ReceivedTemplate {
    message: v1::Template,
    /// What it says, if it says something.
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

/// What is to be prepared, until nobody needs it any more.
#[derive(Debug)]
pub struct PreparationRequest {
    /// What to tell in the end: [`ReceivedTemplate::prepared`].
    pub known: Weak<ReceivedTemplate>,
    /// What is to be prepared.
    pub template: Rc<Result<TemplateSpec, WireError>>,
    pub abort: AbortRegistration,
}

/// There are too many templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names more than {TEMPLATES_MAX} templates")]
pub struct TemplateLimitError;

impl TemplateStore {
    /// The broker tells of a template. One that is new is to be prepared.
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

    /// One that says the same, and has not failed.
    fn equal(&self, message: &v1::Template) -> Option<Rc<ReceivedTemplate>> {
        let mut known = self.numbers.values();
        let equal = known.find(|known| known.message == *message && !known.has_failed());
        equal.cloned()
    }

    /// The template of this number.
    pub fn get(&self, number: u32) -> Option<Rc<ReceivedTemplate>> {
        self.numbers.get(&number).cloned()
    }

    /// No lease will name this number again.
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

    /// What came of its preparation.
    pub fn prepared(&self, prepared: Result<PreparedInputs, WorkerInputError>) {
        *self.state.borrow_mut() = match prepared {
            Ok(prepared) => PreparationState::Ready(prepared),
            Err(error) => PreparationState::Failed(with_causes(&error)),
        };
    }

    /// Whether its jobs can start; `host` is named where they can't.
    pub fn readiness(&self, host: &str) -> LeaseReadiness {
        match &*self.state.borrow() {
            PreparationState::Preparing => LeaseReadiness::NotYet,
            PreparationState::Ready(_) => LeaseReadiness::Ready,
            PreparationState::Failed(reason) => LeaseReadiness::Never(format!(
                "the worker {host} could not prepare the job's container: {reason}"
            )),
        }
    }

    /// Its container, once it is ready.
    pub fn container(&self) -> Option<Arc<ContainerSpec>> {
        match &*self.state.borrow() {
            PreparationState::Ready(prepared) => Some(Arc::clone(&prepared.container)),
            PreparationState::Preparing | PreparationState::Failed(_) => None,
        }
    }
}
