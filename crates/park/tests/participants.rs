//! The count of participants that are not parked is exact after any history of any waiters.
#![cfg(not(cenote_loom))]

mod kept;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cenote_park::{Claim, Participants, Spin, SpinRequest, WaitWord, Waiter};
use proptest::prelude::*;

use kept::kept;

#[derive(Clone, Copy, Debug)]
enum Step {
    New,
    Drop,
    Publish,
    Take,
    Spin { crowd: usize },
    ParkDriver { retract: bool },
    ParkFutex { retract: bool },
    Unpark,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::New),
        Just(Step::Drop),
        Just(Step::Publish),
        Just(Step::Take),
        (0..4usize).prop_map(|crowd| Step::Spin { crowd }),
        any::<bool>().prop_map(|retract| Step::ParkDriver { retract }),
        any::<bool>().prop_map(|retract| Step::ParkFutex { retract }),
        Just(Step::Unpark),
    ]
}

/// A waiter, and whether it should count: it does unless it sleeps or gave up its slot.
struct Modelled {
    waiter: Waiter<Arc<WaitWord>>,
    parked: bool,
    yielded: bool,
}

impl Modelled {
    fn runs(&mut self) {
        self.parked = false;
        self.yielded = false;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn count_is_that_of_the_waiters_that_run(
        cpus in 1..4usize,
        steps in proptest::collection::vec((0..4usize, step()), 0..120),
    ) {
        let all: &'static Participants = kept(Participants::new(cpus));
        let mut slots: [Option<Modelled>; 4] = [const { None }; 4];
        for (slot, step) in steps {
            match (step, &mut slots[slot]) {
                (Step::New, empty @ None) => *empty = Some(Modelled {
                    waiter: Waiter::with_participants(
                        Arc::default(),
                        Duration::from_micros(20),
                        all,
                    ),
                    parked: false,
                    yielded: false,
                }),
                (Step::Drop, full) => *full = None,
                (Step::Publish, Some(it)) => {
                    let claim = it.waiter.word().publish();
                    if !it.parked {
                        prop_assert_eq!(claim, Claim::Awake);
                    }
                }
                (Step::Take, Some(it)) => {
                    if it.waiter.take() && !it.parked {
                        it.runs();
                    }
                }
                (Step::Spin { crowd }, Some(it)) => {
                    // Others wake while it spins.
                    let mut entered = 0;
                    let request =
                        SpinRequest { check_every: Duration::ZERO, ..SpinRequest::default() };
                    let yields = it.waiter.stats().snapshot().spin_yields;
                    let end = it.waiter.spin(&request, || {
                        while entered < crowd {
                            all.enter();
                            entered += 1;
                        }
                        false
                    });
                    it.runs();
                    it.yielded = it.waiter.stats().snapshot().spin_yields > yields;
                    prop_assert!(!it.yielded || end == Spin::Missed);
                    for _ in 0..entered {
                        all.leave();
                    }
                }
                (Step::ParkDriver { retract }, Some(it)) => {
                    let parks = it.waiter.park_driver(|| retract);
                    it.runs();
                    it.parked = parks;
                }
                (Step::ParkFutex { retract }, Some(it)) => {
                    it.waiter.park_futex(Some(Instant::now()), || retract);
                    it.runs();
                }
                (Step::Unpark, Some(it)) => {
                    if it.waiter.unpark().parked {
                        it.runs();
                    }
                }
                (_, None) | (Step::New, Some(_)) => {}
            }
            let expected = slots.iter().flatten().filter(|it| !it.parked && !it.yielded).count();
            prop_assert_eq!(all.not_parked(), expected, "after {:?}", step);
        }
        drop(slots);
        prop_assert_eq!(all.not_parked(), 0);
    }
}
