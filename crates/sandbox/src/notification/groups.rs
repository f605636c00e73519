//! Groups of contacts: `ADG`, `RMG`, `REG` (MSNP7 to MSNP12). A group has a number before MSNP10, then an id.

use super::Member;
use super::lists::{user, user_mut};
use crate::code::ErrorCode;
use crate::connection::Turn;

/// `ADG trid name 0` -> `ADG trid version name number 0`, from MSNP10 on `ADG trid name guid 0`
pub(super) fn adg(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let name = turn.request.argument(0);
    let group = user_mut(turn.world, member)?.add_group(name)?.clone();
    let version = user(turn.world, member)?.list_version;
    match member.version.0 {
        ..=9 => turn.reply(format_args!("{version} {name} {} 0", group.number)),
        _ => turn.reply(format_args!("{name} {} 0", group.guid)),
    }
    Ok(())
}

/// `RMG trid group` -> `RMG trid version group`, from MSNP10 on the version is always 1
pub(super) fn rmg(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let group = turn.request.argument(0);
    user_mut(turn.world, member)?.remove_group(group)?;
    let version = told_version(member, turn)?;
    turn.reply(format_args!("{version} {group}"));
    Ok(())
}

/// `REG trid group name 0` -> `REG trid version number name 0`, from MSNP10 on `REG trid 1 name guid 0`
pub(super) fn reg(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let (group, name) = (turn.request.argument(0), turn.request.argument(1));
    user_mut(turn.world, member)?.rename_group(group, name)?;
    let version = told_version(member, turn)?;
    match member.version.0 {
        ..=9 => turn.reply(format_args!("{version} {group} {name} 0")),
        _ => turn.reply(format_args!("{version} {name} {group} 0")),
    }
    Ok(())
}

fn told_version(member: &Member, turn: &Turn<'_>) -> Result<u32, ErrorCode> {
    Ok(if member.version.0 < 10 { user(turn.world, member)?.list_version } else { 1 })
}
