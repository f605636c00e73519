//! `CHL` and `QRY`: does the client know the key of the product that it claims to be?

use std::collections::VecDeque;

use jiff::Timestamp;
use msnp::Version;
use msnp::challenge::{self, Product};

use super::connection::End;
use super::report::{LONGEST_VALUE, Place, Report, shown};
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static WRONG: Rule = Rule {
    id: "challenge/wrong",
    severity: Severity::Error,
    summary: "a challenge is answered wrongly",
    explanation: "QRY holds 32 hexadecimal digits computed from the challenge and the key of the product; from MSNP11 on in another \
                  way than before. Servers answer 540 and end the connection. Where programs differ (padding of a text whose \
                  length is a multiple of 8), either answer counts as right.",
    reference: "session flow 6 (PUR BIT SHARP ESC)",
    needs: Needs::Commands,
    wrong: "# MSNP8\nS: CHL 0 15570131571988941333\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000000\nS: 540 10",
    right: "# MSNP8\nS: CHL 0 15570131571988941333\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: QRY 10",
};

pub(super) static UNANSWERED: Rule = Rule {
    id: "challenge/unanswered",
    severity: Severity::Error,
    summary: "a challenge is never answered",
    explanation: "Servers end the connection of a client that does not answer (Escargot after 50 seconds, with 540). Reported if the \
                  connection lasted that long.",
    reference: "session flow 6 (ESC)",
    needs: Needs::Times,
    wrong: "# MSNP8\nS: CHL 0 15570131571988941333\n... 60 s\nS: NLN NLN bob@example.com Bob 0",
    right: "# MSNP8\nS: CHL 0 15570131571988941333\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: QRY 10\n... 60 s\nS: NLN NLN bob@example.com Bob 0",
};

pub(super) static LATE: Rule = Rule {
    id: "challenge/late",
    severity: Severity::Warning,
    summary: "a challenge is answered after more than 50 seconds",
    explanation: "Servers end the connection of a client that answers late.",
    reference: "session flow 6 (ESC)",
    needs: Needs::Times,
    wrong: "# MSNP8\nS: CHL 0 15570131571988941333\n... 55 s\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: QRY 10",
    right: "# MSNP8\nS: CHL 0 15570131571988941333\n... 5 s\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: QRY 10",
};

pub(super) static UNASKED: Rule = Rule {
    id: "challenge/unasked",
    severity: Severity::Warning,
    summary: "an answer to a challenge that nobody asked",
    explanation: "QRY without a CHL before it.",
    reference: "session flow 6",
    needs: Needs::Commands,
    wrong: "# MSNP8\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: 540 10",
    right: "# MSNP8\nS: CHL 0 15570131571988941333\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: QRY 10",
};

pub(super) static UNKNOWN_PRODUCT: Rule = Rule {
    id: "challenge/unknown-product",
    severity: Severity::Info,
    summary: "a product whose key nobody has published",
    explanation: "The answer cannot be verified; a server that does not know the product refuses it.",
    reference: "session flow 6, table of products (ESC PUR SHARP BIT)",
    needs: Needs::Commands,
    wrong: "# MSNP8\nS: CHL 0 15570131571988941333\nC: QRY 10 PROD9999 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: QRY 10",
    right: "# MSNP8\nS: CHL 0 15570131571988941333\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: QRY 10",
};

pub(super) static PRODUCT_VERSION: Rule = Rule {
    id: "challenge/product-version",
    severity: Severity::Info,
    summary: "a product of another version",
    explanation: "The client claims to be a program that never spoke this version. Servers that check only the answer do not mind.",
    reference: "session flow 6, table of products (ESC)",
    needs: Needs::Commands,
    wrong: "# MSNP8\nS: CHL 0 15570131571988941333\nC: QRY 10 PROD0119GSJUC$18 32\\r\\n6edea845e43c83323d73c53cfc734e56\nS: QRY 10",
    right: "# MSNP8\nS: CHL 0 15570131571988941333\nC: QRY 10 msmsgs@msnmsgr.com 32\\r\\n8f2f5a91b72102cd28355e9fc9000d6e\nS: QRY 10",
};

/// The challenges that the client heard and has not answered.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    open: VecDeque<Open>,
    has_forgotten: bool,
}

#[derive(Debug)]
struct Open {
    text: Vec<u8>,
    place: Place,
    time: Option<Timestamp>,
}

impl Challenges {
    pub(super) fn said(&mut self, said: &Said<'_>, is_whole: bool, report: &mut Report<'_>) {
        if said.verb() != b"QRY" || !said.is_from_client() || said.has_masked_payload() {
            return;
        }
        if self.open.is_empty() {
            if is_whole && !self.has_forgotten {
                report.add(&UNASKED, "no CHL came before it");
            }
            return;
        }
        let id = said.argument(1).unwrap_or_default();
        let Some(product) = challenge::product(id) else {
            report.add(&UNKNOWN_PRODUCT, format!("the key of \"{}\" is not known", shown(id, LONGEST_VALUE)));
            self.open.pop_front();
            return;
        };
        if let Some(version) = said.version()
            && (version < product.since || product.until.is_some_and(|until| until < version))
        {
            let until = product.until.map(|until| format!(" to {until}")).unwrap_or_default();
            report.add(&PRODUCT_VERSION, format!("{} belongs to {}{until}, not {version}", product.id, product.since));
        }
        let answer = said.command.payload();
        let right = self.open.iter().position(|open| is_right(answer, &open.text, product, said.version()));
        let open = self.open.remove(right.unwrap_or(0));
        if right.is_none() {
            let text = match answer.len() == 32 && answer.iter().all(u8::is_ascii_hexdigit) {
                true => "the answer is not that of the product's key".to_owned(),
                false => "the answer is not 32 hexadecimal digits".to_owned(),
            };
            report.add(&WRONG, text);
        }
        if let Some(waited) = open.and_then(|open| said.since(open.time)).filter(|waited| *waited > DEADLINE) {
            report.add(&LATE, format!("answered after {waited:.0} s"));
        }
    }

    pub(super) fn heard(&mut self, heard: &Said<'_>, place: &Place) {
        if heard.verb() != b"CHL" || heard.is_from_client() {
            return;
        }
        let Some(text) = heard.argument(1).filter(|text| text.len() <= LONGEST_CHALLENGE) else { return };
        if self.open.len() >= MOST_CHALLENGES {
            self.open.pop_front();
            self.has_forgotten = true;
        }
        self.open.push_back(Open { text: text.to_vec(), place: place.clone(), time: heard.time });
    }

    pub(super) fn end(self, end: &End, report: &mut Report<'_>) {
        for open in self.open {
            if let Some(waited) = end.since(open.time).filter(|waited| *waited > DEADLINE) {
                report.add_at(&UNANSWERED, open.place, format!("the client did not answer in {waited:.0} s"));
            }
        }
    }
}

fn is_right(answer: &[u8], challenge: &[u8], product: &Product, version: Option<Version>) -> bool {
    let is = |expected: String| expected.as_bytes().eq_ignore_ascii_case(answer);
    let old = || is(challenge::answer_md5(challenge, product.key.as_bytes()));
    let new = || {
        let (id, key) = (product.id.as_bytes(), product.key.as_bytes());
        let is_ambiguous = (challenge.len() + id.len()).is_multiple_of(8);
        is(challenge::answer_msnp11(challenge, id, key))
            || is_ambiguous && is(challenge::answer_msnp11(challenge, &[id, b"00000000"].concat(), key))
    };
    match version {
        Some(version) if version <= Version(10) => old(),
        Some(_) => new(),
        None => old() || new(),
    }
}

/// Seconds that Escargot grants.
const DEADLINE: f64 = 50.0;
/// No more challenges are remembered than these.
const MOST_CHALLENGES: usize = 16;
/// Longer ones are not.
const LONGEST_CHALLENGE: usize = 1024;
