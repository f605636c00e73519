//! Lines of a text, with their numbers, none longer than a limit.

use std::io::{self, BufRead, Read};

/// Longest line that is read, in bytes: a payload of the largest size, in Python's notation, fits.
pub(super) const LONGEST: u64 = 5 << 20;

/// The lines of an input.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    bytes: u64,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Its bytes, without the end.
    pub(super) text: Vec<u8>,
    /// Whether it was longer than the limit, and what is beyond is left out.
    pub(super) is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Lines<R> {
        Lines { input, number: 0, bytes: 0 }
    }

    /// Returns how many bytes were read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the next line, or `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut text = Vec::new();
        let mut read = self.input.by_ref().take(LONGEST).read_until(b'\n', &mut text)? as u64;
        if read == 0 {
            return Ok(None);
        }
        let is_cut = read == LONGEST && text.last() != Some(&b'\n');
        if is_cut {
            read += skip_line(&mut self.input)?;
        }
        self.bytes += read;
        self.number += 1;
        if self.number == 1 && text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len());
        }
        let end = without_end(&text).len();
        text.truncate(end);
        Ok(Some(Line { number: self.number, text, is_cut }))
    }
}

/// Returns the lines of a text at hand. The last may be a part of one.
pub(super) fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).split(|&byte| byte == b'\n').map(without_end)
}

fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(skipped);
        }
        let end = memchr::memchr(b'\n', chunk).map(|at| at + 1);
        let count = end.unwrap_or(chunk.len());
        input.consume(count);
        skipped += count as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
