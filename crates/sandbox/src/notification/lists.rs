//! Contact lists, names and settings, as MSNP2 to MSNP12 change them.

use msnp::Version;

use super::{Member, membership};
use crate::code::{self, ErrorCode};
use crate::connection::Turn;
use crate::output::Output;
use crate::users::{List, User};
use crate::world::World;

/// `ADD trid list email [name [group]]` -> `ADD trid list version email [name [group]]` (MSNP2 to MSNP9)
pub(super) fn add(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let request = turn.request;
    let list = List::parse(request.argument(0)).ok_or(code::INVALID_PARAMETER)?;
    let email = address(request.argument(1))?;
    let name = request.arguments.get(2).copied();
    let group = request.arguments.get(3).copied();
    let is_member = user(turn.world, member)?.has(list, &email);
    match group {
        Some(group) if group != "0" && list == List::Forward => {
            user(turn.world, member)?.group(group)?;
            if !is_member {
                put(member, turn.world, list, &email, name)?;
            }
            user_mut(turn.world, member)?.add_to_group(&email, group)?;
        }
        _ => put(member, turn.world, list, &email, name)?,
    }
    let version = user(turn.world, member)?.list_version;
    let rest = request.arguments.get(2..).unwrap_or_default().iter().map(|word| format!(" {word}")).collect::<String>();
    turn.reply(format_args!("{} {version} {email}{rest}", list.as_str()));
    Ok(())
}

/// `ADC trid list N=email [F=name]` or `ADC trid FL C=guid group` -> the same, with the new contact's id (MSNP10 to 12)
pub(super) fn adc(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let request = turn.request;
    let list = List::parse(request.argument(0)).ok_or(code::INVALID_PARAMETER)?;
    let field = |prefix: &str| request.arguments.iter().find_map(|word| word.strip_prefix(prefix));
    if let (Some(guid), List::Forward) = (field("C="), list) {
        let user = user_mut(turn.world, member)?;
        let email = user.email_of(guid).ok_or(code::NOT_ON_LIST)?.to_owned();
        let group = request.arguments.get(2).copied().ok_or(code::INVALID_PARAMETER)?;
        user.add_to_group(&email, group)?;
        turn.reply(format_args!("FL C={guid} {group}"));
        return Ok(());
    }
    let email = address(field("N=").unwrap_or_default())?;
    put(member, turn.world, list, &email, field("F="))?;
    match user(turn.world, member)?.contacts.get(&email) {
        Some(contact) if list == List::Forward => {
            let line = format!("FL N={email} F={} C={}", contact.name, contact.guid);
            turn.reply(line);
        }
        _ => turn.reply(format_args!("{} N={email}", list.as_str())),
    }
    Ok(())
}

/// `REM trid list email [group]` -> `REM trid list version email [group]` (MSNP2 to MSNP9);
/// `REM trid FL guid [group]`, `REM trid list email` -> the same (MSNP10 to MSNP12)
pub(super) fn rem(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let request = turn.request;
    let list = List::parse(request.argument(0)).ok_or(code::INVALID_PARAMETER)?;
    let word = request.argument(1);
    let group = request.arguments.get(2).copied();
    let own = user_mut(turn.world, member)?;
    let email = match own.email_of(word) {
        Some(email) if member.version >= Version(10) => email.to_owned(),
        _ if word.contains('@') => word.to_lowercase(),
        _ => return Err(code::NOT_ON_LIST),
    };
    let has_groups = own.contacts.get(&email).is_some_and(|contact| !contact.groups.is_empty());
    match group {
        // the default group is where a contact without a group is: out of it is off the list
        Some(group) if group != "0" || has_groups => own.remove_from_group(&email, group)?,
        _ => take(member, turn.world, list, &email)?,
    }
    let tail = group.map(|group| format!(" {group}")).unwrap_or_default();
    match member.version.0 {
        ..=9 => {
            let version = user(turn.world, member)?.list_version;
            turn.reply(format_args!("{} {version} {email}{tail}", list.as_str()));
        }
        _ => turn.reply(format_args!("{} {word}{tail}", list.as_str())),
    }
    Ok(())
}

/// `REA trid email name` -> `REA trid version email name` (MSNP2 to MSNP9)
pub(super) fn rea(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let (email, name) = (address(turn.request.argument(0))?, turn.request.argument(1));
    if email == member.email {
        rename(member, turn.world, name)?;
    } else {
        user_mut(turn.world, member)?.rename_contact(&email, name)?;
    }
    let version = user(turn.world, member)?.list_version;
    turn.reply(format_args!("{version} {email} {name}"));
    Ok(())
}

/// `SBP trid guid MFN name` -> the same (MSNP10 to MSNP12)
pub(super) fn sbp(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let request = turn.request;
    let user = user_mut(turn.world, member)?;
    let email = user.email_of(request.argument(0)).ok_or(code::NOT_ON_LIST)?.to_owned();
    if request.argument(1) == "MFN" {
        user.rename_contact(&email, request.argument(2))?;
    }
    turn.reply(request.arguments.join(" "));
    Ok(())
}

/// `PRP trid key [value]` -> `PRP trid [version] key [value]`
pub(super) fn prp(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let request = turn.request;
    let (key, value) = (request.argument(0), request.argument(1));
    if !PROPERTIES.contains(&key) || (key != "MFN" && value.len() > MAX_PROPERTY_BYTES) {
        return Err(code::INVALID_PARAMETER);
    }
    if key == "MFN" {
        rename(member, turn.world, value)?;
    } else {
        let user = user_mut(turn.world, member)?;
        user.properties.insert(key.into(), value.into());
        user.list_version += 1;
        if PHONES.contains(&key) {
            tell_phone(member, turn.world, key, value);
        }
    }
    reply_with_list_version(member, turn, &request.arguments.join(" "));
    Ok(())
}

/// `GTC trid A|N` -> `GTC trid [version] A|N`
pub(super) fn gtc(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let value = turn.request.argument(0);
    if !["A", "N"].contains(&value) {
        return Err(code::INVALID_PARAMETER);
    }
    let user = user_mut(turn.world, member)?;
    if user.prompt == value {
        return Err(code::ALREADY_IN_MODE);
    }
    user.prompt = value.into();
    user.list_version += 1;
    reply_with_list_version(member, turn, value);
    Ok(())
}

/// `BLP trid AL|BL` -> `BLP trid [version] AL|BL`
pub(super) fn blp(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let value = turn.request.argument(0);
    if !["AL", "BL"].contains(&value) {
        return Err(code::INVALID_PARAMETER);
    }
    let before = turn.world.views(&member.email);
    let user = user_mut(turn.world, member)?;
    // from MSNP13 on clients say it at every login
    if user.privacy == value && member.version <= Version(12) {
        return Err(code::ALREADY_IN_MODE);
    }
    user.privacy = value.into();
    user.list_version += 1;
    reply_with_list_version(member, turn, value);
    turn.world.announce(&member.email, &before);
    Ok(())
}

/// Tells those who see the member their new phone number (`BPR`, MSNP5 to MSNP12).
fn tell_phone(member: &Member, world: &mut World, key: &str, value: &str) {
    let email = &member.email;
    for viewer in world.viewers(email) {
        let list_version = world.users.get(&viewer).map_or(0, |user| user.list_version);
        match world.online.get(&viewer).map(|online| online.version.0) {
            Some(5..=9) => {
                world.tell(&viewer, Output::of_line(format_args!("BPR {list_version} {email} {key} {value}")))
            }
            Some(10..=12) => world.tell(&viewer, Output::of_line(format_args!("BPR {email} {key} {value}"))),
            _ => {}
        }
    }
}

fn reply_with_list_version(member: &Member, turn: &mut Turn<'_>, rest: &str) {
    let version = turn.world.users.get(&member.email).map_or(0, |user| user.list_version);
    match member.version.0 {
        ..=9 => turn.reply(format_args!("{version} {rest}")),
        _ => turn.reply(rest),
    }
}

/// Puts somebody on one of the member's lists, and tells whoever has to know.
pub(super) fn put(
    member: &Member,
    world: &mut World,
    list: List,
    email: &str,
    name: Option<&str>,
) -> Result<(), ErrorCode> {
    if !list.is_own() {
        return Err(code::INVALID_PARAMETER);
    }
    if !world.users.contains_key(email) {
        return Err(if member.version < Version(10) { code::INVALID_USER } else { code::INVALID_USERNAME });
    }
    let before = world.views(&member.email);
    let user = world.users.get_mut(&member.email).ok_or(code::NOT_LOGGED_IN)?;
    user.add(list, email, name)?;
    let own_name = user.name.clone();
    if list == List::Forward
        && let Some(other) = world.users.get_mut(email)
        && other.add(List::Reverse, &member.email, Some(&own_name)).is_ok()
    {
        let version = other.list_version;
        if let Some(bytes) = reverse_added(world, email, version, &member.email, &own_name) {
            world.tell(email, bytes);
        }
    }
    world.announce(&member.email, &before);
    Ok(())
}

/// Takes somebody off one of the member's lists, and tells whoever has to know.
pub(super) fn take(member: &Member, world: &mut World, list: List, email: &str) -> Result<(), ErrorCode> {
    if !list.is_own() && list != List::Pending {
        return Err(code::INVALID_PARAMETER);
    }
    let before = world.views(&member.email);
    let user = world.users.get_mut(&member.email).ok_or(code::NOT_LOGGED_IN)?;
    user.remove(list, email)?;
    if list == List::Forward
        && let Some(other) = world.users.get_mut(email)
        && other.remove(List::Reverse, &member.email).is_ok()
    {
        let version = other.list_version;
        if let Some(bytes) = reverse_removed(world, email, version, &member.email) {
            world.tell(email, bytes);
        }
    }
    world.announce(&member.email, &before);
    Ok(())
}

/// Returns how `to` is told that somebody added them.
fn reverse_added(world: &World, to: &str, version: u32, email: &str, name: &str) -> Option<bytes::Bytes> {
    Some(match world.online.get(to)?.version.0 {
        ..=9 => Output::of_line(format_args!("ADD 0 RL {version} {email} {name}")),
        10..=12 => Output::of_line(format_args!("ADC 0 RL N={email} F={name}")),
        _ => Output::of_payload("ADL 0", membership::reverse_document(email, Some(name)).as_bytes()),
    })
}

/// Returns how `to` is told that somebody removed them.
fn reverse_removed(world: &World, to: &str, version: u32, email: &str) -> Option<bytes::Bytes> {
    Some(match world.online.get(to)?.version.0 {
        ..=9 => Output::of_line(format_args!("REM 0 RL {version} {email}")),
        10..=12 => Output::of_line(format_args!("REM 0 RL {email}")),
        _ => Output::of_payload("RML 0", membership::reverse_document(email, None).as_bytes()),
    })
}

fn rename(member: &Member, world: &mut World, name: &str) -> Result<(), ErrorCode> {
    user_mut(world, member)?.rename(name)?;
    world.announce_change(&member.email);
    Ok(())
}

fn address(word: &str) -> Result<String, ErrorCode> {
    if word.contains('@') { Ok(word.to_lowercase()) } else { Err(code::INVALID_PARAMETER) }
}

pub(super) fn user<'a>(world: &'a World, member: &Member) -> Result<&'a User, ErrorCode> {
    world.users.get(&member.email).ok_or(code::NOT_LOGGED_IN)
}

pub(super) fn user_mut<'a>(world: &'a mut World, member: &Member) -> Result<&'a mut User, ErrorCode> {
    world.users.get_mut(&member.email).ok_or(code::NOT_LOGGED_IN)
}

/// Every property of oneself that can be set. `MFN` is the friendly name.
const PROPERTIES: [&str; 8] = ["MFN", "PHH", "PHW", "PHM", "MOB", "MBE", "WWE", "HSB"];
/// Those that contacts are told.
pub(super) const PHONES: [&str; 4] = ["PHH", "PHW", "PHM", "MOB"];
/// Longest value of the others, in bytes.
const MAX_PROPERTY_BYTES: usize = 95;
