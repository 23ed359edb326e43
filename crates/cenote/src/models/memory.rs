//! The memory of tasks: freed exactly once, and not used afterwards.
//!
//! An allocator that knows a task's cell by its alignment, which [`Job`](super::payload::Job) sets.
//! A freed cell is kept until the end of the execution, filled with a value that is no valid object
//! of the checker's, so that any use of it panics. All threads of a model are one thread of the
//! system, so what is kept is per thread, and models run side by side.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The alignment of the cells that are watched. Nothing else in the process has it.
pub(super) const ALIGN: usize = 1024;

const MOST: usize = 16;

#[derive(Clone, Copy)]
struct Watched {
    cell: Option<(*mut u8, Layout)>,
    freed: bool,
}

const NONE: Watched = Watched {
    cell: None,
    freed: false,
};

thread_local! {
    static WATCHED: [Cell<Watched>; MOST] = const { [const { Cell::new(NONE) }; MOST] };
    static FREED_TWICE: Cell<bool> = const { Cell::new(false) };
}

struct Watch;

#[global_allocator]
static WATCH: Watch = Watch;

// SAFETY: everything is the system allocator's, except that some memory is given back to it later.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's word.
        let memory = unsafe { System.alloc(layout) };
        if layout.align() == ALIGN {
            WATCHED.with(|places| {
                let place = places.iter().find(|place| place.get().cell.is_none());
                let place = place.expect("a model has few tasks");
                place.set(Watched {
                    cell: Some((memory, layout)),
                    freed: false,
                });
            });
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if layout.align() != ALIGN {
            // SAFETY: the caller's word.
            unsafe { System.dealloc(memory, layout) };
            return;
        }
        WATCHED.with(|places| {
            let live = places.iter().find(|place| {
                let watched = place.get();
                !watched.freed && watched.cell.is_some_and(|(start, _)| start == memory)
            });
            let Some(place) = live else {
                FREED_TWICE.set(true);
                return;
            };
            // SAFETY: the memory is of this size, and was given back by its owner.
            unsafe { memory.write_bytes(0xfd, layout.size()) };
            place.set(Watched {
                freed: true,
                ..place.get()
            });
        });
    }
}

/// At the start of an execution.
pub(super) fn begin() {
    give_back();
}

/// At the end of an execution: every task was freed, once.
pub(super) fn end() {
    let live = WATCHED.with(|places| {
        let live = |place: &&Cell<Watched>| place.get().cell.is_some() && !place.get().freed;
        places.iter().filter(live).count()
    });
    assert!(!FREED_TWICE.get(), "a task was freed twice");
    assert_eq!(live, 0, "tasks were never freed");
    give_back();
}

fn give_back() {
    FREED_TWICE.set(false);
    WATCHED.with(|places| {
        for place in places {
            if let Some((memory, layout)) = place.replace(NONE).cell {
                // SAFETY: `alloc` got it from there, and `dealloc` kept it from going back.
                unsafe { System.dealloc(memory, layout) };
            }
        }
    });
}
