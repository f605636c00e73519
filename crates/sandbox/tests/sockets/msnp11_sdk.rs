//! A client that others wrote judges the servers: msnp11-sdk 0.13, MSNP11.

use std::sync::Arc;
use std::time::Duration;

use msnp_sandbox::{Challenges, Options, Sandbox};
use msnp11_sdk::{Client, Event, MsnpStatus, PersonalMessage, PlainText};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// A client and what happened to it.
struct Person {
    client: Client,
    events: UnboundedReceiver<Event>,
}

impl Person {
    /// Logs in by way of the dispatch server.
    async fn log_in(sandbox: &Sandbox, email: &str) -> Person {
        let (mut server, mut port) = (sandbox.dispatch().ip().to_string(), sandbox.dispatch().port());
        let nexus_url = sandbox.nexus_url();
        for _ in 0..2 {
            let client = Client::new(&server, port).await.unwrap();
            let (sender, events) = unbounded_channel();
            client.add_event_handler_closure(move |event| {
                let _ = sender.send(event);
                async {}
            });
            let login = client.login(email.into(), "password", &nexus_url, "Sandbox", "1.0");
            match timeout(Duration::from_secs(20), login).await.unwrap().unwrap() {
                Event::RedirectedTo { server: next, port: next_port } => (server, port) = (next, next_port),
                event => {
                    assert!(matches!(event, Event::Authenticated), "{event:?}");
                    return Person { client, events };
                }
            }
        }
        panic!("the notification server redirects");
    }

    /// Waits for an event, and passes over others.
    async fn event<T>(&mut self, wanted: impl FnMut(Event) -> Option<T>) -> T {
        event(&mut self.events, wanted).await
    }
}

async fn event<T>(events: &mut UnboundedReceiver<Event>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = wanted(events.recv().await.expect("the client is connected")) {
                return found;
            }
        }
    };
    timeout(Duration::from_secs(20), search).await.expect("the event comes in time")
}

#[tokio::test]
async fn two_people_meet_and_talk() {
    // this client answers no challenge
    let options = Options { challenges: Challenges::Never, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut alice = Person::log_in(&sandbox, "alice@example.com").await;
    let mut bob = Person::log_in(&sandbox, "bob@example.com").await;

    let contact = |event| match event {
        Event::ContactInForwardList { email, display_name, .. } => Some((email, display_name)),
        _ => None,
    };
    assert_eq!(alice.event(contact).await, ("bob@example.com".into(), "Bob".into()));

    alice.client.set_presence(MsnpStatus::Online).await.unwrap();
    bob.client.set_presence(MsnpStatus::Busy).await.unwrap();
    let presence = |event| match event {
        Event::PresenceUpdate { email, presence, .. } => Some((email, presence.status)),
        _ => None,
    };
    assert_eq!(alice.event(presence).await, ("bob@example.com".into(), MsnpStatus::Busy));
    let message = PersonalMessage { psm: "naïve ☕".into(), current_media: String::new() };
    bob.client.set_personal_message(&message).await.unwrap();
    let personal_message = |event| match event {
        Event::PersonalMessageUpdate { email, personal_message } => Some((email, personal_message.psm)),
        _ => None,
    };
    assert_eq!(alice.event(personal_message).await, ("bob@example.com".into(), "naïve ☕".into()));

    let hers = timeout(Duration::from_secs(20), alice.client.create_session("bob@example.com")).await.unwrap().unwrap();
    let (sender, mut her_events) = unbounded_channel();
    hers.add_event_handler_closure(move |event| {
        let _ = sender.send(event);
        async {}
    });
    let his = bob
        .event(|event| match event {
            Event::SessionAnswered(session) => Some(Arc::clone(&session)),
            _ => None,
        })
        .await;
    let (sender, mut his_events) = unbounded_channel();
    his.add_event_handler_closure(move |event| {
        let _ = sender.send(event);
        async {}
    });
    event(&mut her_events, |event| matches!(event, Event::ParticipantInSwitchboard { .. }).then_some(())).await;

    let text = PlainText {
        bold: false,
        italic: false,
        underline: false,
        strikethrough: false,
        color: "0".into(),
        text: "Grüße\n你好 😀".into(),
    };
    hers.send_text_message(&text).await.unwrap();
    let said = |event| match event {
        Event::TextMessage { email, message } => Some((email, message.text)),
        _ => None,
    };
    assert_eq!(event(&mut his_events, said).await, ("alice@example.com".into(), "Grüße\n你好 😀".into()));

    his.send_typing_user("bob@example.com").await.unwrap();
    let typing = |event| match event {
        Event::TypingNotification { email } => Some(email),
        _ => None,
    };
    assert_eq!(event(&mut her_events, typing).await, "bob@example.com");
    his.send_nudge().await.unwrap();
    let nudge = |event| match event {
        Event::Nudge { email } => Some(email),
        _ => None,
    };
    assert_eq!(event(&mut her_events, nudge).await, "bob@example.com");

    his.disconnect().await.unwrap();
    let left = |event| match event {
        Event::ParticipantLeftSwitchboard { email } => Some(email),
        _ => None,
    };
    assert_eq!(event(&mut her_events, left).await, "bob@example.com");
    bob.client.disconnect().await.unwrap();
    let offline = |event| match event {
        Event::ContactOffline { email } => Some(email),
        _ => None,
    };
    assert_eq!(alice.event(offline).await, "bob@example.com");
    sandbox.shutdown().await;
}
