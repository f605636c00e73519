//! Writes years of made-up sessions into a folder, to try `mitmsn search` on: `corpus DIR [COMMANDS]`.
#![expect(clippy::print_stderr, reason = "an example tells what it did")]

use std::path::PathBuf;

#[path = "../benches/support/corpus.rs"]
mod corpus;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map(PathBuf::from).ok_or_else(|| std::io::Error::other("corpus DIR [COMMANDS]"))?;
    let commands = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    std::fs::create_dir_all(&folder)?;
    let bytes = corpus::write(&folder, commands)?;
    let [common, rare] = [0, 15_000].map(corpus::word_of);
    eprintln!("{commands} commands, {bytes} bytes; a common word is {common:?}, a rare one {rare:?}");
    Ok(())
}
