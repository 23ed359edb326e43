//! Random programs on a pool, compared with a naive model of it: a list of what was spawned and
//! what was done to it.
//!
//! - Every accepted task settles exactly once, in a way that what was done to it allows: seen by
//!   its handle, by its captures, by its body, and by the pool's counts.
//! - On one worker the order is that of the bands, and of submission within each.
//! - What is accepted is what there is room for; no limit is ever exceeded.
//!
//! It tries some hundred programs, or thirty times as many with `CENOTE_LONG=1`.
#![cfg(not(cenote_loom))]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod order;
mod program;
mod settle;
#[path = "../support/mod.rs"]
mod support;

use cenote::Priority;
use proptest::prelude::*;

/// The pool's lanes, in each of these tests.
const LANES: [&str; 2] = ["main", "narrow"];

fn config(cases: u32) -> ProptestConfig {
    let long = std::env::var("CENOTE_LONG").is_ok_and(|value| value == "1");
    ProptestConfig {
        cases: if long { 30 * cases } else { cases },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn band() -> impl Strategy<Value = Priority> {
    prop_oneof![
        Just(Priority::High),
        Just(Priority::Normal),
        Just(Priority::Low)
    ]
}
