//! A glance: a look at a condition, a few times with pauses between, for as long as a spin is
//! allowed.
//!
//! Bounded by its looks, a few microseconds at most, so whether the thread may spin is asked once.
//! Whoever waits for longer spins by a [`Waiter`](crate::Waiter), whose budget is bounded by the
//! clock: its loop is one glance after the other.

use crate::participants::Participants;
use crate::sync::spin_loop;

/// Looks whether something is `found`, up to `looks` times, with so many `pauses` of the processor
/// between two looks. Returns whether it was found; at once, without a look, if `participants` do
/// not allow a spin.
///
/// The first look comes before the first pause. A pause takes 10 to 140 cycles: where the time
/// counts, `found` has to look at the clock.
///
/// # Examples
///
/// ```
/// use cenote_park::{Participants, glance};
///
/// let participants = Participants::new(2);
/// let mut looks = 0;
/// let found = glance(&participants, 8, 4, || {
///     looks += 1;
///     looks == 3
/// });
/// assert!(found);
/// assert!(!glance(&participants, 8, 4, || false));
/// assert!(!glance(&Participants::new(1), 8, 4, || true), "nobody spins on one CPU");
/// ```
#[inline]
pub fn glance(
    participants: &Participants,
    looks: u32,
    pauses: u32,
    mut found: impl FnMut() -> bool,
) -> bool {
    if !participants.may_spin() {
        return false;
    }
    for look in 0..looks {
        if look > 0 {
            for _ in 0..pauses {
                spin_loop();
            }
        }
        if found() {
            return true;
        }
    }
    false
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;

    /// How often a glance looked that finds something at the look of that number.
    fn looks(participants: &Participants, found_at: u32) -> (u32, bool) {
        let mut looks = 0;
        let found = glance(participants, 5, 2, || {
            looks += 1;
            looks == found_at
        });
        (looks, found)
    }

    #[test]
    fn a_glance_ends_where_something_is_found_and_after_its_looks() {
        let participants = Participants::new(2);
        assert_eq!(looks(&participants, 1), (1, true));
        assert_eq!(looks(&participants, 5), (5, true));
        assert_eq!(looks(&participants, 6), (5, false));
    }

    #[test]
    fn nobody_glances_who_may_not_spin() {
        let participants = Participants::new(2);
        for _ in 0..3 {
            participants.enter();
        }
        assert_eq!(looks(&participants, 1), (0, false));
        participants.leave();
        assert_eq!(looks(&participants, 1), (1, true));
    }
}
