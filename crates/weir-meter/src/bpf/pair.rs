//! Two maps in turn: programs count in one while the other is read and emptied.
//!
//! A program may hold an entry that it has looked up while user space takes it out, and its packet
//! would be lost. So the turn is changed first, and what was in turn is read when no program runs
//! any more that saw the former value.

use std::io;

use aya::maps::{Array, Map, MapData, MapError};

use super::{BpfError, Object, map_fd, sys};

/// The pair `NAME0`, `NAME1` of an object, of which the map `active` names the one in turn.
pub(crate) struct Pair {
    maps: [Map; 2],
    active: Array<MapData, u32>,
    turn: u32,
    max: usize,
}

impl Pair {
    /// Takes them out of `object`; each holds at most `max` entries.
    pub(crate) fn take(
        object: &mut Object,
        names: [&'static str; 2],
        max: u32,
    ) -> Result<Pair, BpfError> {
        let maps = [object.take_map(names[0])?, object.take_map(names[1])?];
        let opened: Result<_, MapError> = Array::try_from(object.take_map("active")?);
        let active = opened.map_err(|error| BpfError::System {
            call: "opening a map",
            source: io::Error::other(error),
        })?;
        Ok(Pair { maps, active, turn: 0, max: max as usize })
    }

    /// Changes the turn and gives every entry of the map that was in turn to `each`. How many.
    pub(crate) fn drain<const K: usize, const V: usize>(
        &mut self,
        each: impl FnMut(&[u8; K], &[u8; V]),
    ) -> io::Result<usize> {
        let last = self.turn as usize;
        self.turn = 1 - self.turn;
        self.active.set(0, self.turn, 0).map_err(io::Error::other)?;
        sys::wait_for_programs();
        match map_fd(&self.maps[last]) {
            Some(fd) => sys::drain::<K, V>(fd, self.max, each),
            None => Ok(0),
        }
    }
}
