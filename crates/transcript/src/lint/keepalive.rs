//! `PNG` and `QNG`.

use std::collections::VecDeque;

use jiff::Timestamp;
use msnp::Version;

use super::connection::End;
use super::report::{Place, Report};
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static UNASKED: Rule = Rule {
    id: "keepalive/unasked",
    severity: Severity::Warning,
    summary: "a QNG without a PNG",
    explanation: "The server answers each PNG once and says QNG at no other time.",
    reference: "session flow 6 (ESC M11)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nS: QNG 50",
    right: "# MSNP12\nC: PNG\nS: QNG 50",
};

pub(super) static UNANSWERED: Rule = Rule {
    id: "keepalive/unanswered",
    severity: Severity::Warning,
    summary: "a PNG without a QNG",
    explanation: "Clients take the connection for dead. Reported when the connection ends, if ten seconds have passed.",
    reference: "session flow 6 (PUR M11)",
    needs: Needs::Times,
    wrong: "# MSNP12\nC: PNG\n... 20 s\nS: FLN bob@example.com",
    right: "# MSNP12\nC: PNG\nS: QNG 50\n... 20 s\nS: FLN bob@example.com",
};

pub(super) static NO_SECONDS: Rule = Rule {
    id: "keepalive/no-seconds",
    severity: Severity::Info,
    summary: "a QNG that does not say when the next PNG is due",
    explanation: "From MSNP9 on QNG has a number of seconds; some clients need it.",
    reference: "session flow 6 and 10 (ESC NINA PUR SHARP)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: PNG\nS: QNG",
    right: "# MSNP12\nC: PNG\nS: QNG 50",
};

pub(super) static EARLY: Rule = Rule {
    id: "keepalive/early",
    severity: Severity::Info,
    summary: "a PNG long before it is due",
    explanation: "QNG n means that the next PNG is expected in n seconds. Reported if less than a quarter of that has passed, for n of 20 \
                  or more.",
    reference: "session flow 6 (SHARP PAP M11)",
    needs: Needs::Times,
    wrong: "# MSNP12\nC: PNG\nS: QNG 50\n... 5 s\nC: PNG\nS: QNG 50",
    right: "# MSNP12\nC: PNG\nS: QNG 50\n... 48 s\nC: PNG\nS: QNG 50",
};

pub(super) static LATE: Rule = Rule {
    id: "keepalive/late",
    severity: Severity::Warning,
    summary: "the client was silent for longer than the server allows",
    explanation: "QNG n means that a PNG, or any other command, is expected within n seconds. Reported 15 seconds after that.",
    reference: "session flow 6 (NINA ESC)",
    needs: Needs::Times,
    wrong: "# MSNP12\nC: PNG\nS: QNG 50\n... 90 s\nC: PNG\nS: QNG 50",
    right: "# MSNP12\nC: PNG\nS: QNG 50\n... 50 s\nC: PNG\nS: QNG 50",
};

/// The pings of a connection.
#[derive(Debug, Default)]
pub(super) struct Keepalive {
    /// Those that the server heard and has not answered.
    open: VecDeque<(Place, Option<Timestamp>)>,
    has_forgotten: bool,
    /// What the client heard last: when, and how many seconds it has.
    due: Option<(Option<Timestamp>, f64)>,
    /// When the client said something last.
    last: Option<Timestamp>,
}

impl Keepalive {
    pub(super) fn said(&mut self, said: &Said<'_>, is_whole: bool, report: &mut Report<'_>) {
        if said.is_from_client() {
            self.client(said, report);
        } else if said.verb() == b"QNG" {
            if self.open.pop_front().is_none() && is_whole && !self.has_forgotten {
                report.add(&UNASKED, "the client had said no PNG");
            }
            if said.argument(0).is_none_or(<[u8]>::is_empty)
                && said.version().is_some_and(|version| version >= Version(9))
            {
                report.add(&NO_SECONDS, "no number of seconds follows");
            }
        }
    }

    fn client(&mut self, said: &Said<'_>, report: &mut Report<'_>) {
        if let Some((time, seconds)) = self.due {
            let silent = said.since(self.last.max(time)).unwrap_or(0.0);
            if silent > seconds + SLACK {
                report.add(&LATE, format!("{silent:.0} s of silence after QNG {seconds}"));
                self.due = None;
            } else if said.verb() == b"PNG"
                && seconds >= SHORTEST
                && let Some(waited) = said.since(time).filter(|waited| *waited < seconds / 4.0)
            {
                report.add(&EARLY, format!("{waited:.0} s after QNG {seconds}"));
            }
        }
        self.last = said.time.or(self.last);
    }

    pub(super) fn heard(&mut self, heard: &Said<'_>, place: &Place) {
        match (heard.verb(), heard.is_from_client()) {
            (b"PNG", true) => {
                if self.open.len() >= MOST_PINGS {
                    self.open.pop_front();
                    self.has_forgotten = true;
                }
                self.open.push_back((place.clone(), heard.time));
            }
            (b"QNG", false) => {
                let seconds =
                    heard.argument(0).and_then(|seconds| std::str::from_utf8(seconds).ok()?.parse::<u16>().ok());
                self.due = seconds.map(|seconds| (heard.time, f64::from(seconds)));
            }
            _ => {}
        }
    }

    pub(super) fn end(self, end: &End, report: &mut Report<'_>) {
        for (place, time) in self.open {
            if let Some(waited) = end.since(time).filter(|waited| *waited >= PATIENCE) {
                report.add_at(&UNANSWERED, place, format!("no QNG in {waited:.0} s"));
            }
        }
    }
}

/// Seconds that a client may be late.
const SLACK: f64 = 15.0;
/// Intervals below this are too short to be early in.
const SHORTEST: f64 = 20.0;
/// Seconds after which a ping counts as never answered.
const PATIENCE: f64 = 10.0;
/// No more pings are remembered than these.
const MOST_PINGS: usize = 64;
