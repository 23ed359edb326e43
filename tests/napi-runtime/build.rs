//! Tells the linker which symbols Node itself provides when it loads the addon.

fn main() {
    napi_build::setup();
}
