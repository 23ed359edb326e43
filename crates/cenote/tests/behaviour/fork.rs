//! A forked child has none of the pool's threads: it is told so, and hangs nowhere.

use std::time::Duration;

use cenote::{Pool, RunError, TaskSet};

use crate::support::{Gate, alone, block_on};

/// Runs `child` in a forked copy of this process, and returns its exit status; `None` if a signal
/// ended it.
pub(crate) fn in_child(child: impl FnOnce() -> u8) -> Option<i32> {
    // SAFETY: the child runs only `child`, which uses nothing that another thread may have locked
    // at the moment of the fork, and then ends without unwinding or exit handlers.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: no pointers; the default action of the signal ends a child that hangs.
        unsafe { libc::alarm(20) };
        let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
        // SAFETY: it ends the process at once, and nothing of it is needed any more.
        unsafe { libc::_exit(i32::from(status)) };
    }
    assert!(pid > 0, "fork: {}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: `status` is a place for an int, and `pid` is a child nobody else waits for.
    let waited = unsafe { libc::waitpid(pid, &mut status, 0) };
    assert_eq!(waited, pid, "waitpid: {}", std::io::Error::last_os_error());
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}

#[test]
fn a_child_is_refused_and_the_parent_goes_on() {
    alone(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        pool.try_spawn_local(|| async {}).unwrap().join().unwrap();
        let status = in_child(|| {
            let refused = pool.try_spawn(|| 1).unwrap_err();
            assert!(refused.is_forked() && !refused.is_closed());
            assert_eq!(refused.code(), "CENOTE_FORKED");
            assert_eq!(refused.into_inner()(), 1);
            assert_eq!(
                pool.blocking_spawn(|| ()).unwrap_err().code(),
                "CENOTE_FORKED"
            );
            assert_eq!(
                pool.try_spawn_local(|| async {}).unwrap_err().code(),
                "CENOTE_FORKED"
            );
            let refused = pool.try_spawn_batch([|| 1, || 2]).unwrap_err();
            assert!(refused.is_forked());
            assert_eq!(refused.into_parts().1.into_inner().len(), 2);
            assert!(
                matches!(pool.blocking_run(|| ()), Err(RunError::Spawn(error)) if error.is_forked())
            );
            7
        });
        assert_eq!(status, Some(7));
        for i in 0..100 {
            assert_eq!(pool.blocking_run(move || i).unwrap(), i);
        }
    });
}

#[test]
fn a_child_that_waits_for_a_task_of_the_parent_is_told_and_does_not_hang() {
    alone(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let gate = Gate::default();
        let tasks = [(); 4].map(|()| {
            let inner = gate.clone();
            pool.try_spawn(move || inner.pass()).unwrap()
        });
        gate.wait_for(1);
        let mut tasks = tasks.into_iter();
        let [joined, limited, awaited, kept] = [(); 4].map(|()| tasks.next());
        let mut in_both = [joined, limited, awaited];
        let status = in_child(|| {
            let [joined, limited, awaited] = &mut in_both;
            let error = joined.take().unwrap().join().unwrap_err();
            assert_eq!(error.code(), "CENOTE_FORKED");
            assert!(error.is_lost());
            let error = limited
                .take()
                .unwrap()
                .join_timeout(Duration::from_secs(60));
            assert_eq!(error.unwrap().unwrap_err().code(), "CENOTE_FORKED");
            let error = ready(awaited.take().unwrap()).unwrap_err();
            assert_eq!(error.code(), "CENOTE_FORKED");
            8
        });
        assert_eq!(status, Some(8));
        gate.open();
        for task in in_both.into_iter().flatten().chain(kept) {
            task.join().unwrap();
        }
    });
}

#[test]
fn a_child_finds_in_a_set_what_was_done_before_and_hangs_for_nothing_else() {
    alone(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        let gate = Gate::default();
        let mut set = TaskSet::new();
        let inner = gate.clone();
        set.try_spawn_on(&pool, move || {
            inner.pass();
            1
        })
        .unwrap();
        gate.wait_for(1);
        let done = set.try_spawn_on(&pool, || 2).unwrap();
        while !done.is_finished() {
            std::thread::yield_now();
        }
        let mut set = Some(set);
        let status = in_child(|| {
            let mut set = set.take().unwrap();
            let own = Pool::builder().threads(1).build().unwrap();
            set.try_spawn_on(&own, || 3).unwrap();
            let (mut sum, mut forked) = (0, 0);
            while let Some(result) = set.blocking_join_next() {
                match result {
                    Ok(value) => sum += value,
                    Err(error) => {
                        assert_eq!(error.code(), "CENOTE_FORKED");
                        forked += 1;
                    }
                }
            }
            assert_eq!((sum, forked), (5, 1));
            10
        });
        assert_eq!(status, Some(10));
        let mut again = set.take();
        let status = in_child(|| {
            again.as_ref().unwrap().abort_all();
            drop(again.take());
            11
        });
        assert_eq!(status, Some(11));
        gate.open();
        let results = block_on(again.unwrap().join_all());
        assert_eq!(results.into_iter().sum::<Result<i32, _>>().unwrap(), 3);
    });
}

/// Polls once: what a child awaits is ready.
fn ready<F: Future + Unpin>(mut future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(&mut future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it would wait for ever"),
    }
}

#[test]
fn a_child_takes_results_that_were_there_before() {
    alone(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let handle = pool.try_spawn(|| 5).unwrap();
        pool.blocking_run(|| ()).unwrap();
        let mut handle = Some(handle);
        let status = in_child(|| handle.take().unwrap().join().unwrap());
        assert_eq!(status, Some(5));
        assert_eq!(handle.unwrap().join().unwrap(), 5);
    });
}

#[test]
fn a_child_may_scope_close_and_drop_the_pool_it_has_a_copy_of() {
    alone(|| {
        let pool = Pool::builder().threads(2).build().unwrap();
        pool.blocking_run(|| ()).unwrap();
        let mut pool = Some(pool);
        let status = in_child(|| {
            let copy = pool.take().unwrap();
            let mut ran = 0;
            copy.scope(|scope| {
                scope.spawn(|| ran += 1);
            });
            assert_eq!(ran, 1, "in the child itself");
            assert!(!copy.has_ended());
            copy.blocking_close(Duration::from_secs(60));
            assert!(copy.has_ended());
            drop(copy);
            9
        });
        assert_eq!(status, Some(9));
        assert_eq!(pool.unwrap().blocking_run(|| 1).unwrap(), 1);
    });
}

#[test]
fn a_child_may_build_a_pool_of_its_own() {
    alone(|| {
        let parent = Pool::builder().threads(1).build().unwrap();
        parent.blocking_run(|| ()).unwrap();
        let status = in_child(|| {
            let pool = Pool::builder().threads(2).build().unwrap();
            let sum: u8 = (0..10).map(|i| pool.blocking_run(move || i).unwrap()).sum();
            let late = pool.task().timeout(Duration::from_millis(5)).try_spawn(|| {
                while !cenote::token().is_cancelled() {
                    std::thread::yield_now();
                }
            });
            assert!(late.unwrap().join().unwrap_err().is_timed_out());
            sum + block_on(pool.run(|| 1)).unwrap()
        });
        assert_eq!(status, Some(46));
    });
}
