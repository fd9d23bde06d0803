//! Footer.
