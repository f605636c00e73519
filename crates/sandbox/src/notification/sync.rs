//! `SYN`: the whole contact list, in the four shapes it has had.

use std::fmt::Write;

use jiff::Timestamp;

use super::Member;
use super::lists::{PHONES, user};
use crate::code::{self, ErrorCode};
use crate::connection::Turn;
use crate::output::Output;
use crate::users::{Contact, List, User};
use crate::world::World;

/// `SYN trid version` (to MSNP9) or `SYN trid timestamp timestamp` -> what the client has not got
pub(super) fn syn(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let request = turn.request;
    let world = &*turn.world;
    let user = user(world, member)?;
    let version = user.list_version;
    let known = request.argument(0);
    if member.version.0 < 10 {
        let is_number = !known.is_empty() && known.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Err(code::INVALID_PARAMETER);
        }
        let is_current = known == version.to_string();
        match (member.version.0, is_current) {
            (_, true) => turn.output.line(format_args!("SYN {} {version}", request.id)),
            (..=7, _) => write_with_id(turn.output, world, user, request.id.0, member.version.0),
            _ => {
                let (contacts, groups) = (told(user).count(), user.groups.len() + 1);
                turn.output.line(format_args!("SYN {} {version} {contacts} {groups}", request.id));
                write_counted(turn.output, world, user);
            }
        }
        return Ok(());
    }
    let date = date(version);
    if known == date {
        turn.output.line(format_args!("SYN {} {date} {date}", request.id));
        return Ok(());
    }
    let (contacts, groups) = (told(user).count(), user.groups.len());
    turn.output.line(format_args!("SYN {} {date} {date} {contacts} {groups}", request.id));
    write_dated(turn.output, world, user, member.version.0);
    Ok(())
}

/// MSNP2 to MSNP7: every line has the transaction id and the version, every list is told on its own.
fn write_with_id(output: &mut Output, world: &World, user: &User, id: u32, dialect: u8) {
    let version = user.list_version;
    output.line(format_args!("SYN {id} {version}"));
    output.line(format_args!("GTC {id} {version} {}", user.prompt));
    output.line(format_args!("BLP {id} {version} {}", user.privacy));
    if dialect >= 5 {
        for (key, value) in &user.properties {
            output.line(format_args!("PRP {version} {key} {value}"));
        }
    }
    if dialect == 7 {
        let total = user.groups.len() + 1;
        output.line(format_args!("LSG {id} {version} 1 {total} 0 Other%20Contacts 0"));
        for (index, group) in user.groups.iter().enumerate() {
            output.line(format_args!("LSG {id} {version} {} {total} {} {} 0", index + 2, group.number, group.name));
        }
    }
    for list in List::TOLD {
        let contacts: Vec<&Contact> = user.contacts.values().filter(|contact| contact.lists.contains(list)).collect();
        let name = list.as_str();
        if contacts.is_empty() {
            output.line(format_args!("LST {id} {name} {version} 0 0"));
        }
        for (index, contact) in contacts.iter().enumerate() {
            let Contact { email, name: contact_name, .. } = contact;
            let mut line = format!("LST {id} {name} {version} {} {} {email} {contact_name}", index + 1, contacts.len());
            if dialect == 7 && list == List::Forward {
                let _ = write!(line, " {}", group_numbers(contact));
            }
            output.line(line);
            if dialect >= 5 && list == List::Forward {
                write_phones(output, world, contact, &format!("{version} "));
            }
        }
    }
}

/// MSNP8 and MSNP9: one line a contact, its lists as a number.
fn write_counted(output: &mut Output, world: &World, user: &User) {
    write_settings(output, user);
    output.line("LSG 0 Other%20Contacts 0");
    for group in &user.groups {
        output.line(format_args!("LSG {} {} 0", group.number, group.name));
    }
    for contact in told(user) {
        let mut line = format!("LST {} {} {}", contact.email, contact.name, contact.lists.0);
        if contact.lists.contains(List::Forward) {
            let _ = write!(line, " {}", group_numbers(contact));
        }
        output.line(line);
        write_phones(output, world, contact, "");
    }
}

/// MSNP10 to MSNP12: names in front of the fields, ids instead of numbers.
fn write_dated(output: &mut Output, world: &World, user: &User, dialect: u8) {
    write_settings(output, user);
    output.line(format_args!("PRP MFN {}", user.name));
    for group in &user.groups {
        output.line(format_args!("LSG {} {}", group.name, group.guid));
    }
    for contact in told(user) {
        let mut line = format!("LST N={} F={}", contact.email, contact.name);
        if contact.lists.contains(List::Forward) {
            let _ = write!(line, " C={}", contact.guid);
        }
        let _ = write!(line, " {}", contact.lists.0);
        if dialect == 12 {
            line.push_str(" 1");
        }
        let groups: Vec<&str> = user
            .groups
            .iter()
            .filter(|group| contact.groups.contains(&group.number))
            .map(|group| group.guid.as_str())
            .collect();
        if !groups.is_empty() {
            let _ = write!(line, " {}", groups.join(","));
        }
        output.line(line);
        write_phones(output, world, contact, "");
    }
}

/// Tells the phone numbers of the contact that the line before was about.
fn write_phones(output: &mut Output, world: &World, contact: &Contact, version: &str) {
    let is_wanted = contact.lists.contains(List::Forward);
    let Some(user) = world.users.get(&contact.email).filter(|_| is_wanted) else { return };
    for (key, value) in user.properties.iter().filter(|(key, _)| PHONES.contains(&key.as_str())) {
        output.line(format_args!("BPR {version}{key} {value}"));
    }
}

fn write_settings(output: &mut Output, user: &User) {
    output.line(format_args!("GTC {}", user.prompt));
    output.line(format_args!("BLP {}", user.privacy));
    for (key, value) in &user.properties {
        output.line(format_args!("PRP {key} {value}"));
    }
}

/// Returns the contacts that are on any list that old clients know.
fn told(user: &User) -> impl Iterator<Item = &Contact> {
    user.contacts.values().filter(|contact| List::TOLD.into_iter().any(|list| contact.lists.contains(list)))
}

fn group_numbers(contact: &Contact) -> String {
    if contact.groups.is_empty() {
        return "0".into();
    }
    contact.groups.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// Returns a version of a list as the date that MSNP10 and later have in its place.
fn date(version: u32) -> String {
    let date = Timestamp::from_second(FIRST_DATE + i64::from(version)).unwrap_or(Timestamp::UNIX_EPOCH);
    date.strftime("%Y-%m-%dT%H:%M:%S.0000000-00:00").to_string()
}

/// What version 0 of a list is dated, in seconds since 1970: 2003-05-01.
const FIRST_DATE: i64 = 1_051_747_200;
