//! What an invitation says of the data that will follow: its `Context`.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use msnp::payload::msnobject::MsnObject;
use msnp::payload::xml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::manifest::Kind;

/// The description of a picture, emoticon, wink or the like: the attributes of its `<msnobj/>`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ObjectDescription {
    /// Whose it is.
    pub creator: String,
    /// Its size in bytes, as its creator says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What it is: 2 emoticon, 3 display picture, 5 background, 7 moving display picture, 8 wink, 11 voice clip.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub object_type: Option<u32>,
    /// Its place on the creator's machine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub friendly: String,
    /// Base64 of the SHA-1 of its data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha1d: String,
    /// Base64 of the SHA-1 of the other attributes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha1c: String,
    /// Whether `sha1c` is right; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1c_ok: Option<bool>,
}

/// The description of a file that is sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct FileDescription {
    pub(super) name: String,
    pub(super) size: u64,
    /// A small picture of it, usually a PNG.
    pub(super) preview: Vec<u8>,
}

/// Largest base64 that is looked at.
const LONGEST: usize = 1 << 20;
/// The description of a file without anything behind the name.
const FILE_SHORTEST: usize = 540;
/// The name of a file: 260 characters of UTF-16.
const FILE_NAME: std::ops::Range<usize> = 20..540;

/// Padding and line ends of base64 vary among clients.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64 as clients write it.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let clean: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != 0).collect();
    let padding = clean.iter().rev().take_while(|&&byte| byte == b'=').count();
    LENIENT.decode(&clean[..clean.len() - padding]).ok()
}

/// Encodes as objects have their hashes.
pub(super) fn encode(bytes: &[u8]) -> String {
    general_purpose::STANDARD.encode(bytes)
}

/// Decodes a `Context`.
pub(super) fn decode_context(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > LONGEST { None } else { decode(text) }
}

/// Decodes UTF-16, little-endian, up to a NUL.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units.take_while(|&unit| unit != 0)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

impl ObjectDescription {
    /// Reads `<msnobj .../>`, percent-encoded or plain.
    pub(super) fn parse(text: &[u8]) -> Option<ObjectDescription> {
        let object = MsnObject::parse(text)?;
        let get =
            |name: &'static str| object.get(name).map(|value| xml::unescape(value).into_owned()).unwrap_or_default();
        let friendly = object.get("Friendly").and_then(|value| decode(value.as_bytes())).unwrap_or_default();
        let mut description = ObjectDescription {
            creator: get("Creator").to_lowercase(),
            size: get("Size").parse().ok(),
            object_type: get("Type").parse().ok(),
            location: get("Location"),
            friendly: utf16(&friendly),
            sha1d: get("SHA1D"),
            sha1c: get("SHA1C"),
            sha1c_ok: None,
        };
        if !description.sha1c.is_empty() {
            let is_right = |value: &dyn Fn(&'static str) -> String| {
                let fields = ["Creator", "Size", "Type", "Location", "Friendly", "SHA1D"];
                let text: String = fields.into_iter().map(|name| [name, &value(name)].concat()).collect();
                is_hash(&Sha1::digest(text.as_bytes()), &description.sha1c)
            };
            let as_written = |name: &'static str| object.get(name).unwrap_or_default().to_owned();
            description.sha1c_ok = Some(is_right(&get) || is_right(&as_written));
        }
        Some(description)
    }

    /// Returns what kind of thing it is.
    pub(super) fn kind(&self) -> Kind {
        match self.object_type {
            Some(2) => Kind::Emoticon,
            Some(1 | 3) => Kind::DisplayPicture,
            Some(4) => Kind::SharedFile,
            Some(5) => Kind::Background,
            Some(7) => Kind::MovingPicture,
            Some(8) => Kind::Wink,
            Some(10) => Kind::MovingBackground,
            Some(11) => Kind::VoiceClip,
            _ => Kind::Object,
        }
    }
}

/// Whether base64 as a client wrote it is this hash.
pub(super) fn is_hash(hash: &[u8], base64: &str) -> bool {
    decode(base64.as_bytes()).is_some_and(|expected| expected == hash)
}

impl FileDescription {
    /// Reads the description that an invitation to a file transfer carries.
    ///
    /// ```text
    /// u32 length of what stands before the preview: 574 in version 2, 638 in version 3
    /// u32 version
    /// u64 size of the file
    /// u32 type: bit 0 is set if there is no preview
    /// u16[260] name, UTF-16, ended by NUL
    /// ...
    /// preview
    /// ```
    ///
    /// All little-endian; seen in libpurple's `p2p.h` and `slpcall.c`.
    pub(super) fn parse(context: &[u8]) -> Option<FileDescription> {
        let length = u32::from_le_bytes(*context.first_chunk()?) as usize;
        let size = u64::from_le_bytes(context.get(8..16)?.try_into().ok()?);
        let name = context.get(FILE_NAME).or_else(|| context.get(FILE_NAME.start..))?;
        let preview = match length {
            FILE_SHORTEST.. => context.get(length..).unwrap_or_default(),
            _ => &[],
        };
        Some(FileDescription { name: utf16(name), size, preview: preview.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD as BASE64;

    #[test]
    fn an_object_is_described_and_checked() {
        let sha1d = BASE64.encode(Sha1::digest(b"data"));
        let friendly = BASE64.encode(b"h\0i\0\0\0");
        let sha1c = BASE64.encode(Sha1::digest(format!(
            "Creatorbob@example.comSize4Type3LocationTFR1.datFriendly{friendly}SHA1D{sha1d}"
        )));
        let xml = format!(
            r#"<msnobj Creator="bob@example.com" Size="4" Type="3" Location="TFR1.dat" Friendly="{friendly}" SHA1D="{sha1d}" SHA1C="{sha1c}"/>"#
        );
        let object = ObjectDescription::parse(xml.as_bytes()).unwrap();
        assert_eq!((object.kind(), object.size, object.friendly.as_str()), (Kind::DisplayPicture, Some(4), "hi"));
        assert_eq!(object.sha1c_ok, Some(true));
        assert!(is_hash(&Sha1::digest(b"data"), &object.sha1d));
        let forged = ObjectDescription::parse(xml.replace("TFR1", "TFR2").as_bytes()).unwrap();
        assert_eq!(forged.sha1c_ok, Some(false));
    }

    #[test]
    fn a_file_is_described_in_both_versions() {
        for (length, version) in [(574u32, 2u32), (638, 3)] {
            let mut context = [length.to_le_bytes(), version.to_le_bytes()].concat();
            context.extend_from_slice(&1234u64.to_le_bytes());
            context.extend_from_slice(&0u32.to_le_bytes());
            context.extend("caf\u{e9}.txt".encode_utf16().flat_map(u16::to_le_bytes));
            context.resize(length as usize, 0);
            context.extend_from_slice(b"\x89PNG");
            let file = FileDescription::parse(&context).unwrap();
            assert_eq!((file.name.as_str(), file.size, &file.preview[..]), ("caf\u{e9}.txt", 1234, &b"\x89PNG"[..]));
            for cut in 0..context.len() {
                let _ = FileDescription::parse(&context[..cut]);
            }
        }
    }

    #[test]
    fn base64_is_read_with_any_padding() {
        for text in ["QUI=", "QUI", "QUI==", "Q U\r\nI=\0"] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(&b"AB"[..]), "{text:?}");
        }
        assert_eq!(decode(b"?"), None);
    }
}
