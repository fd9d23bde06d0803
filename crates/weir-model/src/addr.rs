//! Addresses: IPv6 (IPv4 mapped into it), MAC, and address ranges by prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Upper 96 bits of an IPv4-mapped address (RFC 4291 §2.5.5.2).
const MAPPED: u128 = 0xffff << 32;

/// An IP address as the 128-bit number of its 16 octets in network order; IPv4 is mapped
/// (`::ffff:a.b.c.d`), so numeric order is address order within each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Addr(pub u128);

impl Addr {
    /// `::`
    pub const UNSPECIFIED: Addr = Addr(0);

    /// Maps an IPv4 address given as its 32-bit number.
    #[inline]
    pub const fn v4(address: u32) -> Addr {
        Addr(MAPPED | address as u128)
    }

    /// Takes 16 octets in network order.
    #[inline]
    pub const fn v6(octets: [u8; 16]) -> Addr {
        Addr(u128::from_be_bytes(octets))
    }

    /// The 16 octets in network order.
    #[inline]
    pub const fn octets(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The IPv4 address, if it is one.
    pub const fn as_v4(self) -> Option<u32> {
        if self.0 >> 32 == MAPPED >> 32 { Some(self.0 as u32) } else { None }
    }

    /// True for `::` and for the mapped `0.0.0.0`.
    pub const fn is_unspecified(self) -> bool {
        self.0 == 0 || self.0 == MAPPED
    }

    /// Keeps the first `v4` bits of an IPv4 address or the first `v6` bits of an IPv6 address
    /// and clears the rest. Lengths past 32 and 128 keep everything.
    ///
    /// ```
    /// use weir_model::Addr;
    /// let addr: Addr = "10.1.2.3".parse().unwrap();
    /// assert_eq!(addr.prefix(24, 48).to_string(), "10.1.2.0");
    /// ```
    pub const fn prefix(self, v4: u8, v6: u8) -> Addr {
        let bits = match self.as_v4() {
            Some(_) if v4 >= 32 => 128,
            Some(_) => 96 + v4,
            None if v6 >= 128 => 128,
            None => v6,
        };
        Addr(self.0 & mask(bits))
    }

    /// The standard library's form: `V4` for a mapped address.
    pub fn to_ip(self) -> IpAddr {
        match self.as_v4() {
            Some(v4) => IpAddr::V4(Ipv4Addr::from(v4)),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }
}

/// The number whose first `bits` (of 128) are set.
const fn mask(bits: u8) -> u128 {
    if bits == 0 { 0 } else { u128::MAX << (128 - bits as u32) }
}

impl From<IpAddr> for Addr {
    fn from(address: IpAddr) -> Addr {
        match address {
            IpAddr::V4(v4) => Addr::v4(v4.into()),
            IpAddr::V6(v6) => Addr(v6.into()),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

/// Text that is no address. Carries the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IP address")]
pub struct AddrError(pub String);

impl FromStr for Addr {
    type Err = AddrError;
    fn from_str(text: &str) -> Result<Addr, AddrError> {
        text.parse::<IpAddr>().map(Addr::from).map_err(|_| AddrError(text.to_owned()))
    }
}

/// A MAC address in the low 48 bits, first octet highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub u64);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, _, a, b, c, d, e, g] = self.0.to_be_bytes();
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Text that is no MAC address. Carries the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a MAC address like 02:00:5e:10:00:00")]
pub struct MacError(pub String);

impl FromStr for Mac {
    type Err = MacError;
    fn from_str(text: &str) -> Result<Mac, MacError> {
        let bad = || MacError(text.to_owned());
        let mut value = 0u64;
        let mut octets = 0;
        for part in text.split([':', '-']) {
            let octet = u8::from_str_radix(part, 16).map_err(|_| bad())?;
            value = value << 8 | u64::from(octet);
            octets += 1;
        }
        if octets == 6 { Ok(Mac(value)) } else { Err(bad()) }
    }
}

/// A block of addresses: those whose first bits are those of `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    /// Lowest address of the block.
    pub first: Addr,
    /// Highest address of the block.
    pub last: Addr,
}

/// Text that is no address block. Carries the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address block like 10.0.0.0/8 or 2001:db8::/32")]
pub struct CidrError(pub String);

impl Cidr {
    /// The block of `addr` with `length` bits of prefix, counted in the address's own family.
    /// `None` when the length is past 32 (IPv4) or 128 (IPv6).
    pub const fn new(addr: Addr, length: u8) -> Option<Cidr> {
        let bits = match addr.as_v4() {
            Some(_) if length > 32 => return None,
            Some(_) => 96 + length,
            None if length > 128 => return None,
            None => length,
        };
        let mask = mask(bits);
        Some(Cidr { first: Addr(addr.0 & mask), last: Addr(addr.0 | !mask) })
    }

    /// True when `addr` lies in the block.
    #[inline]
    pub const fn contains(self, addr: Addr) -> bool {
        self.first.0 <= addr.0 && addr.0 <= self.last.0
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Reads `address/length`; an address alone is the block of itself.
    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let bad = || CidrError(text.to_owned());
        let (addr, length) = match text.split_once('/') {
            Some((addr, length)) => (addr, Some(length.parse::<u8>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let addr: Addr = addr.parse().map_err(|_| bad())?;
        let full = if addr.as_v4().is_some() { 32 } else { 128 };
        Cidr::new(addr, length.unwrap_or(full)).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_print_as_ipv4() {
        let addr: Addr = "192.0.2.1".parse().unwrap();
        assert_eq!(addr, Addr::v4(0xc000_0201));
        assert_eq!(addr.to_string(), "192.0.2.1");
        assert_eq!("2001:db8::1".parse::<Addr>().unwrap().to_string(), "2001:db8::1");
    }

    #[test]
    fn blocks_hold_their_own_family_only() {
        let all_v4: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all_v4.contains(Addr::v4(u32::MAX)));
        assert!(!all_v4.contains("2001:db8::1".parse().unwrap()));
        let ten: Cidr = "10.9.0.0/8".parse().unwrap();
        assert!(ten.contains("10.255.0.1".parse().unwrap()));
        assert!(!ten.contains("11.0.0.0".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Cidr>().is_err());
        assert!("fd00::/129".parse::<Cidr>().is_err());
    }

    #[test]
    fn prefixes_clear_the_rest() {
        let v6: Addr = "2001:db8:1:2::9".parse().unwrap();
        assert_eq!(v6.prefix(24, 48).to_string(), "2001:db8:1::");
        assert_eq!(Addr::v4(7).prefix(0, 0).to_string(), "0.0.0.0");
        assert_eq!(v6.prefix(99, 200), v6);
    }

    #[test]
    fn mac_text_round_trips() {
        let mac: Mac = "02:00:5e:10:00:ff".parse().unwrap();
        assert_eq!(mac, Mac(0x0200_5e10_00ff));
        assert_eq!(mac.to_string(), "02:00:5e:10:00:ff");
        assert!("02:00:5e:10:00".parse::<Mac>().is_err());
    }
}
