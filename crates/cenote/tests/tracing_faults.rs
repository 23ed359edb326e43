//! A `tracing` subscriber is a user's code, and a pool calls it in many places: each of its methods
//! × everything that it can do there that is not its business. The pool goes on, and ends in order.
//! One test, since a process has one subscriber.
#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use std::{mem, panic};

use cenote::{LaneConfig, Pool};
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber, info, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    Enabled,
    NewSpan,
    Event,
    Enter,
    Exit,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Panic,
    /// With a payload that panics when it is dropped.
    PanicOnDrop,
    Reenter,
    Block,
}

static ARMED: Mutex<Option<(Method, Act)>> = Mutex::new(None);
static ACTED: AtomicU64 = AtomicU64::new(0);
/// Whether it acts each time, or only the first.
static EACH_TIME: AtomicBool = AtomicBool::new(false);
static POOL: Mutex<Option<Pool>> = Mutex::new(None);

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic::resume_unwind(Box::new(()));
    }
}

/// Acts on the threads of the pool only: on another thread it is the caller's own affair.
fn act(method: Method) {
    let on_worker = thread::current()
        .name()
        .is_some_and(|name| name.starts_with("faulty-"));
    // A second panic while the first unwinds ends the process, whoever calls.
    if !on_worker || thread::panicking() {
        return;
    }
    let Some((armed, act)) = *ARMED.lock().unwrap() else {
        return;
    };
    if armed != method {
        return;
    }
    if ACTED.fetch_add(1, Ordering::Relaxed) > 0 && !EACH_TIME.load(Ordering::Relaxed) {
        return;
    }
    match act {
        Act::Panic => panic::resume_unwind(Box::new("on purpose")),
        Act::PanicOnDrop => panic::resume_unwind(Box::new(PanicsOnDrop)),
        Act::Block => thread::sleep(Duration::from_millis(5)),
        Act::Reenter => {
            let Some(pool) = POOL.lock().unwrap().clone() else {
                return;
            };
            if let Ok(task) = pool.try_spawn(|| ()) {
                task.abort();
            }
            drop(pool.try_reserve());
            pool.stats();
        }
    }
}

struct Faulty;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Faulty {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // So that `enabled` is asked each time.
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>, _: Context<'_, S>) -> bool {
        act(Method::Enabled);
        true
    }

    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        act(Method::NewSpan);
    }

    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        act(Method::Event);
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        act(Method::Enter);
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        act(Method::Exit);
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        act(Method::Close);
    }
}

fn attempt(method: Method, act: Act, each_time: bool) -> u64 {
    let pool = Pool::builder()
        .threads(1..=2)
        .name("faulty")
        .grow_after(Duration::from_millis(1))
        .idle_timeout(Duration::from_millis(5))
        .lane("l", LaneConfig::default().max_running(1))
        .build()
        .unwrap();
    let lane = pool.lane("l").unwrap();
    *POOL.lock().unwrap() = Some(pool.clone());
    ACTED.store(0, Ordering::Relaxed);
    EACH_TIME.store(each_time, Ordering::Relaxed);
    *ARMED.lock().unwrap() = Some((method, act));

    let mut tasks = Vec::new();
    for _ in 0..3 {
        info_span!("request").in_scope(|| {
            tasks.push(lane.try_spawn(|| info!("closure")).unwrap());
            let spawns = || {
                drop(cenote::current());
                cenote::spawn_background(|| async {
                    tokio::task::yield_now().await;
                    info!("background");
                });
                info_span!("inner").in_scope(|| info!("inner"));
            };
            tasks.push(lane.try_spawn(spawns).unwrap());
            let future = || async {
                info!("before");
                tokio::task::yield_now().await;
                info!("after");
            };
            tasks.push(lane.try_spawn_local(future).unwrap());
            let aborted = pool.try_spawn_local(std::future::pending::<()>).unwrap();
            aborted.abort();
            tasks.push(aborted);
        });
    }
    for task in tasks {
        // It may have failed, since the subscriber ran inside of it; it has settled. Its payload
        // is this thread's now, and would panic here.
        mem::forget(task.join());
    }
    *ARMED.lock().unwrap() = None;
    *POOL.lock().unwrap() = None;
    assert_eq!(lane.blocking_run(|| 1).unwrap(), 1);
    assert_eq!(pool.blocking_run(|| 2).unwrap(), 2);
    let report = pool.blocking_close(LONG);
    assert_eq!(
        (report.queued, report.running, report.background),
        (0, 0, 0),
        "{report:?}"
    );
    assert!(report.is_clean(), "{report:?}");
    ACTED.load(Ordering::Relaxed)
}

#[test]
fn whatever_a_subscriber_does_the_pool_goes_on() {
    tracing::subscriber::set_global_default(Registry::default().with(Faulty)).unwrap();
    let methods = [
        Method::Enabled,
        Method::NewSpan,
        Method::Event,
        Method::Enter,
        Method::Exit,
        Method::Close,
    ];
    for method in methods {
        for act in [Act::Panic, Act::PanicOnDrop, Act::Reenter, Act::Block] {
            for each_time in [false, true] {
                let (done, is_done) = std::sync::mpsc::channel();
                let watched = thread::spawn(move || {
                    let acted = attempt(method, act, each_time);
                    let _ = done.send(());
                    acted
                });
                let late =
                    is_done.recv_timeout(LONG) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
                assert!(!late, "{method:?} {act:?}, each time: {each_time}: hangs");
                let acted = watched.join();
                assert!(
                    acted.is_ok(),
                    "{method:?} {act:?}, each time: {each_time}: failed"
                );
                assert!(acted.unwrap() > 0, "{method:?} was not called");
            }
        }
    }
}
