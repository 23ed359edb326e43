//! One waiter, step by step: what each call returns, leaves in the word, counts and keeps.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cenote_park::{
    Claim, Driver, EPOCH_INDEX, NOTIFIED, PARKED_DRIVER, Participants, STATE_INDEX, Spin,
    SpinRequest, State, Unpark, Unparker, WaitWord, Waiter, Woke,
};

const MAX: Duration = Duration::from_micros(50);
const NOT_PARKED: Unpark = Unpark {
    parked: false,
    claimed: false,
};

/// Participants of one test, so that other tests do not count: as many CPUs as it says.
fn participants(cpus: usize) -> &'static Participants {
    Box::leak(Box::new(Participants::new(cpus)))
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
fn spin_with_work_hits_at_once_even_if_it_may_not_spin() {
    let mut waiter = waiter(Duration::ZERO);
    publish(&waiter);
    assert_eq!(waiter.spin(&SpinRequest::default(), || false), Spin::Hit);
    assert!(waiter.has_work(), "a hit is not taken yet");
}

#[test]
fn spin_without_work_misses_when_its_budget_ends() {
    let mut waiter = waiter(Duration::from_millis(2));
    let start = Instant::now();
    assert_eq!(waiter.spin(&SpinRequest::default(), || false), Spin::Missed);
    assert!(start.elapsed() >= Duration::from_millis(2));
    assert_eq!(waiter.word().state(), State::Running);
    let stats = waiter.stats().snapshot();
    assert_eq!((stats.spins, stats.spin_misses), (1, 1));
    assert!(stats.spin_nanos >= 2_000_000);
}

#[test]
fn spin_hits_when_another_thread_publishes() {
    let word = WaitWord::new();
    let mut waiter = Waiter::with_participants(&word, Duration::from_secs(1), participants(2));
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(word.publish(), Claim::Awake, "a spinner needs no call"));
        // One second is a budget and not a promise: a busy machine may need several.
        while waiter.spin(&SpinRequest::default(), || false) != Spin::Hit {}
    });
    assert!(waiter.take());
}

#[test]
fn spinning_waiter_says_so() {
    let mut waiter = waiter(MAX);
    let word: *const WaitWord = waiter.word();
    let request = SpinRequest {
        check_every: Duration::ZERO,
        ..SpinRequest::default()
    };
    let mut seen = None;
    let end = waiter.spin(&request, || {
        // SAFETY: the waiter, which keeps the word alive, is borrowed by this very call.
        seen = Some(unsafe { &*word }.state());
        true
    });
    assert_eq!(end, Spin::Interrupted);
    assert_eq!(seen, Some(State::Spinning));
    assert_eq!(waiter.word().state(), State::Running);
}

#[test]
fn interrupted_spin_goes_on_with_what_is_left_of_its_budget() {
    let budget = Duration::from_millis(20);
    let mut waiter = waiter(budget);
    let request = SpinRequest {
        check_every: Duration::from_millis(3),
        ..SpinRequest::default()
    };
    let mut interrupts = 0;
    while waiter.spin(&request, || true) == Spin::Interrupted {
        interrupts += 1;
        assert!(interrupts <= 7, "20 ms in pieces of at least 3 ms");
    }
    let stats = waiter.stats().snapshot();
    assert_eq!((stats.spins, stats.spin_misses), (1, 1), "one session");
}

#[test]
fn ended_session_starts_over_and_teaches_nothing() {
    let mut waiter = waiter(Duration::from_millis(20));
    let request = SpinRequest {
        check_every: Duration::ZERO,
        ..SpinRequest::default()
    };
    let before = waiter.stats().snapshot().budget_nanos;
    assert_eq!(waiter.spin(&request, || true), Spin::Interrupted);
    waiter.end_session();
    assert_eq!(waiter.spin(&request, || true), Spin::Interrupted);
    let stats = waiter.stats().snapshot();
    assert_eq!((stats.spins, stats.budget_nanos), (2, before));
}

#[test]
fn work_that_comes_between_two_parts_of_a_session_is_a_hit() {
    let mut waiter = waiter(Duration::from_millis(20));
    let request = SpinRequest {
        check_every: Duration::ZERO,
        ..SpinRequest::default()
    };
    assert_eq!(waiter.spin(&request, || true), Spin::Interrupted);
    publish(&waiter);
    assert_eq!(waiter.spin(&request, || true), Spin::Hit);
    assert_eq!(waiter.stats().snapshot().spin_hits, 1);
}

#[test]
fn spin_ends_when_something_is_due() {
    let mut waiter = waiter(Duration::from_secs(1));
    let request = SpinRequest {
        until: Some(Instant::now()),
        ..SpinRequest::default()
    };
    assert_eq!(waiter.spin(&request, || false), Spin::Missed);
    let stats = waiter.stats().snapshot();
    assert_eq!((stats.spin_dues, stats.spin_misses), (1, 0));
}

#[test]
fn spin_is_skipped_where_it_gains_nothing() {
    let skips = |mut waiter: Waiter<Arc<WaitWord>>, expected| {
        let request = SpinRequest {
            expected,
            ..SpinRequest::default()
        };
        let end = waiter.spin(&request, || unreachable!("nothing was spun"));
        assert_eq!(waiter.stats().snapshot().spin_skips, 1);
        end
    };
    assert_eq!(skips(waiter(Duration::ZERO), None), Spin::Skipped);
    assert_eq!(skips(waiter(MAX), Some(MAX * 2)), Spin::Skipped);
    let one_cpu = Waiter::with_participants(Arc::default(), MAX, participants(1));
    assert_eq!(skips(one_cpu, None), Spin::Skipped);
    let crowd = participants(2);
    crowd.enter();
    crowd.enter();
    let crowded = Waiter::with_participants(Arc::default(), MAX, crowd);
    assert_eq!(skips(crowded, None), Spin::Skipped);
}

#[test]
fn spinner_gives_its_slot_to_a_thread_that_wakes() {
    let all = participants(2);
    let word = WaitWord::new();
    let mut waiter = Waiter::with_participants(&word, Duration::from_secs(1), all);
    let mut woke = false;
    let request = SpinRequest {
        check_every: Duration::ZERO,
        ..SpinRequest::default()
    };
    let end = waiter.spin(&request, || {
        if !woke {
            woke = true;
            all.enter();
            all.enter();
        }
        false
    });
    assert_eq!(end, Spin::Missed);
    assert_eq!(waiter.stats().snapshot().spin_yields, 1);
    assert_eq!(
        all.not_parked(),
        2,
        "two woke, the spinner no longer counts"
    );
    assert!(waiter.park_driver(|| false));
    assert_eq!(all.not_parked(), 2, "and is not taken off twice");
    waiter.unpark();
    assert_eq!(all.not_parked(), 3);
}

#[test]
fn set_max_spin_bounds_the_next_spin() {
    let mut waiter = waiter(Duration::ZERO);
    assert_eq!(
        waiter.spin(&SpinRequest::default(), || false),
        Spin::Skipped
    );
    waiter.set_max_spin(MAX);
    assert_eq!(waiter.spin(&SpinRequest::default(), || false), Spin::Missed);
    waiter.set_max_spin(Duration::ZERO);
    assert_eq!(
        waiter.spin(&SpinRequest::default(), || false),
        Spin::Skipped
    );
}

#[test]
fn miss_that_work_followed_soon_widens_and_one_that_nothing_followed_narrows() {
    // The whole wait has to be shorter than twice `max_spin`, on a busy machine too.
    let mut waiter = waiter(Duration::from_millis(500));
    let budget = |waiter: &Waiter<_>| waiter.stats().snapshot().budget_nanos;
    let full = budget(&waiter);
    assert_eq!(waiter.spin(&SpinRequest::default(), || false), Spin::Missed);
    assert!(waiter.park_driver(|| false));
    waiter.unpark();
    let narrowed = budget(&waiter);
    assert!(narrowed < full);

    assert_eq!(waiter.spin(&SpinRequest::default(), || false), Spin::Missed);
    assert!(waiter.park_driver(|| false));
    assert_eq!(waiter.word().publish(), Claim::Driver);
    assert!(waiter.unpark().claimed);
    assert!(budget(&waiter) > narrowed);
}

#[test]
fn park_driver_retracts_when_there_is_work() {
    let mut waiter = waiter(MAX);
    publish(&waiter);
    assert!(!waiter.park_driver(|| false), "the epoch moved");
    assert_eq!(waiter.word().state(), State::Running);
    assert!(waiter.take());
    assert!(!waiter.park_driver(|| true), "the host's own source");
    assert_eq!(waiter.word().state(), State::Running);
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
    assert_eq!(word.state(), State::Running);
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
        assert_eq!(waiter.word().state(), State::ParkedDriver);
        assert_eq!(waiter.word().publish(), Claim::Driver);
        assert_eq!(waiter.word().state(), State::Notified);
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
    assert_eq!(waiter.word().state(), State::Running);
    assert_eq!(waiter.unpark(), NOT_PARKED);
}

#[test]
fn park_futex_ends_at_its_deadline_and_not_before() {
    let mut waiter = waiter(MAX);
    let deadline = Instant::now() + Duration::from_millis(20);
    let unpark = waiter.park_futex(Some(deadline), || false);
    assert!(Instant::now() >= deadline);
    assert_eq!((unpark.parked, unpark.claimed), (true, false));
    assert_eq!(waiter.word().state(), State::Running);
    assert!(waiter.park_futex(Some(deadline), || false).parked, "past");
}

#[test]
fn spurious_wakes_run_the_recheck_and_go_back_to_sleep() {
    let word = WaitWord::new();
    let rechecks = AtomicUsize::new(0);
    let unpark = thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            Waiter::with_participants(&word, MAX, participants(2)).park_futex(None, || {
                rechecks.fetch_add(1, Ordering::SeqCst);
                false
            })
        });
        // The first re-check is the one before sleep; each further one follows a wake for no reason.
        while rechecks.load(Ordering::SeqCst) < 10 {
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
    let unpark = thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            Waiter::with_participants(&word, MAX, participants(2))
                .park_futex(None, || rechecks.fetch_add(1, Ordering::SeqCst) == 1)
        });
        while !sleeper.is_finished() {
            word.wake_futex();
            thread::yield_now();
        }
        sleeper.join().unwrap()
    });
    assert_eq!((unpark.parked, unpark.claimed), (true, false));
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
        assert_eq!(word.state(), State::Running);
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
        "WaitWord { epoch: 0, state: Running }"
    );
}
