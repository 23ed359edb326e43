//! A worker closes its mailbox, or goes on, while tasks and kicks are put in. What was put in comes out, once.

use std::sync::Arc;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host, LaneLimits, NO_LIMIT};
use super::payload::{CLOSURE, LOCAL, Ledger, task};
use crate::queue::roster::{Mail, Roster};
use crate::task::cell::Kind;

/// A worker that opens its mailbox, may fall asleep, and closes it for a reason of its own.
fn open_and_close(roster: &Roster, sleeps: bool) -> Mail {
    roster.announce(0);
    if roster.open(0, true) && sleeps {
        roster.fall_asleep(0);
    }
    roster.close(0)
}

#[test]
fn task_is_handed_over_or_given_back() {
    check(3, || {
        let ledger = Arc::new(Ledger::default());
        let roster = Arc::new(Roster::new(1));
        let (offered, handle) = task(&ledger, CLOSURE, None);
        let offering = {
            let roster = Arc::clone(&roster);
            thread::spawn(move || roster.offer(offered))
        };
        let mut handed_over = 0;
        for sleeps in [false, true] {
            if let Mail::Task(task) = open_and_close(&roster, sleeps) {
                handed_over += 1;
                assert!(task.header().state().start());
                task.run_started();
            }
        }
        let back = usize::from(offering.join().unwrap().is_err());
        assert_eq!(handed_over + back, 1);
        drop(handle);
        ledger.assert_runs(handed_over);
    });
}

#[test]
fn of_two_tasks_one_is_handed_over() {
    check(2, || {
        let ledger = Arc::new(Ledger::default());
        let roster = Arc::new(Roster::new(1));
        let mut handles = Vec::new();
        let offering = [(); 2].map(|()| {
            let (offered, handle) = task(&ledger, CLOSURE, None);
            handles.push(handle);
            let roster = Arc::clone(&roster);
            thread::spawn(move || roster.offer(offered))
        });
        let mail = open_and_close(&roster, true);
        let backs = offering.map(|thread| thread.join().unwrap());
        let handed_over = usize::from(matches!(mail, Mail::Task(_)));
        assert_eq!(backs.iter().filter(|back| back.is_ok()).count(), handed_over);
    });
}

#[test]
fn kick_is_found_by_the_worker_it_was_sent_to() {
    check(3, || {
        let roster = Arc::new(Roster::new(1));
        let kicking = {
            let roster = Arc::clone(&roster);
            thread::spawn(move || roster.kick(Kind::Closure))
        };
        let mut kicked = 0;
        for sleeps in [false, true] {
            kicked += usize::from(matches!(open_and_close(&roster, sleeps), Mail::Kick));
        }
        assert_eq!(usize::from(kicking.join().unwrap().is_some()), kicked);
    });
}

/// So many busy workers before the one that matters that their bits are cleared.
const BUSY: usize = 8;

/// Of two submitters that meet a stale bit, one clears it, while the worker behind it begins to wait.
#[test]
fn stale_bit_that_is_cleared_and_restored_hides_no_waiting_worker() {
    check(2, || {
        let host = Host::new(BUSY + 1, FREE, End::After(1));
        for worker in 0..=BUSY {
            host.dispatch.roster().announce(worker);
            host.dispatch.roster().close(worker);
        }
        // The future stays: the worker has no place for it.
        let submitting = [LOCAL, CLOSURE].map(|shape| {
            let host = Arc::clone(&host);
            thread::spawn(move || host.queue(shape, None).is_ok())
        });
        host.work(BUSY, false);
        for thread in submitting {
            assert!(thread.join().unwrap());
        }
        host.ledger.assert_runs(1);
    });
}

/// The same, with a submitter that hands over, and then finds the queue full.
#[test]
fn stale_bit_that_is_cleared_by_a_refused_submitter_hides_no_waiting_worker() {
    check(2, || {
        let limits = LaneLimits {
            queue: 1,
            running: NO_LIMIT,
        };
        let host = Host::new(BUSY + 1, &[limits], End::After(2));
        for worker in 0..=BUSY {
            host.dispatch.roster().announce(worker);
            host.dispatch.roster().close(worker);
        }
        let first = {
            let host = Arc::clone(&host);
            thread::spawn(move || usize::from(host.submit(CLOSURE, None).is_ok()))
        };
        let second = {
            let host = Arc::clone(&host);
            thread::spawn(move || usize::from(host.queue(CLOSURE, None).is_ok()))
        };
        host.work(BUSY, false);
        let accepted = first.join().unwrap() + second.join().unwrap();
        host.ledger.assert_runs(accepted);
    });
}
