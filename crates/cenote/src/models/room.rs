//! A full queue: submitters wait for room. Each is told when there is some, or that there will be
//! none.

use std::sync::Arc;

use loom::future::block_on;
use loom::thread;

use super::check;
use crate::engine::queue::gate::{Gate, Refused};
use crate::engine::room::Room;

struct Queue {
    gate: Gate,
    room: Room,
}

impl Queue {
    fn of_one() -> Arc<Self> {
        Arc::new(Queue {
            gate: Gate::new(1),
            room: Room::default(),
        })
    }

    /// A submitter that waits, on a thread.
    fn admit(&self) -> Result<usize, Refused> {
        loop {
            match self.gate.admit() {
                Err(Refused::Full) => {}
                answer => return answer,
            }
            if let Some(ticket) = self.room.wait(&self.gate) {
                block_on(self.room.bell().resume(ticket));
            }
        }
    }

    /// A worker takes one, if there is one.
    fn take(&self) -> bool {
        if self.gate.count() == 0 {
            return false;
        }
        if self.gate.release(1) {
            self.room.made(&self.gate);
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
        assert!(queue.gate.close());
        queue.room.closed();
        assert_eq!(waiting.join().unwrap(), Err(Refused::Closed));
    });
}

/// One that was told and goes away without a look passes it on.
#[test]
fn submitter_that_gives_up_takes_no_telling_with_it() {
    check(3, || {
        let queue = Queue::of_one();
        queue.gate.admit().unwrap();
        let gives_up = queue.room.wait(&queue.gate);
        let waiting = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.admit())
        };
        let taking = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || assert!(queue.take()))
        };
        if let Some(mut ticket) = gives_up {
            queue.room.bell().leave(&mut ticket);
        }
        assert_eq!(waiting.join().unwrap(), Ok(1));
        taking.join().unwrap();
    });
}
