//! JSON objects, written as they are filled; one that nothing was put into leaves no trace.

use weir_model::json::write_text;

/// An object that is being written to the end of `out`.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl Object<'_> {
    /// Writes one object to the end of `out`.
    pub(super) fn write(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        out.push(b'{');
        fill(&mut Object { out, is_empty: true });
        out.push(b'}');
    }

    /// Keys are our own: nothing in them is to be escaped.
    fn key(&mut self, key: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            write_text(value, self.out);
        }
    }

    pub(super) fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.key(key);
            self.out.extend_from_slice(value.to_string().as_bytes());
        }
    }

    /// A number that is written with `digits` behind the point, always.
    pub(super) fn fraction(&mut self, key: &str, value: Option<f64>, digits: usize) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.key(key);
            self.out.extend_from_slice(format!("{value:.digits$}").as_bytes());
        }
    }

    pub(super) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let (before, was_empty) = (self.out.len(), self.is_empty);
        self.key(key);
        self.out.push(b'{');
        let mut inner = Object { out: self.out, is_empty: true };
        fill(&mut inner);
        if inner.is_empty {
            self.out.truncate(before);
            self.is_empty = was_empty;
        } else {
            self.out.push(b'}');
        }
    }
}
