//! `cmd.headers`: the MIME headers of a payload, by name in any case.

use std::ops::Range;

use mlua::{MetaMethod, MultiValue, UserData, UserDataFields, UserDataMethods, Value};
use msnp::Command;
use msnp::command::CommandError;
use msnp::payload::mime;

use super::Text;
use super::command::Handle;

/// The headers of one command. Those of the second block, which some types have for a body, count too.
#[derive(Debug)]
pub(super) struct Headers(pub(super) Handle);

impl UserData for Headers {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Headers");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, name: String| {
            let held = this.0.held();
            let value = value_range(&held.command, &name).and_then(|range| held.command.payload().get(range));
            value.map(|value| lua.create_string(value)).transpose()
        });
        methods.add_meta_method(MetaMethod::NewIndex, |lua, this, (name, value): (String, Value)| {
            if value.is_nil() {
                return this.0.edit_payload(lua, |command, length| match line_range(command, &name) {
                    Some(range) => command.replace_in_payload(range, b"", length),
                    None => Ok(()),
                });
            }
            let Text(value) = lua.unpack(value)?;
            this.0.edit_payload(lua, |command, length| {
                let is_second = command.headers().get(&name).is_none();
                match value_range(command, &name).filter(|_| is_second) {
                    Some(_) if value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) => Err(CommandError::BreaksLine),
                    Some(range) => command.replace_in_payload(range, &value, length),
                    None => command.set_header(&name, &value, length),
                }
            })
        });
        methods.add_meta_method(MetaMethod::Iter, |lua, this, ()| {
            let (handle, mut at) = (this.0.clone(), 0);
            lua.create_function_mut(move |lua, _: MultiValue| {
                let held = handle.held();
                let headers = held.command.headers();
                let second = headers.second_level();
                let mut lines = headers.lines().chain(second.into_iter().flat_map(|second| second.lines()));
                let line = lines.nth(at);
                at += 1;
                let text = |bytes: &[u8]| lua.create_string(bytes);
                line.map(|line| Ok((text(line.name())?, text(line.value())?))).transpose().map(|pair| pair.unzip())
            })
        });
    }
}

/// Returns where the value of a header lies in the payload.
fn value_range(command: &Command, name: &str) -> Option<Range<usize>> {
    let headers = command.headers();
    headers.range(name).or_else(|| {
        let range = headers.second_level()?.range(name)?;
        Some(range.start + headers.body_start()..range.end + headers.body_start())
    })
}

/// Returns where a whole header line lies in the payload.
fn line_range(command: &Command, name: &str) -> Option<Range<usize>> {
    let of = |headers: mime::Headers<'_>, base: usize| {
        let mut at = base;
        headers.lines().find_map(|line| {
            let range = at..at + line.raw().len();
            at = range.end;
            line.name().eq_ignore_ascii_case(name.as_bytes()).then_some(range)
        })
    };
    let headers = command.headers();
    of(headers, 0).or_else(|| of(headers.second_level()?, headers.body_start()))
}
