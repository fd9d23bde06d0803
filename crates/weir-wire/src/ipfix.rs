//! IPFIX (RFC 7011): records to messages.

pub mod encode;
pub mod session;

pub mod parts {
    //! Records to messages of data and templates apart, for an exporter that keeps them.

    pub use crate::encode::parts::{Part, PartsEncoder, Taken};
}
