//! The zones served here, as far as who asks may ask about them.
//!
//! Which zone answers a question is decided before. But records of others go along, and aliases lead
//! there: from a zone that is closed to the asker nothing is told so, either. It is as if it could not
//! be used.

use crate::name::{Name, Suffixes};
use crate::rr::Rtype;
use crate::zone::Zone;
use crate::zone::set::ZoneSet;

/// The zones that somebody may ask about.
#[derive(Clone, Copy)]
pub struct OpenZones<'z> {
    /// All zones.
    pub zones: &'z ZoneSet,
    /// Whether the zone of that apex is closed; none where all are open to who may ask about one.
    pub is_closed: Option<&'z dyn Fn(Name<'_>) -> bool>,
}

impl<'z> OpenZones<'z> {
    /// The zone that answers for a name, if it may ([`ZoneSet::nearest`]).
    pub fn nearest(self, name: Name<'_>, rtype: Rtype, hashes: &Suffixes) -> Option<&'z Zone> {
        let (slot, labels) = self.zones.nearest(name, rtype, hashes)?;
        let zone = slot.zone()?;
        match self.is_closed {
            Some(is_closed) if is_closed(name.suffix(labels)) => None,
            _ => Some(zone),
        }
    }
}
