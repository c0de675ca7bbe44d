// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Dom0's network interfaces, by rtnetlink: find, make, change, remove, and wait for them.

use crate::error::Error;
use crate::netlink::{self, Link, Request};
use crate::wait::Deadline;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

/// `IFF_UP`
const UP: u32 = 1;
/// `RTMGRP_LINK`
const GROUP_LINK: u32 = 1;
/// Larger than any message about one link.
const BUFFER: usize = 64 << 10;

/// A connection to rtnetlink.
#[derive(Debug)]
pub struct Links {
    socket: OwnedFd,
    sequence: u32,
}

impl Links {
    /// Connects.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { socket: socket(0).map_err(|error| Error::system("rtnetlink", &error))?, sequence: 0 })
    }

    /// The interface of this name.
    ///
    /// # Errors
    /// The kernel's.
    pub fn find(&mut self, name: &str) -> Result<Option<Link>, Error> {
        let request = Request::new(netlink::GET_LINK, 0, &netlink::link_body(0, 0, 0)).text(netlink::LINK_NAME, name);
        match self.ask(request) {
            Ok(link) => Ok(link),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(None),
            Err(error) => Err(Error::system(format_args!("interface {name}"), &error)),
        }
    }

    /// Makes a bridge that forwards at once, with an address of its own: without one it would take over that of whatever interface joins it.
    ///
    /// # Errors
    /// The kernel's; `AlreadyExists` if someone else was faster.
    pub(crate) fn create_bridge(&mut self, name: &str, mac: [u8; 6]) -> io::Result<()> {
        let data = netlink::encoded(netlink::BRIDGE_FORWARD_DELAY, &0_u32.to_ne_bytes());
        let info =
            [netlink::encoded(netlink::INFO_KIND, b"bridge\0"), netlink::encoded(netlink::INFO_DATA, &data)].concat();
        let request =
            Request::new(netlink::NEW_LINK, netlink::CREATE | netlink::EXCLUSIVE, &netlink::link_body(0, UP, UP))
                .text(netlink::LINK_NAME, name)
                .attribute(netlink::LINK_ADDRESS, &mac)
                .attribute(netlink::LINK_INFO, &info);
        self.ask(request).map(|_| ())
    }

    /// Lets an interface join the bridge with index `bridge`, or leave its own for 0.
    pub(crate) fn set_master(&mut self, index: u32, bridge: u32) -> io::Result<()> {
        self.change(index, 0, |request| request.attribute(netlink::LINK_MASTER, &bridge.to_ne_bytes()))
    }

    /// Renames an interface that is down.
    pub(crate) fn rename(&mut self, index: u32, name: &str) -> io::Result<()> {
        self.change(index, 0, |request| request.text(netlink::LINK_NAME, name))
    }

    /// Sets the largest packet, in bytes.
    pub(crate) fn set_mtu(&mut self, index: u32, mtu: u32) -> io::Result<()> {
        self.change(index, 0, |request| request.attribute(netlink::LINK_MTU, &mtu.to_ne_bytes()))
    }

    /// Switches an interface on.
    pub(crate) fn up(&mut self, index: u32) -> io::Result<()> {
        self.change(index, UP, |request| request)
    }

    /// Gives an interface an address; one that it has already is no error.
    pub(crate) fn add_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let (family, bytes) = match address {
            IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
            IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
        };
        // struct ifaddrmsg: family, prefix length, flags, scope, index.
        let family = u8::try_from(family.as_raw()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut body = vec![family, prefix, 0, 0];
        body.extend_from_slice(&index.to_ne_bytes());
        let request = Request::new(netlink::NEW_ADDRESS, netlink::CREATE | netlink::EXCLUSIVE, &body)
            .attribute(netlink::ADDRESS_LOCAL, &bytes)
            .attribute(netlink::ADDRESS, &bytes);
        match self.ask(request) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Removes an interface.
    ///
    /// # Errors
    /// The kernel's.
    pub fn delete(&mut self, link: &Link) -> Result<(), Error> {
        self.ask(Request::new(netlink::DEL_LINK, 0, &netlink::link_body(link.index, 0, 0)))
            .map(|_| ())
            .map_err(|error| Error::system(format_args!("interface {}", link.name), &error))
    }

    fn change(&mut self, index: u32, flags: u32, with: impl FnOnce(Request) -> Request) -> io::Result<()> {
        self.ask(with(Request::new(netlink::NEW_LINK, 0, &netlink::link_body(index, flags, flags)))).map(|_| ())
    }

    /// Sends a request and reads up to its acknowledgement; the link in the answer, if there is one.
    fn ask(&mut self, request: Request) -> io::Result<Option<Link>> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.finish(self.sequence);
        rustix::net::send(&self.socket, &bytes, SendFlags::empty())?;
        let mut buffer = vec![0; BUFFER];
        let mut found = None;
        loop {
            let (length, _) =
                rustix::io::retry_on_intr(|| rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty()))?;
            for message in netlink::messages(buffer.get(..length).unwrap_or_default()) {
                if message.sequence != self.sequence {
                    continue;
                }
                match message.kind {
                    netlink::ERROR => match netlink::errno(message.body) {
                        Some(0) => return Ok(found),
                        Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
                        None => return Err(io::ErrorKind::InvalidData.into()),
                    },
                    netlink::NEW_LINK => found = netlink::link(message.body),
                    _ => {}
                }
            }
        }
    }
}

/// News of links that appear and disappear. Made before the thing that is waited for is started, it misses nothing.
#[derive(Debug)]
pub struct LinkNews {
    socket: OwnedFd,
}

impl LinkNews {
    /// Begins to listen.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { socket: socket(GROUP_LINK).map_err(|error| Error::system("rtnetlink", &error))? })
    }

    /// Waits until the interface `name` is there (`Some`) or, with `there` false, is gone.
    ///
    /// # Errors
    /// `TimedOut` after the deadline, or the kernel's.
    pub fn wait(&self, links: &mut Links, name: &str, there: bool, deadline: Deadline) -> Result<Option<Link>, Error> {
        let mut buffer = vec![0; BUFFER];
        loop {
            // Asked anew after each message: also right when the kernel had to drop some.
            let found = links.find(name)?;
            if found.is_some() == there {
                return Ok(found);
            }
            deadline.readable(&self.socket).map_err(|error| Error::system(format_args!("interface {name}"), &error))?;
            match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok(_) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::system("rtnetlink", &error.into())),
            }
        }
    }
}

fn socket(groups: u32) -> io::Result<OwnedFd> {
    // No protocol, that is number 0: NETLINK_ROUTE.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}
