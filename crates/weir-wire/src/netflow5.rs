//! NetFlow version 5.

pub mod encode;
