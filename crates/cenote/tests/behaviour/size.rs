//! How many threads a pool has: growth, retirement, and what each thread is like.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use cenote::{LaneConfig, Pool};

use crate::support::{Count, FOREVER, Gate, eventually, hold, watched};
#[cfg(target_os = "linux")]
use crate::support::{alone, process, thread_names};

const SOON: Duration = Duration::from_millis(1);

#[test]
fn a_pool_has_a_thread_for_each_cpu_unless_it_is_told() {
    watched(|| {
        let pool = Pool::new().unwrap();
        let cpus = thread::available_parallelism().unwrap().get();
        eventually("they have started", || pool.stats().threads == cpus);
        let held = hold(&pool, cpus);
        assert_eq!(pool.stats().idle, 0);
        held.release();
    });
}

#[test]
#[allow(clippy::reversed_empty_ranges, reason = "it is to be refused")]
fn options_out_of_their_range_are_refused() {
    let refused = [
        Pool::builder().threads(0).build(),
        Pool::builder().threads(3..=2).build(),
        Pool::builder().threads(1_000_000).build(),
        Pool::builder().concurrency(0).build(),
        Pool::builder().queue_limit(0).build(),
        Pool::builder().turn_budget(Duration::ZERO).build(),
        Pool::builder().max_spin(Duration::from_secs(2)).build(),
        Pool::builder().lane("", LaneConfig::new()).build(),
    ];
    for (number, pool) in refused.into_iter().enumerate() {
        let error = pool
            .err()
            .unwrap_or_else(|| panic!("number {number} was accepted"));
        assert_eq!(error.code(), "CENOTE_BAD_OPTION");
    }
}

#[test]
fn a_pool_grows_while_its_workers_are_blocked_and_tasks_wait() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1..=4)
            .grow_after(SOON)
            .build()
            .unwrap();
        let gate = Gate::default();
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let gate = gate.clone();
                pool.try_spawn(move || gate.pass()).unwrap()
            })
            .collect();
        gate.wait_for(4);
        assert_eq!(pool.stats().threads, 4);
        eventually("the rest waits", || pool.stats().queued == 2);
        assert_eq!(pool.stats().peak, 4);
        gate.open();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(pool.stats().peak, 4);
    });
}

#[test]
fn a_pool_does_not_grow_for_short_tasks() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1..=4)
            .grow_after(Duration::from_secs(20))
            .build()
            .unwrap();
        let handles: Vec<_> = (0..5_000)
            .map(|i| pool.try_spawn(move || i).unwrap())
            .collect();
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.join().unwrap(), i);
        }
        assert_eq!(pool.stats().peak, 1);
    });
}

#[test]
fn threads_beyond_the_least_retire_when_they_are_idle() {
    watched(|| {
        let stopped = Count::default();
        let stop = stopped.clone();
        let pool = Pool::builder()
            .threads(1..=4)
            .grow_after(SOON)
            .idle_timeout(Duration::from_millis(20))
            .on_thread_stop(move |_| stop.up())
            .build()
            .unwrap();
        for round in 1..=3 {
            hold(&pool, 4).release();
            eventually("three of them retire", || pool.stats().threads == 1);
            eventually("with their hooks", || stopped.get() == 3 * round);
            assert_eq!(pool.blocking_run(|| 1).unwrap(), 1);
        }
    });
}

#[test]
fn a_thread_with_a_background_future_does_not_retire() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1..=2)
            .grow_after(SOON)
            .idle_timeout(Duration::from_millis(10))
            .build()
            .unwrap();
        let gate = Gate::default();
        let (ticked, ticks) = mpsc::channel();
        let tasks = [(); 2].map(|()| {
            let (gate, ticked) = (gate.clone(), ticked.clone());
            let task = pool.try_spawn(move || {
                cenote::spawn_background(|| async move {
                    let home = thread::current().id();
                    while ticked.send(home).is_ok() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                });
                gate.pass();
            });
            task.unwrap()
        });
        gate.wait_for(2);
        gate.open();
        for task in tasks {
            task.join().unwrap();
        }
        // Many times the idle timeout, on both of them.
        let mut seen = std::collections::HashMap::new();
        while seen.len() < 2 || seen.values().any(|&count| count < 100) {
            *seen.entry(ticks.recv().unwrap()).or_insert(0) += 1;
        }
        assert_eq!(pool.stats().threads, 2);
        drop(ticks);
        eventually("then it does", || pool.stats().threads == 1);
    });
}

#[test]
fn tasks_that_come_as_threads_retire_are_run() {
    watched(|| {
        let pool = Pool::builder()
            .threads(1..=3)
            .grow_after(Duration::from_micros(50))
            .idle_timeout(Duration::from_micros(100))
            .max_spin(Duration::ZERO)
            .build()
            .unwrap();
        let ran = Count::default();
        for i in 0..3_000 {
            let run = ran.clone();
            let pause = Duration::from_micros(i % 150);
            let handle = pool
                .try_spawn(move || {
                    run.up();
                    thread::sleep(pause);
                })
                .unwrap();
            if i % 3 == 0 {
                handle.join().unwrap();
            }
        }
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(ran.get(), 3_000);
    });
}

#[test]
fn threads_are_named_and_their_hooks_run_around_all_else() {
    watched(|| {
        let events = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let events = Arc::clone(&events);
            move |info: &cenote::WorkerInfo| {
                assert_eq!(thread::current().name(), Some(&*info.name));
                events.lock().unwrap().push((what, info.index));
            }
        };
        let made = note("state");
        let pool = Pool::builder()
            .threads(1)
            .thread_name(|index| format!("press number {index}"))
            .on_thread_start(note("start"))
            .on_thread_stop(note("stop"))
            .worker_state(move |info| {
                made(info);
                Ok::<_, std::io::Error>(())
            })
            .build()
            .unwrap();
        let name = pool.blocking_run(|| thread::current().name().unwrap().to_owned());
        assert_eq!(name.unwrap(), "press number 0");
        assert_eq!(pool.stats().workers[0].name, "press number 0");
        assert!(pool.blocking_close(FOREVER).is_clean());
        assert_eq!(
            *events.lock().unwrap(),
            [("start", 0), ("state", 0), ("stop", 0)]
        );
    });
}

#[test]
fn threads_have_the_stack_they_were_given() {
    fn deep(left: usize) -> u8 {
        let room = [left as u8; 64 * 1024];
        let below = if left == 0 { 0 } else { deep(left - 1) };
        std::hint::black_box(&room)[left % room.len()].wrapping_add(below)
    }
    watched(|| {
        // Four times the default's, of which it needs more than twice.
        let pool = Pool::builder()
            .threads(1)
            .stack_size(16 << 20)
            .build()
            .unwrap();
        pool.blocking_run(|| deep(100)).unwrap();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_pool_has_the_threads_it_says_and_none_after_its_end() {
    alone(|| {
        let before = process("Threads");
        let pool = Pool::builder().threads(3).name("visible").build().unwrap();
        eventually("they have started", || pool.stats().threads == 3);
        let mut names = thread_names();
        names.retain(|name| name.starts_with("visible"));
        names.sort();
        assert_eq!(names, ["visible-0", "visible-1", "visible-2"]);
        assert!(pool.blocking_close(FOREVER).is_clean());
        // The timer of the close lingers for a second.
        eventually("nobody is left", || process("Threads") == before);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn when_not_one_thread_can_be_started_the_pool_is_not_built() {
    let error = Pool::builder()
        .threads(2)
        .stack_size(1 << 46)
        .build()
        .unwrap_err();
    assert_eq!(error.code(), "CENOTE_THREAD_SPAWN");
    assert!(std::error::Error::source(&error).is_some());
}

#[cfg(target_os = "linux")]
#[test]
fn when_only_some_threads_can_be_started_nothing_is_lost() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// Leaves room for one stack, not for two.
    const STACK: usize = 256 << 20;

    alone(|| {
        // Threads that are started before have their stacks already: the timer's among them.
        let warm = Pool::builder()
            .threads(1..=2)
            .grow_after(SOON)
            .build()
            .unwrap();
        hold(&warm, 2).release();
        let limit = getrlimit(Resource::As);
        let used = process("VmSize") << 10;
        let tight = Rlimit {
            current: Some((used + STACK + STACK / 2) as u64),
            ..limit
        };
        setrlimit(Resource::As, tight).unwrap();
        let pool = Pool::builder()
            .threads(3)
            .stack_size(STACK)
            .grow_after(SOON)
            .build()
            .unwrap();
        let failed = pool.stats().spawn_failures;
        assert!(failed > 0);
        let gate = Gate::default();
        let tasks: Vec<_> = (0..6)
            .map(|i| {
                let gate = gate.clone();
                pool.try_spawn(move || {
                    gate.pass();
                    i
                })
                .unwrap()
            })
            .collect();
        gate.wait_for(1);
        eventually("it tries again", || pool.stats().spawn_failures > failed);
        assert_eq!(pool.stats().threads, 1);
        setrlimit(Resource::As, limit).unwrap();
        // As soon as it can, it grows to what it should be.
        gate.wait_for(3);
        gate.open();
        for (i, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), i);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn without_file_descriptors_for_a_runtime_its_tasks_fail_and_closures_go_on() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    alone(|| {
        let limit = getrlimit(Resource::Nofile);
        let pools = [cenote::RuntimeMode::OnDemand, cenote::RuntimeMode::Always].map(|mode| {
            setrlimit(
                Resource::Nofile,
                Rlimit {
                    current: Some(0),
                    ..limit
                },
            )
            .unwrap();
            let pool = Pool::builder().threads(1).runtime(mode).build().unwrap();
            assert_eq!(pool.blocking_run(|| 1).unwrap(), 1);
            let future = pool.try_spawn_local(|| async { 2 }).unwrap();
            assert!(future.join().is_err());
            let left = pool.blocking_run(|| cenote::spawn_background(|| async {}));
            assert!(left.is_err());
            assert_eq!(pool.blocking_run(|| 3).unwrap(), 3);
            pool
        });
        setrlimit(Resource::Nofile, limit).unwrap();
        for pool in pools {
            let future = pool.try_spawn_local(|| async { 4 }).unwrap();
            assert_eq!(future.join().unwrap(), 4);
            assert_eq!(pool.stats().running, 0);
        }
    });
}
