//! The arguments of a line, by documented name.

use std::borrow::Cow;

use msnp::Command;
use msnp::payload::msnobject::MsnObject;

use super::{Fields, Part, Value, argument, volatile};

impl<'a> Fields<'a> {
    /// Adds the arguments.
    pub(super) fn arguments(&mut self, command: &'a Command) {
        let arguments: Vec<&[u8]> = command.arguments().collect();
        let spaces = arguments.iter().rev().take_while(|argument| argument.is_empty()).count();
        match argument::describe(command.verb(), command.direction(), &arguments, self.item.scope) {
            Some((_, names)) => self.named(command, &arguments, &names),
            None => self.places(command, &arguments[..arguments.len() - spaces]),
        }
        if spaces > 0 {
            let count = Cow::Owned(spaces.to_string().into_bytes());
            self.push(Part::Line, "spaces at the end", Value::Plain(count));
        }
    }

    fn named(&mut self, command: &Command, arguments: &[&'a [u8]], names: &[Option<&'static str>]) {
        let places = || names.iter().zip(arguments).enumerate();
        let form: Vec<&[u8]> = places().filter(|(_, (name, _))| name.is_none()).map(|(_, (_, word))| *word).collect();
        if !form.is_empty() {
            self.push(Part::Argument, "form", Value::Plain(Cow::Owned(form.join(&b' '))));
        }
        let mut seen: Vec<&str> = Vec::new();
        for (index, (name, value)) in places() {
            let Some(name) = *name else { continue };
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            // what is repeated is one value
            let same = || places().filter(|(_, (other, _))| **other == Some(name)).map(|(_, (_, value))| *value);
            let value = match same().count() {
                1 => self.value(command, name, value),
                _ => Value::Plain(Cow::Owned(same().collect::<Vec<_>>().join(&b' '))),
            };
            if let Some(object) = (name == "msnobject_urlenc").then(|| MsnObject::parse(arguments[index])).flatten() {
                self.object(name, &object);
                continue;
            }
            self.push_visible(Part::Argument, name, &format!("args[{index}]"), value);
        }
    }

    /// Adds the attributes of an object.
    pub(super) fn object(&mut self, name: &str, object: &MsnObject<'_>) {
        self.push(Part::Argument, name.to_owned(), Value::Whole(Cow::Owned(object.xml().to_vec())));
        for (key, value) in object.attributes() {
            let value = msnp::payload::xml::unescape(value).into_owned().into_bytes();
            self.push(Part::Argument, format!("{name}.{key}"), Value::Plain(Cow::Owned(value)));
        }
    }

    fn value(&self, command: &Command, name: &str, value: &'a [u8]) -> Value<'a> {
        // `N=`, `F=` and `C=` belong to the argument
        let prefix =
            command.argument_named(name, self.item.scope).map_or(0, |own| value.len() - own.len().min(value.len()));
        let decoded = argument::decode(value.get(prefix..).unwrap_or(value));
        match (volatile::argument(name), name) {
            (_, "redirect_url" | "login_url") => Value::Plain(without_query_values(&decoded)),
            (class, _) => Value::of(class, decoded),
        }
    }

    /// Adds the arguments of a command that nobody has documented: all but the id.
    fn places(&mut self, command: &Command, arguments: &[&'a [u8]]) {
        let length = usize::from(command.has_payload());
        for (index, value) in arguments.iter().enumerate().take(arguments.len().saturating_sub(length)) {
            let is_id = index == 0 && !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let value = if is_id { Value::Free(Cow::Borrowed(value)) } else { Value::Plain(argument::decode(value)) };
            let place = format!("args[{index}]");
            self.push_visible(Part::Argument, place.clone(), &place, value);
        }
    }
}

/// `/path?lc=1033&auth=12` becomes `/path?lc=&auth=`: the values are tickets and times.
fn without_query_values(url: &[u8]) -> Cow<'static, [u8]> {
    let (path, query) = match memchr::memchr(b'?', url) {
        Some(mark) => url.split_at(mark),
        None => (url, &b""[..]),
    };
    let mut out = path.to_vec();
    for (index, pair) in query.split(|byte| *byte == b'&').enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        let name = memchr::memchr(b'=', pair).map_or(pair.len(), |equals| equals + 1);
        out.extend_from_slice(&pair[..name]);
    }
    Cow::Owned(out)
}
