//! A worker closes its mailbox, or goes on, while tasks and kicks are put in. What was put in comes
//! out, once.

use std::sync::Arc;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host};
use super::payload::{CLOSURE, Ledger, task};
use crate::engine::queue::roster::{Mail, Roster};
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
                task.run_started(false);
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
        assert_eq!(
            backs.iter().filter(|back| back.is_ok()).count(),
            handed_over
        );
    });
}

#[test]
fn kick_is_found_by_the_worker_it_was_sent_to() {
    check(3, || {
        let roster = Arc::new(Roster::new(1));
        let kicking = {
            let roster = Arc::clone(&roster);
            thread::spawn(move || roster.kick(Kind::Closure, false))
        };
        let mut kicked = 0;
        for sleeps in [false, true] {
            kicked += usize::from(matches!(open_and_close(&roster, sleeps), Mail::Kick));
        }
        assert_eq!(usize::from(kicking.join().unwrap().is_some()), kicked);
    });
}

/// In a pool of many workers each takes its bit off the map when it closes its mailbox.
#[test]
fn worker_that_was_hidden_is_found_when_it_waits_again() {
    check(2, || {
        let many = 33;
        let host = Host::new(many, FREE, End::After(1));
        let roster = host.engine.dispatch.roster();
        roster.announce(many - 1);
        roster.close(many - 1);
        let submitting = {
            let host = Arc::clone(&host);
            thread::spawn(move || host.submit(CLOSURE, None).is_ok())
        };
        host.work(many - 1, false);
        assert!(submitting.join().unwrap());
        host.ledger.assert_runs(1);
    });
}
