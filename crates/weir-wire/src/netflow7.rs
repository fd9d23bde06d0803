//! NetFlow version 7 (Catalyst switches).

pub mod encode;
