//! A CPU for each worker, by `on_thread_start`.
//!
//! Pinning keeps a worker's caches warm, and takes the scheduler's choice away: a task waits for
//! its worker's CPU even if another one is free. Measure before you keep it.
//!
//! ```sh
//! cargo run -p cenote-examples --bin pinned_workers
//! ```

use std::sync::{Arc, Barrier};
use std::time::Duration;

/// The CPUs that the calling thread may use.
fn allowed() -> Vec<core_affinity::CoreId> {
    core_affinity::get_core_ids().unwrap_or_default()
}

fn print(who: &str, cpus: &[core_affinity::CoreId]) {
    let cpus: Vec<_> = cpus.iter().map(|cpu| cpu.id.to_string()).collect();
    println!("{who} may use CPUs {}", cpus.join(", "));
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Once, here: a worker that another worker starts has inherited that one's single CPU.
    let cpus = allowed();
    if cpus.is_empty() {
        return Err("the system does not list its CPUs".into());
    }
    print("main", &cpus);

    let threads = cpus.len();
    let pool = cenote::Pool::builder()
        .threads(threads)
        .on_thread_start(move |worker| {
            let cpu = cpus[worker.index % cpus.len()];
            // A container may forbid it, which is no reason not to work.
            if !core_affinity::set_for_current(cpu) {
                eprintln!("{} stays on all CPUs", worker.name);
            }
        })
        .build()?;

    // As many closures as workers, each held at the barrier: so each worker gets one.
    let barrier = Arc::new(Barrier::new(threads));
    let tasks: Vec<_> = (0..threads)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            pool.try_spawn(move || {
                barrier.wait();
                (cenote::current().expect("on a worker"), allowed())
            })
        })
        .collect::<Result<_, _>>()?;
    let mut workers = Vec::new();
    for task in tasks {
        workers.push(task.join()?);
    }
    workers.sort_by_key(|(worker, _)| worker.index);
    for (worker, cpus) in &workers {
        print(&worker.name, cpus);
    }
    println!("closed: {}", pool.blocking_close(Duration::from_secs(5)));
    Ok(())
}
