//! One command by itself: verb, direction, arguments.

use msnp::argument;
use msnp::table::{self, Confidence};
use msnp::{Direction, TransactionId, errors};

use super::payload::attributes;
use super::report::{LONGEST_VALUE, Report, shown};
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static UNKNOWN_VERB: Rule = Rule {
    id: "syntax/unknown-verb",
    severity: Severity::Warning,
    summary: "a verb that no document knows",
    explanation: "Servers end the connection at a command they do not know; clients differ. If it is real, `mitmsn coverage` \
                  helps to describe it.",
    reference: "framing 4",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: ZZZ 10",
    right: "# MSNP12\nC: PNG\nS: QNG 50",
};

pub(super) static DIRECTION: Rule = Rule {
    id: "syntax/direction",
    severity: Severity::Error,
    summary: "a command that only the other side may send",
    explanation: "A server that gets a command of servers (NOT, IPG, RNG, BYE, FLN) ends the connection.",
    reference: "framing 9 (WIKI)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: FLN bob@example.com",
    right: "# MSNP12\nS: FLN bob@example.com",
};

pub(super) static SERVER: Rule = Rule {
    id: "syntax/server",
    severity: Severity::Error,
    summary: "a command that belongs to another kind of server",
    explanation: "Contacts and presence are the notification server's, conversations the switchboard's. Reported only where the \
                  transcript knows the kind of server.",
    reference: "commands, column servers",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CAL 10 bob@example.com\nS: 715 10",
    right: "# board MSNP12\nC: CAL 10 carol@example.com\nS: CAL 10 RINGING 11752013",
};

pub(super) static ARGUMENTS: Rule = Rule {
    id: "syntax/arguments",
    severity: Severity::Warning,
    summary: "arguments that fit no documented form",
    explanation: "Number or kind of the arguments is one that no version documents. `mitmsn explain VERB` prints the forms. \
                  Commands that are only known by name are not judged.",
    reference: "commands, column arguments",
    needs: Needs::Commands,
    wrong: "# MSNP12\nS: FLN",
    right: "# MSNP12\nS: FLN bob@example.com",
};

pub(super) static ERROR_CODE: Rule = Rule {
    id: "syntax/error-code",
    severity: Severity::Info,
    summary: "an error code that no document knows",
    explanation: "Clients show their users a general message, or end the connection.",
    reference: "error codes",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CHG 10 BSY 0\nS: 999 10",
    right: "# MSNP12\nC: CHG 10 BSY 0\nS: 715 10",
};

pub(super) static ESCAPE: Rule = Rule {
    id: "syntax/escape",
    severity: Severity::Warning,
    summary: "a percent sign that escapes nothing",
    explanation: "Names, MSNObjects and the like are percent-encoded; a percent sign itself is %25. Readers keep what they cannot \
                  decode, drop it, or refuse the command.",
    reference: "framing 3",
    needs: Needs::Bytes,
    wrong: "# MSNP12\nC: PRP 10 MFN 100%\nS: 209 10",
    right: "# MSNP12\nC: PRP 10 MFN 100%25\nS: PRP 10 MFN 100%25",
};

pub(super) static UTF8: Rule = Rule {
    id: "syntax/utf8",
    severity: Severity::Warning,
    summary: "a name that is not UTF-8",
    explanation: "Decoded arguments are UTF-8. Clients show anything else as garbage, or crash.",
    reference: "framing 3",
    needs: Needs::Bytes,
    wrong: "# MSNP12\nC: PRP 10 MFN caf%E9\nS: 209 10",
    right: "# MSNP12\nC: PRP 10 MFN caf%C3%A9\nS: PRP 10 MFN caf%C3%A9",
};

pub(super) static LIST_BITS: Rule = Rule {
    id: "syntax/list-bits",
    severity: Severity::Error,
    summary: "list bits that name no list",
    explanation: "1 forward, 2 allow, 4 block, 8 reverse, 16 pending: nothing above 31. Servers answer 241.",
    reference: "framing 8; error codes 241 (ESC PUR BIT)",
    needs: Needs::Commands,
    wrong: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml><d n=\"example.com\"><c n=\"bob\" l=\"64\" t=\"1\"/></d></ml>\nS: 241 10",
    right: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml><d n=\"example.com\"><c n=\"bob\" l=\"3\" t=\"1\"/></d></ml>\nS: ADL 10 OK",
};

pub(super) static CLIENT_BITS: Rule = Rule {
    id: "syntax/client-bits",
    severity: Severity::Warning,
    summary: "a client puts somebody on a list that only the server keeps",
    explanation: "The reverse and the pending list are the server's: ADL with bit 8 or 16 is answered 241.",
    reference: "error codes 241 (ESC PUR BIT)",
    needs: Needs::Commands,
    wrong: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml><d n=\"example.com\"><c n=\"bob\" l=\"8\" t=\"1\"/></d></ml>\nS: 241 10",
    right: "# MSNP15\nC: ADL 10 {n}\\r\\n<ml><d n=\"example.com\"><c n=\"bob\" l=\"2\" t=\"1\"/></d></ml>\nS: ADL 10 OK",
};

pub(super) static LIST_NAME: Rule = Rule {
    id: "syntax/list-name",
    severity: Severity::Error,
    summary: "a list that does not exist",
    explanation: "FL forward, AL allow, BL block, RL reverse, PL pending. Servers answer 201 or end the connection.",
    reference: "commands, ADD ADC REM LST (ESC M11)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: ADC 10 XL N=bob@example.com\nS: 201 10",
    right: "# MSNP12\nC: ADC 10 AL N=bob@example.com\nS: ADC 10 AL N=bob@example.com",
};

pub(super) static STATUS: Rule = Rule {
    id: "syntax/status",
    severity: Severity::Error,
    summary: "a status that does not exist",
    explanation: "NLN, BSY, IDL, BRB, AWY, PHN, LUN, and HDN for oneself. Servers answer 201.",
    reference: "error codes 201 (ESC PUR)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CHG 10 ONL 0\nS: 201 10",
    right: "# MSNP12\nC: CHG 10 BSY 0\nS: CHG 10 BSY 0",
};

pub(super) static ACK_TYPE: Rule = Rule {
    id: "syntax/ack-type",
    severity: Severity::Error,
    summary: "a message asks for an acknowledgement that does not exist",
    explanation: "U never, N only if it fails, A and D always.",
    reference: "commands, MSG (ESC PUR AMSN M11)",
    needs: Needs::Commands,
    wrong: "# board MSNP12\nC: MSG 10 X {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\nhi",
    right: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\nhi",
};

pub(super) fn check(said: &Said<'_>, report: &mut Report<'_>) {
    if is_of_the_wrong_kind(said, report) {
        return;
    }
    arguments(said, report);
    names(said, report);
    words(said, report);
    list_bits(said, report);
}

/// Whether the verb has no business here at all, so that its arguments say nothing.
fn is_of_the_wrong_kind(said: &Said<'_>, report: &mut Report<'_>) -> bool {
    let (verb, direction) = (said.command.verb(), said.command.direction());
    if let Some(code) = verb.error_code() {
        if direction == Direction::ClientToServer {
            report.add(&DIRECTION, "errors come from servers");
        } else if errors::lookup(code).is_none() {
            report.add(&ERROR_CODE, format!("{code} is no known error"));
        }
        return true;
    }
    if !table::is_known(verb) {
        report.add(&UNKNOWN_VERB, format!("{verb} is no known verb"));
        return true;
    }
    if table::rows(verb, direction).next().is_none() {
        let other = direction.opposite().sender();
        report.add(&DIRECTION, format!("only a {other} sends {verb}"));
        return true;
    }
    let Some(server) = said.form_server() else { return false };
    if !table::rows(verb, direction).any(|row| row.servers.contains(server)) {
        report.add(&SERVER, format!("{verb} does not belong on a connection of kind {server}"));
        return true;
    }
    false
}

fn arguments(said: &Said<'_>, report: &mut Report<'_>) {
    let (verb, direction) = (said.command.verb(), said.command.direction());
    let is_certain =
        table::rows(verb, direction).all(|row| row.confidence > Confidence::Low || row.arguments == "0 NS 0");
    let lacks_id = said.has_id() && said.argument(0).and_then(TransactionId::from_token).is_none();
    if said.form.is_some() || !is_certain || lacks_id {
        return;
    }
    let fits = |row: &&table::Row| said.form_server().is_none_or(|server| row.servers.contains(server));
    let forms: Vec<&str> = table::rows(verb, direction).filter(fits).map(|row| row.arguments).collect();
    let forms = forms.last().copied().unwrap_or_default();
    report.add(&ARGUMENTS, format!("no documented form has such arguments; the latest is `{verb} {forms}`"));
}

/// The arguments that people choose.
const NAMES: &[&str] = &[
    "friendly_name",
    "name",
    "new_name",
    "group_name",
    "new_friendly_name",
    "inviter_friendly_name",
    "value",
    "msnobject_urlenc",
];

fn names(said: &Said<'_>, report: &mut Report<'_>) {
    for (name, value) in said.named(NAMES) {
        if let Some(at) = bad_escape(value) {
            let text = shown(&value[at..], 3);
            report.add(&ESCAPE, format!("\"{text}\" in {name} is no escape; a percent sign is %25"));
        }
        if std::str::from_utf8(&argument::decode(value)).is_err() {
            report.add(&UTF8, format!("{name} is not UTF-8: \"{}\"", shown(value, LONGEST_VALUE)));
        }
    }
}

fn bad_escape(value: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'%', value).find(|&at| {
        let digits = value.get(at + 1..at + 3).unwrap_or_default();
        digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit)
    })
}

fn words(said: &Said<'_>, report: &mut Report<'_>) {
    let bad = |name, known: &[&str]| {
        let value = said.get(name)?;
        (!known.iter().any(|known| known.as_bytes() == value)).then(|| shown(value, LONGEST_VALUE))
    };
    if let Some(list) = bad("list", &["FL", "AL", "BL", "RL", "PL"]) {
        report.add(&LIST_NAME, format!("{list} is no list"));
    }
    if let Some(status) = bad("status", &["NLN", "BSY", "IDL", "BRB", "AWY", "PHN", "LUN", "HDN", "FLN"]) {
        report.add(&STATUS, format!("{status} is no status"));
    }
    if let Some(kind) = bad("ack_type", &["U", "N", "A", "D"]) {
        report.add(&ACK_TYPE, format!("{kind} is none of U, N, A, D"));
    }
}

fn list_bits(said: &Said<'_>, report: &mut Report<'_>) {
    if let Some(bits) = said.get("list_bits") {
        report_bits(bits, said, report);
    }
    if !matches!(said.verb(), b"ADL" | b"RML") {
        return;
    }
    for (element, name, value) in attributes(said.command.payload()) {
        if name == b"l" && matches!(element, b"c" | b"s") {
            report_bits(value, said, report);
        }
    }
}

fn report_bits(value: &[u8], said: &Said<'_>, report: &mut Report<'_>) {
    let bits: Option<u32> = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
    match bits {
        Some(bits) if bits > 31 => report.add(&LIST_BITS, format!("{bits} has bits above 31")),
        Some(bits) if said.is_from_client() && said.verb() == b"ADL" && bits & 24 != 0 => {
            report.add(&CLIENT_BITS, format!("{bits} holds bits of the reverse or pending list"));
        }
        Some(_) => {}
        None => report.add(&LIST_BITS, format!("\"{}\" is no number", shown(value, LONGEST_VALUE))),
    }
}
