//! Runs code that must not hold up the thread it comes up on: wakers, subscribers and names of
//! threads, which are the user's, where a time limit or an abort calls them.
//!
//! A thread, `cenote-helper`, is started for a job when none is idle, and ends a second after its
//! last one. So a job that blocks holds up no other, as long as there are fewer than
//! [`MOST_THREADS`] such jobs at once; from there on they wait in a queue. Where no thread can be
//! started at all, the job runs where it came up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Job, run_job};
use crate::os::per_process::PerProcess;
use crate::sync::{Condvar, Mutex};

/// How many jobs may run at once.
const MOST_THREADS: usize = 64;

/// How long an idle thread stays.
const LINGER: Duration = Duration::from_secs(1);

static HELPERS: PerProcess<Helpers> = PerProcess::new();

#[derive(Default)]
struct Helpers {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

/// Runs a job on another thread than this one, soon.
pub(crate) fn elsewhere(job: Job) {
    let helpers = HELPERS.get_or_make(Helpers::default);
    let mut state = helpers.state.lock();
    state.jobs.push_back(job);
    if state.idle >= state.jobs.len() {
        helpers.more.notify_one();
        return;
    }
    if state.threads < MOST_THREADS {
        // With the lock held: the thread's first act is to wait for it.
        let thread = std::thread::Builder::new().name("cenote-helper".to_owned());
        match thread.spawn(|| helpers.run()) {
            Ok(_) => state.threads += 1,
            Err(_) if state.threads == 0 => {
                let job = state.jobs.pop_back();
                drop(state);
                job.into_iter().for_each(run_job);
            }
            // One of those there are comes to it.
            Err(_) => {}
        }
    }
}

impl Helpers {
    fn run(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                run_job(job);
                state = self.state.lock();
                continue;
            }
            state.idle += 1;
            let until = Instant::now() + LINGER;
            state = self.more.wait_until(state, until);
            state.idle -= 1;
            if state.jobs.is_empty() && Instant::now() >= until {
                state.threads -= 1;
                return;
            }
        }
    }
}
