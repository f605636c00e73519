//! Who is who: every value that was seen, and its pseudonym.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use super::classes::is_filler;
use super::kind::Kind;
use super::pseudonym::{self, PEOPLE};

/// Every value of every kind, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Names {
    values: HashMap<(Kind, String), Entry>,
    order: Vec<(Kind, String)>,
    /// From where on `order` has values without a pseudonym.
    settled: usize,
    /// What stands before the `@` of all originals.
    parts: HashSet<String>,
    /// The words of all originals, in lower case: no pseudonym may look like one.
    words: HashSet<String>,
    issued: HashSet<(Kind, String)>,
    /// What stands before the `@` of the accounts given out.
    locals: HashSet<String>,
    counts: HashMap<Kind, u64>,
    /// How many names a person has.
    displays: HashMap<String, u64>,
    /// The accounts that log in, first of all.
    owners: Vec<String>,
    keep: Vec<String>,
    /// The accounts that stay and were met.
    kept: BTreeSet<String>,
    mode: Mode,
    /// Whether the transcript at hand is the result of a redaction.
    is_native: bool,
    found: Vec<Kind>,
}

/// One value.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// As it was written when it was first met.
    pub(super) original: String,
    /// The person (key of an address) that a name belongs to.
    pub(super) person: Option<String>,
    /// Empty until it is settled, and for what has none.
    pub(super) pseudonym: String,
    /// Whether it is the pseudonym of an earlier redaction, and was met as nothing else.
    is_native: bool,
}

/// What a walk over a transcript is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Mode {
    /// Values are put down.
    #[default]
    Learn,
    /// Values are replaced.
    Write,
    /// Values that should have been replaced are reported.
    Audit,
}

impl Names {
    /// Knows nobody yet; `keep` are accounts that stay, `*@domain` all of a domain.
    pub(super) fn new(keep: &[String]) -> Names {
        let keep: Vec<String> = keep.iter().map(|account| account.to_lowercase()).collect();
        let words = keep.iter().filter_map(|account| Some(account.split_once('@')?.0.to_owned())).collect();
        Names { keep, words, ..Names::default() }
    }

    /// Changes what is done with values, and returns what was found since.
    pub(super) fn set_mode(&mut self, mode: Mode, is_native: bool) -> Vec<Kind> {
        if mode != Mode::Learn {
            self.settle();
        }
        self.mode = mode;
        self.is_native = is_native;
        std::mem::take(&mut self.found)
    }

    /// Says whether what follows is the result of a redaction.
    pub(super) fn set_native(&mut self, is_native: bool) {
        self.is_native = is_native;
    }

    /// Returns what was found since the last time.
    pub(super) fn take_found(&mut self) -> Vec<Kind> {
        std::mem::take(&mut self.found)
    }

    /// Puts down that an account logs in.
    pub(super) fn owner(&mut self, account: &str) {
        let key = Kind::Address.key(account);
        if self.mode == Mode::Learn && !key.is_empty() && !self.owners.contains(&key) {
            self.owners.push(key);
        }
    }

    /// Takes over a value and its pseudonym from an earlier call.
    pub(super) fn restore(&mut self, kind: Kind, original: &str, pseudonym: &str, person: Option<String>) {
        let key = (kind, kind.key(original));
        if pseudonym.is_empty() || self.values.contains_key(&key) {
            return;
        }
        if let (Kind::Name, Some(person)) = (kind, &person) {
            *self.displays.entry(person.clone()).or_default() += 1;
        }
        *self.counts.entry(kind).or_default() += 1;
        self.issue(kind, pseudonym);
        self.note_words(kind, original);
        let (original, pseudonym) = (original.to_owned(), pseudonym.to_owned());
        self.values.insert(key.clone(), Entry { original, person, pseudonym, is_native: false });
        self.order.push(key);
    }

    /// Returns what takes the place of a value. In a walk that learns or audits, that is the value itself.
    pub(super) fn look(&mut self, kind: Kind, value: &str, person: Option<&str>) -> String {
        if is_public(kind, value) {
            return value.to_owned();
        }
        if kind == Kind::Address && self.is_kept(value) {
            self.kept.insert(kind.key(value));
            return value.to_owned();
        }
        let key = (kind, kind.key(value));
        match self.mode {
            Mode::Learn => {
                self.meet(key, value, person);
                value.to_owned()
            }
            Mode::Write => {
                if !self.values.contains_key(&key) {
                    // what was replaced before is not replaced again
                    if self.issued.contains(&key) {
                        return value.to_owned();
                    }
                    self.meet(key.clone(), value, person);
                    self.settle();
                }
                self.values.get(&key).map_or_else(String::new, |entry| entry.pseudonym.clone())
            }
            Mode::Audit => {
                let is_issued = self.issued.contains(&key);
                if self.values.get(&key).is_some_and(|entry| !entry.is_native) && !is_issued {
                    self.found.push(kind);
                }
                value.to_owned()
            }
        }
    }

    /// Puts down a value that is dropped, so that it is searched for.
    pub(super) fn drop_value(&mut self, kind: Kind, value: &str) {
        if is_filler(value) || !kind.is_dropped() {
            return;
        }
        let key = (kind, kind.key(value));
        match self.mode {
            Mode::Learn | Mode::Write => self.meet(key, value, None),
            Mode::Audit if self.values.contains_key(&key) => self.found.push(kind),
            Mode::Audit => {}
        }
    }

    /// Whether a value was met.
    pub(super) fn knows(&self, kind: Kind, value: &str) -> bool {
        self.values.contains_key(&(kind, kind.key(value)))
    }

    /// Returns what a domain of accounts becomes: `example.com`, or itself where an account of it is kept.
    pub(super) fn domain(&mut self, domain: &str) -> String {
        let key = domain.to_lowercase();
        if self.is_kept_domain(&key) || key.is_empty() {
            return domain.to_owned();
        }
        match self.mode {
            Mode::Write => pseudonym::DOMAIN.to_owned(),
            Mode::Learn => {
                self.meet((Kind::Domain, key), domain, None);
                domain.to_owned()
            }
            Mode::Audit => {
                if key != pseudonym::DOMAIN && self.knows(Kind::Domain, &key) {
                    self.found.push(Kind::Domain);
                }
                domain.to_owned()
            }
        }
    }

    /// Whether an account may stay.
    fn is_kept(&self, account: &str) -> bool {
        let account = account.trim().to_lowercase();
        let domain = account.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.keep.iter().any(|keep| *keep == account || keep.strip_prefix("*@") == Some(domain))
    }

    /// Whether a walk only learns.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Reports the part of an account before the `@` that was met and stands where it should not, whatever is behind it.
    pub(super) fn audit_part(&mut self, local: &str) {
        let local = local.to_lowercase();
        if self.mode == Mode::Audit && self.parts.contains(&local) && !self.locals.contains(&local) {
            self.found.push(Kind::Address);
        }
    }

    /// Returns every value that has or needs a pseudonym or is dropped, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Kind, &str, &Entry)> {
        self.order.iter().filter_map(|key| Some((key.0, key.1.as_str(), self.values.get(key)?)))
    }

    /// Whether something is a pseudonym that was given out.
    pub(super) fn is_issued(&self, kind: Kind, value: &str) -> bool {
        self.issued.contains(&(kind, kind.key(value)))
    }

    /// Whether an account that was given out has this before its `@`.
    pub(super) fn is_issued_local(&self, local: &str) -> bool {
        self.locals.contains(local)
    }

    /// How many values there are: a sign of a change.
    pub(super) fn len(&self) -> usize {
        self.order.len() + self.kept.len()
    }

    /// Returns the accounts that stay and were met.
    pub(super) fn kept(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(String::as_str)
    }

    /// Gives every value its pseudonym: owners first, then people, then what else there is.
    pub(super) fn settle(&mut self) {
        if self.settled == self.order.len() {
            return;
        }
        let open: Vec<(Kind, String)> = self.order[self.settled..].to_vec();
        self.settled = self.order.len();
        let owners = std::mem::take(&mut self.owners).into_iter().map(|owner| (Kind::Address, owner));
        // what has a fixed form first: a person's address may be made of it, and a name of a person's
        let rank = |kind: Kind| match kind {
            Kind::Guid | Kind::Domain => 0,
            Kind::Address => 1,
            _ => 2,
        };
        let mut rest = open;
        rest.sort_by_key(|(kind, _)| rank(*kind));
        let (fixed, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(kind, _)| rank(*kind) == 0);
        for key in fixed.into_iter().chain(owners).chain(rest) {
            self.assign(key);
        }
    }

    fn assign(&mut self, key: (Kind, String)) {
        let Some(entry) = self.values.get(&key).filter(|entry| entry.pseudonym.is_empty()).cloned() else { return };
        let pseudonym = match key.0 {
            kind if kind.is_dropped() => return,
            _ if entry.is_native => entry.original,
            Kind::Address => self.account(&key.1),
            Kind::Domain => pseudonym::DOMAIN.into(),
            Kind::Name => self.name(entry.person.as_deref()),
            kind => self.numbered(kind, |number| pseudonym::of(kind, &entry.original, number)),
        };
        self.issue(key.0, &pseudonym);
        if let Some(entry) = self.values.get_mut(&key) {
            entry.pseudonym = pseudonym;
        }
    }

    fn account(&mut self, key: &str) -> String {
        let (local, domain) = match key.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (key, None),
        };
        let domain = domain.map(|domain| match self.is_kept_domain(domain) {
            true => domain.to_owned(),
            false => pseudonym::DOMAIN.to_owned(),
        });
        let local = match pseudonym::is_guid(local) {
            // a circle: its id stands elsewhere too
            true => {
                self.meet((Kind::Guid, Kind::Guid.key(local)), local, None);
                self.assign((Kind::Guid, Kind::Guid.key(local)));
                let id = self.values.get(&(Kind::Guid, Kind::Guid.key(local)));
                id.map_or_else(String::new, |entry| entry.pseudonym.clone())
            }
            // at a domain that is real, nobody's name alone
            false => match domain.as_deref() {
                Some(domain) if domain != pseudonym::DOMAIN => {
                    format!("{}{}", self.person(Some(domain)), pseudonym::MARK)
                }
                domain => self.person(domain),
            },
        };
        domain.map_or(local.clone(), |domain| format!("{local}@{domain}"))
    }

    /// Returns the next name of a person that nobody has: neither an original nor a pseudonym.
    fn person(&mut self, domain: Option<&str>) -> String {
        loop {
            let number = self.next(Kind::Address);
            let local = match PEOPLE.get(number as usize - 1) {
                Some(name) => name.to_lowercase(),
                None => format!("person{number}"),
            };
            let address = domain.map_or(local.clone(), |domain| format!("{local}@{domain}"));
            let is_taken =
                self.words.contains(&local) || self.knows(Kind::Address, &address) || self.locals.contains(&local);
            if !is_taken {
                return local;
            }
        }
    }

    fn name(&mut self, person: Option<&str>) -> String {
        let person = person.and_then(|person| Some((person, self.values.get(&(Kind::Address, person.to_owned()))?)));
        let display = person.and_then(|(key, entry)| Some((key.to_owned(), pseudonym::display(&entry.pseudonym)?)));
        let Some((key, display)) = display else {
            return self.numbered(Kind::Name, |number| format!("Name {number}"));
        };
        loop {
            let count = self.displays.entry(key.clone()).or_default();
            *count += 1;
            let name = if *count == 1 { display.clone() } else { format!("{display} {count}") };
            if !self.knows(Kind::Name, &name) && !self.is_issued(Kind::Name, &name) {
                return name;
            }
        }
    }

    /// Returns the next pseudonym of a kind that is no original of that kind.
    fn numbered(&mut self, kind: Kind, make: impl Fn(u64) -> String) -> String {
        loop {
            let number = self.next(kind);
            let made = make(number);
            if !self.knows(kind, &made) && !self.is_issued(kind, &made) {
                return made;
            }
        }
    }

    fn issue(&mut self, kind: Kind, pseudonym: &str) {
        let key = kind.key(pseudonym);
        if kind == Kind::Address {
            self.locals.insert(key.split('@').next().unwrap_or(&key).to_owned());
        }
        self.issued.insert((kind, key));
    }

    fn next(&mut self, kind: Kind) -> u64 {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        *count
    }

    fn meet(&mut self, key: (Kind, String), value: &str, person: Option<&str>) {
        let is_native = self.is_native && pseudonym::is_one(key.0, value);
        match self.values.get_mut(&key) {
            Some(entry) => {
                // met in a transcript that nobody redacted: an original after all
                if entry.is_native && !is_native && entry.pseudonym.is_empty() {
                    entry.is_native = false;
                    self.note_words(key.0, value);
                }
            }
            None => {
                if !is_native {
                    self.note_words(key.0, value);
                }
                let person = person.map(str::to_owned);
                let entry = Entry { original: value.to_owned(), person, pseudonym: String::new(), is_native };
                self.values.insert(key.clone(), entry);
                self.order.push(key);
            }
        }
    }

    fn note_words(&mut self, kind: Kind, value: &str) {
        if matches!(kind, Kind::Address | Kind::Name | Kind::Group) {
            let local = value.split('@').next().unwrap_or(value).to_lowercase();
            self.words.extend(local.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
            if kind == Kind::Address {
                self.parts.insert(local.clone());
            }
            self.words.insert(local);
        }
    }

    fn is_kept_domain(&self, domain: &str) -> bool {
        self.keep.iter().any(|keep| keep.rsplit_once('@').is_some_and(|(_, kept)| kept == domain))
    }
}

/// Whether a value says nothing of anybody: empty, masked, zero, an id of the protocol.
fn is_public(kind: Kind, value: &str) -> bool {
    let plain = value.trim();
    if plain.is_empty() || plain == "0" || plain.bytes().all(|byte| byte == b'*') {
        return true;
    }
    match kind {
        Kind::Guid => {
            let key = kind.key(plain);
            key.bytes().all(|byte| matches!(byte, b'0' | b'-')) || PUBLIC_GUIDS.contains(&key.as_str())
        }
        // what clients say they are when they answer a challenge
        Kind::Address => plain == "msmsgs@msnmsgr.com",
        Kind::Ip => plain.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified()),
        _ => false,
    }
}

/// What is transferred: pictures, files, webcams, activities, and the applications of old invitations.
const PUBLIC_GUIDS: &[&str] = &[
    "a4268eec-fec5-49e5-95c3-f126696bdbf6",
    "5d3e02ab-6190-11d3-bbbb-00c04f795683",
    "4bd96fc0-ab17-4425-a14a-439185962dc8",
    "1c9aa97e-9c05-4583-a3bd-908a196f1e92",
    "6a13af9c-5308-4f35-923a-67e8dda40c2f",
    "e5906ac5-6f0c-4bc0-8b0a-ab1c2aeac9f6",
    "02d3c01f-bf30-4825-a83a-de7af41648aa",
    "44bbe842-cc0a-4ee3-8c0c-1f3c1a0f8e2a",
];
