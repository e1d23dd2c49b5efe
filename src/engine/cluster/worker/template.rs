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

use super::inputs::{InputError, Prepared};
use super::ledger::Readiness;
use maelstrom_model::error::with_causes;
use maelstrom_model::job::ContainerSpec;
use maelstrom_wire::error::WireError;
use maelstrom_wire::from_proto::{self, Template};
use maelstrom_wire::v1;

/// Templates of one worker: those of all runs that it has jobs of.
pub const TEMPLATES_MAX: usize = 4096;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Templates {
    numbers: HashMap<u32, Rc<Known>>,
}

/// A template that the broker has told of.
#[derive(Debug)]
pub struct Known {
    message: v1::Template,
    /// What it says, if it says something.
    pub template: Rc<Result<Template, WireError>>,
    state: RefCell<State>,
    preparation: AbortHandle,
}

#[derive(Debug)]
enum State {
    Preparing,
    Ready(Prepared),
    Failed(String),
}

impl Drop for Known {
    fn drop(&mut self) {
        self.preparation.abort();
    }
}

/// What is to be prepared, until nobody needs it any more.
#[derive(Debug)]
pub struct ToPrepare {
    /// What to tell in the end: [`Known::prepared`].
    pub known: Weak<Known>,
    /// What is to be prepared.
    pub template: Rc<Result<Template, WireError>>,
    /// Ends it.
    pub abort: AbortRegistration,
}

/// There are too many templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names more than {TEMPLATES_MAX} templates")]
pub struct TooManyTemplates;

impl Templates {
    /// The broker tells of a template. One that is new is to be prepared.
    pub fn define(
        &mut self,
        number: u32,
        message: v1::Template,
    ) -> Result<Option<ToPrepare>, TooManyTemplates> {
        if let Some(known) = self.equal(&message) {
            self.numbers.insert(number, known);
            return Ok(None);
        }
        if self.numbers.len() >= TEMPLATES_MAX && !self.numbers.contains_key(&number) {
            return Err(TooManyTemplates);
        }
        let (preparation, abort) = AbortHandle::new_pair();
        let template = Rc::new(from_proto::template(&message));
        let known = Rc::new(Known {
            message,
            template: Rc::clone(&template),
            state: RefCell::new(State::Preparing),
            preparation,
        });
        self.numbers.insert(number, Rc::clone(&known));
        Ok(Some(ToPrepare {
            known: Rc::downgrade(&known),
            template,
            abort,
        }))
    }

    /// One that says the same, and has not failed.
    fn equal(&self, message: &v1::Template) -> Option<Rc<Known>> {
        let mut known = self.numbers.values();
        let equal = known.find(|known| known.message == *message && !known.has_failed());
        equal.cloned()
    }

    /// The template of this number.
    pub fn get(&self, number: u32) -> Option<Rc<Known>> {
        self.numbers.get(&number).cloned()
    }

    /// No lease will name this number again.
    pub fn forget(&mut self, number: u32) {
        self.numbers.remove(&number);
    }
}

impl Known {
    fn has_failed(&self) -> bool {
        match &*self.state.borrow() {
            State::Failed(_) => true,
            State::Preparing | State::Ready(_) => false,
        }
    }

    /// What came of its preparation.
    pub fn prepared(&self, prepared: Result<Prepared, InputError>) {
        *self.state.borrow_mut() = match prepared {
            Ok(prepared) => State::Ready(prepared),
            Err(error) => State::Failed(with_causes(&error)),
        };
    }

    /// Whether its jobs can start; `host` is named where they can't.
    pub fn readiness(&self, host: &str) -> Readiness {
        match &*self.state.borrow() {
            State::Preparing => Readiness::NotYet,
            State::Ready(_) => Readiness::Ready,
            State::Failed(reason) => Readiness::Never(format!(
                "the worker {host} could not prepare the job's container: {reason}"
            )),
        }
    }

    /// Its container, once it is ready.
    pub fn container(&self) -> Option<Arc<ContainerSpec>> {
        match &*self.state.borrow() {
            State::Ready(prepared) => Some(Arc::clone(&prepared.container)),
            State::Preparing | State::Failed(_) => None,
        }
    }
}
