//! What the tests share: a limit on each test, gates that hold workers, counted values, and a look
//! at the process.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::future::Future;
use std::panic;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use cenote::{JoinHandle, Pool};

/// What no test takes, on however slow a machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);
/// Longer than any test runs.
pub(crate) const FOREVER: Duration = Duration::from_secs(3600);

/// Runs a test, and fails it if it has not ended after [`LIMIT`]: what hangs in it is left behind.
pub(crate) fn watched(test: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel::<()>();
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let runner = thread::Builder::new()
        .name(name)
        .spawn(move || {
            let _ended = ended;
            test();
        })
        .unwrap();
    match end.recv_timeout(LIMIT) {
        Err(RecvTimeoutError::Timeout) => panic!("it hangs: no end after {LIMIT:?}"),
        _ => {
            if let Err(payload) = runner.join() {
                panic::resume_unwind(payload);
            }
        }
    }
}

/// Runs a test in a process of its own, where it may count threads and set limits.
pub(crate) fn alone(test: impl FnOnce() + Send + 'static) {
    alone_with(&[], test);
}

/// The same with these variables in its environment.
pub(crate) fn alone_with(variables: &[(&str, &str)], test: impl FnOnce() + Send + 'static) {
    const ALONE: &str = "CENOTE_TEST_ALONE";
    let name = thread::current()
        .name()
        .expect("tests have names")
        .to_owned();
    if std::env::var(ALONE).is_ok_and(|alone| alone == name) {
        return watched(test);
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&*name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, &name)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{text}\n{errors}",
        output.status
    );
    assert!(text.contains("1 passed"), "the child ran no test:\n{text}");
}

/// Runs a future as a caller with a tokio runtime of its own would.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Returns when `holds` does.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        #[cfg(target_os = "linux")]
        assert!(
            since.elapsed() < LIMIT / 2,
            "never: {what}; threads: {:?}",
            thread_names()
        );
        assert!(since.elapsed() < LIMIT / 2, "never: {what}");
        thread::sleep(Duration::from_micros(300));
    }
}

/// Holds whoever passes until it is opened, and knows how many came.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    pub(crate) fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.0 += 1;
        changed.notify_all();
        while !state.1 {
            state = changed.wait(state).unwrap();
        }
    }

    pub(crate) fn wait_for(&self, arrived: usize) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        while state.0 < arrived {
            state = changed.wait(state).unwrap();
        }
    }

    pub(crate) fn open(&self) {
        let (state, changed) = &*self.0;
        state.lock().unwrap().1 = true;
        changed.notify_all();
    }
}

/// Workers that are held in closures until [`release`](Self::release), or until this is dropped.
pub(crate) struct Held {
    gate: Gate,
    handles: Vec<JoinHandle<()>>,
}

impl Held {
    pub(crate) fn release(mut self) {
        self.gate.open();
        for handle in self.handles.drain(..) {
            handle.join().unwrap();
        }
    }

    /// Lets them go, and does not wait for it.
    pub(crate) fn let_go(&self) {
        self.gate.open();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gate.open();
    }
}

/// Holds so many workers of the pool.
pub(crate) fn hold(pool: &Pool, workers: usize) -> Held {
    let gate = Gate::default();
    let handles = (0..workers)
        .map(|_| {
            let gate = gate.clone();
            pool.blocking_spawn(move || gate.pass()).unwrap()
        })
        .collect();
    gate.wait_for(workers);
    Held { gate, handles }
}

/// Counts.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// How many are in there at once, and how many ever were.
#[derive(Clone, Default)]
pub(crate) struct Peak(Arc<(AtomicUsize, AtomicUsize)>);

impl Peak {
    pub(crate) fn enter(&self) -> impl Drop + use<> {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Leave(self.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

struct Leave(Peak);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Tells where it was dropped.
pub(crate) struct Dropped(mpsc::Sender<ThreadId>);

impl Dropped {
    pub(crate) fn new() -> (Self, mpsc::Receiver<ThreadId>) {
        let (sender, receiver) = mpsc::channel();
        (Dropped(sender), receiver)
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

/// Panics when it is dropped. Its own panic's payload does not; nor has it a size, so that no leak
/// is seen where that payload has to be forgotten.
pub(crate) struct Bomb(pub(crate) Count);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.up();
        panic::resume_unwind(Box::new(()));
    }
}

/// A line of `/proc/self/status`, as a number.
#[cfg(target_os = "linux")]
pub(crate) fn process(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no {field}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The names of this process's threads, as the system knows them: at most 15 bytes.
#[cfg(target_os = "linux")]
pub(crate) fn thread_names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        // A thread may end meanwhile.
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

/// How many files this process has open.
#[cfg(target_os = "linux")]
pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
