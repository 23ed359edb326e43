//! Where the stack of a thread ends.
//!
//! A worker runs tasks inside of others, one below the other, as long as its stack holds them. What
//! was asked for says too little: the C library takes a thread's static thread-locals and its guard
//! page from the same memory, `RUST_MIN_STACK` changes the default, and a sanitizer takes a part
//! of its own. So the system is asked.

#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
use std::arch::asm;

/// What `std` gives a thread, unless `RUST_MIN_STACK` says something else.
const STD_STACK_SIZE: usize = 2 * 1024 * 1024;

/// The part of a small stack that is left free, at the most. A half is never taken.
const RESERVE: usize = 256 * 1024;

/// The stack of one thread, which grows towards lower addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    /// Below this address nothing more should be begun.
    limit: usize,
}

impl Stack {
    /// That of the calling thread, near whose start this is called. `asked`: what it was to have.
    pub(crate) fn of_this_thread(asked: Option<usize>) -> Self {
        let here = address_here();
        let lowest = lowest_of_system().unwrap_or_else(|| {
            let size = asked.or_else(size_by_environment);
            here.saturating_sub(size.unwrap_or(STD_STACK_SIZE))
        });
        let reserve = RESERVE.min(here.saturating_sub(lowest) / 2);
        Stack {
            limit: lowest + reserve,
        }
    }

    /// Whether there is enough left to run something that takes no more than usual.
    #[inline]
    pub(crate) fn has_room(self) -> bool {
        address_here() > self.limit
    }
}

/// An address in the frame of the caller, or next to it.
///
/// That of a variable would do, were it not for AddressSanitizer, which moves variables whose
/// address is taken to the heap.
#[inline]
fn address_here() -> usize {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let here;
        // SAFETY: it copies a register, and touches neither memory nor flags.
        unsafe { asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags)) };
        here
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        let here;
        // SAFETY: it copies a register, and touches neither memory nor flags.
        unsafe { asm!("mov {}, sp", out(reg) here, options(nomem, nostack, preserves_flags)) };
        here
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    {
        let here = 0_u8;
        std::ptr::from_ref(std::hint::black_box(&here)).addr()
    }
}

/// As `std` reads it for the threads that it starts.
fn size_by_environment() -> Option<usize> {
    std::env::var("RUST_MIN_STACK").ok()?.parse().ok()
}

/// The lowest address that the thread may use, if the system tells.
#[cfg(target_os = "linux")]
fn lowest_of_system() -> Option<usize> {
    use std::mem::MaybeUninit;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: it only names the calling thread.
    let own = unsafe { libc::pthread_self() };
    // SAFETY: it fills the attributes of a thread that lives, the calling one.
    if unsafe { libc::pthread_getattr_np(own, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let mut lowest = std::ptr::null_mut();
    let mut size = 0;
    let mut guard = 0;
    // SAFETY: the call above has filled the attributes; the others are places on this stack.
    let stack =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size) };
    // SAFETY: as above.
    let guarded = unsafe { libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard) };
    // SAFETY: they were filled, and nobody looks at them any more.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    // Some C libraries count the guard page as a part of the stack, others do not. One page less
    // is right for both.
    (stack == 0 && guarded == 0).then(|| lowest.addr() + guard)
}

/// The lowest address that the thread may use, if the system tells.
#[cfg(target_os = "macos")]
fn lowest_of_system() -> Option<usize> {
    // SAFETY: it only names the calling thread.
    let own = unsafe { libc::pthread_self() };
    // SAFETY: it reads what the C library knows of a thread that lives, the calling one.
    let highest = unsafe { libc::pthread_get_stackaddr_np(own) };
    // SAFETY: as above.
    let size = unsafe { libc::pthread_get_stacksize_np(own) };
    highest.addr().checked_sub(size)
}

/// The lowest address that the thread may use, if the system tells.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn lowest_of_system() -> Option<usize> {
    None
}

#[cfg(all(test, not(cenote_loom)))]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::{RESERVE, STD_STACK_SIZE, Stack, address_here, lowest_of_system};

    /// Runs it on a thread with a stack of that size, or of a larger one where the system wants
    /// that.
    fn on_stack<T: Send + 'static>(size: usize, f: impl FnOnce() -> T + Send + 'static) -> T {
        let builder = std::thread::Builder::new().stack_size(size);
        builder.spawn(f).unwrap().join().unwrap()
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    fn the_system_tells_the_stack_that_was_asked_for() {
        for size in [128 * 1024, 1024 * 1024, 8 * 1024 * 1024] {
            let left = on_stack(size, || address_here() - lowest_of_system().unwrap());
            // The start of the thread has taken some of it.
            assert!(left > size / 2, "{left} of {size}");
        }
    }

    #[test]
    fn a_thread_has_room_until_the_reserve_is_reached() {
        fn deepest(stack: Stack) -> usize {
            let frame = std::hint::black_box([0_u8; 4096]);
            let deepest = if stack.has_room() {
                deepest(stack)
            } else {
                address_here()
            };
            std::hint::black_box(&frame);
            deepest
        }
        for size in [64 * 1024, 512 * 1024, STD_STACK_SIZE] {
            let (used, left) = on_stack(size, move || {
                let stack = Stack::of_this_thread(Some(size));
                let deepest = deepest(stack);
                let reserve = RESERVE.min(size / 2);
                let lowest = lowest_of_system().unwrap_or(stack.limit - reserve);
                (address_here() - deepest, deepest - lowest)
            });
            assert!(used > size / 8, "{used} of {size}");
            assert!(left > RESERVE.min(size / 2) / 2, "{left} of {size}");
        }
    }
}
