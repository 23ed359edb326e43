//! Values that live as long as the process, and that LeakSanitizer does not take for lost.

use std::sync::Mutex;

/// Where they are.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Keeps a value for ever.
pub(crate) fn kept<T>(value: T) -> &'static T {
    let value: &'static T = Box::leak(Box::new(value));
    if let Ok(mut kept) = KEPT.lock() {
        kept.push(std::ptr::from_ref(value).expose_provenance());
    }
    value
}
