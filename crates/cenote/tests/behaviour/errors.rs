//! Errors on their way up: into a box, into the crate's own, into those of input and output.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::time::Duration;

use cenote::{JoinError, Pool, RunError, SpawnError};

use crate::support::{hold, watched};

fn closed() -> Pool {
    let pool = Pool::builder().threads(1).build().unwrap();
    pool.shutdown_now();
    pool
}

#[test]
fn a_refused_closure_that_is_not_sync_goes_up_in_a_box() {
    fn submit(pool: &Pool) -> Result<u32, Box<dyn Error + Send + Sync>> {
        // Not `Sync`, and neither is a closure that owns it.
        let count = Cell::new(1);
        Ok(pool.try_spawn(move || count.replace(2))?.join()?)
    }
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        assert_eq!(submit(&pool).unwrap(), 1);
        pool.shutdown_now();
        let error = submit(&pool).unwrap_err();
        assert!(error.to_string().contains("closed"), "{error}");
        // Whoever gets it may look at it from another thread.
        std::thread::spawn(move || drop(error)).join().unwrap();
    });
}

/// What is inside of an `io::Error`.
fn inner<E: Error + 'static>(error: &io::Error) -> Option<&E> {
    error.get_ref()?.downcast_ref()
}

#[test]
fn a_refused_task_is_an_input_output_error_without_its_closure() {
    watched(|| {
        let error = io::Error::from(closed().try_spawn(|| 1).unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::Other);
        let spawn: &SpawnError<()> = inner(&error).unwrap();
        assert_eq!(spawn.code(), "CENOTE_POOL_CLOSED");

        let pool = Pool::builder().threads(1).queue_limit(1).build().unwrap();
        let held = hold(&pool, 1);
        let queued = pool.try_spawn(|| ()).unwrap();
        let error = io::Error::from(pool.try_spawn(|| ()).unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(inner::<SpawnError<()>>(&error).unwrap().is_full());
        held.release();
        queued.join().unwrap();
    });
}

#[test]
fn a_task_without_a_value_is_an_input_output_error_of_a_kind_that_says_why() {
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let panicked = pool.try_spawn(|| panic!("as it is meant to")).unwrap();
        let error = io::Error::from(panicked.join().unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert!(inner::<JoinError>(&error).unwrap().is_panic());
        assert!(error.to_string().contains("as it is meant to"));

        let hasty = pool.task().timeout(Duration::from_millis(2));
        let late = hasty.try_spawn_local(std::future::pending::<()>).unwrap();
        let error = io::Error::from(late.join().unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let aborted = pool.try_spawn_local(std::future::pending::<()>).unwrap();
        aborted.abort();
        let error = io::Error::from(aborted.join().unwrap_err());
        assert_eq!(
            error.kind(),
            io::ErrorKind::Other,
            "nothing that is repeated"
        );
    });
}

#[test]
fn a_run_that_failed_is_the_input_output_error_of_what_failed() {
    fn run(pool: &Pool) -> io::Result<u32> {
        Ok(pool.blocking_run(|| -> u32 { panic!("as it is meant to") })?)
    }
    watched(|| {
        let pool = Pool::builder().threads(1).build().unwrap();
        let error = run(&pool).unwrap_err();
        assert!(inner::<JoinError>(&error).unwrap().is_panic());
        let error = run(&closed()).unwrap_err();
        assert!(inner::<SpawnError<()>>(&error).unwrap().is_closed());
        let own: RunError = closed().try_spawn(|| 1).unwrap_err().into();
        assert_eq!(own.code(), "CENOTE_POOL_CLOSED");
    });
}
