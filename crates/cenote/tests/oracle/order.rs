//! On one worker the order is that of the bands, and of submission within each; and what is
//! accepted is what there is room for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cenote::{JoinHandle, LaneConfig, Pool, Priority};
use proptest::prelude::*;

use crate::support::{FOREVER, hold};
use crate::{LANES, band, config};

/// A task for the order: its lane, its band, whether it is a future, and whether it is aborted
/// while it is queued.
type Ordered = (usize, Priority, bool, bool);

fn ordered() -> impl Strategy<Value = Vec<Ordered>> {
    prop::collection::vec(
        (0..2_usize, band(), any::<bool>(), prop::bool::weighted(0.2)),
        0..80,
    )
}

/// Submits all of them while the one worker is held, and returns the order in which each lane's
/// ran.
fn run_in_order(tasks: &[Ordered], aging: Duration) -> [Vec<usize>; 2] {
    let pool = Pool::builder()
        .threads(1)
        .aging(aging)
        .lane("narrow", LaneConfig::new().max_running(1))
        .build()
        .unwrap();
    let lanes = LANES.map(|name| pool.lane(name).unwrap());
    let order: Arc<[Mutex<Vec<usize>>; 2]> = Arc::default();
    let held = hold(&pool, 1);
    let handles: Vec<_> = tasks
        .iter()
        .enumerate()
        .map(|(number, &(lane, priority, future, _))| {
            let order = Arc::clone(&order);
            let ran = move || order[lane].lock().unwrap().push(number);
            let task = lanes[lane].task().priority(priority);
            if future {
                task.try_spawn_local(move || {
                    ran();
                    async {}
                })
                .unwrap()
            } else {
                task.try_spawn(ran).unwrap()
            }
        })
        .collect();
    for (handle, &(.., aborted)) in handles.iter().zip(tasks) {
        if aborted {
            assert!(handle.abort());
        }
    }
    held.release();
    assert!(pool.blocking_close(FOREVER).is_clean());
    [0, 1].map(|lane| std::mem::take(&mut *order[lane].lock().unwrap()))
}

/// The naive way to say what is next.
fn expected(tasks: &[Ordered], lane: usize, by_band: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tasks.len())
        .filter(|&number| tasks[number].0 == lane && !tasks[number].3)
        .collect();
    if by_band {
        // Stable.
        order.sort_by_key(|&number| tasks[number].1);
    }
    order
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn one_worker_runs_each_lane_by_band_and_each_band_in_order(tasks in ordered()) {
        let order = run_in_order(&tasks, FOREVER);
        for lane in [0, 1] {
            prop_assert_eq!(&order[lane], &expected(&tasks, lane, true));
        }
    }

    #[test]
    fn without_aging_one_worker_runs_each_lane_in_order(tasks in ordered()) {
        let order = run_in_order(&tasks, Duration::ZERO);
        for lane in [0, 1] {
            prop_assert_eq!(&order[lane], &expected(&tasks, lane, false));
        }
    }

    #[test]
    fn a_held_pool_accepts_what_there_is_room_for(
        limits in (1..20_usize, 1..20_usize),
        tasks in prop::collection::vec((0..2_usize, any::<bool>()), 0..60),
    ) {
        let pool = Pool::builder()
            .threads(1)
            .queue_limit(limits.0)
            .lane("narrow", LaneConfig::new().queue_limit(limits.1))
            .build()
            .unwrap();
        let limits = [limits.0, limits.1];
        let held = hold(&pool, 1);
        let mut queued = [0; 2];
        for &(lane, future) in &tasks {
            let on = pool.lane(LANES[lane]).unwrap();
            let accepted = if future {
                on.try_spawn_local(|| async {}).map(JoinHandle::detach).is_ok()
            } else {
                on.try_spawn(|| ()).map(JoinHandle::detach).is_ok()
            };
            prop_assert_eq!(accepted, queued[lane] < limits[lane]);
            queued[lane] += usize::from(accepted);
            prop_assert_eq!(on.stats().queued, queued[lane]);
        }
        held.release();
        prop_assert!(pool.blocking_close(FOREVER).is_clean());
        prop_assert_eq!(pool.stats().outcomes().completed as usize, queued[0] + queued[1] + 1);
    }
}
