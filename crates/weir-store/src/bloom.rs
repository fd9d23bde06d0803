//! Bloom filter over the addresses of a closed segment: whether an address can occur in it is
//! answered by reading 64 octets.
//!
//! A filter is a row of blocks of 64 octets: 480 bits and the crc32c of them. An address belongs
//! to one block and sets [`PROBES`] bits there. Invariant: a block whose checksum is wrong says
//! nothing, so damage never hides rows.

use weir_model::Addr;

/// Octets of a block.
pub(crate) const BLOCK_LEN: usize = 64;
const BITS: u64 = 480;
const PROBES: u32 = 6;
/// Addresses that share a block on average: 12 bits each, about 1 wrong yes in 100.
const ADDRS_PER_BLOCK: usize = 40;

/// The finaliser of splitmix64: every bit of the result depends on every bit of `x`.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// The block of `addr` among `blocks`, and the bits to probe in it.
fn probes(addr: Addr, blocks: u32) -> (u32, impl Iterator<Item = usize>) {
    let (high, low) = ((addr.0 >> 64) as u64, addr.0 as u64);
    let hash = mix(high ^ mix(low ^ 0x9e37_79b9_7f4a_7c15));
    let block = (u128::from(hash) * u128::from(blocks)) >> 64;
    let bits = mix(hash ^ 0x9e37_79b9_7f4a_7c15);
    (block as u32, (0..PROBES).map(move |i| (((bits >> (10 * i) & 1_023) * BITS) >> 10) as usize))
}

/// The filter of `addrs`; nothing when there are none.
pub(crate) fn build(addrs: &[Addr]) -> Vec<u8> {
    let blocks = addrs.len().div_ceil(ADDRS_PER_BLOCK) as u32;
    let mut filter = vec![0u8; blocks as usize * BLOCK_LEN];
    for addr in addrs {
        let (block, bits) = probes(*addr, blocks);
        let octets = &mut filter[block as usize * BLOCK_LEN..][..BLOCK_LEN];
        bits.for_each(|bit| octets[bit / 8] |= 1 << (bit % 8));
    }
    for block in filter.chunks_exact_mut(BLOCK_LEN) {
        let crc = crc32c::crc32c(&block[..BLOCK_LEN - 4]);
        block[BLOCK_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    }
    filter
}

/// Number of the block to read for `addr` in a filter of `blocks`, which is at least 1.
pub(crate) fn block_of(addr: Addr, blocks: u32) -> u32 {
    probes(addr, blocks).0
}

/// False when `octets`, the block of `addr`, say that the address is not there.
pub(crate) fn may_contain(octets: &[u8; BLOCK_LEN], addr: Addr, blocks: u32) -> bool {
    let Some((bits, crc)) = octets.split_last_chunk::<4>() else { return true };
    let intact = crc32c::crc32c(bits) == u32::from_le_bytes(*crc);
    !intact || probes(addr, blocks).1.all(|bit| bits[bit / 8] >> (bit % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(filter: &[u8], addr: Addr) -> bool {
        let blocks = (filter.len() / BLOCK_LEN) as u32;
        let at = block_of(addr, blocks) as usize * BLOCK_LEN;
        let octets = filter[at..at + BLOCK_LEN].try_into().unwrap();
        may_contain(&octets, addr, blocks)
    }

    #[test]
    fn members_are_found_and_few_others() {
        let addrs: Vec<Addr> = (0..10_000).map(|i| Addr::v4(0x0a00_0000 + i * 7)).collect();
        let filter = build(&addrs);
        assert!(addrs.iter().all(|addr| contains(&filter, *addr)));
        let wrong = (0..10_000).filter(|i| contains(&filter, Addr((1 << 100) | (i * 31)))).count();
        assert!(wrong < 300, "{wrong} of 10,000 strangers were let in");
    }

    #[test]
    fn a_damaged_block_hides_nothing() {
        let member = Addr::v4(1);
        let mut filter = build(&[member]);
        filter[..8].fill(0);
        assert!(contains(&filter, member));
        assert!(contains(&filter, Addr::v4(2)));
    }
}
