//! A pool or a lane as an executor of the `futures` crates: [`Spawn`] for `Send` futures, on any
//! worker, and [`LocalSpawn`] for `!Send` ones, from code that runs on one of the pool's workers,
//! on that worker.
//!
//! - A future that is spawned by `Spawn` is a task, with all that goes with it: the queue and its
//!   limit, statistics, a place among the worker's `concurrency`. Nobody has its handle, so it runs
//!   to its end or to that of the pool.
//! - One that is spawned by `LocalSpawn` is left in the background, as by
//!   [`spawn_background`](crate::spawn_background).
//!
//! Where an extension trait is in scope, `spawn` and `spawn_local` of a pool are the trait's, and
//! the pool's own are those of `pool.task()`. A lane's own hide the trait's: call these as
//! `SpawnExt::spawn(&lane, future)`.
//!
//! # Errors
//!
//! The traits know one error: that the executor is shut down. It also stands for a full queue,
//! where the future is dropped; ask [`Pool::is_closed`] to tell the two apart. For `LocalSpawn` it
//! says that the pool has ended or that this is no thread of the pool's.
//!
//! # Examples
//!
//! ```
//! use futures::executor::block_on;
//! use futures::task::SpawnExt;
//!
//! let pool = cenote::Pool::new()?;
//! let sum = pool.spawn_with_handle(async { (1..=10).sum::<u32>() })?;
//! assert_eq!(block_on(sum), 55);
//!
//! let (sender, receiver) = std::sync::mpsc::channel();
//! pool.spawn(async move { sender.send("the trait's").unwrap() })?;
//! assert_eq!(receiver.recv()?, "the trait's");
//! assert_eq!(pool.task().try_spawn(|| "the pool's")?.join()?, "the pool's");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A future that cannot leave its thread:
//!
//! ```
//! use std::rc::Rc;
//! use futures::task::LocalSpawnExt;
//!
//! let pool = cenote::Pool::new()?;
//! let (sender, receiver) = std::sync::mpsc::channel();
//! let on_this_worker = pool.clone();
//! pool.blocking_run(move || {
//!     let text = Rc::new("left behind");
//!     LocalSpawnExt::spawn_local(&on_this_worker, async move { sender.send(*text).unwrap() })
//! })??;
//! assert_eq!(receiver.recv()?, "left behind");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use futures_task::{FutureObj, LocalFutureObj, LocalSpawn, Spawn, SpawnError};

use crate::pool::handle::Pool;
use crate::pool::lane::Lane;
use crate::worker;

macro_rules! spawners {
    ($($type:ident),*) => {$(
        #[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
        impl Spawn for $type {
            fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
                match self.try_spawn_local(move || future) {
                    Ok(task) => {
                        task.detach();
                        Ok(())
                    }
                    Err(_) => Err(SpawnError::shutdown()),
                }
            }

            fn status(&self) -> Result<(), SpawnError> {
                let gate = self.shared().engine.dispatch.lane(self.lane_index()).gate();
                if gate.is_closed() { Err(SpawnError::shutdown()) } else { Ok(()) }
            }
        }

        #[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
        impl LocalSpawn for $type {
            fn spawn_local_obj(
                &self,
                future: LocalFutureObj<'static, ()>,
            ) -> Result<(), SpawnError> {
                self.status_local()?;
                worker::spawn_background(|| future);
                Ok(())
            }

            fn status_local(&self) -> Result<(), SpawnError> {
                match worker::worker_of(self.shared()) {
                    Some(worker) if !worker.has_ended() => Ok(()),
                    _ => Err(SpawnError::shutdown()),
                }
            }
        }
    )*};
}

spawners!(Pool, Lane);
