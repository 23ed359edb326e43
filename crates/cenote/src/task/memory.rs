//! Where the cells of tasks live: blocks that are used again.
//!
//! A task is allocated by the thread that submits it and, if its handle was detached, freed by the
//! worker. General allocators are slow at that: a freed block goes back to its first thread one at
//! a time, through memory that the other thread has written last. Here freed blocks go back in
//! chains.
//!
//! Each thread keeps up to [`KEEP`] free blocks of its own. A thread that frees more than it
//! allocates hands them on, [`CHAIN`] at a time, to a store that all threads share; one that needs
//! blocks takes a chain from there. Whoever finds the store in use by another thread does without
//! it, so nobody waits there: not for a thread that lost its CPU, nor, in a fork of the process,
//! for one that does not exist.
//!
//! A burst keeps many tasks in flight, so the store holds up to [`STORED`] chains while tasks flow.
//! When nothing has come for some time, workers [`trim`] it to [`RESTING`]. What is beyond is given
//! back to the allocator; so is everything that a thread keeps when it ends. Tasks that do not fit
//! a block of [`BLOCK`] bytes are allocated as usual.
//!
//! With `--cfg cenote_no_recycle` every task is allocated and freed as usual, so that tools that
//! watch the allocator see it.

use std::alloc::{Layout, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

/// The bytes of a block: a header, and a closure of some 50 bytes.
const BLOCK: usize = 128;
const ALIGN: usize = 16;
/// What a thread keeps for itself.
const KEEP: usize = 64;
/// So many blocks go to the store at once.
const CHAIN: usize = 32;
/// What the store holds, in chains: 4 MiB.
const STORED: usize = 1024;
/// What it holds when no tasks come: 256 KiB.
const RESTING: usize = 64;
/// So many chains are given back at once, which takes about 100 µs.
const PORTION: usize = 64;

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
        // SAFETY: it is in this chain, so it is a free block, and `push` wrote it.
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

/// Chains of blocks that are anybody's.
struct Store {
    in_use: AtomicBool,
    /// How many there are, for a look from outside.
    len: AtomicUsize,
    /// Of whoever has set `in_use`. A chain is its first block and its length.
    chains: UnsafeCell<Vec<(NonNull<Block>, usize)>>,
}

// SAFETY: the chains are used by one thread at a time (`with`), and so are their blocks, which are
// nobody else's.
unsafe impl Sync for Store {}

static STORE: CachePadded<Store> = CachePadded::new(Store {
    in_use: AtomicBool::new(false),
    len: AtomicUsize::new(0),
    chains: UnsafeCell::new(Vec::new()),
});

impl Store {
    /// Lets `change` at the chains. `None`: another thread has them.
    fn with<T>(&self, change: impl FnOnce(&mut Vec<(NonNull<Block>, usize)>) -> T) -> Option<T> {
        // Acquire: pairs with the Release below, so that all uses of the blocks came before.
        if self.in_use.load(Ordering::Relaxed) || self.in_use.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: whoever sets the flag is alone until it is cleared; `change` does not come here.
        let chains = unsafe { &mut *self.chains.get() };
        let result = change(chains);
        self.len.store(chains.len(), Ordering::Relaxed);
        self.in_use.store(false, Ordering::Release);
        Some(result)
    }

    fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
}

/// More is kept than there should be while no tasks come.
pub(crate) fn is_swollen() -> bool {
    STORE.len() > RESTING
}

/// Gives a portion of that back.
#[cold]
pub(crate) fn trim() {
    let beyond = STORE.with(|chains| {
        let beyond = chains.len().saturating_sub(RESTING).min(PORTION);
        chains.split_off(chains.len() - beyond)
    });
    for (first, _) in beyond.into_iter().flatten() {
        free_chain(first.as_ptr());
    }
}

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

    /// Takes a chain from the store.
    #[cold]
    fn refill(&self) -> Option<NonNull<Block>> {
        // Most threads find nothing, and need not write to the line for that.
        if STORE.len() == 0 {
            return None;
        }
        let (first, len) = STORE.with(Vec::pop)??;
        self.own.first.set(first.as_ptr());
        self.own.len.set(len);
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
        if self.spare.len.get().is_multiple_of(CHAIN) {
            self.give();
        }
    }

    /// Hands the spare blocks on. Where that is not possible at the moment, they stay until there
    /// are as many more.
    #[cold]
    fn give(&self) {
        let Some(first) = NonNull::new(self.spare.first.get()) else {
            return;
        };
        let len = self.spare.len.get();
        let has_room = STORE.with(|chains| {
            let has_room = chains.len() < STORED;
            if has_room {
                chains.push((first, len));
            }
            has_room
        });
        if let Some(has_room) = has_room {
            self.spare.first.set(ptr::null_mut());
            self.spare.len.set(0);
            if !has_room {
                free_chain(first.as_ptr());
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

#[cfg(all(test, not(any(miri, cenote_no_recycle, cenote_loom))))]
mod tests {
    use super::*;

    type Small = [u64; 4];

    /// Allocates and frees so many on this thread.
    fn use_and_free(blocks: usize) {
        let memory: Vec<_> = (0..blocks).map(|_| allocate::<Small>()).collect();
        for block in memory {
            // SAFETY: it was just allocated, and nothing is in it.
            unsafe { free::<Small>(block) };
        }
    }

    #[test]
    fn what_was_freed_is_used_again() {
        let first = allocate::<Small>();
        // SAFETY: it was just allocated, and nothing is in it.
        unsafe { free::<Small>(first) };
        let second = allocate::<Small>();
        assert_eq!(first, second);
        // SAFETY: as above.
        unsafe { free::<Small>(second) };
    }

    #[test]
    fn the_store_swells_to_its_limit_and_is_trimmed_again() {
        // More than it holds; other threads may use it at the same time.
        std::thread::spawn(|| use_and_free((STORED + RESTING) * CHAIN))
            .join()
            .expect("it only allocates");
        assert!(is_swollen());
        assert!(STORE.len() <= STORED);
        for _ in 0..10 * STORED / PORTION {
            trim();
        }
        assert!(!is_swollen());
    }
}
