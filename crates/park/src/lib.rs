#![doc = include_str!("../README.md")]

mod driver;
mod futex;
mod glance;
mod learning;
mod participants;
mod poll;
mod scarcity;
mod spin;
mod stats;
mod sync;
mod waiter;
mod word;

pub use driver::{Driver, Unparker, Woke};
pub use glance::glance;
pub use participants::{Participants, cpus};
pub use spin::{Spin, SpinRequest};
pub use stats::{StageSnapshot, StageStats};
pub use waiter::{Unpark, Waiter};
pub use word::{
    Claim, EPOCH_INDEX, NOTIFIED, PARKED_DRIVER, PARKED_FUTEX, RUNNING, SPINNING, STATE_INDEX,
    WaitWord,
};
