//! One frame, as readers know it.

/// Where a frame lies, what its columns are, what it adds to the dictionary.
#[derive(Debug)]
pub struct Frame {}
