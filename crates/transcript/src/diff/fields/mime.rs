//! Header blocks, by name.

use std::borrow::Cow;

use msnp::argument;
use msnp::command::lossy;
use msnp::payload::mime::Headers;

use super::{Fields, Part, Value, volatile};

impl<'a> Fields<'a> {
    /// Adds the headers of a block that is called `block`, or has no name of its own.
    pub(super) fn headers(&mut self, block: &str, headers: &Headers<'a>) {
        let start = self.list.len();
        for line in headers.lines() {
            let own = lossy(line.name());
            let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(&own));
            let own = known.map_or_else(|| own.to_lowercase(), |known| (*known).to_owned());
            let mut name = if block.is_empty() { own } else { format!("{block}.{own}") };
            let before = self.list[start..].iter().filter(|field| is_called(&field.name, &name)).count();
            if before > 0 {
                name = format!("{name}[{}]", before + 1);
            }
            if line.name().eq_ignore_ascii_case(b"X-MMS-IM-Format") {
                self.format(&name, line.value());
                continue;
            }
            let value = Value::of(volatile::header(line.name()), Cow::Borrowed(line.value()));
            let place = format!("payload.{}", lossy(line.name()));
            self.push_visible(Part::Header, name, &place, value);
        }
    }

    /// `FN=MS%20Sans%20Serif; EF=B; CO=800000`: the look of a text, field by field.
    fn format(&mut self, name: &str, value: &'a [u8]) {
        self.push(Part::Header, name.to_owned(), Value::Whole(Cow::Borrowed(value)));
        for field in value.split(|byte| *byte == b';').filter(|field| !field.trim_ascii().is_empty()) {
            let field = field.trim_ascii();
            let equals = memchr::memchr(b'=', field).unwrap_or(field.len());
            let name = format!("{name}.{}", lossy(&field[..equals]).to_uppercase());
            let value = argument::decode(field.get(equals + 1..).unwrap_or_default());
            self.push(Part::Header, name, Value::Plain(value));
        }
    }
}

/// Whether a field has this name, be it with a number.
fn is_called(field: &str, name: &str) -> bool {
    field.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

/// Headers as people know them; the names of others are shown in lower case.
const KNOWN: &[&str] = &[
    "Application-File",
    "Application-FileSize",
    "Application-GUID",
    "Application-Name",
    "AppID",
    "Bridge",
    "Call-ID",
    "ClientIP",
    "ClientPort",
    "Content-Length",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Context",
    "CSeq",
    "Data",
    "EUF-GUID",
    "Flags",
    "From",
    "ID",
    "IM-Display-Name",
    "Invitation-Command",
    "Invitation-Cookie",
    "LoginTime",
    "Mail-Data",
    "Max-Forwards",
    "Message-ID",
    "Message-Type",
    "Messaging",
    "MIME-Version",
    "MSPAuth",
    "Notification",
    "Options",
    "P2P-Dest",
    "P2P-Src",
    "P4-Context",
    "Publication",
    "Reliability",
    "Routing",
    "RTT",
    "Segment",
    "Service-Channel",
    "Session-ID",
    "SessionID",
    "Stream",
    "To",
    "TypingUser",
    "Uri",
    "User-Agent",
    "Via",
    "X-MMS-IM-Format",
];
