//! Those who disturb: they hold, edit, drop, inject, close and reload, at random, through the control interface.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use msnp::{Command, Direction, LengthPolicy, text};
use serde_json::{Value, json};

use crate::api::Api;
use crate::ledger::{Injected, Ledger, number};
use crate::wire::{Body, Frame, HEADERS, Kind, PLAIN, SHIELDS, Token, answers};

/// One that disturbs, in a thread of its own.
#[derive(Debug)]
pub(crate) struct Chaos {
    pub(crate) api: Api,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) random: Rng,
    pub(crate) is_over: Arc<AtomicBool>,
    pub(crate) rules: PathBuf,
    pub(crate) script: Option<PathBuf>,
    /// Mean time between two closed connections.
    pub(crate) between_closes: Duration,
}

impl Chaos {
    /// Sets breakpoints and decides about what they hold, until it is over.
    pub(crate) fn hold(mut self) {
        let mut set: Vec<(u64, Instant)> = Vec::new();
        while !self.is_over() {
            let result = self.hold_something(&mut set).and_then(|()| self.let_go());
            self.report("holding", result);
            self.pause(20, 120);
        }
        for (breakpoint, _) in set {
            let result = self.api.delete(&format!("/api/breakpoints/{breakpoint}")).map(|_| ());
            self.report("removing a breakpoint", result);
        }
        let result = self.let_go();
        self.report("holding", result);
    }

    /// Injects commands, until it is over.
    pub(crate) fn inject(mut self) {
        while !self.is_over() {
            let result = self.inject_something();
            self.report("injecting", result);
            self.pause(20, 400);
        }
    }

    /// Reloads, closes and looks around, until it is over.
    pub(crate) fn administer(mut self) {
        let mut closed = Instant::now();
        while !self.is_over() {
            let result = self.reload().and_then(|()| self.switch()).and_then(|()| self.look());
            self.report("administering", result);
            if closed.elapsed() > self.between_closes {
                closed = Instant::now();
                let result = self.close();
                self.report("closing", result);
            }
            self.pause(200, 2000);
        }
    }

    /// Sets a breakpoint, and removes old ones.
    fn hold_something(&mut self, set: &mut Vec<(u64, Instant)>) -> Result<()> {
        set.retain(|(breakpoint, until)| {
            let is_over = *until < Instant::now();
            if is_over {
                let result = self.api.delete(&format!("/api/breakpoints/{breakpoint}")).map(|_| ());
                self.report("removing a breakpoint", result);
            }
            !is_over
        });
        if set.len() >= 4 || self.random.u8(..) < 128 {
            return Ok(());
        }
        let mut body = json!({
            "when": self.random.choice(CONDITIONS).unwrap_or(&"true"),
            "first": self.random.u8(1..8),
            "timeout": 0.2 + 1.5 * self.random.f64(),
            "answer_challenges": self.random.bool(),
        });
        if let Some(from) = self.random.choice([None, Some("client"), Some("server")]).flatten() {
            body["from"] = json!(from);
        }
        let (status, answer) = self.api.post("/api/breakpoints", &body)?;
        let breakpoint = answer["number"].as_u64();
        let breakpoint = breakpoint.with_context(|| format!("no breakpoint for {body}: {status} {answer}"))?;
        set.push((breakpoint, Instant::now() + Duration::from_millis(self.random.u64(300..4000))));
        self.ledger.count("breakpoints", 1);
        Ok(())
    }

    /// Decides about all that is held.
    fn let_go(&mut self) -> Result<()> {
        let held = self.api.get("/api/held")?;
        for held in held.as_array().into_iter().flatten() {
            self.decide(held).with_context(|| format!("held: {held}"))?;
        }
        Ok(())
    }

    fn decide(&mut self, held: &Value) -> Result<()> {
        let (number, connection) = (held["number"].as_u64().context("no number")?, held["connection"].as_u64());
        let connection = connection.context("no connection")?;
        let direction = if held["direction"] == "c2s" { Direction::ClientToServer } else { Direction::ServerToClient };
        let commands = text::parse(held["text"].as_str().unwrap_or_default())?;
        let commands = commands.iter().map(|draft| draft.command(Some(direction), LengthPolicy::Keep));
        let commands = commands.collect::<Result<Vec<Command>, _>>()?;
        let [command] = &commands[..] else { bail!("not one command") };
        let frame =
            Frame { line: String::from_utf8_lossy(command.line()).into_owned(), payload: command.payload().to_vec() };
        let route = format!("/api/held/{number}/release");
        let loose = match direction {
            Direction::ClientToServer => Kind::LooseRequest,
            Direction::ServerToClient => Kind::LoosePush,
        };
        let dice = self.random.u8(0..100);
        match frame.token() {
            // its time runs out, or it is looked at again
            _ if dice < 40 => Ok(()),
            Some(token) if token.kind == loose && dice < 75 => {
                if self.is_accepted(&format!("/api/held/{number}/drop"), &json!({}))? {
                    self.ledger.count("dropped", 1);
                    self.ledger.books().dropped.insert(token);
                }
                Ok(())
            }
            Some(token) if !frame.payload.is_empty() && dice < 75 => {
                let mark = format!("edit-{}", crate::ledger::number());
                let headers = if frame.payload.starts_with(HEADERS.as_bytes()) { HEADERS } else { "" };
                let body = Body::write(&token.to_string(), &mark, &mut self.random);
                let mut command = command.clone();
                command.set_payload(&[headers.as_bytes(), &body].concat(), LengthPolicy::Repair)?;
                if self.is_accepted(&route, &json!({ "text": text::write(&command), "by": "soak" }))? {
                    self.ledger.count("edited", 1);
                    self.ledger.books().edits.insert(mark, connection);
                }
                Ok(())
            }
            _ if direction == Direction::ServerToClient && dice < 60 => {
                let (injected, line) = (crate::ledger::number(), "NOT");
                let body = Body::write(&format!("x/x/{injected}"), PLAIN, &mut self.random);
                let extra = Command::new(direction, line.as_bytes(), Some(&body))?;
                let text = [text::write(command), text::write(&extra)].concat();
                if self.is_accepted(&route, &json!({ "text": text }))? {
                    self.ledger.count("released as two", 1);
                    self.ledger.books().injections.insert(injected, Injected { connection, text });
                }
                Ok(())
            }
            _ => {
                if self.is_accepted(&route, &json!({}))? {
                    self.ledger.count("released", 1);
                }
                Ok(())
            }
        }
    }

    /// Asks for something that may come too late.
    fn is_accepted(&self, route: &str, body: &Value) -> Result<bool> {
        match self.api.post(route, body)? {
            (200, _) => Ok(true),
            (404 | 409, _) => {
                self.ledger.count("gone on by itself", 1);
                Ok(false)
            }
            (status, answer) => bail!("{route}: {status} {answer}"),
        }
    }

    fn inject_something(&mut self) -> Result<()> {
        let Some(open) = self.api.any_connection(&mut self.random)? else { return Ok(()) };
        let number = number();
        let token = Token { kind: Kind::Injected, key: "x".to_owned(), number }.to_string();
        let to_client = self.random.u8(..) < 90;
        let body = Body::write(&token, PLAIN, &mut self.random);
        let message = [HEADERS.as_bytes(), &body].concat();
        let count = self.random.u8(1..5);
        let choice = self.random.u8(0..8);
        let (line, payload): (String, Option<&[u8]>) = match (to_client, open.is_board, choice) {
            (true, false, ..3) => (format!("NLN NLN eve@example.com {token} 0"), None),
            (true, false, ..5) => ("NOT".to_owned(), Some(&body)),
            (true, false, _) => ("UBX eve@example.com".to_owned(), Some(&body)),
            (true, true, ..4) => (format!("JOI eve@example.com {token}"), None),
            (true, true, _) => ("MSG eve@example.com Eve".to_owned(), Some(&message)),
            (false, _, 0) => ("PNG".to_owned(), None),
            (false, true, ..4) => (format!("CAL {{trid}} eve@example.com {token}"), None),
            (false, true, _) => ("MSG {trid} A".to_owned(), Some(&message)),
            (false, false, 1) => (format!("URL {{trid}} INBOX {token}"), None),
            (false, false, 2) => (format!("CHG {{trid}} NLN {count} {token}"), None),
            (false, false, 3) => (format!("FND {{trid}} {count} {token}"), None),
            (false, false, 4) => (format!("SYN {{trid}} 0 {token}"), None),
            (false, false, 5) => (format!("URL {{trid}} ERR {token}"), None),
            (false, false, 6) => (format!("XYZ {{trid}} {token}"), None),
            (false, false, _) => ("UUX {trid}".to_owned(), Some(&body)),
        };
        let text = written(&line, payload, to_client)?;
        let wait = if to_client { 0.0 } else { 5.0 };
        let target = open.number.to_string();
        let to = if to_client { "client" } else { "server" };
        let request = json!({ "target": target, "text": text, "to": to, "wait": wait, "by": "soak" });
        let (status, answer) = self.api.post("/api/send", &request)?;
        if status == 404 {
            self.ledger.count("connections gone before", 1);
            return Ok(());
        }
        let outcome = answer.get(0).with_context(|| format!("{request}: {status} {answer}"))?;
        let done = outcome["done"].as_str().unwrap_or_default();
        let Some(sent) = outcome["sent"]["text"].as_str() else {
            self.ledger.count("injections refused", 1);
            return match done {
                "closed" => Ok(()),
                _ => bail!("{request} was not sent: {answer}"),
            };
        };
        self.ledger.count(if to_client { "injected to clients" } else { "injected to servers" }, 1);
        if line != "PNG" {
            let injected = Injected { connection: open.number, text: text.clone() };
            self.ledger.books().injections.insert(number, injected);
        }
        if !to_client {
            self.check_replies(sent, outcome, done).with_context(|| format!("{request}: {outcome}"))?;
        }
        Ok(())
    }

    /// Checks that an injector got all that is its own and nothing else.
    fn check_replies(&self, sent: &str, outcome: &Value, done: &str) -> Result<()> {
        let first = |text: &str| text.lines().next().map(|line| line[4.min(line.len())..].to_owned());
        let line = first(sent).context("nothing was sent")?;
        let replies = outcome["replies"].as_array().into_iter().flatten();
        let replies: Vec<String> = replies.filter_map(|reply| first(reply["text"].as_str()?)).collect();
        let expected = answers(&line);
        if replies == expected && matches!(done, "complete" | "quiet") {
            self.ledger.count("injections answered", 1);
            return Ok(());
        }
        let is_cut = outcome["disconnected"] == true || matches!(done, "closed" | "waiting");
        let is_late = replies.is_empty() && done == "quiet";
        if !expected.starts_with(&replies) || !(is_cut || is_late) {
            bail!("{expected:?} was expected, not {replies:?} and {done}");
        }
        self.ledger.count(if is_late { "injections answered late" } else { "injections cut off" }, 1);
        Ok(())
    }

    /// Writes another rule file, sometimes a broken one, and has it loaded; another script likewise.
    fn reload(&mut self) -> Result<()> {
        let is_broken = self.random.u8(..) < 40;
        let names: Vec<&str> = RULES.iter().map(|(name, _)| *name).filter(|_| self.random.bool()).collect();
        let mut source: String = RULES
            .iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, rule)| format!("[[rule]]\nname = \"{name}\"\n{}\n", rule.replace("SHIELDS", SHIELDS)))
            .collect();
        if is_broken {
            source.push_str("[[rule]]\nverbs = [\"NOBODY\"]\n");
        }
        replace(&self.rules, &source)?;
        let (status, answer) = self.api.post("/api/rules/reload", &json!({}))?;
        let loaded: Vec<&str> =
            answer.as_array().into_iter().flatten().filter_map(|rule| rule["name"].as_str()).collect();
        match (is_broken, status) {
            (true, 400) => self.ledger.count("broken rules refused", 1),
            (false, 200) if loaded == names => self.ledger.count("rule reloads", 1),
            _ => bail!("the rules {names:?}, broken: {is_broken}: {status} {answer}"),
        }
        if let Some(script) = &self.script {
            let is_broken = self.random.u8(..) < 40;
            let source = if is_broken { "this is no script (\n" } else { *self.random.choice(SCRIPTS).unwrap_or(&"") };
            replace(script, source)?;
            self.ledger.count(if is_broken { "broken scripts written" } else { "script reloads" }, 1);
        }
        Ok(())
    }

    /// Switches a rule off or on.
    fn switch(&mut self) -> Result<()> {
        let rules = self.api.get("/api/rules")?;
        let names = rules.as_array().into_iter().flatten().filter_map(|rule| rule["name"].as_str());
        let Some(name) = self.random.choice(names.collect::<Vec<_>>()) else { return Ok(()) };
        let route = if self.random.bool() { "/api/rules/disable" } else { "/api/rules/enable" };
        match self.api.post(route, &json!({ "name": name }))? {
            (200 | 404, _) => self.ledger.count("rules switched", 1),
            (status, answer) => bail!("{route}: {status} {answer}"),
        }
        Ok(())
    }

    /// Reads what there is to read.
    fn look(&mut self) -> Result<()> {
        self.api.get("/api/status")?;
        let sessions = self.api.get("/api/sessions")?;
        let ids = sessions.as_array().into_iter().flatten().filter_map(|session| session["id"].as_str());
        if let Some(id) = self.random.choice(ids.collect::<Vec<_>>()) {
            // the oldest may be forgotten by now
            let _ = self.api.get(&format!("/api/sessions/{id}"));
            let _ = self.api.get(&format!("/api/sessions/{id}/events?limit=20"));
        }
        // the script that has it may be another by now
        let _ = self.api.post("/api/call", &json!({ "name": "soak" }))?;
        if self.random.u8(..) < 60 {
            let query = self.random.choice(["", "?filter=verb%20%3D%3D%20%22MSG%22", "?after=0"]).unwrap_or("");
            let (time, reads) = (Duration::from_millis(self.random.u64(100..2000)), self.random.bool());
            self.api.follow(query, time, reads)?;
            self.ledger.count("followers", 1);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = self.api.any_connection(&mut self.random)? else { return Ok(()) };
        self.ledger.books().closed.insert(open.number);
        let (status, answer) = self.api.post("/api/close", &json!({ "target": open.number.to_string() }))?;
        match status {
            200 => self.ledger.count("connections closed", 1),
            404 => {}
            _ => bail!("closing {}: {status} {answer}", open.number),
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn pause(&mut self, least: u64, most: u64) {
        std::thread::sleep(Duration::from_millis(self.random.u64(least..most)));
    }

    fn report(&self, what: &str, result: Result<()>) {
        if let Err(error) = result {
            self.ledger.violation(format!("{what}: {error:#}"));
        }
    }
}

/// Writes the text form of a command.
fn written(line: &str, payload: Option<&[u8]>, to_client: bool) -> Result<String> {
    let direction = if to_client { Direction::ServerToClient } else { Direction::ClientToServer };
    let numbered = line.replace("{trid}", "0");
    let text = text::write(&Command::new(direction, numbered.as_bytes(), payload)?);
    Ok(text.replacen(&numbered, line, 1))
}

/// Replaces a file as editors do.
fn replace(file: &std::path::Path, source: &str) -> Result<()> {
    let next = file.with_extension("next");
    std::fs::write(&next, source)?;
    std::fs::rename(&next, file)?;
    Ok(())
}

const CONDITIONS: &[&str] = &[
    "true",
    "verb == \"URL\"",
    "verb == \"UUX\" || verb == \"UBX\"",
    "verb == \"URL\" && args[1] == \"DROP\"",
    "verb == \"URL\" && args[1] == \"DROP\"",
    "verb == \"FLN\" || verb == \"BYE\"",
    "verb == \"FLN\" || verb == \"BYE\"",
    "verb == \"MSG\"",
    "verb == \"CHL\" || verb == \"NLN\"",
    "verb in [\"PNG\", \"QNG\", \"SYN\", \"LST\", \"XFR\"]",
    "size > 2000",
    "connection % 7 == 3",
    "trid % 5 == 0",
    "account.startsWith(\"c3\")",
    "server == \"sb\"",
    "payload.contains(\"colour\")",
];

const RULES: &[(&str, &str)] = &[
    ("tag", "verbs = [\"URL\", \"NLN\"]\ntag = \"soak\""),
    ("shields", "from = \"client\"\nverbs = [\"GCF\"]\nreply = { line = \"GCF {trid} {1}\", payload = \"SHIELDS\" }"),
    ("delay", "verbs = [\"UBX\", \"UUX\"]\nevery = 5\ndelay = \"30ms\""),
    ("spelling", "verbs = [\"MSG\"]\nreplace = { in = \"text\", regex = \"colour\", with = \"color\" }"),
    ("ask", "from = \"client\"\nverbs = [\"CHG\"]\ninject.after = \"URL {trid} RULE rule\""),
    ("ping", "from = \"client\"\nverbs = [\"FND\"]\nprobability = 0.3\ninject.before = \"PNG\""),
    ("hold", "from = \"server\"\nverbs = [\"NLN\", \"UBX\"]\nevery = 20\nhold = { timeout = \"300ms\" }"),
];

/// What a script injects must be answered; what it says in its log otherwise ends the soak badly.
const SCRIPTS: &[&str] = &[
    r#"return { name = "Nothing" }"#,
    r#"local count = 0
return {
    name = "Counting",
    commands = { soak = function() return tostring(count) end },
    command = function(cmd, ctx)
        count += 1
        ctx.state.count = (ctx.state.count or 0) + 1
        if ctx.state.count % 10 == 0 then ctx:tag("tenth") end
    end,
}"#,
    r#"return {
    name = "Spelling",
    verbs = { "MSG" },
    command = function(cmd, ctx)
        local text = cmd.text:gsub("colour", "color", 1)
        cmd.text = text
    end,
}"#,
    r#"return {
    name = "Shields",
    from = "client",
    verbs = { "GCF" },
    command = function(cmd, ctx)
        ctx:reply("GCF {trid} " .. cmd.args[2], "<config></config>")
        return false
    end,
}"#,
    r#"return {
    name = "Asking",
    from = "client",
    verbs = { "CHG", "SYN" },
    command = function(cmd, ctx)
        ctx:inject("URL {trid} RULE rule", function(replies, done)
            if done == "complete" and (#replies ~= 1 or replies[1].args[2] ~= "rule") then
                ctx:log("warn", "soak: a wrong answer to a script")
            end
        end)
    end,
}"#,
    r#"return {
    name = "Pinging",
    tick_interval = 0.5,
    tick = function()
        for index, ctx in mitmsn.connections() do
            if index % 10 == 0 and ctx.account ~= "" then ctx:inject("PNG", function() end) end
        end
    end,
}"#,
    r#"return {
    name = "Waiting",
    from = "server",
    verbs = { "UBX", "NLN" },
    command = function(cmd, ctx)
        local dice = math.random(20)
        if dice == 1 then ctx:hold(0.3) end
        if dice == 2 then ctx:delay(0.02) end
        if dice == 3 then ctx:after(0.1, function() ctx.state.late = cmd.line end) end
    end,
}"#,
    r#"return { name = "Failing", verbs = { "NOT" }, command = function(cmd, ctx) error("on purpose", 0) end }"#,
];
