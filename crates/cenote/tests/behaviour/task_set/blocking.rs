//! Blocking for the tasks of a set, from threads and from workers of the same pool.

use super::*;

#[test]
fn a_thread_sleeps_until_the_next_one_ends() {
    watched(|| {
        for max_spin in [Duration::ZERO, Duration::from_micros(20)] {
            let builder = Pool::builder().threads(2).max_spin(max_spin);
            let pool = builder.build().unwrap();
            for round in 0..200 {
                let mut set = TaskSet::new();
                let gate = Gate::default();
                for number in 0..3 {
                    let gate = gate.clone();
                    let pass = move || {
                        gate.pass();
                        number
                    };
                    set.try_spawn_on(&pool, pass).unwrap();
                }
                gate.wait_for(2);
                let joiner = thread::spawn(move || {
                    let results = std::iter::from_fn(|| set.blocking_join_next());
                    results.sum::<Result<u32, _>>().unwrap()
                });
                if round % 2 == 0 {
                    thread::yield_now();
                }
                gate.open();
                assert_eq!(joiner.join().unwrap(), 3);
            }
        }
    });
}

#[test]
fn nothing_done_is_none_at_once_and_an_empty_set_is_none_for_all() {
    watched(|| {
        let pool = of(1);
        let mut set = TaskSet::new();
        assert!(set.blocking_join_next().is_none());
        assert!(block_on(set.join_next()).is_none());
        let held = hold(&pool, 1);
        set.try_spawn_on(&pool, || 1).unwrap();
        assert!(set.try_join_next().is_none());
        held.release();
        pool.blocking_run(|| ()).unwrap();
        assert_eq!(set.try_join_next().unwrap().unwrap(), 1);
        assert!(set.try_join_next().is_none());
    });
}

#[test]
fn sets_may_be_nested_on_a_single_worker() {
    fn sum(pool: &Pool, numbers: std::ops::Range<u64>) -> u64 {
        if numbers.end - numbers.start <= 4 {
            return numbers.sum();
        }
        let step = (numbers.end - numbers.start).div_ceil(3);
        let mut set = TaskSet::new();
        for start in numbers.clone().step_by(step as usize) {
            let (pool, part) = (pool.clone(), start..numbers.end.min(start + step));
            let handle = pool.clone().try_spawn(move || sum(&pool, part));
            set.insert(handle.unwrap());
        }
        let results = std::iter::from_fn(|| set.blocking_join_next());
        results.sum::<Result<u64, _>>().unwrap()
    }
    watched(|| {
        for threads in 1..=3 {
            let pool = of(threads);
            let on = pool.clone();
            let total = pool.blocking_run(move || sum(&on, 0..1_000)).unwrap();
            assert_eq!(total, 499_500);
        }
    });
}

#[test]
fn a_worker_runs_one_of_its_own_while_another_one_hangs() {
    watched(|| {
        let pool = of(2);
        let on = pool.clone();
        let task = pool.try_spawn(move || {
            let gate = Gate::default();
            let mut set = TaskSet::new();
            let inner = gate.clone();
            set.try_spawn_on(&on, move || inner.pass()).unwrap();
            gate.wait_for(1);
            // The other worker hangs in the first; this one opens its gate.
            let inner = gate.clone();
            set.try_spawn_on(&on, move || inner.open()).unwrap();
            let results = std::iter::from_fn(|| set.blocking_join_next());
            results.filter(Result::is_ok).count()
        });
        assert_eq!(task.unwrap().join().unwrap(), 2);
    });
}

#[test]
fn futures_that_only_this_thread_can_run_are_run_while_it_waits() {
    watched(|| {
        let pool = of(1);
        let ran = Count::default();
        let (on, run) = (pool.clone(), ran.clone());
        let task = pool.try_spawn(move || {
            let mut set = TaskSet::new();
            for _ in 0..10 {
                let run = run.clone();
                let future = move || async move { run.up() };
                set.try_spawn_local_on(&on, future).unwrap();
            }
            set.try_spawn_on(&on, || ()).unwrap();
            let results = std::iter::from_fn(|| set.blocking_join_next());
            let codes: Vec<_> = results
                .map(|result| result.map_err(|error| error.code()))
                .collect();
            codes
        });
        let codes = task.unwrap().join().unwrap();
        assert_eq!(codes, [Ok(()); 11]);
        assert_eq!(ran.get(), 10);
    });
}

#[test]
fn closures_that_could_not_run_while_the_state_was_lent_are_run_later() {
    watched(|| {
        let builder = Pool::builder().threads(2);
        let stateful = builder.worker_state(|_| Ok::<_, std::io::Error>(0_u8));
        let pool = stateful.build().unwrap();
        let held = hold(&pool, 1);
        let (begun, second) = (Gate::default(), Gate::default());
        let (on, begins, blocks) = (pool.clone(), begun.clone(), second.clone());
        let task = pool.try_spawn(move || {
            let mut set = TaskSet::new();
            set.try_spawn_on(&on, || 1).unwrap();
            // The other worker runs the first, then hangs in this, before it comes to the last.
            let inner = blocks.clone();
            let hangs = move || {
                inner.pass();
                0
            };
            set.try_spawn_on(&on, hangs).unwrap();
            set.try_spawn_on(&on, || 2).unwrap();
            begins.pass();
            let first = cenote::with_state(|_: &mut u8| set.blocking_join_next());
            assert_eq!(first.unwrap().unwrap(), 1);
            blocks.wait_for(1);
            let last = set.blocking_join_next().unwrap().unwrap();
            blocks.open();
            assert_eq!(set.blocking_join_next().unwrap().unwrap(), 0);
            last
        });
        begun.wait_for(1);
        begun.open();
        held.let_go();
        assert_eq!(task.unwrap().join().unwrap(), 2);
    });
}
