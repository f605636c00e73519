//! What a script cannot reach.

use crate::support::{Rig, patient};

/// The expression must be `nil` in a script.
fn is_out_of_reach(expression: &str) {
    let rig = Rig::body(&format!("ctx:tag(tostring({expression}))"));
    assert_eq!(rig.client("PNG\r\n").tags, ["nil"], "{expression}");
}

/// The body must fail.
fn fails(body: &str) {
    let rig = Rig::body(&format!("ctx:tag(tostring((pcall(function() {body} end))))"));
    assert_eq!(rig.client("PNG\r\n").tags, ["false"], "{body}");
}

#[test]
fn files_processes_the_network_and_other_code_are_out_of_reach() {
    for name in [
        "io",
        "os",
        "package",
        "debug",
        "require",
        "load",
        "loadstring",
        "loadfile",
        "dofile",
        "getfenv",
        "setfenv",
        "newproxy",
        "collectgarbage",
        "gcinfo",
        "_G",
        "shared",
        "game",
    ] {
        is_out_of_reach(name);
    }
}

#[test]
fn only_what_is_documented_is_there() {
    // a script sees its globals through a table that it cannot list, so ask for each name that Luau has ever had
    let known = [
        "assert",
        "bit32",
        "buffer",
        "coroutine",
        "error",
        "getmetatable",
        "ipairs",
        "math",
        "mitmsn",
        "next",
        "pairs",
        "pcall",
        "print",
        "rawequal",
        "rawget",
        "rawlen",
        "rawset",
        "select",
        "setmetatable",
        "string",
        "table",
        "tonumber",
        "tostring",
        "type",
        "typeof",
        "unpack",
        "utf8",
        "vector",
        "xpcall",
        "Command",
    ];
    for name in known {
        let rig = Rig::body(&format!("ctx:tag(tostring({name} ~= nil))"));
        assert_eq!(rig.client("PNG\r\n").tags, ["true"], "{name}");
    }
    is_out_of_reach("integer");
    is_out_of_reach("class");
}

#[test]
fn the_world_cannot_be_rebuilt_from_within() {
    for body in [
        "string.find = nil",
        "table.sort = print",
        "getmetatable('').__index = {}",
        "setmetatable(string, {})",
        "rawset(string, 'find', print)",
        "math.random = nil",
        "Command.new = nil",
        "mitmsn.time = nil",
        "rawset(mitmsn, 'time', nil)",
        "getmetatable(cmd).__index = print",
        "setmetatable(cmd, {})",
        "getmetatable(ctx).inject = print",
    ] {
        fails(body);
    }
    is_out_of_reach("(getmetatable(cmd) or nil) and nil");
}

#[test]
fn bytecode_is_not_run() {
    let problem = Rig::try_with("\u{1b}Lua", &patient()).err().unwrap();
    assert!(problem.contains("it.luau"), "{problem}");
    // Luau marks bytecode with a version in the first byte
    assert!(Rig::try_with("\u{6}\u{3}\u{1}", &patient()).is_err());
}

#[test]
fn one_script_does_not_see_the_globals_of_another() {
    let first = Rig::new("secret = 1 return { command = function() secret = 2 end }");
    first.client("PNG\r\n");
    is_out_of_reach("secret");
}

#[test]
fn chance_can_be_repeated() {
    let draw = || Rig::body("ctx:tag(tostring(math.random(1e9)))").client("PNG\r\n").tags;
    assert_eq!(draw(), draw());
    let mut settings = patient();
    settings.seed = 2;
    let source = "return { command = function(cmd, ctx) ctx:tag(tostring(math.random(1e9))) end }";
    assert_ne!(Rig::with(source, &settings).client("PNG\r\n").tags, draw());
}
