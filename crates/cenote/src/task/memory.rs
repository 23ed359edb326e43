//! Where the cells of tasks live: blocks that are used again.
//!
//! A task is allocated by the thread that submits it and, if its handle was detached, freed by the
//! worker. General allocators are slow at that: a freed block goes back to its first thread one at
//! a time, through memory that the other thread has written last. Here freed blocks go back in
//! chains.
//!
//! Each thread keeps up to [`KEEP`] free blocks of its own. A thread that frees more than it
//! allocates hands them on, [`CHAIN`] at a time, to a stack that all threads share; one that needs
//! blocks takes all that are there. Pushing a chain is a compare-and-swap, taking all is a swap, so
//! a block cannot come back between two steps of anybody (no ABA). The shared stack holds
//! [`SHARED`] blocks, beyond which they are given back to the allocator; so is everything that a
//! thread keeps when it ends. Tasks that do not fit a block of [`BLOCK`] bytes are allocated as
//! usual.
//!
//! With `--cfg cenote_no_recycle` every task is allocated and freed as usual, so that tools that
//! watch the allocator see it.

use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

/// The bytes of a block: a header, and a closure of some 50 bytes.
const BLOCK: usize = 128;
const ALIGN: usize = 16;
/// What a thread keeps for itself.
const KEEP: usize = 64;
/// So many blocks go to the shared stack at once.
const CHAIN: usize = 32;
/// What the shared stack holds: 256 KiB.
const SHARED: usize = 2048;

/// A free block.
struct Block {
    next: *mut Block,
}

/// Memory for a `T`, not initialized.
pub(super) fn allocate<T>() -> NonNull<T> {
    if recycles::<T>()
        && let Some(block) = CACHE.try_with(Cache::take).ok().flatten()
    {
        return block.cast();
    }
    let layout = layout::<T>();
    // SAFETY: no layout of this module is of size 0: a block is not, and a cell has a header.
    let memory = unsafe { std::alloc::alloc(layout) };
    match NonNull::new(memory) {
        Some(memory) => memory.cast(),
        None => handle_alloc_error(layout),
    }
}

/// Gives back what [`allocate`] returned.
///
/// # Safety
///
/// `memory` came from `allocate::<T>`, nobody uses it any more, and what was in it is dropped.
pub(super) unsafe fn free<T>(memory: NonNull<T>) {
    if recycles::<T>() {
        let block = memory.cast::<Block>();
        // SAFETY: it is a block, since `T` is recycled, and the caller's from now on nobody's.
        if let Ok(()) = CACHE.try_with(|cache| unsafe { cache.put(block) }) {
            return;
        }
    }
    // SAFETY: `allocate` used the same layout for the same `T`; that a block went through a cache
    // changes nothing.
    unsafe { std::alloc::dealloc(memory.as_ptr().cast(), layout::<T>()) };
}

const fn recycles<T>() -> bool {
    !cfg!(any(miri, cenote_no_recycle))
        && mem::size_of::<T>() <= BLOCK
        && mem::align_of::<T>() <= ALIGN
}

const BLOCK_LAYOUT: Layout = match Layout::from_size_align(BLOCK, ALIGN) {
    Ok(layout) => layout,
    Err(_) => panic!("16 is a power of two"),
};

const fn layout<T>() -> Layout {
    if recycles::<T>() {
        BLOCK_LAYOUT
    } else {
        Layout::new::<T>()
    }
}

thread_local! {
    static CACHE: Cache = const {
        Cache {
            own: Chain::empty(),
            spare: Chain::empty(),
        }
    };
}

/// Free blocks, linked.
struct Chain {
    first: Cell<*mut Block>,
    /// About how many.
    len: Cell<usize>,
}

/// A thread's free blocks.
struct Cache {
    /// For its own tasks.
    own: Chain,
    /// For others', until there are enough of them.
    spare: Chain,
}

impl Chain {
    const fn empty() -> Chain {
        Chain {
            first: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
        }
    }

    /// # Safety
    ///
    /// The block is free, and in no chain.
    unsafe fn push(&self, block: NonNull<Block>) {
        // SAFETY: a free block of ours is writable, and large and aligned enough.
        unsafe {
            block.write(Block {
                next: self.first.get(),
            })
        };
        self.first.set(block.as_ptr());
        self.len.set(self.len.get() + 1);
    }

    fn pop(&self) -> Option<NonNull<Block>> {
        let block = NonNull::new(self.first.get())?;
        // SAFETY: it is in this chain, so it is a free block, and `push` or `Cache::refill` wrote
        // it.
        let next = unsafe { block.read() }.next;
        if let Some(next) = NonNull::new(next) {
            // The next task's memory, which another thread has written last, arrives while this
            // one's is filled.
            super::cell::prefetch(next.cast());
        }
        self.first.set(next);
        self.len.set(self.len.get().saturating_sub(1));
        Some(block)
    }
}

/// Blocks that are anybody's. The count is of those in the stack, or a little behind it.
static STACK: CachePadded<AtomicPtr<Block>> = CachePadded::new(AtomicPtr::new(ptr::null_mut()));
static COUNT: CachePadded<AtomicUsize> = CachePadded::new(AtomicUsize::new(0));

impl Cache {
    fn take(&self) -> Option<NonNull<Block>> {
        if let Some(block) = self.own.pop() {
            return Some(block);
        }
        if let Some(block) = self.spare.pop() {
            return Some(block);
        }
        self.refill()
    }

    /// Takes everything from the shared stack.
    #[cold]
    fn refill(&self) -> Option<NonNull<Block>> {
        // Relaxed: most threads find nothing, and need not write to the line for that.
        if STACK.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // Acquire: pairs with the Release in `give`, so that the links, and all uses of the blocks,
        // came before.
        let first = STACK.swap(ptr::null_mut(), Ordering::Acquire);
        let blocks = COUNT.swap(0, Ordering::Relaxed);
        self.own.first.set(first);
        // It may be off by what is being pushed just now: it only says when to hand blocks on.
        self.own.len.set(blocks);
        self.own.pop()
    }

    /// # Safety
    ///
    /// The block is free, and in no chain.
    unsafe fn put(&self, block: NonNull<Block>) {
        if self.own.len.get() < KEEP {
            // SAFETY: the caller's word.
            unsafe { self.own.push(block) };
            return;
        }
        // SAFETY: the caller's word.
        unsafe { self.spare.push(block) };
        if self.spare.len.get() >= CHAIN {
            self.give();
        }
    }

    /// Hands the spare blocks on.
    #[cold]
    fn give(&self) {
        let first = self.spare.first.replace(ptr::null_mut());
        let len = self.spare.len.replace(0);
        if COUNT.load(Ordering::Relaxed) >= SHARED {
            free_chain(first);
            return;
        }
        let Some(mut last) = NonNull::new(first) else {
            return;
        };
        loop {
            // SAFETY: a free block of a chain that is this thread's alone.
            let next = unsafe { last.read() }.next;
            match NonNull::new(next) {
                Some(next) => last = next,
                None => break,
            }
        }
        COUNT.fetch_add(len, Ordering::Relaxed);
        let mut top = STACK.load(Ordering::Relaxed);
        loop {
            // SAFETY: as above; only the step that succeeds gives the chain away.
            unsafe { last.write(Block { next: top }) };
            // Release: pairs with the Acquire in `refill`.
            match STACK.compare_exchange_weak(top, first, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }
}

fn free_chain(mut first: *mut Block) {
    while let Some(block) = NonNull::new(first) {
        // SAFETY: a free block of a chain that is this thread's alone.
        first = unsafe { block.read() }.next;
        // SAFETY: every block was allocated with this layout, and nothing links to it any more.
        unsafe { std::alloc::dealloc(block.as_ptr().cast(), BLOCK_LAYOUT) };
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        free_chain(self.own.first.replace(ptr::null_mut()));
        free_chain(self.spare.first.replace(ptr::null_mut()));
    }
}
