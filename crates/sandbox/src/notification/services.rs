//! The commands around everything else: pings, web pages, the configuration file, switchboards, leaving.

use msnp::Version;

use super::{Member, Notification};
use crate::boards::Pass;
use crate::code::{self, ErrorCode};
use crate::connection::Turn;
use crate::shapes;

/// `PNG` -> `QNG [seconds]`
pub(super) fn png(session: &mut Notification, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let seconds = turn.world.ping.as_secs();
    turn.output.line(shapes::pong(session.version().unwrap_or(Version(2)), seconds));
    Ok(())
}

/// `OUT` -> the end
pub(super) fn out(_: &mut Notification, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    turn.output.close();
    Ok(())
}

/// `GCF trid Shields.xml` -> `GCF trid Shields.xml length` + file
pub(super) fn gcf(_: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    if !turn.request.argument(0).eq_ignore_ascii_case("Shields.xml") {
        return Err(code::INVALID_PARAMETER);
    }
    let line = format!("GCF {} {}", turn.request.id, turn.request.argument(0));
    turn.output.payload(line, SHIELDS.as_bytes());
    Ok(())
}

/// `URL trid service [param]` -> `URL trid redirect_url login_url site_id`
pub(super) fn url(_: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let page = match turn.request.argument(0) {
        "INBOX" => "/cgi-bin/HoTMaiL",
        "COMPOSE" => "/cgi-bin/compose",
        "FOLDERS" => "/cgi-bin/folders",
        "" => return Err(code::INVALID_PARAMETER),
        _ => "/",
    };
    turn.reply(format_args!("{page} http://login.example/md5auth.srf?lc=1033 2"));
    Ok(())
}

/// `XFR trid SB` -> `XFR trid SB host:port CKI cookie ...`
pub(super) fn xfr(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    if turn.request.argument(0) != "SB" {
        return Err(code::INVALID_PARAMETER);
    }
    let status = turn.world.online.get(&member.email).and_then(|online| online.status.as_deref());
    let is_allowed = match status {
        None => false,
        Some("HDN") => member.version >= Version(13),
        Some(_) => true,
    };
    if !is_allowed {
        return Err(code::NOT_ALLOWED_OFFLINE);
    }
    let pass = Pass { email: member.email.clone(), version: member.version, board: None };
    let cookie = turn.world.boards.issue(pass, turn.now);
    let line = shapes::switchboard(member.version, turn.request.id, &turn.world.addresses.switchboard, &cookie);
    turn.output.line(line);
    Ok(())
}

/// The file that says which files and links may not be sent: none.
const SHIELDS: &str = r#"<?xml version="1.0" encoding="utf-8" ?><config><shield></shield><block></block></config>"#;
