//! What every verb is: one row for each form of each command.
//!
//! Everything that depends on the verb derives from [`ROWS`]: framing ([`payload_rule`]), argument names
//! ([`crate::argument`]), transaction ids, the help of the tool. To teach the project a verb, add a row.

use crate::types::{Direction, ServerKind, Verb, Version};

use Direction::{ClientToServer, ServerToClient};
use HasTransactionId::{Always, Never, Unknown, ZeroOrId};
use PayloadRule::{IfNumeric, Last, Lookahead, NoPayload};

/// One form of one command.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The verb; `NNN` stands for every three-digit error, `*` for every verb without a row.
    pub verb: &'static str,
    /// Which way it goes.
    pub direction: Direction,
    /// On which servers it is used.
    pub servers: Servers,
    /// First version; 0 is the mini-dialect `CVR0`.
    pub since: Version,
    /// Last version, if it was withdrawn.
    pub until: Option<Version>,
    /// Whether its first argument is a transaction id.
    pub transaction_id: HasTransactionId,
    /// Whether a payload follows.
    pub payload: PayloadRule,
    /// The arguments, in the grammar that [`crate::argument`] reads.
    pub arguments: &'static str,
    /// What a payload holds.
    pub format: Format,
    /// What it means, one sentence.
    pub meaning: &'static str,
    /// Which sources describe it (`none` when nobody does).
    pub sources: &'static str,
    /// How sure we are.
    pub confidence: Confidence,
}

impl Row {
    /// Whether the row holds for `version`.
    pub fn applies_to(&self, version: Version) -> bool {
        self.since <= version && self.until.is_none_or(|until| version <= until)
    }
}

/// A set of server kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Servers(u8);

impl Servers {
    /// Whether `kind` is in the set.
    pub const fn contains(self, kind: ServerKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
}

const DS_NS: Servers = Servers(0b011);
const NS: Servers = Servers(0b010);
const SB: Servers = Servers(0b100);
const NS_SB: Servers = Servers(0b110);
const ANY: Servers = Servers(0b111);

/// Whether the first argument of a command is a transaction id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HasTransactionId {
    /// It is.
    Always,
    /// It is, and 0 when the server sends the command unasked.
    ZeroOrId,
    /// There is none.
    Never,
    /// Nobody knows.
    Unknown,
}

/// How to tell the payload of a command from its line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PayloadRule {
    /// The line ends the command.
    NoPayload,
    /// The last token is the length of the payload, always.
    Last,
    /// The last token is the length if there are at least two arguments and it is a number.
    IfNumeric,
    /// An unknown verb: a length only if the bytes after the line say so (see [`crate::codec`]).
    Lookahead,
}

/// What a payload holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Format {
    /// There is no payload.
    None,
    /// Header lines, an empty line, a body.
    Mime,
    /// An XML document.
    Xml,
    /// Plain text.
    Text,
    /// Anything.
    Binary,
}

/// How sure we are of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Confidence {
    /// Named once, syntax unclear.
    Low,
    /// Described, not seen.
    Medium,
    /// Described by several sources or seen on the wire.
    High,
}

/// Returns every row of `verb` in `direction`, oldest first; those of `NNN` for an error and none for an unknown verb.
pub fn rows(verb: Verb, direction: Direction) -> impl Iterator<Item = &'static Row> {
    let name = if verb.is_error() { "NNN".to_owned() } else { verb.to_string() };
    ROWS.iter().filter(move |row| row.verb == name && row.direction == direction)
}

/// Whether the table has a row for `verb` in any direction.
pub fn is_known(verb: Verb) -> bool {
    entry(verb).slot != UNKNOWN_SLOT
}

/// Returns the payload rule for `verb` in `direction` and the fewest arguments with which it can hold.
#[inline]
pub fn payload_rule(verb: Verb, direction: Direction) -> (PayloadRule, usize) {
    let entry = entry(verb);
    (entry.rules[direction.index()], entry.fewest[direction.index()] as usize)
}

/// A small number for each verb of the table, below 128: the bit of the verb in a set. Slot 0 is shared by all unknown
/// verbs, slot 1 by all errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(pub(crate) u8);

impl Slot {
    /// The slot of every verb that has no row.
    pub const UNKNOWN: Slot = Slot(UNKNOWN_SLOT);

    /// Returns the slot of `verb`.
    #[inline]
    pub const fn of(verb: Verb) -> Slot {
        Slot(entry(verb).slot)
    }

    /// Returns the bit of this slot.
    #[inline]
    pub const fn bit(self) -> u128 {
        1 << self.0
    }
}

/// Returns whether the first argument of `verb` in `direction` is a transaction id in all of its forms (`Some(true)`),
/// in none (`Some(false)`), or depends on the form (`None`).
#[inline]
pub fn transaction_id_rule(verb: Verb, direction: Direction) -> Option<bool> {
    match entry(verb).ids[direction.index()] {
        ID_ALWAYS => Some(true),
        ID_NEVER => Some(false),
        _ => None,
    }
}

const UNKNOWN_SLOT: u8 = 0;
const ERROR_SLOT: u8 = 1;
const ID_NEVER: u8 = 1;
const ID_ALWAYS: u8 = 2;
const ID_DEPENDS: u8 = 3;

/// What framing needs to know of one verb, for both directions.
#[derive(Clone, Copy)]
struct Entry {
    /// The verb as a [`key`].
    key: u32,
    slot: u8,
    rules: [PayloadRule; 2],
    fewest: [u8; 2],
    ids: [u8; 2],
}

const BUCKETS: usize = 512;
const EMPTY: Entry =
    Entry { key: 0, slot: UNKNOWN_SLOT, rules: [Lookahead; 2], fewest: [2; 2], ids: [ID_ALWAYS, ID_NEVER] };
/// Errors carry an id and a payload only after it.
static ERROR: Entry =
    Entry { key: key(b"NNN"), slot: ERROR_SLOT, rules: [Lookahead, IfNumeric], fewest: [2; 2], ids: [ID_ALWAYS; 2] };

/// The rows again, hashed by verb at compile time, so that framing costs one look-up.
static INDEX: [Entry; BUCKETS] = index();

#[inline]
const fn entry(verb: Verb) -> &'static Entry {
    if verb.is_error() {
        return &ERROR;
    }
    let key = key(verb.as_bytes());
    let mut bucket = hash(key);
    loop {
        let entry = &INDEX[bucket];
        if entry.key == key || entry.slot == UNKNOWN_SLOT {
            return entry;
        }
        bucket = (bucket + 1) % BUCKETS;
    }
}

#[inline]
const fn key(verb: &[u8; 3]) -> u32 {
    (verb[0] as u32) << 16 | (verb[1] as u32) << 8 | verb[2] as u32
}

#[inline]
const fn hash(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> 23) as usize
}

const fn index() -> [Entry; BUCKETS] {
    let mut entries = [EMPTY; BUCKETS];
    let mut next_slot = ERROR_SLOT + 1;
    let mut i = 0;
    while i < ROWS.len() {
        let row = &ROWS[i];
        i += 1;
        let name = row.verb.as_bytes();
        if name.len() != 3 || (name[0] == b'N' && name[1] == b'N' && name[2] == b'N') {
            continue;
        }
        let key = key(&[name[0], name[1], name[2]]);
        let mut bucket = hash(key);
        while entries[bucket].slot != UNKNOWN_SLOT && entries[bucket].key != key {
            bucket = (bucket + 1) % BUCKETS;
        }
        let entry = &mut entries[bucket];
        if entry.slot == UNKNOWN_SLOT {
            entry.key = key;
            entry.slot = next_slot;
            entry.ids = [0; 2];
            next_slot += 1;
        }
        let direction = row.direction.index();
        // all rows of a verb and direction agree on the payload rule; a test holds them to it
        entry.rules[direction] = row.payload;
        entry.fewest[direction] = if row.arguments.len() == "length".len() { 1 } else { 2 };
        let id = match row.transaction_id {
            Always | ZeroOrId => ID_ALWAYS,
            Never | Unknown => ID_NEVER,
        };
        entry.ids[direction] = match entry.ids[direction] {
            0 => id,
            before if before == id => id,
            _ => ID_DEPENDS,
        };
    }
    entries
}

const OPEN: u8 = u8::MAX;

#[expect(clippy::too_many_arguments, reason = "one line of the table below, in its column order")]
const fn row(
    verb: &'static str,
    direction: Direction,
    servers: Servers,
    since: u8,
    until: u8,
    transaction_id: HasTransactionId,
    payload: PayloadRule,
    arguments: &'static str,
    format: Format,
    meaning: &'static str,
    sources: &'static str,
    confidence: Confidence,
) -> Row {
    let until = if until == OPEN { None } else { Some(Version(until)) };
    let since = Version(since);
    Row {
        verb,
        direction,
        servers,
        since,
        until,
        transaction_id,
        payload,
        arguments,
        format,
        meaning,
        sources,
        confidence,
    }
}

/// The table. Sources: ESC Escargot's server, ODS its command table, PUR libpurple, PUR9 its MSNP9 plugin, BIT bitlbee,
/// MIR Miranda, AMSN, PAP papyon, SHARP msnp-sharp, KB21 its notes on MSNP21, M11 msnp11-sdk, WIKI yellows' wiki,
/// NINA its wiki, HYP hypothetic.org, PIKI msnpiki, TRACE client logs.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row("VER", ClientToServer, DS_NS, 2, OPEN, Always, NoPayload, "trid dialect... CVR0", Format::None, "Offer dialects, best first; CVR0 is normally last", "ESC PUR BIT AMSN SHARP KB21 WIKI", Confidence::High),
    row("VER", ServerToClient, DS_NS, 2, OPEN, Always, NoPayload, "trid dialect [dialect...]", Format::None, "Chosen dialect; trid 0 means refused; some servers also echo CVR0", "ESC PUR HYP WIKI", Confidence::High),
    row("CVR", ClientToServer, DS_NS, 2, 7, Always, NoPayload, "trid lcid os_type os_version arch client_name client_version [client_brand]", Format::None, "Client version report; brand added at MSNP4", "WIKI ODS", Confidence::Medium),
    row("CVR", ClientToServer, DS_NS, 8, OPEN, Always, NoPayload, "trid lcid os_type os_version arch client_name client_version client_brand email [redirect_info_b64]", Format::None, "Client version report; tail base64 hop info from MSNP21 (may be 0)", "ESC PUR BIT AMSN SHARP KB21", Confidence::High),
    row("CVR", ServerToClient, DS_NS, 2, OPEN, Always, NoPayload, "trid recommended_version recommended_version2 minimum_version download_url info_url", Format::None, "Recommended client versions and URLs", "ESC BIT SHARP HYP", Confidence::High),
    row("CVQ", ClientToServer, DS_NS, 0, OPEN, Always, NoPayload, "trid lcid os_type os_version arch client_name client_version client_brand email", Format::None, "Version query in a CVR0-only session; same arguments as CVR", "ODS WIKI", Confidence::Medium),
    row("CVQ", ServerToClient, DS_NS, 0, OPEN, Always, NoPayload, "trid recommended_version recommended_version2 minimum_version download_url info_url", Format::None, "Answer to CVQ", "ODS WIKI", Confidence::Medium),
    row("INF", ClientToServer, DS_NS, 2, 7, Always, NoPayload, "trid", Format::None, "Ask for supported security packages", "ESC ODS WIKI", Confidence::High),
    row("INF", ServerToClient, DS_NS, 2, 7, Always, NoPayload, "trid security_package...", Format::None, "List security packages (MD5; CTP only MSNP2)", "ESC ODS WIKI", Confidence::High),
    row("USR", ClientToServer, DS_NS, 2, 2, Always, NoPayload, "trid CTP I email | trid CTP S password", Format::None, "Clear-text login (historic)", "WIKI", Confidence::Medium),
    row("USR", ClientToServer, DS_NS, 2, 7, Always, NoPayload, "trid MD5 I email | trid MD5 S md5_response", Format::None, "MD5 login, initial and subsequent step", "ESC WIKI HYP", Confidence::High),
    row("USR", ClientToServer, DS_NS, 8, 14, Always, NoPayload, "trid TWN I email | trid TWN S ticket", Format::None, "Tweener (Passport) login", "ESC PUR9 M11 AMSN HYP", Confidence::High),
    row("USR", ClientToServer, DS_NS, 15, OPEN, Always, NoPayload, "trid SSO I email | trid SSO S ticket [response_b64 [machine_guid]]", Format::None, "SSO login; guid from MSNP16; patched clients may omit response", "ESC PUR BIT AMSN SHARP MIR", Confidence::High),
    row("USR", ClientToServer, DS_NS, 18, OPEN, Always, NoPayload, "trid SHA A signed_circle_ticket_b64", Format::None, "Authenticate circles; may be a very long line", "ESC PUR SHARP", Confidence::High),
    row("USR", ServerToClient, DS_NS, 2, 7, Always, NoPayload, "trid MD5 S salt | trid OK email friendly_name [verified]", Format::None, "MD5 salt, then success; verified from MSNP6", "ESC WIKI", Confidence::High),
    row("USR", ServerToClient, DS_NS, 8, 14, Always, NoPayload, "trid TWN S passport_params | trid OK email [friendly_name] verified restricted", Format::None, "Ticket parameters, then success; friendly_name only MSNP8-9", "ESC PUR9 M11 HYP", Confidence::High),
    row("USR", ServerToClient, DS_NS, 15, OPEN, Always, NoPayload, "trid SSO S policy nonce_b64 | trid OK email verified restricted", Format::None, "SSO policy (MBI_KEY_OLD) and nonce, then success", "ESC PUR BIT SHARP", Confidence::High),
    row("USR", ClientToServer, SB, 2, 18, Always, NoPayload, "trid email[;{machine_guid}] cookie", Format::None, "Open a switchboard one requested via XFR SB", "ESC PUR AMSN PAP MIR", Confidence::High),
    row("USR", ServerToClient, SB, 2, 18, Always, NoPayload, "trid OK email[;{machine_guid}] friendly_name", Format::None, "Switchboard accepted", "ESC MIR WIKI", Confidence::High),
    row("XFR", ClientToServer, NS, 2, 18, Always, NoPayload, "trid SB", Format::None, "Ask for a switchboard (beta clients: trid NS)", "ESC PUR AMSN M11 WIKI", Confidence::High),
    row("XFR", ServerToClient, DS_NS, 2, 2, ZeroOrId, NoPayload, "trid NS host:port", Format::None, "Redirect to a notification server", "WIKI", Confidence::High),
    row("XFR", ServerToClient, DS_NS, 3, 6, ZeroOrId, NoPayload, "trid NS host:port 0", Format::None, "Redirect to a notification server", "WIKI", Confidence::High),
    row("XFR", ServerToClient, DS_NS, 7, 12, ZeroOrId, NoPayload, "trid NS host:port 0 current_host:port", Format::None, "Redirect, naming the server being left", "WIKI NINA HYP", Confidence::High),
    row("XFR", ServerToClient, DS_NS, 13, 20, ZeroOrId, NoPayload, "trid NS host:port <transport:U|G> D", Format::None, "Redirect; U = TCP, G = HTTP gateway host", "WIKI PUR MIR TRACE", Confidence::High),
    row("XFR", ServerToClient, DS_NS, 21, OPEN, ZeroOrId, NoPayload, "trid NS host:port <transport:U|G> D redirect_info_b64", Format::None, "Redirect with base64 hop info to echo in CVR", "SHARP KB21 BIT", Confidence::High),
    row("XFR", ServerToClient, DS_NS, 2, OPEN, ZeroOrId, NoPayload, "0 NS 0", Format::None, "Soft reset: log in again on this connection, from VER", "WIKI", Confidence::Low),
    row("XFR", ServerToClient, NS, 2, 12, Always, NoPayload, "trid SB host:port CKI cookie", Format::None, "Switchboard address and one-time cookie", "ESC M11 AMSN PUR9 WIKI", Confidence::High),
    row("XFR", ServerToClient, NS, 13, 13, Always, NoPayload, "trid SB host:port CKI cookie U domain", Format::None, "Switchboard address, cookie, constant fields", "ESC WIKI", Confidence::High),
    row("XFR", ServerToClient, NS, 14, 18, Always, NoPayload, "trid SB host:port CKI cookie U domain direct_flag", Format::None, "As before plus direct/gateway flag; ends in a digit", "ESC WIKI MIR AMSN", Confidence::High),
    row("OUT", ClientToServer, ANY, 2, OPEN, Never, NoPayload, "", Format::None, "Log out / leave the switchboard", "ESC PUR AMSN PAP WIKI", Confidence::High),
    row("OUT", ServerToClient, ANY, 2, OPEN, Never, NoPayload, "[reason [minutes]]", Format::None, "Closing: OTH, SSD, MIG, TOU, RCT n (RCT ends in digits)", "ESC PUR SHARP WIKI", Confidence::High),
    row("NNN", ServerToClient, ANY, 2, OPEN, Always, IfNumeric, "trid [length]", Format::Text, "Error reply: any three-digit command (see error-codes.csv)", "PUR BIT MIR PAP SHARP WIKI", Confidence::High),
    row("SYN", ClientToServer, NS, 2, 9, Always, NoPayload, "trid list_version", Format::None, "Request contact list changes", "ESC PUR9 WIKI", Confidence::High),
    row("SYN", ClientToServer, NS, 10, 12, Always, NoPayload, "trid timestamp1 timestamp2", Format::None, "Request contact list (0 0 = everything)", "ESC M11 AMSN", Confidence::High),
    row("SYN", ServerToClient, NS, 2, 7, Always, NoPayload, "trid list_version", Format::None, "List version; GTC BLP PRP LSG LST lines follow", "ESC WIKI", Confidence::High),
    row("SYN", ServerToClient, NS, 8, 9, Always, NoPayload, "trid list_version [contacts groups]", Format::None, "List version and counts; counts absent if unchanged", "ESC PUR9", Confidence::High),
    row("SYN", ServerToClient, NS, 10, 12, Always, NoPayload, "trid timestamp1 timestamp2 [contacts groups]", Format::None, "Timestamps and counts", "ESC M11 AMSN", Confidence::High),
    row("GTC", ClientToServer, NS, 2, 12, Always, NoPayload, "trid <prompt:A|N>", Format::None, "Prompt me when added to a reverse list", "ESC ODS", Confidence::High),
    row("GTC", ServerToClient, NS, 2, 7, Always, NoPayload, "trid list_version <prompt:A|N>", Format::None, "GTC setting (also inside SYN)", "ESC", Confidence::High),
    row("GTC", ServerToClient, NS, 8, 12, Never, NoPayload, "<prompt:A|N>", Format::None, "GTC setting inside SYN (no TrID)", "ESC M11", Confidence::High),
    row("GTC", ServerToClient, NS, 8, 12, Always, NoPayload, "trid [list_version] <prompt:A|N>", Format::None, "GTC reply; version only before MSNP10", "ESC M11", Confidence::High),
    row("BLP", ClientToServer, NS, 2, 18, Always, NoPayload, "trid <privacy:AL|BL>", Format::None, "Default privacy for unknown users", "ESC PAP AMSN ODS", Confidence::High),
    row("BLP", ServerToClient, NS, 2, 7, Always, NoPayload, "trid list_version <privacy:AL|BL>", Format::None, "BLP setting (also inside SYN)", "ESC", Confidence::High),
    row("BLP", ServerToClient, NS, 8, 12, Never, NoPayload, "<privacy:AL|BL>", Format::None, "BLP setting inside SYN (no TrID)", "ESC M11", Confidence::High),
    row("BLP", ServerToClient, NS, 8, 18, Always, NoPayload, "trid [list_version] <privacy:AL|BL>", Format::None, "BLP reply; version only before MSNP10", "ESC M11 PAP", Confidence::High),
    row("PRP", ClientToServer, NS, 5, 18, Always, NoPayload, "trid key [value]", Format::None, "Set own property: MFN PHH PHW PHM MOB MBE WWE HSB", "ESC M11 AMSN PAP", Confidence::High),
    row("PRP", ServerToClient, NS, 5, 7, Never, NoPayload, "list_version key value", Format::None, "Own property inside SYN; first number is the list version", "ESC", Confidence::Medium),
    row("PRP", ServerToClient, NS, 5, 9, Always, NoPayload, "trid list_version key [value]", Format::None, "Own property, reply", "ESC PUR9", Confidence::High),
    row("PRP", ServerToClient, NS, 8, 12, Never, NoPayload, "key [value]", Format::None, "Own property inside SYN; value may be missing", "ESC M11 PUR9", Confidence::High),
    row("PRP", ServerToClient, NS, 10, 18, Always, NoPayload, "trid key [value]", Format::None, "Own property, reply", "ESC M11 PUR", Confidence::High),
    row("BPR", ServerToClient, NS, 5, 7, Never, NoPayload, "list_version [email] key [value]", Format::None, "Contact property; email absent inside SYN", "ESC", Confidence::High),
    row("BPR", ServerToClient, NS, 8, 12, Never, NoPayload, "key [value] (in SYN, refers to last LST) | [list_version] email key [value]", Format::None, "Contact phone/mobile property", "ESC PUR9 AMSN", Confidence::High),
    row("LSG", ServerToClient, NS, 7, 7, Always, NoPayload, "trid list_version index total group_id group_name 0", Format::None, "Group entry", "ESC WIKI", Confidence::High),
    row("LSG", ServerToClient, NS, 8, 9, Never, NoPayload, "group_id group_name 0", Format::None, "Group entry; ends in a digit", "ESC PUR9", Confidence::High),
    row("LSG", ServerToClient, NS, 10, 12, Never, NoPayload, "group_name group_guid", Format::None, "Group entry", "ESC M11", Confidence::High),
    row("LST", ClientToServer, NS, 2, 9, Always, NoPayload, "trid <list:FL|AL|BL|RL>", Format::None, "Ask for one list (historic; removed by servers 2003)", "WIKI ODS", Confidence::Medium),
    row("LST", ServerToClient, NS, 2, 7, Always, NoPayload, "trid list list_version index total [email friendly_name [group_ids]]", Format::None, "One list entry; index total 0 0 when empty", "ESC WIKI", Confidence::High),
    row("LST", ServerToClient, NS, 8, 9, Never, NoPayload, "email friendly_name list_bits [group_ids]", Format::None, "Contact entry; ends in digits", "ESC PUR9 WIKI", Confidence::High),
    row("LST", ServerToClient, NS, 10, 11, Never, NoPayload, "N=email F=friendly_name [C=guid] list_bits [group_guids]", Format::None, "Contact entry; may end in digits or trailing space", "ESC M11 WIKI", Confidence::High),
    row("LST", ServerToClient, NS, 12, 12, Never, NoPayload, "N=email F=friendly_name [C=guid] list_bits network_id [group_guids]", Format::None, "Contact entry with network id", "ESC WIKI", Confidence::High),
    row("ADD", ClientToServer, NS, 2, 9, Always, NoPayload, "trid list email [friendly_name [group_id]]", Format::None, "Add contact to a list", "ESC PUR9 AMSN WIKI", Confidence::High),
    row("ADD", ServerToClient, NS, 2, 9, ZeroOrId, NoPayload, "trid list list_version email [friendly_name [group_id]]", Format::None, "Added; trid 0 with RL = someone added you", "ESC PUR9", Confidence::High),
    row("ADC", ClientToServer, NS, 10, 12, Always, NoPayload, "trid list N=email [F=friendly_name] | trid FL C=guid group_guid", Format::None, "Add contact / add to group", "ESC M11 AMSN", Confidence::High),
    row("ADC", ServerToClient, NS, 10, 12, ZeroOrId, NoPayload, "trid list [N=email] [F=friendly_name] [C=guid] [group_guid]", Format::None, "Added; trid 0 with RL = someone added you", "ESC M11", Confidence::High),
    row("REM", ClientToServer, NS, 2, 12, Always, NoPayload, "trid list email_or_guid [group]", Format::None, "Remove contact (guid for FL from MSNP10)", "ESC M11 AMSN", Confidence::High),
    row("REM", ServerToClient, NS, 2, 9, ZeroOrId, NoPayload, "trid list list_version email [group_id]", Format::None, "Removed; may end in digits", "ESC PUR9", Confidence::High),
    row("REM", ServerToClient, NS, 10, 12, ZeroOrId, NoPayload, "trid list email_or_guid [group_guid]", Format::None, "Removed; trid 0 with RL = someone removed you", "ESC M11", Confidence::High),
    row("ADG", ClientToServer, NS, 7, 12, Always, NoPayload, "trid group_name 0", Format::None, "Add group", "ESC AMSN M11", Confidence::High),
    row("ADG", ServerToClient, NS, 7, 12, Always, NoPayload, "trid [list_version] group_name group_id_or_guid 0", Format::None, "Group added; version before MSNP10", "ESC PUR9", Confidence::High),
    row("RMG", ClientToServer, NS, 7, 12, Always, NoPayload, "trid group_id_or_guid", Format::None, "Remove group", "ESC AMSN M11", Confidence::High),
    row("RMG", ServerToClient, NS, 7, 12, Always, NoPayload, "trid list_version_or_1 group_id_or_guid", Format::None, "Group removed", "ESC PUR9", Confidence::High),
    row("REG", ClientToServer, NS, 7, 12, Always, NoPayload, "trid group_id_or_guid new_name 0", Format::None, "Rename group", "ESC AMSN M11", Confidence::High),
    row("REG", ServerToClient, NS, 7, 12, Always, NoPayload, "trid list_version group_id name 0 | trid 1 name group_guid 0 (MSNP10+)", Format::None, "Group renamed", "ESC PUR9", Confidence::Medium),
    row("REA", ClientToServer, NS, 2, 9, Always, NoPayload, "trid email new_friendly_name", Format::None, "Rename self or contact", "ESC WIKI HYP", Confidence::High),
    row("REA", ServerToClient, NS, 2, 9, Always, NoPayload, "trid list_version email friendly_name", Format::None, "Renamed", "ESC PUR9", Confidence::High),
    row("SBP", ClientToServer, NS, 10, 12, Always, NoPayload, "trid contact_guid key value", Format::None, "Set contact property (MFN rename)", "ESC M11 AMSN", Confidence::High),
    row("SBP", ServerToClient, NS, 10, 12, Always, NoPayload, "trid contact_guid key value", Format::None, "Contact property set", "ESC M11", Confidence::High),
    row("CHG", ClientToServer, NS, 2, 18, Always, NoPayload, "trid status [capabilities [msnobject_urlenc]]", Format::None, "Set own status; caps MSNP8+, object MSNP9+, caps a:b MSNP16+", "ESC AMSN M11 WIKI", Confidence::High),
    row("CHG", ServerToClient, NS, 2, 18, Always, NoPayload, "trid status [capabilities [msnobject_urlenc]]", Format::None, "Status accepted (echo)", "ESC AMSN M11", Confidence::High),
    row("ILN", ServerToClient, NS, 2, 13, Always, NoPayload, "trid status email friendly_name [capabilities [msnobject_urlenc]]", Format::None, "Initial presence of one contact", "ESC M11 PUR9 WIKI", Confidence::High),
    row("ILN", ServerToClient, NS, 14, 17, Always, NoPayload, "trid status email network_id friendly_name capabilities [msnobject_urlenc [icon_url]]", Format::None, "Initial presence, with network id", "ESC PUR", Confidence::High),
    row("NLN", ServerToClient, NS, 2, 13, Never, NoPayload, "status email friendly_name [capabilities [msnobject_urlenc]]", Format::None, "Contact came online or changed", "ESC M11 WIKI", Confidence::High),
    row("NLN", ServerToClient, NS, 14, 17, Never, NoPayload, "status email network_id friendly_name capabilities [msnobject_urlenc]", Format::None, "Contact presence, with network id", "ESC PAP", Confidence::High),
    row("NLN", ServerToClient, NS, 18, 20, Never, NoPayload, "status network_id:email[;via=9:circle] friendly_name capabilities:ext [msnobject_urlenc]", Format::None, "Contact presence; also for self and circles", "ESC PUR MIR AMSN", Confidence::High),
    row("FLN", ServerToClient, NS, 2, 13, Never, NoPayload, "email", Format::None, "Contact went offline", "ESC M11", Confidence::High),
    row("FLN", ServerToClient, NS, 14, 17, Never, NoPayload, "email network_id capabilities", Format::None, "Contact went offline; ends in digits (0, or 0:0 from MSNP16)", "ESC", Confidence::High),
    row("FLN", ServerToClient, NS, 18, 20, Never, NoPayload, "network_id:email[;via=9:circle] capabilities:ext", Format::None, "Contact went offline", "ESC PUR MIR", Confidence::High),
    row("UUX", ClientToServer, NS, 11, 20, Always, Last, "trid length", Format::Xml, "Publish own <Data> or endpoint XML", "ESC M11 PUR PAP AMSN WIKI", Confidence::High),
    row("UUX", ServerToClient, NS, 11, 20, Always, IfNumeric, "trid [0]", Format::Xml, "Acknowledge UUX; length is 0, sometimes omitted", "ESC M11 MIR PUR WIKI", Confidence::High),
    row("UBX", ServerToClient, NS, 11, 13, Never, Last, "email length", Format::Xml, "Contact personal message / media; length 0 is common", "ESC M11 WIKI", Confidence::High),
    row("UBX", ServerToClient, NS, 14, 17, Never, Last, "email network_id length", Format::Xml, "Contact extended data", "ESC PAP WIKI", Confidence::High),
    row("UBX", ServerToClient, NS, 18, 20, Never, Last, "network_id:email[;via=9:circle] length", Format::Xml, "Contact extended data incl. endpoints", "ESC PUR MIR", Confidence::High),
    row("UBN", ServerToClient, NS, 13, 20, Never, Last, "email[;{machine_guid}] type length", Format::Text, "Notification from user or own endpoint", "PUR PAP MIR AMSN ESC WIKI", Confidence::High),
    row("UUN", ClientToServer, NS, 13, 20, Always, Last, "trid email[;{machine_guid}] type length", Format::Text, "Send notification to user or endpoint", "PUR PAP AMSN ESC", Confidence::High),
    row("UUN", ServerToClient, NS, 13, 20, Always, IfNumeric, "trid OK", Format::Text, "UUN accepted", "PUR ESC", Confidence::High),
    row("UUM", ClientToServer, NS, 14, 20, Always, Last, "trid email network_id message_type length", Format::Mime, "Message to federated or offline user (types 1-4)", "PUR PAP AMSN ESC ODS", Confidence::High),
    row("UUM", ServerToClient, NS, 14, 20, Always, IfNumeric, "trid [OK]", Format::None, "Possible acknowledgement; never documented", "none", Confidence::Low),
    row("UBM", ServerToClient, NS, 14, 20, Never, Last, "email network_id to_email to_network_id message_type length", Format::Mime, "Message from federated user / offline message", "PUR PAP AMSN MIR", Confidence::High),
    row("CHL", ServerToClient, NS, 6, OPEN, ZeroOrId, NoPayload, "0 challenge", Format::None, "Client challenge; LAST TOKEN IS A LONG NUMBER, not a length", "PUR BIT SHARP ESC WIKI", Confidence::High),
    row("QRY", ClientToServer, NS, 6, OPEN, Always, Last, "trid product_id length", Format::Text, "Challenge answer: 32 hex characters", "PUR BIT SHARP AMSN PAP WIKI", Confidence::High),
    row("QRY", ServerToClient, NS, 6, OPEN, Always, NoPayload, "trid", Format::None, "Challenge accepted; the only number is the TrID", "PUR SHARP AMSN PAP WIKI", Confidence::High),
    row("PNG", ClientToServer, NS, 2, OPEN, Never, NoPayload, "", Format::None, "Keepalive ping", "ESC PUR AMSN SHARP M11", Confidence::High),
    row("QNG", ServerToClient, NS, 2, OPEN, Never, NoPayload, "[seconds]", Format::None, "Ping answer; seconds (MSNP9+) is NOT a length", "ESC M11 SHARP PAP NINA", Confidence::High),
    row("URL", ClientToServer, NS, 2, OPEN, Always, NoPayload, "trid service [param]", Format::None, "Ask for a service URL (INBOX COMPOSE PROFILE...)", "AMSN PAP ESC WIKI", Confidence::High),
    row("URL", ServerToClient, NS, 2, OPEN, Always, NoPayload, "trid redirect_url login_url [site_id]", Format::None, "Service URL; ends in digits", "AMSN PAP ESC PUR WIKI", Confidence::High),
    row("RNG", ServerToClient, NS, 2, 12, Never, NoPayload, "session_id host:port CKI cookie inviter_email inviter_friendly_name", Format::None, "Switchboard invitation; first number is session id, not TrID", "ESC M11 PUR9 PIKI WIKI", Confidence::High),
    row("RNG", ServerToClient, NS, 13, 13, Never, NoPayload, "session_id host:port CKI cookie inviter_email inviter_friendly_name U domain", Format::None, "Switchboard invitation", "ESC WIKI", Confidence::High),
    row("RNG", ServerToClient, NS, 14, 18, Never, NoPayload, "session_id host:port CKI cookie inviter_email inviter_friendly_name U domain direct_flag", Format::None, "Switchboard invitation; ends in a digit", "ESC WIKI MIR SHARP", Confidence::High),
    row("IMS", ClientToServer, NS, 3, OPEN, Always, NoPayload, "trid <setting:ON|OFF>", Format::None, "WebTV: allow or refuse switchboards", "ESC WIKI ODS", Confidence::Medium),
    row("IMS", ServerToClient, NS, 3, OPEN, Always, NoPayload, "trid 0 <setting:ON|OFF>", Format::None, "IMS accepted", "ESC WIKI", Confidence::Medium),
    row("SND", ClientToServer, NS, 2, OPEN, Always, NoPayload, "trid email_or_index [lcid [library [client]]]", Format::None, "Mail an invitation; may end in digits", "ESC WIKI ODS", Confidence::Medium),
    row("SND", ServerToClient, NS, 2, OPEN, Always, NoPayload, "trid OK", Format::None, "Invitation mailed", "ESC WIKI", Confidence::Medium),
    row("SDC", ClientToServer, NS, 5, OPEN, Always, Last, "trid email_or_index lcid library client X X friendly_name length", Format::Text, "Mail invitation with text; length may be 0", "PAP ESC WIKI ODS", Confidence::High),
    row("SDC", ServerToClient, NS, 5, OPEN, Always, NoPayload, "trid OK", Format::None, "Invitation mailed", "ESC WIKI", Confidence::Medium),
    row("FND", ClientToServer, NS, 2, 7, Always, NoPayload, "trid fname=x lname=x city=x state=x country=x", Format::None, "Directory search", "ODS WIKI", Confidence::Medium),
    row("FND", ServerToClient, NS, 2, 7, Always, NoPayload, "trid index total fname=x lname=x city=x state=x country=x", Format::None, "Directory hit; repeated with the same TrID", "WIKI", Confidence::Medium),
    row("LKP", ClientToServer, NS, 12, OPEN, Always, NoPayload, "trid args...", Format::None, "Lookup; named in one table only, syntax unknown", "ODS", Confidence::Low),
    row("PAG", ClientToServer, NS, 5, 8, Always, Last, "trid email_or_phone length", Format::Xml, "Page a mobile device; no positive reply", "WIKI NINA ODS", Confidence::High),
    row("PGD", ClientToServer, NS, 9, OPEN, Always, Last, "trid email_or_phone device_type length", Format::Xml, "Page a device (1 phone, 2 watch); no positive reply", "WIKI NINA PAP ODS", Confidence::High),
    row("IPG", ServerToClient, NS, 5, OPEN, Never, Last, "length", Format::Xml, "Incoming page; single number IS the length", "PUR PAP MIR AMSN WIKI", Confidence::High),
    row("NOT", ServerToClient, NS, 5, OPEN, Never, Last, "length", Format::Xml, "Service notification; single number IS the length", "PUR PAP MIR BIT ESC WIKI", Confidence::High),
    row("GCF", ClientToServer, NS, 11, 12, Always, NoPayload, "trid filename", Format::None, "Ask for Shields.xml", "ESC M11 WIKI", Confidence::High),
    row("GCF", ServerToClient, NS, 11, 12, Always, Last, "trid filename length", Format::Xml, "Shields file", "ESC M11 WIKI", Confidence::High),
    row("GCF", ServerToClient, NS, 13, OPEN, ZeroOrId, Last, "0 length", Format::Xml, "Policies, unasked, DURING login before USR S", "ESC PUR BIT MIR WIKI", Confidence::High),
    row("ADL", ClientToServer, NS, 13, OPEN, Always, Last, "trid length", Format::Xml, "Announce list memberships (batches, 150 contacts or ~7500 bytes)", "ESC PUR BIT PAP SHARP WIKI", Confidence::High),
    row("ADL", ServerToClient, NS, 13, OPEN, ZeroOrId, IfNumeric, "trid OK | 0 length", Format::Xml, "Accepted (no payload) or someone added you (payload)", "ESC PUR BIT MIR SHARP WIKI", Confidence::High),
    row("RML", ClientToServer, NS, 13, OPEN, Always, Last, "trid length", Format::Xml, "Remove list memberships", "ESC PUR PAP AMSN", Confidence::High),
    row("RML", ServerToClient, NS, 13, OPEN, ZeroOrId, IfNumeric, "trid OK | 0 length", Format::Xml, "Accepted (no payload) or someone removed you (payload)", "ESC MIR SHARP AMSN", Confidence::High),
    row("FQY", ClientToServer, NS, 14, 18, Always, Last, "trid length", Format::Xml, "Which network does this address belong to", "PUR PAP ESC WIKI", Confidence::High),
    row("FQY", ServerToClient, NS, 14, 18, Always, Last, "trid length", Format::Xml, "Network answer; may repeat for one TrID", "PUR PAP AMSN MIR ESC WIKI", Confidence::High),
    row("SBS", ServerToClient, NS, 11, OPEN, ZeroOrId, NoPayload, "0 null | trid <credit:key=value;...>", Format::None, "Mobile credit state", "ESC PUR PAP SHARP WIKI", Confidence::High),
    row("GSB", ClientToServer, NS, 11, OPEN, Always, NoPayload, "trid", Format::None, "Ask for SBS (undocumented)", "WIKI", Confidence::Low),
    row("RFS", ServerToClient, NS, 13, OPEN, Never, NoPayload, "[args...]", Format::None, "Tell client to refetch its contact list", "ODS MIR", Confidence::Low),
    row("VAS", ClientToServer, NS, 18, OPEN, Always, Last, "trid email arg3 arg4 length", Format::Text, "Report user (undocumented); server reply unknown", "ESC ODS", Confidence::Medium),
    row("NFY", ServerToClient, NS, 18, OPEN, Never, IfNumeric, "<action:PUT|DEL> length", Format::Mime, "Presence/circle notification (nested headers)", "KB21 SHARP BIT ESC", Confidence::High),
    row("PUT", ClientToServer, NS, 18, OPEN, Always, Last, "trid length", Format::Mime, "Publish presence / circle data", "KB21 SHARP ESC ODS", Confidence::High),
    row("PUT", ServerToClient, NS, 18, OPEN, Always, IfNumeric, "trid OK length", Format::Mime, "Publish accepted; length may be 0 or carry headers", "KB21 SHARP BIT ESC", Confidence::High),
    row("DEL", ClientToServer, NS, 18, OPEN, Always, Last, "trid length", Format::Mime, "Withdraw presence / leave circle / sign out endpoint", "KB21 SHARP ODS", Confidence::High),
    row("DEL", ServerToClient, NS, 18, OPEN, Always, IfNumeric, "trid OK length", Format::Mime, "Withdrawal accepted", "SHARP", Confidence::Medium),
    row("SDG", ClientToServer, NS, 18, OPEN, Always, Last, "trid length", Format::Mime, "Send datagram: chat, typing, P2P (all chat in MSNP21)", "KB21 SHARP BIT ESC", Confidence::High),
    row("SDG", ServerToClient, NS, 18, OPEN, ZeroOrId, IfNumeric, "0 length", Format::Mime, "Incoming datagram (or acknowledgement)", "KB21 SHARP BIT ESC", Confidence::High),
    row("GET", ServerToClient, NS, 21, OPEN, Always, IfNumeric, "trid [OK] length", Format::Text, "Only a name in msnp-sharp; never seen", "SHARP", Confidence::Low),
    row("FSL", ServerToClient, NS, 21, OPEN, Always, IfNumeric, "trid [OK] length", Format::Text, "Only a name in msnp-sharp; never seen", "SHARP", Confidence::Low),
    row("MSG", ServerToClient, NS, 2, OPEN, Never, Last, "Hotmail Hotmail length", Format::Mime, "Server message: profile, mail data, OIM, system", "ESC PUR BIT M11 WIKI", Confidence::High),
    row("MSG", ClientToServer, SB, 2, 18, Always, Last, "trid ack_type length", Format::Mime, "Send to switchboard; ack_type U N A D", "ESC PUR AMSN M11 WIKI", Confidence::High),
    row("MSG", ServerToClient, SB, 2, 18, Never, Last, "email[;{machine_guid}] friendly_name length", Format::Mime, "Message from a participant", "ESC PUR M11 WIKI", Confidence::High),
    row("ACK", ServerToClient, SB, 2, 18, Always, NoPayload, "trid", Format::None, "MSG delivered (types A D)", "ESC PUR AMSN WIKI", Confidence::High),
    row("NAK", ServerToClient, SB, 2, 18, Always, NoPayload, "trid", Format::None, "MSG not delivered (types N A D)", "PUR AMSN WIKI", Confidence::High),
    row("CAL", ClientToServer, SB, 2, 18, Always, NoPayload, "trid email", Format::None, "Invite a user (own address in WLM 2009 for other endpoints)", "ESC PUR AMSN WIKI", Confidence::High),
    row("CAL", ServerToClient, SB, 2, 18, Always, NoPayload, "trid RINGING session_id", Format::None, "Invitation sent; ends in a number", "ESC WIKI HYP", Confidence::High),
    row("ANS", ClientToServer, SB, 2, 18, Always, NoPayload, "trid email[;{machine_guid}] cookie session_id", Format::None, "Join a switchboard after RNG; ends in a number", "ESC PUR AMSN M11 WIKI", Confidence::High),
    row("ANS", ServerToClient, SB, 2, 18, Always, NoPayload, "trid OK", Format::None, "Joined; comes after all IRO", "ESC PUR WIKI", Confidence::High),
    row("IRO", ServerToClient, SB, 2, 18, Always, NoPayload, "trid index total email[;{machine_guid}] friendly_name [capabilities]", Format::None, "Participant already present; TrID of the ANS; may end in digits", "ESC PUR M11 MIR WIKI", Confidence::High),
    row("JOI", ServerToClient, SB, 2, 18, Never, NoPayload, "email[;{machine_guid}] friendly_name [capabilities]", Format::None, "Participant joined; may end in digits", "ESC PUR M11 MIR WIKI", Confidence::High),
    row("BYE", ServerToClient, SB, 2, 18, Never, NoPayload, "email[;{machine_guid}] [1]", Format::None, "Participant left; 1 = idle timeout", "ESC MIR WIKI", Confidence::High),
    row("*", ClientToServer, NS_SB, 2, OPEN, Unknown, Lookahead, "?", Format::Binary, "Unknown command from client", "ESC", Confidence::Low),
    row("*", ServerToClient, ANY, 2, OPEN, Unknown, Lookahead, "?", Format::Binary, "Unknown command from server", "SHARP", Confidence::Low),
];
