//! The three pieces of protobuf that flow messages need (protobuf encoding specification):
//! varints, length-delimited fields and packed lists. Zero and empty are left out, as proto3 does.

/// A message under construction.
#[derive(Debug, Default)]
pub struct Message {
    octets: Vec<u8>,
}

impl Message {
    /// Field `number` as a varint.
    pub fn uint(&mut self, number: u32, value: u64) {
        if value != 0 {
            varint(&mut self.octets, u64::from(number) << 3);
            varint(&mut self.octets, value);
        }
    }

    /// Field `number` as octets.
    pub fn octets(&mut self, number: u32, value: &[u8]) {
        if !value.is_empty() {
            varint(&mut self.octets, u64::from(number) << 3 | 2);
            varint(&mut self.octets, value.len() as u64);
            self.octets.extend_from_slice(value);
        }
    }

    /// Field `number` as a packed list of varints.
    pub fn packed(&mut self, number: u32, values: &[u32]) {
        let mut list = Vec::new();
        for &value in values {
            varint(&mut list, u64::from(value));
        }
        self.octets(number, &list);
    }

    /// Appends the message to `out` behind its length, and empties it.
    pub fn delimit(&mut self, out: &mut Vec<u8>) {
        varint(out, self.octets.len() as u64);
        out.append(&mut self.octets);
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_tagged_and_zero_is_left_out() {
        let mut message = Message::default();
        message.uint(1, 150);
        message.uint(2, 0);
        message.octets(6, &[10, 0]);
        message.packed(101, &[3, 270]);
        let mut out = Vec::new();
        message.delimit(&mut out);
        assert_eq!(out, [13, 0x08, 0x96, 1, 0x32, 2, 10, 0, 0xaa, 6, 3, 3, 0x8e, 2]);
    }
}
