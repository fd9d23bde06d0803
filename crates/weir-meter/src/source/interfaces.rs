//! Interface counters by rtnetlink (RTM_GETLINK, IFLA_STATS64): no privilege needed.
//!
//! Each interface of this network namespace becomes the rows of an sFlow interface counter sample
//! (structures 1 and 1005), with the kernel's 64-bit counters. What the kernel does not keep (broadcasts,
//! unknown protocols) has no row. Limit: these count what the driver hands over: under GSO/GRO a
//! packet here is up to 45 on the wire (docs/meter.md).

mod link;

use std::time::Duration;

use super::{Intake, Source, SourceError, Tier};
use crate::cache::Moment;
use crate::counters::Counters;
use crate::netlink::{Message, Netlink};
use link::Link;

/// Name of the source.
pub(crate) const NAME: &str = "interface_counters";

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
/// sFlow structure 0:1, if_counters.
const STRUCTURE: u32 = 1;
/// sFlow structure 0:1005, port_name.
const PORT_NAME: u32 = 1_005;
/// Most interfaces of a poll: a batch has room for their rows.
const LINKS_MAX: usize = 2_048;

/// The source.
#[derive(Debug)]
pub struct Interfaces {
    netlink: Netlink,
    interval: Duration,
    untold: u64,
}

impl Interfaces {
    /// Asks the kernel once.
    pub fn probe(interval: Duration) -> (Tier, Option<Interfaces>) {
        let opened = Netlink::open(None, 0).and_then(|mut netlink| {
            netlink.dump(RTM_GETLINK, &link::REQUEST, |_| {})?;
            Ok(netlink)
        });
        match opened {
            Ok(netlink) => (Tier::runs(NAME), Some(Interfaces { netlink, interval, untold: 0 })),
            Err(error) => {
                let costs = "octets and errors of interfaces are not seen";
                (Tier::missing(NAME, error.to_string(), costs), None)
            }
        }
    }
}

/// Speed in bit/s and direction (1 full, 2 half duplex), which netlink does not tell and devices of
/// software often do not have.
fn speed(name: &str) -> (Option<u64>, Option<u64>) {
    // A name is one part of a path: the kernel allows no slash in it, and `.` leads nowhere.
    let read = |file: &str| std::fs::read_to_string(format!("/sys/class/net/{name}/{file}")).ok();
    let megabits = read("speed").and_then(|text| text.trim().parse::<i64>().ok());
    let speed = megabits.and_then(|speed| u64::try_from(speed).ok());
    let direction = read("duplex").and_then(|text| match text.trim() {
        "full" => Some(1),
        "half" => Some(2),
        _ => None,
    });
    (speed.map(|megabits| megabits.saturating_mul(1_000_000)), direction)
}

impl Source for Interfaces {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let mut links = 0;
        let untold = &mut self.untold;
        let each = |message: Message<'_>| {
            let Some(link) =
                (message.kind == RTM_NEWLINK).then(|| Link::read(message.body)).flatten()
            else {
                return;
            };
            if links == LINKS_MAX {
                *untold += 1;
                return;
            }
            links += 1;
            let source = (link.index, Some(link.name.as_str()));
            let mut rows = Counters::new(intake.counters, intake.identity, STRUCTURE, source, now);
            link.tell(speed(&link.name), |name, value| rows.number(name, value));
            let mut rows = Counters::new(intake.counters, intake.identity, PORT_NAME, source, now);
            rows.text("ifName", &link.name);
        };
        self.netlink.dump(RTM_GETLINK, &link::REQUEST, each)?;
        Ok(self.interval)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("interfaces_untold", self.untold)]
    }
}
