//! The main job on real input: two clients that others wrote (msnp11-sdk) log in through the proxy, follow their redirects
//! through it and chat, and both sessions lie on disk.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use msnp::Direction;
use msnp_sandbox::{Challenges, Options, Sandbox};
use msnp_transcript::Event as Line;
use msnp_transcript::event::{JoinedBy, Server};
use msnp_transcript::reader::Side;
use msnp11_sdk::{Client, Event, MsnpStatus, PersonalMessage, PlainText, Switchboard};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::support::{Setup, Transcript};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const TEXT: &str = "Grüße, ça va?\n你好 😀";

/// A client and what happened to it.
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) events: UnboundedReceiver<Event>,
    /// To where the server sent it.
    pub(crate) redirected_to: String,
}

impl Person {
    /// Logs in as the documentation of the client says: on `RedirectedTo`, again with a new client.
    pub(crate) async fn log_in(address: SocketAddr, nexus: &str, email: &str) -> Person {
        let dispatch = Client::new(&address.ip().to_string(), address.port()).await.unwrap();
        let login = dispatch.login(email.into(), "password", nexus, "Test", "1.0");
        let Event::RedirectedTo { server, port } = timeout(PATIENCE, login).await.unwrap().unwrap() else {
            panic!("the dispatch server does not redirect")
        };
        let client = Client::new(&server, port).await.unwrap();
        let events = events_of(|sender| client.add_event_handler_closure(handler(sender)));
        let login = client.login(email.into(), "password", nexus, "Test", "1.0");
        assert!(matches!(timeout(PATIENCE, login).await.unwrap().unwrap(), Event::Authenticated));
        Person { client, events, redirected_to: format!("{server}:{port}") }
    }
}

pub(crate) fn handler(sender: UnboundedSender<Event>) -> impl Fn(Event) -> std::future::Ready<()> {
    move |event| {
        // nobody listens any more once the test is over
        let _ = sender.send(event);
        std::future::ready(())
    }
}

pub(crate) fn events_of(add: impl FnOnce(UnboundedSender<Event>)) -> UnboundedReceiver<Event> {
    let (sender, events) = unbounded_channel();
    add(sender);
    events
}

/// Waits for an event, and passes over others.
pub(crate) async fn wait<T>(events: &mut UnboundedReceiver<Event>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = wanted(events.recv().await.expect("the client is connected")) {
                return found;
            }
        }
    };
    timeout(PATIENCE, search).await.expect("the event comes in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_real_clients_log_in_are_redirected_and_chat_through_the_proxy() {
    // this client answers no challenge
    let options = Options { challenges: Challenges::Never, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let proxy = Setup::before(sandbox.dispatch()).keep_secrets().start();
    let nexus = sandbox.nexus_url();
    let mut alice = Person::log_in(proxy.address(), &nexus, "alice@example.com").await;
    let mut bob = Person::log_in(proxy.address(), &nexus, "bob@example.com").await;
    assert_eq!(alice.redirected_to, proxy.address().to_string());
    assert_eq!(bob.redirected_to, proxy.address().to_string());

    meet(&mut alice, &mut bob).await;

    let ended = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap();
    let [alices, bobs] = &ended.transcripts[..] else { panic!("{:?}", ended.outlines()) };
    check(alices, "alice@example.com", JoinedBy::Cookie);
    check(bobs, "bob@example.com", JoinedBy::Invitation);
    // whoever reached a server of the sandbox came through the proxy: it recorded every connection that they accepted
    let recorded = [alices, bobs].iter().map(|transcript| servers(transcript).len()).sum::<usize>();
    assert_eq!(sandbox.accepted().len(), recorded);
    assert_eq!(ended.warnings(), Vec::<String>::new());
}

/// They see each other, talk, and leave, Bob first.
pub(crate) async fn meet(alice: &mut Person, bob: &mut Person) {
    alice.client.set_presence(MsnpStatus::Online).await.unwrap();
    bob.client.set_presence(MsnpStatus::Busy).await.unwrap();
    let presence = |event| match event {
        Event::PresenceUpdate { email, presence, .. } => Some((email, presence.status)),
        _ => None,
    };
    assert_eq!(wait(&mut alice.events, presence).await, ("bob@example.com".into(), MsnpStatus::Busy));
    let message = PersonalMessage { psm: "naïve ☕".into(), current_media: String::new() };
    bob.client.set_personal_message(&message).await.unwrap();
    let personal = |event| match event {
        Event::PersonalMessageUpdate { email, personal_message } => Some((email, personal_message.psm)),
        _ => None,
    };
    assert_eq!(wait(&mut alice.events, personal).await, ("bob@example.com".into(), "naïve ☕".into()));

    let hers = timeout(PATIENCE, alice.client.create_session("bob@example.com")).await.unwrap().unwrap();
    let mut her_events = events_of(|sender| hers.add_event_handler_closure(handler(sender)));
    let answered = |event| match event {
        Event::SessionAnswered(session) => Some(session),
        _ => None,
    };
    let his: Arc<Switchboard> = wait(&mut bob.events, answered).await;
    let mut his_events = events_of(|sender| his.add_event_handler_closure(handler(sender)));
    let joined = |event| matches!(event, Event::ParticipantInSwitchboard { .. }).then_some(());
    wait(&mut her_events, joined).await;
    talk(&hers, &his, &mut her_events, &mut his_events).await;
    his.disconnect().await.unwrap();
    let left = |event| match event {
        Event::ParticipantLeftSwitchboard { email } => Some(email),
        _ => None,
    };
    assert_eq!(wait(&mut her_events, left).await, "bob@example.com");
    hers.disconnect().await.unwrap();
    bob.client.disconnect().await.unwrap();
    let offline = |event| match event {
        Event::ContactOffline { email } => Some(email),
        _ => None,
    };
    assert_eq!(wait(&mut alice.events, offline).await, "bob@example.com");
    alice.client.disconnect().await.unwrap();
}

async fn talk(
    hers: &Switchboard,
    his: &Switchboard,
    her_events: &mut UnboundedReceiver<Event>,
    his_events: &mut UnboundedReceiver<Event>,
) {
    let text = PlainText {
        bold: false,
        italic: false,
        underline: false,
        strikethrough: false,
        color: "0".into(),
        text: TEXT.into(),
    };
    hers.send_text_message(&text).await.unwrap();
    let said = |event| match event {
        Event::TextMessage { email, message } => Some((email, message.text)),
        _ => None,
    };
    assert_eq!(wait(his_events, said).await, ("alice@example.com".into(), TEXT.into()));
    his.send_typing_user("bob@example.com").await.unwrap();
    let typing = |event| match event {
        Event::TypingNotification { email } => Some(email),
        _ => None,
    };
    assert_eq!(wait(her_events, typing).await, "bob@example.com");
    his.send_nudge().await.unwrap();
    let nudge = |event| match event {
        Event::Nudge { email } => Some(email),
        _ => None,
    };
    assert_eq!(wait(her_events, nudge).await, "bob@example.com");
}

/// Returns the kinds of servers that a session visited, as they were known in the end.
fn servers(transcript: &Transcript) -> BTreeMap<u64, Option<Server>> {
    let mut servers = BTreeMap::new();
    for event in &transcript.events {
        match event {
            Line::ConnectionOpened(opened) => servers.insert(opened.connection, opened.server),
            Line::Command(command) => servers.insert(command.connection, command.server),
            _ => None,
        };
    }
    servers
}

/// One session: dispatch, notification and switchboard server, joined, complete, and every byte accounted for.
fn check(transcript: &Transcript, account: &str, by: JoinedBy) {
    let kinds: Vec<_> = servers(transcript).into_values().flatten().collect();
    assert_eq!(kinds, [Server::Ds, Server::Ns, Server::Sb], "{}", transcript.outline());
    let joined: Vec<_> = transcript
        .events
        .iter()
        .filter_map(|event| match event {
            Line::SessionJoined(joined) => Some(joined.by),
            _ => None,
        })
        .collect();
    assert_eq!(joined, [JoinedBy::Redirect, by]);
    assert!(transcript.path.to_string_lossy().contains(account));
    assert!(transcript.text.contains("你好 😀"), "the text is there, readable");
    for event in &transcript.events {
        let Line::ConnectionClosed(closed) = event else { continue };
        let lengths = Direction::BOTH.map(|way| transcript.stream(closed.connection, Side::Received(way)).len() as u64);
        assert_eq!(lengths, [closed.client_bytes, closed.server_bytes], "{}", transcript.outline());
    }
    assert!(matches!(transcript.events.last(), Some(Line::SessionClosed(_))));
}
