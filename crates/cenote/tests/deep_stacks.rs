//! Tasks that wait for tasks, nested until the stack of their worker is used up: whatever the stack
//! is, and whatever takes a part of it, that ends in an error and not with the process.
//!
//! A process of its own, since its large thread-locals are taken from the stack of every thread.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::cell::Cell;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};

use cenote::{JoinError, Pool, TaskSet};

use support::{FOREVER, watched};

/// What some libraries keep for each thread.
const LARGE: usize = 700 * 1024;

thread_local! {
    static BUFFER: Cell<[u8; LARGE]> = const { Cell::new([0; LARGE]) };
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Join,
    JoinTimeout,
    Scope,
    ScopeJoin,
    TaskSet,
    Batch,
}

const WAYS: [Way; 6] = [
    Way::Join,
    Way::JoinTimeout,
    Way::Scope,
    Way::ScopeJoin,
    Way::TaskSet,
    Way::Batch,
];

/// Waits for a task that waits for a task and so on, and tells how many there were.
fn depth(pool: &Pool, way: Way) -> u32 {
    // What each closure takes of the stack.
    let room = black_box([0_u8; 4096]);
    let own = pool.clone();
    let inner = move || depth(&own, way);
    let deeper = match way {
        Way::Join => below(pool.try_spawn(inner).unwrap().join()),
        Way::JoinTimeout => below(
            pool.try_spawn(inner)
                .unwrap()
                .join_timeout(FOREVER)
                .unwrap(),
        ),
        Way::Scope | Way::ScopeJoin => scoped(pool, way),
        Way::TaskSet => {
            let mut set = TaskSet::new();
            set.try_spawn_on(pool, inner).unwrap();
            below(set.blocking_join_next().unwrap())
        }
        Way::Batch => {
            let batch = pool.try_spawn_batch([inner]).unwrap();
            below(batch.join().remove(0))
        }
    };
    black_box(&room);
    deeper
}

fn below(result: Result<u32, JoinError>) -> u32 {
    match result {
        Ok(deeper) => deeper + 1,
        Err(error) => {
            assert_eq!(error.code(), "CENOTE_WOULD_DEADLOCK");
            0
        }
    }
}

fn scoped(pool: &Pool, way: Way) -> u32 {
    let entered = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut deeper = None;
        pool.scope(|scope| {
            let task = scope.spawn(|| deeper = Some(depth(pool, way)));
            if matches!(way, Way::ScopeJoin) {
                task.join().unwrap();
            }
        });
        deeper.unwrap()
    }));
    match entered {
        Ok(deeper) => deeper + 1,
        Err(payload) => {
            let why = payload.downcast::<&str>().unwrap();
            assert!(why.contains("stack_size()"), "{why}");
            0
        }
    }
}

#[test]
fn tasks_that_wait_too_deep_for_the_stack_get_an_error() {
    // So that the memory is really there.
    BUFFER.with(|buffer| assert_eq!(black_box(buffer).get()[LARGE - 1], 0));
    for way in WAYS {
        for stack in [Some(1024 * 1024), Some(4 * 1024 * 1024), None] {
            for threads in [1, 2] {
                watched(move || {
                    let mut builder = Pool::builder().threads(threads);
                    if let Some(bytes) = stack {
                        builder = builder.stack_size(bytes);
                    }
                    let pool = builder.build().unwrap();
                    let on = pool.clone();
                    let depth = pool.blocking_run(move || depth(&on, way)).unwrap();
                    assert!(depth > 2, "{way:?} on {stack:?}: {depth}");
                    // What was refused runs after all.
                    pool.blocking_run(|| ()).unwrap();
                });
            }
        }
    }
}
