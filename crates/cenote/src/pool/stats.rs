//! A pool's figures at a moment: what its workers recorded, what others counted, and what is so
//! now.

use std::sync::atomic::Ordering;

use super::shared::Shared;
use crate::stats::{LaneStats, PoolStats, WorkerStats};
use crate::worker::slot::Slot;

/// Of the whole pool.
pub(super) fn of_pool(shared: &Shared) -> PoolStats {
    let counts = shared.engine.life.counts();
    // What has settled before this call is in the figures.
    shared.slots().iter().for_each(Slot::wait_for_record);
    let workers: Vec<WorkerStats> = shared
        .slots()
        .iter()
        .enumerate()
        .filter(|(_, slot)| !slot.name.lock().is_empty())
        .map(|(index, slot)| {
            let mut worker = WorkerStats::of(index, &slot.name.lock(), &slot.recorder);
            worker.alive = shared.engine.seat(index).is_taken.load(Ordering::Relaxed);
            worker.stages = slot.stages();
            worker
        })
        .collect();
    let recorders: Vec<_> = shared.slots().iter().map(|slot| &slot.recorder).collect();
    let lanes = shared
        .lanes
        .iter()
        .map(|lane| (lane.name.as_str(), &lane.outcomes));
    let mut stats = PoolStats::merge(lanes, &recorders);
    stats.workers = workers;
    for (index, lane) in stats.lanes.iter_mut().enumerate() {
        fill_in(shared, index, lane);
        stats.queued += lane.queued;
        stats.running += lane.running;
    }
    stats.threads = counts.live + counts.leaving;
    stats.starting = counts.starting;
    stats.peak = counts.peak;
    stats.idle = shared
        .engine
        .seats()
        .filter(|seat| {
            seat.is_taken.load(Ordering::Relaxed) && seat.busy_since.load(Ordering::Relaxed) == 0
        })
        .count();
    stats.background = shared
        .slots()
        .iter()
        .map(|slot| slot.background.load(Ordering::Relaxed))
        .sum();
    stats.spawn_failures = shared.spawn_failures.load(Ordering::Relaxed);
    stats.init_failures = shared.init_failures.load(Ordering::Relaxed);
    stats.last_init_failure = shared.last_failure().map(|failure| failure.to_string());
    stats
}

/// Of one lane.
pub(super) fn of_lane(shared: &Shared, lane: usize) -> LaneStats {
    shared.slots().iter().for_each(Slot::wait_for_record);
    let info = &shared.lanes[lane];
    let recorders = shared
        .slots()
        .iter()
        .filter_map(|slot| slot.recorder.lane_if_used(lane));
    let mut stats = LaneStats::merge(&info.name, recorders, &info.outcomes);
    fill_in(shared, lane, &mut stats);
    stats
}

/// What is of this moment.
fn fill_in(shared: &Shared, lane: usize, stats: &mut LaneStats) {
    let dispatch = &shared.engine.dispatch;
    let queue = dispatch.lane(lane);
    let room = shared.engine.room(lane);
    stats.queued = room.reserved.without(|| queue.len()) + dispatch.listed_in(lane);
    stats.queue_limit = queue.gate().limit();
    stats.max_running = (queue.max_running() != usize::MAX).then(|| queue.max_running());
    stats.running = shared
        .slots()
        .iter()
        .map(|slot| {
            let closure = slot.lane.load(Ordering::Relaxed) as usize == lane + 1;
            usize::from(closure) + slot.locals[lane].load(Ordering::Relaxed) as usize
        })
        .sum();
}
