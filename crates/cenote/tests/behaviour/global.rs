//! The global pool: one for a process, made at the first use.

use std::panic::catch_unwind;
use std::sync::{Arc, Barrier};
use std::thread;

use cenote::Pool;

use crate::support::{FOREVER, alone, alone_with, hold};

#[test]
fn whoever_comes_first_there_is_one_pool_which_the_environment_sets() {
    alone_with(&[("CENOTE_THREADS", "2..=3")], || {
        let start = Arc::new(Barrier::new(8));
        let asks = [(); 8].map(|()| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                Pool::global()
            })
        });
        let pools = asks.map(|asks| asks.join().unwrap());
        let pool = Pool::global();
        assert!(pools.iter().all(|other| std::ptr::eq(*other, pool)));
        // Before they run something they may not have started.
        let held = hold(pool, 2);
        assert_eq!(pool.stats().threads, 2);
        #[cfg(target_os = "linux")]
        {
            let names = crate::support::thread_names();
            let numbers = names.iter().filter_map(|name| name.strip_prefix("cenote-"));
            let workers = numbers.filter(|number| number.parse::<u32>().is_ok());
            assert_eq!(workers.count(), 2, "{names:?}");
        }
        held.release();
    });
}

#[test]
fn a_bad_variable_is_an_error_and_a_panic_that_name_it() {
    alone_with(&[("CENOTE_MAX_SPIN_US", "plenty")], || {
        for _ in 0..2 {
            let error = Pool::try_global().unwrap_err();
            assert_eq!(error.code(), "CENOTE_BAD_VARIABLE");
            let panic = catch_unwind(Pool::global).unwrap_err();
            let text = panic.downcast_ref::<String>().unwrap();
            for part in [&*error.to_string(), "CENOTE_MAX_SPIN_US", "\"plenty\""] {
                assert!(text.contains(part), "{text}");
            }
        }
        // It is in the way of nobody who says it otherwise.
        let pool = Pool::builder().threads(1).build_global().unwrap();
        assert!(std::ptr::eq(pool, Pool::global()));
    });
}

#[test]
fn a_program_configures_it_once_and_before_its_use() {
    alone_with(&[("CENOTE_THREADS", "3")], || {
        let bad = Pool::builder().threads(0).build_global().unwrap_err();
        assert_eq!(bad.code(), "CENOTE_BAD_OPTION");
        let pool = Pool::builder().threads(1).name("mine").build_global();
        assert!(std::ptr::eq(pool.unwrap(), Pool::global()));
        let late = Pool::builder().threads(2).build_global().unwrap_err();
        assert_eq!(late.code(), "CENOTE_GLOBAL_EXISTS");
        let worker = Pool::global().blocking_run(cenote::current).unwrap();
        assert_eq!(worker.unwrap().name, "mine-0");
        assert_eq!(Pool::global().stats().threads, 1);
    });
}

#[test]
fn after_its_first_use_it_is_not_configured_any_more() {
    alone(|| {
        let pool = Pool::global();
        let late = Pool::builder().build_global().unwrap_err();
        assert_eq!(late.code(), "CENOTE_GLOBAL_EXISTS");
        assert!(std::ptr::eq(pool, Pool::try_global().unwrap()));
    });
}

#[test]
fn closed_it_stays_and_refuses() {
    alone(|| {
        assert!(Pool::global().blocking_close(FOREVER).is_clean());
        let refused = Pool::global().try_spawn(|| ()).unwrap_err();
        assert!(refused.is_closed());
    });
}

#[cfg(unix)]
#[test]
fn a_forked_child_has_one_of_its_own() {
    use crate::fork::in_child;

    alone_with(&[("CENOTE_THREADS", "1")], || {
        let parent = Pool::global();
        parent.blocking_run(|| ()).unwrap();
        let status = in_child(|| {
            assert!(parent.try_spawn(|| ()).unwrap_err().is_forked());
            let own = Pool::builder().threads(2).build_global().unwrap();
            assert!(!std::ptr::eq(own, parent));
            assert!(std::ptr::eq(own, Pool::global()));
            Pool::global().blocking_run(|| 5).unwrap()
        });
        assert_eq!(status, Some(5));
        let status = in_child(|| Pool::global().blocking_run(|| 6).unwrap());
        assert_eq!(status, Some(6));
        assert!(std::ptr::eq(parent, Pool::global()));
        assert_eq!(parent.blocking_run(|| 7).unwrap(), 7);
    });
}
