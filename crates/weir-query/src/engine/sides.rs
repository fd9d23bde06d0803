//! What each end sent. A record that carries both directions (RFC 5103) is looked at twice where
//! directions stand apart: for what its initiator sent, and for what its responder did, with the
//! ends exchanged and the counters of the other direction.
//!
//! Invariant: every octet of a record that is kept whole is added once, to the group of its sender.
//! Rows that no responder answered cost nothing here: their parts, or their blocks, are not read
//! a second time.

use super::keys::Layout;
use super::scan::{Counters, Sink};
use super::{Engine, Look, Trace};
use crate::error::QueryError;
use crate::plan::{Figure, exchanged, mirror, mirror_expr, mirror_keys};
use crate::query::Directions;

/// One of the two directions of the rows that a look sees.
pub(super) struct Side {
    pub look: Look,
    /// What the rows add to each of the query's figures.
    pub figures: Vec<Figure>,
    /// Packs the keys of this side's columns as the other side packs those of its own.
    pub layout: Layout,
}

impl Engine<'_> {
    /// The sides that make up `figures`: one where rows are taken as exported.
    pub(super) fn sides(&self, look: &Look, figures: &[Figure]) -> Vec<Side> {
        let (table, directions) = (self.plan.table, self.plan.directions);
        let layout = Layout::new(&look.keys);
        let mut sides = vec![Side { look: look.clone(), figures: figures.to_vec(), layout }];
        if directions == Directions::One {
            return sides;
        }
        let of = if directions == Directions::Both { mirror } else { exchanged };
        let keys = mirror_keys(table, &look.keys, of);
        let filter = look.filter.as_ref().map(|expr| mirror_expr(table, expr, of));
        let groups = look.groups.as_ref().map(|expr| mirror_expr(table, expr, of));
        let layout = Layout::new(&keys);
        let look = Look { keys, filter, groups, responder: true, ..look.clone() };
        let figures = figures.iter().map(|figure| figure.of_responder(table)).collect();
        sides.push(Side { look, figures, layout });
        sides
    }

    /// Walks all sides; gives the sinks of each, the first side's first.
    pub(super) fn walk_sides<'s, S: Sink>(
        &self,
        sides: &'s [Side],
        counters: &Counters,
        trace: &mut Trace,
        make: &(dyn Fn(&'s Side) -> S + Sync),
    ) -> Result<Vec<S>, QueryError> {
        let mut sinks: Vec<S> = Vec::new();
        for side in sides {
            let held = sinks.iter().map(Sink::octets).sum();
            // Why: a row is counted once, however often it is looked at.
            let counters = if side.look.responder { &self.later } else { counters };
            sinks.extend(self.walk(side, held, counters, trace, &|| make(side))?);
        }
        Ok(sinks)
    }
}
