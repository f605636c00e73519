//! Aligns two connections, stream by stream.
//!
//! The client's commands are one stream, the answers to each another, and what the server says unasked a third: whether a
//! notification came before or after an answer is a matter of milliseconds. What a server says of one contact is a stream of
//! its own, so that the order of contacts is none; so are pings.

use std::collections::{BTreeMap, HashMap};

use msnp::types::Direction;

use super::accounts::AccountMap;
use super::align::{Keys, align};
use super::fields;
use super::side::{Connection, Content, Item};

/// Two items that belong together, or one that is alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Match {
    pub(super) a: Option<usize>,
    pub(super) b: Option<usize>,
    /// Whether they stand at different places among their like.
    pub(super) is_moved: bool,
}

/// Where an item belongs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Stream {
    /// What the client says.
    Requests,
    /// What the server says unasked.
    Unasked,
    /// The answers to an item of A, or to one of B that stands for it.
    Answers(usize),
    /// What a server says of one contact or group, by kind and name.
    Subject(&'static str, Vec<u8>),
    /// Pings, or their answers.
    Pings(usize),
    /// Bytes outside the protocol.
    Opaque(usize),
}

/// What the alignment needs of the items of a connection.
struct Sorted {
    keys: Vec<Keys>,
    streams: Vec<Stream>,
}

/// Returns what belongs together, in the order of A, with what only B has behind its neighbour.
pub(super) fn align_connections(a: &Connection, b: &Connection, accounts: &AccountMap) -> Vec<Match> {
    let (ours, theirs) = (Sorted::of(a, Some(accounts)), Sorted::of(b, None));
    let mut partner: Vec<Option<usize>> = vec![None; a.items.len()];
    let requests = aligned(&ours, &theirs, &ours.of_stream(&Stream::Requests), &theirs.of_stream(&Stream::Requests));
    // an answer of B belongs to the request of A that stands for its own
    let mut stands_for: HashMap<usize, usize> = HashMap::new();
    for (our, their) in requests {
        partner[our] = Some(their);
        stands_for.insert(their, our);
    }
    let mut streams: BTreeMap<Stream, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (index, stream) in ours.streams.iter().enumerate().filter(|(_, stream)| **stream != Stream::Requests) {
        streams.entry(stream.clone()).or_default().0.push(index);
    }
    for (index, stream) in theirs.streams.iter().enumerate().filter(|(_, stream)| **stream != Stream::Requests) {
        let stream = match stream {
            Stream::Answers(request) => match stands_for.get(request) {
                Some(request) => Stream::Answers(*request),
                None => continue,
            },
            stream => stream.clone(),
        };
        streams.entry(stream).or_default().1.push(index);
    }
    for (stream, (mine, yours)) in &streams {
        let mut found = aligned(&ours, &theirs, mine, yours);
        if matches!(stream, Stream::Answers(_)) {
            fill(mine, yours, &mut found);
        }
        found.into_iter().for_each(|(our, their)| partner[our] = Some(their));
    }
    let mut moved = vec![false; a.items.len()];
    rescue(&ours, &theirs, &mut partner, &mut moved);
    merged(&partner, &moved, b.items.len())
}

impl Sorted {
    fn of(connection: &Connection, accounts: Option<&AccountMap>) -> Sorted {
        let keys = connection.items.iter().map(|item| fields::keys(item, accounts)).collect();
        let mut latest = Vec::new();
        let streams = connection.items.iter().map(|item| stream_of(item, accounts, &mut latest)).collect();
        Sorted { keys, streams }
    }

    fn of_stream(&self, wanted: &Stream) -> Vec<usize> {
        self.streams.iter().enumerate().filter(|(_, stream)| *stream == wanted).map(|(index, _)| index).collect()
    }
}

/// Returns where an item belongs; `latest` is the contact of the last `LST`, to which `BPR` refers.
fn stream_of(item: &Item, accounts: Option<&AccountMap>, latest: &mut Vec<u8>) -> Stream {
    let direction = item.direction();
    let Content::Command(command) = &item.content else { return Stream::Opaque(direction.index()) };
    let verb = command.verb();
    if matches!(verb.as_bytes(), b"PNG" | b"QNG") {
        return Stream::Pings(direction.index());
    }
    if direction == Direction::ClientToServer {
        return Stream::Requests;
    }
    let known = SUBJECTS.iter().find(|(verbs, ..)| verbs.contains(&verb.as_str()));
    let Some((_, kind, name)) = known else {
        return item.request.map_or(Stream::Unasked, Stream::Answers);
    };
    let list = fields::fields(item, accounts);
    let subject = match *kind {
        "property" => {
            let mut subject = fields::account_in(&list, "email", accounts).unwrap_or_else(|| latest.clone());
            subject.push(b' ');
            subject.extend(fields::account_in(&list, "key", accounts).unwrap_or_default());
            subject
        }
        kind => {
            let subject = fields::account_in(&list, name, accounts).unwrap_or_default();
            if kind == "contact" {
                latest.clone_from(&subject);
            }
            subject
        }
    };
    Stream::Subject(kind, subject)
}

/// What comes in bursts whose order is that of a database: verbs, kind, and the argument that names the subject.
const SUBJECTS: &[(&[&str], &str, &str)] = &[
    (&["ILN", "NLN", "FLN"], "presence", "email"),
    (&["UBX"], "data", "email"),
    (&["LST"], "contact", "email"),
    (&["LSG"], "group", "group_name"),
    (&["BPR"], "property", "email"),
];

/// Aligns some items of both, and returns pairs of their indices.
fn aligned(ours: &Sorted, theirs: &Sorted, mine: &[usize], yours: &[usize]) -> Vec<(usize, usize)> {
    let keys = |sorted: &Sorted, list: &[usize]| list.iter().map(|index| sorted.keys[*index]).collect::<Vec<_>>();
    let (pairs, _) = align(&keys(ours, mine), &keys(theirs, yours));
    pairs.into_iter().map(|(our, their)| (mine[our], yours[their])).collect()
}

/// Pairs answers of different kinds where each side has one and no other stands between: one is in the other's place.
fn fill(mine: &[usize], yours: &[usize], found: &mut Vec<(usize, usize)>) {
    let mut more = Vec::new();
    let (mut mine, mut yours) = (mine.iter().copied().peekable(), yours.iter().copied().peekable());
    for stop in found.iter().copied().map(Some).chain([None]) {
        let before = |index: &usize, end: Option<usize>| end.is_none_or(|end| *index < end);
        let left: Vec<usize> =
            std::iter::from_fn(|| mine.next_if(|index| before(index, stop.map(|(our, _)| our)))).collect();
        let right: Vec<usize> =
            std::iter::from_fn(|| yours.next_if(|index| before(index, stop.map(|(_, their)| their)))).collect();
        if let ([our], [their]) = (&left[..], &right[..]) {
            more.push((*our, *their));
        }
        // the pair itself
        mine.next();
        yours.next();
    }
    found.extend(more);
    found.sort_unstable();
}

/// Pairs what is left over on both sides and alike: it stands at another place, or its request is missing.
fn rescue(ours: &Sorted, theirs: &Sorted, partner: &mut [Option<usize>], moved: &mut [bool]) {
    let mut taken = vec![false; theirs.streams.len()];
    partner.iter().flatten().for_each(|index| taken[*index] = true);
    let mut left: HashMap<u64, std::collections::VecDeque<usize>> = HashMap::new();
    for (index, _) in taken.iter().enumerate().filter(|(_, taken)| !**taken) {
        left.entry(theirs.keys[index].exact).or_default().push_back(index);
    }
    for index in 0..partner.len() {
        if partner[index].is_some() {
            continue;
        }
        let Some(other) = left.get_mut(&ours.keys[index].exact).and_then(|queue| queue.pop_front()) else { continue };
        partner[index] = Some(other);
        // an answer without its request is no sign of another order
        moved[index] = match (&ours.streams[index], &theirs.streams[other]) {
            (Stream::Answers(our), Stream::Answers(their)) => partner[*our] == Some(*their),
            (our, their) => our == their,
        };
    }
}

/// Puts everything into one order.
fn merged(partner: &[Option<usize>], moved: &[bool], others: usize) -> Vec<Match> {
    let mut owner: Vec<Option<usize>> = vec![None; others];
    let mut placed: Vec<((usize, usize), Match)> = Vec::with_capacity(partner.len());
    for (index, other) in partner.iter().enumerate() {
        if let Some(other) = other {
            owner[*other] = Some(index);
        }
        placed.push(((2 * index + 1, 0), Match { a: Some(index), b: *other, is_moved: moved[index] }));
    }
    let mut before = 0;
    for (index, our) in owner.iter().enumerate() {
        match our {
            Some(our) => before = before.max(2 * our + 2),
            None => placed.push(((before, index + 1), Match { a: None, b: Some(index), is_moved: false })),
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, found)| found).collect()
}
