//! Properties of the policy, for any `max_spin` and any history.

use std::time::Duration;

use proptest::prelude::*;

use super::{FLOOR, FULL_TRY_EVERY, LIMIT, MissedWait, Policy};

const MAX: Duration = Duration::from_micros(50);

#[derive(Clone, Debug)]
enum Event {
    Plan(Option<Duration>),
    Hit,
    Miss(MissedWait),
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
        4 => missed_wait().prop_map(Event::Miss),
        1 => duration().prop_map(Event::SetMax),
    ]
}

proptest! {
    #[test]
    fn budget_stays_between_the_floor_and_max_spin(
        mut max in duration(),
        events in proptest::collection::vec(event(), 0..200),
    ) {
        let mut policy = Policy::new(max);
        for event in events {
            match event {
                Event::Plan(expected) => {
                    let plan = policy.plan(expected);
                    if let Some(budget) = plan {
                        prop_assert!(!max.is_zero(), "0 never spins");
                        prop_assert!(budget <= max);
                        prop_assert!(expected.is_none_or(|expected| expected <= budget));
                    }
                }
                Event::Hit => policy.hit(),
                Event::Miss(wait) => policy.miss(wait),
                Event::SetMax(new) => {
                    policy.set_max(new);
                    max = new;
                }
            }
            let max = max.min(LIMIT);
            prop_assert!(policy.budget() <= max);
            prop_assert!(policy.budget() >= FLOOR.min(max));
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
                policy.miss(MissedWait::NoWork);
                prop_assert!(policy.budget() <= before);
            }
        }
    }

    #[test]
    fn wait_that_max_spin_covers_is_tried_in_full_within_32_waits(
        expected in proptest::option::of((0..=50_000u64).prop_map(Duration::from_nanos)),
        misses in 0..1000usize,
    ) {
        let mut policy = Policy::new(MAX);
        for _ in 0..misses {
            policy.plan(None);
            policy.miss(MissedWait::NoWork);
        }
        let full = (0..FULL_TRY_EVERY).any(|_| {
            let plan = policy.plan(expected);
            if plan.is_some() {
                policy.miss(MissedWait::NoWork);
            }
            plan == Some(MAX)
        });
        prop_assert!(full);
    }
}

fn narrowed() -> Policy {
    let mut policy = Policy::new(MAX);
    for _ in 0..20 {
        policy.miss(MissedWait::NoWork);
    }
    assert_eq!(policy.budget(), FLOOR);
    policy
}

#[test]
fn first_wait_gets_all_of_max_spin() {
    assert_eq!(Policy::new(MAX).plan(None), Some(MAX));
}

#[test]
fn hits_widen_a_narrow_budget_back_to_max_spin() {
    let mut policy = narrowed();
    policy.hit();
    assert_eq!(policy.budget(), Duration::from_nanos(13_000));
    for _ in 0..10 {
        policy.hit();
    }
    assert_eq!(policy.budget(), MAX);
}

#[test]
fn near_miss_of_unknown_length_doubles_the_budget() {
    let mut policy = narrowed();
    policy.miss(MissedWait::UntilAwake(Duration::from_micros(99)));
    assert_eq!(policy.budget(), FLOOR * 2);
}

#[test]
fn near_miss_of_known_length_widens_the_budget_to_cover_it() {
    let mut policy = narrowed();
    policy.miss(MissedWait::UntilWork(Duration::from_micros(38)));
    assert_eq!(policy.plan(None), Some(Duration::from_micros(48)));
}

#[test]
fn near_misses_at_max_spin_stop_widening_but_are_tried_again() {
    let mut policy = Policy::new(MAX);
    let near = MissedWait::UntilAwake(MAX * 3 / 2);
    let mut spun = Duration::ZERO;
    let mut budgets = Vec::new();
    for _ in 0..10 * FULL_TRY_EVERY {
        let budget = policy.plan(None).expect("the wait is not expected to last");
        budgets.push(budget);
        spun += budget;
        policy.miss(near);
    }
    assert!(spun < MAX * 10 * FULL_TRY_EVERY / 2, "{spun:?}");
    for waits in budgets.chunks(FULL_TRY_EVERY as usize) {
        assert!(waits.contains(&FLOOR), "it narrows all the way");
        assert!(waits.contains(&MAX), "and starts over");
    }
    policy.hit();
    while policy.budget() < MAX {
        let before = policy.budget();
        policy.miss(near);
        assert!(
            policy.budget() > before,
            "after a hit near misses widen again"
        );
    }
}

#[test]
fn miss_that_max_spin_would_not_have_made_a_hit_narrows() {
    for wait in [
        MissedWait::UntilWork(MAX),
        MissedWait::UntilAwake(MAX * 2),
        MissedWait::NoWork,
    ] {
        let mut policy = Policy::new(MAX);
        policy.miss(wait);
        assert_eq!(policy.budget(), MAX * 7 / 8);
    }
}

#[test]
fn wait_expected_to_outlast_the_budget_is_skipped() {
    let mut policy = narrowed();
    assert_eq!(policy.plan(Some(FLOOR + Duration::from_nanos(1))), None);
    assert_eq!(policy.plan(Some(FLOOR)), Some(FLOOR));
}

#[test]
fn wait_expected_to_outlast_max_spin_is_always_skipped() {
    let mut policy = Policy::new(MAX);
    for _ in 0..4 * FULL_TRY_EVERY {
        assert_eq!(policy.plan(Some(MAX * 2)), None);
    }
}

#[test]
fn raising_max_spin_from_zero_starts_anew() {
    let mut policy = Policy::new(Duration::ZERO);
    assert_eq!(policy.plan(None), None);
    policy.set_max(MAX);
    assert_eq!(policy.plan(None), Some(MAX));
}
