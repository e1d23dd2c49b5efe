//! Plants, and what becomes of them.

pub mod diary;
pub mod plant;

pub use diary::Diary;
pub use plant::{Plant, Stage};
