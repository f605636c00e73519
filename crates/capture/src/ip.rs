//! From an IP packet to the TCP segment in it: fragments, extension headers, IP within IP.

use std::net::IpAddr;

use etherparse::{
    IpNumber, Ipv6ExtensionSlice, Ipv6ExtensionsSlice, LaxIpPayloadSlice, LaxIpSlice, LaxIpv6Slice, TcpSlice,
};

use crate::fragments::{Fragment, Fragments};

/// One end of a TCP connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Endpoint {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
}

/// A TCP segment, as far as it was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    pub(crate) sequence: u32,
    /// The next byte that the sender expects, if it says so.
    pub(crate) acknowledged: Option<u32>,
    pub(crate) is_syn: bool,
    pub(crate) is_fin: bool,
    pub(crate) is_reset: bool,
    pub(crate) bytes: &'a [u8],
}

/// What became of an IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handled {
    /// It held a TCP segment, which was taken.
    Tcp,
    /// The same, but its end was not captured.
    TcpCutShort,
    /// It is a fragment whose others are missing yet.
    Fragment,
    /// It holds something else.
    Other,
    /// It makes no sense.
    Nonsense,
}

/// Finds the TCP segment in a packet and hands it to `take`. What came in fragments is kept in `fragments` until it is whole.
#[inline]
pub(crate) fn segment(
    packet: &[u8],
    time: u64,
    fragments: &mut Fragments,
    take: &mut dyn FnMut(Segment<'_>),
) -> Handled {
    within(packet, time, fragments, take, 0)
}

fn within(
    packet: &[u8],
    time: u64,
    fragments: &mut Fragments,
    take: &mut dyn FnMut(Segment<'_>),
    depth: u32,
) -> Handled {
    let Ok((slice, _)) = LaxIpSlice::from_slice(packet) else { return Handled::Nonsense };
    let (from, to) = (slice.source_addr(), slice.destination_addr());
    let payload = slice.payload();
    if !payload.fragmented {
        let inside = Inside { from, to, protocol: payload.ip_number, is_cut: payload.incomplete };
        return inside.read(payload.payload, time, fragments, take, depth);
    }
    let Some((fragment, protocol)) = fragment(&slice, payload, from, to) else { return Handled::Nonsense };
    match fragments.add(fragment, time) {
        Some(whole) => {
            // behind the header of a fragment there may be others, which belong to what was divided
            let (_, protocol, rest, _) = Ipv6ExtensionsSlice::from_slice_lax(protocol, &whole);
            let inside = Inside { from, to, protocol, is_cut: false };
            inside.read(rest, time, fragments, take, depth)
        }
        None => Handled::Fragment,
    }
}

/// What is within an IP packet.
struct Inside {
    from: IpAddr,
    to: IpAddr,
    protocol: IpNumber,
    is_cut: bool,
}

impl Inside {
    #[inline]
    fn read(
        &self,
        bytes: &[u8],
        time: u64,
        fragments: &mut Fragments,
        take: &mut dyn FnMut(Segment<'_>),
        depth: u32,
    ) -> Handled {
        match self.protocol {
            IpNumber::TCP => {
                let Ok(tcp) = TcpSlice::from_slice(bytes) else { return Handled::Nonsense };
                take(Segment {
                    from: Endpoint { ip: self.from, port: tcp.source_port() },
                    to: Endpoint { ip: self.to, port: tcp.destination_port() },
                    sequence: tcp.sequence_number(),
                    acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
                    is_syn: tcp.syn(),
                    is_fin: tcp.fin(),
                    is_reset: tcp.rst(),
                    bytes: tcp.payload(),
                });
                if self.is_cut { Handled::TcpCutShort } else { Handled::Tcp }
            }
            IpNumber::IPV4 | IpNumber::IPV6 if depth < MOST_DEPTH => within(bytes, time, fragments, take, depth + 1),
            _ => Handled::Other,
        }
    }
}

/// Describes a fragment, and what is in the whole.
fn fragment<'a>(
    slice: &LaxIpSlice<'a>,
    payload: &LaxIpPayloadSlice<'a>,
    from: IpAddr,
    to: IpAddr,
) -> Option<(Fragment<'a>, IpNumber)> {
    if payload.incomplete {
        return None;
    }
    let (identification, protocol, offset, is_last) = match slice {
        LaxIpSlice::Ipv4(slice) => {
            let header = slice.header();
            let offset = header.fragments_offset().value() * 8;
            (u32::from(header.identification()), header.protocol(), offset, !header.more_fragments())
        }
        LaxIpSlice::Ipv6(slice) => of_version_6(slice)?,
    };
    let fragment = Fragment {
        whole: (from, to, identification, protocol.0),
        offset: usize::from(offset),
        is_last,
        bytes: payload.payload,
    };
    Some((fragment, protocol))
}

fn of_version_6(slice: &LaxIpv6Slice<'_>) -> Option<(u32, IpNumber, u16, bool)> {
    slice.extensions().clone().into_iter().find_map(|extension| match extension {
        Ipv6ExtensionSlice::Fragment(header) => Some((
            header.identification(),
            header.next_header(),
            header.fragment_offset().value() * 8,
            !header.more_fragments(),
        )),
        _ => None,
    })
}

/// How deep IP may lie within IP.
const MOST_DEPTH: u32 = 3;
