//! Reading and editing commands, and what a call for one can do.

use std::time::Duration;

use msnp::types::{Direction, ServerKind};

use crate::support::{Rig, message};

const CVR: &str = "CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0813 MSMSGS alice@example.com\r\n";
const TEXT: &str = "text/plain; charset=UTF-8";

/// The body must leave the command as it is and return what is expected.
fn reads(body: &str, from: Direction, bytes: &str, expected: &str) {
    let rig = Rig::body(&format!("ctx:tag(tostring((function() {body} end)()))"));
    let made = rig.ask(from, bytes.as_bytes());
    assert_eq!(made.tags, [expected], "{body}");
    assert_eq!(made.forward, [bytes]);
}

/// The body must turn one command of the client into another.
fn turns(body: &str, bytes: &str, expected: &str) {
    let made = Rig::body(body).client(bytes);
    assert_eq!(made.forward, [expected], "{body}");
    assert_eq!(made.by, if bytes == expected { vec![] } else { vec!["it"] });
}

/// The body must fail with this, at its own line, and the command goes on as it was.
fn fails(body: &str, bytes: &str, expected: &str) {
    let body = format!("local ok, problem = pcall(function() {body} end)\nctx:tag(tostring(problem))");
    let made = Rig::body(&body).client(bytes);
    assert!(made.tags[0].contains(expected), "{body}: {}", made.tags[0]);
    assert_eq!(made.forward, [bytes]);
}

#[test]
fn every_part_of_a_command_can_be_read() {
    use Direction::{ClientToServer, ServerToClient};
    let msg = &message("MSG 4 N", TEXT, "hello");
    reads("return cmd.verb", ClientToServer, CVR, "CVR");
    reads("return cmd.trid", ClientToServer, CVR, "2");
    reads("return cmd.trid", ServerToClient, "NLN NLN a@b A 0\r\n", "nil");
    reads("return cmd.from", ClientToServer, CVR, "client");
    reads("return cmd.args[1] .. cmd.args[7] .. #cmd.args", ClientToServer, CVR, "27.0.08139");
    reads("return cmd.args[10]", ClientToServer, CVR, "nil");
    reads("return cmd.args.client_version", ClientToServer, CVR, "7.0.0813");
    reads("return cmd.args.nothing", ClientToServer, CVR, "nil");
    reads(
        "local t = {} for i, a in cmd.args do t[i] = a end return table.concat(t, '|')",
        ClientToServer,
        "CHG 8 NLN\r\n",
        "8|NLN",
    );
    reads(
        "return table.concat(cmd:names(), ',')",
        ServerToClient,
        "XFR 20 SB h:1863 CKI 1.2\r\n",
        "trid,,host_port,,cookie",
    );
    reads("return cmd:names()", ClientToServer, "ZZZ 1\r\n", "nil");
    reads(
        "return cmd.headers['content-type'] .. tostring(cmd.headers.Nothing)",
        ClientToServer,
        msg,
        &format!("{TEXT}nil"),
    );
    reads("return cmd.text", ClientToServer, msg, "hello");
    reads("return #cmd.payload == tonumber(cmd.args[3]) and cmd.has_payload", ClientToServer, msg, "true");
    reads("return cmd:is('TEXT/plain')", ClientToServer, msg, "true");
    reads("return cmd.line", ClientToServer, "PNG\r\n", "PNG");
    reads("return #cmd.bytes == cmd.size", ClientToServer, msg, "true");
    reads("return cmd.length", ClientToServer, msg, "repair");
    reads("return cmd", ClientToServer, "CHG 8 NLN\r\n", ">>> CHG 8 NLN\n");
    reads("return typeof(cmd) .. typeof(cmd.args) .. typeof(ctx)", ClientToServer, CVR, "CommandArgumentsContext");
    let datacast = &message("MSG 4 N", "text/x-msnmsgr-datacast", "ID: 1\r\n\r\n");
    let all = "local t = {} for name, value in cmd.headers do table.insert(t, name .. '=' .. value) end return table.concat(t, ',')";
    let expected = "MIME-Version=1.0,Content-Type=text/x-msnmsgr-datacast,ID=1";
    reads(all, ClientToServer, datacast, expected);
    reads("return cmd.headers.ID", ClientToServer, datacast, "1");
}

#[test]
fn payloads_are_bytes() {
    let rig = Rig::body("cmd.payload = cmd.payload .. '\\255' .. string.char(0)");
    let made = rig.ask(Direction::ClientToServer, b"MSG 1 D 2\r\n\xfe\x00");
    assert_eq!(made.forward, ["MSG 1 D 4\r\n\u{fffd}\0\u{fffd}\0"]);
}

#[test]
fn every_part_of_a_command_can_be_written_and_the_length_follows() {
    turns("cmd.args.client_version = '7.5.0324'", CVR, &CVR.replace("7.0.0813", "7.5.0324"));
    turns("cmd.args[3] = 0", "CHG 8 NLN\r\n", "CHG 8 NLN 0\r\n");
    turns("cmd.args[2] = 'a b'", "CHG 8 NLN\r\n", "CHG 8 a%20b\r\n");
    turns("cmd.verb = 'USR'", "CHG 8 NLN\r\n", "USR 8 NLN\r\n");
    turns("cmd.line = 'CHG 8 AWY 0'", "CHG 8 NLN\n", "CHG 8 AWY 0\n");
    let text = |text: &str| message("MSG 4 N", TEXT, text);
    turns("cmd.text = cmd.text:upper() .. '!'", &text("hello"), &text("HELLO!"));
    turns("cmd.payload = 'x'", &text("hello"), "MSG 4 N 1\r\nx");
    let with = text("hi").replace("\r\n\r\n", "\r\nX-A: 1\r\n\r\n").replace(" 64", " 72");
    turns("cmd.headers['X-A'] = 1", &text("hi"), &with);
    turns("cmd.headers['x-a'] = nil", &with, &text("hi"));
    let ping = |id| message("MSG 4 N", "text/x-msnmsgr-datacast", &format!("ID: {id}\r\n\r\n"));
    turns("cmd.headers.ID = 10", &ping(1), &ping(10));
    turns("cmd.text = cmd.text", &text("hello"), &text("hello"));
    turns("cmd.length = 'keep' cmd.payload = 'xyz'", "MSG 4 N 1\r\nx", "MSG 4 N 1\r\nxyz");
    turns("cmd.length = 'keep' cmd.args[3] = 9", "MSG 4 N 1\r\nx", "MSG 4 N 9\r\nx");
}

#[test]
fn an_edit_that_cannot_be_is_refused_at_its_line() {
    fails("cmd.args[3] = 9", "MSG 4 N 1\r\nx", "the length on the line would be wrong");
    fails(
        "cmd.args.clientversion = 1",
        CVR,
        "CVR has no argument `clientversion` here; did you mean `client_version`?",
    );
    fails("cmd.args[0] = 1", CVR, "arguments are counted from 1");
    fails("cmd.args[12] = 1", CVR, "no argument 12; the command has 9");
    fails("cmd.args[1] = nil", CVR, "write another cmd.line");
    fails("cmd.args[1] = {}", CVR, "a string is wanted here, not a table");
    fails("cmd.verb = 'x'", CVR, "three capital letters");
    fails("cmd.line = 'CHG 8\\r\\nPNG'", CVR, "has no line end");
    fails("cmd.payload = 'x'", "PNG\r\n", "carries no payload");
    fails("cmd.headers.A = 'x\\r\\nB: y'", "MSG 4 N 1\r\nx", "CR or LF");
    fails("cmd.nothing = 1", CVR, "nothing");
    fails("return cmd.txt", CVR, "a Command has no `txt`; did you mean `text`?");
    fails("ctx:inejct('PNG')", CVR, "a Context has no `inejct`; did you mean `inject`?");
    fails("ctx:hold(-1)", CVR, "between 0 and");
    fails("ctx:inject({ command = 'PNG', too = 'client' })", CVR, "knows no `too`");
    fails("ctx:inject('MSG {trid} N 5')", CVR, "announces a payload");
}

#[test]
fn a_command_is_dropped_replaced_or_multiplied() {
    assert!(Rig::body("return false").client(CVR).forward.is_empty());
    assert_eq!(Rig::body("return true").client(CVR).forward, [CVR]);
    let body = "local twin = cmd:copy() twin.args[2] = 'AWY' return { cmd, twin, 'PNG', Command.new('MSG 9 N', 'x') }";
    let made = Rig::body(body).client("CHG 8 NLN\r\n");
    assert_eq!(made.forward, ["CHG 8 NLN\r\n", "CHG 8 AWY\r\n", "PNG\r\n", "MSG 9 N 1\r\nx"]);
    assert_eq!(Rig::body("return Command.new('OUT')").client(CVR).forward, ["OUT\r\n"]);
    let parsed = "return Command.parse('>>> MSG 3 N {len}\\n| A: b\\n|\\n| hi')";
    assert_eq!(Rig::body(parsed).client(CVR).forward, ["MSG 3 N 10\r\nA: b\r\n\r\nhi"]);
    // whatever way it was made for, it goes the way of the command at hand
    let made = Rig::body("return { Command.new('QNG 50', nil, 'server'), cmd }").client("PNG\r\n");
    assert_eq!(made.forward, ["QNG 50\r\n", "PNG\r\n"]);
}

#[test]
fn commands_go_beside_the_one_at_hand() {
    let made = Rig::body("ctx:inject('URL {trid} INBOX')").client("CHG 8 NLN\r\n");
    assert_eq!(made.forward, ["CHG 8 NLN\r\n", "URL 0 INBOX\r\n"]);
    let made = Rig::body("ctx:inject{ command = 'PNG', before = true }").client("CHG 8 NLN\r\n");
    assert_eq!(made.forward, ["PNG\r\n", "CHG 8 NLN\r\n"]);
    let made = Rig::body("ctx:inject{ command = 'MSG Hotmail Hotmail', payload = 'x', to = 'client' }")
        .client("CHG 8 NLN\r\n");
    assert_eq!((made.replies, made.forward.len()), (vec!["MSG Hotmail Hotmail 1\r\nx".to_owned()], 1));
    let made = Rig::body("ctx:inject('MSG {trid} N', 'x')").server("CHG 8 NLN\r\n");
    assert_eq!(made.replies, ["MSG 0 N 1\r\nx"]);
    let made = Rig::body("ctx:reply('CHG {trid} NLN 0') return false").client("CHG 8 NLN\r\n");
    assert_eq!((made.replies, made.forward.len()), (vec!["CHG 8 NLN 0\r\n".to_owned()], 0));
    assert_eq!(made.by, ["it"]);
}

#[test]
fn a_command_is_tagged_held_delayed_and_followed_by_the_end() {
    let made = Rig::body("ctx:tag('odd') ctx:hold(5) ctx:delay(0.25) ctx:delay(1) ctx:close()").client(CVR);
    assert_eq!(made.tags, ["odd"]);
    assert_eq!(made.verdict.hold.unwrap().timeout, Duration::from_secs(5));
    assert_eq!(made.verdict.delay, Some(Duration::from_millis(1250)));
    assert!(made.verdict.close);
}

#[test]
fn a_script_is_asked_only_about_what_it_declares() {
    let source = "return { from = 'client', verbs = { 'CHG', 'ZZZ' }, servers = { 'ns' }, command = function() return false end }";
    let rig = Rig::new(source).at(ServerKind::Notification, 9);
    assert!(rig.client("CHG 8 NLN\r\n").forward.is_empty());
    assert_eq!(rig.client("PNG\r\n").forward.len(), 1);
    // unknown verbs are one to the engine, not to the script
    assert_eq!(rig.client("QQQ 1\r\n").forward.len(), 1);
    assert_eq!(rig.server("CHG 8 NLN\r\n").forward.len(), 1);
    let rig = rig.at(ServerKind::Switchboard, 9);
    assert_eq!(rig.client("CHG 8 NLN\r\n").forward.len(), 1);
}

#[test]
fn the_surroundings_are_told() {
    let body =
        "ctx:tag(`{ctx.connection} {ctx.server} {ctx.version} {ctx.account} {ctx.time} [{ctx.session}] {ctx.client}`)";
    assert_eq!(Rig::body(body).client(CVR).tags, ["1 sb 9 alice@example.com 0 [] 127.0.0.1:1863"]);
    let body = "ctx.state.count = (ctx.state.count or 0) + 1 ctx:tag(tostring(ctx.state.count))";
    let rig = Rig::body(body);
    assert_eq!(rig.client(CVR).tags, ["1"]);
    assert_eq!(rig.client(CVR).tags, ["2"]);
}

#[test]
fn the_library_helps() {
    let tags = |expression: &str| Rig::body(&format!("ctx:tag(tostring({expression}))")).client(CVR).tags.concat();
    assert_eq!(tags("mitmsn.encode('50% a b')"), "50%25%20a%20b");
    assert_eq!(tags("mitmsn.decode('50%25%20a')"), "50% a");
    let answer = "PROD0101{0RM?UBW 64812169fe9717715f03c678fa4ab938";
    assert_eq!(tags("table.concat({ mitmsn.challenge('22210219642164014968', 12) }, ' ')"), answer);
    assert_eq!(tags("mitmsn.time() > 1.6e9"), "true");
    assert_eq!(tags("#mitmsn.connections()"), "0");
}
