//! The exporting process against collectors made for it: ones that answer, that do not, that die.

mod acknowledged;
mod collector;
mod interop;
mod plain;
mod secured;
