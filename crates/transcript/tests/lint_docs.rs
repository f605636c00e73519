//! The list of rules in the documentation is that of the table.

use std::path::Path;

use msnp_transcript::lint::rules;

const BEGIN: &str = "<!-- rules: begin -->\n";
const END: &str = "<!-- rules: end -->";

#[test]
fn the_documented_rules_are_those_of_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lint.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    let current = format!("{}\n{}\n", rules::SOURCES, rules::to_markdown());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, [before, BEGIN, &current, END, after].concat()).unwrap();
        return;
    }
    assert!(listed == current, "run the test again with UPDATE_DOCS=1 and commit docs/lint.md");
}
