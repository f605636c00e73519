//! Inputs that are compressed: gzip and zstd, told by how they begin.

use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::ReadError;

/// Returns an input with what is inside, if it is compressed, or as it is.
pub(crate) fn open<'a>(mut input: impl Read + 'a, name: &Path) -> Result<Box<dyn Read + 'a>, ReadError> {
    let mut head = Vec::new();
    let failed = |error, offset| ReadError::Read { name: name.to_owned(), offset, error };
    while head.len() < 4 {
        let mut chunk = [0; 4];
        match input.read(&mut chunk[..4 - head.len()]) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error, head.len() as u64)),
        }
    }
    let kind = head.clone();
    let input = Cursor::new(head).chain(input);
    Ok(match kind[..] {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(BufReader::with_capacity(SIZE, input))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let decoder = zstd::Decoder::new(BufReader::with_capacity(SIZE, input));
            Box::new(decoder.map_err(|error| failed(error, 0))?)
        }
        _ => Box::new(input),
    })
}

const SIZE: usize = 128 << 10;
