//! All TCP connections of a capture: what each carries, and whom to tell.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use msnp::Direction;

use super::flow::{End, Flow, Told};
use super::stream::Piece;
use crate::classify::{self, Carries, Evidence};
use crate::gateway::{Gateways, TcpKey};
use crate::ip::{Endpoint, Segment};
use crate::report::Report;
use crate::sink::{Closer, ConnectionKey, Peers, Sink};

/// The connections of a capture.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    flows: HashMap<[Endpoint; 2], Entry>,
    gateways: Gateways,
    next_key: u64,
    /// Those that wait for something; some may be over already.
    waiting: Vec<[Endpoint; 2]>,
    /// The latest time of a packet.
    now: u64,
    next_check: u64,
    next_sweep: u64,
    /// Bytes that wait in all connections.
    held: usize,
}

#[derive(Debug)]
struct Entry {
    flow: Flow,
    carries: Carried,
    /// Whether it stands in the list of those that wait.
    is_listed: bool,
}

/// What a connection carries, and how it is called by whom it is told to.
#[derive(Debug)]
enum Carried {
    Unclear(Probe),
    Msnp(ConnectionKey, usize),
    Gateway(TcpKey, usize),
    Other,
}

/// What was seen of a connection of which it is not clear what it carries.
#[derive(Debug, Default)]
struct Probe {
    /// In order.
    events: Vec<(u64, Early)>,
    /// What each side has sent, without what is missing.
    bytes: [Vec<u8>; 2],
    has_gap: [bool; 2],
}

#[derive(Debug)]
enum Early {
    /// So many more of the bytes of a side.
    Data(usize, usize),
    Gap(usize, u64),
    Comment(String),
    Closed(End),
}

/// Whom to tell.
struct Listeners<'a> {
    gateways: &'a mut Gateways,
    sink: &'a mut dyn Sink,
    report: &'a mut Report,
    next_key: &'a mut u64,
}

impl Flows {
    /// Takes a segment. `comments` are those on its packet.
    pub(crate) fn segment(
        &mut self,
        segment: &Segment<'_>,
        comments: impl Iterator<Item = impl AsRef<[u8]>>,
        time: u64,
        sink: &mut dyn Sink,
        report: &mut Report,
    ) {
        self.now = self.now.max(time);
        if self.now >= self.next_check {
            self.check(sink, report);
        }
        let side = usize::from(segment.from > segment.to);
        let ends = if side == 0 { [segment.from, segment.to] } else { [segment.to, segment.from] };
        let is_new = match self.flows.get(&ends) {
            None => !(segment.is_reset || segment.is_fin && segment.bytes.is_empty()),
            Some(entry) => segment.is_syn && entry.flow.is_other(side, segment),
        };
        let mut listeners = Listeners { gateways: &mut self.gateways, sink, report, next_key: &mut self.next_key };
        if is_new {
            if let Some(mut old) = self.flows.remove(&ends) {
                self.held -= old.held();
                old.end(time, "another connection between the same ports took its place", &mut listeners);
            }
            listeners.report.tcp_connections += 1;
            self.flows.insert(
                ends,
                Entry { flow: Flow::new(ends, time), carries: Carried::Unclear(Probe::default()), is_listed: false },
            );
        }
        let Some(entry) = self.flows.get_mut(&ends) else { return };
        if !entry.flow.is_closed() {
            let held = entry.held();
            let most = if self.held > MOST_HELD { 0 } else { MOST_WAITING };
            entry.packet(side, segment, time, most, &mut listeners);
            if matches!(entry.carries, Carried::Unclear(_)) {
                entry.decide(self.held > MOST_HELD, &mut listeners);
            }
            self.held = self.held - held + entry.held();
        }
        for comment in comments {
            entry.comment(comment.as_ref(), time, &mut listeners);
        }
        if !entry.is_listed && entry.flow.is_waiting() {
            entry.is_listed = true;
            self.waiting.push(ends);
        }
        if self.flows.len() > MOST_FLOWS {
            self.make_room(sink, report);
        }
    }

    /// Ends all connections, since nothing more will come.
    pub(crate) fn finish(&mut self, reason: &'static str, sink: &mut dyn Sink, report: &mut Report) {
        let mut flows: Vec<Entry> = std::mem::take(&mut self.flows).into_values().collect();
        flows.sort_by_key(|entry| (entry.flow.opened, entry.flow.ends));
        let mut listeners = Listeners { gateways: &mut self.gateways, sink, report, next_key: &mut self.next_key };
        for mut entry in flows {
            entry.end(self.now, reason, &mut listeners);
        }
        listeners.gateways.finish(at(self.now), listeners.sink);
        let found = listeners.gateways.take_found();
        listeners.report.msnp_connections += found;
        listeners.report.inside_http += found;
        self.waiting.clear();
        self.held = 0;
        (self.now, self.next_check, self.next_sweep) = (0, 0, 0);
    }

    /// Returns the latest time of a packet.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Returns how many bytes wait, in memory that it takes.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Looks after those that wait for something.
    fn check(&mut self, sink: &mut dyn Sink, report: &mut Report) {
        self.next_check = self.now.saturating_add(CHECK);
        let mut listeners = Listeners { gateways: &mut self.gateways, sink, report, next_key: &mut self.next_key };
        let (flows, held, now) = (&mut self.flows, &mut self.held, self.now);
        self.waiting.retain(|ends| {
            let Some(entry) = flows.get_mut(ends) else { return false };
            let before = entry.held();
            entry.check(now, &mut listeners);
            *held = *held - before + entry.held();
            entry.is_listed = entry.flow.is_waiting();
            entry.is_listed
        });
        if self.now >= self.next_sweep {
            self.next_sweep = self.now.saturating_add(SWEEP);
            let now = self.now;
            self.sweep(sink, report, |flow| {
                let idle = now.saturating_sub(flow.last);
                idle > if flow.is_closed() { FORGOTTEN } else { IDLE }
            });
        }
    }

    /// Makes room for other connections: what is over goes first, then what was seen longest ago.
    fn make_room(&mut self, sink: &mut dyn Sink, report: &mut Report) {
        self.sweep(sink, report, Flow::is_closed);
        if self.flows.len() > MOST_FLOWS / 8 * 7 {
            let mut last: Vec<u64> = self.flows.values().map(|entry| entry.flow.last).collect();
            let (_, &mut limit, _) = last.select_nth_unstable(MOST_FLOWS / 8);
            self.sweep(sink, report, |flow| flow.last <= limit);
        }
    }

    fn sweep(&mut self, sink: &mut dyn Sink, report: &mut Report, is_over: impl Fn(&Flow) -> bool) {
        let mut listeners = Listeners { gateways: &mut self.gateways, sink, report, next_key: &mut self.next_key };
        let (held, now) = (&mut self.held, self.now);
        self.flows.retain(|_, entry| {
            let is_over = is_over(&entry.flow);
            if is_over {
                *held -= entry.held();
                entry.end(now, "nothing was seen of it for long", &mut listeners);
            }
            !is_over
        });
    }
}

impl Entry {
    #[inline]
    fn packet(&mut self, side: usize, segment: &Segment<'_>, time: u64, most: usize, listeners: &mut Listeners<'_>) {
        let Entry { flow, carries, .. } = self;
        flow.packet(side, segment, time, most, &mut |told| carries.tell(told, time, listeners));
    }

    fn check(&mut self, time: u64, listeners: &mut Listeners<'_>) {
        let Entry { flow, carries, .. } = self;
        flow.check(time, &mut |told| carries.tell(told, time, listeners));
        self.decide(false, listeners);
    }

    fn end(&mut self, time: u64, reason: &'static str, listeners: &mut Listeners<'_>) {
        if !self.flow.is_closed() {
            let Entry { flow, carries, .. } = self;
            flow.end(reason, &mut |told| carries.tell(told, time, listeners));
            self.decide(true, listeners);
        }
    }

    fn comment(&mut self, comment: &[u8], time: u64, listeners: &mut Listeners<'_>) {
        let comment: String = String::from_utf8_lossy(comment).trim().chars().take(LONGEST_COMMENT).collect();
        match &mut self.carries {
            _ if comment.is_empty() => {}
            Carried::Unclear(probe) if probe.events.len() < MOST_EVENTS => {
                probe.events.push((time, Early::Comment(comment)));
            }
            Carried::Msnp(key, _) if !self.flow.is_closed() => listeners.sink.note(*key, at(time), &comment),
            _ => {}
        }
    }

    fn held(&self) -> usize {
        let probed = match &self.carries {
            Carried::Unclear(probe) => probe.bytes[0].len() + probe.bytes[1].len(),
            _ => 0,
        };
        self.flow.held() + probed
    }

    /// Decides what the connection carries, if that is not clear yet, and tells what was kept.
    fn decide(&mut self, is_urgent: bool, listeners: &mut Listeners<'_>) {
        let Entry { flow, carries, .. } = self;
        let Carried::Unclear(probe) = carries else { return };
        let size = probe.bytes[0].len() + probe.bytes[1].len();
        let is_over = is_urgent || flow.is_closed() || size >= MOST_PROBED || probe.events.len() >= MOST_EVENTS;
        let evidence = Evidence {
            bytes: [&probe.bytes[0], &probe.bytes[1]],
            is_from_start: [0, 1].map(|side| flow.is_from_start(side) && !probe.has_gap[side]),
            client: flow.client,
            ports: flow.ends.map(|end| end.port),
            is_over,
        };
        let Some((found, client)) = classify::decide(&evidence) else { return };
        let probe = std::mem::take(probe);
        let peers = Peers { client: name(&flow.ends[client]), server: name(&flow.ends[1 - client]) };
        *carries = match found {
            Carries::Msnp => {
                listeners.report.msnp_connections += 1;
                let key = listeners.sink.opened(&peers, at(flow.opened));
                if !flow.is_from_start(client) && !flow.is_from_start(1 - client) {
                    listeners.sink.note(key, at(flow.opened), "the capture begins within this connection");
                }
                Carried::Msnp(key, client)
            }
            Carries::HttpGateway => {
                let key = TcpKey(*listeners.next_key);
                *listeners.next_key += 1;
                listeners.gateways.opened(key, &peers, at(flow.opened), listeners.report);
                Carried::Gateway(key, client)
            }
            Carries::Other => {
                flow.ignore();
                Carried::Other
            }
        };
        carries.replay(&probe, listeners);
    }
}

impl Carried {
    #[inline]
    fn tell(&mut self, told: Told<'_>, time: u64, listeners: &mut Listeners<'_>) {
        let direction = |side: usize, client: usize| Direction::BOTH[usize::from(side != client)];
        match (self, told) {
            (Carried::Unclear(probe), told) => probe.keep(told, time),
            (&mut Carried::Msnp(key, client), Told::Piece(side, Piece::Data(bytes))) => {
                listeners.sink.data(key, direction(side, client), at(time), bytes);
            }
            (&mut Carried::Msnp(key, client), Told::Piece(side, Piece::Gap(length))) => {
                listeners.report.gaps += 1;
                listeners.report.missing_bytes += length;
                listeners.sink.gap(key, direction(side, client), at(time), Some(length));
            }
            (&mut Carried::Msnp(key, client), Told::Closed(end)) => close(key, client, end, time, listeners),
            (&mut Carried::Gateway(key, client), Told::Piece(side, Piece::Data(bytes))) => {
                listeners.gateways.data(key, direction(side, client), at(time), bytes, listeners.sink);
            }
            (&mut Carried::Gateway(key, client), Told::Piece(side, Piece::Gap(length))) => {
                listeners.gateways.gap(key, direction(side, client), at(time), Some(length), listeners.sink);
            }
            (&mut Carried::Gateway(key, client), Told::Closed(end)) => {
                listeners.gateways.closed(key, at(time), closer(end.by, client), listeners.sink);
            }
            (Carried::Other, _) => {}
        }
    }

    /// Tells what was kept while it was not clear whom.
    fn replay(&mut self, probe: &Probe, listeners: &mut Listeners<'_>) {
        let mut used = [0; 2];
        for (time, event) in &probe.events {
            match event {
                &Early::Data(side, length) => {
                    let bytes = &probe.bytes[side][used[side]..used[side] + length];
                    used[side] += length;
                    self.tell(Told::Piece(side, Piece::Data(bytes)), *time, listeners);
                }
                &Early::Gap(side, length) => self.tell(Told::Piece(side, Piece::Gap(length)), *time, listeners),
                &Early::Closed(end) => self.tell(Told::Closed(end), *time, listeners),
                Early::Comment(comment) => {
                    if let Carried::Msnp(key, _) = self {
                        listeners.sink.note(*key, at(*time), comment);
                    }
                }
            }
        }
    }
}

impl Probe {
    fn keep(&mut self, told: Told<'_>, time: u64) {
        let event = match told {
            Told::Piece(side, Piece::Data(bytes)) => {
                self.bytes[side].extend_from_slice(bytes);
                Early::Data(side, bytes.len())
            }
            Told::Piece(side, Piece::Gap(length)) => {
                // what comes behind a gap at the beginning does not begin there
                self.has_gap[side] |= self.bytes[side].is_empty();
                Early::Gap(side, length)
            }
            Told::Closed(end) => Early::Closed(end),
        };
        self.events.push((time, event));
    }
}

fn close(key: ConnectionKey, client: usize, end: End, time: u64, listeners: &mut Listeners<'_>) {
    for side in 0..2 {
        let counts = end.counts[side];
        listeners.report.repeated_bytes += counts.repeated;
        listeners.report.different_bytes += counts.different;
        listeners.report.out_of_order += counts.out_of_order;
        let sender = if side == client { "client" } else { "server" };
        if end.seen[side] == 0 {
            let text = format!("nothing that the {sender} sent was captured");
            listeners.sink.note(key, at(time), &text);
        }
        if counts.different > 0 {
            let text = match counts.different {
                1 => format!("1 byte of the {sender} came again and was another: the first one is kept"),
                count => format!("{count} bytes of the {sender} came again and were others: the first ones are kept"),
            };
            listeners.sink.note(key, at(time), &text);
        }
        if counts.astray > 0 {
            let text = format!("{} segments of the {sender} were too far from the others: left out", counts.astray);
            listeners.sink.note(key, at(time), &text);
        }
    }
    listeners.sink.closed(key, at(time), closer(end.by, client), end.reason);
}

fn closer(by: Option<usize>, client: usize) -> Closer {
    match by {
        Some(side) if side == client => Closer::Client,
        Some(_) => Closer::Server,
        None => Closer::Source,
    }
}

fn name(end: &Endpoint) -> String {
    std::net::SocketAddr::new(end.ip, end.port).to_string()
}

/// Returns a time of a capture.
#[inline]
pub(crate) fn at(nanoseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

const SECOND: u64 = 1_000_000_000;
/// How often those that wait are looked after.
const CHECK: u64 = SECOND / 4;
/// How often those are looked for that are over.
const SWEEP: u64 = 60 * SECOND;
/// How long a connection that is over is remembered, so that late packets do not make a new one of it.
const FORGOTTEN: u64 = 120 * SECOND;
/// How long a connection may be silent. Clients ping every minute, or leave it for hours.
const IDLE: u64 = 24 * 3600 * SECOND;
/// Most connections that are known at once.
const MOST_FLOWS: usize = 1 << 17;
/// Most bytes that wait for others in one direction of a connection. More is taken for a loss.
const MOST_WAITING: usize = 4 << 20;
/// The same for all connections together.
pub(crate) const MOST_HELD: usize = 256 << 20;
/// How much of a connection is looked at to tell what it carries.
const MOST_PROBED: usize = 64 << 10;
/// How many events of it are.
const MOST_EVENTS: usize = 1024;
/// Longest comment that is kept, in characters.
const LONGEST_COMMENT: usize = 4096;
