//! The JavaScript that a station holds on to, and calls.
//!
//! A [`Reference`] keeps a value alive, a [`Callback`] a function with the async context that it is
//! called in. Both let go when they are dropped, so an `open` that fails half-way leaves nothing
//! behind. All of it belongs to one environment and stays on that environment's thread.

use std::ptr;

use napi::sys;

/// What N-API answered, if it was not `napi_ok`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused(pub(crate) sys::napi_status);

/// Turns an answer of N-API into a result.
pub(crate) fn check(status: sys::napi_status) -> Result<(), Refused> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Refused(status))
    }
}

/// A strong reference to a JavaScript value.
pub(crate) struct Reference {
    env: sys::napi_env,
    raw: sys::napi_ref,
}

impl Reference {
    /// # Safety
    ///
    /// `env` is this thread's environment and outlives the reference, which is dropped on this
    /// thread. `value` is live in the current handle scope.
    pub(crate) unsafe fn new(env: sys::napi_env, value: sys::napi_value) -> Result<Self, Refused> {
        let mut raw = ptr::null_mut();
        // SAFETY: the caller's contract; the out-pointer is valid for the call.
        check(unsafe { sys::napi_create_reference(env, value, 1, &mut raw) })?;
        Ok(Self { env, raw })
    }

    /// The value, live in the current handle scope; null if N-API does not give it.
    fn value(&self) -> sys::napi_value {
        let mut value = ptr::null_mut();
        // SAFETY: a reference of this environment, deleted only by `drop`.
        unsafe { sys::napi_get_reference_value(self.env, self.raw, &mut value) };
        value
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: made in `new`, deleted once, on the environment's own thread.
        unsafe { sys::napi_delete_reference(self.env, self.raw) };
    }
}

/// An async context: what `async_hooks` and `AsyncLocalStorage` know a callback's calls by.
struct Context {
    env: sys::napi_env,
    raw: sys::napi_async_context,
}

impl Context {
    /// # Safety
    ///
    /// As for [`Reference::new`]; `resource` is an object.
    unsafe fn new(env: sys::napi_env, resource: sys::napi_value) -> Result<Self, Refused> {
        let mut name = ptr::null_mut();
        let text = c"cenote";
        let length = text.count_bytes() as isize;
        // SAFETY: the caller's environment; `length` bytes of UTF-8 lie at the pointer.
        check(unsafe { sys::napi_create_string_utf8(env, text.as_ptr(), length, &mut name) })?;
        let mut raw = ptr::null_mut();
        // SAFETY: as above; both values are live in the current scope.
        check(unsafe { sys::napi_async_init(env, resource, name, &mut raw) })?;
        Ok(Self { env, raw })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made in `new`, destroyed once, on the environment's own thread.
        unsafe { sys::napi_async_destroy(self.env, self.raw) };
    }
}

/// A function that the loop calls, as Node calls its own callbacks: in an async context, with the
/// microtasks and ticks run after it.
pub(crate) struct Callback {
    env: sys::napi_env,
    function: Reference,
    /// The object that stands for the callback in `async_hooks`.
    resource: Reference,
    context: Context,
}

impl Callback {
    /// # Safety
    ///
    /// As for [`Reference::new`], of the callback and of `function`. A value that is no function is
    /// refused.
    pub(crate) unsafe fn new(
        env: sys::napi_env,
        function: sys::napi_value,
    ) -> Result<Self, Refused> {
        let mut kind = sys::ValueType::napi_undefined;
        // SAFETY: the caller's environment and value; the out-pointer is valid for the call.
        check(unsafe { sys::napi_typeof(env, function, &mut kind) })?;
        if kind != sys::ValueType::napi_function {
            return Err(Refused(sys::Status::napi_function_expected));
        }
        let mut resource = ptr::null_mut();
        // SAFETY: as above.
        check(unsafe { sys::napi_create_object(env, &mut resource) })?;
        Ok(Self {
            env,
            // SAFETY: the caller's contract.
            function: unsafe { Reference::new(env, function) }?,
            // SAFETY: just made, in the current scope.
            resource: unsafe { Reference::new(env, resource) }?,
            // SAFETY: as above.
            context: unsafe { Context::new(env, resource) }?,
        })
    }

    /// Calls the function without arguments. What it throws is an uncaught exception. `false`: the
    /// environment runs no JavaScript any more.
    pub(crate) fn call(&self) -> bool {
        let env = self.env;
        let mut scope = ptr::null_mut();
        // SAFETY: the environment is this thread's and alive while its loop runs.
        if check(unsafe { sys::napi_open_handle_scope(env, &mut scope) }).is_err() {
            return false;
        }
        let (resource, function) = (self.resource.value(), self.function.value());
        // SAFETY: as above; receiver and function are live in the scope opened above.
        let status = unsafe {
            sys::napi_make_callback(
                env,
                self.context.raw,
                resource,
                function,
                0,
                ptr::null(),
                ptr::null_mut(),
            )
        };
        let threw = status == sys::Status::napi_pending_exception;
        if threw {
            self.report();
        }
        // SAFETY: opened above, closed once.
        unsafe { sys::napi_close_handle_scope(env, scope) };
        threw || status == sys::Status::napi_ok
    }

    /// Gives a pending exception to the host, which treats it as any uncaught one.
    fn report(&self) {
        let mut exception = ptr::null_mut();
        // SAFETY: the environment is this thread's; the out-pointer is valid for the call.
        let cleared = unsafe { sys::napi_get_and_clear_last_exception(self.env, &mut exception) };
        if check(cleared).is_ok() {
            // SAFETY: as above; the exception is live in the scope that `call` opened.
            unsafe { sys::napi_fatal_exception(self.env, exception) };
        }
    }
}
