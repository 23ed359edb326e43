//! Who competes: the names, and what a bar has to know about each.

/// A way to run a closure on another thread: cenote, a peer, or the bare machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// `cenote` with its defaults.
    Cenote,
    /// `cenote` with `max_spin` zero: it never spins.
    CenoteNoSpin,
    /// `rayon_core::ThreadPool::spawn`.
    Rayon,
    /// `tokio::task::spawn_blocking`.
    SpawnBlocking,
    /// `tokio_util::task::LocalPoolHandle`.
    LocalPool,
    /// `threadpool::ThreadPool`.
    Threadpool,
    /// `rusty_pool::ThreadPool`.
    RustyPool,
    /// `async_executor::Executor`, run by plain threads.
    AsyncExecutor,
    /// `blocking::unblock`.
    Blocking,
    /// Threads that receive closures from one `crossbeam_channel`: the pool that one writes
    /// oneself.
    Crossbeam,
    /// Threads that receive closures from one `crossfire` channel.
    Crossfire,
    /// `affinitypool::Threadpool`.
    AffinityPool,
    /// Two threads that write two cache lines in turn: what the processor takes.
    BareCacheLines,
    /// Two threads that unpark each other in turn: what the kernel takes.
    BareUnpark,
}

impl Contender {
    /// Everybody, in the order of the tables.
    pub const ALL: [Contender; 14] = [
        Contender::Cenote,
        Contender::CenoteNoSpin,
        Contender::Rayon,
        Contender::SpawnBlocking,
        Contender::LocalPool,
        Contender::Threadpool,
        Contender::RustyPool,
        Contender::AsyncExecutor,
        Contender::Blocking,
        Contender::Crossbeam,
        Contender::Crossfire,
        Contender::AffinityPool,
        Contender::BareCacheLines,
        Contender::BareUnpark,
    ];

    /// Every pool: all of [`Contender::ALL`] but the bare machine.
    pub const POOLS: [Contender; 12] = [
        Contender::Cenote,
        Contender::CenoteNoSpin,
        Contender::Rayon,
        Contender::SpawnBlocking,
        Contender::LocalPool,
        Contender::Threadpool,
        Contender::RustyPool,
        Contender::AsyncExecutor,
        Contender::Blocking,
        Contender::Crossbeam,
        Contender::Crossfire,
        Contender::AffinityPool,
    ];

    /// The name in tables, in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Cenote => "cenote",
            Contender::CenoteNoSpin => "cenote-spin0",
            Contender::Rayon => "rayon",
            Contender::SpawnBlocking => "spawn_blocking",
            Contender::LocalPool => "LocalPoolHandle",
            Contender::Threadpool => "threadpool",
            Contender::RustyPool => "rusty_pool",
            Contender::AsyncExecutor => "async-executor",
            Contender::Blocking => "blocking",
            Contender::Crossbeam => "crossbeam-channel",
            Contender::Crossfire => "crossfire",
            Contender::AffinityPool => "affinitypool",
            Contender::BareCacheLines => "bare cache lines",
            Contender::BareUnpark => "bare unpark",
        }
    }

    /// The contender of that name.
    pub fn from_name(name: &str) -> Option<Contender> {
        Contender::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether it is somebody else's pool: what cenote is compared with.
    pub fn is_peer(self) -> bool {
        match self {
            Contender::Cenote
            | Contender::CenoteNoSpin
            | Contender::BareCacheLines
            | Contender::BareUnpark => false,
            Contender::Rayon
            | Contender::SpawnBlocking
            | Contender::LocalPool
            | Contender::Threadpool
            | Contender::RustyPool
            | Contender::AsyncExecutor
            | Contender::Blocking
            | Contender::Crossbeam
            | Contender::Crossfire
            | Contender::AffinityPool => true,
        }
    }

    /// Whether it is threads at a bare channel: a queue, without what makes a pool of it.
    pub fn is_channel(self) -> bool {
        matches!(self, Contender::Crossbeam | Contender::Crossfire)
    }

    /// Whether its workers, or the caller that waits for the result, spin or yield before they
    /// sleep. rayon yields 32 times; a worker of affinitypool spins six times and yields four; a
    /// receiver of a crossbeam channel, which rusty_pool is built on, or of a crossfire channel
    /// backs off step by step.
    pub fn spins(self) -> bool {
        match self {
            Contender::Cenote
            | Contender::Rayon
            | Contender::RustyPool
            | Contender::Crossbeam
            | Contender::Crossfire
            | Contender::AffinityPool
            | Contender::BareCacheLines => true,
            Contender::CenoteNoSpin
            | Contender::SpawnBlocking
            | Contender::LocalPool
            | Contender::Threadpool
            | Contender::AsyncExecutor
            | Contender::Blocking
            | Contender::BareUnpark => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_contender() {
        for contender in Contender::ALL {
            assert_eq!(Contender::from_name(contender.name()), Some(contender));
        }
        assert_eq!(Contender::from_name("nobody"), None);
    }
}
