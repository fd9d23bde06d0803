//! One answer to RTM_GETLINK (rtnetlink(7), linux/if_link.h).

use crate::netlink::{attributes, u16_at, u32_at, u64_at};

const IFLA_IFNAME: u16 = 3;
const IFLA_STATS64: u16 = 23;
const IFF_UP: u32 = 1;
const IFF_RUNNING: u32 = 0x40;
const IFF_PROMISC: u32 = 0x100;
/// Octets of `struct ifinfomsg`.
const IFINFOMSG: usize = 16;

/// Body of the request: a `struct ifinfomsg` of nothing in particular.
pub(super) const REQUEST: [u8; IFINFOMSG] = [0; IFINFOMSG];

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    hardware: u16,
    flags: u32,
    /// `struct rtnl_link_stats64`, as many numbers as the kernel has.
    stats: Vec<u64>,
}

impl Link {
    /// Reads a message's body. `None` when it is too short or has no counters.
    pub(super) fn read(body: &[u8]) -> Option<Link> {
        let (fixed, rest) = body.split_first_chunk::<IFINFOMSG>()?;
        let (mut name, mut stats) = (String::new(), None);
        for (kind, value) in attributes(rest) {
            match kind {
                IFLA_IFNAME => {
                    let text = String::from_utf8_lossy(value.split(|octet| *octet == 0).next()?);
                    name = text.chars().filter(|c| !c.is_control()).collect();
                }
                IFLA_STATS64 => {
                    let numbers = (0..value.len() / 8).filter_map(|i| u64_at(value, i * 8));
                    stats = Some(numbers.take(32).collect());
                }
                _ => {}
            }
        }
        Some(Link {
            index: u32_at(fixed, 4)?,
            hardware: u16_at(fixed, 2)?,
            flags: u32_at(fixed, 8)?,
            name,
            stats: stats?,
        })
    }

    /// Tells each counter by its name in sFlow, with speed and direction where they are known.
    pub(super) fn tell(
        &self,
        (speed, direction): (Option<u64>, Option<u64>),
        mut each: impl FnMut(&'static str, u64),
    ) {
        let is = |flag: u32| u64::from(self.flags & flag != 0);
        each("ifIndex", self.index.into());
        // ifType of IANA: ethernetCsmacd 6 for ARPHRD_ETHER 1, softwareLoopback 24 for 772.
        match self.hardware {
            1 => each("networkType", 6),
            772 => each("networkType", 24),
            _ => {}
        }
        for (name, value) in [("ifSpeed", speed), ("ifDirection", direction)] {
            if let Some(value) = value {
                each(name, value);
            }
        }
        each("ifStatus", is(IFF_UP) | is(IFF_RUNNING) << 1);
        const NAMES: [(usize, &str); 9] = [
            (2, "ifInOctets"),
            (0, "ifInUcastPkts"),
            (8, "ifInMulticastPkts"),
            (6, "ifInDiscards"),
            (4, "ifInErrors"),
            (3, "ifOutOctets"),
            (1, "ifOutUcastPkts"),
            (7, "ifOutDiscards"),
            (5, "ifOutErrors"),
        ];
        let stat = |at: usize| self.stats.get(at).copied();
        for (at, name) in NAMES {
            let Some(value) = stat(at) else { continue };
            // The kernel's count of packets has the multicasts in it.
            let multicasts = if at == 0 { stat(8).unwrap_or(0) } else { 0 };
            each(name, value.saturating_sub(multicasts));
        }
        each("ifPromiscuousMode", is(IFF_PROMISC));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message() -> Vec<u8> {
        let mut body = vec![0, 0];
        body.extend(772u16.to_ne_bytes());
        body.extend(1u32.to_ne_bytes());
        body.extend((IFF_UP | IFF_RUNNING).to_ne_bytes());
        body.extend([0; 4]);
        body.extend(7u16.to_ne_bytes());
        body.extend(IFLA_IFNAME.to_ne_bytes());
        body.extend(*b"lo\0\0");
        body.extend(76u16.to_ne_bytes());
        body.extend(IFLA_STATS64.to_ne_bytes());
        (1..=9u64).for_each(|number| body.extend((number * 100).to_ne_bytes()));
        body
    }

    #[test]
    fn counters_have_their_names_in_sflow() {
        let link = Link::read(&message()).unwrap();
        assert_eq!((link.index, link.name.as_str()), (1, "lo"));
        let mut told = Vec::new();
        link.tell((Some(10_000_000), None), |name, value| told.push((name, value)));
        assert_eq!(
            told,
            [
                ("ifIndex", 1),
                ("networkType", 24),
                ("ifSpeed", 10_000_000),
                ("ifStatus", 3),
                ("ifInOctets", 300),
                // 900 multicasts of 100 packets cannot be: it stops at 0.
                ("ifInUcastPkts", 0),
                ("ifInMulticastPkts", 900),
                ("ifInDiscards", 700),
                ("ifInErrors", 500),
                ("ifOutOctets", 400),
                ("ifOutUcastPkts", 200),
                ("ifOutDiscards", 800),
                ("ifOutErrors", 600),
                ("ifPromiscuousMode", 0),
            ]
        );
    }

    proptest! {
        #[test]
        fn damage_is_contained(at in 0usize..104, octet: u8, cut in 0usize..104) {
            let mut body = message();
            if let Some(place) = body.get_mut(at) {
                *place = octet;
            }
            body.truncate(body.len() - cut.min(body.len()));
            if let Some(link) = Link::read(&body) {
                link.tell((None, None), |_, _| {});
            }
        }
    }
}
