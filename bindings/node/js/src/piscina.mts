// The ESM entry of `cenote/piscina`: the class that `require('cenote/piscina')` gives as the
// default, and its static members by name.

import Piscina from './piscina.js';

export { Piscina, Piscina as default };
export const { ArrayTaskQueue, FixedQueue, isWorkerThread, move, version, workerData } = Piscina;
// Each with its type: inferred, it would have lost that each of them is a symbol of its own.
export const transferableSymbol: typeof Piscina.transferableSymbol = Piscina.transferableSymbol;
export const valueSymbol: typeof Piscina.valueSymbol = Piscina.valueSymbol;
export const queueOptionsSymbol: typeof Piscina.queueOptionsSymbol = Piscina.queueOptionsSymbol;

export type ArrayTaskQueue = Piscina.ArrayTaskQueue;
export type FixedQueue = Piscina.FixedQueue;
export type AbortSignalAny = Piscina.AbortSignalAny;
export type AbortSignalEventEmitter = Piscina.AbortSignalEventEmitter;
export type AbortSignalEventTarget = Piscina.AbortSignalEventTarget;
export type CloseOptions = Piscina.CloseOptions;
export type EnvSpecifier = Piscina.EnvSpecifier;
export type FilledOptions = Piscina.FilledOptions;
export type Moved = Piscina.Moved;
export type Options = Piscina.Options;
export type PiscinaHistogram = Piscina.PiscinaHistogram;
export type PiscinaHistogramSummary = Piscina.PiscinaHistogramSummary;
export type PiscinaLoadBalancer = Piscina.PiscinaLoadBalancer;
export type PiscinaTask = Piscina.PiscinaTask;
export type PiscinaWorker = Piscina.PiscinaWorker;
export type RunOptions = Piscina.RunOptions;
export type Task = Piscina.Task;
export type TaskQueue = Piscina.TaskQueue;
export type Transferable = Piscina.Transferable;
export type TransferList = Piscina.TransferList;
export type TransferListItem = Piscina.TransferListItem;
