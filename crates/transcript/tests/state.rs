//! The state of a session after the example dialogues of `crates/msnp/tests/data/examples`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, SystemTime};

use msnp::argument::Scope;
use msnp::{LengthPolicy, ServerKind, Version, text};
use msnp_transcript::state::{Contact, List, Lists, Seen, SessionState, StateExpression};

/// Plays the connections `ids` of an example (all of them, if there are none) to its end or to the first line that
/// starts with `until`. The examples' records are the text form of commands in other clothes.
fn play(name: &str, ids: &[&str], until: &str) -> SessionState {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msnp/tests/data/examples");
    let example = std::fs::read_to_string(folder.join(name).with_extension("txt")).unwrap();
    let mut state = SessionState::new();
    let mut known: Vec<(&str, Scope)> = Vec::new();
    let mut current = 0;
    let mut lines = example.lines().peekable();
    let mut seconds = 0;
    while let Some(line) = lines.next().filter(|line| until.is_empty() || !line.starts_with(until)) {
        seconds += 1;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let words: Vec<&str> = line.split(' ').collect();
        let is_played = |id: &str| ids.is_empty() || ids.contains(&id);
        match words[0] {
            "@conn" => {
                let server = if words[2] == "SB" { ServerKind::Switchboard } else { ServerKind::Notification };
                known.push((words[1], Scope { server: None, version: Version::from_token(words[3].as_bytes()) }));
                current = known.len() - 1;
                if is_played(words[1]) {
                    state.opened(current as u64, Some(server), "192.0.2.1:1863", time);
                }
            }
            "@use" => current = known.iter().position(|(id, _)| *id == words[1]).unwrap(),
            "@close" => state.closed(known.iter().position(|(id, _)| *id == words[1]).unwrap() as u64),
            "C>" | "S>" => {
                let arrow = if words[0] == "C>" { ">>>" } else { "<<<" };
                let mut record = format!("{arrow}{}", &line[2..]);
                while let Some(payload) = lines.next_if(|line| line[1..].starts_with('|')) {
                    record = format!("{record}\n|{}", &payload[2..]);
                }
                let command = text::parse(&record).unwrap()[0].command(None, LengthPolicy::Keep).unwrap();
                let (id, scope) = known[current];
                if is_played(id) {
                    state.command(&Seen::new(current as u64, &command, scope, time));
                }
            }
            _ => assert!(line.starts_with('#'), "{line}"),
        }
    }
    state
}

fn names(lists: Lists) -> Vec<&'static str> {
    lists.iter().map(List::as_str).collect()
}

fn bob(state: &SessionState) -> &Contact {
    &state.contacts["bob@example.com"]
}

fn in_flight(state: &SessionState) -> Vec<(u32, &str)> {
    let open = state.connections.iter().flat_map(|open| &open.in_flight);
    open.map(|transaction| (transaction.id, transaction.verb.as_str())).collect()
}

#[test]
fn msnp2_tells_each_list_by_itself() {
    let state = play("01-msnp2-md5-login", &[], "C> OUT");
    assert_eq!((state.account.as_deref(), state.version), (Some("alice@example.com"), Some(Version(2))));
    assert_eq!(state.friendly_name.as_deref(), Some("Alice Example"));
    assert_eq!((state.logged_in, state.notification, state.connections_closed), (true, Some(1), 1));
    assert_eq!((state.prompt.as_deref(), state.privacy.as_deref()), (Some("A"), Some("AL")));
    assert_eq!(state.presence.status.as_deref(), Some("NLN"));
    assert_eq!(state.contacts.len(), 1);
    assert_eq!((bob(&state).name.as_deref(), names(bob(&state).lists)), (Some("Bob"), vec!["FL", "AL", "RL"]));
    assert_eq!(state.online().collect::<Vec<_>>(), ["bob@example.com"]);
    assert_eq!(in_flight(&state), []);
    let after = play("01-msnp2-md5-login", &[], "");
    assert_eq!((after.logged_in, after.connections_closed, after.online().count()), (false, 2, 0));
    assert_eq!(names(bob(&after).lists), ["FL", "AL", "RL"]);
}

#[test]
fn a_login_is_in_flight_until_it_is_answered() {
    let state = play("02-msnp8-tweener-login", &[], "S> USR 6");
    assert_eq!(in_flight(&state), [(6, "USR")]);
    let since = state.connections[0].in_flight[0].since;
    assert_eq!(since.duration_since(state.connections[0].opened).unwrap(), Duration::from_secs(5));
    assert_eq!((state.logged_in, state.account.as_deref()), (false, Some("alice@example.com")));
    assert_eq!(state.connections[0].number, 1);
}

#[test]
fn msnp8_tells_contacts_with_bits_and_groups() {
    let state = play("02-msnp8-tweener-login", &[], "");
    assert_eq!(state.groups["0"], "Other Contacts");
    assert_eq!((bob(&state).lists.bits(), names(bob(&state).lists)), (11, vec!["FL", "AL", "RL"]));
    assert_eq!(bob(&state).groups.iter().collect::<Vec<_>>(), ["0"]);
    assert_eq!(bob(&state).presence.capabilities.as_deref(), Some("0"));
    assert_eq!(state.errors["800"], 1);
    assert_eq!((state.commands["SYN"].c2s, state.commands["SYN"].s2c, state.commands["PAG"].c2s), (1, 1, 1));
}

#[test]
fn a_caller_knows_who_is_called_and_who_has_come() {
    let ids = ["nsA", "sbA"];
    let called = play("03-msnp9-switchboard", &ids, "S> JOI");
    assert_eq!(called.switchboards[0].session_id.as_deref(), Some("11752013"));
    assert!(called.switchboards[0].joined && called.switchboards[0].participants.is_empty());
    assert_eq!(called.switchboards[0].ringing.iter().collect::<Vec<_>>(), ["bob@example.com"]);
    let talking = play("03-msnp9-switchboard", &ids, "S> ACK");
    let board = &talking.switchboards[0];
    assert_eq!(board.participants["bob@example.com"].name.as_deref(), Some("Bob"));
    assert_eq!((board.ringing.len(), board.sent, board.received, board.acknowledged), (0, 2, 0, 0));
    // of the two messages only the one of type A will be answered
    assert_eq!(in_flight(&talking), [(4, "MSG")]);
    let left = play("03-msnp9-switchboard", &ids, "@close sbA");
    assert_eq!((left.switchboards[0].participants.len(), left.switchboards[0].received), (0, 1));
    assert_eq!((left.switchboards[0].acknowledged, left.in_flight()), (1, 0));
    assert_eq!(play("03-msnp9-switchboard", &ids, "").switchboards, []);
}

#[test]
fn a_callee_knows_who_was_there() {
    let state = play("03-msnp9-switchboard", &["nsB", "sbB"], "@close sbB");
    assert_eq!(state.account.as_deref(), Some("bob@example.com"));
    let board = &state.switchboards[0];
    assert_eq!((board.connection, board.joined, board.session_id.as_deref()), (3, true, Some("11752013")));
    assert_eq!(board.participants.keys().collect::<Vec<_>>(), ["alice@example.com"]);
    assert_eq!((board.sent, board.received), (1, 1));
}

#[test]
fn msnp11_tells_guids_pictures_and_personal_messages() {
    let state = play("04-msnp11-psm", &[], "");
    assert_eq!(state.friendly_name.as_deref(), Some("Alice Example"));
    assert_eq!(state.groups["6b1f0f4e-1111-4222-8333-0123456789ab"], "Friends");
    let contact = bob(&state);
    assert_eq!(contact.guid.as_deref(), Some("7c2f0f4e-1111-4222-8333-0123456789ab"));
    assert_eq!(contact.groups.len(), 1);
    assert_eq!(contact.presence.status.as_deref(), Some("AWY"));
    assert!(contact.presence.object.as_ref().unwrap().starts_with("<msnobj Creator=\"bob@example.com\""));
    assert_eq!(contact.presence.personal_message.as_deref(), Some("gone fishing"));
    assert_eq!(contact.presence.current_media, None);
    let carol = &state.contacts["carol@example.com"];
    assert_eq!((names(carol.lists), carol.groups.len(), carol.presence.is_online()), (vec!["FL", "AL"], 0, false));
    assert_eq!((state.presence.capabilities.as_deref(), state.presence.personal_message), (Some("1342554156"), None));
    let before = play("04-msnp11-psm", &[], "C> UUX 9");
    assert_eq!(before.presence.personal_message.as_deref(), Some("naïve ☕"));
}

#[test]
fn msnp15_confirms_memberships_or_refuses_them() {
    let state = play("05-msnp15-sso-adl", &[], "C> RML 11");
    assert_eq!((bob(&state).lists.bits(), bob(&state).network_id), (3, Some(1)));
    assert_eq!(bob(&state).presence.status.as_deref(), Some("NLN"));
    assert!(!state.contacts.contains_key("ghost@example.com"), "the server refused it with 241");
    assert!(!state.contacts.contains_key("carol@example.com"), "she removed the client again");
    assert_eq!((state.errors["241"], state.errors["240"]), (1, 1));
    let added = play("05-msnp15-sso-adl", &[], "S> RML 0");
    let carol = &added.contacts["carol@example.com"];
    assert_eq!((carol.name.as_deref(), names(carol.lists)), (Some("Carol"), vec!["RL"]));
    let after = play("05-msnp15-sso-adl", &[], "");
    assert_eq!(names(bob(&after).lists), ["FL"]);
    assert_eq!(bob(&after).presence.status.as_deref(), Some("FLN"));
    assert_eq!((after.friendly_name.as_deref(), after.privacy.as_deref()), (Some("Alice Example"), Some("AL")));
    assert_eq!(in_flight(&after), []);
}

#[test]
fn msnp18_has_networks_endpoints_and_circles() {
    let state = play("06-msnp18-endpoints-circle", &[], "S> BYE");
    assert_eq!(state.friendly_name.as_deref(), Some("Alice Example"));
    assert_eq!(state.presence.capabilities.as_deref(), Some("2788999228:48"));
    assert_eq!(state.contacts.keys().collect::<Vec<_>>(), ["bob@example.com"]);
    assert_eq!((bob(&state).network_id, bob(&state).presence.is_online()), (Some(1), true));
    let board = &state.switchboards[0];
    assert_eq!(board.participants.keys().collect::<Vec<_>>(), ["bob@example.com"]);
    let participant = &board.participants["bob@example.com"];
    assert_eq!(participant.endpoints.iter().collect::<Vec<_>>(), ["{9a8b7c6d-0002-4e5f-9a0b-665544332211}"]);
    assert_eq!(participant.capabilities.as_deref(), Some("2788999228:48"));
    let left = play("06-msnp18-endpoints-circle", &[], "S> FLN");
    assert_eq!((left.switchboards[0].participants.len(), left.logged_in), (0, true));
    let ended = play("06-msnp18-endpoints-circle", &[], "@close ns1");
    assert_eq!((ended.logged_in, ended.online().count(), ended.connections.len()), (false, 0, 2));
}

#[test]
fn msnp21_has_presence_in_datagrams() {
    let state = play("07-msnp21-datagrams", &[], "S> NFY DEL");
    assert_eq!((state.version, state.presence.status.as_deref()), (Some(Version(21)), Some("NLN")));
    assert_eq!(state.friendly_name.as_deref(), Some("Alice"));
    assert_eq!((bob(&state).lists.bits(), bob(&state).presence.status.as_deref()), (3, Some("BSY")));
    assert_eq!(state.errors["801"], 1);
    let after = play("07-msnp21-datagrams", &[], "@close ns1");
    assert!(after.logged_in && !bob(&after).presence.is_online());
    assert_eq!(in_flight(&after), []);
}

#[test]
fn msnp10_changes_contacts_and_groups() {
    let group = "9d1f0f4e-1111-4222-8333-0123456789ab";
    let added = play("13-msnp10-contact-list", &["ns1"], "C> REG");
    assert_eq!(names(bob(&added).lists), ["FL", "AL"]);
    assert_eq!(bob(&added).groups.iter().collect::<Vec<_>>(), [group]);
    assert_eq!(added.groups[group], "New Group");
    assert_eq!(names(added.contacts["carol@example.com"].lists), ["RL"]);
    let renamed = play("13-msnp10-contact-list", &["ns1"], "C> REM");
    assert_eq!((renamed.groups[group].as_str(), bob(&renamed).name.as_deref()), ("Pals", Some("Bobby")));
    let removed = play("13-msnp10-contact-list", &["ns1"], "S> OUT");
    assert_eq!(names(bob(&removed).lists), ["AL"]);
    assert_eq!((removed.contacts.len(), removed.groups.len()), (1, 0));
    // a page to a mobile phone has no answer of its own
    assert_eq!(in_flight(&removed), []);
}

#[test]
fn msnp7_changes_contacts_and_names() {
    let state = play("13-msnp10-contact-list", &["ns2"], "");
    assert_eq!((names(bob(&state).lists), bob(&state).groups.len()), (vec!["FL"], 0));
    assert_eq!(names(state.contacts["carol@example.com"].lists), ["RL"]);
    let renamed = &state.contacts.get("alice@example.com");
    assert_eq!(renamed, &None, "nobody said who logs in, and she is not a contact");
}

#[test]
fn every_dialogue_leaves_a_state_that_json_gives_back() {
    let validator = jsonschema::validator_for(&msnp_transcript::state::schema()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msnp/tests/data/examples");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name == "README" {
            continue;
        }
        for until in ["", "@close", "S> NLN", "S> ACK", "S> UUX", "S> ADL", "S> JOI"] {
            let state = play(name, &[], until);
            let json = serde_json::to_value(&state).unwrap();
            assert!(validator.is_valid(&json), "{name} to {until}: {json}");
            let again: SessionState = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(&again).unwrap(), json);
            assert_eq!(state.left_out, 0);
        }
        count += 1;
    }
    assert_eq!(count, 13);
}

#[test]
fn expressions_ask_the_state() {
    let holds = |state: &SessionState, source: &str| StateExpression::compile(source).unwrap().matches(state);
    let login = play("04-msnp11-psm", &[], "");
    for source in [
        "logged_in && account == 'alice@example.com' && version == 11 && status == 'NLN' && privacy == 'AL'",
        "friendly_name.startsWith('Alice') && online == ['bob@example.com'] && size(groups) == 1",
        "contacts['bob@example.com'].status == 'AWY' && contacts['bob@example.com'].message == 'gone fishing'",
        "contacts['carol@example.com'].status == 'FLN' && 'FL' in contacts['carol@example.com'].lists",
        "contacts.exists(a, contacts[a].name == 'Bob') && !('dave@example.com' in contacts)",
        "size(switchboards) == 0 && connections[0].server == 'ns' && in_flight == 0 && !('911' in errors)",
    ] {
        assert!(holds(&login, source), "{source}");
    }
    assert!(!holds(&login, "contacts['dave@example.com'].status == 'FLN'"));
    let talk = play("03-msnp9-switchboard", &["nsA", "sbA"], "S> ACK");
    for source in [
        "switchboards.exists(s, 'bob@example.com' in s.participants && s.session_id == '11752013')",
        "switchboards[0].connection == 1 && switchboards[0].joined && switchboards[0].sent == 2",
        "in_flight == 1 && connections.exists(c, c.server == 'sb' && 'MSG' in c.in_flight) && connections[1].number == 1",
        "!logged_in && status == ''",
    ] {
        assert!(holds(&talk, source), "{source}");
    }
    let error = StateExpression::compile("loged_in").unwrap_err();
    assert_eq!((error.message.as_str(), error.range), ("unknown variable `loged_in`", 0..8));
    assert_eq!(error.help.as_deref(), Some("did you mean `logged_in`?"));
}
