//! What the pool asks of the operating system beyond threads.
//!
//! | file | what | where |
//! |---|---|---|
//! | `fork.rs` | tells whether the process is a forked copy | Unix; never on other systems |

pub(crate) mod fork;
