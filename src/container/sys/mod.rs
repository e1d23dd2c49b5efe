//! Safe wrappers of system calls that containers need and that no library wraps safely.
//!
//! Each function is a thin wrapper of one call, and each unsafe block states why it is sound.
//! Nothing here knows about containers.
#![allow(unsafe_code)]

pub mod keyring;
pub mod mount;
pub mod network;
pub mod process;
pub mod seccomp;
pub mod socket;
pub mod state;
