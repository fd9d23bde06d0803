//! Zone maps: what a block's column lies between, so that most blocks need not be read.

use weir_model::Scalar;

/// Bounds of the values that a column has in a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zone {
    /// Lowest value that is not null. Strings: lowest code, of the segment's dictionary.
    /// Floating point: by [`f64::total_cmp`], so NaN counts as lowest or highest.
    pub min: Scalar,
    /// Highest value that is not null, likewise.
    pub max: Scalar,
    /// Rows without a value; fewer than the block has rows.
    pub nulls: u32,
}

impl Zone {
    /// True when every row has the same value.
    pub fn is_constant(&self) -> bool {
        self.nulls == 0 && self.min == self.max
    }
}
