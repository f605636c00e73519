//! Sizes: limits that peers have, and lengths within payloads.

use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;
use msnp::payload::p2p::{HeaderV1, HeaderV2};
use msnp::payload::slp::Slp;

use super::report::Report;
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static MESSAGE: Rule = Rule {
    id: "length/message",
    severity: Severity::Error,
    summary: "a message in a switchboard is longer than 1664 bytes",
    explanation: "Servers end the connection; longer texts are sent in chunks.",
    reference: "framing 5 (ESC PUR M11)",
    needs: Needs::Commands,
    wrong: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\n{x*1700}",
    right: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\n{x*1600}",
};

pub(super) static LIST: Rule = Rule {
    id: "length/list",
    severity: Severity::Warning,
    summary: "an ADL is longer than 7500 bytes",
    explanation: "Clients announce long lists in several ADL commands of at most 7500 bytes, or 150 contacts.",
    reference: "framing 5 (PUR BIT PAP)",
    needs: Needs::Commands,
    wrong: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml><d n=\"example.com\"><c n=\"{b*7500}\" l=\"3\" t=\"1\"/></d></ml>\nS: ADL 10 OK",
    right: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml><d n=\"example.com\"><c n=\"{b*75}\" l=\"3\" t=\"1\"/></d></ml>\nS: ADL 10 OK",
};

pub(super) static PERSONAL: Rule = Rule {
    id: "length/personal",
    severity: Severity::Info,
    summary: "a UUX, UBX or UBN is longer than 4000 bytes",
    explanation: "Miranda refuses it.",
    reference: "framing 5 (MIR)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nS: UBX bob@example.com {n}\\r\\n<Data><PSM>{x*4100}</PSM></Data>",
    right: "# MSNP12\nS: UBX bob@example.com {n}\\r\\n<Data><PSM>{x*100}</PSM></Data>",
};

pub(super) static NAME: Rule = Rule {
    id: "length/name",
    severity: Severity::Warning,
    summary: "a name is longer than 387 bytes",
    explanation: "Counted encoded, as it stands on the line. Servers answer 209 or cut it.",
    reference: "framing 5 (PUR)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: PRP 10 MFN {x*400}\nS: 209 10",
    right: "# MSNP12\nC: PRP 10 MFN {x*300}\nS: PRP 10 MFN {x*300}",
};

pub(super) static PHONE: Rule = Rule {
    id: "length/phone",
    severity: Severity::Warning,
    summary: "a telephone number is longer than 95 characters",
    explanation: "Of PRP with PHH, PHW or PHM.",
    reference: "framing 5 (ESC)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: PRP 10 PHH {5*100}\nS: 715 10",
    right: "# MSNP12\nC: PRP 10 PHH {5*20}\nS: PRP 10 PHH {5*20}",
};

pub(super) static CONTENT_LENGTH: Rule = Rule {
    id: "length/content-length",
    severity: Severity::Warning,
    summary: "the Content-Length of a datagram is not that of its body",
    explanation: "Of PUT, NFY, SDG and DEL. It counts bytes. Often wrong in practice (Escargot counts characters), so readers take the \
                  smaller of it and what is there.",
    reference: "framing 8 (ESC)",
    needs: Needs::Bytes,
    wrong: "# MSNP18\nC: PUT 10 {n}\\r\\nRouting: 1.0\\r\\nTo: 1:a@b.c\\r\\nFrom: 1:a@b.c\\r\\n\\r\\nReliability: 1.0\\r\\n\\r\\nPublication: 1.0\\r\\nUri: /user\\r\\nContent-Type: application/user+xml\\r\\nContent-Length: 5\\r\\n\\r\\n<user/>\nS: PUT 10 OK 0",
    right: "# MSNP18\nC: PUT 10 {n}\\r\\nRouting: 1.0\\r\\nTo: 1:a@b.c\\r\\nFrom: 1:a@b.c\\r\\n\\r\\nReliability: 1.0\\r\\n\\r\\nPublication: 1.0\\r\\nUri: /user\\r\\nContent-Type: application/user+xml\\r\\nContent-Length: 7\\r\\n\\r\\n<user/>\nS: PUT 10 OK 0",
};

pub(super) static SLP: Rule = Rule {
    id: "length/slp",
    severity: Severity::Warning,
    summary: "the Content-Length of an MSNSLP message is not that of its body",
    explanation: "The closing NUL counts. Looked at where one packet holds the whole message.",
    reference: "framing 7 (PUR MIR AMSN)",
    needs: Needs::Bytes,
    wrong: "# board MSNP12\nC: MSG 10 D {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: application/x-msnmsgrp2p\\r\\nP2P-Dest: bob@example.com\\r\\n\\r\\n{\\x00*4}\\x01{\\x00*3}{\\x00*8}B{\\x00*7}B{\\x00*3}{\\x00*20}MSNSLP/1.0 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nSessionID: 1234567890\\r\\n\\r\\n\\x00{\\x00*4}\nS: ACK 10",
    right: "# board MSNP12\nC: MSG 10 D {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: application/x-msnmsgrp2p\\r\\nP2P-Dest: bob@example.com\\r\\n\\r\\n{\\x00*4}\\x01{\\x00*3}{\\x00*8}C{\\x00*7}C{\\x00*3}{\\x00*20}MSNSLP/1.0 200 OK\\r\\nContent-Length: 26\\r\\n\\r\\nSessionID: 1234567890\\r\\n\\r\\n\\x00{\\x00*4}\nS: ACK 10",
};

pub(super) static P2P: Rule = Rule {
    id: "length/p2p",
    severity: Severity::Error,
    summary: "the sizes in a P2P header are not those of the packet",
    explanation: "Behind the MIME headers stand 48 bytes, as much data as they announce, and a footer of 4 bytes; offset and data lie \
                  within the total. Version 2 headers announce theirs in the same way.",
    reference: "framing 7 (PUR MIR AMSN)",
    needs: Needs::Bytes,
    wrong: "# board MSNP12\nC: MSG 10 D {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: application/x-msnmsgrp2p\\r\\nP2P-Dest: bob@example.com\\r\\n\\r\\n{\\x00*48}data{\\x00*4}\nS: ACK 10",
    right: "# board MSNP12\nC: MSG 10 D {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: application/x-msnmsgrp2p\\r\\nP2P-Dest: bob@example.com\\r\\n\\r\\n{\\x00*48}{\\x00*4}\nS: ACK 10",
};

pub(super) fn check(said: &Said<'_>, report: &mut Report<'_>) {
    let payload = said.command.payload();
    match said.verb() {
        b"MSG" if said.is_on_switchboard() => {
            limit(payload.len(), MOST_MESSAGE, &MESSAGE, "payload", report);
            let headers = Headers::parse(payload);
            if headers.is("application/x-msnmsgrp2p") && !headers.body().is_empty() {
                p2p(&headers, report);
            }
        }
        b"ADL" if said.is_from_client() => limit(payload.len(), MOST_LIST, &LIST, "payload", report),
        b"UUX" | b"UBX" | b"UBN" => limit(payload.len(), MOST_PERSONAL, &PERSONAL, "payload", report),
        b"PUT" | b"NFY" | b"SDG" | b"DEL" => content_length(payload, report),
        _ => {}
    }
    for (name, value) in said.named(&["friendly_name", "new_friendly_name", "inviter_friendly_name", "new_name"]) {
        limit(value.len(), MOST_NAME, &NAME, name, report);
    }
    if said.verb() == b"PRP"
        && let Some(value) = said.get("value")
    {
        match said.get("key") {
            Some(b"MFN") => limit(value.len(), MOST_NAME, &NAME, "name", report),
            Some(b"PHH" | b"PHW" | b"PHM") => {
                let decoded = msnp::argument::decode(value);
                limit(String::from_utf8_lossy(&decoded).chars().count(), MOST_PHONE, &PHONE, "number", report);
            }
            _ => {}
        }
    }
}

fn limit(length: usize, most: usize, rule: &'static Rule, what: &str, report: &mut Report<'_>) {
    if length > most {
        report.add(rule, format!("{what} of {length}; at most {most}"));
    }
}

fn number(value: Option<&[u8]>) -> Option<usize> {
    std::str::from_utf8(value?).ok()?.parse().ok()
}

fn content_length(payload: &[u8], report: &mut Report<'_>) {
    let datagram = Datagram::parse(payload);
    let length = datagram.body().len();
    if let Some(announced) = number(datagram.content().get("Content-Length")).filter(|announced| *announced != length) {
        report.add(&CONTENT_LENGTH, format!("Content-Length: {announced}, and a body of {length} bytes"));
    }
}

fn p2p(headers: &Headers<'_>, report: &mut Report<'_>) {
    let body = headers.body();
    if headers.get("P2P-Src").is_some() {
        let Some((header, rest)) = HeaderV2::parse(body) else {
            report.add(&P2P, format!("{} bytes are no header of version 2", body.len()));
            return;
        };
        let announced = header.data_length();
        if rest.len() != announced + FOOTER {
            let found = rest.len();
            report.add(&P2P, format!("the header announces {announced} bytes and a footer of 4; {found} follow"));
        }
        return;
    }
    let Some((header, rest)) = HeaderV1::parse(body) else {
        report.add(&P2P, format!("{} bytes are no header of 48", body.len()));
        return;
    };
    let announced = header.length as usize;
    if rest.len() != announced + FOOTER {
        let found = rest.len();
        report.add(&P2P, format!("the header announces {announced} bytes and a footer of 4; {found} follow"));
        return;
    }
    if announced > 0 && header.offset.checked_add(u64::from(header.length)).is_none_or(|end| end > header.total) {
        let (offset, total) = (header.offset, header.total);
        report.add(&P2P, format!("{announced} bytes at {offset} end beyond the total of {total}"));
        return;
    }
    if header.session_id == 0 && header.offset == 0 && u64::from(header.length) == header.total {
        slp(&rest[..announced], report);
    }
}

fn slp(data: &[u8], report: &mut Report<'_>) {
    let Some(slp) = Slp::parse(data) else { return };
    let length = slp.headers().body().len();
    if let Some(announced) = number(slp.headers().get("Content-Length")).filter(|announced| *announced != length) {
        report.add(&SLP, format!("Content-Length: {announced}, and a body of {length} bytes with its NUL"));
    }
}

const MOST_MESSAGE: usize = 1664;
const MOST_LIST: usize = 7500;
const MOST_PERSONAL: usize = 4000;
const MOST_NAME: usize = 387;
const MOST_PHONE: usize = 95;
const FOOTER: usize = 4;
