//! `map_blocking` under load: sources that hesitate, all executors, and everything at once.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use cenote::Pool;
use futures::stream::Stream;
use futures::{StreamExt, TryStreamExt, stream};

use super::pool;
use crate::support::{LIMIT, Peak, block_on, watched};

/// Every other look at it says that it is pending, and wakes from another thread.
struct Hesitant<S> {
    source: S,
    ready: bool,
    pool: Pool,
}

impl<S: Stream + Unpin> Stream for Hesitant<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.ready = !self.ready;
        if self.ready {
            return Pin::new(&mut self.source).poll_next(context);
        }
        let waker = context.waker().clone();
        self.pool.try_spawn(move || waker.wake()).unwrap().detach();
        Poll::Pending
    }
}

fn hesitant(items: usize) -> impl Stream<Item = usize> {
    Hesitant {
        source: stream::iter(0..items),
        ready: true,
        pool: pool(1, 10_000),
    }
}

async fn drains(pool: Pool, unordered: bool) {
    let mut stream = pool.map_blocking(hesitant(500), 8, |n| n);
    if unordered {
        stream = stream.unordered();
    }
    let mut all: Vec<_> = stream.try_collect().await.unwrap();
    if unordered {
        all.sort_unstable();
    }
    assert!(all.into_iter().eq(0..500));
}

#[test]
fn it_runs_on_any_executor() {
    watched(|| {
        for unordered in [false, true] {
            let pool = pool(2, 4);
            let stream = || drains(pool.clone(), unordered);
            block_on(stream());
            futures::executor::block_on(stream());
            let many = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .build()
                .unwrap();
            many.block_on(async {
                let two = [tokio::spawn(stream()), tokio::spawn(stream())];
                for one in two {
                    one.await.unwrap();
                }
            });
            // Also on its own pool's only worker, which runs the closures between two polls.
            let own = Pool::builder().threads(1).build().unwrap();
            let inside = own.clone();
            let local = own.try_spawn_local(move || drains(inside, unordered));
            local.unwrap().join().unwrap();
        }
    });
}

/// Small numbers that differ, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

/// Streams of all kinds beside each other on a pool with few places, some dropped in the middle:
/// each item runs at most once, results are in order or all there, no wake is lost, and nothing
/// stays alive.
#[test]
fn no_wake_is_lost_and_no_item_runs_twice_whatever_happens_at_once() {
    watched(|| {
        let mut random = Random(1);
        for _ in 0..150 {
            let pool = pool(1 + random.below(3), 1 + random.below(3));
            let alive = Peak::default();
            let streams: Vec<_> = (0..3)
                .map(|_| {
                    let (limit, unordered) = (1 + random.below(5), random.below(2) == 0);
                    let (items, stop) = (random.below(60), random.below(100));
                    let (pool, alive) = (pool.clone(), alive.clone());
                    thread::spawn(move || {
                        let ran = Arc::new(Mutex::new(HashSet::new()));
                        let (runs, in_flight) = (Arc::clone(&ran), Arc::new(AtomicUsize::new(0)));
                        let taken = Arc::clone(&in_flight);
                        let source = hesitant(items).map(move |n| {
                            let before = taken.fetch_add(1, Ordering::SeqCst);
                            assert!(before < limit, "more than the limit");
                            (n, alive.enter())
                        });
                        let stream = pool.map_blocking(source, limit, move |(n, _alive)| {
                            assert!(runs.lock().unwrap().insert(n), "{n} ran twice");
                            n
                        });
                        let mut stream = if unordered {
                            stream.unordered()
                        } else {
                            stream
                        };
                        let seen = futures::executor::block_on(async {
                            let mut seen = Vec::new();
                            while seen.len() < stop
                                && let Some(n) = stream.next().await
                            {
                                in_flight.fetch_sub(1, Ordering::SeqCst);
                                seen.push(n.unwrap());
                            }
                            seen
                        });
                        drop(stream);
                        assert_eq!(seen.len(), items.min(stop));
                        if !unordered {
                            assert!(seen.iter().copied().eq(0..seen.len()));
                        }
                        let ran = ran.lock().unwrap();
                        assert!(seen.iter().all(|n| ran.contains(n)));
                        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len());
                    })
                })
                .collect();
            for stream in streams {
                stream.join().unwrap();
            }
            let report = pool.blocking_close(LIMIT);
            assert!(report.is_clean(), "{report}");
            assert_eq!(alive.now(), 0, "an item was leaked");
        }
    });
}
