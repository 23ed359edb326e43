//! Blocking calls that futures leave to tokio: a worker's runtime has few threads for them.

use cenote::Pool;

#[cfg(target_os = "linux")]
use crate::support::process;
use crate::support::{Gate, Peak, alone};

/// Makes ten calls on one worker that all want to be there at once, and returns how many were, and
/// how many threads there were for them.
fn calls_at_once(pool: &Pool, expected: usize) -> (usize, usize) {
    let (gate, peak) = (Gate::default(), Peak::default());
    #[cfg(target_os = "linux")]
    let before = process("Threads");
    let (in_call, in_calls) = (gate.clone(), peak.clone());
    let calls = pool
        .blocking_run(move || {
            let calls = (0..10).map(|_| {
                let (gate, peak) = (in_call.clone(), in_calls.clone());
                tokio::task::spawn_blocking(move || {
                    let _in = peak.enter();
                    gate.pass();
                })
            });
            calls.collect::<Vec<_>>()
        })
        .unwrap();
    gate.wait_for(expected);
    #[cfg(target_os = "linux")]
    let threads = process("Threads") - before;
    #[cfg(not(target_os = "linux"))]
    let threads = expected;
    gate.open();
    for call in calls {
        futures::executor::block_on(call).unwrap();
    }
    (peak.most(), threads)
}

#[test]
fn a_worker_has_as_many_threads_for_them_as_were_asked_for() {
    alone(|| {
        let builder = Pool::builder().threads(1).max_blocking_threads(2);
        let pool = builder
            .runtime(cenote::RuntimeMode::Always)
            .build()
            .unwrap();
        pool.blocking_run(|| ()).unwrap();
        assert_eq!(calls_at_once(&pool, 2), (2, 2));
    });
}

#[test]
fn a_worker_has_four_threads_for_them_unless_asked() {
    alone(|| {
        let builder = Pool::builder().threads(1);
        let pool = builder
            .runtime(cenote::RuntimeMode::Always)
            .build()
            .unwrap();
        pool.blocking_run(|| ()).unwrap();
        assert_eq!(calls_at_once(&pool, 4), (4, 4));
    });
}

#[test]
fn none_is_a_bad_option() {
    let error = Pool::builder().max_blocking_threads(0).build().unwrap_err();
    assert_eq!(error.code(), "CENOTE_BAD_OPTION");
    assert!(
        error.to_string().contains("max_blocking_threads"),
        "{error}"
    );
}
