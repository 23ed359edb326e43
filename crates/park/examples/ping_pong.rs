//! The round trip between two threads that wait by the protocol: p50, p99 and what the stages did.
//!
//! ```text
//! cargo run --release -p cenote-park --example ping_pong -- [max spin in µs, default 50] [rounds]
//! ```
//!
//! With 0 both threads sleep on the futex each time, and the figure is that of two kernel wake-ups.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cenote_park::{Spin, SpinRequest, Unparker, WaitWord, Waiter, cpus};
use hdrhistogram::Histogram;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|arg| {
        arg.parse::<u64>().unwrap_or_else(|_| {
            eprintln!("not a whole number: {arg}");
            std::process::exit(1);
        })
    });
    let max_spin = Duration::from_micros(numbers.next().unwrap_or(50));
    let rounds = numbers.next().unwrap_or(200_000);

    let ping = Arc::new(WaitWord::new());
    let pong = Arc::new(WaitWord::new());
    let to_ping = Unparker::new(Arc::clone(&ping), ());
    let to_pong = Unparker::new(Arc::clone(&pong), ());

    let answering = thread::spawn(move || {
        let mut waiter = Waiter::new(pong, max_spin);
        for _ in 0..rounds {
            wait(&mut waiter);
            to_ping.unpark();
        }
    });

    let mut waiter = Waiter::new(ping, max_spin);
    let mut nanos =
        Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3).expect("the bounds are in order");
    for _ in 0..rounds {
        let start = Instant::now();
        to_pong.unpark();
        wait(&mut waiter);
        nanos.saturating_record(start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX));
    }
    answering
        .join()
        .expect("the answering thread does not panic");

    println!("{rounds} rounds, max spin {max_spin:?}, {} CPUs", cpus());
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        println!("{name:>6} {:>8} ns", nanos.value_at_quantile(quantile));
    }
    println!("{:#?}", waiter.stats().snapshot());
}

/// Spins, then sleeps, until something was published.
fn wait(waiter: &mut Waiter<Arc<WaitWord>>) {
    while !waiter.take() {
        if waiter.spin(&SpinRequest::default(), || false) != Spin::Hit {
            waiter.park_futex(None, || false);
        }
    }
}
