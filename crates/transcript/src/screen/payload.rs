//! Payloads for people, by content type.

use std::fmt::Write;

use msnp::Command;
use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;
use msnp::payload::p2p::Packet;
use msnp::payload::xml;

use super::printable;

/// Returns a payload as lines: XML indented, MIME headers and body, P2P headers taken apart.
pub(crate) fn pretty(command: &Command) -> String {
    let payload = command.payload();
    if let Some(document) = xml::pretty(payload) {
        return lines(document.as_bytes());
    }
    let headers = command.headers();
    if headers.is_empty() {
        return if is_text(payload) { lines(payload) } else { hex(payload) };
    }
    let mut out = String::new();
    if headers.get("Routing").is_some() {
        let datagram = Datagram::parse(payload);
        for block in [datagram.routing(), datagram.reliability(), datagram.content()] {
            header_lines(&mut out, &block);
        }
        out += &body(&datagram.content(), datagram.body());
    } else {
        header_lines(&mut out, &headers);
        out += &body(&headers, headers.body());
    }
    out
}

fn header_lines(out: &mut String, headers: &Headers<'_>) {
    for line in headers.lines() {
        let _ = writeln!(out, "{}: {}", printable(line.name()), printable(line.value()));
    }
    out.push('\n');
}

fn body(headers: &Headers<'_>, body: &[u8]) -> String {
    if headers.is("application/x-msnmsgrp2p") {
        return p2p(headers, body);
    }
    match xml::pretty(body) {
        Some(document) => lines(document.as_bytes()),
        None if is_text(body) => lines(body),
        None => hex(body),
    }
}

fn p2p(headers: &Headers<'_>, body: &[u8]) -> String {
    let (title, data, footer) = if headers.get("P2P-Src").is_some() {
        let Some(packet) = Packet::parse_v2(body) else { return hex(body) };
        let header = &packet.header;
        let mut title = format!("P2P v2: opcode {} base {}", header.opcode, header.base_id);
        if let Some(data) = &header.data {
            let _ = write!(title, " package {} session {} type {}", data.package, data.session_id, data.kind);
        }
        (title, packet.data, packet.footer)
    } else {
        let Some(packet) = Packet::parse_v1(body) else { return hex(body) };
        let header = &packet.header;
        let mut title = format!("P2P v1: session {} message {}", header.session_id, header.message_id);
        let _ = write!(title, " bytes {}+{} of {}", header.offset, header.length, header.total);
        let _ = write!(
            title,
            " flags {:#x} ack {} {} {}",
            header.flags, header.ack_id, header.ack_unique_id, header.ack_size
        );
        (title, packet.data, packet.footer)
    };
    let footer = footer.map(|footer| format!(" application {footer}")).unwrap_or_default();
    let text = data.strip_suffix(b"\0").unwrap_or(data);
    let data = if is_text(text) { lines(text) } else { hex(data) };
    format!("{title}{footer}\n{data}")
}

/// Splits text at CRLF, CR or LF, whichever a client uses.
fn lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\r', "\n");
    text.split('\n').map(|line| printable(line.as_bytes()) + "\n").collect()
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || matches!(c, '\r' | '\n' | '\t')))
}

/// Returns a dump of sixteen bytes a line: offset, hexadecimal, ASCII.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (index, row) in bytes.chunks(16).enumerate() {
        let digits: String = row.iter().map(|byte| format!("{byte:02x} ")).collect();
        let ascii: String =
            row.iter().map(|&byte| if (0x20..0x7f).contains(&byte) { byte as char } else { '.' }).collect();
        let _ = writeln!(out, "{:06x}  {digits:48} {ascii}", index * 16);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use msnp::types::Direction;

    #[test]
    fn a_p2p_packet_is_taken_apart() {
        let payload = [
            &b"Content-Type: application/x-msnmsgrp2p\r\nP2P-Dest: b@c\r\n\r\n"[..],
            &msnp::payload::p2p::HeaderV1 { session_id: 9, length: 2, total: 2, flags: 0x20, ..Default::default() }
                .to_bytes(),
            b"\x00\x01\x00\x00\x00\x01",
        ]
        .concat();
        let command = Command::new(Direction::ClientToServer, b"MSG 3 D", Some(&payload)).unwrap();
        assert_eq!(
            pretty(&command),
            concat!(
                "Content-Type: application/x-msnmsgrp2p\nP2P-Dest: b@c\n\n",
                "P2P v1: session 9 message 0 bytes 0+2 of 2 flags 0x20 ack 0 0 0 application 1\n",
                "000000  00 01                                            ..\n"
            )
        );
    }
}
