//! Criterion: the cost of single steps, with its statistics over time
//! (`cargo bench --bench spawn`).
//!
//! - `spawn+join`: `try_spawn` and `join` of an empty closure, one after the other.
//! - `spawn, per 1,000`: a thousand detached closures, until the last has run.
//!
//! Who cares: whoever changes the pool and wants to know what it did to a step. For comparisons
//! with peers and for percentiles, see the latency harness: criterion's figures are means, and its
//! pools share one process.
//!
//! Validated: every result is used; the thousandth task ends the wait, and counts that a thousand
//! ran.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use cenote_bench::pools::{Cenote, Crossbeam, Pool, Reply, Setup};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Detached tasks in one batch.
const BATCH: u64 = 1_000;

/// Tasks of the running batch that have run.
static RAN: AtomicU64 = AtomicU64::new(0);

fn spawn_and_join<P: Pool>(criterion: &mut Criterion, name: &str) {
    let pool = P::start(Setup::TWO);
    let reply = Reply::default();
    criterion.bench_function(&format!("spawn+join/{name}"), |bencher| {
        bencher.iter(|| pool.call(&reply, || black_box(1)));
    });
}

fn spawn_a_batch<P: Pool>(criterion: &mut Criterion, name: &str) {
    let pool = P::start(Setup::TWO);
    let (done, finished) = mpsc::sync_channel(1);
    let mut group = criterion.benchmark_group("spawn, per 1,000");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            RAN.store(0, Ordering::Relaxed);
            let mut kept = Vec::with_capacity(BATCH as usize);
            for _ in 0..BATCH {
                let done = done.clone();
                kept.push(pool.spawn(move || {
                    if RAN.fetch_add(1, Ordering::AcqRel) == BATCH - 1 {
                        done.send(()).expect("the caller waits for it");
                    }
                }));
            }
            finished.recv().expect("this side holds a sender");
            assert_eq!(RAN.load(Ordering::Acquire), BATCH);
        });
    });
    group.finish();
}

fn steps(criterion: &mut Criterion) {
    spawn_and_join::<Cenote<true>>(criterion, "cenote");
    spawn_and_join::<Cenote<false>>(criterion, "cenote-spin0");
    spawn_and_join::<Crossbeam>(criterion, "crossbeam-channel");
    spawn_a_batch::<Cenote<true>>(criterion, "cenote");
    spawn_a_batch::<Crossbeam>(criterion, "crossbeam-channel");
}

criterion_group!(benches, steps);
criterion_main!(benches);
