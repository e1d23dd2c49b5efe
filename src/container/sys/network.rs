//! Sets up an isolated network namespace by rtnetlink(7): loopback only, which to programs
//! nevertheless looks like a machine's network.
//!
//! | what a program does | what happens |
//! | --- | --- |
//! | connects to 127.0.0.1, `::1` or the machine's own address | works as usual |
//! | asks for the machine's own address (interfaces, `AI_ADDRCONFIG`, a connected UDP socket) | [`OWN_V4`] and [`OWN_V6`] |
//! | joins a multicast group, sends to one, broadcasts | all listeners in the namespace receive it |
//! | connects to any other address over TCP | `ENETUNREACH`, at once |
//! | sends datagrams to any other address | they are dropped |
//!
//! A UDP socket can be connected to any address, since a rule for that protocol alone leads to a
//! separate table, in which every address is local. The other effects of a local address (that it
//! can be bound, that TCP is answered) the kernel looks up elsewhere.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

/// The machine's own address: of a private network, and none that documentation or tests use for
/// machines that don't exist.
pub const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 213, 7, 1);

/// The machine's own address of the other family.
pub const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfd6d, 0x6165, 0x6c73, 0, 0, 0, 0, 1);

/// `LOOPBACK_IFINDEX`: the same in every namespace.
const LOOPBACK: u32 = 1;

/// The table in which every address is local.
const EVERYWHERE: u8 = 100;

/// Before the main table, which has no route to elsewhere, and after the local one.
const RULE_PRIORITY: u32 = 100;

const FR_ACT_TO_TBL: u8 = 1;
const FRA_PRIORITY: u16 = 6;
const FRA_IP_PROTO: u16 = 22;

/// An error's number, and the header of the message that it answers.
const ERROR_BYTES: usize = 4 + HEADER_BYTES;
const HEADER_BYTES: usize = 16;

/// Several requests, sent at once.
#[derive(Default)]
struct NetlinkBatch {
    bytes: Vec<u8>,
    requests: u32,
}

impl NetlinkBatch {
    /// Adds a request: a fixed part, and attributes of these types.
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

    /// Sends all requests. The answers are in their order.
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

/// The first answer in a datagram: to which request, what, and what follows.
fn answer(bytes: &[u8]) -> Option<(usize, nix::Result<()>, &[u8])> {
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    // A length of zero would have the caller read this answer forever.
    let length = (word(0)? as usize).max(HEADER_BYTES + ERROR_BYTES);
    let request = word(8)? as usize;
    let answer = match word(HEADER_BYTES)? as i32 {
        0 => Ok(()),
        errno => Err(Errno::from_raw(errno.saturating_neg())),
    };
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((request, answer, after))
}

/// One family's constants.
struct IpFamily {
    number: u8,
    own: Vec<u8>,
    multicast: Vec<u8>,
    multicast_bits: u8,
    /// The table, the scope and the type of the route to multicast groups.
    multicast_route: (u8, u8, u8),
    /// The scope of a route to what is local.
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
            // The kernel delivers what loops back by its route alone: to groups as to addresses.
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

/// Sets up the network of the calling process's namespace, a fresh one. What the kernel was built
/// without (the other family, rules) is left out.
///
/// Returns the socket it was done with: the kernel counts one that is closed among the namespace's
/// sockets for some time yet, so that whoever counts them must keep it.
pub fn bring_loopback_up() -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let mut batch = NetlinkBatch::default();
    let flags = ((libc::IFF_UP | libc::IFF_MULTICAST) as u32).to_ne_bytes();
    // Of no family and no type.
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
    // Without rules there is no such table either, and the routes would end up in the main one.
    let mut batch = NetlinkBatch::default();
    // Each family has three requests, of which the rule is the last.
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
