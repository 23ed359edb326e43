//! A pool whose work yields to the rest of the process, by `on_thread_start`: while others want the
//! CPUs, its threads get a small share of them.
//!
//! Linux and Android have a niceness for each thread. The other Unixes have one for the process,
//! which one pool is no reason to change.
//!
//! ```sh
//! cargo run -p cenote-examples --bin nice_workers
//! ```

use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod niceness {
    // No process id means the calling thread here, whatever POSIX says.

    pub(crate) fn get() -> std::io::Result<i32> {
        Ok(rustix::process::getpriority_process(None)?)
    }

    pub(crate) fn set(value: i32) -> std::io::Result<()> {
        Ok(rustix::process::setpriority_process(None, value)?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod niceness {
    pub(crate) fn get() -> std::io::Result<i32> {
        Ok(0)
    }

    pub(crate) fn set(_: i32) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let own = niceness::get()?;
    println!("main has niceness {own}");

    // The value itself, not "10 more": a worker that another worker starts has inherited its 10.
    let nicer = (own + 10).min(19);
    let thumbnails = cenote::Pool::builder()
        .threads(1..=2)
        .name("thumbnails")
        .on_thread_start(move |worker| {
            // A container may forbid it, which is no reason not to work.
            if let Err(error) = niceness::set(nicer) {
                eprintln!("{} stays as it is: {error}", worker.name);
            }
        })
        .build()?;
    let requests = cenote::Pool::builder()
        .threads(1)
        .name("requests")
        .build()?;

    for pool in [&requests, &thumbnails] {
        let (worker, niceness) =
            pool.blocking_run(|| (cenote::current().expect("on a worker"), niceness::get()))?;
        println!("{} has niceness {}", worker.name, niceness?);
    }
    requests.blocking_close(Duration::from_secs(5));
    let report = thumbnails.blocking_close(Duration::from_secs(5));
    println!("closed: {report}");
    Ok(())
}
