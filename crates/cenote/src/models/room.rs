//! A full queue: submitters wait for room. Each is told when there is some, or that there will be
//! none.

use std::collections::VecDeque;
use std::sync::Arc;

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::check;
use crate::queue::gate::{Gate, Refused};

/// What `event_listener::Event` does, as far as it is relied on.
struct Event {
    listeners: Mutex<Listeners>,
    told: Condvar,
}

#[derive(Default)]
struct Listeners {
    /// Those that wait, by their numbers, and whether they were told.
    waiting: VecDeque<(usize, bool)>,
    next: usize,
}

impl Event {
    fn listen(&self) -> usize {
        let mut listeners = self.listeners.lock().unwrap();
        let number = listeners.next;
        listeners.next += 1;
        listeners.waiting.push_back((number, false));
        number
    }

    fn tell(&self, most: usize) {
        let mut listeners = self.listeners.lock().unwrap();
        let untold = listeners.waiting.iter_mut().filter(|(_, told)| !told);
        for (_, told) in untold.take(most) {
            *told = true;
        }
        self.told.notify_all();
    }

    fn total_listeners(&self) -> usize {
        self.listeners.lock().unwrap().waiting.len()
    }

    fn wait(&self, number: usize) {
        let mut listeners = self.listeners.lock().unwrap();
        loop {
            if let Some(place) = listeners
                .waiting
                .iter()
                .position(|&listener| listener == (number, true))
            {
                listeners.waiting.remove(place);
                return;
            }
            listeners = self.told.wait(listeners).unwrap();
        }
    }

    /// A listener that was told and does not wait passes it on.
    fn leave(&self, number: usize) {
        let mut listeners = self.listeners.lock().unwrap();
        let place = listeners
            .waiting
            .iter()
            .position(|&(waiting, _)| waiting == number)
            .unwrap();
        let (_, told) = listeners.waiting.remove(place).unwrap();
        drop(listeners);
        if told {
            self.tell(1);
        }
    }
}

struct Queue {
    gate: Gate,
    room: Event,
}

impl Queue {
    fn of_one() -> Arc<Self> {
        Arc::new(Queue {
            gate: Gate::new(1),
            room: Event {
                listeners: Mutex::new(Listeners::default()),
                told: Condvar::new(),
            },
        })
    }

    /// As `Submission::block`.
    fn admit(&self) -> Result<usize, Refused> {
        loop {
            match self.gate.admit() {
                Err(Refused::Full) => {}
                answer => return answer,
            }
            let listener = self.room.listen();
            self.gate.set_waiters();
            if self.gate.has_answer() {
                self.room.leave(listener);
            } else {
                self.room.wait(listener);
            }
        }
    }

    /// A worker takes one, if there is one. As `Shared::make_room`.
    fn take(&self) -> bool {
        if self.gate.count() == 0 {
            return false;
        }
        if self.gate.release(1) {
            self.gate.clear_waiters();
            self.room.tell(1);
            if self.room.total_listeners() > 0 {
                self.gate.set_waiters();
                if self.gate.has_answer() {
                    self.room.tell(usize::MAX);
                }
            }
        }
        true
    }
}

#[test]
fn waiting_submitters_are_told_of_room() {
    check(2, || {
        let queue = Queue::of_one();
        queue.gate.admit().unwrap();
        let waiting = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.admit().is_ok())
        });
        let mut taken = 0;
        while taken < 3 {
            if queue.take() {
                taken += 1;
            } else {
                thread::yield_now();
            }
        }
        for thread in waiting {
            assert!(thread.join().unwrap());
        }
    });
}

#[test]
fn waiting_submitter_is_told_of_the_close() {
    check(3, || {
        let queue = Queue::of_one();
        queue.gate.admit().unwrap();
        let waiting = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.admit())
        };
        // As `Shared::close_gates`.
        assert!(queue.gate.close());
        queue.room.tell(usize::MAX);
        assert_eq!(waiting.join().unwrap(), Err(Refused::Closed));
    });
}
