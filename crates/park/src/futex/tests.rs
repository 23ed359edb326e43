//! The contract of [`Futex`](super::Futex), kept by every implementation this system can run.
