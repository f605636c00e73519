//! What payloads hold.

use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;
use msnp::payload::xml;
use msnp::table::Format;

use super::report::Report;
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static UTF8: Rule = Rule {
    id: "payload/utf8",
    severity: Severity::Warning,
    summary: "a text that is not UTF-8",
    explanation: "XML and texts are UTF-8 unless a charset says otherwise. Chunks of a message may be cut within a character and are not \
                  judged.",
    reference: "framing 6 and 8",
    needs: Needs::Bytes,
    wrong: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain; charset=UTF-8\\r\\n\\r\\ncaf\\xe9",
    right: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain; charset=UTF-8\\r\\n\\r\\ncaf\\xc3\\xa9",
};

pub(super) static HEADERS: Rule = Rule {
    id: "payload/headers",
    severity: Severity::Warning,
    summary: "a message without a header that it needs",
    explanation: "MIME-Version and Content-Type stand in every message (only Message-ID and Chunk in the later parts of one that was cut); a \
                  typing notification names TypingUser, P2P its P2P-Dest, a datacast its ID.",
    reference: "framing 6 and 7 (ESC PUR M11)",
    needs: Needs::Commands,
    wrong: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/x-msmsgscontrol\\r\\n\\r\\n\\r\\n",
    right: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/x-msmsgscontrol\\r\\nTypingUser: alice@example.com\\r\\n\\r\\n\\r\\n",
};

pub(super) static EMPTY_LINE: Rule = Rule {
    id: "payload/empty-line",
    severity: Severity::Warning,
    summary: "no empty line between headers and body",
    explanation: "An empty line ends the headers. Without it clients take the body for headers, and show nothing.",
    reference: "framing 6",
    needs: Needs::Bytes,
    wrong: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\nhi",
    right: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\nhi",
};

pub(super) static XML: Rule = Rule {
    id: "payload/xml",
    severity: Severity::Error,
    summary: "XML that is not well-formed",
    explanation: "Servers answer a broken ADL with 241 and end the connection at a broken UUX. A length that is too small is a common \
                  cause.",
    reference: "framing 8 and 9 (ESC WIKI)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: UUX 10 {n}\\r\\n<Data><PSM>hello</Data>\nS: UUX 10 0",
    right: "# MSNP12\nC: UUX 10 {n}\\r\\n<Data><PSM>hello</PSM></Data>\nS: UUX 10 0",
};

pub(super) static XML_END: Rule = Rule {
    id: "length/too-large",
    severity: Severity::Error,
    summary: "something follows the document in a payload",
    explanation: "The payload of an XML command ends with its document. A length that is too large swallows the commands that follow it.",
    reference: "framing 9",
    needs: Needs::Commands,
    wrong: "# MSNP12\nS: UBX bob@example.com 20\\r\\n<Data></Data>NLN NLN",
    right: "# MSNP12\nS: UBX bob@example.com 13\\r\\n<Data></Data>\nS: NLN NLN bob@example.com Bob 0",
};

pub(super) static XML_SPACE: Rule = Rule {
    id: "payload/xml-space",
    severity: Severity::Error,
    summary: "white space between the elements of a list",
    explanation: "Servers refuse ADL, RML and FQY with white space between elements, with 240 or 241.",
    reference: "framing 8 (WIKI)",
    needs: Needs::Bytes,
    wrong: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml> <d n=\"example.com\"><c n=\"bob\" l=\"3\" t=\"1\"/></d></ml>\nS: 241 10",
    right: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml><d n=\"example.com\"><c n=\"bob\" l=\"3\" t=\"1\"/></d></ml>\nS: ADL 10 OK",
};

pub(super) static DATAGRAM: Rule = Rule {
    id: "payload/datagram",
    severity: Severity::Warning,
    summary: "a datagram without its blocks of headers",
    explanation: "PUT, NFY, SDG and DEL start with a Routing block that names To and From, then a Reliability block. Acknowledgements may be \
                  empty.",
    reference: "framing 8 (KB21 SHARP)",
    needs: Needs::Commands,
    wrong: "# MSNP18\nC: PUT 10 {n}\\r\\n<user/>\nS: PUT 10 OK 0",
    right: "# MSNP18\nC: PUT 10 {n}\\r\\nRouting: 1.0\\r\\nTo: 1:a@b.c\\r\\nFrom: 1:a@b.c\\r\\n\\r\\nReliability: 1.0\\r\\n\\r\\n\nS: PUT 10 OK 0",
};

pub(super) fn check(said: &Said<'_>, report: &mut Report<'_>) {
    let payload = said.command.payload();
    if payload.is_empty() {
        return;
    }
    match said.verb() {
        b"MSG" | b"UBM" | b"UUM" => message(said, report),
        b"PUT" | b"NFY" | b"SDG" | b"DEL" => datagram(payload, report),
        _ if said.form.as_ref().is_some_and(|(row, _)| row.format == Format::Xml) => document(said, report),
        _ => {}
    }
}

fn message(said: &Said<'_>, report: &mut Report<'_>) {
    let headers = said.command.headers();
    let is_chunk =
        headers.get("Message-ID").is_some() && (headers.get("Chunk").is_some() || headers.get("Chunks").is_some());
    if is_chunk && headers.get("Chunk").is_some() {
        return;
    }
    let missing: Vec<&str> = needed(&headers).filter(|name| headers.get(name).is_none()).collect();
    let is_datacast = headers.is("text/x-msnmsgr-datacast");
    if !missing.is_empty() {
        report.add(&HEADERS, format!("no {}", missing.join(", no ")));
    } else if is_datacast && Headers::parse(headers.body()).get("ID").is_none() {
        report.add(&HEADERS, "no ID in the body of the datacast");
    }
    let has_empty_line = headers.body_start() > headers.end_of_lines();
    if !headers.is_empty() && !has_empty_line && !headers.body().is_empty() {
        report.add(&EMPTY_LINE, "the body follows the headers without an empty line");
    }
    let kind = headers.get("Content-Type").unwrap_or_default().to_ascii_lowercase();
    let charset = memchr::memmem::find(&kind, b"charset=").map(|at| &kind[at + 8..]);
    let is_utf8 = charset.is_none_or(|charset| charset.starts_with(b"utf-8") || charset.starts_with(b"\"utf-8"));
    if kind.starts_with(b"text/") && is_utf8 && !is_chunk && std::str::from_utf8(said.command.payload()).is_err() {
        report.add(&UTF8, "the text is not UTF-8");
    }
}

fn needed(headers: &Headers<'_>) -> impl Iterator<Item = &'static str> + use<> {
    let of_kind = if headers.is("text/x-msmsgscontrol") {
        Some("TypingUser")
    } else if headers.is("application/x-msnmsgrp2p") {
        Some("P2P-Dest")
    } else {
        None
    };
    ["MIME-Version", "Content-Type"].into_iter().chain(of_kind)
}

fn datagram(payload: &[u8], report: &mut Report<'_>) {
    let datagram = Datagram::parse(payload);
    let routing = datagram.routing();
    let missing: Vec<&str> = ["Routing", "To", "From"].into_iter().filter(|name| routing.get(name).is_none()).collect();
    if !missing.is_empty() {
        report.add(&DATAGRAM, format!("no {} in the first block", missing.join(", no ")));
    } else if datagram.reliability().get("Reliability").is_none() {
        report.add(&DATAGRAM, "no Reliability in the second block");
    }
}

fn document(said: &Said<'_>, report: &mut Report<'_>) {
    let payload = said.command.payload();
    if std::str::from_utf8(payload).is_err() {
        report.add(&UTF8, "the document is not UTF-8");
    } else if let Some(end) = end_of_document(payload) {
        let rest = super::report::shown(&payload[end..], super::report::LONGEST_VALUE);
        report.add(&XML_END, format!("behind the document stands \"{rest}\""));
    } else if xml::pretty(payload).is_none() {
        report.add(&XML, "the payload is not well-formed XML");
    } else if matches!(said.verb(), b"ADL" | b"RML" | b"FQY") && said.is_from_client() && has_space(payload) {
        report.add(&XML_SPACE, "white space stands between elements");
    }
}

/// Returns where a well-formed document ends, if text follows that is no further element.
fn end_of_document(payload: &[u8]) -> Option<usize> {
    let end = memchr::memrchr(b'>', payload)? + 1;
    let rest = &payload[end..];
    let is_padding = rest.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0);
    (!is_padding && xml::pretty(&payload[..end]).is_some()).then_some(end)
}

fn has_space(payload: &[u8]) -> bool {
    payload.split(|&byte| byte == b'>').skip(1).any(|part| {
        let text = part.split(|&byte| byte == b'<').next().unwrap_or_default();
        !text.is_empty() && text.iter().all(u8::is_ascii_whitespace)
    })
}

/// Returns the attributes in a document, each with the name of its element and its own, as they stand there.
pub(super) fn attributes(document: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    document.split(|&byte| byte == b'<').skip(1).flat_map(|tag| {
        let tag = tag.split(|&byte| byte == b'>').next().unwrap_or_default();
        let name_end = tag.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'/').unwrap_or(tag.len());
        let (element, mut rest) = tag.split_at(name_end);
        std::iter::from_fn(move || {
            let equals = memchr::memchr(b'=', rest)?;
            let name = rest[..equals].trim_ascii();
            let value = rest[equals + 1..].trim_ascii_start();
            let (&quote, value) = value.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
            let end = memchr::memchr(quote, value)?;
            rest = &value[end + 1..];
            Some((element, name, &value[..end]))
        })
    })
}
