//! Conversations.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::cookies::{Cookies, Known};
use super::report::Report;
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static NOBODY: Rule = Rule {
    id: "switchboard/nobody",
    severity: Severity::Warning,
    summary: "a message to a switchboard without anybody else",
    explanation: "Nobody has joined yet, or everybody has left for five seconds or more: nobody gets the message. The client waits for JOI \
                  or IRO before it says something.",
    reference: "session flow 4 (ESC PUR)",
    needs: Needs::Commands,
    wrong: "# empty board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\nhi",
    right: "# board MSNP12\nC: MSG 10 U {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\nhi",
};

pub(super) static COOKIE: Rule = Rule {
    id: "switchboard/cookie",
    severity: Severity::Error,
    summary: "a cookie that no server gave",
    explanation: "USR and ANS show the cookie of an XFR or RNG, ANS its session id too; switchboards refuse others with 911 or end the \
                  connection. Not judged where cookies are masked, or where the login is not in the transcript. bitlbee 3 shortens \
                  session ids that are not decimal.",
    reference: "session flow 4 and 5; seen on the wire (bitlbee)",
    needs: Needs::Bytes,
    wrong: "# MSNP12\nS: RNG 11752013 192.0.2.20:1863 CKI 849102291.520491113 bob@example.com Bob\n# switchboard\n\
            C: ANS 1 alice@example.com 849102291.520491999 11752013\nS: 911 1",
    right: "# MSNP12\nS: RNG 11752013 192.0.2.20:1863 CKI 849102291.520491113 bob@example.com Bob\n# switchboard\n\
            C: ANS 1 alice@example.com 849102291.520491113 11752013\nS: IRO 1 1 1 bob@example.com Bob\nS: ANS 1 OK",
};

pub(super) static ROSTER: Rule = Rule {
    id: "switchboard/roster",
    severity: Severity::Error,
    summary: "the list of participants is not in order",
    explanation: "IRO lines count from 1 to the total that each of them names, and ANS OK follows the last. Clients wait for as many as \
                  were announced.",
    reference: "session flow 4 (ESC PUR)",
    needs: Needs::Commands,
    wrong: "# answered board MSNP12\nS: IRO 1 1 2 bob@example.com Bob\nS: ANS 1 OK",
    right: "# answered board MSNP12\nS: IRO 1 1 2 bob@example.com Bob\nS: IRO 1 2 2 carol@example.com Carol\nS: ANS 1 OK",
};

pub(super) static P2P_TYPE: Rule = Rule {
    id: "switchboard/p2p-type",
    severity: Severity::Warning,
    summary: "a P2P message that is not of type D",
    explanation: "Official servers end the connection at P2P in a message of another type than D, and answer 282 to other content in D.",
    reference: "framing 7 and 9 (WIKI NINA)",
    needs: Needs::Commands,
    wrong: "# board MSNP12\nC: MSG 10 N {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: application/x-msnmsgrp2p\\r\\nP2P-Dest: bob@example.com\\r\\n\\r\\n{\\x00*48}{\\x00*4}",
    right: "# board MSNP12\nC: MSG 10 D {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: application/x-msnmsgrp2p\\r\\nP2P-Dest: bob@example.com\\r\\n\\r\\n{\\x00*48}{\\x00*4}\nS: ACK 10",
};

/// Who is there.
#[derive(Debug, Default)]
pub(super) struct Board {
    is_open: bool,
    present: BTreeSet<Vec<u8>>,
    /// When the last one left.
    left: Option<Timestamp>,
    has_met: bool,
    is_full: bool,
    /// What IRO named last: which of how many.
    roster: Option<(u32, u32)>,
}

impl Board {
    pub(super) fn said(&mut self, said: &Said<'_>, cookies: &Cookies, report: &mut Report<'_>) {
        if !said.is_on_switchboard() {
            return;
        }
        match (said.verb(), said.is_from_client()) {
            (b"USR", true) => {
                self.is_open = true;
                self.cookie(said, cookies, None, report);
            }
            (b"ANS", true) => {
                self.is_open = true;
                self.cookie(said, cookies, said.argument(3), report);
            }
            (b"MSG", true) => self.message(said, report),
            (b"IRO", false) => self.participant(said, report),
            (b"ANS", false) => {
                if let Some((index, total)) = self.roster.filter(|(index, total)| index < total) {
                    report.add(&ROSTER, format!("ANS after {index} of {total} participants"));
                }
            }
            _ => {}
        }
    }

    fn cookie(&self, said: &Said<'_>, cookies: &Cookies, session: Option<&[u8]>, report: &mut Report<'_>) {
        let Some(cookie) = said.argument(2).filter(|_| !said.is_masked("args[2]")) else { return };
        let redirect = if session.is_some() { "RNG" } else { "XFR" };
        match cookies.know(cookie, session) {
            Known::Unjudged | Known::Given => {}
            Known::NotGiven => report.add(&COOKIE, format!("no {redirect} of this session gave this cookie")),
            Known::OtherSession => report.add(&COOKIE, "the RNG with this cookie had another session id"),
        }
    }

    fn message(&mut self, said: &Said<'_>, report: &mut Report<'_>) {
        if self.is_open && !self.is_full && self.present.is_empty() {
            if !self.has_met {
                report.add(&NOBODY, "nobody has joined yet");
            } else if said.since(self.left).is_some_and(|seconds| seconds >= GRACE) {
                report.add(&NOBODY, "everybody has left");
            }
        }
        let is_p2p = said.command.headers().is("application/x-msnmsgrp2p");
        if is_p2p && matches!(said.argument(1), Some(b"U" | b"N" | b"A")) {
            report.add(&P2P_TYPE, "P2P belongs into a message of type D");
        }
    }

    fn participant(&mut self, said: &Said<'_>, report: &mut Report<'_>) {
        let number = |index| std::str::from_utf8(said.argument(index)?).ok()?.parse::<u32>().ok();
        let (Some(index), Some(total)) = (number(1), number(2)) else { return };
        let (last, expected) = self.roster.unwrap_or((0, total));
        if last.checked_add(1) != Some(index) || total != expected || index > total {
            report.add(&ROSTER, format!("{index} of {total} follows {last} of {expected}"));
        }
        self.roster = Some((index, total));
    }

    pub(super) fn heard(&mut self, heard: &Said<'_>) {
        let place = match heard.verb() {
            _ if heard.is_from_client() || !heard.is_on_switchboard() => return,
            b"JOI" | b"BYE" => 0,
            b"IRO" => 3,
            _ => return,
        };
        let Some(who) = heard.argument(place).filter(|who| who.len() <= LONGEST_ADDRESS) else { return };
        if heard.verb() == b"BYE" {
            self.present.remove(who);
            // one endpoint left, or the bare address of all of them
            if !who.contains(&b';') {
                self.present.retain(|present| present.split(|&byte| byte == b';').next() != Some(who));
            }
            self.left = heard.time.or(self.left);
        } else {
            self.has_met = true;
            self.is_full |= self.present.len() >= MOST_PRESENT;
            if !self.is_full {
                self.present.insert(who.to_vec());
            }
        }
    }
}

/// Seconds after which a client must know that everybody has left.
const GRACE: f64 = 5.0;
/// No more participants are remembered than these.
const MOST_PRESENT: usize = 512;
/// Nor longer addresses.
const LONGEST_ADDRESS: usize = 512;
