// SPDX-License-Identifier: MIT OR Apache-2.0
//! A spin lock that owns its data. Interrupts are always off inside the hypervisor, so there is one kind only; while a
//! CPU spins it keeps answering other CPUs' TLB flushes through [`relax`].
#![forbid(unsafe_code)]

use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

use super::Rank;

/// A lock; see the module.
#[derive(Debug)]
pub(crate) struct SpinLock<T> {
    #[expect(dead_code, reason = "says at each lock where it stands in the order; a debugger shows it")]
    rank: Rank,
    inner: spin::Mutex<T>,
}

/// Holds a [`SpinLock`].
pub(crate) struct SpinGuard<'a, T> {
    inner: spin::MutexGuard<'a, T>,
}

static HOOK_SET: AtomicBool = AtomicBool::new(false);
static HOOK: spin::Once<fn()> = spin::Once::new();

/// Sets what a spinning CPU does between looks at the lock. Once, at boot.
pub(crate) fn set_relax_hook(hook: fn()) {
    HOOK.call_once(|| hook);
    HOOK_SET.store(true, Ordering::Release);
}

/// One turn of any wait loop: answers other CPUs, then pauses.
pub(crate) fn relax() {
    if HOOK_SET.load(Ordering::Acquire)
        && let Some(hook) = HOOK.get()
    {
        hook();
    }
    core::hint::spin_loop();
}

impl<T> SpinLock<T> {
    /// A lock of a rank.
    pub(crate) const fn new(rank: Rank, data: T) -> Self {
        Self { rank, inner: spin::Mutex::new(data) }
    }

    /// Waits for the lock.
    #[inline]
    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        loop {
            if let Some(inner) = self.inner.try_lock() {
                return SpinGuard { inner };
            }
            while self.inner.is_locked() {
                relax();
            }
        }
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        self.inner.try_lock().map(|inner| SpinGuard { inner })
    }
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}
