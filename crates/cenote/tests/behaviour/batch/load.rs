//! Batches under load: everything at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::pool;
use crate::support::{LIMIT, Peak, watched};

/// Batches that shed and wait, aborts and the end at once: each task settles, and runs at most
/// once.
#[test]
fn every_task_of_a_batch_settles_once_whatever_happens_at_once() {
    watched(|| {
        for round in 0..200_usize {
            let pool = pool(1 + round % 3, 1 + round % 40);
            let alive = Peak::default();
            let submitting: Vec<_> = (0..3)
                .map(|kind| {
                    let (pool, alive) = (pool.clone(), alive.clone());
                    thread::spawn(move || {
                        for size in 0..30 {
                            let ran: Arc<[AtomicUsize]> =
                                (0..size).map(|_| AtomicUsize::new(0)).collect();
                            let closures = (0..size).map(|n| {
                                let (guard, ran) = (alive.enter(), Arc::clone(&ran));
                                move || {
                                    ran[n].fetch_add(1, Ordering::SeqCst);
                                    drop(guard);
                                    n
                                }
                            });
                            let spawned = match kind {
                                0 => pool.try_spawn_batch(closures),
                                1 => pool.blocking_spawn_batch(closures),
                                _ => futures::executor::block_on(pool.spawn_batch(closures)),
                            };
                            let (batch, refused) = match spawned {
                                Ok(batch) => (batch, 0),
                                Err(error) => {
                                    let (batch, refused) = error.into_parts();
                                    (batch, refused.into_inner().len())
                                }
                            };
                            let accepted = batch.len();
                            assert_eq!(accepted + refused, size);
                            if size % 5 == 4 {
                                batch.abort();
                            }
                            for (n, result) in batch.join().into_iter().enumerate() {
                                let runs = ran[n].load(Ordering::SeqCst);
                                match result {
                                    Ok(value) => assert_eq!((value, runs), (n, 1)),
                                    Err(error) => assert_eq!(runs, 0, "{error}"),
                                }
                            }
                            let left = ran[accepted..].iter();
                            assert!(
                                left.map(|ran| ran.load(Ordering::SeqCst))
                                    .all(|runs| runs == 0)
                            );
                        }
                    })
                })
                .collect();
            if round % 2 == 0 {
                thread::yield_now();
                pool.shutdown_now();
            }
            for thread in submitting {
                thread.join().unwrap();
            }
            let report = pool.blocking_close(LIMIT);
            assert!(report.is_clean(), "{report}");
            assert_eq!(alive.now(), 0, "a closure was leaked");
        }
    });
}
