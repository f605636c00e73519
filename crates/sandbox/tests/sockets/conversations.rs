//! Logins and conversations between scripted clients, in every version served.

use msnp::{ServerKind, Version};
use msnp_sandbox::client::Client;
use msnp_sandbox::{Options, Sandbox};

use crate::common::{ALICE, BOB, VERSIONS, chat, login, online};

#[tokio::test]
async fn every_version_invites_every_version() {
    for caller in VERSIONS {
        for callee in [8, caller, 15] {
            chat(Version(caller), Version(callee)).await;
        }
        chat(Version(8), Version(caller)).await;
    }
}

#[tokio::test]
async fn a_client_connects_to_exactly_the_addresses_that_it_is_told() {
    let sandbox =
        Sandbox::start(Options { public_host: Some("localhost".into()), ..Options::default() }).await.unwrap();
    let mut alice = online(&sandbox, ALICE, Version(12)).await;
    alice.open_switchboard().await.unwrap();
    let told = [
        sandbox.dispatch().to_string(),
        format!("localhost:{}", sandbox.notification().port()),
        format!("localhost:{}", sandbox.switchboard().port()),
    ];
    assert_eq!(alice.connected_to(), told);
    let kinds: Vec<ServerKind> = sandbox.accepted().iter().map(|accepted| accepted.server).collect();
    assert_eq!(kinds, [ServerKind::Dispatch, ServerKind::Notification, ServerKind::Switchboard]);
}

#[tokio::test]
async fn everything_works_over_ipv6_too() {
    let any = "[::1]:0".parse().unwrap();
    let options = Options { dispatch: any, notification: any, switchboard: any, http: any, ..Options::default() };
    let Ok(sandbox) = Sandbox::start(options).await else { return };
    let mut alice = online(&sandbox, ALICE, Version(12)).await;
    let mut bob = online(&sandbox, BOB, Version(15)).await;
    let mut conversation = alice.open_switchboard().await.unwrap();
    conversation.invite(BOB).await.unwrap();
    bob.accept_invitation().await.unwrap();
    assert_eq!(conversation.wait_for_participant().await.unwrap(), BOB);
}

#[tokio::test]
async fn presence_and_personal_messages_reach_those_who_may_see_them() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut alice = online(&sandbox, ALICE, Version(11)).await;
    let mut bob = online(&sandbox, BOB, Version(15)).await;
    let line = |command: &msnp::Command| String::from_utf8(command.line().to_vec()).unwrap();

    let seen = alice.wait_for("NLN", |command| command.verb().as_str() == "NLN").await.unwrap();
    assert_eq!(line(&seen), "NLN NLN bob@example.com Bob 268435456");
    let seen = bob.wait_for("ILN", |command| command.verb().as_str() == "ILN").await.unwrap();
    assert!(line(&seen).ends_with(" NLN alice@example.com 1 Alice 268435456 0"), "{}", line(&seen));

    alice.set_personal_message("gone <fishing> & más").await.unwrap();
    let seen = bob.wait_for("UBX", |command| command.verb().as_str() == "UBX").await.unwrap();
    let document = "<Data><PSM>gone &lt;fishing&gt; &amp; más</PSM><CurrentMedia></CurrentMedia></Data>";
    assert_eq!(line(&seen), format!("UBX alice@example.com 1 {}", document.len()));
    assert_eq!(seen.payload(), document.as_bytes());

    alice.set_status("BSY").await.unwrap();
    let seen = bob.wait_for("NLN", |command| command.verb().as_str() == "NLN").await.unwrap();
    assert_eq!(line(&seen), "NLN BSY alice@example.com 1 Alice 268435456 0");

    alice.set_status("HDN").await.unwrap();
    let seen = bob.wait_for("FLN", |command| command.verb().as_str() == "FLN").await.unwrap();
    assert_eq!(line(&seen), "FLN alice@example.com 1 0");

    bob.logout().await.unwrap();
    let seen = alice.wait_for("FLN", |command| command.verb().as_str() == "FLN").await.unwrap();
    assert_eq!(line(&seen), "FLN bob@example.com");
}

#[tokio::test]
async fn a_second_login_ends_the_first() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut first = online(&sandbox, ALICE, Version(12)).await;
    let mut second = Client::login(&login(&sandbox, ALICE, Version(15))).await.unwrap();
    let last = first.wait_for("OUT", |command| command.verb().as_str() == "OUT").await.unwrap();
    assert_eq!(last.line(), b"OUT OTH");
    assert_eq!(second.ping().await.unwrap(), Some(50));
}

#[tokio::test]
async fn shutting_down_closes_every_connection() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut alice = online(&sandbox, ALICE, Version(12)).await;
    sandbox.shutdown().await;
    let error = alice.ping().await.unwrap_err().to_string();
    assert!(error.contains("closed the connection") || error.contains("broke"), "{error}");
}
