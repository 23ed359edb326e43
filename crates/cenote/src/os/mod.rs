//! What the pool asks of the operating system beyond threads.
//!
//! | file | what | where |
//! |---|---|---|
//! | `fork.rs` | tells whether the process is a forked copy | Unix; never on other systems |
//! | `per_process.rs` | a value that a forked copy makes anew | everywhere |
//! | `stack.rs` | tells how much of a thread's stack is left | asks Linux and macOS; reckons elsewhere |

pub(crate) mod fork;
pub(crate) mod per_process;
pub(crate) mod stack;
