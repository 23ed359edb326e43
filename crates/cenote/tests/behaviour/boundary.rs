//! Wherever a user's code can run, it harms its own task only: every place × everything that it can
//! do there that is not its business. Each combination gets a pool of one thread with a future in
//! the background, a lane that runs one task at a time, and a permit; afterwards all of that works,
//! and the pool ends in order.

use std::fmt;
use std::future::{Future, pending};
use std::panic;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::{Duration, Instant};

use cenote::{JoinHandle, Lane, LaneConfig, Pool};

use crate::support::{Count, FOREVER, eventually, hold, watched};

/// What the code does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Panic,
    /// With a payload that panics when it is dropped.
    PanicOnDrop,
    /// Calls its own pool.
    Reenter,
    Block,
    /// Ends its own pool: without its futures, in order, or as whoever holds it last.
    ShutDown,
    Close,
    DropLast,
}

const ACTS: [Act; 4] = [Act::Panic, Act::PanicOnDrop, Act::Reenter, Act::Block];

const ENDS: [Act; 3] = [Act::ShutDown, Act::Close, Act::DropLast];

/// Where it does so.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Closure,
    ClosureCaptures,
    FutureMade,
    FuturePolled,
    FutureDropped,
    Result,
    AbortedCaptures,
    LateCaptures,
    ShutDownCaptures,
    WakerOfEnd,
    WakerOfAbort,
    WakerOfQueueTimeout,
    WakerOfTimeout,
    WakerCloned,
    WakerDropped,
    WakerOfToken,
    Background,
    BackgroundDropped,
    State,
    StateDropped,
    ScopeTask,
    ThreadStop,
    ThreadLocal,
}

const PLACES: [Place; 23] = [
    Place::Closure,
    Place::ClosureCaptures,
    Place::FutureMade,
    Place::FuturePolled,
    Place::FutureDropped,
    Place::Result,
    Place::AbortedCaptures,
    Place::LateCaptures,
    Place::ShutDownCaptures,
    Place::WakerOfEnd,
    Place::WakerOfAbort,
    Place::WakerOfQueueTimeout,
    Place::WakerOfTimeout,
    Place::WakerCloned,
    Place::WakerDropped,
    Place::WakerOfToken,
    Place::Background,
    Place::BackgroundDropped,
    Place::State,
    Place::StateDropped,
    Place::ScopeTask,
    Place::ThreadStop,
    Place::ThreadLocal,
];

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        // Without a payload of its own, and quietly: no leak is seen where it has to be forgotten.
        panic::resume_unwind(Box::new(()));
    }
}

/// The code itself, which acts once.
#[derive(Clone)]
struct Code {
    act: Act,
    pool: Arc<Mutex<Option<Pool>>>,
    acted: Count,
    /// Set once nobody else holds the pool.
    alone: Arc<AtomicBool>,
}

impl Code {
    fn act(&self) {
        if self.acted.get() > 0 {
            return;
        }
        self.acted.up();
        match self.act {
            Act::Panic => panic::resume_unwind(Box::new("on purpose")),
            Act::PanicOnDrop => panic::resume_unwind(Box::new(PanicsOnDrop)),
            Act::Block => thread::sleep(Duration::from_millis(20)),
            Act::ShutDown | Act::Close | Act::DropLast => self.end(),
            Act::Reenter => {
                let pool = self.pool.lock().unwrap().clone();
                let Some(pool) = pool else { return };
                let lane = pool.lane("l").unwrap();
                for on in [&*pool, &lane] {
                    if let Ok(task) = on.try_spawn(|| ()) {
                        task.detach();
                    }
                    if let Ok(task) = on.try_spawn_local(pending::<()>) {
                        task.abort();
                    }
                }
                drop(lane.try_reserve());
                pool.stats();
                if cenote::current().is_some() {
                    drop(cenote::token());
                }
            }
        }
    }

    fn end(&self) {
        let Some(pool) = self.pool.lock().unwrap().take() else {
            return;
        };
        match self.act {
            Act::ShutDown => drop(pool.shutdown_now()),
            Act::Close => drop(pool.blocking_close(Duration::from_millis(2))),
            _ => {
                // Where the test itself calls this code, it still holds the pool.
                let patience = Instant::now() + Duration::from_millis(200);
                while !self.alone.load(Ordering::Acquire) && Instant::now() < patience {
                    thread::yield_now();
                }
                drop(pool);
            }
        }
    }

    /// Acts when it is dropped.
    fn on_drop(&self) -> OnDrop {
        OnDrop(self.clone())
    }

    /// Acts at a step of its life.
    fn waker(&self, place: Place) -> Waker {
        let data = Arc::into_raw(Arc::new((self.clone(), place, Count::default())));
        // SAFETY: the functions below keep the contract: each waker has a reference to the data,
        // which it gives back when it is dropped or woken, also where that panics.
        unsafe { Waker::from_raw(RawWaker::new(data.cast(), &VTABLE)) }
    }
}

struct OnDrop(Code);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.act();
    }
}

type WakerData = (Code, Place, Count);

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let data = data.cast::<WakerData>();
        // SAFETY: `Code::waker` made it, and the waker that is cloned has a reference.
        let (code, place, _) = unsafe { &*data };
        if *place == Place::WakerCloned {
            code.act();
        }
        // SAFETY: as above; the reference is the clone's.
        unsafe { Arc::increment_strong_count(data) };
        RawWaker::new(data.cast(), &VTABLE)
    },
    |data| {
        // SAFETY: `Code::waker` made it, and this is the waker's reference.
        let data = unsafe { Arc::from_raw(data.cast::<WakerData>()) };
        wake(&data);
    },
    |data| {
        // SAFETY: `Code::waker` made it, and the waker has a reference.
        wake(unsafe { &*data.cast::<WakerData>() });
    },
    |data| {
        // SAFETY: `Code::waker` made it, and this is the waker's reference.
        let data = unsafe { Arc::from_raw(data.cast::<WakerData>()) };
        let (code, place, _) = &*data;
        if *place == Place::WakerDropped && thread::current().name() == Some("boundary-0") {
            code.act();
        }
    },
);

fn wake((code, _, woken): &WakerData) {
    woken.up();
    if code.acted.get() == 0 {
        code.act();
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) {
    // A waker that panics in the poll of the caller is the caller's affair, and so is its payload.
    if let Err(payload) = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let _ = Pin::new(future).poll(&mut Context::from_waker(waker));
    })) && let Err(second) = panic::catch_unwind(panic::AssertUnwindSafe(|| drop(payload)))
    {
        std::mem::forget(second);
    }
}

/// A value that acts when the pool drops it.
struct Value(#[allow(dead_code, reason = "its destructor is what matters")] OnDrop);

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}

/// Has the code run in its place. Returns the handle of its task where that has an end to be seen.
fn put(place: Place, code: &Code, pool: &Pool, lane: &Lane) -> Option<JoinHandle<()>> {
    let own = code.clone();
    let blocked = || hold(pool, 1);
    match place {
        Place::Closure => Some(lane.try_spawn(move || own.act()).unwrap()),
        Place::ClosureCaptures => {
            let captured = own.on_drop();
            Some(lane.try_spawn(move || drop(captured)).unwrap())
        }
        Place::FutureMade => Some(
            lane.try_spawn_local(move || {
                own.act();
                async {}
            })
            .unwrap(),
        ),
        Place::FuturePolled => Some(
            lane.try_spawn_local(move || async move {
                tokio::task::yield_now().await;
                own.act();
            })
            .unwrap(),
        ),
        Place::FutureDropped => {
            let (tell, told) = mpsc::channel();
            let handle = lane
                .try_spawn_local(move || async move {
                    let _dropped = own.on_drop();
                    tell.send(()).unwrap();
                    pending::<()>().await;
                })
                .unwrap();
            told.recv().unwrap();
            handle.abort();
            Some(handle)
        }
        Place::Result => {
            let held = blocked();
            lane.try_spawn(move || Value(own.on_drop()))
                .unwrap()
                .detach();
            held.release();
            None
        }
        Place::AbortedCaptures => {
            let held = blocked();
            let captured = own.on_drop();
            let handle = lane.try_spawn(move || drop(captured)).unwrap();
            assert!(handle.abort());
            held.release();
            Some(handle)
        }
        Place::LateCaptures => {
            let held = blocked();
            let captured = own.on_drop();
            let late = lane.task().queue_timeout(Duration::from_millis(1));
            let handle = late.try_spawn(move || drop(captured)).unwrap();
            eventually("it is late", || handle.is_finished());
            held.release();
            Some(handle)
        }
        Place::ShutDownCaptures => {
            let held = blocked();
            let captured = own.on_drop();
            let handle = lane.try_spawn(move || drop(captured)).unwrap();
            assert_eq!(pool.shutdown_now(), 1);
            held.release();
            Some(handle)
        }
        Place::WakerOfEnd | Place::WakerCloned | Place::WakerDropped => {
            let held = blocked();
            let mut handle = lane.try_spawn(|| ()).unwrap();
            poll_once(&mut handle, &code.waker(place));
            held.release();
            Some(handle)
        }
        Place::WakerOfAbort => {
            let held = blocked();
            let mut handle = lane.try_spawn(|| ()).unwrap();
            poll_once(&mut handle, &code.waker(place));
            assert!(handle.abort());
            held.release();
            Some(handle)
        }
        Place::WakerOfQueueTimeout => {
            let held = blocked();
            let late = lane.task().queue_timeout(Duration::from_millis(1));
            let mut handle = late.try_spawn(|| ()).unwrap();
            poll_once(&mut handle, &code.waker(place));
            eventually("it is late", || handle.is_finished());
            held.release();
            Some(handle)
        }
        Place::WakerOfTimeout => {
            let late = lane.task().timeout(Duration::from_millis(1));
            let mut handle = late.try_spawn_local(pending::<()>).unwrap();
            poll_once(&mut handle, &code.waker(place));
            Some(handle)
        }
        Place::WakerOfToken => {
            let (tell, told) = mpsc::channel();
            let handle = lane
                .try_spawn_local(move || async move {
                    tell.send(cenote::token()).unwrap();
                    pending::<()>().await;
                })
                .unwrap();
            let token = told.recv().unwrap();
            let mut cancelled = Box::pin(token.cancelled_owned());
            poll_once(&mut cancelled, &code.waker(place));
            handle.abort();
            drop(cancelled);
            Some(handle)
        }
        Place::Background => {
            let left = lane.try_spawn(move || {
                cenote::spawn_background(move || async move {
                    tokio::task::yield_now().await;
                    own.act();
                });
            });
            Some(left.unwrap())
        }
        Place::BackgroundDropped => {
            let left = lane.try_spawn(move || {
                cenote::spawn_background(move || async move {
                    let _dropped = own.on_drop();
                    pending::<()>().await;
                });
            });
            Some(left.unwrap())
        }
        Place::State => {
            let lent = move || cenote::with_state(|_: &mut StateOf| own.act());
            Some(lane.try_spawn(lent).unwrap())
        }
        Place::ScopeTask => {
            let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                pool.scope(|scope| {
                    let _ = scope.spawn(|| own.act()).join();
                });
            }));
            None
        }
        Place::ThreadLocal => {
            thread_local! {
                static LAST: std::cell::RefCell<Option<OnDrop>> =
                    const { std::cell::RefCell::new(None) };
            }
            // A panic there ends the process, whatever thread it is.
            let harmless = !matches!(own.act, Act::Panic | Act::PanicOnDrop);
            let set =
                move || LAST.with(|last| *last.borrow_mut() = harmless.then(|| own.on_drop()));
            Some(lane.try_spawn(set).unwrap())
        }
        // Where the pool was built.
        Place::StateDropped | Place::ThreadStop => None,
    }
}

struct StateOf {
    _drops: Option<OnDrop>,
}

fn try_out(place: Place, act: Act) {
    let code = Code {
        act,
        pool: Arc::default(),
        acted: Count::default(),
        alone: Arc::default(),
    };
    let (of_state, of_stop) = (code.clone(), code.clone());
    let pool = Pool::builder()
        .threads(1)
        .name("boundary")
        .lane("l", LaneConfig::new().max_running(1))
        .worker_state(move |_| {
            let drops = (place == Place::StateDropped).then(|| of_state.on_drop());
            Ok::<_, std::io::Error>(StateOf { _drops: drops })
        })
        .on_thread_stop(move |_| {
            if place == Place::ThreadStop {
                of_stop.act();
            }
        })
        .build()
        .unwrap();
    *code.pool.lock().unwrap() = Some(pool.clone());
    let lane = pool.lane("l").unwrap();
    let thread = pool.blocking_run(|| thread::current().id()).unwrap();
    let (beats, beat) = mpsc::channel();
    let heart = move || async move {
        while beats.send(()).is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    pool.blocking_run(move || cenote::spawn_background(heart))
        .unwrap();
    let permit = pool.try_reserve().unwrap();

    if let Some(handle) = put(place, &code, &pool, &lane) {
        // Its own end, whatever that is; it has one.
        eventually("the task settles", || handle.is_finished());
        if act == Act::Panic && matches!(place, Place::Closure | Place::FuturePolled) {
            assert!(handle.join().unwrap_err().is_panic());
        }
    }

    if place != Place::ShutDownCaptures {
        let task = lane.try_spawn(|| thread::current().id()).unwrap();
        assert_eq!(
            task.join().unwrap(),
            thread,
            "the lane's next task, on the same thread"
        );
        let future = lane.try_spawn_local(|| async { 6 }).unwrap();
        assert_eq!(future.join().unwrap(), 6);
        assert_eq!(permit.spawn(|| 7).join().unwrap(), 7);
        while beat.try_recv().is_ok() {}
        beat.recv_timeout(FOREVER).expect("the background goes on");
        eventually("nothing is left", || {
            let stats = pool.stats();
            stats.queued + stats.running == 0 && stats.threads == 1
        });
    } else {
        drop(permit);
    }
    // A clean end waits for what is in the background.
    drop(beat);
    if place == Place::BackgroundDropped {
        pool.shutdown_now();
    }
    let report = pool.blocking_close(FOREVER);
    assert!(report.is_clean(), "{report}");
    let harmless_thread_local =
        place == Place::ThreadLocal && act != Act::Reenter && act != Act::Block;
    assert!(
        code.acted.get() == 1 || harmless_thread_local,
        "it was tried out"
    );
    drop(code.pool.lock().unwrap().take());
}

#[test]
fn no_code_of_the_user_s_breaks_the_pool_wherever_it_runs_and_whatever_it_does() {
    for place in PLACES {
        for act in ACTS {
            let name = format!("{place:?} {act:?}");
            let tried = panic::catch_unwind(|| watched(move || try_out(place, act)));
            assert!(tried.is_ok(), "{name}");
        }
    }
}

/// Has the code end the pool.
fn try_end(place: Place, act: Act) {
    let code = Code {
        act,
        pool: Arc::default(),
        acted: Count::default(),
        alone: Arc::default(),
    };
    let stopped = Count::default();
    let (of_state, of_stop, at_stop) = (code.clone(), code.clone(), stopped.clone());
    let pool = Pool::builder()
        .threads(1)
        .name("boundary")
        .lane("l", LaneConfig::new().max_running(1))
        .worker_state(move |_| {
            let drops = (place == Place::StateDropped).then(|| of_state.on_drop());
            Ok::<_, std::io::Error>(StateOf { _drops: drops })
        })
        .on_thread_stop(move |_| {
            if place == Place::ThreadStop {
                of_stop.act();
            }
            at_stop.up();
        })
        .build()
        .unwrap();
    let lane = pool.lane("l").unwrap();
    *code.pool.lock().unwrap() = Some(pool.clone());
    let handle = put(place, &code, &pool, &lane);
    let behind = pool.try_spawn(|| ());
    if matches!(
        place,
        Place::BackgroundDropped | Place::StateDropped | Place::ThreadStop
    ) {
        // These are for the end to come.
        pool.shutdown_now();
    }
    drop((pool, lane));
    code.alone.store(true, Ordering::Release);
    for handle in handle.into_iter().chain(behind.ok()) {
        eventually("the task settles", || handle.is_finished());
    }
    // Where the code was not to run before the end, it had no pool to end.
    drop(code.pool.lock().unwrap().take());
    eventually("the worker has ended", || stopped.get() == 1);
}

#[test]
fn a_pool_may_be_ended_wherever_its_user_s_code_runs() {
    for place in PLACES {
        for act in ENDS {
            let name = format!("{place:?} {act:?}");
            let tried = panic::catch_unwind(|| watched(move || try_end(place, act)));
            assert!(tried.is_ok(), "{name}");
        }
    }
}

#[test]
fn a_start_that_panics_is_told_and_blamed_on_its_function() {
    watched(|| {
        let pool = Pool::builder()
            .threads(2)
            .on_thread_start(|_| panic::resume_unwind(Box::new("no start")))
            .build()
            .unwrap();
        eventually("no worker is left", || pool.try_spawn(|| ()).is_err());
        let refused = pool.try_spawn(|| ()).unwrap_err();
        assert_eq!(refused.code(), "CENOTE_NO_WORKER");
        let why = pool.stats().last_init_failure.unwrap();
        assert_eq!(why, "on_thread_start panicked: no start");
        assert!(pool.blocking_close(FOREVER).is_clean());

        let named = Pool::builder()
            .threads(1)
            .thread_name(|_| panic::resume_unwind(Box::new("no name")))
            .build();
        let error = named.unwrap_err();
        assert_eq!(error.code(), "CENOTE_THREAD_SPAWN");
        assert!(
            error.to_string().contains("thread_name panicked: no name"),
            "{error}"
        );

        let state = Pool::builder()
            .threads(1)
            .init_retries(0)
            .worker_state(|_| -> Result<(), std::io::Error> {
                panic::resume_unwind(Box::new(PanicsOnDrop))
            })
            .build();
        let error = state.unwrap_err();
        assert!(
            error.to_string().contains("worker_state panicked"),
            "{error}"
        );
    });
}

/// An error whose text and end are no better than the code it comes from.
struct BadError;

impl fmt::Debug for BadError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic::resume_unwind(Box::new("no text"))
    }
}

impl fmt::Display for BadError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic::resume_unwind(Box::new("no text"))
    }
}

impl std::error::Error for BadError {}

impl Drop for BadError {
    fn drop(&mut self) {
        panic::resume_unwind(Box::new(()));
    }
}

#[test]
fn an_error_of_the_start_that_cannot_be_shown_or_dropped_harms_nobody() {
    watched(|| {
        let failures = Count::default();
        let fails = failures.clone();
        let pool = Pool::builder()
            .threads(1)
            .init_retries(3)
            .worker_state(move |_| {
                fails.up();
                if fails.get() < 3 {
                    Err(BadError)
                } else {
                    Ok(5)
                }
            })
            .build()
            .unwrap();
        assert_eq!(
            pool.blocking_run(|| cenote::with_state(|n: &mut i32| *n))
                .unwrap(),
            5
        );
        assert_eq!(pool.stats().init_failures, 2);
    });
}

#[test]
fn the_last_handle_may_be_dropped_in_any_task() {
    watched(|| {
        for local in [false, true] {
            let pool = Pool::builder().threads(2).build().unwrap();
            let (tell, told) = mpsc::channel();
            let stopped = Count::default();
            let only = pool.lane("main").unwrap();
            if local {
                let last = move || async move {
                    drop(pool);
                    tell.send(()).unwrap();
                };
                only.try_spawn_local(last).unwrap().detach();
            } else {
                let last = move || {
                    drop(pool);
                    tell.send(()).unwrap();
                };
                only.try_spawn(last).unwrap().detach();
            }
            drop(only);
            told.recv().unwrap();
            stopped.up();
        }
    });
}
