//! The table of an experiment, in each of its formats.

use serde::Serialize;

use super::run::Row;
use crate::cli::TableFormat;

/// Writes the rows.
pub(super) fn write(rows: &[Row], format: TableFormat) -> serde_json::Result<String> {
    let cells: Vec<[String; 5]> = rows.iter().map(cells).collect();
    Ok(match format {
        TableFormat::Text => text(&cells),
        TableFormat::Markdown => markdown(&cells),
        TableFormat::Mediawiki => mediawiki(&cells),
        TableFormat::Json => json(rows)?,
    })
}

/// Returns a row as people read it: sent, got, after, connection, expectation.
pub(super) fn cells(row: &Row) -> [String; 5] {
    let sent = row.sent.lines().collect::<Vec<_>>().join(" / ");
    let got = if row.got.is_empty() { "nothing".to_owned() } else { row.got.join(" / ") };
    let connection = if row.disconnected { "closed" } else { "open" };
    let passed = match row.passed {
        Some(true) => "as expected",
        Some(false) => "NOT as expected",
        None => "",
    };
    [short(&sent), short(&got), format!("{:.3} s", row.after), connection.to_owned(), passed.to_owned()]
}

const HEAD: [&str; 5] = ["sent", "got", "after", "connection", "expectation"];

fn text(cells: &[[String; 5]]) -> String {
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.chain([HEAD[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: [&str; 5]| {
        let parts = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", parts.collect::<Vec<_>>().join("  ").trim_end())
    };
    let rows = cells.iter().map(|row| line(row.each_ref().map(String::as_str)));
    [line(HEAD)].into_iter().chain(rows).collect()
}

fn markdown(cells: &[[String; 5]]) -> String {
    let line = |row: [String; 5]| format!("| {} |\n", row.join(" | "));
    let code = |cell: &str| format!("`{}`", cell.replace('`', "'").replace('|', "\\|"));
    let row = |row: &[String; 5]| line([code(&row[0]), code(&row[1]), row[2].clone(), row[3].clone(), row[4].clone()]);
    let head = line(HEAD.map(str::to_owned)) + "|---|---|---|---|---|\n";
    head + &cells.iter().map(row).collect::<String>()
}

fn mediawiki(cells: &[[String; 5]]) -> String {
    let code =
        |cell: &str| format!("<code><nowiki>{}</nowiki></code>", cell.replace('&', "&amp;").replace('<', "&lt;"));
    let row = |row: &[String; 5]| {
        format!("|-\n| {} || {} || {} || {} || {}\n", code(&row[0]), code(&row[1]), row[2], row[3], row[4])
    };
    let rows = cells.iter().map(row).collect::<String>();
    format!("{{| class=\"wikitable\"\n! {}\n{rows}|}}\n", HEAD.join(" !! "))
}

fn json(rows: &[Row]) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Table<'a> {
        rows: &'a [Row],
    }
    Ok(serde_json::to_string_pretty(&Table { rows })? + "\n")
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}… ({} characters)", &text[..at], text.chars().count()),
        None => text.to_owned(),
    }
}

/// Longest cell, in characters; JSON has all.
const LONGEST: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |sent: &str, got: &[&str], disconnected, passed| Row {
            experiment: "x".into(),
            variant: vec![("status".into(), "NLN".into())],
            sent: sent.into(),
            got: got.iter().map(|line| (*line).to_owned()).collect(),
            after: 0.0125,
            disconnected,
            passed,
        };
        vec![
            row(">>> CHG 9 NLN|0\n", &["CHG 9 NLN|0"], false, Some(true)),
            row(">>> XXX 10\n| <a>\n", &[], true, Some(false)),
        ]
    }

    #[test]
    fn every_format_has_every_row() {
        assert_eq!(
            write(&rows(), TableFormat::Text).unwrap(),
            "sent                got          after    connection  expectation\n\
             >>> CHG 9 NLN|0     CHG 9 NLN|0  0.013 s  open        as expected\n\
             >>> XXX 10 / | <a>  nothing      0.013 s  closed      NOT as expected\n"
        );
        assert_eq!(
            write(&rows(), TableFormat::Markdown).unwrap(),
            "| sent | got | after | connection | expectation |\n|---|---|---|---|---|\n\
             | `>>> CHG 9 NLN\\|0` | `CHG 9 NLN\\|0` | 0.013 s | open | as expected |\n\
             | `>>> XXX 10 / \\| <a>` | `nothing` | 0.013 s | closed | NOT as expected |\n"
        );
        let wiki = write(&rows(), TableFormat::Mediawiki).unwrap();
        assert!(
            wiki.starts_with("{| class=\"wikitable\"\n! sent !! got !! ") && wiki.ends_with("NOT as expected\n|}\n")
        );
        assert!(wiki.contains("<code><nowiki>>>> XXX 10 / | &lt;a></nowiki></code>"), "{wiki}");
        let json: serde_json::Value = serde_json::from_str(&write(&rows(), TableFormat::Json).unwrap()).unwrap();
        assert_eq!(json["rows"][1]["passed"], false);
    }
}
