//! Which shared libraries programs need: the container room's answer, for runners that give tests
//! nothing else.

pub use crate::container::layer::{ElfError, shared_libraries};
