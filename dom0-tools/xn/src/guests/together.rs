// SPDX-License-Identifier: MIT OR Apache-2.0
//! Doing the same to several domains at once: most of the time is spent waiting for the hypervisor, the store and dom0's kernel.

use crate::error::Failure;
use crate::output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// So many at once: more would only wait for each other.
const AT_ONCE: usize = 8;

/// Does `act` to all of `items`, several at a time. What it returned, in the order of the items; then the first failure. Only one can be the
/// command's: all others are said on standard error.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    act: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> (Vec<R>, Result<(), Failure>) {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = act(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..items.len().min(AT_ONCE) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    let (mut values, mut first) = (Vec::new(), Ok(()));
    for (_, result) in done {
        match result {
            Ok(value) => values.push(value),
            Err(failure) if first.is_ok() => first = Err(failure),
            Err(failure) => output::note(failure),
        }
    }
    (values, first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    #[test]
    fn all_are_done_in_order_and_the_first_failure_is_told() {
        let items: Vec<usize> = (0..50).collect();
        let odd = |item: &usize| match item % 10 {
            7 => Err(Failure::new(Class::Failed, item)),
            _ => Ok(item * 2),
        };
        let (values, first) = each(&items, odd);
        assert_eq!(values, items.iter().filter(|item| *item % 10 != 7).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(first, Err(Failure::new(Class::Failed, 7)));
        assert_eq!(each(&[] as &[usize], odd), (vec![], Ok(())));
    }
}
