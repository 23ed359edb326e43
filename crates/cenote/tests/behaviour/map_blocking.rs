//! `map_blocking`: the items of a stream on the workers, in order or as they come, a bounded number
//! at a time.

mod load;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cenote::{Pool, RunError};
use futures::stream::{FusedStream, Stream};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::support::{Bomb, Count, Gate, LIMIT, Peak, block_on, eventually, hold, watched};

fn pool(threads: usize, queue_limit: usize) -> Pool {
    Pool::builder()
        .threads(threads)
        .queue_limit(queue_limit)
        .build()
        .unwrap()
}

/// What a stream says to a look, without anybody to wake.
fn look<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// A source that counts what was taken from it.
fn counted(items: usize, taken: &Count) -> impl Stream<Item = usize> + use<> {
    let taken = taken.clone();
    stream::iter(0..items).inspect(move |_| taken.up())
}

#[test]
fn results_come_in_the_order_of_the_items_whatever_ends_first() {
    watched(|| {
        let pool = pool(2, 64);
        let gate = Gate::default();
        let last_ended = Count::default();
        let (first, ended) = (gate.clone(), last_ended.clone());
        let mut stream = pool.map_blocking(stream::iter(0..4), 4, move |n| {
            match n {
                0 => first.pass(),
                3 => ended.up(),
                _ => {}
            }
            n
        });
        assert!(look(&mut stream).is_pending());
        eventually("the others end", || last_ended.get() == 1);
        assert!(look(&mut stream).is_pending(), "the first has not ended");
        gate.open();
        let all: Vec<_> = block_on(stream.try_collect()).unwrap();
        assert_eq!(all, [0, 1, 2, 3]);
    });
}

#[test]
fn unordered_results_do_not_wait_for_a_long_one() {
    watched(|| {
        let pool = pool(2, 64);
        let gate = Gate::default();
        let long = gate.clone();
        let source = stream::iter(0..100);
        let f = move |n| {
            if n == 0 {
                long.pass();
            }
            n
        };
        let mut stream = pool.map_blocking(source, 4, f).unordered();
        let mut seen: Vec<_> = block_on(stream.by_ref().take(99).try_collect()).unwrap();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(1..100));
        gate.open();
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), 0);
        assert!(block_on(stream.next()).is_none());
    });
}

/// No more than the limit of items are alive, in the pool or ended, and the source is not asked for
/// more.
fn keeps_the_bound(unordered: bool) {
    const LIMIT: usize = 3;
    let pool = pool(2, 64);
    let (taken, alive) = (Count::default(), Peak::default());
    let items = alive.clone();
    let source = counted(20, &taken).map(move |n| (n, items.enter()));
    let mut stream = pool.map_blocking(source, LIMIT, |item| item);
    if unordered {
        stream = stream.unordered();
    }
    assert_eq!(taken.get(), 0, "nothing is taken before the first poll");
    for given in 0..20 {
        let item = block_on(stream.next()).unwrap().unwrap();
        // All that may be are in the pool or have ended, and one is here.
        eventually("the rest has ended", || pool.stats().queued == 0);
        drop(item);
        let after = alive.now();
        assert!(after < LIMIT, "{after} items alive when {given} were given");
        assert!(taken.get() <= given + LIMIT);
    }
    assert!(block_on(stream.next()).is_none());
    assert!(alive.most() <= LIMIT, "{} items were alive", alive.most());
}

#[test]
fn at_most_the_limit_of_items_are_in_the_pool_or_not_taken() {
    watched(|| keeps_the_bound(false));
}

#[test]
fn at_most_the_limit_of_items_are_in_the_pool_or_not_taken_unordered() {
    watched(|| keeps_the_bound(true));
}

#[test]
fn a_full_queue_holds_up_the_source() {
    watched(|| {
        let pool = pool(1, 2);
        let held = hold(&pool, 1);
        let taken = Count::default();
        let mut stream = pool.map_blocking(counted(10, &taken), 8, |n| n);
        assert!(look(&mut stream).is_pending());
        assert!(look(&mut stream).is_pending());
        assert_eq!(taken.get(), 2, "as many as the queue has room for");
        assert_eq!(pool.stats().queued, 2);
        held.release();
        let all: Vec<_> = block_on(stream.try_collect()).unwrap();
        assert!(all.into_iter().eq(0..10));
    });
}

#[test]
fn a_pending_source_holds_no_place_of_the_queue() {
    watched(|| {
        let pool = pool(1, 1);
        let source = poll_fn(|_| Poll::<u8>::Pending).into_stream();
        let mut stream = pool.map_blocking(source, 4, |n| n);
        assert!(look(&mut stream).is_pending());
        let permit = pool.try_reserve().expect("the only place is free");
        // It waits for room; when it is told, it finds nothing in the source and passes it on.
        assert!(look(&mut stream).is_pending());
        let mut other = Box::pin(pool.reserve());
        let mut context = Context::from_waker(Waker::noop());
        assert!(other.as_mut().poll(&mut context).is_pending());
        drop(permit);
        assert!(look(&mut stream).is_pending());
        let permit = block_on(async { tokio::time::timeout(LIMIT / 2, other).await });
        assert!(permit.expect("the stream passed the room on").is_ok());
    });
}

#[test]
fn who_was_given_a_result_keeps_no_room_from_others() {
    watched(|| {
        let pool = pool(1, 1);
        let (items, source) = futures::channel::mpsc::unbounded();
        let gate = Gate::default();
        let holds = gate.clone();
        let mut stream = pool.map_blocking(source, 2, move |n: u8| {
            holds.pass();
            n
        });
        items.unbounded_send(0).unwrap();
        assert!(look(&mut stream).is_pending());
        gate.open();
        eventually("it has run", || pool.stats().outcomes().completed == 1);
        let permit = pool.try_reserve().unwrap();
        items.unbounded_send(1).unwrap();
        // It finds no room for the second item, and gives the first result. Nobody polls it then.
        assert_eq!(
            look(&mut stream).map(Option::unwrap).map(Result::ok),
            Poll::Ready(Some(0))
        );
        let mut other = Box::pin(pool.reserve());
        let mut context = Context::from_waker(Waker::noop());
        assert!(other.as_mut().poll(&mut context).is_pending());
        drop(permit);
        let permit = block_on(async { tokio::time::timeout(LIMIT / 2, other).await });
        drop(permit.expect("there is room"));
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), 1);
    });
}

#[test]
fn a_panic_is_the_error_of_its_item_alone() {
    watched(|| {
        for unordered in [false, true] {
            let pool = pool(2, 64);
            let mut stream = pool.map_blocking(stream::iter(0..10), 4, |n| {
                assert_ne!(n, 3, "on purpose");
                n
            });
            if unordered {
                stream = stream.unordered();
            }
            let results: Vec<_> = block_on(stream.collect());
            let (good, bad): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
            let mut good: Vec<_> = good.into_iter().map(Result::unwrap).collect();
            good.sort_unstable();
            assert_eq!(good, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
            assert_eq!(bad.len(), 1);
            assert_eq!(bad[0].as_ref().unwrap_err().code(), "CENOTE_TASK_PANICKED");
        }
    });
}

#[test]
fn a_panic_of_the_source_is_the_pollers_and_nothing_leaks() {
    watched(|| {
        let pool = pool(1, 1);
        let source = stream::iter(0..3).inspect(|n| assert_ne!(*n, 1, "on purpose"));
        let mut stream = pool.map_blocking(source, 4, |n| n);
        let collected = thread::spawn(move || {
            block_on(async move { stream.next().await.is_some() && stream.next().await.is_some() })
        });
        assert!(collected.join().is_err());
        eventually("the place is free", || pool.try_reserve().is_ok());
    });
}

fn dropped_in_the_middle(unordered: bool) {
    let pool = pool(1, 64);
    let held = hold(&pool, 1);
    let (ran, alive) = (Count::default(), Peak::default());
    let (runs, items) = (ran.clone(), alive.clone());
    let source = stream::iter(0..100).map(move |_| items.enter());
    let mut stream = pool.map_blocking(source, 8, move |item| {
        runs.up();
        item
    });
    if unordered {
        stream = stream.unordered();
    }
    assert!(look(&mut stream).is_pending());
    assert_eq!(pool.stats().queued, 8);
    drop(stream);
    assert_eq!(pool.stats().queued, 0, "their places are free at once");
    held.release();
    let report = pool.blocking_close(LIMIT);
    assert!(report.is_clean(), "{report}");
    assert_eq!(ran.get(), 0, "what had not started never runs");
    assert_eq!(alive.now(), 0, "an item was leaked");
}

#[test]
fn dropped_in_the_middle_it_aborts_what_has_not_started() {
    watched(|| dropped_in_the_middle(false));
}

#[test]
fn dropped_in_the_middle_it_aborts_what_has_not_started_unordered() {
    watched(|| dropped_in_the_middle(true));
}

#[test]
fn dropped_in_the_middle_it_asks_what_runs_to_stop() {
    watched(|| {
        let pool = pool(1, 64);
        let gate = Gate::default();
        let began = gate.clone();
        gate.open();
        let mut stream = pool.map_blocking(stream::iter([()]), 1, move |()| {
            let token = cenote::token();
            began.pass();
            while !token.is_cancelled() {
                thread::yield_now();
            }
        });
        assert!(look(&mut stream).is_pending());
        gate.wait_for(1);
        drop(stream);
        assert!(pool.blocking_close(LIMIT).is_clean());
    });
}

#[test]
fn dropped_while_it_waits_for_room_it_passes_the_room_on() {
    watched(|| {
        let pool = pool(1, 1);
        let permit = pool.try_reserve().unwrap();
        let mut stream = pool.map_blocking(stream::iter(0..3), 3, |n| n);
        assert!(look(&mut stream).is_pending());
        let mut other = Box::pin(pool.reserve());
        let mut context = Context::from_waker(Waker::noop());
        assert!(other.as_mut().poll(&mut context).is_pending());
        drop(permit);
        drop(stream);
        let permit = block_on(async { tokio::time::timeout(LIMIT / 2, other).await });
        assert!(permit.expect("told of the room").is_ok());
    });
}

#[test]
fn a_closed_pool_is_said_once_after_the_accepted_items() {
    watched(|| {
        for unordered in [false, true] {
            let pool = pool(1, 64);
            let held = hold(&pool, 1);
            let mut stream = pool.map_blocking(stream::iter(0..5), 2, |n| n);
            if unordered {
                stream = stream.unordered();
            }
            assert!(look(&mut stream).is_pending());
            held.let_go();
            assert!(pool.blocking_close(LIMIT).is_clean());
            let codes: Vec<_> = block_on(stream.by_ref().collect::<Vec<_>>())
                .into_iter()
                .map(|result| result.map_err(|error| error.code()))
                .collect();
            assert_eq!(codes, [Ok(0), Ok(1), Err("CENOTE_POOL_CLOSED")]);
            assert!(stream.is_terminated());
            assert!(block_on(stream.next()).is_none());
        }
    });
}

#[test]
fn a_pool_that_closes_after_the_last_item_costs_nothing() {
    watched(|| {
        let pool = pool(1, 64);
        let held = hold(&pool, 1);
        // The source says by its `size_hint` that it has no more.
        let mut stream = pool.map_blocking(stream::iter(0..2), 2, |n| n);
        assert!(look(&mut stream).is_pending());
        held.let_go();
        assert!(pool.blocking_close(LIMIT).is_clean());
        let all: Vec<_> = block_on(stream.try_collect()).unwrap();
        assert_eq!(all, [0, 1]);
    });
}

#[test]
fn a_pool_that_is_shut_down_cancels_what_is_queued() {
    watched(|| {
        let pool = pool(1, 64);
        let held = hold(&pool, 1);
        let mut stream = pool.map_blocking(stream::iter(0..4), 2, |n| n);
        assert!(look(&mut stream).is_pending());
        pool.shutdown_now();
        held.let_go();
        let codes: Vec<_> = block_on(stream.collect::<Vec<_>>())
            .into_iter()
            .map(|result| result.map_err(|error: RunError| error.code()))
            .collect();
        let cancelled = Err("CENOTE_TASK_CANCELLED");
        assert_eq!(codes, [cancelled, cancelled, Err("CENOTE_POOL_CLOSED")]);
    });
}

#[test]
fn a_wait_for_room_ends_when_the_pool_closes() {
    watched(|| {
        let pool = pool(1, 1);
        let permit = pool.try_reserve().unwrap();
        let mut stream = pool.map_blocking(stream::iter(0..2), 2, |n| n);
        let waits = Count::default();
        let waiting = {
            let waits = waits.clone();
            thread::spawn(move || {
                block_on(poll_fn(move |context| {
                    let next = Pin::new(&mut stream).poll_next(context);
                    waits.up();
                    next
                }))
            })
        };
        eventually("it waits", || waits.get() > 0);
        assert!(pool.blocking_close(LIMIT).is_clean());
        let error = waiting.join().unwrap().unwrap().unwrap_err();
        assert_eq!(error.code(), "CENOTE_POOL_CLOSED");
        drop(permit);
    });
}

#[test]
fn the_stream_keeps_its_pool_open() {
    watched(|| {
        let pool = pool(1, 64);
        let stream = pool.map_blocking(stream::iter(0..50), 2, |n| n);
        drop(pool);
        let all: Vec<_> = block_on(stream.try_collect()).unwrap();
        assert!(all.into_iter().eq(0..50));
    });
}

#[test]
fn it_ends_with_its_source_and_stays_at_the_end() {
    watched(|| {
        for unordered in [false, true] {
            let pool = pool(1, 64);
            let mut stream = pool.map_blocking(stream::empty::<u8>(), 4, |n| n);
            if unordered {
                stream = stream.unordered();
            }
            assert_eq!(stream.size_hint(), (0, Some(0)));
            assert!(!stream.is_terminated());
            assert!(block_on(stream.next()).is_none());
            assert!(stream.is_terminated());
            assert!(block_on(stream.next()).is_none());
        }
    });
}

/// What it says of its length is not true.
struct Liar(u8);

impl Stream for Liar {
    type Item = u8;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u8>> {
        self.0 += 1;
        Poll::Ready((self.0 <= 3).then_some(self.0))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(0))
    }
}

#[test]
fn a_source_is_believed_when_it_ends_and_not_when_it_says_that_it_will() {
    watched(|| {
        let pool = pool(1, 1);
        // It says that it has no more, which is no end.
        let mut never = pool.map_blocking(stream::pending::<u8>(), 4, |n| n);
        assert!(look(&mut never).is_pending());
        let permit = pool.try_reserve().unwrap();
        let mut stream = pool.map_blocking(Liar(0), 2, |n| n);
        assert!(look(&mut stream).is_pending());
        drop(permit);
        let all: Vec<_> = block_on(stream.try_collect()).unwrap();
        assert_eq!(all, [1, 2, 3]);
    });
}

#[test]
fn its_size_hint_counts_what_is_in_flight() {
    watched(|| {
        let pool = pool(1, 64);
        let held = hold(&pool, 1);
        let mut stream = pool.map_blocking(stream::iter(0..5), 2, |n| n);
        assert_eq!(stream.size_hint(), (1, Some(5)));
        assert!(look(&mut stream).is_pending());
        assert_eq!(stream.size_hint(), (3, Some(5)));
        held.release();
        assert_eq!(block_on(stream.collect::<Vec<_>>()).len(), 5);
    });
}

#[test]
fn the_options_of_the_task_are_those_of_each_item() {
    watched(|| {
        let pool = pool(1, 64);
        let held = hold(&pool, 1);
        let stream = pool
            .task()
            .queue_timeout(Duration::from_millis(2))
            .map_blocking(stream::iter(0..2), 2, |n| n);
        let results: Vec<_> = block_on(stream.collect());
        let timed_out = |result: &Result<_, _>| match result {
            Err(RunError::Join(error)) => error.is_queue_timed_out(),
            _ => false,
        };
        assert!(results.iter().all(timed_out), "{results:?}");
        held.release();
    });
}

#[test]
#[should_panic(expected = "a limit of at least 1")]
fn a_limit_of_zero_is_a_mistake() {
    let pool = pool(1, 1);
    drop(pool.map_blocking(stream::empty::<u8>(), 0, |n| n));
}

#[test]
fn results_that_nobody_takes_may_panic_when_they_are_dropped() {
    watched(|| {
        let pool = pool(1, 64);
        let held = hold(&pool, 1);
        let bombs = Count::default();
        let result = bombs.clone();
        let mut stream = pool.map_blocking(stream::iter(0..3), 3, move |_| Bomb(result.clone()));
        assert!(look(&mut stream).is_pending());
        held.release();
        eventually("they have run", || pool.stats().outcomes().completed == 4);
        drop(stream);
        assert_eq!(bombs.get(), 3);
        assert_eq!(pool.blocking_run(|| 1).unwrap(), 1);
    });
}
