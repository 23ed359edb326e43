#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]
#![cfg_attr(
    cenote_loom,
    allow(
        unreachable_pub,
        dead_code,
        reason = "the models are of the protocol alone: much of what it serves is left out"
    )
)]

mod clock;
mod engine;
#[cfg(not(cenote_loom))]
mod integrations;
#[cfg(all(test, cenote_loom))]
mod models;
#[cfg(not(cenote_loom))]
mod os;
#[cfg(not(cenote_loom))]
mod pool;
#[cfg(not(cenote_loom))]
mod stats;
mod sync;
mod task;
#[cfg(not(cenote_loom))]
mod timer;
#[cfg(not(cenote_loom))]
mod worker;

#[cfg(all(feature = "futures", not(cenote_loom)))]
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
pub use crate::integrations::futures;
#[cfg(all(feature = "hyper", not(cenote_loom)))]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use crate::integrations::hyper;
#[cfg(all(feature = "tower", not(cenote_loom)))]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use crate::integrations::tower;
#[cfg(all(feature = "tracing", not(cenote_loom)))]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use crate::integrations::tracing;
#[cfg(not(cenote_loom))]
pub use tokio_util::sync::{CancellationToken, DropGuard, DropGuardRef};

#[cfg(not(cenote_loom))]
pub use crate::{
    pool::{
        batch_error::SpawnBatchError,
        builder::Builder,
        close::CloseReport,
        error::{BuildError, RunError, SpawnError},
        handle::Pool,
        lane::Lane,
        lane_config::LaneConfig,
        map_blocking::MapBlocking,
        options::Priority,
        permit::Permit,
        runtime_mode::RuntimeMode,
        scope::{Scope, ScopedJoinHandle},
        task_builder::TaskBuilder,
        task_set::TaskSet,
        threads::Threads,
        weak::WeakPool,
    },
    stats::{Histogram, LaneStats, Outcomes, PoolStats, WorkerStats},
    task::{
        abort_on_drop::AbortOnDropHandle,
        batch::{BatchHandle, BatchHandles},
        error::JoinError,
        handle::{AbortHandle, JoinHandle, Status},
    },
    worker::{WorkerInfo, current, spawn_background, token, with_state},
};
