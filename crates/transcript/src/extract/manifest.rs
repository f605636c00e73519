//! The shape of `manifest.json` and of a line of `messages.jsonl`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::ObjectDescription;
use crate::event::Server;

/// The name of the format.
pub const FORMAT: &str = "mitmsn-extract";
/// Its version.
pub const VERSION: u32 = 1;

/// All that was found. Absent fields do not apply.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Always `mitmsn-extract`.
    pub format: String,
    /// Version of the format, 1.
    pub version: u32,
    /// Name and version of the program.
    pub software: String,
    /// The transcripts, in the order in which they were read.
    pub transcripts: Vec<Origin>,
    /// The files, and what would have been one.
    pub files: Vec<Entry>,
    /// What people type to show which emoticon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emoticons: Vec<Shortcut>,
    /// How many text messages there are.
    pub messages: u64,
    /// Notes on what was left out, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One transcript.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The file, without its folder.
    pub transcript: String,
    /// The session's id.
    pub session: String,
    /// Whose session it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whether it was redacted: then data is missing, and accounts, names and texts are not those of people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// Payloads and files that were taken out before, by masking or redaction.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub masked: u64,
    /// Places where bytes are missing or could not be framed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gaps: u64,
    /// P2P messages that carry something else than a file or object, such as the frames of a webcam.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub other: u64,
}

/// One file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its name in the folder; absent if there is no data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether all of it is there.
    pub status: Status,
    /// What it is.
    pub kind: Kind,
    /// Its MIME type, by content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// How many bytes there are.
    pub bytes: u64,
    /// How many there should be, where that is known and differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_bytes: Option<u64>,
    /// SHA-256 of a complete file, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What is missing: from each first byte up to before the second. The last second is absent where the end is unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// How the data compares with the hash that its creator gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1d: Option<HashCheck>,
    /// The name that the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its description by its creator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDescription>,
    /// Why there is no data or not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it was seen. More than one: the same data was sent again, or is in more than one transcript.
    pub seen: Vec<Sighting>,
}

/// Bytes that are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Missing {
    /// The first.
    pub from: u64,
    /// The one after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

/// A hash that was claimed, and the one that was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HashCheck {
    /// Base64 of SHA-1, as the object's description has it.
    pub expected: String,
    /// The same of the data; absent where not all of it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// Whether they are the same; absent where not all is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
}

/// Where data was seen.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Sighting {
    /// The transcript, without its folder.
    pub transcript: String,
    /// The session's id.
    pub session: String,
    /// The connection's number.
    pub connection: u64,
    /// What the server is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Who sent it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Who was meant to get it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// `seq` of the first command that has a part of it.
    pub first_seq: u64,
    /// `seq` of the last.
    pub last_seq: u64,
    /// When that first command was seen.
    pub first_time: String,
    /// When that last one was.
    pub last_time: String,
    /// How it came.
    pub carrier: Carrier,
    /// Session id of P2P.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p2p_session: Option<u32>,
}

/// What people type to show an emoticon.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Shortcut {
    /// What they type.
    pub shortcut: String,
    /// Who said so.
    pub from: String,
    /// The picture's description.
    pub object: ObjectDescription,
    /// The picture's file, if it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The transcript in which it was said first, and `seq` there.
    pub transcript: String,
    /// See `transcript`.
    pub seq: u64,
}

/// One text message: a line of `messages.jsonl`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TextMessage {
    /// When it was seen.
    pub time: String,
    /// The transcript, without its folder.
    pub transcript: String,
    /// The session's id.
    pub session: String,
    /// The connection's number.
    pub connection: u64,
    /// `seq` of its first command.
    pub seq: u64,
    /// Who wrote it.
    pub from: String,
    /// To whom, where the command says so: a switchboard passes it to all who are there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// The text.
    pub text: String,
    /// In how many chunks it came, if it came in several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<u64>,
    /// Which of these are missing, from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_chunks: Vec<u64>,
}

/// Whether all of a file is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All of it.
    Complete,
    /// A part: the file's name ends in `.partial`, and what is missing is a hole in it.
    Partial,
    /// Nothing: it was offered or asked for.
    Missing,
}

/// How data came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Carrier {
    /// P2P version 1, in `MSG`.
    #[default]
    P2p1,
    /// P2P version 2, in `MSG` or `SDG`.
    P2p2,
    /// In a message itself.
    Message,
    /// A connection between the two, which MSNP only announces.
    Direct,
}

/// What data is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A display picture.
    DisplayPicture,
    /// A custom emoticon.
    Emoticon,
    /// The background of a window.
    Background,
    /// A display picture that moves.
    MovingPicture,
    /// A background that moves.
    MovingBackground,
    /// A wink.
    Wink,
    /// A voice clip.
    VoiceClip,
    /// A file of a shared folder.
    SharedFile,
    /// A file that was sent.
    File,
    /// The small picture that came with the offer of a file.
    Preview,
    /// Handwriting.
    Ink,
    /// An object of a type that is not known.
    Object,
    /// Data that nobody announced.
    Unknown,
}

impl Kind {
    /// Returns it as it stands in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::DisplayPicture => "display-picture",
            Kind::Emoticon => "emoticon",
            Kind::Background => "background",
            Kind::MovingPicture => "moving-picture",
            Kind::MovingBackground => "moving-background",
            Kind::Wink => "wink",
            Kind::VoiceClip => "voice-clip",
            Kind::SharedFile => "shared-file",
            Kind::File => "file",
            Kind::Preview => "preview",
            Kind::Ink => "ink",
            Kind::Object => "object",
            Kind::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Returns the JSON Schema of `manifest.json`.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Manifest);
    schema.insert("title".into(), "What mitmsn extract found".into());
    schema.to_value()
}
