//! Which interfaces there are, by rtnetlink, and which of them are looked at.

use std::sync::Arc;

use crate::netlink::{attributes, u32_at};

/// Multicast group that tells of interfaces that come, change and go (RTMGRP_LINK).
pub(super) const CHANGES: u32 = 1;
pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_GETLINK: u16 = 18;
/// `struct ifinfomsg` of a request for all.
pub(super) const REQUEST: [u8; 16] = [0; 16];

const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;

/// Kinds at which nothing is counted by default: what passes them passes a port or an uplink too, or is
/// counted there by what it carries.
const PASSED_BY: &[&str] = &[
    "bridge", "vxlan", "geneve", "dummy", "ifb", "nlmon", "gre", "gretap", "ip6gre", "sit", "ipip",
    "vrf", "vcan",
];

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    kind: String,
    flags: u32,
}

impl Link {
    /// Reads a message of type RTM_NEWLINK.
    pub(super) fn read(body: &[u8]) -> Option<Link> {
        let mut link = Link {
            index: u32_at(body, 4)?,
            name: String::new(),
            kind: String::new(),
            flags: u32_at(body, 8)?,
        };
        for (kind, value) in attributes(body.get(16..)?) {
            match kind {
                IFLA_IFNAME => link.name = text(value),
                IFLA_LINKINFO => {
                    let info = attributes(value).find(|(kind, _)| *kind == IFLA_INFO_KIND);
                    link.kind = info.map(|(_, value)| text(value)).unwrap_or_default();
                }
                _ => {}
            }
        }
        (!link.name.is_empty()).then_some(link)
    }
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|octet| *octet == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

/// A name as it may be shown: the kernel takes control characters in it, and whoever may make
/// interfaces chooses it.
pub(super) fn shown(name: &str) -> Arc<str> {
    crate::owner::clean(name, name.len()).into()
}

/// Whether an interface is looked at. `patterns` are names in which `*` stands for anything; one that begins
/// with `!` leaves out what the rest would take. Without a pattern that takes any, all but loopback and
/// what is passed by are taken.
pub(super) fn is_wanted(link: &Link, patterns: &[String]) -> bool {
    if link.flags & IFF_UP == 0 {
        return false;
    }
    let (not, takes): (Vec<&str>, Vec<&str>) =
        patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
    let is_left_out = not.iter().any(|pattern| matches(&pattern[1..], &link.name));
    let is_taken = match takes.is_empty() {
        true => link.flags & IFF_LOOPBACK == 0 && !PASSED_BY.contains(&link.kind.as_str()),
        false => takes.iter().any(|pattern| matches(pattern, &link.name)),
    };
    is_taken && !is_left_out
}

/// A name against a pattern in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut ends = !pattern.contains('*');
    for part in parts {
        ends = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    // What is left after the last part must be its own end, or a star's.
    rest.is_empty()
        || (ends && pattern.ends_with('*'))
        || pattern.rsplit('*').next().is_some_and(|last| {
            pattern.contains('*') && name.len() >= first.len() + last.len() && name.ends_with(last)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, kind: &str, flags: u32) -> Link {
        Link { index: 7, name: name.into(), kind: kind.into(), flags }
    }

    #[test]
    fn a_name_is_shown_without_control_characters() {
        assert_eq!(&*shown("e\u{1b}[2J"), "e\u{fffd}[2J");
    }

    #[test]
    fn patterns_take_and_leave_out() {
        for (pattern, name, is) in [
            ("eth0", "eth0", true),
            ("eth0", "eth01", false),
            ("veth*", "veth12", true),
            ("veth*", "xveth", false),
            ("*", "anything", true),
            ("*0", "eth0", true),
            ("*0", "eth00", true),
            ("*0", "eth1", false),
            ("e*h*0", "eth10", true),
            ("e*h*0", "eth1", false),
            ("ab*b", "ab", false),
            ("", "eth0", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn ports_and_uplinks_are_taken_unless_told_otherwise() {
        let taken = |patterns: &[&str], link: &Link| {
            is_wanted(link, &patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
        };
        let (up, loopback) = (IFF_UP, IFF_UP | IFF_LOOPBACK);
        assert!(taken(&[], &link("eth0", "", up)) && taken(&[], &link("veth1", "veth", up)));
        assert!(!taken(&[], &link("eth0", "", 0)) && !taken(&[], &link("lo", "", loopback)));
        assert!(!taken(&[], &link("cni0", "bridge", up)) && !taken(&[], &link("vx", "vxlan", up)));
        assert!(taken(&["cni*"], &link("cni0", "bridge", up)));
        assert!(!taken(&["cni*"], &link("eth0", "", up)));
        assert!(!taken(&["!eth*"], &link("eth0", "", up)) && taken(&["!eth*"], &link("b", "", up)));
        assert!(!taken(&["*", "!lo"], &link("lo", "", loopback)));
    }
}
