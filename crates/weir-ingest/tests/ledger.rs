//! The whole collecting process on real sockets, with a sink that counts: every kind of loss is
//! driven once, and every account is checked by equality of integers.
#![expect(clippy::unwrap_used, reason = "helpers of tests stand outside test functions")]

#[path = "ledger/harness.rs"]
mod harness;

#[path = "ledger/accounts.rs"]
mod accounts;
#[path = "ledger/acknowledge.rs"]
mod acknowledge;
#[path = "ledger/connections.rs"]
mod connections;
#[path = "ledger/limits.rs"]
mod limits;
#[path = "ledger/overload.rs"]
mod overload;
#[path = "ledger/restart.rs"]
mod restart;
#[path = "ledger/tls.rs"]
mod tls;
