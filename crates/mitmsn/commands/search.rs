//! `mitmsn search`: commands in years of recorded sessions.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::Style;
use anyhow::{Result, anyhow};
use msnp_index::{Hit, Index, IndexError, Outcome, Query, Term, Wait, highlight};
use msnp_transcript::screen::{Screen, printable};
use msnp_transcript::{CommandEvent, Event};
use serde_json::json;

use super::{index, output};
use crate::cli::Search;

/// Prints the hits.
pub(super) fn run(arguments: &Search) -> Result<ExitCode> {
    let source = arguments.words.join(" ");
    let query = (!source.trim().is_empty()).then(|| parse(&source)).transpose()?;
    let expression = arguments.expression.as_deref().map(|source| output::expression("--where", source)).transpose()?;
    let search = msnp_index::Search {
        query: query.as_ref(),
        verbs: arguments.verb.iter().map(|verb| verb.to_uppercase()).collect(),
        account: arguments.account.clone(),
        server: arguments.server,
        since: arguments.since.map(|period| period.start),
        until: arguments.until.map(|period| period.end),
        expression: expression.as_ref(),
        limit: (arguments.limit > 0).then_some(arguments.limit),
        context: arguments.context,
    };
    let index = open(arguments)?;
    let mut out = anstream::AutoStream::auto(std::io::stdout().lock());
    let outcome = if arguments.count {
        let outcome = index.count(&search)?;
        match arguments.json {
            true => writeln!(out, "{}", json!({ "count": outcome.hits }))?,
            false => writeln!(out, "{}", outcome.hits)?,
        }
        outcome
    } else {
        let terms = query.as_ref().map(Query::terms).unwrap_or_default();
        let mut printer =
            Printer { terms, verbosity: arguments.verbose, heading: None, has_context: arguments.context > 0 };
        index.search(&search, &mut |hit| match arguments.json {
            true => Ok(writeln!(out, "{}", to_json(&hit))?),
            false => printer.print(&hit, &mut out),
        })?
    };
    out.flush()?;
    remark(&outcome, arguments);
    Ok(ExitCode::SUCCESS)
}

fn parse(source: &str) -> Result<Query> {
    Query::parse(source).map_err(|error| {
        let column = source.get(..error.range.start).map_or(0, |before| before.chars().count());
        let width = source.get(error.range.clone()).map_or(1, |part| part.chars().count().max(1));
        let carets = "^".repeat(width);
        let help = error.help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
        anyhow!("{error}\n  {source}\n  {:column$}{carets}{help}", "")
    })
}

/// Opens the index, up to date unless it need not or cannot be.
fn open(arguments: &Search) -> Result<Index> {
    let (folder, path) = index::places(arguments.dir.as_deref(), arguments.database.as_deref())?;
    if arguments.no_update {
        return Ok(Index::open_to_search(&folder, &path)?);
    }
    match Index::open(&folder, &path, Wait::No) {
        Ok(mut found) => {
            index::update(&mut found)?;
            Ok(found)
        }
        Err(error @ (IndexError::Busy { .. } | IndexError::Write { .. })) if path.exists() => {
            anstream::eprintln!("mitmsn: {error}: searching what the index has");
            Ok(Index::open_to_search(&folder, &path)?)
        }
        Err(error) => Err(error.into()),
    }
}

struct Printer<'a> {
    terms: &'a [Term],
    verbosity: u8,
    /// Date and transcript of the hit before.
    heading: Option<(String, PathBuf)>,
    has_context: bool,
}

impl Printer<'_> {
    fn print(&mut self, hit: &Hit, out: &mut impl Write) -> Result<()> {
        let date = hit.event.stem.time.get(..10).unwrap_or_default().to_owned();
        let heading = Some((date.clone(), hit.file.clone()));
        if heading != self.heading {
            let gap = if self.heading.is_some() { "\n" } else { "" };
            let name = hit.file.file_name().unwrap_or_default().to_string_lossy();
            let text = printable(format!("{date} {name} {}", hit.event.stem.session).as_bytes());
            writeln!(out, "{gap}{HEADING}{text}{HEADING:#}")?;
            self.heading = heading;
        } else if self.has_context {
            writeln!(out, "{PLACE}--{PLACE:#}")?;
        }
        let mut screen = Screen::new(output::options(self.verbosity));
        screen.learn(&hit.introduction());
        for event in &hit.before {
            write!(out, "{}", screen.draw(&Event::Command(event.clone())))?;
        }
        self.hit(hit, &mut screen, out)?;
        for event in &hit.after {
            write!(out, "{}", screen.draw(&Event::Command(event.clone())))?;
        }
        Ok(())
    }

    /// The command as it was shown, its place, and the lines of its payload in which words stand.
    fn hit(&self, hit: &Hit, screen: &mut Screen, out: &mut impl Write) -> Result<()> {
        let event = Event::Command(hit.event.clone());
        let drawn = screen.draw(&event);
        let place = hit.place();
        let place = place.rsplit_once(':').map_or(place.as_str(), |(_, place)| place);
        for (number, line) in drawn.lines().enumerate() {
            let line = self.mark(line).0;
            match number {
                0 => writeln!(out, "{line}   {PLACE}{place}{PLACE:#}")?,
                _ => writeln!(out, "{line}")?,
            }
        }
        if self.verbosity > 0 {
            return Ok(());
        }
        let mut verbose = Screen::new(output::options(1));
        verbose.learn(&hit.introduction());
        let drawn = verbose.draw(&event);
        let is_payload = |line: &&str| anstream::adapter::strip_str(line).to_string().trim_start().starts_with('|');
        let marked = drawn.lines().filter(is_payload).map(|line| self.mark(line)).filter(|(_, count)| *count > 0);
        for (line, _) in marked.take(MOST_LINES) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn mark(&self, line: &str) -> (String, usize) {
        highlight(line, self.terms, &format!("{FOUND}"), &format!("{FOUND:#}"))
    }
}

fn to_json(hit: &Hit) -> String {
    let commands =
        |events: &[CommandEvent]| events.iter().map(|event| Event::Command(event.clone())).collect::<Vec<_>>();
    let mut object = json!({
        "file": hit.file,
        "place": hit.place(),
        "offset": hit.offset,
        "account": hit.account,
        "event": Event::Command(hit.event.clone()),
    });
    if let (Some(object), false) = (object.as_object_mut(), hit.before.is_empty() && hit.after.is_empty()) {
        object.insert("before".into(), json!(commands(&hit.before)));
        object.insert("after".into(), json!(commands(&hit.after)));
    }
    object.to_string()
}

/// Says what the hits do not.
fn remark(outcome: &Outcome, arguments: &Search) {
    if outcome.more {
        anstream::eprintln!("mitmsn: there are more; these are the newest {}, --limit 0 shows all", arguments.limit);
    }
    if outcome.hits == 0 && !arguments.count {
        anstream::eprintln!("mitmsn: nothing was found");
    }
    if outcome.stale > 0 {
        anstream::eprintln!(
            "mitmsn: {} commands are left out, since their transcripts changed after they were indexed: run `mitmsn index`",
            outcome.stale
        );
    }
}

const HEADING: Style = Style::new().bold();
const PLACE: Style = Style::new().dimmed();
const FOUND: Style = Style::new().invert();
/// Most lines of a payload that are shown of a hit.
const MOST_LINES: usize = 4;
