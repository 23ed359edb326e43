//! Random programs: what tasks there are, and what is done to them.

use cenote::Priority;
use proptest::prelude::*;

use crate::band;

/// What a task does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Returns,
    Panics,
    /// Until somebody opens it, or asks it to stop.
    Waits,
    /// A future that waits so often.
    Future(u8),
    FuturePanics,
    FutureWaits,
}

impl Body {
    pub(crate) fn is_future(self) -> bool {
        matches!(
            self,
            Body::Future(_) | Body::FuturePanics | Body::FutureWaits
        )
    }

    pub(crate) fn panics(self) -> bool {
        matches!(self, Body::Panics | Body::FuturePanics)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) body: Body,
    pub(crate) lane: usize,
    pub(crate) priority: Priority,
    pub(crate) queue_timeout: Option<u16>,
    pub(crate) timeout: Option<u16>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Spawn(Spec),
    Abort(usize),
    Cancel(usize),
    Open(usize),
    Join(usize),
    Drop(usize),
    Look,
    Close { micros: u16 },
    ShutDown,
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) threads: usize,
    pub(crate) concurrency: usize,
    pub(crate) queue_limit: usize,
    pub(crate) max_running: usize,
    pub(crate) spins: bool,
    pub(crate) steps: Vec<Step>,
}

fn spec() -> impl Strategy<Value = Spec> {
    let body = prop_oneof![
        4 => Just(Body::Returns),
        1 => Just(Body::Panics),
        1 => Just(Body::Waits),
        3 => (0..4_u8).prop_map(Body::Future),
        1 => Just(Body::FuturePanics),
        1 => Just(Body::FutureWaits),
    ];
    let micros = || prop::option::weighted(0.15, 0..1_000_u16);
    (body, 0..2_usize, band(), micros(), micros()).prop_map(
        |(body, lane, priority, queue_timeout, timeout)| Spec {
            body,
            lane,
            priority,
            queue_timeout,
            timeout,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let task = 0..64_usize;
    prop_oneof![
        24 => spec().prop_map(Step::Spawn),
        4 => task.clone().prop_map(Step::Abort),
        3 => task.clone().prop_map(Step::Cancel),
        6 => task.clone().prop_map(Step::Open),
        6 => task.clone().prop_map(Step::Join),
        3 => task.prop_map(Step::Drop),
        4 => Just(Step::Look),
        1 => (0..2_000_u16).prop_map(|micros| Step::Close { micros }),
        1 => Just(Step::ShutDown),
    ]
}

pub(crate) fn program() -> impl Strategy<Value = Program> {
    let steps = prop::collection::vec(step(), 1..60);
    (
        1..4_usize,
        1..3_usize,
        1..12_usize,
        1..3_usize,
        any::<bool>(),
        steps,
    )
        .prop_map(
            |(threads, concurrency, queue_limit, max_running, spins, steps)| Program {
                threads,
                concurrency,
                queue_limit,
                max_running,
                spins,
                steps,
            },
        )
}
