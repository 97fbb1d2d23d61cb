//! Looking ahead: queries that came together have what they need fetched together.
//!
//! Among a million names each look-up waits for the memory some five times, one wait after the other:
//! index, node, name, sets, records; and for its zone first, if these are many. The waits of different
//! queries have nothing to do with each other. So the places are read for all queries of a batch, step by
//! step, before the first is answered, in loops so short that the processor has many of them on their way
//! at once. It changes no answer, so it need not be sure of anything: what has the right hash is taken for
//! what is meant, and whatever stands behind a header for a question. What is cached anyway is
//! not worth the look: few names do without.

use super::State;
use crate::name::Suffixes;
use crate::wire::HEADER_LEN;
use crate::zone::set::ZoneSet;
use arrayvec::ArrayVec;
use std::hint::black_box;

/// As many queries as are looked at in one go; those behind them wait alone.
const AHEAD_MAX: usize = 64;

/// Reads what answers to `messages` will need, if that is much.
pub fn look_ahead<'m>(messages: impl Iterator<Item = &'m [u8]>, state: &mut State) {
    let State { zones, hashes, .. } = state;
    if !zones.is_large() {
        return;
    }
    let asked: ArrayVec<_, AHEAD_MAX> =
        messages.filter_map(|message| look_up(message, zones, hashes)).take(AHEAD_MAX).collect();
    let names: ArrayVec<_, AHEAD_MAX> =
        asked.iter().filter_map(|(zone, hash)| Some((zones.zone_at(*zone)?, *hash))).collect();
    let nodes: ArrayVec<_, AHEAD_MAX> =
        names.iter().filter_map(|(zone, hash)| Some((*zone, zone.guess(*hash)?))).collect();
    let places: ArrayVec<_, AHEAD_MAX> =
        nodes.iter().map(|(zone, node)| (*zone, zone.places(*node))).collect();
    black_box(places.iter().map(|(zone, places)| zone.touch(*places)).sum::<u64>());
}

/// Where the zone probably stands that a query is about, and the hash of the name in question.
#[inline]
fn look_up(message: &[u8], zones: &ZoneSet, hashes: &mut Suffixes) -> Option<(u32, u64)> {
    hashes.read(message.get(HEADER_LEN..)?)?;
    Some((zones.guess(hashes)?, hashes.whole()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::End;
    use crate::clock::Now;
    use crate::respond::{Outcome, Peer, Policy, Reason, Transport, respond};
    use crate::zone::set::{Change, Slot, tests::zone_of};

    /// A query for the address of `n` with that number.
    fn query(number: u32) -> Vec<u8> {
        let label = format!("n{number}");
        let len = u8::try_from(label.len()).unwrap();
        let name = [&[len], label.as_bytes(), b"\x05smith\x03edu\0"].concat();
        [b"\0\x07\0\0\0\x01\0\0\0\0\0\0", &name[..], b"\0\x01\0\x01"].concat()
    }

    #[test]
    fn whatever_came_a_look_ahead_changes_no_answer() {
        let mut state = State::new(Policy::default());
        let slot = Some(Slot::Live(zone_of(20_000).into()));
        state.zones.apply(Change { apex: "smith.edu.".parse().unwrap(), slot });
        assert!(state.zones.is_large());
        let mut messages = vec![vec![], vec![0xff; 512], query(1)[..20].to_vec()];
        messages.extend((0..100).map(|number| query(number * 300)));
        look_ahead(messages.iter().map(|message| &message[..]), &mut state);
        let from = Peer { transport: Transport::Udp, source: ([192, 0, 2, 1], 53).into() };
        let mut found = 0;
        for message in &messages {
            let mut out = Vec::new();
            let outcome = respond(message, from, Now::default(), &mut state, &mut out);
            found += u32::from(outcome == Outcome::Send(Reason::Answered(End::Found)));
        }
        assert_eq!(found, 66, "n300 to n19800 are there");
    }
}
