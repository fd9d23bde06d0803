//! `weir top`: live flows of this machine or of a running Weir, in a terminal.
//!
//! Records come in from a [`feed`], [`flows`] makes rates of them, [`rows`] sorts and groups, and
//! a frame is drawn, or printed for scripts. Invariants: memory is bounded whatever is told;
//! nothing of a name from the network is obeyed by the terminal; the terminal is given back as it
//! was, after a panic or a signal too.

pub mod app;
mod edit;
pub mod feed;
pub mod flows;
mod frame;
pub mod keys;
pub mod plain;
pub mod rate;
pub mod record;
pub mod rows;
pub mod run;
pub mod session;
mod terminal;
mod view;
