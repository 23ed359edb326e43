//! Boxes that begin as zeros, straight from the allocator.
//!
//! Of a large block the allocator hands out pages that the system fills with zeros when they are
//! first written, so that what is never written costs no memory. Building the value and moving it
//! into a box would write, and so pay for, all of it.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

/// Types for which zeros are a valid value.
///
/// # Safety
///
/// A block of memory filled with zeros must be a valid value of the type, and the type must not be
/// zero-sized.
pub(super) unsafe trait Zeroable {}

/// A box whose content is all zeros.
pub(super) fn boxed<T: Zeroable>() -> Box<T> {
    let layout = Layout::new::<T>();
    // SAFETY: the layout is not zero-sized, by the contract of `Zeroable`.
    let block = unsafe { alloc_zeroed(layout) }.cast::<T>();
    if block.is_null() {
        handle_alloc_error(layout);
    }
    // SAFETY: `block` came from the global allocator with the layout of `T`, nothing else owns it, and
    // its zeros are a valid `T` by the contract of `Zeroable`.
    unsafe { Box::from_raw(block) }
}
