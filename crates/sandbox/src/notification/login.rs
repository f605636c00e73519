//! From `VER` to `USR OK`: the agreement on a version, and the logins MD5, TWN and SSO.

use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msnp::{Version, challenge};

use super::{Member, Notification, Role, SERVED, State};
use crate::code::{self, ErrorCode};
use crate::connection::{Session, Turn};
use crate::shapes;

/// How far a login has come.
#[derive(Debug)]
pub(super) enum Login {
    /// Nobody has said who they are.
    Awaited,
    /// Somebody has, and was told this.
    Asked(Question),
}

/// What the last step of a login is checked against.
#[derive(Debug)]
pub(super) enum Question {
    /// The salt of an MD5 login by this address.
    Md5 { email: String, salt: String },
    /// A ticket for this address.
    Tweener { email: String },
    /// A ticket for this address, and a proof for this nonce.
    SingleSignOn { email: String, nonce: String },
}

/// `VER trid dialect... CVR0` -> `VER trid dialect`, or `VER trid 0` and the end
pub(super) fn ver(session: &mut Notification, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    if session.version().is_some() {
        return Err(code::NOT_EXPECTED);
    }
    let offered = |version: &Version| {
        turn.request.arguments.iter().any(|word| Version::from_token(word.as_bytes()) == Some(*version))
    };
    if let Some(version) = SERVED.into_iter().find(offered) {
        session.state = State::Greeted { version, login: Login::Awaited };
        turn.reply(version);
    } else if turn.request.arguments.iter().all(|word| *word == "CVR0") && !turn.request.arguments.is_empty() {
        turn.reply("CVR0");
    } else {
        turn.reply("0");
        turn.output.close();
    }
    Ok(())
}

/// `CVR trid lcid os ... client version ...` -> `CVR trid recommended recommended minimum url url`
pub(super) fn cvr(_: &mut Notification, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let client = turn.request.argument(5);
    if client.is_empty() {
        return Err(code::INVALID_PARAMETER);
    }
    turn.reply(format_args!("{client} {client} 1.0.0000 http://download.example/setup.exe http://messenger.example"));
    Ok(())
}

/// `INF trid` -> `INF trid MD5`
pub(super) fn inf(session: &mut Notification, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    if session.version().is_none() {
        return Err(code::NOT_EXPECTED);
    }
    turn.reply("MD5");
    Ok(())
}

/// `USR trid MD5|TWN|SSO I email`, then `USR trid MD5|TWN|SSO S ...` -> `USR trid OK ...`
pub(super) fn usr(session: &mut Notification, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let (version, login) = match &mut session.state {
        State::New => return Err(code::NOT_EXPECTED),
        State::Member(_) => return Err(code::ALREADY_LOGGED_IN),
        State::Greeted { version, login } => (*version, login),
    };
    let scheme = match version.0 {
        ..=7 => "MD5",
        8..=14 => "TWN",
        _ => "SSO",
    };
    let request = turn.request;
    match (request.argument(0), request.argument(1)) {
        // the password in clear, which only the very first beta sent
        ("CTP", _) if version == Version(2) => Err(code::COMMAND_DISABLED),
        (given, "I") if given == scheme && session.role == Role::Dispatch => {
            let addresses = &turn.world.addresses;
            let line = shapes::redirect(version, request.id, &addresses.notification, &addresses.dispatch);
            turn.output.line(line);
            turn.output.close();
            Ok(())
        }
        (given, "I") if given == scheme && request.argument(2).contains('@') => {
            *login = Login::Asked(ask(version, request.argument(2), turn));
            Ok(())
        }
        (given, "I") if given == scheme => Err(code::INVALID_PARAMETER),
        (given, "S") if given == scheme => {
            let Login::Asked(question) = std::mem::replace(login, Login::Awaited) else {
                return Err(code::NOT_EXPECTED);
            };
            match check(&question, turn) {
                Some(email) => welcome(session, version, email, turn),
                None => turn.output.fatal(code::AUTHENTICATION_FAILED, request.id),
            }
            Ok(())
        }
        _ => {
            turn.output.fatal(code::AUTHENTICATION_FAILED, request.id);
            Ok(())
        }
    }
}

fn ask(version: Version, email: &str, turn: &mut Turn<'_>) -> Question {
    let email = email.to_lowercase();
    match version.0 {
        ..=7 => {
            let salt = format!("{}.{:09}", fastrand::u32(1_000_000_000..), fastrand::u32(..1_000_000_000));
            turn.reply(format_args!("MD5 S {salt}"));
            Question::Md5 { email, salt }
        }
        8..=14 => {
            turn.reply(format_args!("TWN S {TWEENER_PARAMETERS}"));
            Question::Tweener { email }
        }
        _ => {
            let nonce = STANDARD.encode(std::array::from_fn::<u8, 48, _>(|_| fastrand::u8(..)));
            turn.output.payload("GCF 0", POLICIES.as_bytes());
            turn.reply(format_args!("SSO S {POLICY} {nonce}"));
            Question::SingleSignOn { email, nonce }
        }
    }
}

/// Returns the address that was proved.
fn check(question: &Question, turn: &Turn<'_>) -> Option<String> {
    let request = turn.request;
    match question {
        Question::Md5 { email, salt } => {
            let user = turn.world.users.get(email)?;
            let expected = challenge::md5_login(salt.as_bytes(), user.password.as_bytes());
            (request.argument(2) == expected).then(|| email.clone())
        }
        Question::Tweener { email } => {
            let ticket = turn.world.tickets.get(ticket_name(request.argument(2))?, turn.now)?;
            (ticket.email == *email).then(|| email.clone())
        }
        Question::SingleSignOn { email, nonce } => {
            let ticket = turn.world.tickets.get(ticket_name(request.argument(2))?, turn.now)?;
            let secret = ticket.secret.as_deref()?;
            let response = request.argument(3);
            // patched clients send no proof
            let proved = response.is_empty()
                || challenge::check_sso_response(response.as_bytes(), secret.as_bytes(), nonce.as_bytes()).ok()?;
            (proved && ticket.email == *email).then(|| email.clone())
        }
    }
}

/// Returns what identifies a ticket: the value of `t=`.
fn ticket_name(ticket: &str) -> Option<&str> {
    ticket.split('&').find_map(|part| part.strip_prefix("t="))
}

fn welcome(session: &mut Notification, version: Version, email: String, turn: &mut Turn<'_>) {
    let id = turn.request.id;
    let login = turn.world.log_in(&email, version, session.outbox.clone());
    let name = turn.world.users.get(&email).map_or(email.as_str(), |user| &user.name);
    turn.output.line(shapes::logged_in(version, id, &email, name));
    if version >= Version(11) {
        turn.output.line("SBS 0 null");
    }
    turn.output.payload("MSG Hotmail Hotmail", profile(&email, session.peer).as_bytes());
    session.state = State::Member(Member::new(email, version, login, turn.world.challenges, turn.now));
    session.expire(turn.now, turn.output);
}

/// Returns the profile that a client is told about itself.
fn profile(email: &str, peer: SocketAddr) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let host = match peer.ip() {
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        address => address,
    };
    // clients read the port with its two bytes swapped
    let port = peer.port().swap_bytes();
    format!(
        "MIME-Version: 1.0\r\nContent-Type: text/x-msmsgsprofile; charset=UTF-8\r\nLoginTime: {seconds}\r\n\
         EmailEnabled: 0\r\nMemberIdHigh: 1\r\nMemberIdLow: 2\r\nlang_preference: 1033\r\npreferredEmail: {email}\r\n\
         country: XX\r\nPostalCode: \r\nGender: \r\nKid: 0\r\nAge: \r\nBirthday: \r\nWallet: \r\nFlags: 1027\r\nsid: 507\r\n\
         kv: 5\r\nMSPAuth: SANDBOX0000\r\nClientIP: {host}\r\nClientPort: {port}\r\nABCHMigrated: 1\r\n\r\n"
    )
}

/// The policy that tickets for single sign-on are asked for with.
const POLICY: &str = "MBI_KEY_OLD";
/// What Tweener clients hand to the nexus. It has no quotes, commas only between parameters, and is short: some clients
/// have small buffers.
const TWEENER_PARAMETERS: &str = "ct=1,rver=1,wp=FS_40SEC_0_COMPACT,lc=1,id=1";
/// The document that says what may not be sent: nothing is forbidden here.
const POLICIES: &str = "<Policies></Policies>";
