//! One waiter's spin, step by step: when it spins at all, what ends it, what it learns and counts.
#![cfg(not(cenote_loom))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kept;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cenote_park::{Claim, Participants, RUNNING, SPINNING, Spin, SpinRequest, WaitWord, Waiter};

use kept::kept;

const MAX: Duration = Duration::from_micros(50);

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
    assert_eq!(waiter.word().state(), RUNNING);
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
        let hit = (0..60).any(|_| waiter.spin(&SpinRequest::default(), || false) == Spin::Hit);
        assert!(hit);
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
    assert_eq!(seen, Some(SPINNING));
    assert_eq!(waiter.word().state(), RUNNING);
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
fn spin_hits_on_what_is_ready_elsewhere_without_a_publication() {
    let ready = std::sync::atomic::AtomicBool::new(false);
    let mut waiter = Waiter::with_participants(
        Arc::<WaitWord>::default(),
        Duration::from_secs(1),
        participants(2),
    );
    let is_ready = || ready.load(std::sync::atomic::Ordering::Acquire);
    thread::scope(|scope| {
        scope.spawn(|| ready.store(true, std::sync::atomic::Ordering::Release));
        let request = SpinRequest::default();
        let hit = (0..60).any(|_| waiter.spin_on(&request, is_ready, || false) == Spin::Hit);
        assert!(hit);
    });
    assert!(!waiter.has_work(), "nothing was published");
}

#[test]
fn waiter_that_stepped_out_counts_again_with_its_next_spin() {
    let participants = participants(2);
    let mut waiter =
        Waiter::with_participants(Arc::<WaitWord>::default(), Duration::ZERO, participants);
    assert_eq!(participants.not_parked(), 1);
    waiter.step_out();
    waiter.step_out();
    assert_eq!(participants.not_parked(), 0);
    assert_eq!(
        waiter.spin(&SpinRequest::default(), || false),
        Spin::Skipped
    );
    assert_eq!(participants.not_parked(), 1);
    assert!(waiter.park_driver(|| false));
    waiter.step_out();
    assert_eq!(
        (participants.not_parked(), waiter.word().state()),
        (0, RUNNING)
    );
    drop(waiter);
    assert_eq!(participants.not_parked(), 0);
}
