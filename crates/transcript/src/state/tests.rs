use std::time::Duration;

use msnp::LengthPolicy;
use msnp::text as text_form;
use proptest::prelude::*;

use super::*;
use lists::MOST_GROUPS;
use members::MOST_CONTACTS;
use switchboards::MOST_PARTICIPANTS;
use transactions::MOST_IN_FLIGHT;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// Tells a state what a text of commands says, on one connection of a version.
fn tell(state: &mut SessionState, connection: u64, version: u8, commands: &str) {
    for draft in text_form::parse(commands).unwrap() {
        let command = draft.command(None, LengthPolicy::Repair).unwrap();
        let scope = Scope { server: None, version: Some(Version(version)) };
        state.command(&Seen::new(connection, &command, scope, NOW));
    }
}

fn told(version: u8, commands: &str) -> SessionState {
    let mut state = SessionState::new();
    tell(&mut state, 1, version, "<<< USR 1 OK alice@example.com Alice 1 0");
    tell(&mut state, 1, version, commands);
    state
}

/// Returns address, lists, groups and status of each contact.
fn contacts(state: &SessionState) -> Vec<String> {
    let line = |(address, contact): (&String, &Contact)| {
        let lists: Vec<&str> = contact.lists.iter().map(List::as_str).collect();
        let groups: Vec<&str> = contact.groups.iter().map(String::as_str).collect();
        let status = contact.presence.status.as_deref().unwrap_or("-");
        format!("{address} {} [{}] {status}", lists.join("+"), groups.join(","))
    };
    state.contacts.iter().map(line).collect()
}

#[test]
fn every_shape_of_a_contact_entry_is_read() {
    for (version, entries) in [
        (2, "<<< LST 5 FL 4 1 1 bob@example.com Bob\n<<< LST 5 AL 4 1 1 Bob@example.com Bob\n<<< LST 5 BL 4 0 0"),
        (8, "<<< LST bob@example.com Bob 3"),
        (9, "<<< LST bob@example.com Bob 3 "),
        (10, "<<< LST N=bob@example.com F=Bob C=7c2f 3"),
        (11, "<<< LST N=bob@example.com F=Bob 3 "),
        (12, "<<< LST N=bob@example.com F=Bob C=7c2f 3 1"),
        (
            13,
            ">>> ADL 6\n| <ml l=\"1\"><d n=\"example.com\"><c n=\"bob\" l=\"3\" t=\"1\" f=\"Bob\"/></d></ml>\n<<< ADL 6 OK",
        ),
    ] {
        let state = told(version, entries);
        assert_eq!(contacts(&state), ["bob@example.com FL+AL [] -"], "MSNP{version}");
        assert_eq!(state.contacts["bob@example.com"].name.as_deref(), Some("Bob"));
    }
    let grouped = |version, entry| contacts(&told(version, entry)).remove(0);
    assert_eq!(grouped(7, "<<< LST 5 FL 4 1 1 b@c.d Bob 0,3"), "b@c.d FL [0,3] -");
    assert_eq!(grouped(8, "<<< LST b@c.d Bob 11 0,3"), "b@c.d FL+AL+RL [0,3] -");
    assert_eq!(grouped(10, "<<< LST N=b@c.d F=Bob C=7c2f 17 6b1f,9d1f"), "b@c.d FL+PL [6b1f,9d1f] -");
    assert_eq!(grouped(12, "<<< LST N=b@c.d F=Bob C=7c2f 5 32 6b1f"), "b@c.d FL+BL [6b1f] -");
    assert_eq!(told(12, "<<< LST N=b@c.d F=Bob C=7c2f 5 32 6b1f").contacts["b@c.d"].network_id, Some(32));
}

#[test]
fn every_shape_of_presence_is_read() {
    for (version, online, offline) in [
        (2, "<<< ILN 9 BSY bob@example.com Bob%20B", "<<< FLN bob@example.com"),
        (8, "<<< NLN BSY bob@example.com Bob%20B 268435500", "<<< FLN bob@example.com"),
        (9, "<<< ILN 9 BSY bob@example.com Bob%20B 268435500 0", "<<< FLN bob@example.com"),
        (14, "<<< ILN 9 BSY bob@example.com 1 Bob%20B 268435500 0", "<<< FLN bob@example.com 1 0"),
        (16, "<<< NLN BSY bob@example.com 1 Bob%20B 268435500:0", "<<< FLN bob@example.com 1 0:0"),
        (18, "<<< NLN BSY 1:bob@example.com Bob%20B 268435500:0 0", "<<< FLN 1:bob@example.com 0:0"),
    ] {
        let mut state = told(version, online);
        let contact = &state.contacts["bob@example.com"];
        assert_eq!((contact.name.as_deref(), contact.presence.is_online()), (Some("Bob B"), true), "MSNP{version}");
        assert_eq!(contact.presence.capabilities.is_some(), version >= 8);
        assert_eq!(contact.network_id.is_some(), version >= 14, "MSNP{version}");
        assert_eq!(state.online().collect::<Vec<_>>(), ["bob@example.com"]);
        tell(&mut state, 1, version, offline);
        assert_eq!(contacts(&state), ["bob@example.com  [] FLN"]);
    }
}

#[test]
fn personal_messages_are_unescaped_and_replaced_as_a_whole() {
    let psm = "<<< UBX bob@example.com 1\\x20\n| <Data><PSM>a &lt; b</PSM><CurrentMedia>x</CurrentMedia></Data>";
    let mut state = told(14, psm);
    let presence = |state: &SessionState| state.contacts["bob@example.com"].presence.clone();
    assert_eq!(presence(&state).personal_message.as_deref(), Some("a < b"));
    assert_eq!(presence(&state).current_media.as_deref(), Some("x"));
    tell(&mut state, 1, 14, "<<< UBX bob@example.com 1 {len}\n| <Data><PSM>c</PSM></Data>");
    assert_eq!((presence(&state).personal_message.as_deref(), presence(&state).current_media), (Some("c"), None));
    tell(&mut state, 1, 14, "<<< UBX bob@example.com 1 {len}");
    assert_eq!(presence(&state), Presence::default());
}

#[test]
fn what_is_told_of_the_client_itself_is_no_contact() {
    let state = told(
        18,
        "<<< NLN AWY 1:alice@example.com Alice%20E 1:48 0\n<<< UBX 1:alice@example.com {len}\n| <Data><PSM>me</PSM></Data>",
    );
    assert_eq!(contacts(&state), Vec::<String>::new());
    assert_eq!((state.presence.status.as_deref(), state.friendly_name.as_deref()), (Some("AWY"), Some("Alice E")));
    assert_eq!(state.presence.personal_message.as_deref(), Some("me"));
}

#[test]
fn members_of_a_circle_do_not_change_the_contact() {
    let state = told(
        18,
        "<<< NLN NLN 1:bob@example.com Bob 1:48 0\n<<< FLN 1:bob@example.com;via=9:0-9@live.com 0:0\n<<< NLN NLN 9:0-9@live.com Friends 0:0 0",
    );
    assert_eq!(contacts(&state), ["0-9@live.com  [] NLN", "bob@example.com  [] NLN"]);
}

#[test]
fn a_list_that_is_told_anew_replaces_the_old_one() {
    let mut state = told(2, "<<< LST 5 FL 4 1 1 bob@example.com Bob\n<<< LST 5 RL 4 1 1 carol@example.com Carol");
    tell(&mut state, 1, 2, "<<< LST 9 FL 5 1 2 dave@example.com D\n<<< LST 9 FL 5 2 2 erin@example.com E");
    assert_eq!(contacts(&state), ["carol@example.com RL [] -", "dave@example.com FL [] -", "erin@example.com FL [] -"]);
    tell(&mut state, 1, 2, "<<< LST 9 FL 6 0 0");
    assert_eq!(contacts(&state), ["carol@example.com RL [] -"]);
    let mut state = told(8, "<<< LSG 0 Others 0\n<<< LST bob@example.com Bob 3 0");
    tell(&mut state, 1, 8, "<<< SYN 9 12");
    assert_eq!((state.contacts.len(), state.groups.len()), (1, 1));
    tell(&mut state, 1, 8, "<<< SYN 10 13 0 0");
    assert_eq!((state.contacts.len(), state.groups.len()), (0, 0));
}

#[test]
fn leaving_a_group_is_not_leaving_the_list() {
    let mut state = told(9, "<<< ADD 5 FL 824 bob@example.com Bob 0\n<<< ADD 6 FL 825 bob@example.com Bob 3");
    assert_eq!(contacts(&state), ["bob@example.com FL [0,3] -"]);
    tell(&mut state, 1, 9, "<<< REM 7 FL 826 bob@example.com 0");
    assert_eq!(contacts(&state), ["bob@example.com FL [3] -"]);
    tell(&mut state, 1, 9, "<<< REM 8 FL 827 bob@example.com");
    assert_eq!(contacts(&state), Vec::<String>::new());
}

#[test]
fn groups_are_named_by_number_or_guid() {
    let mut state = told(7, "<<< LSG 5 4 1 2 0 Other%20Contacts 0\n<<< LSG 5 4 2 2 3 Friends 0");
    assert_eq!(state.groups, [("0", "Other Contacts"), ("3", "Friends")].map(|(a, b)| (a.into(), b.into())).into());
    tell(&mut state, 1, 7, "<<< REG 6 5 3 Pals 0\n<<< ADG 7 6 New 4 0\n<<< RMG 8 7 0");
    assert_eq!(state.groups, [("3", "Pals"), ("4", "New")].map(|(a, b)| (a.into(), b.into())).into());
}

#[test]
fn a_federated_address_gets_its_network() {
    let mut state = told(14, "<<< ADL 0\n| <ml><d n=\"example.org\"><c n=\"dave\" l=\"8\"/></d></ml>");
    assert_eq!(state.contacts["dave@example.org"].network_id, None);
    tell(
        &mut state,
        1,
        14,
        "<<< FQY 12\n| <ml><d n=\"example.org\"><c n=\"dave\" t=\"32\"/><c n=\"x\" t=\"1\"/></d></ml>",
    );
    assert_eq!(state.contacts["dave@example.org"].network_id, Some(32));
    assert_eq!(state.contacts.len(), 1);
}

#[test]
fn only_a_confirmed_change_is_a_change() {
    let mut state = told(11, ">>> UUX 8 {len}\n| <Data><PSM>later</PSM></Data>\n>>> CHG 9 BSY");
    assert_eq!(state.presence, Presence::default());
    assert_eq!(state.in_flight(), 2);
    tell(&mut state, 1, 11, "<<< UUX 8 0\n<<< 201 9");
    assert_eq!((state.presence.personal_message.as_deref(), state.presence.status.as_deref()), (Some("later"), None));
    assert_eq!((state.in_flight(), state.errors["201"]), (0, 1));
}

#[test]
fn a_second_login_takes_over_and_the_end_of_the_first_does_not_matter() {
    let mut state =
        told(15, "<<< CHG 8 NLN 0 0\n<<< NLN NLN bob@example.com 1 Bob 0 0\n<<< XFR 0 NS 192.0.2.31:1863 U D");
    tell(&mut state, 2, 15, "<<< USR 4 OK alice@example.com 1 0");
    assert_eq!((state.logged_in, state.notification, state.online().count()), (true, Some(2), 0));
    state.closed(1);
    assert!(state.logged_in);
    tell(&mut state, 2, 15, "<<< OUT OTH");
    assert_eq!((state.logged_in, state.presence.clone()), (false, Presence::default()));
}

#[test]
fn a_participant_leaves_with_the_last_endpoint_or_as_a_whole() {
    let mut state = SessionState::new();
    tell(&mut state, 3, 18, "<<< JOI bob@example.com;{1a} Bob 1:48\n<<< JOI bob@example.com;{2a} Bob 1:48");
    tell(&mut state, 3, 18, "<<< JOI bob@example.com Bob 1:48\n<<< BYE bob@example.com;{1a}");
    assert_eq!(state.switchboards[0].participants["bob@example.com"].endpoints, ["{2a}".to_owned()].into());
    tell(&mut state, 3, 18, "<<< BYE bob@example.com;{2a}");
    assert!(state.switchboards[0].participants.is_empty());
    tell(&mut state, 3, 18, "<<< JOI bob@example.com Bob 1:48\n<<< BYE bob@example.com 1");
    assert!(state.switchboards[0].participants.is_empty());
}

/// Returns the commands of a text.
fn commands(text: &str) -> Vec<Command> {
    let drafts = text_form::parse(text).unwrap();
    drafts.iter().map(|draft| draft.command(None, LengthPolicy::Keep).unwrap()).collect()
}

/// Tells a state what arrived on connection 1 and, after `=>`, what left.
fn pass(state: &mut SessionState, text: &str) {
    let (arrived, left) = text.split_once(" =>").unwrap();
    let (arrived, left) = (commands(arrived).remove(0), commands(left));
    state.passed(&Seen::new(1, &arrived, Scope::default(), NOW), Some(&left));
}

#[test]
fn what_is_numbered_anew_is_paired_by_the_servers_ids() {
    let mut state = SessionState::new();
    let injected = commands(">>> CHG 7 BSY").remove(0);
    state.injected(&Seen::new(1, &injected, Scope::default(), NOW));
    pass(&mut state, ">>> CHG 7 NLN =>\n>>> CHG 8 NLN");
    let in_flight = |state: &SessionState| {
        let transactions = state.connections[0].in_flight.iter();
        transactions.map(|transaction| (transaction.id, transaction.is_injected)).collect::<Vec<_>>()
    };
    assert_eq!(in_flight(&state), [(7, true), (8, false)]);
    pass(&mut state, "<<< CHG 8 NLN =>\n<<< CHG 7 NLN");
    assert_eq!((in_flight(&state), state.presence.status.as_deref()), (vec![(7, true)], Some("NLN")));
    pass(&mut state, "<<< CHG 7 BSY =>");
    assert_eq!((in_flight(&state), state.presence.status.as_deref()), (vec![], Some("NLN")));
}

#[test]
fn a_verb_that_nobody_knows_is_answered_by_the_same_verb() {
    let mut state = told(8, ">>> XYZ 7 a\n>>> XYZ 8 b\n>>> XYZ 9 c");
    tell(&mut state, 1, 8, "<<< ABC 7 a\n<<< XYZ 10\n<<< XYZ\n<<< XYZ a");
    assert_eq!(state.in_flight(), 3);
    tell(&mut state, 1, 8, "<<< XYZ 7 a");
    // the server's id of it is 8
    pass(&mut state, "<<< XYZ 8 b =>\n<<< XYZ 9 b");
    let in_flight: Vec<u32> = state.connections[0].in_flight.iter().map(|transaction| transaction.id).collect();
    assert_eq!(in_flight, [9]);
    state.injected(&Seen::new(1, &commands(">>> XYZ 10 d")[0], Scope::default(), NOW));
    pass(&mut state, "<<< XYZ 10 d =>");
    assert_eq!(state.in_flight(), 1);
}

#[test]
fn a_client_whose_answer_was_dropped_still_waits() {
    let mut state = told(8, ">>> CHG 9 NLN");
    pass(&mut state, "<<< CHG 9 NLN =>");
    assert_eq!((state.in_flight(), state.presence.status.as_deref()), (1, None));
    state.answered(1, TransactionId(9));
    state.answered(7, TransactionId(9));
    assert_eq!(state.in_flight(), 0);
    let mut state = told(8, ">>> CHG 9 NLN");
    pass(&mut state, "<<< CHG 9 NLN =>\n<<< 201 9");
    assert_eq!((state.in_flight(), state.errors["201"], state.presence.status.as_deref()), (0, 1, None));
}

#[test]
fn an_answer_that_a_rule_makes_up_answers_nothing_of_the_servers() {
    let mut state = told(8, ">>> CHG 9 NLN");
    pass(&mut state, ">>> CHG 9 AWY =>\n<<< CHG 9 AWY");
    assert_eq!((state.in_flight(), state.presence.status.as_deref()), (1, Some("AWY")));
    pass(&mut state, "<<< QNG 50 =>\n<<< QNG 50\n>>> URL 10 INBOX");
    assert!(state.connections[0].in_flight[1].is_injected);
}

#[test]
fn a_held_command_is_told_when_it_is_released() {
    let mut state = SessionState::new();
    let [bob, carol] =
        ["bob", "carol"].map(|who| commands(&format!("<<< NLN BSY {who}@example.com {who} 0")).remove(0));
    state.held(4, &Seen::new(1, &bob, Scope::default(), NOW));
    state.held(5, &Seen::new(1, &carol, Scope::default(), NOW));
    state.held(6, &Seen::new(1, &carol, Scope::default(), NOW));
    assert_eq!(state.online().count(), 0);
    state.released(4, None, NOW);
    state.released(5, Some(&commands("<<< NLN AWY carol@example.com C 0")), NOW);
    state.released(6, Some(&[]), NOW);
    state.released(7, None, NOW);
    assert_eq!(contacts(&state), ["bob@example.com  [] BSY", "carol@example.com  [] AWY"]);
}

#[test]
fn a_transcript_tells_what_left_and_not_what_arrived() {
    let events = [
        r#"{"type":"connection-opened","seq":1,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":2,"client":"127.0.0.1:5","listener":"127.0.0.1:1863","upstream":"ns.example:1863","server":"ns","account":"alice@example.com","version":"MSNP8"}"#,
        r#"{"type":"command","seq":2,"time":"2026-11-22T12:00:02.000000Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"USR","trid":4,"args":["4","OK","alice@example.com","Alice","1","0"],"origin":"peer"}"#,
        r#"{"type":"command","seq":3,"time":"2026-11-22T12:00:03.000000Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"NLN","args":["NLN","bob@example.com","Bob","0"],"origin":"peer","sent":[{"direction":"s2c","verb":"NLN","args":["BSY","bob@example.com","Bob","0"]}],"by":["busy"]}"#,
        r#"{"type":"command","seq":4,"time":"2026-11-22T12:00:04.000000Z","session":"01jd","connection":2,"server":"ns","direction":"c2s","verb":"CHG","trid":9,"args":["9","NLN","0"],"origin":"peer","sent":[],"by":["drop"]}"#,
        r#"{"type":"command","seq":5,"time":"2026-11-22T12:00:05.000000Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"FLN","args":["bob@example.com"],"origin":"peer","by":["stop"],"held":4}"#,
        r#"{"type":"command","seq":6,"time":"2026-11-22T12:00:06.000000Z","session":"01jd","connection":2,"server":"ns","direction":"c2s","verb":"URL","trid":10,"args":["10","INBOX"],"origin":"injected","by":["me"]}"#,
    ];
    let mut state = SessionState::new();
    for event in events {
        state.learn(&serde_json::from_str(event).unwrap());
    }
    assert_eq!((state.logged_in, state.version, state.in_flight()), (true, Some(Version(8)), 1));
    assert_eq!(contacts(&state), ["bob@example.com  [] BSY"]);
    let released = r#"{"type":"released","seq":7,"time":"2026-11-22T12:00:07.000000Z","session":"01jd","connection":2,"held":4,"direction":"s2c","by":"me","after":2.0}"#;
    state.learn(&serde_json::from_str(released).unwrap());
    assert_eq!(contacts(&state), ["bob@example.com  [] FLN"]);
    let json = serde_json::to_value(&state.connections[0]).unwrap();
    let expected = r#"{"number":2,"server":"ns","upstream":"ns.example:1863","opened":"2026-11-22T12:00:01.000000Z","in_flight":[{"id":10,"verb":"URL","since":"2026-11-22T12:00:06.000000Z","injected":true}]}"#;
    assert_eq!(json.to_string(), expected);
    let closed = r#"{"type":"connection-closed","seq":5,"time":"2026-11-22T12:00:05.000000Z","session":"01jd","connection":2,"by":"client","client_bytes":1,"server_bytes":1}"#;
    state.learn(&serde_json::from_str(closed).unwrap());
    assert_eq!((state.logged_in, state.connections.len(), state.connections_closed), (false, 0, 1));
}

#[test]
fn the_shape_in_json_is_the_documented_one() {
    let state = told(10, "<<< BLP AL\n<<< LST N=bob@example.com F=Bob C=7c2f 11 6b1f\n>>> CHG 9 NLN");
    assert_eq!(
        serde_json::to_string(&state).unwrap(),
        concat!(
            r#"{"account":"alice@example.com","friendly_name":"Alice","logged_in":true,"notification":1,"privacy":"AL","groups":{},"#,
            r#""contacts":{"bob@example.com":{"name":"Bob","guid":"7c2f","lists":["FL","AL","RL"],"list_bits":11,"groups":["6b1f"]}},"#,
            r#""switchboards":[],"connections":[{"number":1,"upstream":"","opened":"1970-01-01T00:00:00.000000Z","#,
            r#""in_flight":[{"id":9,"verb":"CHG","since":"1970-01-01T00:00:00.000000Z"}]}],"connections_closed":0,"#,
            r#""commands":{"BLP":{"c2s":0,"s2c":1},"CHG":{"c2s":1,"s2c":0},"LST":{"c2s":0,"s2c":1},"USR":{"c2s":0,"s2c":1}},"#,
            r#""errors":{},"left_out":0}"#
        )
    );
}

#[test]
fn nothing_that_a_peer_can_fill_is_without_a_limit() {
    let mut state = SessionState::new();
    let members: String = (0..MOST_CONTACTS + 5).map(|n| format!("<c n=\"u{n}\" l=\"1\"/>")).collect();
    tell(&mut state, 1, 15, &format!("<<< ADL 0\n| <ml><d n=\"c.d\">{members}</d></ml>"));
    assert_eq!((state.contacts.len(), state.left_out), (MOST_CONTACTS, 5));
    tell(&mut state, 1, 15, &format!(">>> ADL 9\n| <ml><d n=\"e.f\">{members}</d></ml>"));
    assert_eq!(state.left_out, 10 + MOST_CONTACTS as u64, "what waits to be confirmed counts too");
    let mut state = SessionState::new();
    for n in 0..MOST_GROUPS + 5 {
        tell(&mut state, 1, 8, &format!("<<< LSG {n} G 0\n>>> CHG {n} NLN"));
        tell(&mut state, 2, 8, &format!("<<< JOI u{n}@c.d U"));
    }
    let late = MOST_GROUPS - MOST_IN_FLIGHT + 5;
    assert_eq!((state.groups.len(), state.left_out), (MOST_GROUPS, (5 + 5 + late) as u64));
    assert_eq!(state.switchboards[0].participants.len(), MOST_PARTICIPANTS);
    assert_eq!((state.in_flight(), state.connections[0].in_flight[0].id), (MOST_IN_FLIGHT, late as u32));
    for n in 3..MOST_CONNECTIONS as u64 + 5 {
        state.opened(n, Some(ServerKind::Switchboard), &"x".repeat(10_000), NOW);
    }
    assert_eq!((state.connections.len(), state.switchboards.len()), (MOST_CONNECTIONS, MOST_CONNECTIONS - 1));
    assert_eq!(state.connections[2].upstream.len(), text::LONGEST_TEXT);
}

fn garbage() -> impl Strategy<Value = String> {
    let verb = prop::sample::select(vec![
        "VER", "CVR", "USR", "XFR", "SYN", "GTC", "BLP", "PRP", "LSG", "LST", "ADD", "ADC", "REM", "ADG", "RMG", "REG",
        "REA", "SBP", "CHG", "ILN", "NLN", "FLN", "UBX", "UUX", "ADL", "RML", "FQY", "NFY", "PUT", "MSG", "ACK", "NAK",
        "CAL", "ANS", "IRO", "JOI", "BYE", "OUT", "911", "ZZZ",
    ]);
    let argument = prop::sample::select(vec![
        "1",
        "2",
        "0",
        "OK",
        "FL",
        "AL",
        "RL",
        "MSNP18",
        "TWN",
        "I",
        "alice@example.com",
        "bob@example.com",
        "BSY",
        "1:bob@example.com;via=9:a@live.com",
        "N=bob@example.com",
        "F=Bob",
        "C=7c2f",
        "7c2f",
        "11",
        "1,2",
        "MFN",
        "PUT",
        "RINGING",
        "A",
        "bob@example.com;{1a}",
        "NS",
        "192.0.2.1:1863",
        "\\xff%20%",
        "",
        "9999999999",
        "%3Cmsnobj/%3E",
    ]);
    let payload = prop::sample::select(vec![
        "",
        "<Data><PSM>x</PSM></Data>",
        "<Data><PSM>",
        "<ml><d n=\"c.d\"><c n=\"b\" l=\"3\"/>",
        "\\xff",
        "<ml><d n=\"example.com\"><c n=\"bob\" l=\"31\"/></d></ml>",
        "Routing: 1.0\\r\\nFrom: 1:bob@example.com\\r\\n",
        "Routing: 1.0\\r\\nFrom: 1:b@c\\r\\n\\r\\nA: b\\r\\n\\r\\nUri: /user\\r\\n\\r\\n<user><Status>BSY</Status></user>",
    ]);
    let arguments = prop::collection::vec(argument, 0..8);
    (any::<bool>(), verb, arguments, payload).prop_map(|(is_client, verb, arguments, payload)| {
        let arrow = if is_client { ">>>" } else { "<<<" };
        format!("{arrow} {verb} {}\n| {payload}", arguments.join(" "))
    })
}

proptest! {
    #[test]
    fn garbage_never_panics_and_stays_within_the_limits(
        commands in prop::collection::vec((0u64..4, garbage(), 0u8..22), 0..60),
        closed in 0u64..4,
    ) {
        let mut state = SessionState::new();
        for (n, (connection, command, version)) in commands.iter().enumerate() {
            let command = text_form::parse(command).unwrap()[0].command(None, LengthPolicy::Keep).unwrap();
            let scope = Scope { server: None, version: (*version > 0).then_some(Version(*version)) };
            let time = NOW + Duration::from_secs(n as u64);
            state.command(&Seen::new(*connection, &command, scope, time));
            prop_assert_eq!(state.logged_in, state.notification.is_some());
            prop_assert!(state.switchboards.len() <= state.connections.len() && state.connections.len() <= 4);
            prop_assert!(state.online().count() <= state.contacts.len() && state.contacts.len() <= 4);
        }
        state.closed(closed);
        let json = serde_json::to_value(&state).unwrap();
        let again: SessionState = serde_json::from_value(json.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(&again).unwrap(), json);
        prop_assert!(!StateExpression::compile("logged_in && contacts['x'].status == online[0]").unwrap().matches(&state));
    }
}
