//! [`WeakPool`]: a way back to a pool that does not keep it open.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};

use super::handle::{Handle, Pool};

/// A handle to a pool that does not keep it open. Made by [`Pool::downgrade`].
///
/// It is for what lives on the pool itself, or is kept by it, and wants to spawn there: a
/// background future, a worker's state, a hook. With a [`Pool`] or a [`Lane`](crate::Lane) in there
/// the last handle would never go, and so the pool never end.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let pool = cenote::Pool::new()?;
/// let back = pool.downgrade();
/// pool.blocking_run(move || {
///     // Sweeps now and then, for as long as somebody has the pool.
///     cenote::spawn_background(|| async move {
///         while let Some(pool) = back.upgrade() {
///             let sweep = pool.try_spawn(|| println!("swept"));
///             drop(pool); // not kept open while it sleeps
///             sweep.map(|handle| handle.detach()).ok();
///             tokio::time::sleep(Duration::from_secs(1)).await;
///         }
///     });
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct WeakPool {
    handle: Weak<Handle>,
}

// As for `Pool`.
impl UnwindSafe for WeakPool {}
impl RefUnwindSafe for WeakPool {}

impl Pool {
    /// A handle to the same pool that does not keep it open.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let back = pool.downgrade();
    /// assert!(back.upgrade().is_some());
    /// drop(pool);
    /// assert!(back.upgrade().is_none());
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn downgrade(&self) -> WeakPool {
        WeakPool {
            handle: Arc::downgrade(self.handle()),
        }
    }
}

impl WeakPool {
    /// The pool, as long as a [`Pool`] or a [`Lane`](crate::Lane) of it exists. `None`: the last of
    /// them was dropped, and the pool accepts nothing any more. That a pool was closed makes no
    /// difference here; it [says so itself](Pool::is_closed).
    ///
    /// What it returns keeps the pool open: drop it before you wait for something.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let back = pool.downgrade();
    /// let nested = pool.try_spawn(move || match back.upgrade() {
    ///     Some(pool) => pool.try_spawn(|| 7).ok(),
    ///     None => None,
    /// })?;
    /// assert_eq!(nested.join()?.expect("the pool is there").join()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upgrade(&self) -> Option<Pool> {
        self.handle.upgrade().map(Pool::from_handle)
    }
}

impl fmt::Debug for WeakPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakPool")
            .field("gone", &(self.handle.strong_count() == 0))
            .finish()
    }
}
