//! One waiter's word and sleeps, step by step: what each call returns, leaves in the word and
//! counts.
#![cfg(not(cenote_loom))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kept;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cenote_park::{
    Claim, Driver, EPOCH_INDEX, NOTIFIED, PARKED_DRIVER, Participants, RUNNING, STATE_INDEX, Spin,
    SpinRequest, Unpark, Unparker, WaitWord, Waiter, Woke,
};

use kept::kept;

const MAX: Duration = Duration::from_micros(50);
const NOT_PARKED: Unpark = Unpark {
    parked: false,
    claimed: false,
};

/// Participants of one test, so that other tests do not count: as many CPUs as it says.
fn participants(cpus: usize) -> &'static Participants {
    kept(Participants::new(cpus))
}

fn waiter(max_spin: Duration) -> Waiter<Arc<WaitWord>> {
    Waiter::with_participants(Arc::default(), max_spin, participants(2))
}

fn publish(waiter: &Waiter<Arc<WaitWord>>) {
    assert_eq!(waiter.word().publish(), Claim::Awake);
}

#[test]
fn take_sees_each_publication_once() {
    let mut waiter = waiter(MAX);
    assert!(!waiter.has_work() && !waiter.take());
    publish(&waiter);
    publish(&waiter);
    assert!(waiter.has_work());
    assert!(waiter.take());
    assert!(!waiter.has_work() && !waiter.take());
}

#[test]
fn work_published_before_the_waiter_existed_is_seen() {
    let word = WaitWord::new();
    assert_eq!(word.publish(), Claim::Awake);
    assert!(Waiter::with_participants(&word, MAX, participants(2)).take());
}

#[test]
fn epoch_that_wraps_is_still_seen_to_move() {
    let memory = [AtomicU32::new(u32::MAX), AtomicU32::new(0)];
    // SAFETY: eight aligned bytes that outlive the reference and are accessed atomically only.
    let word = unsafe { WaitWord::from_ptr(memory.as_ptr().cast()) };
    let mut waiter = Waiter::with_participants(word, MAX, participants(2));
    assert!(waiter.take());
    assert_eq!(word.publish(), Claim::Awake);
    assert_eq!(word.epoch(), 0);
    assert!(waiter.take());
}

#[test]
fn park_driver_retracts_when_there_is_work() {
    let mut waiter = waiter(MAX);
    publish(&waiter);
    assert!(!waiter.park_driver(|| false), "the epoch moved");
    assert_eq!(waiter.word().state(), RUNNING);
    assert!(waiter.take());
    assert!(!waiter.park_driver(|| true), "the host's own source");
    assert_eq!(waiter.word().state(), RUNNING);
    let stats = waiter.stats().snapshot();
    assert_eq!((stats.retracts, stats.parks_driver), (2, 0));
}

#[test]
fn claim_that_comes_during_the_recheck_is_consumed() {
    let word = WaitWord::new();
    let mut waiter = Waiter::with_participants(&word, MAX, participants(2));
    let parked = waiter.park_driver(|| {
        assert_eq!(word.claim(), Claim::Driver);
        true
    });
    assert!(!parked);
    assert_eq!(word.state(), RUNNING);
    assert_eq!(waiter.stats().snapshot().wakes, 1);
    let unpark = waiter.park_futex(None, || {
        assert_eq!(word.claim(), Claim::Futex);
        true
    });
    assert_eq!((unpark.parked, unpark.claimed), (false, true));
}

#[test]
fn parked_waiter_is_claimed_once_until_it_parks_again() {
    let mut waiter = waiter(MAX);
    for turn in 1..=3 {
        assert!(waiter.park_driver(|| false));
        assert_eq!(waiter.word().state(), PARKED_DRIVER);
        assert_eq!(waiter.word().publish(), Claim::Driver);
        assert_eq!(waiter.word().state(), NOTIFIED);
        assert_eq!(waiter.word().publish(), Claim::Awake);
        assert_eq!(waiter.word().claim(), Claim::Awake);
        let unpark = waiter.unpark();
        assert!(unpark.parked && unpark.claimed);
        assert!(waiter.take());
        assert_eq!(waiter.stats().snapshot().wakes, turn);
    }
}

#[test]
fn unpark_is_harmless_when_not_parked() {
    let mut waiter = waiter(MAX);
    assert_eq!(waiter.unpark(), NOT_PARKED);
    assert!(waiter.park_driver(|| false));
    assert!(waiter.unpark().parked);
    assert_eq!(waiter.unpark(), NOT_PARKED);
}

#[test]
fn parking_or_spinning_while_parked_ends_the_first_park() {
    let mut waiter = waiter(MAX);
    assert!(waiter.park_driver(|| false));
    assert!(waiter.park_driver(|| false));
    assert_ne!(waiter.spin(&SpinRequest::default(), || false), Spin::Hit);
    assert_eq!(waiter.word().state(), RUNNING);
    assert_eq!(waiter.unpark(), NOT_PARKED);
}

#[test]
fn park_futex_ends_at_its_deadline_and_not_before() {
    let mut waiter = waiter(MAX);
    let deadline = Instant::now() + Duration::from_millis(20);
    let unpark = waiter.park_futex(Some(deadline), || false);
    assert!(Instant::now() >= deadline);
    assert_eq!((unpark.parked, unpark.claimed), (true, false));
    assert_eq!(waiter.word().state(), RUNNING);
    assert!(waiter.park_futex(Some(deadline), || false).parked, "past");
}

#[test]
fn spurious_wakes_run_the_recheck_and_go_back_to_sleep() {
    let word = WaitWord::new();
    let rechecks = AtomicUsize::new(0);
    let hang = Instant::now() + Duration::from_secs(20);
    let unpark = thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            Waiter::with_participants(&word, MAX, participants(2)).park_futex(Some(hang), || {
                rechecks.fetch_add(1, Ordering::SeqCst);
                false
            })
        });
        // The first re-check is the one before sleep; each further one follows a wake for no
        // reason.
        while rechecks.load(Ordering::SeqCst) < 10 {
            assert!(!sleeper.is_finished(), "it sleeps on, and re-checks");
            word.wake_futex();
            thread::yield_now();
        }
        assert!(!sleeper.is_finished());
        Unparker::new(&word, ()).unpark();
        sleeper.join().unwrap()
    });
    assert!(unpark.parked && unpark.claimed);
}

#[test]
fn recheck_that_turns_true_after_a_spurious_wake_ends_the_sleep() {
    let word = WaitWord::new();
    let rechecks = AtomicUsize::new(0);
    let hang = Instant::now() + Duration::from_secs(20);
    let unpark = thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            Waiter::with_participants(&word, MAX, participants(2))
                .park_futex(Some(hang), || rechecks.fetch_add(1, Ordering::SeqCst) == 1)
        });
        while !sleeper.is_finished() {
            word.wake_futex();
            thread::yield_now();
        }
        sleeper.join().unwrap()
    });
    assert_eq!((unpark.parked, unpark.claimed), (true, false));
    assert_eq!(rechecks.load(Ordering::SeqCst), 2);
}

#[test]
fn unparker_makes_the_cheapest_call_that_suffices() {
    #[derive(Default)]
    struct Bell(AtomicUsize);
    impl Driver for Bell {
        fn ring(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let bell = Arc::new(Bell::default());
    let mut waiter = waiter(MAX);
    let word: Arc<WaitWord> = Arc::default();
    let mut same = Waiter::with_participants(Arc::clone(&word), MAX, participants(2));
    let unparker = Unparker::new(word, Arc::clone(&bell));
    assert_eq!(unparker.unpark(), Woke::Nothing);
    assert!(same.take());
    assert!(same.park_driver(|| false));
    assert_eq!(unparker.unpark(), Woke::Driver);
    assert_eq!(unparker.unpark(), Woke::Nothing);
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert!(waiter.park_driver(|| false), "another word, not affected");
}

#[test]
fn dropped_waiter_leaves_an_awake_word_and_its_place() {
    let all = participants(2);
    let word = WaitWord::new();
    for parked in [false, true] {
        let mut waiter = Waiter::with_participants(&word, MAX, all);
        assert_eq!(all.not_parked(), 1);
        assert_eq!(waiter.park_driver(|| !parked), parked);
        drop(waiter);
        assert_eq!(all.not_parked(), 0);
        assert_eq!(word.state(), RUNNING);
    }
}

#[test]
fn foreign_memory_and_the_waiter_speak_the_same_layout() {
    // What JavaScript does with `Atomics` on an Int32Array, all of it sequentially consistent.
    let memory = [AtomicU32::new(0), AtomicU32::new(0)];
    // SAFETY: eight aligned bytes that outlive the reference and are accessed atomically only.
    let word = unsafe { WaitWord::from_ptr(memory.as_ptr().cast()) };
    let mut waiter = Waiter::with_participants(word, MAX, participants(2));
    assert!(waiter.park_driver(|| false));
    memory[EPOCH_INDEX].fetch_add(1, Ordering::SeqCst);
    memory[STATE_INDEX]
        .compare_exchange(PARKED_DRIVER, NOTIFIED, Ordering::SeqCst, Ordering::SeqCst)
        .expect("parked in its loop");
    assert!(waiter.unpark().claimed);
    assert!(waiter.take());
}

#[test]
fn statistics_can_be_read_from_elsewhere() {
    let mut waiter = waiter(MAX);
    let stats = Arc::clone(waiter.stats());
    assert!(waiter.park_driver(|| false));
    waiter.unpark();
    let seen = thread::spawn(move || stats.snapshot()).join().unwrap();
    assert_eq!(seen.parks_driver, 1);
    assert_eq!(seen, waiter.stats().snapshot());
}

#[test]
fn word_prints_its_parts() {
    assert_eq!(
        format!("{:?}", WaitWord::new()),
        "WaitWord { epoch: 0, state: RUNNING }"
    );
}
