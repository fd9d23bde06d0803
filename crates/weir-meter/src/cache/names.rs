//! Names that sampled packets told of a flow.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::FlowKey;

/// How long names wait for the flow that they belong to.
const PATIENCE: Duration = Duration::from_secs(10);
/// Flows whose names wait; past it the oldest are given up, counted.
const WAITING_MAX: usize = 4_096;

/// What application headers told. Hostile text: whoever makes one has cleaned and cut it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub struct Names {
    pub app: Option<Arc<str>>,
    pub dns_query: Option<Arc<str>>,
    pub dns_qtype: Option<u16>,
    pub dns_rcode: Option<u8>,
    pub dns_latency_us: Option<u32>,
    pub tls_sni: Option<Arc<str>>,
    pub tls_alpn: Option<Arc<str>>,
    pub http_host: Option<Arc<str>>,
    pub http_method: Option<Arc<str>>,
    pub http_url: Option<Arc<str>>,
    pub http_status: Option<u16>,
}

impl Names {
    /// Takes what `newer` knows; what it does not know stays.
    pub(crate) fn update(&mut self, newer: &Names) {
        macro_rules! take {
            ($($field:ident),*) => {
                $(if newer.$field.is_some() { self.$field.clone_from(&newer.$field); })*
            };
        }
        take!(app, dns_query, dns_qtype, dns_rcode, dns_latency_us, tls_sni, tls_alpn);
        take!(http_host, http_method, http_url, http_status);
    }
}

/// Names whose flow no source has told of yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    names: HashMap<FlowKey, (Duration, Names)>,
    /// Places of those that were taken stay until their turn or until they are the half.
    order: VecDeque<(Duration, FlowKey)>,
    pub(super) given_up: u64,
}

impl Waiting {
    pub(super) fn put(&mut self, key: FlowKey, names: &Names, now: Duration) {
        let (_, waiting) = self.names.entry(key).or_insert_with(|| {
            self.order.push_back((now, key));
            (now, Names::default())
        });
        waiting.update(names);
        let is_old = |(since, _): &(Duration, FlowKey)| now.saturating_sub(*since) > PATIENCE;
        while self.names.len() > WAITING_MAX || self.order.front().is_some_and(is_old) {
            let Some(oldest) = self.order.pop_front() else { return };
            if self.has_place(&oldest) {
                self.names.remove(&oldest.1);
                self.given_up += 1;
            }
        }
        if self.order.len() > 2 * WAITING_MAX {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|place| self.has_place(place));
            self.order = order;
        }
    }

    fn has_place(&self, (since, key): &(Duration, FlowKey)) -> bool {
        self.names.get(key).is_some_and(|(put, _)| put == since)
    }

    pub(super) fn take(&mut self, key: FlowKey) -> Option<Names> {
        if self.names.is_empty() { None } else { self.names.remove(&key).map(|(_, names)| names) }
    }
}
