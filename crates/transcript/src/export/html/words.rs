//! What arguments are, beyond their names.

use msnp::argument;
use msnp::command::lossy;
use msnp::payload::msnobject::MsnObject;

use crate::state::Lists;

/// Returns what an argument of this documented name is.
pub(super) fn meaning(name: &str) -> Option<&'static str> {
    MEANINGS.iter().find(|(known, _)| *known == name).map(|(_, meaning)| *meaning)
}

/// Returns what a value says, where it does not say it itself.
pub(super) fn value(name: &str, value: &[u8]) -> Option<String> {
    let text = lossy(value);
    match name {
        "status" => STATES.iter().find(|(state, _)| *state == text).map(|(_, meaning)| (*meaning).to_owned()),
        "list" => LISTS.iter().find(|(list, _)| *list == text).map(|(_, meaning)| (*meaning).to_owned()),
        "ack_type" => ACKNOWLEDGEMENTS.iter().find(|(kind, _)| *kind == text).map(|(_, meaning)| (*meaning).to_owned()),
        "privacy" if text == "AL" => Some("people on no list may see the client".into()),
        "privacy" if text == "BL" => Some("people on no list may not see the client".into()),
        "prompt" if text == "A" => Some("asks about those who add the user".into()),
        "prompt" if text == "N" => Some("does not ask about those who add the user".into()),
        "list_bits" => {
            let lists: Vec<&str> = Lists::from_bits(text.parse().ok()?).iter().map(|list| list.as_str()).collect();
            Some(if lists.is_empty() { "no list".into() } else { lists.join(" ") })
        }
        "network_id" | "to_network_id" => network(&text).map(str::to_owned),
        "capabilities" => generation(&text),
        "msnobject_urlenc" => {
            MsnObject::parse(value).map(|object| lossy(object.xml()).into_owned()).filter(|xml| *xml != *text)
        }
        _ => {
            let decoded = argument::decode(value);
            (*decoded != *value).then(|| lossy(&decoded).into_owned())
        }
    }
}

fn network(text: &str) -> Option<&'static str> {
    Some(match text {
        "1" => "Passport, Windows Live",
        "2" => "Office Communicator",
        "4" => "telephone",
        "9" => "circle",
        "32" => "Yahoo",
        _ => return None,
    })
}

/// The high byte of the first number is the generation of the client.
fn generation(text: &str) -> Option<String> {
    let number: u32 = text.split(':').next()?.parse().ok()?;
    match number >> 28 {
        0 => None,
        generation => Some(format!("{number:#010x}, generation MSNC{generation}")),
    }
}

const STATES: &[(&str, &str)] = &[
    ("NLN", "online"),
    ("BSY", "busy"),
    ("IDL", "idle"),
    ("BRB", "be right back"),
    ("AWY", "away"),
    ("PHN", "on the phone"),
    ("LUN", "out to lunch"),
    ("HDN", "hidden: appears offline"),
    ("FLN", "offline"),
];

const LISTS: &[(&str, &str)] = &[
    ("FL", "forward list: whom the client shows"),
    ("AL", "allow list: who may see the client"),
    ("BL", "block list: who may not"),
    ("RL", "reverse list: who has added the user"),
    ("PL", "pending list: who has added the user and waits"),
];

const ACKNOWLEDGEMENTS: &[(&str, &str)] = &[
    ("U", "unacknowledged"),
    ("N", "an answer only if it could not be delivered"),
    ("A", "always acknowledged"),
    ("D", "acknowledged, for data between peers"),
];

const MEANINGS: &[(&str, &str)] = &[
    ("ack_type", "how the message is acknowledged"),
    ("arch", "processor of the client's machine"),
    ("capabilities", "what the client can do, as bits"),
    ("challenge", "what the client must answer with a hash"),
    ("client_brand", "edition of the client"),
    ("client_name", "name of the client"),
    ("client_version", "version of the client"),
    ("contact_guid", "id of a contact, from MSNP10 on"),
    ("contacts", "how many contacts follow"),
    ("cookie", "ticket that lets the client into a switchboard"),
    ("current_host_port", "the server that the client talks to now"),
    ("dialect", "a version of the protocol that the client speaks"),
    ("direct_flag", "whether the server can be reached directly"),
    ("email", "address of an account"),
    ("friendly_name", "name that others see, percent-encoded"),
    ("group_id", "number of a group"),
    ("group_guid", "id of a group, from MSNP10 on"),
    ("group_name", "name of a group, percent-encoded"),
    ("groups", "how many groups follow"),
    ("guid", "id of a contact"),
    ("host_port", "where to connect to"),
    ("index", "position in a series of answers"),
    ("inviter_email", "who invites"),
    ("inviter_friendly_name", "name of who invites"),
    ("key", "name of a property"),
    ("lcid", "language of the client"),
    ("length", "bytes of the payload that follows"),
    ("list", "which list"),
    ("list_bits", "lists that the contact is on: 1 FL, 2 AL, 4 BL, 8 RL, 16 PL"),
    ("list_version", "version of the contact list"),
    ("machine_guid", "id of one of the user's machines"),
    ("message_type", "kind of message"),
    ("msnobject_urlenc", "display picture: an MSNObject, percent-encoded"),
    ("network_id", "network of the address"),
    ("os_type", "operating system"),
    ("os_version", "version of the operating system"),
    ("privacy", "what becomes of people on no list"),
    ("product_id", "which product answers a challenge"),
    ("prompt", "whether the user is asked about new people"),
    ("response_b64", "proof of the secret that came with the ticket"),
    ("nonce_b64", "number used once, for the proof"),
    ("policy", "login policy"),
    ("seconds", "seconds until the next ping is due"),
    ("session_id", "number of the switchboard session"),
    ("status", "presence"),
    ("ticket", "proof of a login elsewhere"),
    ("total", "how many there are in the series"),
    ("trid", "transaction id: pairs a command with its answers"),
    ("value", "value of a property"),
    ("verified", "whether the address is confirmed"),
    ("restricted", "whether the account is a child's"),
];
