//! Options, commands and reloads of several scripts.

use mitmsn_lua::{Scripts, SetError};
use mitmsn_proxy::Hook;

use crate::support::{Rig, patient};

const OPTIONS: &str = "
local script = { options = { rate = 0.5, greeting = 'hi', loud = false, who = { 'a@b' } }, commands = {} }
function script.commands.show()
    local o = script.options
    return `{o.rate} {o.greeting} {o.loud} {table.concat(o.who, '+')}`
end
return script
";

#[test]
fn options_are_set_as_what_they_are() {
    let rig = Rig::new(OPTIONS);
    assert_eq!(rig.call("show", &[]).unwrap(), "0.5 hi false a@b");
    for (name, text) in [("rate", "1"), ("greeting", "5 5"), ("loud", "yes"), ("who", "c@d, e@f")] {
        rig.scripts.set(name, text).unwrap();
    }
    assert_eq!(rig.call("show", &[]).unwrap(), "1 5 5 true c@d+e@f");
    let problem = |name, text| rig.scripts.set(name, text).unwrap_err().to_string();
    assert_eq!(problem("rate", "x"), "rate: \"x\" is not a number");
    assert_eq!(problem("loud", "x"), "loud: \"x\" is neither true nor false");
    assert_eq!(problem("raet", "1"), "no script has an option raet; did you mean rate?");
    assert_eq!(problem("zzzzzz", "1"), "no script has an option zzzzzz; options are greeting, loud, rate, who");
    assert!(matches!(rig.scripts.set("none", "1"), Err(SetError::Unknown { .. })));
    assert_eq!(rig.scripts.options(), ["greeting", "loud", "rate", "who"]);
}

#[test]
fn commands_take_words_and_give_a_text() {
    let rig = Rig::new(
        "local n = 0 return { commands = {
            add = function(args) for _, word in args do n += tonumber(word) end return n end,
            fail = function()
                error('oh')
            end,
            nothing = function() end,
            table = function() return {} end,
            spin = function() while true do end end,
        } }",
    );
    assert_eq!(rig.call("add", &["1", "2"]).unwrap(), "3");
    assert_eq!(rig.call("add", &["4"]).unwrap(), "7");
    assert_eq!(rig.call("nothing", &[]).unwrap(), "");
    let file = rig.file.display().to_string().replace("it.luau", "");
    let problem = |name| rig.call(name, &[]).unwrap_err().replace(&file, "");
    assert!(problem("fail").ends_with("it.luau:4: oh"), "{}", problem("fail"));
    assert!(problem("table").contains("a command returns a string, a number, a boolean or nothing, not a table"));
    assert_eq!(problem("ad"), "no script has a command ad; did you mean add?");
    let names: Vec<String> = rig.scripts.commands().into_iter().map(|command| command.name).collect();
    assert_eq!(names, ["add", "fail", "nothing", "spin", "table"]);
}

#[test]
fn a_command_that_several_scripts_have_is_asked_for_by_script() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["one", "two"].map(|name| {
        let file = folder.path().join(format!("{name}.luau"));
        std::fs::write(&file, format!("return {{ commands = {{ who = function() return '{name}' end }} }}")).unwrap();
        file
    });
    let scripts = Scripts::load(&files, &patient()).unwrap();
    let problem = scripts.call("who", &[]).unwrap_err().to_string();
    assert_eq!(problem, "several scripts have a command who; say which: one/who, two/who");
    assert_eq!(scripts.call("two/who", &[]).unwrap(), "two");
    assert!(scripts.call("three/who", &[]).is_err());
}

#[test]
fn a_reload_keeps_options_and_state_and_changes_what_is_wanted() {
    let source = |verb: &str, text: &str| {
        format!(
            "local script = {{ verbs = {{ '{verb}' }}, options = {{ rate = 1 }} }}
            function script.command(cmd, ctx)
                ctx.state.count = (ctx.state.count or 0) + 1
                ctx:tag(`{text} {{ctx.state.count}} {{script.options.rate}}`)
            end
            return script"
        )
    };
    let rig = Rig::new(&source("PNG", "old"));
    rig.scripts.set("rate", "5").unwrap();
    assert_eq!(rig.client("PNG\r\n").tags, ["old 1 5"]);
    let generation = rig.script().generation();
    std::fs::write(&rig.file, source("CHG", "new")).unwrap();
    assert_eq!(rig.scripts.reload().unwrap(), 1);
    assert!(rig.script().generation() > generation);
    assert_eq!(rig.client("PNG\r\n").tags, [""; 0]);
    assert_eq!(rig.client("CHG 8 NLN\r\n").tags, ["new 2 5"]);
    assert_eq!(rig.scripts.reload().unwrap(), 0, "nothing has changed");
    std::fs::write(&rig.file, "return {").unwrap();
    let problems = rig.scripts.reload().unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(rig.client("CHG 8 NLN\r\n").tags, ["new 3 5"], "a broken file keeps the old one");
}
