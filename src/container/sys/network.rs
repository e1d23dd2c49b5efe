//! Sets up an isolated network namespace with rtnetlink(7). It has only a loopback interface, but
//! looks like a machine's network to programs.
//!
//! - Connections to 127.0.0.1, `::1` or the machine's own address work as usual.
//! - Programs that ask for the machine's own address (interfaces, `AI_ADDRCONFIG`, a connected UDP
//!   socket) get [`OWN_V4`] and [`OWN_V6`].
//! - All listeners in the namespace receive broadcasts and what is sent to multicast groups that
//!   they have joined.
//! - TCP connections to any other address fail immediately with `ENETUNREACH`.
//! - Datagrams to any other address are dropped.
//!
//! A UDP socket can be connected to any address, because a rule for that protocol only leads to a
//! separate routing table in which every address is local. The other effects of a local address
//! (that sockets can be bound to it, that TCP connections to it are answered) depend on other
//! tables.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

/// The machine's own IPv4 address. It belongs to a private network, and is not one that
/// documentation or tests use for nonexistent machines.
pub const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 213, 7, 1);

/// The machine's own IPv6 address.
pub const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfd6d, 0x6165, 0x6c73, 0, 0, 0, 0, 1);

/// `LOOPBACK_IFINDEX`, the same in every namespace.
const LOOPBACK: u32 = 1;

/// The number of the routing table in which every address is local.
const EVERYWHERE: u8 = 100;

/// The priority of the rule: before the main table, which has no routes to other machines, and
/// after the local one.
const RULE_PRIORITY: u32 = 100;

const FR_ACT_TO_TBL: u8 = 1;
const FRA_PRIORITY: u16 = 6;
const FRA_IP_PROTO: u16 = 22;

/// The size of an error message: the error number, and the header of the request that it answers.
const ERROR_BYTES: usize = 4 + HEADER_BYTES;
const HEADER_BYTES: usize = 16;

/// Several requests that are sent at once.
#[derive(Default)]
struct NetlinkBatch {
    bytes: Vec<u8>,
    requests: u32,
}

impl NetlinkBatch {
    /// Adds a request that consists of a fixed part and attributes.
    fn push(&mut self, kind: u16, flags: libc::c_int, fixed: &[u8], attributes: &[(u16, &[u8])]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        let flags = (flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.requests.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(fixed);
        for (kind, value) in attributes {
            let length = (value.len() + 4) as u16;
            self.bytes.extend_from_slice(&length.to_ne_bytes());
            self.bytes.extend_from_slice(&kind.to_ne_bytes());
            self.bytes.extend_from_slice(value);
            self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        }
        let length = (self.bytes.len() - start) as u32;
        if let Some(place) = self.bytes.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        self.requests += 1;
    }

    /// Sends all requests. Returns their results in the order of the requests.
    fn send(&self, socket: &OwnedFd) -> nix::Result<Vec<nix::Result<()>>> {
        send(socket.as_raw_fd(), &self.bytes, MsgFlags::empty())?;
        let mut answers = vec![Err(Errno::EPROTO); self.requests as usize];
        let mut buffer = [0; 4096];
        let mut missing = answers.len();
        while missing > 0 {
            let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((request, answer, after)) = answer(rest) {
                if let Some(place) = answers.get_mut(request) {
                    *place = answer;
                }
                missing = missing.saturating_sub(1);
                rest = after;
            }
        }
        Ok(answers)
    }
}

/// Parses the first answer in a datagram. Returns the index of the request, its result, and the
/// remaining bytes.
fn answer(bytes: &[u8]) -> Option<(usize, nix::Result<()>, &[u8])> {
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    // A length of zero would make the caller parse this answer forever.
    let length = (word(0)? as usize).max(HEADER_BYTES + ERROR_BYTES);
    let request = word(8)? as usize;
    let answer = match word(HEADER_BYTES)? as i32 {
        0 => Ok(()),
        errno => Err(Errno::from_raw(errno.saturating_neg())),
    };
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((request, answer, after))
}

/// The constants of an address family.
struct IpFamily {
    number: u8,
    own: Vec<u8>,
    multicast: Vec<u8>,
    multicast_bits: u8,
    /// The table, scope and type of the route to multicast groups.
    multicast_route: (u8, u8, u8),
    /// The scope of routes to local addresses.
    local_scope: u8,
    address_flags: u8,
}

fn families() -> [IpFamily; 2] {
    [
        IpFamily {
            number: libc::AF_INET as u8,
            own: OWN_V4.octets().into(),
            multicast: vec![224, 0, 0, 0],
            multicast_bits: 4,
            multicast_route: (libc::RT_TABLE_MAIN, libc::RT_SCOPE_LINK, libc::RTN_UNICAST),
            local_scope: libc::RT_SCOPE_HOST,
            address_flags: 0,
        },
        IpFamily {
            number: libc::AF_INET6 as u8,
            own: OWN_V6.octets().into(),
            multicast: Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).octets().into(),
            multicast_bits: 8,
            // The kernel delivers looped-back packets by their route alone, to groups as well as to
            // addresses.
            multicast_route: (
                libc::RT_TABLE_LOCAL,
                libc::RT_SCOPE_UNIVERSE,
                libc::RTN_LOCAL,
            ),
            local_scope: libc::RT_SCOPE_UNIVERSE,
            address_flags: libc::IFA_F_NODAD as u8,
        },
    ]
}

impl IpFamily {
    fn add_address(&self, batch: &mut NetlinkBatch) {
        let bits = (self.own.len() * 8) as u8;
        let mut fixed = vec![
            self.number,
            bits,
            self.address_flags,
            libc::RT_SCOPE_UNIVERSE,
        ];
        fixed.extend_from_slice(&LOOPBACK.to_ne_bytes());
        let attributes = [(libc::IFA_LOCAL, self.own.as_slice())];
        batch.push(libc::RTM_NEWADDR, NEW, &fixed, &attributes);
    }

    fn add_route(&self, batch: &mut NetlinkBatch, (table, scope, kind): (u8, u8, u8), bits: u8) {
        let protocol = libc::RTPROT_BOOT;
        let fixed = [self.number, bits, 0, 0, table, protocol, scope, kind];
        let index = LOOPBACK.to_ne_bytes();
        let mut attributes = vec![
            (libc::RTA_OIF, index.as_slice()),
            (libc::RTA_PREFSRC, self.own.as_slice()),
        ];
        if bits > 0 {
            attributes.push((libc::RTA_DST, self.multicast.as_slice()));
        }
        let fixed = [fixed.as_slice(), &[0; 4]].concat();
        batch.push(libc::RTM_NEWROUTE, NEW, &fixed, &attributes);
    }

    fn add_rule(&self, batch: &mut NetlinkBatch) {
        let fixed = [self.number, 0, 0, 0, EVERYWHERE, 0, 0, FR_ACT_TO_TBL];
        let fixed = [fixed.as_slice(), &[0; 4]].concat();
        let attributes: [(u16, &[u8]); 2] = [
            (FRA_PRIORITY, &RULE_PRIORITY.to_ne_bytes()),
            (FRA_IP_PROTO, &[libc::IPPROTO_UDP as u8]),
        ];
        batch.push(libc::RTM_NEWRULE, NEW, &fixed, &attributes);
    }
}

const NEW: libc::c_int = libc::NLM_F_CREATE | libc::NLM_F_EXCL;

/// Sets up the network of the calling process's namespace, which must be new. Features that the
/// kernel was built without (IPv6, rules) are skipped.
///
/// Returns the socket that was used. The kernel counts a closed socket as one of the namespace's
/// sockets for some time, so callers that count them must keep it open.
pub fn bring_loopback_up() -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let mut batch = NetlinkBatch::default();
    let flags = ((libc::IFF_UP | libc::IFF_MULTICAST) as u32).to_ne_bytes();
    // The family and type are unspecified.
    let link = [[0; 4], LOOPBACK.to_ne_bytes(), flags, flags].concat();
    batch.push(libc::RTM_NEWLINK, 0, &link, &[]);
    let families = families();
    for family in &families {
        family.add_address(&mut batch);
        family.add_route(&mut batch, family.multicast_route, family.multicast_bits);
        family.add_rule(&mut batch);
    }
    let answers = batch.send(&socket)?;
    answers.first().copied().unwrap_or(Err(Errno::EPROTO))?;
    // Without rules the kernel does not support such tables, and the routes would end up in the
    // main one.
    let mut batch = NetlinkBatch::default();
    // Each family has three requests, the last of which is the rule.
    for (family, answers) in families
        .iter()
        .zip(answers.get(1..).unwrap_or_default().chunks(3))
    {
        if answers.last() == Some(&Ok(())) {
            let route = (EVERYWHERE, family.local_scope, libc::RTN_LOCAL);
            family.add_route(&mut batch, route, 0);
        }
    }
    if batch.requests > 0 {
        batch.send(&socket)?;
    }
    Ok(socket)
}
