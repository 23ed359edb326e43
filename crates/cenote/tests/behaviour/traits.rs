//! What may be done with the public types by any code: sent, shared, kept across a panic. All of it
//! holds when this compiles.

use std::panic::{RefUnwindSafe, UnwindSafe};

use cenote::{
    AbortHandle, AbortOnDropHandle, BatchHandle, BuildError, CloseReport, JoinError, JoinHandle,
    Lane, MapBlocking, Permit, Pool, PoolStats, RunError, SpawnBatchError, SpawnError, TaskBuilder,
    TaskSet, WeakPool,
};

fn survives_a_panic<T: UnwindSafe + RefUnwindSafe>() {}

fn travels<T: Send + Sync>() {}

/// With `T` of any kind, as tokio's own.
fn handles_survive_a_panic_whatever_they_are_of<T>() {
    survives_a_panic::<JoinHandle<T>>();
    survives_a_panic::<AbortOnDropHandle<T>>();
    survives_a_panic::<TaskSet<T>>();
    survives_a_panic::<tokio::task::JoinHandle<T>>();
    survives_a_panic::<BatchHandle<T>>();
}

#[test]
fn handles_and_pools_survive_a_panic_as_those_of_tokio_do() {
    handles_survive_a_panic_whatever_they_are_of::<&mut std::cell::Cell<u8>>();
    survives_a_panic::<AbortHandle>();
    survives_a_panic::<tokio::task::AbortHandle>();
    survives_a_panic::<Pool>();
    survives_a_panic::<WeakPool>();
    survives_a_panic::<Lane>();
    survives_a_panic::<Permit>();
    survives_a_panic::<TaskBuilder<'_>>();
    survives_a_panic::<tokio::runtime::Handle>();
}

/// A closure that owns something that is `Send` alone makes an error that is `Sync` too.
fn errors_travel_with_work_that_is_send<F: Send>() {
    travels::<SpawnError<F>>();
    travels::<SpawnBatchError<F, std::cell::Cell<u8>>>();
}

#[test]
fn what_users_hold_and_get_goes_to_any_thread() {
    travels::<Pool>();
    travels::<WeakPool>();
    travels::<Lane>();
    travels::<Permit>();
    travels::<TaskBuilder<'_>>();
    travels::<JoinHandle<u8>>();
    travels::<AbortHandle>();
    travels::<AbortOnDropHandle<u8>>();
    travels::<TaskSet<u8>>();
    travels::<MapBlocking<futures::stream::Empty<u8>, fn(u8) -> u8, u8>>();
    travels::<JoinError>();
    travels::<RunError>();
    travels::<BuildError>();
    travels::<PoolStats>();
    travels::<CloseReport>();
    errors_travel_with_work_that_is_send::<std::cell::Cell<u8>>();
}

#[test]
fn the_token_that_tasks_are_given_and_their_own_are_of_the_crate_s_type() {
    let pool = Pool::builder().threads(1).build().unwrap();
    let given = cenote::CancellationToken::new();
    let two = [1, 2].map(|number| {
        let task = pool.task().cancel_on(&given);
        task.try_spawn_local(move || async move {
            let own: cenote::CancellationToken = cenote::token();
            own.cancelled().await;
            number
        })
        .unwrap()
    });
    let guard: cenote::DropGuard = given.drop_guard();
    drop(guard);
    for handle in two {
        assert!(handle.join().unwrap_err().is_cancelled());
    }
}
