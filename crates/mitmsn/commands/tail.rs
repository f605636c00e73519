//! `mitmsn tail`: the dialogues of a running proxy.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use mitmsn_web::types::Lagged;
use msnp_transcript::event::Event;
use msnp_transcript::screen::Screen;

use super::control::Remote;
use super::{output, sessions};
use crate::cli::Tail;

/// Follows until the proxy ends, the reader of the output leaves, or there were as many events as asked for.
pub(super) fn run(arguments: &Tail) -> Result<ExitCode> {
    // says what is wrong with a filter better than the proxy can
    output::filter(&arguments.view)?;
    let remote = Remote::find(&arguments.reach)?;
    let mut route = "/api/events?".to_owned();
    if let Some(filter) = &arguments.view.filter {
        route += &format!("filter={}&", percent(filter));
    }
    if let Some(session) = &arguments.session {
        route += &format!("session={}&", sessions::find(&remote, session)?);
    }
    let mut screen = Screen::new(output::options(arguments.view.verbose));
    let mut left = arguments.count.unwrap_or(u64::MAX);
    let mut out = anstream::stdout();
    if left == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    remote.follow(&route, |name, _, data| {
        if name == "lagged" {
            let Lagged { missed } = serde_json::from_str(data).context("the proxy's stream is not understood")?;
            anstream::eprintln!("mitmsn: {missed} events were too many to show; they are in the transcripts");
            return Ok(true);
        }
        let event: Event = serde_json::from_str(data).context("the proxy's stream is not understood")?;
        if name == "opening" {
            screen.learn(&event);
            return Ok(true);
        }
        let text = if arguments.reach.json { format!("{data}\n") } else { screen.draw(&event) };
        if text.is_empty() {
            return Ok(true);
        }
        out.write_all(text.as_bytes())?;
        out.flush()?;
        left -= 1;
        Ok(left > 0)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a text as a part of a query.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
