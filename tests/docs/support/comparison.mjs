// The README's table beside other pools: what each cell says, and what shows that it is so.
//
// A cell of ours names a test of this checkout that shows it; one of what is new names the option
// or method, which some test of the pool uses. A cell of a peer has one of:
//   in     a file of the peer's package, and `word`, which it has: an option, a heading, a type
//   lacks  what the peer's declarations do not have, as an expression
//   probe  what `probes.mjs` does with the peer
// Cells that say "–" ask for what a pool of one worker, or a call that blocks, cannot have.

export const columns = [
  ['cenote', 'cenote'],
  ['piscina', 'piscina 5.3.2'],
  ['tinypool', 'tinypool 2.2.0'],
  ['workerpool', 'workerpool 10.0.3'],
  ['poolifier', 'poolifier 5.3.2'],
  ['jest-worker', 'jest-worker 30.5.1'],
  ['synckit', 'synckit 0.12.3'],
];

/** Where a peer declares its types. */
export const declarations = {
  piscina: ['dist/index.d.ts', 'dist/types.d.ts'],
  tinypool: ['dist/index.d.ts'],
  workerpool: ['types/types.d.ts', 'types/index.d.ts', 'types/Pool.d.ts', 'types/Promise.d.ts'],
  poolifier: ['lib/index.d.ts'],
  'jest-worker': ['build/index.d.ts'],
  synckit: ['lib/types.d.ts', 'lib/index.d.ts'],
};

const test = (says, file, name) => ({ says, file: `tests/node/${file}.test.mjs`, name });
const has = (says, file, word) => ({ says, in: file, word });
const lacks = (pattern, says = 'no') => ({ says, lacks: pattern });
const probe = (says, name) => ({ says, probe: name });
const none = { says: '–' };

const readme = 'README.md';
const poolifier = 'lib/index.d.ts';
const jest = 'build/index.d.ts';

/** The peers that have nothing of the kind. */
function nowhere(pattern, ...others) {
  const peers = columns.map(([peer]) => peer).filter((peer) => peer !== 'cenote');
  return Object.fromEntries(
    peers.map((peer) => [peer, others.includes(peer) ? none : lacks(pattern)]),
  );
}

/** The rows: what they are about, then a cell for each column. */
export const rows = [
  {
    what: 'Workers',
    cenote: test(
      'threads, processes',
      'process-runtime',
      'a task runs in a process of its own, which the pool names',
    ),
    piscina: lacks(/runtime|child_process/i, 'threads'),
    tinypool: has('threads, processes', readme, '`child_process`'),
    workerpool: has('threads, processes, browsers', readme, 'workerType'),
    poolifier: has('threads, processes', poolifier, 'FixedClusterPool'),
    'jest-worker': has('processes, threads', readme, 'enableWorkerThreads'),
    synckit: has('one thread', readme, '`worker_threads`'),
  },
  {
    what: 'A timer that a task left behind fires in an idle worker',
    cenote: test('yes', 'background-idle', 'a timer left behind fires while the worker is idle'),
    piscina: probe('no', 'timers'),
    tinypool: probe('no', 'timers'),
    workerpool: probe('yes', 'timers'),
    poolifier: probe('yes', 'timers'),
    'jest-worker': probe('yes', 'timers'),
    synckit: probe('yes', 'timers'),
  },
  {
    what: 'A full queue refuses tasks',
    cenote: test('yes', 'limits', 'a full queue refuses at once, and the refused task never runs'),
    piscina: has('yes', readme, '`maxQueue`'),
    tinypool: has('yes', 'dist/index.d.ts', 'maxQueue?:'),
    workerpool: has('yes', readme, 'maxQueueSize'),
    poolifier: has('no, an event', poolifier, "backPressure: 'backPressure'"),
    'jest-worker': lacks(/maxQueue|queueSize/i),
    synckit: none,
  },
  {
    what: 'A producer can wait for room',
    cenote: test(
      'yes',
      'when-full',
      'capacity() resolves when there is room, after those that came before',
    ),
    piscina: has('event', readme, "### Event: `'drain'`"),
    tinypool: has('event', 'dist/index.js', 'emit("drain")'),
    workerpool: lacks(/drain|capacity/i),
    poolifier: has('event', poolifier, 'backPressureEnd'),
    'jest-worker': lacks(/drain|capacity/i),
    synckit: none,
  },
  {
    what: 'A caller can end a task that loops',
    cenote: test(
      'yes',
      'abort',
      'a task that is aborted while it computes is interrupted; its worker is replaced',
    ),
    piscina: probe('yes', 'loops'),
    tinypool: probe('yes', 'loops'),
    workerpool: probe('yes', 'loops'),
    poolifier: probe('no', 'loops'),
    'jest-worker': lacks(/signal|abort|cancel/i),
    synckit: lacks(/signal|abort|cancel/i),
  },
  {
    what: 'The handler is asked to stop first',
    cenote: test(
      'yes',
      'abort-asks',
      'a handler that ends when its signal says so keeps its worker',
    ),
    piscina: lacks(/grace|AbortListener/i),
    tinypool: lacks(/grace|AbortListener/i),
    workerpool: has('yes', readme, 'addAbortListener'),
    poolifier: lacks(/grace|AbortListener/i),
    'jest-worker': lacks(/signal|abort|cancel/i),
    synckit: lacks(/signal|abort|cancel/i),
  },
  {
    what: 'Time limit from the start of the handler',
    cenote: test(
      'yes',
      'limits-time',
      'timeout counts from the start of the handler, not from run()',
    ),
    piscina: lacks(/(?<!idle|close|set)timeout\b/i),
    tinypool: lacks(/(?<!idle|terminate)timeout\b/i),
    workerpool: has('yes', readme, 'Promise.timeout(delay: number)'),
    poolifier: lacks(/(?<!tasksFinished)timeout\??:/i),
    'jest-worker': lacks(/(?<!GracefulExit)timeout\b/i),
    synckit: has('of the wait', readme, '`SYNCKIT_TIMEOUT`'),
  },
  {
    what: 'Time limit in the queue',
    cenote: test(
      'yes',
      'limits-queue-time',
      'a task that waits for longer than queueTimeout is rejected and never runs; the others do',
    ),
    ...nowhere(/queueTimeout|waitTimeout/i, 'synckit'),
  },
  {
    what: 'Priorities',
    cenote: test(
      'of a task',
      'scheduling',
      'the highest priority starts first; equal ones in the order of the calls',
    ),
    piscina: has('own queue', readme, '## Custom Task Queues'),
    tinypool: has('own queue', 'dist/index.d.ts', 'taskQueue?: TaskQueue'),
    workerpool: has('own queue', 'types/types.d.ts', 'queueStrategy'),
    poolifier: has('of a function', poolifier, 'priority?: number'),
    'jest-worker': has('of a task', readme, '`PriorityQueue`'),
    synckit: none,
  },
  {
    what: 'Same key, same worker',
    cenote: test(
      'yes, unless busy',
      'scheduling',
      'tasks of a key run on one worker, and keys are spread over the workers',
    ),
    piscina: has('own balancer', 'dist/index.d.ts', 'loadBalancer?:'),
    tinypool: lacks(/affinity|workerKey|balancer/i),
    workerpool: lacks(/affinity|workerKey|balancer/i),
    poolifier: has('by number', poolifier, 'workerNodeKeys?: number[]'),
    'jest-worker': has('yes', readme, 'computeWorkerKey'),
    synckit: none,
  },
  {
    what: 'Strategies to choose a worker',
    cenote: test(
      'no',
      'wrong-calls',
      'an option that does not exist is refused, with the one that was meant',
    ),
    piscina: has('your own', 'dist/index.d.ts', 'loadBalancer?:'),
    tinypool: lacks(/strategy|policy|balancer/i),
    workerpool: lacks(/workerStrategy|policy|balancer/i),
    poolifier: has('seven', poolifier, 'INTERLEAVED_WEIGHTED_ROUND_ROBIN'),
    'jest-worker': has('two', readme, 'workerSchedulingPolicy'),
    synckit: none,
  },
  {
    what: 'A share of the pool for one kind of task',
    cenote: test('yes', 'lanes', 'no more than maxRunning of a lane run at once'),
    ...nowhere(/\blane|bulkhead|maxRunning/i, 'synckit'),
  },
  {
    what: 'Maps an endless source in bounded memory',
    cenote: test('yes', 'map', 'the queue of a long source stays short'),
    ...nowhere(/\bmap[<(]/, 'synckit'),
    poolifier: has('whole arrays', poolifier, 'readonly mapExecute'),
  },
  {
    what: 'Progress while a task runs',
    cenote: test('of a call', 'stream', 'reports come before the error as well'),
    piscina: has('of the pool', readme, "### Event: `'message'`"),
    tinypool: has('in processes', readme, '`TinypoolChannel`'),
    workerpool: has('of a call', readme, 'workerEmit(payload: any)'),
    poolifier: lacks(/progress|onMessage\??:/),
    'jest-worker': has('unstable', jest, 'UNSTABLE_onCustomMessage'),
    synckit: lacks(/progress|onMessage/),
  },
  {
    what: 'A result as a stream',
    cenote: test('yes', 'stream', 'no more parts are made than the reader has room for'),
    ...nowhere(/AsyncGenerator|AsyncIterable|\bstream\(/),
  },
  {
    what: 'A call that blocks its caller',
    cenote: test('yes', 'run-sync', 'it returns the result, of a pool that has yet to start too'),
    ...nowhere(/\b(?:exec|run|call)Sync\b(?!:)|createSync/),
    synckit: has('yes', readme, 'createSyncFn'),
  },
  {
    what: 'Functions without a file',
    cenote: test('yes', 'exec', 'closed functions of each form run in another thread'),
    ...nowhere(/addTaskFunction|method: string \| T/),
    workerpool: has('yes', readme, '### Offload functions dynamically'),
    poolifier: has('yes', poolifier, 'readonly addTaskFunction'),
  },
  {
    what: 'Handlers with the types of their file',
    cenote: test('yes', 'handler-types', 'tasks has a function for each handler'),
    piscina: lacks(/keyof|Parameters</),
    tinypool: lacks(/keyof T|Parameters</),
    workerpool: has('yes', 'types/types.d.ts', 'Parameters<T[M]>'),
    poolifier: lacks(/Parameters</),
    'jest-worker': has('yes', jest, 'JestWorkerFarm<T'),
    synckit: has('yes', 'lib/types.d.ts', 'Syncify<T'),
  },
  {
    what: 'Set-up and tear-down in the worker',
    cenote: test(
      'both',
      'setup-teardown',
      'setup is awaited once in each worker, before its first task',
    ),
    piscina: has('set-up', readme, '### Delaying Availability of Workers'),
    tinypool: has('tear-down', readme, '`teardown`'),
    workerpool: has('tear-down', readme, '`onTerminate: '),
    poolifier: has('tear-down', poolifier, 'killHandler?:'),
    'jest-worker': has('both', readme, '`teardown()`'),
    synckit: lacks(/setup|teardown|terminate/i),
  },
  {
    what: 'An orderly end lets finish',
    cenote: test(
      'all',
      'close',
      'close() waits for what runs and what is queued, on several workers',
    ),
    piscina: probe('a part', 'closing'),
    tinypool: probe('nothing', 'closing'),
    workerpool: probe('what runs', 'closing'),
    poolifier: probe('a part', 'closing'),
    'jest-worker': probe('nothing', 'closing'),
    synckit: none,
  },
  {
    what: 'Workers that grow too large are renewed',
    cenote: test('yes', 'all-workers', 'a worker whose heap is too large is replaced'),
    ...nowhere(/memoryLimit|recycle/i),
    tinypool: has('yes', readme, '`maxMemoryLimitBeforeRecycle`'),
    'jest-worker': has('yes', readme, 'idleMemoryLimit'),
  },
  {
    what: 'One task on every worker',
    cenote: test(
      'yes',
      'all-workers',
      'broadcast() runs a task on each worker, those that start included',
    ),
    ...nowhere(/broadcast(?!Channel)/i, 'synckit'),
  },
  {
    what: 'Tries again what a lost worker ran',
    cenote: test(
      'if you say so',
      'retries',
      'a task whose worker is lost is tried again, if it is idempotent',
    ),
    ...nowhere(/\bretry\b|maxRetries/i),
    'jest-worker': has('3 times', readme, 'maxRetries'),
  },
  {
    what: 'An error keeps its class, code and properties',
    cenote: test('yes', 'errors-pool', 'classes, names and codes arrive'),
    piscina: probe('in part', 'errors'),
    tinypool: probe('in part', 'errors'),
    workerpool: probe('in part', 'errors'),
    poolifier: probe('in part', 'errors'),
    'jest-worker': probe('yes', 'errors'),
    synckit: probe('yes', 'errors'),
  },
  {
    what: 'Values that go with a task, such as a trace id',
    cenote: test('yes', 'context-values', 'a handler finds the values, also after it has waited'),
    ...nowhere(/contextValues|traceId|AsyncLocalStorage/),
  },
  {
    what: 'Figures',
    cenote: test(
      'histograms',
      'stats',
      'each task that ran is in the histograms, and they are in order',
    ),
    piscina: has('histograms', readme, '### Property: `waitTime` (readonly)'),
    tinypool: has('a count', 'dist/index.d.ts', 'get completed(): number'),
    workerpool: has('counts', readme, 'Pool.stats()'),
    poolifier: has('times, loop use', poolifier, 'interface PoolInfo {'),
    'jest-worker': lacks(/stats|histogram|completed\b(?! the)/i),
    synckit: lacks(/stats|histogram|completed/i),
  },
];

/** The table, as the README has it. */
export function table() {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const head = columns.map(([, title]) => title);
  return [
    line(['', ...head]).replace('|  |', '| |'),
    `|---${'|---'.repeat(head.length)}|`,
    ...rows.map((row) => line([row.what, ...columns.map(([column]) => row[column].says)])),
  ].join('\n');
}
