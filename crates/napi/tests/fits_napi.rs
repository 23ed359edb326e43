//! The napi backend without Node: its life, and what it declines. `tests/napi-runtime` has it run
//! an addon's functions in Node.
//!
//! One test: the backend that runs is one for the whole process.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cenote_napi::{Runtime, pool, spawn_blocking};
use napi::Status;
use napi::bindgen_prelude::AsyncRuntime;

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

#[test]
fn the_life_of_a_backend() {
    let builds = Arc::new(AtomicUsize::new(0));
    let runtime = Runtime::new()
        .configure({
            let builds = Arc::clone(&builds);
            move |futures| {
                builds.fetch_add(1, Ordering::SeqCst);
                futures.threads(1).name("f")
            }
        })
        .configure_blocking(|blocking| blocking.threads(1).name("b").queue_limit(1));

    // Dormant: it declines, hands back, and its end is nothing.
    assert!(pool().is_none());
    assert!(spawn_blocking(|| ()).unwrap_err().is_closed());
    let rejection = runtime.spawn_blocking(Box::new(|| ())).unwrap_err();
    assert_eq!(rejection.error().status, Status::Closing);
    runtime.shutdown().unwrap();
    assert_eq!(builds.load(Ordering::SeqCst), 0);

    for round in 1..=2 {
        runtime.start().unwrap();
        runtime.start().unwrap();
        assert_eq!(builds.load(Ordering::SeqCst), round);
        let futures = pool().unwrap();
        assert_eq!(
            futures
                .blocking_run(|| cenote::current().unwrap().name)
                .unwrap(),
            "f-0"
        );

        // Blocking work, up to the limit of its queue.
        let (began, begun) = mpsc::channel();
        let token = spawn_blocking(move || {
            let token = cenote::token();
            began.send(cenote::current().unwrap().name).unwrap();
            while !token.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
        })
        .unwrap();
        assert_eq!(begun.recv().unwrap(), "b-0");
        let dropped = Arc::new(AtomicBool::new(false));
        struct OnDrop(Arc<AtomicBool>);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let queued = OnDrop(Arc::clone(&dropped));
        assert!(
            runtime
                .spawn_blocking(Box::new(move || drop(queued)))
                .is_ok()
        );
        let rejection = runtime.spawn_blocking(Box::new(|| ())).unwrap_err();
        assert_eq!(rejection.error().status, Status::QueueFull);

        if round == 1 {
            runtime.shutdown().unwrap();
        } else {
            // In two phases: the first waits for nothing and cancels what is queued, which a worker
            // drops; the second waits for both.
            runtime.begin_shutdown().unwrap();
            assert!(runtime.start().is_err());
            runtime.begin_shutdown().unwrap();
            assert!(runtime.spawn_blocking(Box::new(|| ())).is_err());
            runtime.finish_shutdown().unwrap();
            runtime.finish_shutdown().unwrap();
        }
        assert!(!runtime.shutdown_work_pending());
        assert!(token.is_finished());
        assert!(
            dropped.load(Ordering::SeqCst),
            "a queued closure was neither run nor dropped"
        );
        assert!(pool().is_none() && futures.is_closed());
        assert_eq!(futures.stats().threads, 0);
    }

    // A backend that never ran takes nothing from the one that does.
    runtime.start().unwrap();
    Runtime::new().shutdown().unwrap();
    assert!(pool().is_some());
    let invalid = Runtime::new().configure(|futures| futures.threads(0));
    assert!(invalid.start().unwrap_err().reason.contains("threads"));

    // A configuration that panics leaves its backend as it was.
    let panics = Runtime::new().configure(|_| resume_unwind(Box::new("on purpose")));
    assert!(catch_unwind(AssertUnwindSafe(|| panics.start())).is_err());
    assert!(!panics.shutdown_work_pending());
    panics.shutdown().unwrap();

    // `block_on` drives a future that borrows, with timers, on this thread.
    let mut value = 0;
    let future = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        value = 42;
    };
    runtime.block_on(pin!(future)).unwrap();
    assert_eq!(value, 42);
    let panics = async { resume_unwind(Box::new("in the future")) };
    assert!(runtime.block_on(pin!(panics)).is_err());

    // From one of its own threads it ends too, and says that this thread is left.
    let runtime = Arc::new(runtime);
    let of_task = Arc::clone(&runtime);
    let (sender, receiver) = mpsc::channel();
    pool()
        .unwrap()
        .try_spawn(move || sender.send(of_task.shutdown().is_err()))
        .unwrap()
        .detach();
    assert!(receiver.recv_timeout(LONG).unwrap());
    assert!(pool().is_none());
}
