//! What bytes are, by how they start.

/// What bytes are: a MIME type, and the extension of files of that type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ContentType {
    pub(super) mime: &'static str,
    pub(super) extension: &'static str,
}

/// Signatures, at an offset, in the order in which they are looked for.
const SIGNATURES: &[(usize, &[u8], &str, &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (0, b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (0, b"GIF87a", "image/gif", "gif"),
    (0, b"GIF89a", "image/gif", "gif"),
    // winks are cabinets with a Flash film inside
    (0, b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed", "cab"),
    (8, b"WAVEfmt ", "audio/wav", "wav"),
    (8, b"AVI LIST", "video/x-msvideo", "avi"),
    (8, b"WEBP", "image/webp", "webp"),
    (0, b"FWS", "application/x-shockwave-flash", "swf"),
    (0, b"CWS", "application/x-shockwave-flash", "swf"),
    (0, b"ZWS", "application/x-shockwave-flash", "swf"),
    (0, b"PK\x03\x04", "application/zip", "zip"),
    (0, b"PK\x05\x06", "application/zip", "zip"),
    (0, b"%PDF-", "application/pdf", "pdf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "ole"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar", "rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "7z"),
    (0, b"\x1f\x8b\x08", "application/gzip", "gz"),
    (0, b"BZh", "application/x-bzip2", "bz2"),
    (0, b"ID3", "audio/mpeg", "mp3"),
    (0, b"OggS", "audio/ogg", "ogg"),
    (0, b"MThd\0\0\0\x06", "audio/midi", "mid"),
    (4, b"ftyp", "video/mp4", "mp4"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf", "asf"),
    (0, b"FLV\x01", "video/x-flv", "flv"),
    (0, b"\0\0\x01\0", "image/vnd.microsoft.icon", "ico"),
    (0, b"II*\0", "image/tiff", "tif"),
    (0, b"MM\0*", "image/tiff", "tif"),
    (0, b"\x7fELF", "application/x-elf", "elf"),
    (0, b"{\\rtf", "application/rtf", "rtf"),
    (0, b"<?xml", "application/xml", "xml"),
];

/// Returns what bytes are; `application/octet-stream` if nothing is known that starts like them.
pub(super) fn of(bytes: &[u8]) -> ContentType {
    for &(offset, signature, mime, extension) in SIGNATURES {
        if bytes.get(offset..).is_some_and(|rest| rest.starts_with(signature)) && is_likely(bytes, extension) {
            return ContentType { mime, extension };
        }
    }
    match bytes {
        [b'B', b'M', ..] if is_bitmap(bytes) => ContentType { mime: "image/bmp", extension: "bmp" },
        [b'M', b'Z', ..] if bytes.len() >= 64 => {
            ContentType { mime: "application/vnd.microsoft.portable-executable", extension: "exe" }
        }
        [0xff, second, ..] if second & 0xe6 == 0xe2 => ContentType { mime: "audio/mpeg", extension: "mp3" },
        _ if is_text(bytes) => ContentType { mime: "text/plain", extension: "txt" },
        _ => ContentType { mime: "application/octet-stream", extension: "bin" },
    }
}

/// Short signatures need a second sign.
fn is_likely(bytes: &[u8], extension: &str) -> bool {
    match extension {
        "wav" | "avi" | "webp" => bytes.starts_with(b"RIFF"),
        "swf" => bytes.get(3).is_some_and(|&version| (1..=31).contains(&version) && !version.is_ascii_whitespace()),
        "ico" => bytes.get(4..6).is_some_and(|count| (1..=64).contains(&count[0]) && count[1] == 0),
        _ => true,
    }
}

/// The size of the second header, which is one of a few.
fn is_bitmap(bytes: &[u8]) -> bool {
    let size = bytes.get(14..18).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
    matches!(size, Some(12 | 40 | 52 | 56 | 64 | 108 | 124))
}

fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4096)];
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return head.len().is_multiple_of(2) && head.len() > 2;
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // the head may end within a character
        Err(error) if error.error_len().is_none() && bytes.len() > head.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\r' | '\n' | '\t' | '\x0c'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_how_it_starts() {
        let bitmap = [b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".as_slice(), &[0; 40]].concat();
        for (bytes, mime) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
            (b"GIF89a\x01\0", "image/gif"),
            (&bitmap, "image/bmp"),
            (b"MSCF\0\0\0\0\x01", "application/vnd.ms-cab-compressed"),
            (b"RIFF\x24\0\0\0WAVEfmt \x14\0\0\0\x8e\x02", "audio/wav"),
            (b"FWS\x06abc", "application/x-shockwave-flash"),
            (b"PK\x03\x04\x14\0", "application/zip"),
            ("na\u{ef}ve\r\n".as_bytes(), "text/plain"),
            (b"FWS is three letters", "text/plain"),
            (b"BM is two", "text/plain"),
            (b"\xff\xfeh\0i\0", "text/plain"),
            (b"\0\x01\x02", "application/octet-stream"),
            (b"", "application/octet-stream"),
        ] {
            assert_eq!(of(bytes).mime, mime, "{bytes:?}");
        }
        let long = "\u{20ac}".repeat(2000);
        assert_eq!(of(long.as_bytes()).mime, "text/plain");
    }
}
