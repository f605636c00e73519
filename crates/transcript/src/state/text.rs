//! Texts of limited length, and values as JSON has them.

use msnp::argument;
use msnp::command::lossy;

/// Names and messages from the wire are cut after so many bytes.
pub(super) const LONGEST_TEXT: usize = 1024;
/// Ids, states and numbers after so many.
const LONGEST_TOKEN: usize = 64;

/// Returns a name or message that an argument holds, decoded.
pub(super) fn decoded(argument: &[u8]) -> String {
    shorten(lossy(&argument::decode(argument)).into_owned())
}

/// Returns an id or number that an argument holds.
pub(super) fn token(argument: &[u8]) -> String {
    cut(lossy(argument).into_owned(), LONGEST_TOKEN)
}

/// Cuts a text that is too long.
pub(super) fn shorten(text: String) -> String {
    cut(text, LONGEST_TEXT)
}

fn cut(mut text: String, length: usize) -> String {
    if text.len() > length {
        text.truncate(text.floor_char_boundary(length));
    }
    text.shrink_to_fit();
    text
}

/// A version as `MSNP12`.
pub(super) mod version {
    use msnp::Version;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::state) fn serialize<S: Serializer>(version: &Option<Version>, to: S) -> Result<S::Ok, S::Error> {
        match version {
            Some(version) => to.collect_str(version),
            None => to.serialize_none(),
        }
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Version>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}

/// A time as events have it.
pub(super) mod time {
    use std::time::SystemTime;

    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::id::Stamp;

    pub(in crate::state) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(Stamp::of(*time).as_str())
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let time = String::deserialize(from)?.parse::<Timestamp>().map_err(de::Error::custom)?;
        Ok(time.into())
    }
}
