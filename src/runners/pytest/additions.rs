//! What is added to the processes of tests.

use maelstrom_model::job::{ProcessAdditions, StackDumpMethod, TestVariableSet};
use nix::sys::signal::Signal;

/// The signal at which a test writes the stacks of its threads: one that no program uses. The
/// runner's Python part (`assets/pytest/runner.py`) registers it with `faulthandler`.
const PYTHON_STACKS: i32 = Signal::SIGSTKFLT as i32;

/// Returns the additions to a test's process.
pub(super) fn test_additions() -> ProcessAdditions {
    ProcessAdditions {
        test_variables: TestVariableSet::Own,
        ..group_additions()
    }
}

/// Returns the additions to the process of several tests.
pub(super) fn group_additions() -> ProcessAdditions {
    ProcessAdditions {
        stack_dump: StackDumpMethod::Signal(PYTHON_STACKS),
        ..ProcessAdditions::default()
    }
}
