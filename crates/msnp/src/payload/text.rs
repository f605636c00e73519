//! The look of a text message: header `X-MMS-IM-Format`.

use crate::argument;
use crate::payload::mime::Headers;

/// How a text wants to be drawn.
///
/// ```text
/// X-MMS-IM-Format: FN=MS%20Sans%20Serif; EF=B; CO=800000; CS=0; PF=0
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TextFormat {
    /// `FN`, decoded: the font's name.
    pub font: String,
    /// `EF`: any of `B` bold, `I` italic, `U` underlined, `S` struck out.
    pub effects: String,
    /// `CO`: the colour as red, green and blue. On the wire it is hexadecimal BGR without leading zeros.
    pub color: Option<[u8; 3]>,
    /// `CS`: the character set's number.
    pub charset: String,
    /// `PF`: pitch and family.
    pub pitch: String,
}

impl TextFormat {
    /// Reads the format of a message, if its headers have one.
    pub fn of(headers: &Headers<'_>) -> Option<TextFormat> {
        headers.get("X-MMS-IM-Format").map(TextFormat::parse)
    }

    /// Reads the header's value; fields it does not know are left out.
    pub fn parse(value: &[u8]) -> TextFormat {
        let mut format = TextFormat::default();
        for field in value.split(|&byte| byte == b';') {
            let mut parts = field.trim_ascii().splitn(2, |&byte| byte == b'=');
            let (key, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let text = || String::from_utf8_lossy(&argument::decode(value)).into_owned();
            match key.to_ascii_uppercase().as_slice() {
                b"FN" => format.font = text(),
                b"EF" => format.effects = text(),
                b"CO" => format.color = u32::from_str_radix(&text(), 16).ok().and_then(color),
                b"CS" => format.charset = text(),
                b"PF" => format.pitch = text(),
                _ => {}
            }
        }
        format
    }
}

fn color(bgr: u32) -> Option<[u8; 3]> {
    let [0, blue, green, red] = bgr.to_be_bytes() else { return None };
    Some([red, green, blue])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_is_blue_green_red() {
        let format = TextFormat::parse(b"FN=MS%20Sans%20Serif; EF=BI; CO=ff8000; CS=0; PF=22");
        assert_eq!(format.font, "MS Sans Serif");
        assert_eq!(format.effects, "BI");
        assert_eq!(format.color, Some([0x00, 0x80, 0xff]));
        assert_eq!(TextFormat::parse(b"CO=0").color, Some([0, 0, 0]));
        assert_eq!(TextFormat::parse(b"CO=ff000000").color, None);
    }
}
