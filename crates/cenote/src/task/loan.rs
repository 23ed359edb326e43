//! A place in a lane that a task has lent to another one, which it awaits. Whoever of the two ends
//! last gives it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::cell::TaskRef;
use super::state::Phase;

/// One end of a loan: the lender has one, the borrower the other.
pub(crate) struct Loan(Arc<AtomicBool>);

impl Loan {
    /// Lends a place to a task that has not started, and gives the lender's end. `None`: it has.
    pub(crate) fn to(task: &TaskRef) -> Option<Loan> {
        let one_is_over = Arc::new(AtomicBool::new(false));
        let extra = task.header().extra_or_new();
        extra.borrow_place(Loan(Arc::clone(&one_is_over)));
        // Whoever has started it takes the borrower's end: before it was there, or now.
        if task.snapshot().phase() != Phase::Queued && extra.take_borrowed().is_some() {
            return None;
        }
        Some(Loan(one_is_over))
    }

    /// This side has ended. True: the other has before, so the place is free.
    pub(crate) fn end(self) -> bool {
        // AcqRel: what the other did in the place comes before whoever has it next.
        self.0.swap(true, Ordering::AcqRel)
    }
}
