//! The state of a session over time: what each command changed in it.

use std::collections::BTreeMap;

use super::page::{Page, count};
use super::plan::Plan;
use crate::SessionState;
use crate::event::Event;
use crate::export::summary::clock;
use crate::state::{Contact, Switchboard};

/// What one event changed.
struct Step {
    index: usize,
    changes: Vec<Change>,
}

/// One thing that is no longer as it was.
#[derive(PartialEq, Debug)]
struct Change {
    /// Whose, such as `bob@example.com`; empty for the session's own.
    whose: String,
    what: &'static str,
    before: Option<String>,
    after: Option<String>,
}

/// A part of somebody's state, and what it is called.
type Field<T> = (&'static str, fn(&T) -> Option<String>);

/// What was known before.
#[derive(Default)]
struct Known {
    own: Vec<(&'static str, Option<String>)>,
    groups: BTreeMap<String, String>,
    contacts: BTreeMap<String, Contact>,
    switchboards: Vec<Switchboard>,
}

/// Adds the section, if anything changed.
pub(super) fn section(page: &mut Page, plan: &Plan<'_>) -> bool {
    let (steps, left_out) = steps(plan);
    if steps.is_empty() {
        return false;
    }
    page.raw("<section aria-labelledby=\"state\">\n<h2 id=\"state\">State over time</h2>\n");
    page.raw("<p>What the two ends had been told: each row is a command that left and what it changed.</p>\n");
    page.raw("<div class=\"wide\" role=\"region\" aria-labelledby=\"state\" tabindex=\"0\"><table class=\"state\">\n");
    page.raw("<thead><tr><th scope=\"col\">Time</th><th scope=\"col\">By</th><th scope=\"col\">Change</th></tr></thead>\n<tbody>\n");
    let mut rest = &steps[..];
    while let Some(first) = rest.first() {
        let like = |step: &&Step| cause(plan, step.index) == cause(plan, first.index);
        let run = rest.iter().take_while(like).count().max(1);
        let (group, after) = rest.split_at(run);
        rest = after;
        if run > MOST_ALIKE {
            let changes: usize = group.iter().map(|step| step.changes.len()).sum();
            row(page, plan, first.index, &format!(" \u{d7}{run}"));
            page.raw("<details><summary>").text(&count(changes as u64, "change")).raw("</summary><ul>");
            group.iter().for_each(|step| step.changes.iter().for_each(|change| item(page, change)));
            page.raw("</ul></details></td></tr>\n");
            continue;
        }
        for step in group {
            row(page, plan, step.index, "");
            page.raw("<ul>");
            step.changes.iter().take(MOST_AT_ONCE).for_each(|change| item(page, change));
            if let Some(more) = step.changes.len().checked_sub(MOST_AT_ONCE).filter(|&more| more > 0) {
                page.raw("<li>and ").text(&count(more as u64, "more change")).raw("</li>");
            }
            page.raw("</ul></td></tr>\n");
        }
    }
    page.raw("</tbody>\n</table></div>\n");
    if left_out > 0 {
        page.raw("<p>").text(&count(left_out, "later change")).raw(" are left out.</p>\n");
    }
    page.raw("</section>\n");
    true
}

fn row(page: &mut Page, plan: &Plan<'_>, index: usize, more: &str) {
    let Some(event) = plan.transcript.events.get(index) else { return };
    page.raw("<tr><td><time>").text(clock(&event.stem().time)).raw("</time></td><td>");
    let verb = match event {
        Event::Command(event) => event.verb.as_str(),
        Event::Released(_) => "let go",
        Event::ConnectionOpened(_) => "opened",
        _ => "closed",
    };
    let name = format!("{verb}{more} #{}", event.stem().seq);
    match plan.address(index) {
        Some(address) => page.raw("<a href=\"").text(&address).raw("\">").text(&name).raw("</a>"),
        None => page.text(&name),
    };
    page.raw("</td><td>");
}

fn item(page: &mut Page, change: &Change) {
    page.raw("<li>");
    if !change.whose.is_empty() {
        page.raw("<b>").text(&change.whose).raw("</b> ");
    }
    page.raw(change.what);
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            page.raw(": <del>").text(before).raw("</del> \u{2192} <ins>").text(after).raw("</ins>")
        }
        (None, Some(after)) => page.raw(": <ins>").text(after).raw("</ins>"),
        (Some(before), None) => page.raw(": <del>").text(before).raw("</del> gone"),
        (None, None) => page,
    };
    page.raw("</li>");
}

/// What a step must share with those beside it to stand in one row with them.
fn cause<'a>(plan: &Plan<'a>, index: usize) -> Option<(u64, &'a str)> {
    match plan.transcript.events.get(index) {
        Some(Event::Command(event)) => Some((event.connection, &event.verb)),
        _ => None,
    }
}

fn steps(plan: &Plan<'_>) -> (Vec<Step>, u64) {
    let mut state = SessionState::new();
    let mut known = Known::default();
    let mut steps = Vec::new();
    let (mut room, mut left_out) = (MOST_CHANGES, 0);
    for (index, event) in plan.transcript.events.iter().enumerate() {
        state.learn(event);
        let may_change = match event {
            Event::Command(event) => !CHANGES_NOTHING.contains(&event.verb.as_str()),
            Event::Released(_) | Event::ConnectionOpened(_) | Event::ConnectionClosed(_) => true,
            _ => false,
        };
        if !may_change {
            continue;
        }
        let changes = known.catch_up(&state);
        if changes.is_empty() {
            continue;
        }
        if changes.len() > room {
            room = 0;
            left_out += changes.len() as u64;
            continue;
        }
        room -= changes.len();
        steps.push(Step { index, changes });
    }
    (steps, left_out)
}

impl Known {
    /// Returns what is different in `state`, and knows it from now on.
    fn catch_up(&mut self, state: &SessionState) -> Vec<Change> {
        let mut changes = Vec::new();
        let own = own(state);
        for (index, (what, after)) in own.iter().enumerate() {
            let before = self.own.get(index).and_then(|(_, before)| before.clone());
            note(&mut changes, "", what, before, after.clone());
        }
        self.own = own;
        if self.groups != state.groups {
            map(&mut changes, &self.groups, &state.groups, |changes, key, before, after| {
                note(changes, "", "group", before.map(|name| named(name, key)), after.map(|name| named(name, key)));
            });
            self.groups.clone_from(&state.groups);
        }
        if self.contacts != state.contacts {
            map(&mut changes, &self.contacts, &state.contacts, contact);
            self.contacts.clone_from(&state.contacts);
        }
        if self.switchboards != state.switchboards {
            switchboards(&mut changes, &self.switchboards, &state.switchboards);
            self.switchboards.clone_from(&state.switchboards);
        }
        changes
    }
}

fn own(state: &SessionState) -> Vec<(&'static str, Option<String>)> {
    let presence = &state.presence;
    vec![
        ("account", state.account.clone()),
        ("version", state.version.map(|version| version.to_string())),
        ("logged in", state.logged_in.then(|| "yes".into())),
        ("name", state.friendly_name.clone()),
        ("status", presence.status.clone()),
        ("personal message", presence.personal_message.clone()),
        ("what is playing", presence.current_media.clone()),
        ("capabilities", presence.capabilities.clone()),
        ("display picture", presence.object.clone()),
        ("privacy", state.privacy.clone()),
        ("prompt", state.prompt.clone()),
    ]
}

fn contact(changes: &mut Vec<Change>, address: &str, before: Option<&Contact>, after: Option<&Contact>) {
    let fields: [Field<Contact>; 8] = [
        ("lists", |one| join(one.lists.iter().map(|list| list.as_str()))),
        ("groups", |one| join(one.groups.iter().map(String::as_str))),
        ("name", |one| one.name.clone()),
        ("status", |one| one.presence.status.clone()),
        ("personal message", |one| one.presence.personal_message.clone()),
        ("what is playing", |one| one.presence.current_media.clone()),
        ("capabilities", |one| one.presence.capabilities.clone()),
        ("display picture", |one| one.presence.object.clone()),
    ];
    if after.is_none() {
        note(changes, address, "contact", Some("known".into()), None);
        return;
    }
    for (what, field) in fields {
        note(changes, address, what, before.and_then(field), after.and_then(field));
    }
}

fn switchboards(changes: &mut Vec<Change>, before: &[Switchboard], after: &[Switchboard]) {
    let numbers = |boards: &[Switchboard]| boards.iter().map(|board| board.connection).collect::<Vec<_>>();
    let mut all = numbers(before);
    all.extend(numbers(after));
    all.sort_unstable();
    all.dedup();
    for number in all {
        let find = |boards: &[Switchboard]| boards.iter().find(|board| board.connection == number).cloned();
        let (before, after) = (find(before), find(after));
        let whose = format!("sb#{number}");
        let fields: [Field<Switchboard>; 5] = [
            ("conversation", |_| Some("open".into())),
            ("let in", |board| board.joined.then(|| "yes".into())),
            ("session id", |board| board.session_id.clone()),
            ("called", |board| join(board.ringing.iter().map(String::as_str))),
            ("who is there", |board| join(board.participants.keys().map(String::as_str))),
        ];
        for (what, field) in fields {
            if what != "conversation" && after.is_none() {
                break;
            }
            note(changes, &whose, what, before.as_ref().and_then(field), after.as_ref().and_then(field));
        }
    }
}

fn map<T: PartialEq>(
    changes: &mut Vec<Change>,
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    mut note: impl FnMut(&mut Vec<Change>, &str, Option<&T>, Option<&T>),
) {
    for (key, old) in before {
        let new = after.get(key);
        if new != Some(old) {
            note(changes, key, Some(old), new);
        }
    }
    for (key, new) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        note(changes, key, None, Some(new));
    }
}

fn note(changes: &mut Vec<Change>, whose: &str, what: &'static str, before: Option<String>, after: Option<String>) {
    if before != after {
        changes.push(Change { whose: whose.to_owned(), what, before, after });
    }
}

fn named(name: &str, key: &str) -> String {
    format!("{name} ({key})")
}

fn join<'a>(items: impl Iterator<Item = &'a str>) -> Option<String> {
    let items: Vec<&str> = items.collect();
    (!items.is_empty()).then(|| items.join(" "))
}

/// Frequent verbs that only count, if anything.
const CHANGES_NOTHING: [&str; 12] =
    ["MSG", "ACK", "NAK", "PNG", "QNG", "CHL", "QRY", "SDG", "UUN", "UBN", "UBM", "UUM"];
/// A page shows no more changes than these,
const MOST_CHANGES: usize = 3000;
/// no more of one command,
const MOST_AT_ONCE: usize = 50;
/// and no more commands of one verb in a row without folding them.
const MOST_ALIKE: usize = 4;
