//! The timer's promises: times, order, cancelling, panics, the coming and going of its thread,
//! fork.

use std::sync::Barrier;
use std::sync::mpsc;

use super::*;

/// Longer than any healthy run takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(5)
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

fn scheduled(timer: &Timer) -> usize {
    timer.state.lock().jobs.len()
}

fn has_thread(timer: &Timer) -> bool {
    !matches!(timer.state.lock().thread, Thread::None)
}

fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come true");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_job_runs_on_the_timer_thread_and_not_before_its_time() {
    let (sender, receiver) = mpsc::channel();
    let at = Instant::now() + Duration::from_millis(20);
    let job = move || {
        let thread = std::thread::current().name().map(str::to_owned);
        sender
            .send((Instant::now(), thread))
            .expect("the test waits");
    };
    schedule(at, Box::new(job)).expect("a thread can be started");
    let (ran, thread) = receiver.recv_timeout(PATIENCE).expect("it runs");
    assert!(ran >= at);
    assert_eq!(thread.as_deref(), Some("cenote-timer"));
}

#[test]
fn jobs_run_in_the_order_of_their_times_and_none_too_early() {
    let timer = Timer::new(LINGER, start_thread);
    let (sender, receiver) = mpsc::channel();
    // Late enough for all of them to be there before the first is due.
    let start = Instant::now() + Duration::from_millis(300);
    for i in [3, 1, 4, 0, 2] {
        let sender = sender.clone();
        let at = start + Duration::from_millis(2 * i);
        let job = Box::new(move || {
            let ran = Instant::now();
            sender.send((i, ran >= at)).expect("the test waits");
        });
        timer.schedule(at, job).expect("a thread can be started");
    }
    let ran: Vec<_> = (0..5)
        .map(|_| receiver.recv_timeout(PATIENCE).expect("it runs"))
        .collect();
    assert_eq!(ran, [0, 1, 2, 3, 4].map(|i| (i, true)));
}

#[test]
fn an_earlier_job_wakes_a_thread_that_waits_for_a_later_one() {
    let timer = Timer::new(LINGER, start_thread);
    let later = timer
        .schedule(far(), Box::new(|| ()))
        .expect("a thread can be started");
    wait_until(|| matches!(timer.state.lock().thread, Thread::Asleep(_)));
    let (sender, receiver) = mpsc::channel();
    let job = Box::new(move || sender.send(()).expect("the test waits"));
    timer
        .schedule(soon(), job)
        .expect("a thread can be started");
    receiver.recv_timeout(PATIENCE).expect("it runs");
    assert!(timer.cancel(later));
}

#[test]
fn a_cancelled_job_is_dropped_at_once_and_never_runs() {
    let timer = Timer::new(LINGER, start_thread);
    let held = Arc::new(());
    let inside = held.clone();
    let job = Box::new(move || unreachable!("cancelled, with {inside:?}"));
    let key = timer.schedule(far(), job).expect("a thread can be started");
    assert_eq!(Arc::strong_count(&held), 2);
    assert!(timer.cancel(key));
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(!timer.cancel(key), "cancelled already");
}

#[test]
fn cancelled_jobs_do_not_pile_up() {
    let timer = Timer::new(LINGER, start_thread);
    let kept = timer
        .schedule(far(), Box::new(|| ()))
        .expect("a thread can be started");
    for _ in 0..10_000 {
        let key = timer
            .schedule(far(), Box::new(|| ()))
            .expect("the thread is there");
        assert!(timer.cancel(key));
    }
    assert_eq!(scheduled(&timer), 1);
    assert!(timer.cancel(kept));
}

#[test]
fn a_job_that_has_begun_cannot_be_cancelled() {
    let timer = Timer::new(LINGER, start_thread);
    let inside = Arc::new(Barrier::new(2));
    let begun = inside.clone();
    let job = Box::new(move || {
        begun.wait();
        begun.wait();
    });
    let key = timer
        .schedule(soon(), job)
        .expect("a thread can be started");
    inside.wait();
    assert!(!timer.cancel(key));
    inside.wait();
}

#[test]
fn of_cancel_and_start_exactly_one_wins() {
    let timer = Timer::new(LINGER, start_thread);
    let runs = Arc::new(AtomicU64::new(0));
    let mut cancelled = 0;
    for i in 0..2_000 {
        let runs = runs.clone();
        let at = Instant::now() + Duration::from_micros(i % 50);
        let job = Box::new(move || {
            runs.fetch_add(1, Ordering::Relaxed);
        });
        let key = timer.schedule(at, job).expect("a thread can be started");
        while Instant::now() < at {
            std::hint::spin_loop();
        }
        cancelled += u64::from(timer.cancel(key));
    }
    assert_eq!(scheduled(&timer), 0);
    wait_until(|| runs.load(Ordering::Relaxed) + cancelled >= 2_000);
    assert_eq!(runs.load(Ordering::Relaxed) + cancelled, 2_000);
}

#[test]
fn a_panic_in_a_job_leaves_the_thread_for_the_next() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            // Without a size: the timer forgets this payload, and nothing is to leak.
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let timer = Timer::new(LINGER, start_thread);
    let (sender, receiver) = mpsc::channel();
    // Not `panic!`, so that the test's output stays free of what looks like a failure.
    let panics: Job = Box::new(|| std::panic::resume_unwind(Box::new("in job")));
    let panics_twice: Job = Box::new(|| std::panic::resume_unwind(Box::new(PanicsInDrop)));
    let id = move || {
        sender
            .send(std::thread::current().id())
            .expect("the test waits")
    };
    let before = id.clone();
    let at = soon();
    for job in [Box::new(before), panics, panics_twice, Box::new(id)] {
        timer.schedule(at, job).expect("a thread can be started");
    }
    let before = receiver.recv_timeout(PATIENCE).expect("it runs");
    let after = receiver
        .recv_timeout(PATIENCE)
        .expect("it runs after the panics");
    assert_eq!(before, after, "one thread ran both");
}

#[test]
fn a_job_may_schedule_and_cancel() {
    let timer = Timer::new(LINGER, start_thread);
    let (sender, receiver) = mpsc::channel();
    let unwanted = timer
        .schedule(far(), Box::new(|| ()))
        .expect("a thread can be started");
    let inside = timer.clone();
    let job = Box::new(move || {
        assert!(inside.cancel(unwanted));
        let next = Box::new(move || sender.send(()).expect("the test waits"));
        inside.schedule(soon(), next).expect("the thread is there");
    });
    timer
        .schedule(soon(), job)
        .expect("a thread can be started");
    receiver.recv_timeout(PATIENCE).expect("the inner job runs");
}

#[test]
fn a_cancelled_job_may_use_the_timer_while_it_is_dropped() {
    struct CancelsOther(Arc<Timer>, TimerKey);
    impl Drop for CancelsOther {
        fn drop(&mut self) {
            assert!(self.0.cancel(self.1));
        }
    }
    let timer = Timer::new(LINGER, start_thread);
    let other = timer
        .schedule(far(), Box::new(|| ()))
        .expect("a thread can be started");
    let guard = CancelsOther(timer.clone(), other);
    let key = timer
        .schedule(far(), Box::new(move || drop(guard)))
        .expect("the thread is there");
    assert!(timer.cancel(key));
    assert_eq!(scheduled(&timer), 0);
}

#[test]
fn the_thread_ends_when_nothing_is_scheduled_and_starts_again() {
    let timer = Timer::new(Duration::from_millis(10), start_thread);
    for _ in 0..3 {
        let (sender, receiver) = mpsc::channel();
        let job = Box::new(move || sender.send(()).expect("the test waits"));
        timer
            .schedule(soon(), job)
            .expect("a thread can be started");
        receiver.recv_timeout(PATIENCE).expect("it runs");
        wait_until(|| !has_thread(&timer));
    }
}

#[test]
fn the_thread_stays_while_something_is_scheduled() {
    let timer = Timer::new(Duration::from_millis(1), start_thread);
    let key = timer
        .schedule(far(), Box::new(|| ()))
        .expect("a thread can be started");
    wait_until(|| matches!(timer.state.lock().thread, Thread::Asleep(_)));
    // Several times the linger.
    std::thread::sleep(Duration::from_millis(20));
    assert!(has_thread(&timer));
    assert!(timer.cancel(key));
}

#[test]
fn no_job_is_lost_while_the_thread_comes_and_goes() {
    let timer = Timer::new(Duration::ZERO, start_thread);
    let (sender, receiver) = mpsc::channel();
    for i in 0..500 {
        let sender = sender.clone();
        let job = Box::new(move || sender.send(i).expect("the test waits"));
        timer
            .schedule(Instant::now(), job)
            .expect("a thread can be started");
        if i % 2 == 0 {
            std::thread::yield_now();
        }
    }
    for _ in 0..500 {
        receiver.recv_timeout(PATIENCE).expect("it runs");
    }
    wait_until(|| !has_thread(&timer));
}

#[test]
fn a_thread_that_cannot_be_started_gives_the_job_back() {
    let timer = Timer::new(LINGER, |_| Err(io::ErrorKind::WouldBlock.into()));
    let (sender, receiver) = mpsc::channel();
    let job = Box::new(move || sender.send(42).expect("the test waits"));
    let refused = timer
        .schedule(soon(), job)
        .expect_err("no thread can be started");
    assert_eq!(refused.source.kind(), io::ErrorKind::WouldBlock);
    assert_eq!((scheduled(&timer), has_thread(&timer)), (0, false));
    (refused.job)();
    assert_eq!(receiver.try_recv(), Ok(42));
}

#[cfg(unix)]
#[test]
fn a_forked_child_has_a_timer_of_its_own() {
    let parent_s = schedule(far(), Box::new(|| ())).expect("a thread can be started");
    let status = crate::os::fork::testing::in_child(|| {
        assert!(!cancel(parent_s));
        let (sender, receiver) = mpsc::channel();
        let job = Box::new(move || sender.send(()).expect("the child waits"));
        schedule(soon(), job).expect("a thread can be started");
        receiver.recv_timeout(PATIENCE).map_or(1, |()| 0)
    });
    assert_eq!(status, Some(0));
    assert!(cancel(parent_s), "the parent's job is untouched");
}
