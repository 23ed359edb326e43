//! What the pool asks of the operating system beyond threads, one file for each thing.
//!
//! | file | what | where |
//! |---|---|---|
//! | `affinity.rs` | pins a thread to a CPU | feature `core_affinity` |
//! | `nice.rs` | sets one thread's niceness | Linux, Android; an error on other Unixes |
//! | `fork.rs` | tells whether the process is a forked copy | Unix; never on other systems |

#[cfg(feature = "core_affinity")]
pub(crate) mod affinity;
pub(crate) mod fork;
#[cfg(unix)]
pub(crate) mod nice;
