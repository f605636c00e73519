//! `CHG` and `UUX`: what others see of somebody.

use msnp::Version;
use msnp::payload::xml;

use super::Member;
use crate::code::{self, ErrorCode};
use crate::connection::Turn;
use crate::output::Output;
use crate::shapes;

/// `CHG trid status [capabilities [msnobject]]` -> the same; the first one also `ILN` for everybody who is there
pub(super) fn chg(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let request = turn.request;
    let (status, capabilities, object) = (request.argument(0), request.argument(1), request.argument(2));
    let is_number = capabilities.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    if !STATUSES.contains(&status) || !is_number {
        return Err(code::INVALID_PARAMETER);
    }
    let email = member.email.as_str();
    let before = turn.world.views(email);
    let Some(online) = turn.world.online.get_mut(email) else { return Err(code::NOT_LOGGED_IN) };
    let is_first = online.status.is_none();
    online.status = Some(status.into());
    if !capabilities.is_empty() {
        online.capabilities = capabilities.into();
    }
    online.object = (!object.is_empty() && object != "0").then(|| object.into());

    turn.reply(request.arguments.join(" "));
    let mut before = before;
    if is_first {
        before.extend(write_initial_presence(member, turn));
    }
    // who saw this person before sees the new status; who did not is told by the comparison
    let seen = before.iter().filter(|(_, subject)| subject == email).cloned().collect::<Vec<_>>();
    for pair in seen.iter().filter(|(viewer, _)| turn.world.sees(viewer, email)) {
        before.remove(pair);
    }
    turn.world.announce(email, &before);
    Ok(())
}

/// Appends `ILN`, and `UBX` where there is one, for everybody whom `member` sees. Returns who sees whom by that.
fn write_initial_presence(member: &Member, turn: &mut Turn<'_>) -> Vec<(String, String)> {
    let email = member.email.as_str();
    let world = &*turn.world;
    let subjects: Vec<&String> = world.online.keys().filter(|subject| world.sees(email, subject)).collect();
    for subject in &subjects {
        if let Some(presence) = world.presence(subject) {
            turn.output.line(shapes::initial_presence(member.version, turn.request.id, &presence));
            world.write_personal_message(turn.output, member.version, subject);
        }
    }
    subjects.into_iter().map(|subject| (email.to_owned(), subject.clone())).collect()
}

/// `UUX trid length` + document -> `UUX trid 0`; others get `UBX`
pub(super) fn uux(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let document = turn.request.payload;
    if document.len() > MAX_PERSONAL_MESSAGE_BYTES || (!document.is_empty() && xml::pretty(document).is_none()) {
        return Err(code::NOT_EXPECTED);
    }
    let Some(online) = turn.world.online.get_mut(&member.email) else { return Err(code::NOT_LOGGED_IN) };
    online.personal_message = document.to_vec();
    turn.reply("0");
    for viewer in turn.world.viewers(&member.email) {
        let version = turn.world.online.get(&viewer).map_or(Version(2), |online| online.version);
        if let Some(line) = shapes::personal_message(version, &member.email) {
            turn.world.tell(&viewer, Output::of_payload(line, document));
        }
    }
    Ok(())
}

/// Every status that a client can choose. `HDN` is seen as offline.
const STATUSES: [&str; 8] = ["NLN", "BSY", "IDL", "BRB", "AWY", "PHN", "LUN", "HDN"];
/// Longest personal message, in bytes of its document.
const MAX_PERSONAL_MESSAGE_BYTES: usize = 4000;
