//! Pools that are built and dropped by the thousands leave nothing behind: no thread, no file, no
//! memory. A binary of its own: it counts what the whole process has.
#![cfg(all(target_os = "linux", not(cenote_loom)))]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cenote::{LaneConfig, Pool};

use support::{FOREVER, eventually, open_files, process};

/// The system's allocator, which knows how many bytes are allocated now.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all of it is done by the system's allocator, to which each call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's word on the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's word that it came from `alloc`, which is the system's, with this
        // layout.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const POOLS: usize = 10_000;

/// One pool's life, in one of several forms.
fn live(number: usize) {
    let pool = Pool::builder()
        .threads(1..=2)
        .grow_after(Duration::from_micros(50))
        .lane("lane", LaneConfig::new().max_running(1))
        .build()
        .unwrap();
    let lane = pool.lane("lane").unwrap();
    assert_eq!(pool.blocking_run(|| 1).unwrap(), 1);
    let timed = lane.task().queue_timeout(FOREVER).timeout(FOREVER);
    timed
        .cancel_on(&Default::default())
        .try_spawn(|| ())
        .unwrap()
        .detach();
    if number.is_multiple_of(3) {
        assert_eq!(
            lane.try_spawn_local(|| async { 2 })
                .unwrap()
                .join()
                .unwrap(),
            2
        );
    }
    match number % 5 {
        0 => assert!(pool.blocking_close(FOREVER).is_clean()),
        1 => {
            pool.shutdown_now();
        }
        2 => {
            pool.blocking_run(|| cenote::spawn_background(std::future::pending))
                .unwrap();
            pool.try_spawn_local(std::future::pending::<()>)
                .unwrap()
                .abort();
        }
        3 => drop(pool.try_spawn(|| vec![0; 100]).unwrap()),
        _ => {}
    }
}

#[test]
fn pools_that_come_and_go_leave_nothing_behind() {
    let threads = process("Threads");
    let gone = || {
        // The last pool's threads, and the timer's, which lingers for a second.
        eventually("nobody is left", || process("Threads") == threads);
    };
    // What is made once for the process is made by these.
    (0..100).for_each(live);
    gone();
    // Among them the pipe that tokio makes for signals.
    let files = open_files();
    let (allocated, resident) = (ALLOCATED.load(Ordering::Relaxed), process("VmRSS"));
    for number in 0..POOLS {
        live(number);
        if number % 50 == 0 {
            // Their threads end in the background; not too many at once.
            eventually("the threads end", || process("Threads") < threads + 100);
        }
    }
    gone();
    let left = ALLOCATED.load(Ordering::Relaxed).saturating_sub(allocated);
    let grown = process("VmRSS").saturating_sub(resident);
    println!("{POOLS} pools; {left} bytes more are allocated, {grown} KiB more resident");
    assert_eq!(open_files(), files);
    assert!(left < 16 * POOLS, "{left} bytes are left of {POOLS} pools");
    // The allocator keeps some of what it was given back.
    assert!(grown < 32 * 1024, "{grown} KiB are left of {POOLS} pools");
}
