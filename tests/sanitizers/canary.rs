//! Planted errors, one a test, each of which a tool has to find; and `sound`, in which none may
//! find anything.
//!
//! `canary.test.mjs` compiles this with `rustc --test`. Every error passes as a test: only the tool
//! can object.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, mpsc};
use std::thread;

#[test]
fn use_after_free() {
    let freed = {
        let value = Box::new(black_box(7_u64));
        &raw const *value
    };
    // SAFETY: there is none; that is the error.
    black_box(unsafe { freed.read() });
}

#[test]
fn leak() {
    black_box(Box::leak(Box::new(black_box([7_u64; 16]))));
    // Nor may an old copy of the pointer be left on the stack.
    black_box([0_u64; 512]);
}

struct Shared(UnsafeCell<u64>);

// SAFETY: there is none; two threads use it at once.
unsafe impl Sync for Shared {}

impl Shared {
    fn add(&self) {
        // SAFETY: there is none; that is the error.
        unsafe { *self.0.get() += 1 };
    }
}

/// A race between the test's own thread and one that it starts, both under what every stack begins
/// with.
#[test]
fn race() {
    let shared = Arc::new(Shared(UnsafeCell::new(0)));
    let other = Arc::clone(&shared);
    let thread = thread::spawn(move || other.add());
    shared.add();
    thread.join().expect("it does not panic");
}

/// A value handed over by a flag that orders nothing.
#[test]
fn relaxed() {
    let shared = Arc::new((Shared(UnsafeCell::new(0)), AtomicBool::new(false)));
    let other = Arc::clone(&shared);
    let thread = thread::spawn(move || {
        other.0.add();
        other.1.store(true, Ordering::Relaxed);
    });
    while !shared.1.load(Ordering::Relaxed) {
        thread::yield_now();
    }
    shared.0.add();
    thread.join().expect("it does not panic");
}

/// What `std` synchronizes in ways that ThreadSanitizer cannot see, except for a `Mutex` that is
/// contended: nothing in a report on that would name it.
#[test]
fn sound() {
    static ONCE: OnceLock<String> = OnceLock::new();
    static LAZY: LazyLock<String> = LazyLock::new(|| "lazy".repeat(2));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|i| {
            let sender = sender.clone();
            thread::spawn(move || {
                let length = ONCE.get_or_init(|| "once".repeat(2)).len() + LAZY.len();
                sender.send(vec![i; 16]).expect("the test waits");
                length
            })
        })
        .collect();
    drop(sender);
    assert_eq!(
        receiver.into_iter().map(|list| list.len()).sum::<usize>(),
        64
    );
    assert!(
        threads
            .into_iter()
            .all(|thread| thread.join().expect("it does not panic") == 16)
    );
}
