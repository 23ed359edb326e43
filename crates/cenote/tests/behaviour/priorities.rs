//! Priorities: higher bands first, in order within a band, and none starves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cenote::{Pool, Priority};

use crate::support::{Count, FOREVER, hold, watched};

/// One worker, which notes the order in which it runs things.
struct Noted {
    pool: Pool,
    order: Arc<Mutex<Vec<(Priority, usize)>>>,
}

impl Noted {
    fn new(aging: Duration) -> Self {
        Noted {
            pool: Pool::builder().threads(1).aging(aging).build().unwrap(),
            order: Arc::default(),
        }
    }

    fn spawn(&self, priority: Priority, number: usize) {
        let order = Arc::clone(&self.order);
        let task = self.pool.task().priority(priority);
        task.try_spawn(move || order.lock().unwrap().push((priority, number)))
            .unwrap()
            .detach();
    }

    fn spawn_local(&self, priority: Priority, number: usize) {
        let order = Arc::clone(&self.order);
        let task = self.pool.task().priority(priority);
        task.try_spawn_local(move || {
            order.lock().unwrap().push((priority, number));
            async {}
        })
        .unwrap()
        .detach();
    }

    fn end(self) -> Vec<(Priority, usize)> {
        assert!(self.pool.blocking_close(FOREVER).is_clean());
        std::mem::take(&mut self.order.lock().unwrap())
    }
}

#[test]
fn higher_bands_go_first_and_each_band_in_order() {
    watched(|| {
        let noted = Noted::new(FOREVER);
        let held = hold(&noted.pool, 1);
        for number in 0..20 {
            for priority in [Priority::Low, Priority::High, Priority::Normal] {
                if number % 2 == 0 {
                    noted.spawn(priority, number);
                } else {
                    noted.spawn_local(priority, number);
                }
            }
        }
        held.release();
        let order = noted.end();
        let expected: Vec<_> = [Priority::High, Priority::Normal, Priority::Low]
            .into_iter()
            .flat_map(|priority| (0..20).map(move |number| (priority, number)))
            .collect();
        assert_eq!(order, expected);
    });
}

#[test]
fn with_no_aging_at_all_the_order_is_that_of_submission() {
    watched(|| {
        let noted = Noted::new(Duration::ZERO);
        let held = hold(&noted.pool, 1);
        for number in 0..60 {
            let priority = [Priority::Low, Priority::High, Priority::Normal][number % 3];
            noted.spawn(priority, number);
        }
        held.release();
        let numbers: Vec<_> = noted.end().into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers, (0..60).collect::<Vec<_>>());
    });
}

#[test]
fn a_task_that_has_waited_long_enough_goes_before_a_higher_one() {
    watched(|| {
        let aging = Duration::from_millis(5);
        let noted = Noted::new(aging);
        let held = hold(&noted.pool, 1);
        noted.spawn(Priority::Low, 0);
        let since = Instant::now();
        while since.elapsed() <= 3 * aging {
            thread::sleep(aging);
        }
        noted.spawn(Priority::High, 1);
        noted.spawn(Priority::Normal, 2);
        held.release();
        assert_eq!(noted.end()[0], (Priority::Low, 0));
    });
}

#[test]
fn a_stream_of_high_tasks_starves_no_low_one() {
    fn stream(pool: Pool, stop: Arc<AtomicBool>) {
        if !stop.load(Ordering::Relaxed) {
            let on = pool.clone();
            let next = move || stream(pool, stop);
            on.task()
                .priority(Priority::High)
                .try_spawn(next)
                .unwrap()
                .detach();
        }
    }
    watched(|| {
        let pool = Pool::builder()
            .threads(1)
            .aging(Duration::from_millis(5))
            .build()
            .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..8 {
            stream(pool.clone(), Arc::clone(&stop));
        }
        let ran = Count::default();
        for _ in 0..20 {
            let ran = ran.clone();
            let low = pool.task().priority(Priority::Low);
            low.try_spawn(move || ran.up()).unwrap().join().unwrap();
        }
        assert_eq!(ran.get(), 20);
        stop.store(true, Ordering::Relaxed);
    });
}
