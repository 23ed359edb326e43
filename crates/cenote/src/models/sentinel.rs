//! Short tasks are left to deputies, without waking a sleeper. If the deputy's own task turns out
//! to be long, the sentinel takes them.

use std::sync::Arc;

use loom::thread;

use super::check;
use super::host::{End, FREE, Host};
use super::payload::CLOSURE;

#[test]
fn task_behind_a_deputy_that_is_busy_for_long_is_taken_by_the_sentinel() {
    check(2, || {
        let host = Host::new(2, FREE, End::After(1));
        // Worker 0 is a deputy, and inside of a task that goes on until the other one was run.
        let roster = host.engine.dispatch.roster();
        roster.announce(0);
        roster.close(0);
        roster.cover().set_deputy(0, true);
        let submitting = {
            let host = Arc::clone(&host);
            thread::spawn(move || host.submit(CLOSURE, None).is_ok())
        };
        host.work(1, false);
        assert!(submitting.join().unwrap());
        host.ledger.assert_runs(1);
    });
}
