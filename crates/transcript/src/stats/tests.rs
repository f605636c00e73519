use super::*;
use crate::event::{Sent, Way};
use crate::lint::testing::events;

fn stats(events: &[Event]) -> Report {
    let mut stats = Stats::new();
    stats.begin();
    events.iter().for_each(|event| stats.event("a.jsonl", event));
    stats.report()
}

const TEXT: &str = "MIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\nhi";

#[test]
fn a_session_is_counted_by_person_verb_and_connection() {
    let dialogue = format!(
        "# board MSNP12\nC: MSG 10 A {{n}}\\r\\n{TEXT}\nS: ACK 10\nS: MSG bob@example.com Bob {{n}}\\r\\n{TEXT}\n\
         S: MSG bob@example.com Bob {{n}}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/x-msmsgscontrol\\r\\nTypingUser: bob@example.com\\r\\n\\r\\n\\r\\n"
    );
    let report = stats(&events(&dialogue));
    let [session] = &report.sessions[..] else { panic!("{:?}", report.sessions) };
    assert_eq!((session.account.as_str(), session.connections, session.messages), ("alice@example.com", 2, 3));
    assert!(session.seconds.unwrap() > 0.2);
    let (alice, bob) = (&report.accounts["alice@example.com"], &report.accounts["bob@example.com"]);
    assert_eq!((alice.sessions, alice.said.text, alice.heard.text), (1, 1, 0));
    assert_eq!((bob.sessions, bob.heard.text, bob.heard.typing), (0, 1, 1));
    let msg: Vec<_> = report.verbs.iter().filter(|verb| verb.verb == "MSG").collect();
    assert_eq!((msg[0].direction, msg[0].server, msg[0].amount.commands), ("c2s", Some("sb"), 1));
    assert_eq!((msg[1].direction, msg[1].amount.commands), ("s2c", 2));
    let sum: u64 = report.verbs.iter().map(|verb| verb.amount.bytes).sum();
    assert_eq!((sum, report.commands), (report.bytes, session.amount.commands));
    let msg = report.replies.iter().find(|reply| reply.verb == "MSG").unwrap();
    assert_eq!((msg.times.count, msg.times.max), (1, 0.01));
    assert_eq!(report.connections["sb"].count, 1);
}

#[test]
fn pings_and_errors_are_paired_with_what_they_answer() {
    let report =
        stats(&events("# MSNP12\nC: PNG\n... 2 s\nS: QNG 50\nC: ADC 10 AL N=x@y.z\nS: 205 10\nS: 911 77\nS: 999 78"));
    let png = report.replies.iter().find(|reply| reply.verb == "PNG").unwrap();
    assert!((png.times.p50 - 2.01).abs() < 0.07, "{:?}", png.times);
    let errors: Vec<_> = report.errors.iter().map(|error| (error.code, error.count, error.answers.clone())).collect();
    let to_adc = BTreeMap::from([("ADC".to_owned(), 1)]);
    assert_eq!(errors, [(205, 1, to_adc), (911, 1, BTreeMap::new()), (999, 1, BTreeMap::new())]);
    assert!(report.errors[0].meaning.is_some() && report.errors[2].meaning.is_none());
}

#[test]
fn what_rules_did_is_counted_by_name() {
    let mut events = events("# MSNP12\nC: CHG 10 BSY 0\nC: PNG\nS: CHG 11 BSY 0");
    for event in &mut events {
        let Event::Command(event) = event else { continue };
        match (event.verb.as_str(), event.direction) {
            ("CHG", Way::ClientToServer) if event.trid == Some(10) => {
                event.by = vec!["busy".into()];
                let command = Command::new(Direction::ClientToServer, b"CHG 11 AWY 0", None).unwrap();
                event.sent = Some(vec![Sent::of(&command)]);
            }
            ("PNG", _) => (event.by, event.sent) = (vec!["quiet".into()], Some(Vec::new())),
            _ => {}
        }
    }
    let report = stats(&events);
    assert_eq!((report.changes["busy"].changed, report.changes["busy"].dropped), (1, 0));
    assert_eq!(report.changes["quiet"].dropped, 1);
    // the answer carries the id under which the request left
    assert_eq!(report.replies.iter().find(|reply| reply.verb == "CHG").unwrap().times.count, 2);
}

#[test]
fn a_source_without_times_gives_no_times() {
    let mut events = events("# MSNP12\nC: PNG\nS: QNG 50");
    let session = crate::event::SessionEvent {
        stem: Default::default(),
        format: crate::event::FORMAT.into(),
        version: 1,
        software: "test".into(),
        source: Some(crate::event::Source { format: "log".into(), file: None, lacks: vec![Lack::Times] }),
        redacted: None,
    };
    events.insert(0, Event::Session(session));
    let report = stats(&events);
    assert!(report.replies.is_empty() && report.first.is_none());
    assert!(report.connections.values().all(|connections| connections.lifetimes.times().is_none()));
    assert_eq!(report.sessions.iter().filter(|session| session.seconds.is_some()).count(), 0);
}
