//! Properties of the policy, for any `max_spin` and any history.

use std::time::Duration;

use proptest::prelude::*;

use super::{FULL_TRY_EVERY, LIMIT, MissedWait, PAUSE, Plan, Policy, REFUTED};

const MAX: Duration = Duration::from_micros(50);

#[derive(Clone, Debug)]
enum Event {
    Plan(Option<Duration>),
    Hit,
    Miss(bool, MissedWait),
    SetMax(Duration),
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        (0..200_000u64).prop_map(Duration::from_nanos),
        Just(Duration::MAX),
    ]
}

fn missed_wait() -> impl Strategy<Value = MissedWait> {
    prop_oneof![
        duration().prop_map(MissedWait::UntilWork),
        duration().prop_map(MissedWait::UntilAwake),
        Just(MissedWait::NoWork),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => proptest::option::of(duration()).prop_map(Event::Plan),
        4 => Just(Event::Hit),
        4 => (any::<bool>(), missed_wait()).prop_map(|(spun, wait)| Event::Miss(spun, wait)),
        1 => duration().prop_map(Event::SetMax),
    ]
}

proptest! {
    #[test]
    fn budget_and_plans_stay_within_max_spin(
        mut max in duration(),
        events in proptest::collection::vec(event(), 0..200),
    ) {
        let mut policy = Policy::new(max);
        for event in events {
            match event {
                Event::Plan(expected) => {
                    if let Plan::Spin(budget) = policy.plan(expected) {
                        prop_assert!(!max.is_zero(), "0 never spins");
                        prop_assert!(budget <= max);
                        prop_assert!(expected.is_none_or(|expected| expected <= budget));
                    }
                }
                Event::Hit => policy.hit(),
                Event::Miss(spun, wait) => policy.miss(spun, wait),
                Event::SetMax(new) => {
                    policy.set_max(new);
                    max = new;
                }
            }
            let max = max.min(LIMIT);
            prop_assert!(policy.budget() <= max);
        }
    }

    #[test]
    fn hit_never_narrows_and_miss_without_work_never_widens(
        max in duration(),
        hits in proptest::collection::vec(any::<bool>(), 0..200),
    ) {
        let mut policy = Policy::new(max);
        for hit in hits {
            let before = policy.budget();
            if hit {
                policy.hit();
                prop_assert!(policy.budget() >= before);
            } else {
                policy.miss(true, MissedWait::NoWork);
                prop_assert!(policy.budget() <= before);
            }
        }
    }

    #[test]
    fn without_a_pause_one_wait_in_32_tries_all_of_max_spin(
        expected in proptest::option::of((0..=50_000u64).prop_map(Duration::from_nanos)),
        misses in 0..1000usize,
    ) {
        let mut policy = Policy::new(MAX);
        for _ in 0..misses {
            policy.miss(true, MissedWait::NoWork);
        }
        let full = (0..FULL_TRY_EVERY).any(|_| {
            let plan = policy.plan(expected);
            policy.miss(plan != Plan::Rest, MissedWait::NoWork);
            plan == Plan::Spin(MAX)
        });
        prop_assert!(full);
    }
}

/// A policy that long waits have taught not to spin.
fn narrowed() -> Policy {
    let mut policy = Policy::new(MAX);
    for _ in 0..40 {
        policy.miss(true, MissedWait::NoWork);
    }
    assert_eq!(policy.budget(), Duration::ZERO);
    policy
}

fn us(us: u64) -> Duration {
    Duration::from_micros(us)
}

#[test]
fn first_wait_gets_all_of_max_spin() {
    assert_eq!(Policy::new(MAX).plan(None), Plan::Spin(MAX));
}

#[test]
fn hits_widen_a_narrow_budget_back_to_max_spin() {
    let mut policy = narrowed();
    for _ in 0..20 {
        policy.hit();
    }
    assert_eq!(policy.budget(), MAX);
}

#[test]
fn near_misses_without_spins_make_the_next_wait_spin_for_them() {
    let mut policy = narrowed();
    let rested = (0..16).take_while(|_| {
        let rests = policy.plan(Some(us(1))) == Plan::Rest;
        if rests {
            policy.miss(false, MissedWait::UntilWork(us(4)));
        }
        rests
    });
    assert!(rested.count() < 16);
    assert_eq!(
        policy.plan(Some(us(1))),
        Plan::Spin(Duration::from_nanos(5_500))
    );
}

/// Arrivals at random, a few of them soon: most spins would burn a CPU for nothing.
#[test]
fn waits_of_which_few_are_near_are_not_spun_for() {
    let mut policy = Policy::new(MAX);
    let mut spins = 0;
    for wait in 0..3_200 {
        let spun = matches!(policy.plan(None), Plan::Spin(_));
        if wait >= 320 {
            spins += u32::from(spun);
        }
        let near = wait % 8 == 0;
        if near && spun {
            policy.hit();
        } else {
            policy.miss(
                spun,
                MissedWait::UntilWork(if near { us(5) } else { us(400) }),
            );
        }
    }
    assert!(spins <= 2_880 / FULL_TRY_EVERY, "{spins}");
}

#[test]
fn near_miss_of_a_spin_widens_the_budget_to_cover_it() {
    let mut policy = narrowed();
    policy.miss(true, MissedWait::UntilWork(us(36)));
    assert_eq!(policy.budget(), Duration::from_nanos(45_500));
    policy.miss(false, MissedWait::UntilAwake(us(99)));
    assert_eq!(policy.budget(), MAX);
}

#[test]
fn miss_that_max_spin_would_not_have_covered_narrows() {
    for wait in [
        MissedWait::UntilWork(MAX),
        MissedWait::UntilAwake(MAX * 2),
        MissedWait::NoWork,
    ] {
        let mut policy = Policy::new(MAX);
        policy.miss(true, wait);
        assert_eq!(policy.budget(), MAX * 7 / 8);
    }
}

/// Both threads on one CPU: the answer comes 10 µs after the spin gave way, however long it was.
#[test]
fn spins_that_hold_up_their_own_answer_end_in_ever_longer_pauses() {
    let mut policy = Policy::new(MAX);
    let mut spun = Duration::ZERO;
    let waits = 100_000;
    for _ in 0..waits {
        let spin = match policy.plan(None) {
            Plan::Spin(budget) => budget,
            Plan::Rest | Plan::Never => Duration::ZERO,
        };
        spun += spin;
        policy.miss(!spin.is_zero(), MissedWait::UntilWork(spin + us(10)));
    }
    assert!(
        spun > REFUTED,
        "the scheduler gets its time to move them apart"
    );
    assert!(spun < 10 * REFUTED, "{spun:?} in {waits} waits");
    // The CPU is free again: the first try after the pause hits, and what follows spins at once.
    let tries = (0..=PAUSE << 5).take_while(|_| {
        let resting = policy.plan(None) == Plan::Rest;
        policy.miss(false, MissedWait::UntilWork(us(10)));
        resting
    });
    assert!(tries.count() <= (PAUSE << 5) as usize + 1);
    policy.hit();
    assert!(matches!(policy.plan(None), Plan::Spin(_)));
}

#[test]
fn wait_expected_to_outlast_the_budget_rests() {
    let mut policy = narrowed();
    for _ in 0..16 {
        policy.miss(false, MissedWait::UntilWork(us(8)));
    }
    let budget = policy.budget();
    assert_eq!(policy.plan(Some(budget + us(1))), Plan::Rest);
    assert_eq!(policy.plan(Some(budget)), Plan::Spin(budget));
}

#[test]
fn wait_expected_to_outlast_max_spin_is_never_spun_for() {
    assert_eq!(Policy::new(MAX).plan(Some(MAX * 2)), Plan::Never);
}

#[test]
fn raising_max_spin_from_zero_starts_anew() {
    let mut policy = Policy::new(Duration::ZERO);
    assert_eq!(policy.plan(None), Plan::Never);
    policy.set_max(MAX);
    assert_eq!(policy.plan(None), Plan::Spin(MAX));
}
