//! What the jobs of tests need from their backend besides a slot.

use maelstrom_model::policy::{JobNeeds, StackDumpMethod, TestVariableSet};
use nix::sys::signal::Signal;

/// The signal at which a test writes the stacks of its threads: one that no program uses. The
/// runner's Python part (`assets/pytest/runner.py`) registers it with `faulthandler`.
const PYTHON_STACKS: i32 = Signal::SIGSTKFLT as i32;

/// Returns the needs of a test's job.
pub(super) fn test_needs() -> JobNeeds {
    JobNeeds {
        test_variables: TestVariableSet::Own,
        ..group_needs()
    }
}

/// Returns the needs of the job of several tests.
pub(super) fn group_needs() -> JobNeeds {
    JobNeeds {
        stack_dump: StackDumpMethod::Signal(PYTHON_STACKS),
        ..JobNeeds::default()
    }
}
