//! `mitmsn rules` and `mitmsn call`.

use std::process::ExitCode;

use anyhow::Result;
use mitmsn_web::types::{Call, Called, Rule, RuleName};
use serde_json::json;

use super::control::Remote;
use super::output::{print, print_json};
use crate::cli::{Reach, RulesAction};

/// Lists, switches or reloads rules, and prints them.
pub(super) fn run(action: &RulesAction) -> Result<ExitCode> {
    let (rules, reach): (Vec<Rule>, _) = match action {
        RulesAction::List { reach } => (Remote::find(reach)?.get("/api/rules")?, reach),
        RulesAction::Enable { name, reach } => {
            (Remote::find(reach)?.post("/api/rules/enable", &RuleName { name: name.clone() })?, reach)
        }
        RulesAction::Disable { name, reach } => {
            (Remote::find(reach)?.post("/api/rules/disable", &RuleName { name: name.clone() })?, reach)
        }
        RulesAction::Reload { reach } => (Remote::find(reach)?.post("/api/rules/reload", &json!({}))?, reach),
    };
    if reach.json {
        return print_json(&rules);
    }
    let line = |rule: &Rule| {
        let switch = if rule.enabled { "on " } else { "off" };
        format!("{switch} {:>8} hits  {}\n", rule.hits, rule.name)
    };
    print(&rules.iter().map(line).collect::<Vec<_>>().concat())
}

/// Calls a command of a script.
pub(super) fn call(name: Option<String>, arguments: Vec<String>, reach: &Reach) -> Result<ExitCode> {
    let remote = Remote::find(reach)?;
    let Some(name) = name else {
        let names: Vec<String> = remote.get("/api/calls")?;
        return if reach.json {
            print_json(&names)
        } else {
            print(&names.iter().map(|name| format!("{name}\n")).collect::<String>())
        };
    };
    let called: Called = remote.post("/api/call", &Call { name, arguments })?;
    if reach.json { print_json(&called) } else { print(&format!("{}\n", called.result)) }
}
