//! Numbers that look random and are the same in every run, and damage to octets made of them.

/// A small deterministic generator (SplitMix64). Its seed is part of any failure's message.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A generator whose whole sequence follows from `seed`.
    pub const fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 when `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.roll() % limit as u64) as usize }
    }

    /// Damages `octets` in one of the ways that reach deep into a decoder: a flipped bit, an octet
    /// or a 16-bit field set to a telling value, a cut, a repeated or removed stretch.
    pub fn damage(&mut self, octets: &mut Vec<u8>) {
        const TELLING: [u16; 12] = [0, 1, 2, 3, 4, 5, 255, 256, 0x7fff, 0x8000, 0xfffe, 0xffff];
        let at = self.below(octets.len());
        match self.below(7) {
            _ if octets.is_empty() => octets.push(self.roll() as u8),
            0 => octets[at] ^= 1 << self.below(8),
            1 => octets[at] = TELLING[self.below(TELLING.len())] as u8,
            2 => {
                let field = TELLING[self.below(TELLING.len())].to_be_bytes();
                let at = at & !1;
                for (slot, octet) in octets[at..].iter_mut().zip(field) {
                    *slot = octet;
                }
            }
            3 => octets.truncate(at),
            4 => {
                let end = at + self.below((octets.len() - at).min(64) + 1);
                let stretch = octets[at..end].to_vec();
                octets.splice(end..end, stretch);
            }
            5 => {
                let end = at + self.below((octets.len() - at).min(16) + 1);
                octets.drain(at..end);
            }
            _ => octets[at] = self.roll() as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_does_the_same_damage() {
        let damaged = |seed| {
            let mut dice = Dice::new(seed);
            let mut octets: Vec<u8> = (0..100).collect();
            (0..50).for_each(|_| dice.damage(&mut octets));
            octets
        };
        assert_eq!(damaged(7), damaged(7));
        assert_ne!(damaged(7), damaged(8));
    }

    #[test]
    fn nothing_left_can_still_be_damaged() {
        let mut octets = Vec::new();
        Dice::new(1).damage(&mut octets);
        assert_eq!(octets.len(), 1);
    }
}
