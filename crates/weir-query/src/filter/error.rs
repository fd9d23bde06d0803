//! What is wrong with a filter text, where, and what was probably meant.

use std::fmt;

/// A filter text that was refused. Points at the characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Octet offset of the first wrong character.
    pub offset: usize,
    /// Octets that are wrong; 0 at the end of the text.
    pub length: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What to write instead, if there is a near name.
    pub suggestion: Option<String>,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.message, self.offset)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}
