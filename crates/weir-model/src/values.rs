//! One column of a batch.

use crate::addr::Addr;
use crate::bitmap::Bitmap;
use crate::column::Physical;

/// Index of an octet string in the interner of the batch (or the dictionary of the segment) that
/// the value lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Code(pub u32);

/// One value, widened: what row-wise readers get.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// Any unsigned number, a MAC address included.
    U64(u64),
    /// A time.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// An address.
    Addr(Addr),
    /// A string, list or octets in the batch's interner.
    Code(Code),
}

/// The values of a column, all of one type.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the type it names")]
pub enum Values {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    Addr(Vec<Addr>),
    Code(Vec<Code>),
}

/// Calls `$body` with `$vec` bound to whichever vector `$values` holds.
#[macro_export]
macro_rules! for_each_values {
    ($values:expr, $vec:ident => $body:expr) => {
        match $values {
            $crate::Values::U8($vec) => $body,
            $crate::Values::U16($vec) => $body,
            $crate::Values::U32($vec) => $body,
            $crate::Values::U64($vec) => $body,
            $crate::Values::I64($vec) => $body,
            $crate::Values::F64($vec) => $body,
            $crate::Values::Addr($vec) => $body,
            $crate::Values::Code($vec) => $body,
        }
    };
}

impl Values {
    /// An empty vector of the given layout.
    pub fn new(physical: Physical) -> Values {
        match physical {
            Physical::U8 => Values::U8(Vec::new()),
            Physical::U16 => Values::U16(Vec::new()),
            Physical::U32 => Values::U32(Vec::new()),
            Physical::U64 => Values::U64(Vec::new()),
            Physical::I64 => Values::I64(Vec::new()),
            Physical::F64 => Values::F64(Vec::new()),
            Physical::Addr => Values::Addr(Vec::new()),
            Physical::Code => Values::Code(Vec::new()),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        for_each_values!(self, v => v.len())
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value `i`, widened. `None` past the end.
    pub fn get(&self, i: usize) -> Option<Scalar> {
        for_each_values!(self, v => v.get(i).map(|value| value.widen()))
    }

    pub(crate) fn resize(&mut self, len: usize) {
        for_each_values!(self, v => v.resize(len, Default::default()));
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        for_each_values!(self, v => v.truncate(len));
    }

    pub(crate) fn clear(&mut self) {
        for_each_values!(self, v => v.clear());
    }
}

/// A type that columns are made of.
pub trait Native: Copy + Default + PartialEq + 'static {
    /// The layout that holds it.
    const PHYSICAL: Physical;
    /// The vector inside `values`, if it is of this type.
    fn of(values: &Values) -> Option<&Vec<Self>>;
    /// The same, to write to.
    fn of_mut(values: &mut Values) -> Option<&mut Vec<Self>>;
    /// As a [`Scalar`].
    fn widen(self) -> Scalar;
    /// From a [`Scalar`]; `None` when it is of another kind. Numbers are cut to the width.
    fn narrow(scalar: Scalar) -> Option<Self>;
}

macro_rules! native {
    ($type:ty, $variant:ident, $widen:expr, $narrow:pat => $narrowed:expr) => {
        impl Native for $type {
            const PHYSICAL: Physical = Physical::$variant;
            #[inline]
            fn of(values: &Values) -> Option<&Vec<Self>> {
                match values {
                    Values::$variant(vec) => Some(vec),
                    _ => None,
                }
            }
            #[inline]
            fn of_mut(values: &mut Values) -> Option<&mut Vec<Self>> {
                match values {
                    Values::$variant(vec) => Some(vec),
                    _ => None,
                }
            }
            #[inline]
            fn widen(self) -> Scalar {
                $widen(self)
            }
            #[inline]
            fn narrow(scalar: Scalar) -> Option<Self> {
                match scalar {
                    $narrow => Some($narrowed),
                    _ => None,
                }
            }
        }
    };
}

native!(u8, U8, |v: u8| Scalar::U64(v.into()), Scalar::U64(v) => v as u8);
native!(u16, U16, |v: u16| Scalar::U64(v.into()), Scalar::U64(v) => v as u16);
native!(u32, U32, |v: u32| Scalar::U64(v.into()), Scalar::U64(v) => v as u32);
native!(u64, U64, Scalar::U64, Scalar::U64(v) => v);
native!(i64, I64, Scalar::I64, Scalar::I64(v) => v);
native!(f64, F64, Scalar::F64, Scalar::F64(v) => v);
native!(Addr, Addr, Scalar::Addr, Scalar::Addr(v) => v);
native!(Code, Code, Scalar::Code, Scalar::Code(v) => v);

/// A column of a batch: what a batch does not have costs one word of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Column {
    /// Null in every row.
    #[default]
    Absent,
    /// The same value in rows `0..len`, null after that (a sealed batch: in every row).
    Constant {
        /// The value.
        value: Scalar,
        /// Rows that have it.
        len: usize,
    },
    /// A value a row.
    Values {
        /// The values; null rows hold the type's default.
        data: Values,
        /// Which rows have a value; `None` when all do.
        validity: Option<Bitmap>,
    },
}

impl Column {
    /// The value of row `i`, or `None` where it is null.
    pub fn get(&self, i: usize) -> Option<Scalar> {
        match self {
            Column::Absent => None,
            Column::Constant { value, len } => (i < *len).then_some(*value),
            Column::Values { data, validity } => match validity {
                Some(bits) if !bits.get(i) => None,
                _ => data.get(i),
            },
        }
    }

    /// Rows that the column covers so far.
    pub fn len(&self) -> usize {
        match self {
            Column::Absent => 0,
            Column::Constant { len, .. } => *len,
            Column::Values { data, .. } => data.len(),
        }
    }

    /// True when it covers no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
