//! What a script that misbehaves loses: its call, and nothing of anybody else's.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mitmsn_lua::Settings;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Rig, patient};

/// What was written into the log.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Runs something and returns the lines that it wrote.
    pub(crate) fn of(act: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .finish();
        tracing::subscriber::with_default(subscriber, act);
        let text = String::from_utf8(std::mem::take(&mut log.0.lock().unwrap())).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

fn limits(time: Duration, memory: usize) -> Settings {
    let mut settings = patient();
    settings.time_limit = time;
    settings.memory_limit = memory;
    settings
}

/// A script that misbehaves at `CHG`, in line 5, and edits `USR`.
fn misbehaving(body: &str) -> String {
    format!(
        "local script = {{ name = 'bad' }}\n\
         local kept = {{}}\n\
         function script.command(cmd, ctx)\n\
         if cmd.verb == 'CHG' then cmd.args[2] = 'HDN' ctx:reply('QNG 1') ctx:tag('x')\n\
         {body}\n\
         end\n\
         if cmd.verb == 'USR' then cmd.args[2] = 'MD5' end\n\
         end\n\
         return script\n"
    )
}

/// The script must lose its call for `CHG`, say why and where, and be as good as before.
fn loses_its_call(body: &str, settings: &Settings, why: &str) {
    let rig = Rig::with(&misbehaving(body), settings);
    let start = Instant::now();
    let log = Log::of(|| {
        let made = rig.client("CHG 8 NLN\r\n");
        assert_eq!(
            (made.forward, made.replies, made.tags),
            (vec!["CHG 8 NLN\r\n".to_owned()], vec![], vec![]),
            "{body}"
        );
        assert!(made.by.is_empty());
    });
    assert!(start.elapsed() < settings.time_limit + Duration::from_secs(5), "{body}: {:?}", start.elapsed());
    let [line] = &log[..] else { panic!("{log:?}") };
    assert!(line.contains(" WARN ") && line.contains("script=bad") && line.contains("it.luau:5"), "{line}");
    assert!(line.contains(why) && line.contains("call=\"command\"") && line.contains("then=\"pass\""), "{line}");
    assert_eq!(rig.client("USR 2 TWN I a@b\r\n").forward, ["USR 2 MD5 I a@b\r\n"], "{body}");
}

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);
const MUCH: usize = 64 << 20;
const LITTLE: usize = 4 << 20;

#[test]
fn an_endless_loop_loses_its_call() {
    for body in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() pcall(f) pcall(f) end f()",
        "coroutine.wrap(function() while true do end end)()",
        "setmetatable(kept, { __index = function(t, k) while true do end end }) kept.x = kept.y",
        "for i = 1, math.huge do kept.x = tostring(i) end",
    ] {
        loses_its_call(body, &limits(SHORT, MUCH), "still at work after 200 ms");
    }
}

#[test]
fn a_pathological_pattern_loses_its_call() {
    for body in [
        "local a = string.rep('a', 30) a:find(string.rep('a?', 30) .. a)",
        "string.rep('a', 3000):find('(.-)*(.-)*(.-)*(.-)*b')",
        "string.rep('a', 100000):gsub('.-.-.-.-b', '')",
        "string.rep('a', 100000):match('.*.*.*b')",
    ] {
        loses_its_call(body, &limits(SHORT, MUCH), "still at work after 200 ms");
    }
}

#[test]
fn a_memory_bomb_loses_its_call() {
    let memory = "more memory than script.memory_limit allows";
    for body in [
        "while true do table.insert(kept, {}) end",
        "local s = 'x' while true do s = s .. s end",
        "while true do kept[#kept + 1] = string.rep('x', 10000) .. #kept end",
        "while true do table.insert(kept, buffer.create(10000)) end",
    ] {
        // what is kept for good would stay: forget it, as a script that goes on would have to
        loses_its_call(&body.replace("kept", "own").replacen("", "local own = {} ", 1), &limits(LONG, LITTLE), memory);
    }
    for body in ["string.rep('x', 1e9)", "table.create(1e8)", "buffer.create(1e9)"] {
        loses_its_call(body, &limits(LONG, LITTLE), "bytes are more than script.memory_limit allows");
    }
    let commands =
        "local own, x = {}, string.rep('x', 1e6) while true do own[#own + 1] = Command.new('MSG 1 N', x) end";
    loses_its_call(commands, &limits(LONG, LITTLE), "all commands together are more than script.memory_limit allows");
    let sent = "local x = string.rep('x', 1e5) while true do ctx:inject('MSG 1 N', x) end";
    loses_its_call(sent, &limits(LONG, LITTLE), "one call may send");
}

#[test]
fn what_raises_loses_its_call() {
    for (body, why) in [
        ("error('oh')", "oh"),
        ("error({ 1 })", "table"),
        ("error()", "nil"),
        ("local x = nil + 1", "arithmetic"),
        ("kept.a.b = 1", "attempt to index nil with 'b'"),
        ("cmd.args.nothing = 1", "CHG has no argument `nothing`"),
        ("ctx:reply('nonsense')", "a line starts with"),
        ("local function f() return 1 + f() end f()", "stack overflow"),
        ("local function f() string.gsub('a', 'a', f) end f()", "stack overflow"),
        (
            "local m = {} local t = setmetatable({}, m) m.__tostring = function() return tostring(t) end tostring(t)",
            "stack",
        ),
        ("local m = {} local t = setmetatable({}, m) m.__index = function() return t.x end tostring(t.x)", "stack"),
        ("local function f() table.sort({ 1, 2 }, f) end f()", "stack overflow"),
        ("local function f() coroutine.wrap(f)() end f()", "stack overflow"),
        ("coroutine.yield()", "yield"),
        ("assert(false, 'so')", "so"),
        ("table.sort({ 1, 'a' })", "compare"),
        ("string.rep('x', 1e6):find(string.rep('y', 1e3))", "is too much for a text of"),
    ] {
        loses_its_call(body, &limits(LONG, MUCH), why);
    }
    // it is the function's own line where there is no other
    let rig = Rig::new("return {\n command = function() return 5 end }");
    let log = Log::of(|| drop(rig.client("PNG\r\n")));
    assert!(log[0].contains("it.luau:2") && log[0].contains("returns nothing, false or a list of commands"), "{log:?}");
}

#[test]
fn what_luau_cannot_interrupt_is_short() {
    for body in [
        "local s = string.rep('a', 4e6) s:find(string.rep('a', 2e6) .. 'b', 1, true)",
        "local t = {} for i = 1, 1e6 do t[i] = 1e6 - i end table.sort(t)",
        "string.rep('x', 1e6):split(string.rep('x', 1e5) .. 'y')",
        "for i = 1, 1000 do string.rep('x', 1e7) end",
        "table.move({}, 1, 2 ^ 31 - 2, 2)",
        "local t = {} for i = 1, 1e6 do t[i] = 1e6 - i end table.sort(t, rawequal)",
    ] {
        let settings = limits(SHORT, MUCH);
        let rig = Rig::with(&misbehaving(body), &settings);
        let start = Instant::now();
        rig.client("CHG 8 NLN\r\n");
        assert!(start.elapsed() < SHORT + Duration::from_secs(2), "{body}: {:?}", start.elapsed());
    }
}

#[test]
fn the_script_says_what_becomes_of_the_command() {
    let source =
        |policy: &str| format!("return {{ name = 'it', on_error = '{policy}', command = function() error('x') end }}");
    let pass = Rig::new(&source("pass")).client("PNG\r\n");
    assert_eq!((pass.forward.len(), pass.by.len(), pass.verdict.close), (1, 0, false));
    let drop = Rig::new(&source("drop")).client("PNG\r\n");
    assert_eq!((drop.forward.len(), drop.by, drop.verdict.close), (0, vec!["it".to_owned()], false));
    let close = Rig::new(&source("close")).client("PNG\r\n");
    assert_eq!((close.forward.len(), close.by, close.verdict.close), (0, vec!["it".to_owned()], true));
}

#[test]
fn the_same_complaint_is_not_made_for_every_command() {
    let rig = Rig::new("return { command = function(cmd)\n error('a' .. cmd.args[1]) end }");
    let log = Log::of(|| (0..50).for_each(|id| drop(rig.client(&format!("CHG {id} NLN\r\n")))));
    assert_eq!(log.len(), 1, "{log:?}");
}

#[test]
fn another_connection_waits_for_at_most_the_limit() {
    let limit = Duration::from_millis(300);
    let rig = Rig::with(&misbehaving("while true do end"), &limits(limit, MUCH));
    std::thread::scope(|scope| {
        let loops = scope.spawn(|| (0..10).for_each(|_| drop(rig.client("CHG 8 NLN\r\n"))));
        let mut longest = Duration::ZERO;
        while !loops.is_finished() {
            let start = Instant::now();
            let made = rig.client("USR 2 TWN I a@b\r\n");
            longest = longest.max(start.elapsed());
            // asked or not, it goes on
            assert!(["USR 2 TWN I a@b\r\n", "USR 2 MD5 I a@b\r\n"].contains(&made.forward[0].as_str()));
        }
        // its own call is short; the rest is for a machine that has other things to do
        assert!(longest < limit + Duration::from_secs(1), "{longest:?}");
    });
}

#[test]
fn a_log_is_not_flooded() {
    let rig = Rig::body("for i = 1, 1000 do ctx:log('debug', i) print(string.rep('x', 1e5)) end");
    let log = Log::of(|| drop(rig.client("PNG\r\n")));
    assert!(log.len() <= 100 && log.iter().all(|line| line.len() < 5000), "{}", log.len());
    let rig = Rig::body("print('a', 1, nil, cmd.verb) ctx:log('warn', 'b')");
    let log = Log::of(|| drop(rig.client("PNG\r\n")));
    assert_eq!(log, [" INFO a 1 nil PNG script=it", " WARN b script=it connection=1"]);
}

#[test]
fn timers_callbacks_and_tags_are_bounded() {
    let rig = Rig::body("for i = 1, 1e6 do ctx:after(60, print) end");
    let log = Log::of(|| drop(rig.client("PNG\r\n")));
    assert!(log[0].contains("1000 timers run already"), "{log:?}");
    let rig = Rig::body("for i = 1, 1e6 do ctx:inject('PNG', print) end");
    let log = Log::of(|| drop(rig.client("CHG 8 NLN\r\n")));
    assert!(log[0].contains("one call may send 256 commands") || log[0].contains("256 injections wait"), "{log:?}");
    let rig = Rig::body("for i = 1, 1e6 do ctx:tag('x') end");
    let log = Log::of(|| drop(rig.client("PNG\r\n")));
    assert!(log[0].contains("16 tags"), "{log:?}");
}
