//! The limits of a lane.

/// The limits of a lane.
///
/// # Examples
///
/// ```
/// let config = cenote::LaneConfig::new().max_running(2).queue_limit(500);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneConfig {
    pub(super) max_running: Option<usize>,
    pub(super) queue_limit: Option<usize>,
}

impl LaneConfig {
    /// No limit on running tasks, and the pool's `queue_limit`.
    ///
    /// # Examples
    ///
    /// ```
    /// let config = cenote::LaneConfig::new();
    /// assert_eq!(config, cenote::LaneConfig::default());
    /// ```
    pub fn new() -> Self {
        LaneConfig::default()
    }

    /// How many of the lane's tasks may run at once, futures included. At least 1. Default: no
    /// limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::{LaneConfig, Pool};
    ///
    /// let pool = Pool::builder()
    ///     .lane("reports", LaneConfig::new().max_running(1))
    ///     .build()?;
    /// assert_eq!(pool.lane("reports").unwrap().stats().max_running, Some(1));
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    #[must_use]
    pub fn max_running(mut self, tasks: usize) -> Self {
        self.max_running = Some(tasks);
        self
    }

    /// How many of the lane's tasks may wait. At least 1. Default: the pool's.
    ///
    /// # Examples
    ///
    /// ```
    /// use cenote::{LaneConfig, Pool};
    ///
    /// let pool = Pool::builder()
    ///     .lane("reports", LaneConfig::new().queue_limit(500))
    ///     .build()?;
    /// assert_eq!(pool.lane("reports").unwrap().stats().queue_limit, 500);
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    #[must_use]
    pub fn queue_limit(mut self, tasks: usize) -> Self {
        self.queue_limit = Some(tasks);
        self
    }
}
