//! What the table of tiers says, and that looking changes nothing.

use super::*;
use crate::testing::Namespace;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// A namespace, `None` and said aloud where there cannot be one.
fn namespace() -> Option<Namespace> {
    let made = Namespace::new();
    if made.is_none() {
        eprintln!("SKIPPED lines of connection tracking: no namespaces here");
    }
    made
}

fn settings(there: &Namespace) -> String {
    there.run(|| {
        let read = |name: &str| {
            std::fs::read_to_string(format!("/proc/sys/net/netfilter/nf_conntrack_{name}"))
        };
        let all = ["acct", "timestamp"].map(|name| read(name).unwrap_or_default());
        all.concat().replace('\n', " ")
    })
}

#[test]
fn nothing_is_switched_on_unless_the_policy_says_so() {
    let Some(there) = namespace() else { return };
    if settings(&there) != "0 0 " {
        eprintln!("SKIPPED settings of connection tracking: {:?}", settings(&there));
        return;
    }
    let look = |accounting| {
        there.run(move || {
            let policy = ConntrackPolicy { accounting, ..ConntrackPolicy::default() };
            let (tiers, source) = Conntrack::probe(policy);
            let mut rig = Rig::new();
            let mut source = source.unwrap();
            source.others = None;
            source.poll(moment(0), &mut rig.intake()).unwrap();
            (tiers, source.tier().unwrap())
        })
    };
    let (probed, line) = look(false);
    assert_eq!(settings(&there), "0 0 ");
    assert_eq!(probed, std::slice::from_ref(&line));
    let why = line.why_not.unwrap();
    assert!(line.runs && !line.is_expected);
    assert!(why.contains("sysctl -w net.netfilter.nf_conntrack_acct=1"), "{why}");
    assert!(why.contains("the table is empty"), "{why}");
    let (_, line) = look(true);
    assert_eq!(settings(&there), "1 1 ");
    let why = line.why_not.unwrap();
    assert!(!why.contains("accounting"), "{why}");
}

#[test]
fn without_the_capability_the_line_names_it() {
    let Some(there) = namespace() else { return };
    if settings(&there).is_empty() {
        eprintln!("SKIPPED the capability of connection tracking: it is not loaded");
        return;
    }
    let (tiers, runs) = there.run(|| {
        let mut mine = capabilities(None).unwrap();
        mine.effective.remove(CapabilitySet::NET_ADMIN);
        set_capabilities(None, mine).unwrap();
        let (tiers, source) = Conntrack::probe(ConntrackPolicy::default());
        (tiers, source.is_some())
    });
    assert!(!runs && !tiers[0].runs && !tiers[0].is_expected);
    let why = tiers[0].why_not.as_ref().unwrap();
    assert!(why.contains("CAP_NET_ADMIN"), "{why}");
    assert_eq!(tiers[0].costs, Some(COSTS));
}

#[test]
fn what_is_switched_off_says_by_what() {
    let policy = ConntrackPolicy { enabled: false, ..ConntrackPolicy::default() };
    let (tiers, source) = Conntrack::probe(policy);
    assert!(source.is_none());
    assert_eq!(tiers[0].why_not.as_deref(), Some("switched off: meter.conntrack = false"));
}
