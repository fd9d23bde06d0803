//! The collecting process: sockets, transport sessions, limits, the ledger
