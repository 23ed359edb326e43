//! libuv, looked up at run time in the process that loaded the addon.
//!
//! The addon links against no libuv: Node exports the symbols, and a runtime that lacks them (or
//! carries only stubs) is found out here, once, instead of failing to load. Handles are allocated
//! by [`Uv::handle_size`], because their layout belongs to the libuv that the host was built with.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

/// An event loop, opaque: it belongs to the host.
#[repr(C)]
pub(crate) struct UvLoop {
    _opaque: [u8; 0],
}

/// Any handle, opaque: only libuv knows its size.
#[repr(C)]
pub(crate) struct UvHandle {
    _opaque: [u8; 0],
}

/// `uv_handle_type` values. The order is fixed by libuv's ABI since 1.0.
pub(crate) const UV_ASYNC: c_int = 1;
/// See [`UV_ASYNC`].
pub(crate) const UV_CHECK: c_int = 2;
/// See [`UV_ASYNC`].
pub(crate) const UV_PREPARE: c_int = 9;

/// The callback of a prepare, check or async handle, and of `uv_close`.
pub(crate) type HandleCallback = unsafe extern "C" fn(*mut UvHandle);

type InitFn = unsafe extern "C" fn(*mut UvLoop, *mut UvHandle) -> c_int;
type StartFn = unsafe extern "C" fn(*mut UvHandle, HandleCallback) -> c_int;
type AsyncInitFn = unsafe extern "C" fn(*mut UvLoop, *mut UvHandle, HandleCallback) -> c_int;
type HandleFn = unsafe extern "C" fn(*mut UvHandle);

/// Declares the symbol table and its loader from one list, so that they cannot part ways.
macro_rules! symbols {
    ($($field:ident: $symbol:literal => $type:ty;)*) => {
        /// The functions of libuv that the wait needs.
        pub(crate) struct Uv {
            $(#[doc = concat!("`", $symbol, "`")] pub(crate) $field: $type,)*
        }

        impl Uv {
            fn load(library: &Library) -> Option<Self> {
                Some(Self {
                    $($field: {
                        // SAFETY: the type given beside the name is the one that libuv's public
                        // header declares for it, unchanged since 1.0 (1.19 for the data
                        // accessors), and the program that holds the symbol outlives the addon.
                        *unsafe { library.get::<$type>(concat!($symbol, "\0").as_bytes()) }.ok()?
                    },)*
                })
            }
        }
    };
}

symbols! {
    handle_size: "uv_handle_size" => unsafe extern "C" fn(c_int) -> usize;
    handle_set_data: "uv_handle_set_data" => unsafe extern "C" fn(*mut UvHandle, *mut c_void);
    handle_get_data: "uv_handle_get_data" => unsafe extern "C" fn(*const UvHandle) -> *mut c_void;
    prepare_init: "uv_prepare_init" => InitFn;
    prepare_start: "uv_prepare_start" => StartFn;
    check_init: "uv_check_init" => InitFn;
    check_start: "uv_check_start" => StartFn;
    async_init: "uv_async_init" => AsyncInitFn;
    async_send: "uv_async_send" => unsafe extern "C" fn(*mut UvHandle) -> c_int;
    close: "uv_close" => unsafe extern "C" fn(*mut UvHandle, HandleCallback);
    reference: "uv_ref" => HandleFn;
    unreference: "uv_unref" => HandleFn;
    backend_timeout: "uv_backend_timeout" => unsafe extern "C" fn(*const UvLoop) -> c_int;
    backend_fd: "uv_backend_fd" => unsafe extern "C" fn(*const UvLoop) -> c_int;
    now: "uv_now" => unsafe extern "C" fn(*const UvLoop) -> u64;
    hrtime: "uv_hrtime" => unsafe extern "C" fn() -> u64;
    update_time: "uv_update_time" => unsafe extern "C" fn(*mut UvLoop);
}

#[cfg(unix)]
use libloading::os::unix::Library;
#[cfg(windows)]
use libloading::os::windows::Library;

#[cfg(unix)]
fn host() -> Option<Library> {
    Some(Library::this())
}

#[cfg(windows)]
fn host() -> Option<Library> {
    Library::this().ok()
}

/// The host's libuv, or `None` where it has none that can carry the wait.
pub(crate) fn uv() -> Option<&'static Uv> {
    static UV: OnceLock<Option<Uv>> = OnceLock::new();
    UV.get_or_init(|| Uv::load(&host()?)).as_ref()
}
