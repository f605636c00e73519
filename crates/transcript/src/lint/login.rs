//! The order of a login, and where servers lead a client.

use msnp::flow::{Address, Redirect};
use msnp::{ServerKind, Version};

use super::report::{LONGEST_VALUE, Report, shown};
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static WITHOUT_VER: Rule = Rule {
    id: "login/without-ver",
    severity: Severity::Error,
    summary: "a login that does not start with VER",
    explanation: "The first command on a notification server is VER; a USR before it has no version to be read in. Switchboards, \
                  which start with USR or ANS and a cookie, are not meant.",
    reference: "session flow 1 and 2",
    needs: Needs::Commands,
    wrong: "# start\nC: USR 1 TWN I alice@example.com\nS: USR 1 TWN S lc=1033",
    right: "# start\nC: VER 1 MSNP8 CVR0\nS: VER 1 MSNP8\nC: USR 2 TWN I alice@example.com\nS: USR 2 TWN S lc=1033",
};

pub(super) static NOT_LOGGED_IN: Rule = Rule {
    id: "login/too-early",
    severity: Severity::Error,
    summary: "a command before the login is complete",
    explanation: "Before the last step of USR only VER, CVR, CVQ, INF, USR, GCF, PNG and OUT make sense. Servers answer 302 or end the \
                  connection. A client that does not wait for the server's USR OK is not reported.",
    reference: "session flow 2; error codes 302 (PUR)",
    needs: Needs::Commands,
    wrong: "# start\nC: VER 1 MSNP8 CVR0\nS: VER 1 MSNP8\nC: SYN 2 0\nS: 302 2",
    right: "# MSNP8\nC: SYN 10 0\nS: SYN 10 1",
};

pub(super) static BEFORE_LISTS: Rule = Rule {
    id: "login/presence-before-lists",
    severity: Severity::Warning,
    summary: "a status before the lists",
    explanation: "SYN (to MSNP12) or ADL (from MSNP13) comes before the first CHG: until then the server does not know whom to tell. \
                  HDN is not reported: nobody is told of it.",
    reference: "session flow 2 (ESC M11 PUR)",
    needs: Needs::Commands,
    wrong: "# MSNP8 before lists\nC: CHG 10 NLN 0\nS: CHG 10 NLN 0",
    right: "# MSNP8 before lists\nC: SYN 10 0\nS: SYN 10 1\nC: CHG 11 NLN 0\nS: CHG 11 NLN 0",
};

pub(super) static AFTER_OUT: Rule = Rule {
    id: "login/after-out",
    severity: Severity::Error,
    summary: "a command after one's own OUT",
    explanation: "OUT is the last word of whoever says it; the connection ends behind it.",
    reference: "commands, OUT (ESC PUR)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: OUT\nC: PNG\nS: QNG 50",
    right: "# MSNP12\nC: PNG\nS: QNG 50\nC: OUT",
};

pub(super) static ADDRESS: Rule = Rule {
    id: "login/redirect-address",
    severity: Severity::Error,
    summary: "a redirect to something that is no address",
    explanation: "XFR and RNG name host or host:port. A client that cannot read it never arrives.",
    reference: "session flow 3 and 4",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: XFR 10 SB\nS: XFR 10 SB 192.0.2.20:186300 CKI 17262740.1050826919",
    right: "# MSNP12\nC: XFR 10 SB\nS: XFR 10 SB 192.0.2.20:1863 CKI 17262740.1050826919",
};

pub(super) static PORT: Rule = Rule {
    id: "login/redirect-port",
    severity: Severity::Info,
    summary: "a redirect without a port",
    explanation: "Some clients then use 1863, others the port that they are connected to.",
    reference: "framing 10 (PUR PAP)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: XFR 10 SB\nS: XFR 10 SB 192.0.2.20 CKI 17262740.1050826919",
    right: "# MSNP12\nC: XFR 10 SB\nS: XFR 10 SB 192.0.2.20:1863 CKI 17262740.1050826919",
};

/// How far a login is.
#[derive(Debug, Default)]
pub(super) struct Login {
    has_begun: bool,
    has_offered: bool,
    has_authenticated: bool,
    has_lists: bool,
    is_out: [bool; 2],
}

impl Login {
    pub(super) fn said(&mut self, said: &Said<'_>, report: &mut Report<'_>) {
        let direction = said.command.direction().index();
        if self.is_out[direction] {
            report.add(&AFTER_OUT, format!("the {} had said OUT", said.command.direction().sender()));
            // once is enough
            self.is_out[direction] = false;
        }
        self.is_out[direction] |= said.verb() == b"OUT";
        if said.is_from_client() {
            self.client(said, report);
        } else {
            redirect(said, report);
        }
    }

    fn client(&mut self, said: &Said<'_>, report: &mut Report<'_>) {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let is_login_step = matches!(said.argument(1), Some(b"CTP" | b"MD5" | b"TWN" | b"SSO"));
        match said.verb() {
            b"VER" => *self = Login { has_begun: true, has_offered: true, ..Login::default() },
            b"USR" if is_login_step && said.argument(2) == Some(b"S") => self.has_authenticated = true,
            b"USR" if is_first && is_login_step => report.add(&WITHOUT_VER, "the first command is USR, not VER"),
            b"CVR" | b"CVQ" | b"INF" | b"USR" | b"GCF" | b"PNG" | b"OUT" => {}
            b"SYN" | b"ADL" if self.has_authenticated => self.has_lists = true,
            _ if self.has_offered && !self.has_authenticated => {
                report.add(&NOT_LOGGED_IN, format!("{} before the login is complete", said.command.verb()));
            }
            b"CHG" if self.is_early(said) => {
                let lists = if said.version().is_some_and(|version| version < Version(13)) { "SYN" } else { "ADL" };
                report.add(&BEFORE_LISTS, format!("CHG before {lists}"));
                self.has_lists = true;
            }
            _ => {}
        }
    }

    fn is_early(&self, said: &Said<'_>) -> bool {
        self.has_authenticated
            && !self.has_lists
            && said.scope.server == Some(ServerKind::Notification)
            && said.version().is_some()
            && said.argument(1) != Some(b"HDN")
    }

    pub(super) fn heard(&mut self, heard: &Said<'_>) {
        // a server that moves the client on this connection begins anew
        if !heard.is_from_client() && heard.verb() == b"XFR" && heard.argument(2) == Some(b"0") {
            self.has_offered = false;
        }
    }
}

fn redirect(said: &Said<'_>, report: &mut Report<'_>) {
    let address = match said.verb() {
        b"XFR" if matches!(said.argument(1), Some(b"NS" | b"SB")) => said.argument(2),
        b"RNG" => said.argument(1),
        _ => return,
    };
    let Some(address) = address.filter(|address| *address != b"0") else { return };
    match std::str::from_utf8(address).ok().and_then(Address::parse) {
        None => {
            let text = shown(address, LONGEST_VALUE);
            report.add(&ADDRESS, format!("\"{text}\" is neither host nor host:port"));
        }
        Some(Address { host, port: None }) if Redirect::of(said.command).is_some() => {
            report.add(&PORT, format!("{host} comes without a port"));
        }
        Some(_) => {}
    }
}
