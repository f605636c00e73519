//! A sequence diagram as SVG within the page.

use msnp::Direction;

use super::diagram::{Diagram, Drawn, Row};
use super::page::{Page, count};
use super::plan::Plan;

/// Where things are, in pixels.
struct Layout<'a> {
    diagram: &'a Diagram,
    width: u64,
    height: u64,
}

/// Adds the section, if there is something to draw.
pub(super) fn section(page: &mut Page, plan: &Plan<'_>) -> bool {
    let diagram = Diagram::of(plan);
    if diagram.rows() == 0 {
        return false;
    }
    let lanes = 1 + diagram.connections.len() + usize::from(diagram.has_others) + diagram.people.len();
    let rows = diagram.rows() as u64 + u64::from(diagram.left_out.0 > 0);
    let width = FIRST + TEXT + LANE * (lanes as u64 - 1) + 80;
    let layout = Layout { diagram: &diagram, width, height: rows * ROW + ROW };
    page.raw("<section aria-labelledby=\"sequence\">\n<h2 id=\"sequence\">Sequence</h2>\n");
    page.raw("<p>Each arrow leads to its command. <span class=\"key\"><span class=\"c2s\">\u{2192} client</span> ");
    page.raw("<span class=\"s2c\">\u{2190} server</span> <span class=\"injected\">+ injected</span> <span class=\"changed\">~ changed</span> ");
    page.raw("<span class=\"dropped\">x dropped</span> <span class=\"held\">=|| held</span> <span>\u{254c} said of other people</span></span></p>\n");
    page.raw("<div class=\"diagram\" role=\"region\" aria-label=\"Sequence diagram\" tabindex=\"0\">\n");
    layout.lanes(page, plan);
    layout.open(page, "rows", layout.height);
    layout.lifelines(page);
    let mut y = ROW;
    for (at, row) in diagram.head.iter().chain(&diagram.tail).enumerate() {
        if at == diagram.head.len() && diagram.left_out.0 > 0 {
            let text = format!(
                "\u{2026} {} are not drawn here: the pages of the connections have them",
                count(diagram.left_out.1, "command")
            );
            page.raw("<text class=\"out\" x=\"")
                .number(FIRST + 8)
                .raw("\" y=\"")
                .number(y)
                .raw("\">")
                .text(&text)
                .raw("</text>\n");
            y += ROW;
        }
        layout.row(page, plan, row, y);
        y += ROW;
    }
    page.raw("</svg>\n</div>\n</section>\n");
    true
}

impl Layout<'_> {
    fn open(&self, page: &mut Page, class: &'static str, height: u64) {
        page.raw("<svg class=\"").raw(class).raw("\" width=\"").number(self.width).raw("\" height=\"").number(height);
        page.raw("\" viewBox=\"0 0 ")
            .number(self.width)
            .raw(" ")
            .number(height)
            .raw("\" preserveAspectRatio=\"xMinYMin");
        page.raw("\" role=\"group\" aria-label=\"")
            .raw(if class == "rows" { "Commands in order" } else { "Lanes" })
            .raw("\">\n");
    }

    /// The names above the lanes, which stay while the rows scroll.
    fn lanes(&self, page: &mut Page, plan: &Plan<'_>) {
        self.open(page, "lanes", HEAD);
        let mut name = |x: u64, upper: &str, lower: &str| {
            page.raw("<text x=\"").number(x).raw("\" y=\"16\"><tspan class=\"name\">").text(upper).raw("</tspan>");
            page.raw("<tspan class=\"sub\" x=\"").number(x).raw("\" y=\"31\">").text(lower).raw("</tspan></text>\n");
        };
        let account = plan.summary.account.as_deref().unwrap_or("");
        name(FIRST, "client", &cut(account, 30));
        for &number in &self.diagram.connections {
            let facts = plan.summary.connections.get(&number);
            let kind = facts.map_or("??", |facts| facts.kind());
            let host = facts.map_or("", |facts| facts.upstream.as_str());
            name(self.x_of(number), &format!("{kind}#{number}"), &cut(host, LABEL));
        }
        if self.diagram.has_others {
            name(self.x(self.diagram.connections.len() as u64 + 1), "further", "connections");
        }
        for (at, person) in self.diagram.people.iter().enumerate() {
            let (user, domain) = person.split_once('@').unwrap_or((person, ""));
            name(self.x(self.person(at)), &cut(user, LABEL), &cut(&format!("@{domain}"), LABEL));
        }
        page.raw("</svg>\n");
    }

    /// The lines that the lanes are; a connection's is bold while it is open.
    fn lifelines(&self, page: &mut Page) {
        let lanes =
            1 + self.diagram.connections.len() + usize::from(self.diagram.has_others) + self.diagram.people.len();
        for lane in 0..lanes as u64 {
            line(page, "lane", (self.x(lane), 0), (self.x(lane), self.height));
        }
        line(page, "life", (FIRST, 0), (FIRST, self.height));
        let gap = (self.diagram.left_out.0 > 0).then_some(self.diagram.head.len());
        let y = |at: usize| ROW * (at as u64 + 1) + gap.filter(|&gap| at >= gap).map_or(0, |_| ROW);
        for &number in &self.diagram.connections {
            let rows = || self.diagram.head.iter().chain(&self.diagram.tail).enumerate();
            let mine = |row: &Row| row.connection == number;
            let first = rows().find(|(_, row)| mine(row)).map(|(at, _)| y(at));
            let closed = rows().find(|(_, row)| mine(row) && row.what == Drawn::Closed).map(|(at, _)| y(at));
            if let Some(first) = first {
                let last = closed.unwrap_or(self.height).max(first);
                line(page, "life", (self.x_of(number), first), (self.x_of(number), last));
            }
        }
    }

    fn row(&self, page: &mut Page, plan: &Plan<'_>, row: &Row, y: u64) {
        page.raw("<text class=\"t\" x=\"4\" y=\"").number(y + 4).raw("\">").text(&row.time).raw("</text>\n");
        let Some(address) = plan.address(row.index) else { return };
        let x = self.x_of(row.connection);
        page.raw("<a href=\"").text(&address).raw("\"");
        match &row.what {
            Drawn::Arrow { direction, label, count, fate, sign, is_error, person } => {
                page.raw(" class=\"").raw(direction.as_str()).raw(" ").raw(fate.unwrap_or(""));
                page.raw(if *is_error { " err\">" } else { "\">" });
                let mut text = match count {
                    1 => label.clone(),
                    _ => format!("{} \u{d7}{count}", label.get(..3).unwrap_or(label)),
                };
                if !sign.is_empty() {
                    text = format!("{sign} {text}");
                }
                page.raw("<title>").text(direction.sender()).raw(": ").text(&text).raw("</title>");
                page.raw("<rect class=\"hit\" x=\"").number(FIRST).raw("\" y=\"").number(y - ROW / 2 - 3);
                page.raw("\" width=\"").number(x - FIRST).raw("\" height=\"").number(ROW).raw("\"/>");
                arrow(page, *direction, *fate, (FIRST, x), y);
                if let Some(at) =
                    person.as_ref().and_then(|person| self.diagram.people.iter().position(|one| one == person))
                {
                    beyond(page, *direction, (x, self.x(self.person(at))), y);
                }
                page.raw("<text class=\"label\" x=\"").number(FIRST + 8).raw("\" y=\"").number(y - 4).raw("\">");
                page.text(&text).raw("</text>");
            }
            Drawn::Opened | Drawn::Closed => {
                let is_end = row.what == Drawn::Closed;
                page.raw(" class=\"edge\">");
                mark(page, is_end, x, y);
                page.raw("<text class=\"small\" x=\"").number(x + 10).raw("\" y=\"").number(y + 4).raw("\">");
                page.raw(if is_end { "closed" } else { "opened" }).raw("</text>");
            }
            Drawn::Remark(text) => {
                page.raw(" class=\"remark\"><text class=\"small\" x=\"").number(FIRST + 8).raw("\" y=\"").number(y + 4);
                page.raw("\">\u{26a0} #").number(row.connection).raw(" ").text(text).raw("</text>");
            }
        }
        page.raw("</a>\n");
    }

    fn x(&self, lane: u64) -> u64 {
        if lane == 0 { FIRST } else { FIRST + TEXT + LANE * (lane - 1) }
    }

    fn x_of(&self, connection: u64) -> u64 {
        let lanes = &self.diagram.connections;
        self.x(lanes.iter().position(|&number| number == connection).unwrap_or(lanes.len()) as u64 + 1)
    }

    fn person(&self, at: usize) -> u64 {
        (1 + self.diagram.connections.len() + usize::from(self.diagram.has_others) + at) as u64
    }
}

fn line(page: &mut Page, class: &'static str, from: (u64, u64), to: (u64, u64)) {
    page.raw("<line class=\"").raw(class).raw("\" x1=\"").number(from.0).raw("\" y1=\"").number(from.1);
    page.raw("\" x2=\"").number(to.0).raw("\" y2=\"").number(to.1).raw("\"/>\n");
}

/// An arrow between client and server. The proxy is in the middle: what it made starts there, what it dropped ends there.
fn arrow(page: &mut Page, direction: Direction, fate: Option<&'static str>, (client, server): (u64, u64), y: u64) {
    let middle = client + (server - client) / 2;
    let (from, to) = match direction {
        Direction::ClientToServer => (client, server),
        Direction::ServerToClient => (server, client),
    };
    let from = if fate == Some("injected") { middle } else { from };
    let to = if fate == Some("dropped") { middle } else { to };
    line(page, "arrow", (from, y), (to, y));
    if fate == Some("dropped") {
        mark(page, true, to, y);
    } else {
        head(page, from < to, to, y);
    }
    if fate.is_some_and(|fate| fate != "dropped") {
        page.raw("<circle class=\"dot\" cx=\"").number(middle).raw("\" cy=\"").number(y).raw("\" r=\"3\"/>");
    }
}

/// What somebody did behind the server.
fn beyond(page: &mut Page, direction: Direction, (server, person): (u64, u64), y: u64) {
    let (from, to) = match direction {
        Direction::ClientToServer => (server, person),
        Direction::ServerToClient => (person, server),
    };
    line(page, "beyond", (from, y), (to, y));
    head(page, from < to, to, y);
}

fn head(page: &mut Page, is_right: bool, x: u64, y: u64) {
    let back = if is_right { x - 7 } else { x + 7 };
    page.raw("<path class=\"head\" d=\"M").number(x).raw(" ").number(y).raw("L").number(back).raw(" ").number(y - 4);
    page.raw("L").number(back).raw(" ").number(y + 4).raw("Z\"/>");
}

/// A circle where something begins, a cross where it ends.
fn mark(page: &mut Page, is_end: bool, x: u64, y: u64) {
    if is_end {
        page.raw("<path class=\"cross\" d=\"M")
            .number(x - 4)
            .raw(" ")
            .number(y - 4)
            .raw("L")
            .number(x + 4)
            .raw(" ")
            .number(y + 4);
        page.raw("M").number(x - 4).raw(" ").number(y + 4).raw("L").number(x + 4).raw(" ").number(y - 4).raw("\"/>");
    } else {
        page.raw("<circle class=\"begin\" cx=\"").number(x).raw("\" cy=\"").number(y).raw("\" r=\"4\"/>");
    }
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

/// Height of a row,
const ROW: u64 = 26;
/// and of the names above.
const HEAD: u64 = 40;
/// Where the client's lane is, right of the times;
const FIRST: u64 = 104;
/// how far the first server's is from it, which leaves room for text;
const TEXT: u64 = 340;
/// and how far the others are from each other.
const LANE: u64 = 124;
/// Names of lanes are cut after so many characters.
const LABEL: usize = 17;
