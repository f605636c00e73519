//! The committed JSON Schemas are those of the types, and a validator that nobody here wrote understands them.

use std::path::Path;

use msnp_transcript::{diff, event, extract, state};
use serde_json::Value;

const HEADER: &str = r#"{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","format":"mitmsn-transcript","version":1,"software":"mitmsn 0.1.0"}"#;
const COMMAND: &str = r#"{"type":"command","seq":17,"time":"2026-11-22T12:00:01.234567Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"XFR","trid":7,"args":["7","SB","127.0.0.1:1863","CKI","17262740.1050826919.32308"],"origin":"peer","sent":[{"direction":"s2c","verb":"XFR","args":["7","SB","127.0.0.1:41863","CKI","17262740.1050826919.32308"]}],"by":["redirect"]}"#;

#[test]
fn the_committed_schemas_are_current() {
    for (name, schema) in [
        ("transcript", event::schema()),
        ("state", state::schema()),
        ("diff", diff::report::schema()),
        ("extract", extract::schema()),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/{name}.schema.json"));
        let current = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&file, &current).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == current, "run the test again with UPDATE_SCHEMA=1 and commit docs/{name}.schema.json");
    }
}

#[test]
fn a_validator_accepts_the_documented_lines_and_refuses_others() {
    let validator = jsonschema::validator_for(&event::schema()).unwrap();
    let is_valid = |line: &str| validator.is_valid(&serde_json::from_str::<Value>(line).unwrap());
    assert!(is_valid(HEADER));
    assert!(is_valid(COMMAND));
    assert!(is_valid(&COMMAND.replace(r#""7","SB""#, r#"{"base64":"/w=="},"SB""#)));
    assert!(!is_valid(&COMMAND.replace("\"s2c\"", "\"up\"")));
    assert!(!is_valid(&COMMAND.replace("\"seq\":17", "\"seq\":\"17\"")));
    assert!(!is_valid(&COMMAND.replace("\"verb\":\"XFR\",", "")));
    assert!(!is_valid(&HEADER.replace("\"type\":\"session\"", "\"type\":\"other\"")));
}
