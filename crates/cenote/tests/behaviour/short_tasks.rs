//! A worker whose tasks are short takes several of them at once. What it has not begun when one of
//! them turns out to be long is still queued, as far as anybody can tell.

use cenote::{JoinHandle, Pool};

use crate::support::{Gate, eventually, hold, watched};

/// So many that a worker's average run is short by then, whatever it was before: each takes an
/// eighth of it away.
const SHORT: usize = 1_000;
/// Behind a long one. More than are taken at once.
const BEHIND: usize = 100;

/// Queues short tasks, one that waits at the gate, and short ones behind it, while all workers are
/// held; then lets them go. Returns the handles of those behind when the gate is reached.
fn long_one_among_short_ones(pool: &Pool, workers: usize, gate: &Gate) -> Vec<JoinHandle<()>> {
    let held = hold(pool, workers);
    for _ in 0..SHORT {
        pool.try_spawn(|| ()).unwrap().detach();
    }
    let long = gate.clone();
    pool.try_spawn(move || long.pass()).unwrap().detach();
    let behind = (0..BEHIND)
        .map(|_| pool.try_spawn(|| ()).unwrap())
        .collect();
    held.release();
    gate.wait_for(1);
    behind
}

#[test]
fn tasks_behind_a_long_one_are_run_by_the_other_worker() {
    watched(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        for _ in 0..20 {
            let gate = Gate::default();
            for task in long_one_among_short_ones(&pool, 2, &gate) {
                task.join().unwrap();
            }
            gate.open();
        }
    });
}

#[test]
fn tasks_behind_a_long_one_are_counted_and_can_be_aborted() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let gate = Gate::default();
        let behind = long_one_among_short_ones(&pool, 1, &gate);
        assert_eq!(pool.stats().queued, BEHIND);
        assert!(behind.iter().all(JoinHandle::abort));
        gate.open();
        for task in behind {
            assert!(task.join().unwrap_err().is_aborted());
        }
        eventually("the aborted tasks are gone", || pool.stats().queued == 0);
        // The worker counts them when it drops them, which may be later.
        eventually("they are counted", || {
            let outcomes = pool.stats().outcomes();
            outcomes.aborted == BEHIND as u64 && outcomes.completed == SHORT as u64 + 2
        });
    });
}

#[test]
fn tasks_behind_a_long_one_are_cancelled_by_a_shutdown_at_once() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let gate = Gate::default();
        let behind = long_one_among_short_ones(&pool, 1, &gate);
        assert_eq!(pool.shutdown_now(), BEHIND);
        for task in behind {
            assert!(task.join().unwrap_err().is_cancelled());
        }
        assert_eq!(pool.stats().running, 1, "the long one has not ended");
        gate.open();
    });
}

#[test]
fn tasks_behind_a_long_one_are_run_by_a_thread_that_is_started_for_them() {
    watched(|| {
        let pool = Pool::builder().threads(1..=2).build().unwrap();
        let gate = Gate::default();
        for task in long_one_among_short_ones(&pool, 1, &gate) {
            task.join().unwrap();
        }
        gate.open();
    });
}
