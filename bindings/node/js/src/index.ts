// The package's public face. What is not exported here is not public.

export { Pool } from './pool.js';
export type { PoolEvents } from './pool-events.js';
export type { RunOptions } from './run-options.js';
export type { Lane, LaneOptions, LaneStats } from './lane.js';
export type { MapOptions, MapOutcome } from './map.js';
export type { OptionSource, PoolOptions, ResolvedOptions, Runtime } from './options.js';
export type { PoolStats, TaskCounts, WaitStages, WireCounts, WorkerStats } from './stats.js';
export type { BackgroundCounts, LatencySummaries, LatencySummary } from './owner/recorder.js';
export { AbortError, CenoteError, type CenoteErrorCode } from './errors.js';
export { move } from './wire/move.js';
export type { TaskTrace } from './owner/tracing.js';
export type { Handler, TaskContext } from './worker/task-context.js';
export { contextValues, type ContextValues } from './worker/task-values.js';
