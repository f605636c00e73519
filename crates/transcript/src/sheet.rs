//! Tables for people: as text, Markdown, MediaWiki and a page of HTML.

use std::fmt::Write as _;

mod html;

pub use html::page;

/// A table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sheet {
    /// What it shows.
    pub title: String,
    /// A sentence on it; may be empty.
    pub note: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The cells, row by row.
    pub rows: Vec<Vec<String>>,
}

/// A column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its head.
    pub name: &'static str,
    /// Whether its cells are numbers, which stand at the right.
    pub is_number: bool,
    /// Whether its cells are protocol text, such as a line.
    pub is_code: bool,
}

impl Column {
    /// One of words.
    pub const fn text(name: &'static str) -> Column {
        Column { name, is_number: false, is_code: false }
    }

    /// One of numbers.
    pub const fn number(name: &'static str) -> Column {
        Column { name, is_number: true, is_code: false }
    }

    /// One of protocol text.
    pub const fn code(name: &'static str) -> Column {
        Column { name, is_number: false, is_code: true }
    }
}

impl Sheet {
    /// Returns an empty table.
    pub fn new(title: impl Into<String>, note: impl Into<String>, columns: &[Column]) -> Sheet {
        Sheet { title: title.into(), note: note.into(), columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Returns it as text in columns. Control characters are escaped.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n", visible(&self.title));
        if !self.note.is_empty() {
            let _ = writeln!(out, "{}", visible(&self.note));
        }
        let heads: Vec<String> = self.columns.iter().map(|column| column.name.to_owned()).collect();
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
        let width = |index: usize| {
            let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(index));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in std::iter::once(&heads).chain(&rows) {
            let mut line = String::from(" ");
            for ((cell, column), &width) in row.iter().zip(&self.columns).zip(&widths) {
                let _ = match column.is_number {
                    true => write!(line, " {cell:>width$} "),
                    false => write!(line, " {cell:<width$} "),
                };
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }

    /// Returns it as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut out = format!("## {}\n\n", markdown(&self.title));
        if !self.note.is_empty() {
            let _ = writeln!(out, "{}\n", markdown(&self.note));
        }
        let heads: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let rules: Vec<&str> =
            self.columns.iter().map(|column| if column.is_number { "---:" } else { "---" }).collect();
        let _ = writeln!(out, "| {} |\n| {} |", heads.join(" | "), rules.join(" | "));
        for row in &self.rows {
            let cells = row.iter().zip(&self.columns).map(|(cell, column)| match column.is_code {
                true if !cell.is_empty() => markdown_code(cell),
                _ => markdown(cell),
            });
            let _ = writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        out
    }

    /// Returns it as MediaWiki text.
    pub fn to_mediawiki(&self) -> String {
        let mut out = format!("== {} ==\n", wiki(&self.title));
        if !self.note.is_empty() {
            let _ = writeln!(out, "{}\n", wiki(&self.note));
        }
        let heads: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let _ = writeln!(out, "{{| class=\"wikitable sortable\"\n! {}", heads.join(" !! "));
        for row in &self.rows {
            let cells = row.iter().zip(&self.columns).map(|(cell, column)| match column.is_code {
                true if !cell.is_empty() => format!("<code>{}</code>", wiki(cell)),
                _ => wiki(cell),
            });
            let _ = writeln!(out, "|-\n| {}", cells.collect::<Vec<_>>().join(" || "));
        }
        out.push_str("|}\n");
        out
    }
}

/// Returns text in which a terminal finds nothing to obey.
fn visible(text: &str) -> String {
    let is_plain = |character: char| !character.is_control();
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    text.chars()
        .map(
            |character| {
                if is_plain(character) { character.to_string() } else { character.escape_default().to_string() }
            },
        )
        .collect()
}

fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in visible(text).chars() {
        if matches!(character, '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '&' | '#') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Code cannot be escaped, only fenced; a bar would end the cell even there.
fn markdown_code(text: &str) -> String {
    let text = visible(text).replace('|', "\\|");
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

fn wiki(text: &str) -> String {
    let text = html::escape(&visible(text));
    match text.chars().any(|character| "|[]{}'=*#:;~_".contains(character)) {
        true => format!("<nowiki>{text}</nowiki>"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let columns = [Column::code("Line"), Column::text("Meaning"), Column::number("Seen")];
        let mut sheet = Sheet::new("Forms", "What was seen.", &columns);
        sheet.rows.push(vec!["USR trid OK | x`y".into(), "a <b> & *c*".into(), "12".into()]);
        sheet.rows.push(vec!["".into(), "\x1b[31mred".into(), "3".into()]);
        sheet
    }

    #[test]
    fn text_stands_in_columns_and_obeys_nobody() {
        let expected = "\
Forms
What was seen.
  Line               Meaning        Seen
  USR trid OK | x`y  a <b> & *c*      12
                     \\u{1b}[31mred     3
";
        assert_eq!(sheet().to_text(), expected);
    }

    #[test]
    fn markdown_and_wiki_text_are_escaped() {
        let markdown = sheet().to_markdown();
        assert!(markdown.contains("| `` USR trid OK \\| x`y `` | a \\<b\\> \\& \\*c\\* | 12 |"), "{markdown}");
        let wiki = sheet().to_mediawiki();
        assert!(wiki.contains("<code><nowiki>USR trid OK | x`y</nowiki></code>"), "{wiki}");
        assert!(wiki.contains("<nowiki>a &lt;b&gt; &amp; *c*</nowiki> || 12"), "{wiki}");
    }

    #[test]
    fn a_page_is_escaped_and_whole() {
        let page = page("<Coverage>", "one & two", &[sheet()]);
        assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
        assert!(page.contains("<title>&lt;Coverage&gt;</title>"));
        assert!(page.contains("a &lt;b&gt; &amp; *c*"));
        assert!(!page.contains("<b>") && !page.contains("src=") && !page.contains("\x1b"));
    }
}
