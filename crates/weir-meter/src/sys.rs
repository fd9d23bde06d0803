//! The system calls that rustix lacks; beside those of `bpf` the only `unsafe` of this crate.
//!
//! Invariant: no pointer outlives the call it was made for; what the kernel writes into is owned
//! here and as long as the kernel was told. Nothing here decides anything.

pub(crate) mod packet;
