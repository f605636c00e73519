//! What the tests over sockets share.

use msnp::{Command, Version};
use msnp_sandbox::client::{Client, Login};
use msnp_sandbox::{Options, Sandbox};

pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const BOB: &str = "bob@example.com";

/// Every version served.
pub(crate) const VERSIONS: [u8; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15];

/// Returns a login with the right password.
pub(crate) fn login(sandbox: &Sandbox, email: &str, version: Version) -> Login {
    Login::to(sandbox, email, "password", version)
}

/// Returns a client that is online.
pub(crate) async fn online(sandbox: &Sandbox, email: &str, version: Version) -> Client {
    let mut client = Client::login(&login(sandbox, email, version)).await.unwrap();
    client.set_status("NLN").await.unwrap();
    client
}

/// Has Alice call Bob and both talk, each in their own version, and checks what each is shown.
pub(crate) async fn chat(caller: Version, callee: Version) {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut alice = online(&sandbox, ALICE, caller).await;
    let mut bob = online(&sandbox, BOB, callee).await;
    let mut hers = alice.open_switchboard().await.unwrap();
    hers.invite(BOB).await.unwrap();
    let mut his = bob.accept_invitation().await.unwrap();
    assert_eq!(his.others(), [ALICE]);

    let text = "Grüße\r\n你好 😀\nOUT\r\n";
    hers.send_text(text).await.unwrap();
    let message = his.next_message().await.unwrap();
    assert_eq!((message.text(), message.argument(0)), (text.as_bytes(), Some(ALICE.as_bytes())));
    his.send_typing().await.unwrap();
    his.send_nudge().await.unwrap();
    assert_eq!(content_type(&hers.next_message().await.unwrap()), "text/x-msmsgscontrol");
    assert_eq!(content_type(&hers.next_message().await.unwrap()), "text/x-msnmsgr-datacast");

    let joined = hers.received().into_iter().find(|command| command.verb().as_str() == "JOI").unwrap();
    let expected = if caller >= Version(12) { 3 } else { 2 };
    assert_eq!(joined.arguments().count(), expected, "{caller} is shown {callee}");
    his.leave().await.unwrap();
    assert_eq!(hers.wait_for_departure().await.unwrap(), BOB);
    hers.leave().await.unwrap();
    assert_eq!(alice.ping().await.unwrap(), (caller >= Version(9)).then_some(50));
    let challenged = alice.received().iter().any(|command| command.line().starts_with(b"CHL 0 "));
    let accepted = alice.received().iter().any(|command| command.line().starts_with(b"QRY "));
    assert_eq!((challenged, accepted), (caller >= Version(6), caller >= Version(6)));
    bob.logout().await.unwrap();
    sandbox.shutdown().await;
}

fn content_type(message: &Command) -> String {
    String::from_utf8_lossy(message.headers().content_type().unwrap_or_default()).into_owned()
}
