//! The contract of [`Futex`], kept by every implementation this system can run.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Futex, Wait};

/// Long enough that reaching it means a hang.
const NEVER: Duration = Duration::from_secs(60);

fn differing_word_is_not_waited_for<F: Futex>() {
    let word = AtomicU32::new(1);
    assert_eq!(F::wait(&word, 2, Some(Instant::now() + NEVER)), Wait::Look);
}

fn deadline_ends_the_wait_and_not_before<F: Futex>() {
    let word = AtomicU32::new(1);
    let deadline = Instant::now() + Duration::from_millis(20);
    // A wait may also end for no reason.
    while F::wait(&word, 1, Some(deadline)) != Wait::TimedOut {}
    assert!(Instant::now() >= deadline);
    let past = Instant::now();
    assert_eq!(F::wait(&word, 1, Some(past)), Wait::TimedOut);
}

fn changing_the_word_and_waking_ends_the_wait<F: Futex>() {
    let word = AtomicU32::new(0);
    thread::scope(|scope| {
        for turn in 0..2_000 {
            let waker = scope.spawn(|| {
                word.fetch_add(1, Ordering::SeqCst);
                F::wake(&word);
            });
            let deadline = Instant::now() + NEVER;
            while word.load(Ordering::SeqCst) == turn {
                assert_eq!(F::wait(&word, turn, Some(deadline)), Wait::Look);
            }
            waker.join().expect("the waker does not panic");
        }
    });
}

fn wake_without_a_sleeper_is_harmless<F: Futex>() {
    let word = AtomicU32::new(1);
    F::wake(&word);
    F::wake(&word);
    let soon = Instant::now() + Duration::from_millis(5);
    assert_eq!(
        F::wait(&word, 1, Some(soon)),
        Wait::TimedOut,
        "wakes are not kept"
    );
}

fn deadline_beyond_all_clocks_is_no_deadline<F: Futex>() {
    let word = AtomicU32::new(0);
    let far = Instant::now() + Duration::from_secs(200 * 365 * 24 * 3600);
    thread::scope(|scope| {
        scope.spawn(|| {
            word.store(1, Ordering::SeqCst);
            F::wake(&word);
        });
        while word.load(Ordering::SeqCst) == 0 {
            assert_eq!(F::wait(&word, 0, Some(far)), Wait::Look);
        }
    });
}

macro_rules! contract {
    ($module:ident, $implementation:ty: $($name:ident)*) => {
        mod $module {
            $(#[test] fn $name() { super::$name::<$implementation>(); })*
        }
    };
    ($module:ident, $implementation:ty) => {
        contract! { $module, $implementation:
            differing_word_is_not_waited_for
            deadline_ends_the_wait_and_not_before
            changing_the_word_and_waking_ends_the_wait
            wake_without_a_sleeper_is_harmless
            deadline_beyond_all_clocks_is_no_deadline
        }
    };
}

#[cfg(any(target_os = "linux", target_os = "android"))]
contract!(linux, super::super::linux::Linux);
contract!(portable, super::super::portable::Portable);
