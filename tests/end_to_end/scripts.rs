//! Scripts in the real binary: they change what goes over the wire, are reloaded, and keep to themselves what is wrong.

use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Peer, Proxy, Server, Setup, log_in};

/// A proxy with one script, whose calls may be slow because the machine is.
fn with_script(server: &Server, source: &str) -> Setup {
    let setup = Setup::before(server.address).set("script.time_limit=20s");
    let file = setup.folder().join("it.luau");
    std::fs::write(&file, source).unwrap();
    setup.flag("--script").flag(file.display())
}

/// Writes the script anew, as editors do: a new file takes its name.
fn write_script(proxy: &Proxy, source: &str) {
    let new = proxy.folder().join("it.luau.new");
    std::fs::write(&new, source).unwrap();
    std::fs::rename(new, proxy.folder().join("it.luau")).unwrap();
}

/// The client says `PNG` until it arrives as this.
fn until_arrives(client: &mut Peer, server: &mut Peer, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        client.sends("PNG\r\n");
        if server.sees_line() == expected {
            return;
        }
        assert!(Instant::now() < deadline, "waited in vain for {expected:?}");
    }
}

/// A script that writes this behind each `PNG`.
fn pings(word: &str) -> String {
    format!("return {{ name = 'it', verbs = {{ 'PNG' }}, command = function(cmd) cmd.args[1] = '{word}' end }}")
}

#[test]
fn a_script_changes_commands_before_the_rules_see_them() {
    let server = Server::start();
    let source = "
        local script = { name = 'Nobody is away', from = 'client', verbs = { 'CHG' }, options = { status = 'NLN' } }
        function script.command(cmd, ctx)
            ctx:tag('was ' .. cmd.args.status)
            cmd.args.status = script.options.status
            ctx:reply('QNG 5')
        end
        return script";
    let proxy = with_script(&server, source)
        .set("status=BSY")
        .rules("[[rule]]\nname = 'behind'\nverbs = ['CHG']\nwhen = 'args[1] == \"BSY\"'\nset.2 = '7'\n")
        .start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    client.sends("CHG 3 AWY 0\r\n");
    peer.sees("CHG 3 BSY 7\r\n");
    client.sees("QNG 5\r\n");
    client.ends();
    peer.sees_end();
    peer.ends();
    client.sees_end();
    let ended = proxy.stop();
    let outline = ended.transcript().outline();
    let line = "#1 >>> CHG 3 AWY 0 => [>>> CHG 3 BSY 7, <<< QNG 5] by Nobody is away, behind";
    assert!(outline.lines().any(|own| own == line), "{outline}");
    assert!(outline.contains("#1 tag was AWY on "), "{outline}");
    assert_eq!(ended.warnings(), [""; 0]);
}

#[test]
fn a_script_is_reloaded_when_it_changes_and_a_broken_one_keeps_the_old() {
    let server = Server::start();
    let proxy = with_script(&server, &pings("old")).loud().start();
    let mut client = proxy.client();
    let mut peer = log_in(&mut client, &server, "alice@example.com");
    until_arrives(&mut client, &mut peer, "PNG old\r\n");
    write_script(&proxy, &pings("new"));
    until_arrives(&mut client, &mut peer, "PNG new\r\n");
    proxy.says("scripts reloaded scripts=1");
    write_script(&proxy, "return {\n    verbs = { 'PNG' },\n    comand = function() end,\n}\n");
    proxy.says("a script is broken: it stays as it was");
    proxy.says("did you mean `command`?");
    client.sends("PNG\r\n");
    peer.sees("PNG new\r\n");
    // written in place
    let file = proxy.folder().join("it.luau");
    std::fs::write(&file, pings("newer")).unwrap();
    until_arrives(&mut client, &mut peer, "PNG newer\r\n");
    let log = proxy.stop().log;
    let picture = format!("error: unknown key `comand` in the table of a script\n --> {}:3:5\n", file.display());
    assert!(log.contains(&picture), "{log}");
}

#[test]
fn a_script_that_is_broken_from_the_start_is_a_failure() {
    let server = Server::start();
    let setup = with_script(&server, "local x = 1\nlocal y = = 2\n");
    let file = setup.folder().join("it.luau");
    let (code, log) = setup.fails();
    assert_eq!(code, Some(1));
    let picture = format!(" --> {}:2:1\n  |\n2 | local y = = 2\n  | ^^^^^^^^^^^^^\n", file.display());
    assert!(log.contains("error: Expected identifier when parsing expression, got '='\n"), "{log}");
    assert!(log.contains(&picture), "{log}");
}

#[test]
fn an_option_that_nobody_knows_is_refused_with_a_hint() {
    let server = Server::start();
    let source = "return { options = { rate = 0.5 } }";
    let refused = |set: &str| {
        let (code, log) = with_script(&server, source).set(set).fails();
        assert_eq!(code, Some(1), "{log}");
        log
    };
    assert!(refused("raet=1").contains("--set raet=1: unknown key raet; did you mean rate?"));
    assert!(refused("limits.lin=1").contains("did you mean limits.line?"));
    assert!(refused("script.rate=much").contains("--set script.rate=much: rate: \"much\" is not a number"));
    with_script(&server, source).set("script.rate=1").start().stop();
}

#[test]
fn a_script_that_loops_loses_its_calls_and_delays_nobody() {
    let server = Server::start();
    let source =
        "return { name = 'bad', from = 'client', verbs = { 'CHG' }, command = function()\n while true do end\nend }";
    let limit = Duration::from_millis(400);
    let proxy = with_script(&server, source).set("script.time_limit=400ms").start();
    let mut alice = proxy.client();
    let mut alice_server = log_in(&mut alice, &server, "alice@example.com");
    let mut bob = proxy.client();
    let mut bob_server = log_in(&mut bob, &server, "bob@example.com");
    let loops = "CHG 3 NLN\r\nCHG 4 AWY\r\nCHG 5 BSY\r\n";
    alice.sends(loops);
    let mut longest = Duration::ZERO;
    for id in 3..40 {
        let start = Instant::now();
        let line = format!("SND {id} carol@example.com\r\n");
        bob.sends(&line);
        bob_server.sees(&line);
        longest = longest.max(start.elapsed());
    }
    // and a machine that has other things to do
    assert!(longest < limit + Duration::from_secs(1), "{longest:?}");
    alice_server.sees(loops);
    let file = proxy.folder().join("it.luau");
    let warnings = proxy.stop().warnings();
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(warning.starts_with("WARN a call of a script is lost: still at work after 400 ms"), "{warning}");
    assert!(warning.contains(&format!("script=bad at=\"{}:2\"", file.display())), "{warning}");
}

#[cfg(feature = "web")]
#[test]
fn commands_of_scripts_can_be_called() {
    let server = Server::start();
    let source = "
        local script = { commands = {} }
        function script.commands.say(args)
            for _, ctx in mitmsn.connections() do
                ctx:inject({ command = 'MSG Hotmail Hotmail', payload = table.concat(args, ' '), to = 'client' })
            end
            return `told {#mitmsn.connections()}`
        end
        function script.commands.fail()
            error('oh')
        end
        return script";
    let proxy = with_script(&server, source).controlled().start();
    let mut client = proxy.client();
    let _peer = log_in(&mut client, &server, "alice@example.com");
    let (code, out, problem) = proxy.tool(&["call", "say", "hello", "you"]);
    assert_eq!((code, out.trim_end(), problem.as_str()), (Some(0), "told 1", ""));
    client.sees("MSG Hotmail Hotmail 9\r\nhello you");
    let (code, _, problem) = proxy.tool(&["call", "fail"]);
    assert!(code != Some(0) && problem.contains("it.luau:10: oh"), "{problem}");
    let (code, _, problem) = proxy.tool(&["call", "sya"]);
    assert!(code != Some(0) && problem.contains("say"), "{problem}");
}
