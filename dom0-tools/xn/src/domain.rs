// SPDX-License-Identifier: MIT OR Apache-2.0
//! A domain as commands show it: what the hypervisor says of it, and its name.

use hypercalls::DomId;
use hypercalls::sched::ShutdownReason;
use serde::Serialize;
use xen_control::DomainInfo;

/// What is known of a domain. In JSON this is an element of `xn list -o json`: the names of fields are for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Domain {
    /// Its name, if the store has one.
    pub(crate) name: Option<String>,
    /// Its number.
    pub(crate) id: u16,
    /// Its UUID.
    pub(crate) uuid: String,
    /// Memory it has, in KiB.
    pub(crate) memory_kib: u64,
    /// The most it may have, in KiB.
    pub(crate) max_memory_kib: u64,
    /// Claimed for it but not yet populated, in KiB.
    pub(crate) claimed_kib: u64,
    /// vCPUs in use.
    pub(crate) vcpus: u32,
    /// vCPUs it may use.
    pub(crate) max_vcpus: u32,
    /// `rbpscd` with dashes for what is not so.
    pub(crate) state: String,
    /// Why it shut down, if it did.
    pub(crate) shutdown_reason: Option<String>,
    /// Nanoseconds its vCPUs ran.
    pub(crate) cpu_time_ns: u64,
    /// Its CPU pool.
    pub(crate) cpupool: u32,
    /// The hypervisor's own record.
    #[serde(skip)]
    pub(crate) info: DomainInfo,
}

impl Domain {
    /// From the hypervisor's record.
    pub(crate) fn new(info: DomainInfo, name: Option<String>) -> Self {
        let kib = |pages: u64| pages.saturating_mul(4);
        Self {
            name,
            id: info.id.raw(),
            uuid: uuid(&info.uuid),
            memory_kib: kib(info.pages),
            max_memory_kib: kib(info.max_pages),
            claimed_kib: kib(info.claimed_pages),
            vcpus: info.online_vcpus,
            max_vcpus: info.vcpus,
            state: state(&info),
            shutdown_reason: info.shutdown.map(reason),
            cpu_time_ns: info.cpu_time_ns,
            cpupool: info.cpupool,
            info,
        }
    }

    /// Its number.
    pub(crate) fn dom_id(&self) -> DomId {
        self.info.id
    }

    /// Its name, or what `xl` prints for none.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("(null)")
    }
}

/// `8-4-4-4-12` hexadecimal digits.
pub(crate) fn uuid(handle: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in handle.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn state(info: &DomainInfo) -> String {
    [
        ('r', info.running),
        ('b', info.blocked),
        ('p', info.paused),
        ('s', info.shutdown.is_some()),
        ('c', info.shutdown == Some(ShutdownReason::CRASH)),
        ('d', info.dying),
    ]
    .map(|(letter, is)| if is { letter } else { '-' })
    .iter()
    .collect()
}

/// The name of a shutdown reason as `on_*` settings use it, or its number.
pub(crate) fn reason(reason: ShutdownReason) -> String {
    let name = match reason {
        ShutdownReason::POWEROFF => "poweroff",
        ShutdownReason::REBOOT => "reboot",
        ShutdownReason::SUSPEND => "suspend",
        ShutdownReason::CRASH => "crash",
        ShutdownReason::WATCHDOG => "watchdog",
        ShutdownReason::SOFT_RESET => "soft_reset",
        other => return other.raw().to_string(),
    };
    name.into()
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use hypercalls::Mfn;

    /// A record as the hypervisor gives it: blocked unless it ended.
    pub(crate) fn info(id: u16, shutdown: Option<ShutdownReason>) -> DomainInfo {
        DomainInfo {
            id: DomId::new(id),
            dying: false,
            shutdown,
            paused: false,
            blocked: shutdown.is_none(),
            running: false,
            hvm: false,
            pages: 65536,
            max_pages: 65792,
            claimed_pages: 256,
            shared_pages: 0,
            shared_info: Mfn::new(1),
            cpu_time_ns: 1_234_567_890,
            online_vcpus: 2,
            vcpus: 4,
            ssidref: 0,
            uuid: *b"0123456789abcdef",
            cpupool: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_those_of_xl() {
        let state = |info: DomainInfo| Domain::new(info, None).state;
        let base = || DomainInfo { blocked: false, ..samples::info(1, None) };
        assert_eq!(state(DomainInfo { running: true, ..base() }), "r-----");
        assert_eq!(state(DomainInfo { blocked: true, ..base() }), "-b----");
        assert_eq!(state(DomainInfo { paused: true, ..base() }), "--p---");
        assert_eq!(state(DomainInfo { shutdown: Some(ShutdownReason::POWEROFF), ..base() }), "---s--");
        assert_eq!(state(DomainInfo { shutdown: Some(ShutdownReason::CRASH), ..base() }), "---sc-");
        assert_eq!(state(DomainInfo { dying: true, paused: true, ..base() }), "--p--d");
    }

    #[test]
    fn reasons_have_names() {
        assert_eq!(reason(ShutdownReason::REBOOT), "reboot");
        assert_eq!(reason(ShutdownReason::new(99)), "99");
    }

    #[test]
    fn uuids_are_in_groups() {
        assert_eq!(uuid(b"0123456789abcdef"), "30313233-3435-3637-3839-616263646566");
    }

    #[test]
    fn json_is_stable() {
        let domain = Domain::new(samples::info(7, None), Some("demo".into()));
        assert_eq!(
            serde_json::to_string(&domain).unwrap(),
            concat!(
                r#"{"name":"demo","id":7,"uuid":"30313233-3435-3637-3839-616263646566","memory_kib":262144,"#,
                r#""max_memory_kib":263168,"claimed_kib":1024,"vcpus":2,"max_vcpus":4,"state":"-b----","#,
                r#""shutdown_reason":null,"cpu_time_ns":1234567890,"cpupool":0}"#
            )
        );
    }
}
