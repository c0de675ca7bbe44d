// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `dom0_mem=` option: what it says, and how many pages that is on this machine.
#![forbid(unsafe_code)]

use super::cmdline::parse_size;

const PAGE_SHIFT: u32 = 12;
/// Without `dom0_mem=`, a sixteenth of memory stays free, but no more than this: 128 MiB in pages.
const DEFAULT_RESERVE_MAX_PAGES: u64 = 128 << (20 - PAGE_SHIFT);

/// This much always stays free for the hypervisor, whatever is asked for: a 32nd of memory, but no more than 16 MiB, in pages.
const KEEP_MAX_PAGES: u64 = 16 << (20 - PAGE_SHIFT);

/// An amount of memory: `bytes` plus `percent` of what is available; or available memory less `bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    /// The absolute part, in bytes.
    pub(crate) bytes: u64,
    /// The absolute part is subtracted from the available memory.
    pub(crate) negative: bool,
    /// The relative part, in percent of the available memory.
    pub(crate) percent: u32,
}

impl Amount {
    /// Parses `512M`, `-128M`, `25%` or `256M+10%`.
    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (size, fraction) = match text.split_once('+') {
            Some((size, fraction)) => (Some(size), Some(fraction)),
            None if text.ends_with('%') => (None, Some(text)),
            None => (Some(text), None),
        };
        if negative && size.is_none() {
            return None;
        }
        let percent = match fraction {
            None => 0,
            Some(fraction) => {
                let digits = fraction.strip_suffix('%')?;
                if !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                digits.parse().ok().filter(|percent| *percent <= 100)?
            }
        };
        Some(Self { bytes: size.map_or(Some(0), parse_size)?, negative, percent })
    }

    fn pages(self, available: u64) -> u64 {
        let absolute = self.bytes >> PAGE_SHIFT;
        let base = if self.negative { available.saturating_sub(absolute) } else { absolute };
        let relative = u128::from(available) * u128::from(self.percent) / 100;
        base.saturating_add(u64::try_from(relative).unwrap_or(u64::MAX))
    }
}

/// The three amounts of `dom0_mem=`; each may be absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dom0Mem {
    /// The amount asked for.
    pub(crate) size: Option<Amount>,
    /// `min:`, the least dom0 can do with.
    pub(crate) min: Option<Amount>,
    /// `max:`, the most dom0 may ever balloon up to.
    pub(crate) max: Option<Amount>,
}

/// What dom0 gets on a particular machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dom0Pages {
    /// Pages to build dom0 with.
    pub(crate) initial: u64,
    /// Pages it may balloon up to; `None` without a limit.
    pub(crate) max: Option<u64>,
    /// What was asked for, in pages, if the machine has less; `initial` is then what it gets by default.
    pub(crate) short_of: Option<u64>,
}

/// The machine has less than what `min:` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLittle {
    /// Pages that `min:` asks for.
    pub(crate) min: u64,
    /// Pages there are for dom0.
    pub(crate) available: u64,
}

impl Dom0Mem {
    /// Parses the option's value; `None` if it is malformed.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut spec = Self::default();
        for item in value.split(',') {
            if let Some(amount) = item.strip_prefix("min:") {
                spec.min = Some(Amount::parse(amount)?);
            } else if let Some(amount) = item.strip_prefix("max:") {
                spec.max = Some(Amount::parse(amount)?);
            } else {
                spec.size = Some(Amount::parse(item)?);
            }
        }
        Some(spec)
    }

    /// Applies the amounts to a machine with `available` free pages: at least `min`, then at most `max`. If there is less than
    /// that, dom0 gets what it gets without any size.
    ///
    /// # Errors
    /// There is less than `min`.
    pub(crate) fn resolve(self, available: u64) -> Result<Dom0Pages, TooLittle> {
        let max = self.max.map(|amount| amount.pages(available));
        let most = available - (available / 32).min(KEEP_MAX_PAGES);
        let by_default = available - (available / 16).min(DEFAULT_RESERVE_MAX_PAGES);
        let at_least = self.min.map_or(0, |min| min.pages(available));
        if at_least > most {
            return Err(TooLittle { min: at_least, available: most });
        }
        let asked = self.size.map_or(by_default, |size| size.pages(available));
        let wanted = asked.max(at_least).min(max.unwrap_or(u64::MAX));
        let is_short = wanted > most;
        Ok(Dom0Pages {
            initial: if is_short { by_default.max(at_least) } else { wanted },
            max,
            short_of: is_short.then_some(wanted),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 8;

    fn resolve(value: &str, available: u64) -> Dom0Pages {
        Dom0Mem::parse(value).unwrap().resolve(available).unwrap()
    }

    #[test]
    fn all_forms() {
        assert_eq!(resolve("512M", 1024 * MIB).initial, 512 * MIB);
        assert_eq!(resolve("524288", 1024 * MIB).initial, 512 * MIB);
        assert_eq!(resolve("-128M", 1024 * MIB).initial, 896 * MIB);
        assert_eq!(resolve("25%", 1024 * MIB).initial, 256 * MIB);
        assert_eq!(resolve("256M+25%", 1024 * MIB).initial, 512 * MIB);
        assert_eq!(resolve("min:600M,max:700M,512M", 1024 * MIB).initial, 600 * MIB);
        assert_eq!(
            resolve("1G,max:700M", 2048 * MIB),
            Dom0Pages { initial: 700 * MIB, max: Some(700 * MIB), short_of: None }
        );
        assert_eq!(resolve("4G", 1024 * MIB), Dom0Pages { initial: 960 * MIB, max: None, short_of: Some(4096 * MIB) });
        assert_eq!(resolve("max:50%", 1024 * MIB).initial, 512 * MIB);
        assert_eq!(resolve("-8G", 1024 * MIB).initial, 0);
    }

    fn resolve_default(available: u64) -> u64 {
        Dom0Mem::default().resolve(available).unwrap().initial
    }

    #[test]
    fn a_minimum_is_one() {
        let too_much = Dom0Mem::parse("512M,min:2G").unwrap().resolve(1024 * MIB);
        assert_eq!(too_much, Err(TooLittle { min: 2048 * MIB, available: 1008 * MIB }));
        assert_eq!(resolve("4G,min:1000M", 1024 * MIB).initial, 1000 * MIB);
        assert_eq!(resolve("1008M", 1024 * MIB).short_of, None);
        assert_eq!(resolve("1009M", 1024 * MIB).initial, 960 * MIB);
    }

    #[test]
    fn default_leaves_some() {
        assert_eq!(resolve_default(512 * MIB), 480 * MIB);
        assert_eq!(resolve_default(8192 * MIB), (8192 - 128) * MIB);
        assert_eq!(resolve_default(0), 0);
    }

    #[test]
    fn malformed() {
        for bad in ["", "M", "12Q", "min:", "12%%", "101%", "-10%", "1G+", "1G+5", "+5%", "--1G", "99999999999T", "1G,"]
        {
            assert_eq!(Dom0Mem::parse(bad), None, "{bad}");
        }
    }
}
