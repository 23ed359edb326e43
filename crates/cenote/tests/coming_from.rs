//! The rows of "Coming from" in the crate's README: what users wrote with other crates, and what
//! they write with this one, side by side. The last test compares the rows with this file.
#![cfg(not(cenote_loom))]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "support/mod.rs"]
mod support;

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use cenote::{Pool, TaskSet};

use support::{Count, alone, block_on, eventually, hold, watched};

type Tested = Result<(), Box<dyn Error + Send + Sync>>;

const LIMIT: Duration = Duration::from_secs(20);

fn f() -> u32 {
    7
}

fn without_result() {
    assert_eq!(f(), 7);
}

#[test]
fn a_closure_of_tokio_s_spawn_blocking() {
    use tokio::task::spawn_blocking;
    use tokio_util::task::AbortOnDropHandle;

    async fn theirs() -> Tested {
        assert_eq!(spawn_blocking(f).await?, 7);
        let handle = spawn_blocking(f);
        handle.abort();
        if let Err(error) = handle.await {
            assert!(error.is_cancelled());
        }
        let handle = spawn_blocking(f);
        assert_eq!(AbortOnDropHandle::new(handle).await?, 7);
        let mut set = tokio::task::JoinSet::new();
        set.spawn_blocking(f);
        assert_eq!(set.join_next().await.unwrap()?, 7);
        Ok(())
    }

    async fn ours() -> Tested {
        let pool = Pool::new()?;
        assert_eq!(pool.run(f).await?, 7);
        let handle = pool.try_spawn(f)?;
        handle.abort();
        if let Err(error) = handle.await {
            assert!(error.is_aborted());
        }
        let handle = pool.spawn(f).await?;
        assert_eq!(handle.abort_on_drop().await?, 7);
        let mut set = TaskSet::new();
        set.spawn_on(&pool, f).await?;
        assert_eq!(set.join_next().await.unwrap()?, 7);
        Ok(())
    }

    watched(|| {
        block_on(theirs()).unwrap();
        block_on(ours()).unwrap();
    });
}

#[test]
fn a_future_of_the_program_s_runtime_in_a_blocking_closure() {
    watched(|| {
        block_on(async {
            let future = async { 7 };
            let theirs = tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Handle::current();
                runtime.block_on(future)
            });
            assert_eq!(theirs.await.unwrap(), 7);

            let pool = Pool::builder().threads(1).build().unwrap();
            let (runtime, future) = (tokio::runtime::Handle::current(), async { 7 });
            let ours = pool.run(move || {
                assert!(tokio::runtime::Handle::try_current().is_err());
                runtime.block_on(future)
            });
            assert_eq!(ours.await.unwrap(), 7);
        });
    });
}

#[test]
fn the_options_of_tokio_s_blocking_threads() {
    watched(|| {
        let limit = LIMIT;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(8)
            .thread_keep_alive(limit)
            .build()
            .unwrap();
        runtime.shutdown_timeout(limit);

        let pool = Pool::builder()
            .threads(..=8)
            .idle_timeout(limit)
            .build()
            .unwrap();
        assert!(pool.blocking_close(limit).is_clean());
    });
}

#[test]
fn what_tokio_cancels_at_the_end_is_run() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let held = hold(&pool, 1);
        let queued = pool.try_spawn(f).unwrap();
        held.let_go();
        assert!(pool.blocking_close(LIMIT).is_clean());
        assert_eq!(queued.join().unwrap(), 7);
    });
}

fn work(part: &mut u32) {
    *part += 1;
}

#[test]
fn tasks_scopes_and_joins_of_rayon() {
    fn theirs() -> Tested {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
        {
            let f = without_result;
            rayon::spawn(f);
            pool.spawn(f);
        }
        assert_eq!(pool.install(f), 7);
        let mut part = 1;
        pool.scope(|scope| scope.spawn(|_| work(&mut part)));
        assert_eq!(part, 2);
        let (a, b) = (f, || 8);
        assert_eq!(pool.join(a, b), (7, 8));
        assert_eq!(rayon::current_thread_index(), None);
        assert_eq!(pool.current_num_threads(), 2);
        Ok(())
    }

    fn ours() -> Tested {
        let pool = Pool::builder().threads(2).build()?;
        Pool::global().try_spawn(f)?.detach();
        pool.try_spawn(f)?.detach();
        assert_eq!(pool.blocking_run(f)?, 7);
        let mut part = 1;
        pool.scope(|scope| drop(scope.spawn(|| work(&mut part))));
        assert_eq!(part, 2);
        let (a, b) = (f, || 8);
        let joined = pool.scope(|scope| {
            let a = scope.spawn(a);
            (b(), a.join().unwrap())
        });
        assert_eq!(joined, (8, 7));
        assert_eq!(cenote::current().map(|worker| worker.index), None);
        eventually("they start", || pool.stats().threads == 2);
        Ok(())
    }

    watched(|| {
        theirs().unwrap();
        ours().unwrap();
    });
}

#[test]
fn the_options_of_rayon_s_builder() {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    static STOPPED: AtomicUsize = AtomicUsize::new(0);

    fn started(index: usize) {
        STARTED.fetch_add(1 << index, Ordering::SeqCst);
    }

    fn stopped(index: usize) {
        STOPPED.fetch_add(1 << index, Ordering::SeqCst);
    }

    fn theirs() -> Tested {
        use rayon::ThreadPoolBuilder;

        let (name, bytes) = (|index| format!("worker-{index}"), 1 << 20);
        ThreadPoolBuilder::new()
            .num_threads(4)
            .thread_name(name)
            .stack_size(bytes)
            .start_handler(started)
            .exit_handler(stopped)
            .build_global()?;
        Ok(())
    }

    fn ours() -> Tested {
        let (name, bytes) = (|index| format!("worker-{index}"), 1 << 20);
        Pool::builder()
            .threads(4)
            .thread_name(name)
            .stack_size(bytes)
            .on_thread_start(|worker| started(worker.index))
            .on_thread_stop(|worker| stopped(worker.index))
            .build_global()?;
        Ok(())
    }

    alone(|| {
        theirs().unwrap();
        ours().unwrap();
        eventually("both have started", || STARTED.load(Ordering::SeqCst) == 30);
        assert!(Pool::global().blocking_close(LIMIT).is_clean());
        assert_eq!(STOPPED.load(Ordering::SeqCst), 15);
    });
}

#[test]
fn jobs_and_counts_of_threadpool() {
    fn theirs() -> Tested {
        use threadpool::ThreadPool;

        let mut pool = ThreadPool::new(4);
        let f = without_result;
        pool.execute(f);
        let (sender, results) = mpsc::channel();
        let f = self::f;
        pool.execute(move || sender.send(f()).unwrap());
        assert_eq!(results.recv()?, 7);
        pool.join();
        assert_eq!(pool.queued_count(), 0);
        assert_eq!(pool.active_count(), 0);
        assert_eq!(pool.max_count(), 4);
        assert_eq!(pool.panic_count(), 0);
        pool.set_num_threads(8);

        let (name, bytes) = ("worker".to_owned(), 1 << 20);
        threadpool::Builder::new()
            .thread_name(name)
            .thread_stack_size(bytes)
            .build();
        Ok(())
    }

    fn ours() -> Tested {
        let pool = Pool::builder().threads(4).build()?;
        pool.blocking_spawn(f)?.detach();
        let handle = pool.blocking_spawn(f)?;
        assert_eq!(handle.join()?, 7);
        let mut set: TaskSet<_> = [pool.blocking_spawn(f)?].into_iter().collect();
        while set.blocking_join_next().is_some() {}
        assert_eq!(pool.stats().queued, 0);
        eventually("all have ended", || pool.stats().running == 0);
        eventually("they start", || pool.stats().threads == 4);
        assert_eq!(pool.stats().outcomes().panicked, 0);

        let (name, bytes) = ("worker", 1 << 20);
        Pool::builder()
            .threads(2..=8)
            .name(name)
            .stack_size(bytes)
            .build()?;
        Ok(())
    }

    watched(|| {
        theirs().unwrap();
        ours().unwrap();
    });
}

#[test]
fn a_wait_inside_of_a_job_ends() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let ran = Count::default();
        let (on, run) = (pool.clone(), ran.clone());
        let waits = move || {
            let mut set = TaskSet::new();
            for _ in 0..3 {
                let run = run.clone();
                set.insert(on.try_spawn(move || run.up()).unwrap());
            }
            while set.blocking_join_next().is_some() {}
            run.get()
        };
        assert_eq!(pool.blocking_run(waits).unwrap(), 3);
    });
}

/// The code in the first two columns of the tables.
fn cells(readme: &str) -> Vec<(usize, String)> {
    let part = readme.split("# Coming from\n").nth(1).unwrap();
    let part = part.split("\n# ").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        // A bar inside of code is escaped.
        let row = row.replace("\\|", "\u{1}");
        let columns: Vec<_> = row.split('|').skip(1).take(2).map(str::trim).collect();
        let code = columns.into_iter().enumerate().map(|(column, cell)| {
            let code = cell
                .strip_prefix('`')
                .and_then(|cell| cell.strip_suffix('`'));
            (column, code.unwrap().replace('\u{1}', "|"))
        });
        code.collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn each_row_is_compiled_here() {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let readme = include_str!("../README.md");
    let source = squeeze(include_str!("coming_from.rs"));
    let cells = cells(readme);
    assert_eq!(cells.len(), 2 * 35, "rows were added or lost");
    for (_, code) in cells {
        assert!(source.contains(&squeeze(&code)), "not in this file: {code}");
    }
}
