//! P2P packets: pictures, files and invitations inside `MSG` with type `application/x-msnmsgrp2p`, and inside `SDG`.
//!
//! Version 1 has a little-endian header of 48 bytes; version 2 (MSNP18 and later, when both ends carry an endpoint id)
//! a big-endian one with TLVs. In a switchboard a big-endian footer of 4 bytes follows the data.

/// The version 1 header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HeaderV1 {
    /// 0 for MSNSLP text.
    pub session_id: u32,
    /// The same for all packets of one message.
    pub message_id: u32,
    /// Where the data belongs in the message.
    pub offset: u64,
    /// Size of the message.
    pub total: u64,
    /// Size of the data in this packet.
    pub length: u32,
    /// 2 acknowledgement, 8 error, 0x20 object data, 0x40 close session, 0x100 direct handshake, and others.
    pub flags: u32,
    /// In an acknowledgement, the message id acknowledged.
    pub ack_id: u32,
    /// In an acknowledgement, that message's `ack_id`.
    pub ack_unique_id: u32,
    /// In an acknowledgement, that message's total.
    pub ack_size: u64,
}

/// The version 2 header.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeaderV2 {
    /// 1 SYN, 2 request for an acknowledgement.
    pub opcode: u8,
    /// Sequence number of the first byte.
    pub base_id: u32,
    /// TLVs of the transport header, padding included.
    pub options: Vec<u8>,
    /// Size of data header and data as announced.
    pub message_length: u16,
    /// The data header; absent if `message_length` is 0.
    pub data: Option<DataHeader>,
}

/// The second part of a version 2 header.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DataHeader {
    /// 1 first packet, 4 object, 6 file.
    pub kind: u8,
    /// Number shared by the packets of one message.
    pub package: u16,
    /// 0 for MSNSLP text.
    pub session_id: u32,
    /// TLVs of the data header, padding included; 1 is the u64 of bytes still to come.
    pub options: Vec<u8>,
}

/// One packet: header, data, and the footer if it came through a switchboard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a, H> {
    /// The header.
    pub header: H,
    /// The data.
    pub data: &'a [u8],
    /// The application id, if the packet has a footer.
    pub footer: Option<u32>,
}

impl HeaderV1 {
    /// Length of the header in bytes.
    pub const LENGTH: usize = 48;

    /// Reads the header, and returns the rest of `bytes`.
    pub fn parse(bytes: &[u8]) -> Option<(HeaderV1, &[u8])> {
        let mut at = Cursor(bytes);
        let header = HeaderV1 {
            session_id: u32::from_le_bytes(at.take()?),
            message_id: u32::from_le_bytes(at.take()?),
            offset: u64::from_le_bytes(at.take()?),
            total: u64::from_le_bytes(at.take()?),
            length: u32::from_le_bytes(at.take()?),
            flags: u32::from_le_bytes(at.take()?),
            ack_id: u32::from_le_bytes(at.take()?),
            ack_unique_id: u32::from_le_bytes(at.take()?),
            ack_size: u64::from_le_bytes(at.take()?),
        };
        Some((header, at.0))
    }

    /// Writes the header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HeaderV1::LENGTH);
        bytes.extend_from_slice(&self.session_id.to_le_bytes());
        bytes.extend_from_slice(&self.message_id.to_le_bytes());
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.total.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&self.flags.to_le_bytes());
        bytes.extend_from_slice(&self.ack_id.to_le_bytes());
        bytes.extend_from_slice(&self.ack_unique_id.to_le_bytes());
        bytes.extend_from_slice(&self.ack_size.to_le_bytes());
        bytes
    }
}

/// Shortest transport header and data header of version 2.
const SHORTEST: usize = 8;

impl HeaderV2 {
    /// Reads the header, and returns the rest of `bytes`.
    pub fn parse(bytes: &[u8]) -> Option<(HeaderV2, &[u8])> {
        let mut at = Cursor(bytes);
        let [length, opcode] = at.take()?;
        let message_length = u16::from_be_bytes(at.take()?);
        let base_id = u32::from_be_bytes(at.take()?);
        let options = at.slice(usize::from(length).checked_sub(SHORTEST)?)?.to_vec();
        let data = if message_length == 0 {
            None
        } else {
            let [length, kind] = at.take()?;
            let package = u16::from_be_bytes(at.take()?);
            let session_id = u32::from_be_bytes(at.take()?);
            let options = at.slice(usize::from(length).checked_sub(SHORTEST)?)?.to_vec();
            Some(DataHeader { kind, package, session_id, options })
        };
        Some((HeaderV2 { opcode, base_id, options, message_length, data }, at.0))
    }

    /// Writes the header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![(self.options.len() + SHORTEST) as u8, self.opcode];
        bytes.extend_from_slice(&self.message_length.to_be_bytes());
        bytes.extend_from_slice(&self.base_id.to_be_bytes());
        bytes.extend_from_slice(&self.options);
        if let Some(data) = &self.data {
            bytes.extend_from_slice(&[(data.options.len() + SHORTEST) as u8, data.kind]);
            bytes.extend_from_slice(&data.package.to_be_bytes());
            bytes.extend_from_slice(&data.session_id.to_be_bytes());
            bytes.extend_from_slice(&data.options);
        }
        bytes
    }

    /// Returns the size of the data that the header announces.
    pub fn data_length(&self) -> usize {
        let header = self.data.as_ref().map_or(0, |data| data.options.len() + SHORTEST);
        usize::from(self.message_length).saturating_sub(header)
    }
}

/// Returns the TLVs of a version 2 header as type and value; zero bytes between them are padding.
pub fn options(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        while let Some((0, rest)) = bytes.split_first() {
            bytes = rest;
        }
        let ([kind, length], rest) = bytes.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        bytes = rest;
        Some((*kind, value))
    })
}

impl<'a> Packet<'a, HeaderV1> {
    /// Reads a version 1 packet from the body of a message.
    pub fn parse_v1(body: &'a [u8]) -> Option<Packet<'a, HeaderV1>> {
        let (header, rest) = HeaderV1::parse(body)?;
        Packet::of(header, rest, header.length as usize)
    }
}

impl<'a> Packet<'a, HeaderV2> {
    /// Reads a version 2 packet from the body of a message.
    pub fn parse_v2(body: &'a [u8]) -> Option<Packet<'a, HeaderV2>> {
        let (header, rest) = HeaderV2::parse(body)?;
        let length = header.data_length();
        Packet::of(header, rest, length)
    }
}

impl<'a, H> Packet<'a, H> {
    fn of(header: H, rest: &'a [u8], length: usize) -> Option<Packet<'a, H>> {
        let (data, footer) = rest.split_at_checked(length)?;
        Some(Packet { header, data, footer: footer.try_into().ok().map(u32::from_be_bytes) })
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_1_header_is_48_bytes_and_comes_back() {
        let header = HeaderV1 {
            session_id: 216498,
            message_id: 2_000_003,
            offset: 40,
            total: 64,
            length: 24,
            flags: 0x20,
            ..HeaderV1::default()
        };
        let bytes = header.to_bytes();
        assert_eq!(bytes.len(), HeaderV1::LENGTH);
        assert_eq!(HeaderV1::parse(&bytes), Some((header, &b""[..])));
        for length in 0..bytes.len() {
            assert_eq!(HeaderV1::parse(&bytes[..length]), None);
        }
    }

    #[test]
    fn a_version_2_packet_with_options_is_read() {
        let body = b"\x18\x03\x00\r\x00\x00\x10\x00\x01\x0c\x02\x00\x00\x00\x0e\x00\x00\x00\x00\x00\x01\x0f\x00\x00\x08\x01\x00\x00\x00\x00\x00\x00hello\x00\x00\x00\x00";
        let packet = Packet::parse_v2(body).unwrap();
        assert_eq!(
            (packet.header.opcode, packet.header.base_id, packet.data, packet.footer),
            (3, 0x1000, &b"hello"[..], Some(0))
        );
        let (kind, value) = options(&packet.header.options).next().unwrap();
        assert_eq!((kind, value.len()), (1, 12));
        assert_eq!(packet.header.to_bytes(), body[..32]);
    }
}
