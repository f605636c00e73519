//! Scripts in an engine: sessions, timers, injections and their answers, and other connections meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mitmsn_lua::{Background, Scripts, Settings};
use mitmsn_proxy::{Engine, Target};
use msnp::flow::Address;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::patient;

const PATIENCE: Duration = Duration::from_secs(20);

/// An engine with one script before a server.
pub(crate) struct Live {
    engine: Engine,
    upstream: TcpListener,
    scripts: Arc<Scripts>,
    _background: Background,
    _folder: TempDir,
}

/// One end of a connection.
pub(crate) struct Peer(pub(crate) TcpStream);

impl Peer {
    pub(crate) async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Waits for exactly this to come next.
    pub(crate) async fn expect(&mut self, expected: &str) {
        let mut seen = vec![0; expected.len()];
        let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut seen)).await;
        read.unwrap_or_else(|_| panic!("waited in vain for {expected:?}")).unwrap();
        assert_eq!(String::from_utf8_lossy(&seen), expected);
    }
}

impl Live {
    pub(crate) async fn start(source: &str, settings: &Settings) -> Live {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("it.luau");
        std::fs::write(&file, source).unwrap();
        let scripts = Arc::new(Scripts::load(&[file], settings).unwrap());
        let port = upstream.local_addr().unwrap().port();
        let mut builder = Engine::builder(Target::Fixed(Address { host: "127.0.0.1".into(), port: Some(port) }))
            .listen(([127, 0, 0, 1], 0));
        for script in scripts.list() {
            builder = builder.hook(Arc::clone(script) as _).observer(Arc::clone(script) as _);
        }
        let background = scripts.start().unwrap();
        Live { engine: builder.start().await.unwrap(), upstream, scripts, _background: background, _folder: folder }
    }

    /// Opens a connection with the first command of a login.
    pub(crate) async fn log_in(&self, account: &str) -> (Peer, Peer) {
        let mut client = Peer(TcpStream::connect(self.engine.addresses()[0]).await.unwrap());
        client.send("VER 1 MSNP8 CVR0\r\n").await;
        let mut server = Peer(self.upstream.accept().await.unwrap().0);
        server.expect("VER 1 MSNP8 CVR0\r\n").await;
        server.send("VER 1 MSNP8\r\n").await;
        client.expect("VER 1 MSNP8\r\n").await;
        client.send(&format!("USR 2 TWN I {account}\r\n")).await;
        server.expect(&format!("USR 2 TWN I {account}\r\n")).await;
        (client, server)
    }

    /// Calls a command of the script, which is a name and words, until it says this.
    pub(crate) async fn says(&self, command: &str, expected: &str) {
        let (name, words) = command.split_once(' ').map_or((command, vec![]), |(name, word)| (name, vec![word]));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.call(name, &words).await;
            if said == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{command} says {said:?}, not {expected:?}");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn call(&self, name: &str, words: &[&str]) -> String {
        let scripts = Arc::clone(&self.scripts);
        let (name, words) = (name.to_owned(), words.iter().map(ToString::to_string).collect::<Vec<_>>());
        tokio::task::spawn_blocking(move || scripts.call(&name, &words)).await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_is_told_of_sessions_and_connections_in_order() {
    let source = "
        local script, told = { commands = {} }, {}
        local function tell(what) return function(ctx, by) table.insert(told, `{what} {ctx.connection} {ctx.account} {by}`) end end
        script.session_start, script.connection_open = tell('start'), tell('open')
        script.connection_close, script.session_end = tell('close'), tell('end')
        function script.command(cmd, ctx) if cmd.verb == 'USR' then tell('usr')(ctx) end end
        function script.commands.told() return table.concat(told, ', ') end
        return script";
    let live = Live::start(source, &patient()).await;
    let (client, server) = live.log_in("alice@example.com").await;
    drop((client, server));
    let told = "start 0  nil, open 1  nil, usr 1 alice@example.com nil, close 1 alice@example.com client, end 0 alice@example.com nil";
    live.says("told", told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_is_kept_for_each_session_and_freed_with_it() {
    let source = "
        local script, kept = { commands = {} }, setmetatable({}, { __mode = 'k' })
        function script.command(cmd, ctx)
            ctx.state.seen = (ctx.state.seen or '') .. cmd.verb
            kept[ctx.state] = ctx.session
            if cmd.verb == 'PNG' then ctx:reply('QNG ' .. #ctx.state.seen) return false end
        end
        function script.commands.alive()
            local n = 0
            for _ in kept do n += 1 end
            -- garbage that makes Luau look for more of it
            for i = 1, 1000 do string.rep('x', 1000 + i) end
            return n
        end
        return script";
    let live = Live::start(source, &patient()).await;
    let (mut alice, alice_server) = live.log_in("alice@example.com").await;
    alice.send("PNG\r\n").await;
    alice.expect("QNG 12\r\n").await;
    let (mut bob, bob_server) = live.log_in("bob@example.com").await;
    alice.send("PNG\r\nPNG\r\n").await;
    alice.expect("QNG 15\r\nQNG 18\r\n").await;
    bob.send("PNG\r\n").await;
    bob.expect("QNG 12\r\n").await;
    live.says("alive", "2").await;
    drop((alice, alice_server));
    live.says("alive", "1").await;
    drop((bob, bob_server));
    live.says("alive", "0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_an_injection_come_to_its_callback_and_not_to_the_client() {
    let source = "
        local script, got = { from = 'client', verbs = { 'CHG' }, commands = {} }, 'nothing'
        function script.command(cmd, ctx)
            ctx:inject('URL {trid} INBOX', function(replies, done)
                got = `{#replies} {replies[1].verb} {replies[1].args[2]} {done}`
                ctx:inject{ command = 'MSG Hotmail Hotmail', payload = 'done', to = 'client' }
            end)
        end
        function script.commands.got() return got end
        return script";
    let live = Live::start(source, &patient()).await;
    let (mut client, mut server) = live.log_in("alice@example.com").await;
    client.send("CHG 3 NLN\r\n").await;
    server.expect("CHG 3 NLN\r\nURL 4 INBOX\r\n").await;
    server.send("CHG 3 NLN\r\nURL 4 /x https://h 2\r\n").await;
    client.expect("CHG 3 NLN\r\nMSG Hotmail Hotmail 4\r\ndone").await;
    live.says("got", "1 URL /x complete").await;
    // the client does not notice
    client.send("CHG 4 AWY\r\n").await;
    server.expect("CHG 5 AWY\r\nURL 6 INBOX\r\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_is_told_if_the_connection_ends_first() {
    let source = "
        local script, got = { from = 'client', verbs = { 'CHG' }, commands = {} }, 'nothing'
        function script.command(cmd, ctx)
            ctx:inject('URL {trid} INBOX', function(replies, done) got = #replies .. done end)
        end
        function script.commands.got() return got end
        return script";
    let live = Live::start(source, &patient()).await;
    let (mut client, mut server) = live.log_in("alice@example.com").await;
    client.send("CHG 3 NLN\r\n").await;
    server.expect("CHG 3 NLN\r\nURL 4 INBOX\r\n").await;
    drop((client, server));
    live.says("got", "0closed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_and_ticks_run_in_the_background() {
    let source = "
        local script = { from = 'client', verbs = { 'CHG' }, tick_interval = 0.1, commands = {} }
        local ticks, failed = 0, 0
        function script.command(cmd, ctx)
            local never = ctx:after(0.02, function() ctx:inject{ command = 'OUT', to = 'client' } end)
            ctx:after(0.01, function()
                ctx:cancel(never)
                ctx:inject('PNG')
                ctx:after(0.05, function() ctx:close() end)
            end)
            ctx:after(0, function() error('a timer that fails loses its call') end)
        end
        function script.tick() ticks += 1 end
        function script.commands.ticks() return ticks >= 2 end
        return script";
    let live = Live::start(source, &patient()).await;
    let (mut client, mut server) = live.log_in("alice@example.com").await;
    client.send("CHG 3 NLN\r\n").await;
    server.expect("CHG 3 NLN\r\nPNG\r\n").await;
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, server.0.read_to_end(&mut rest)).await.unwrap().unwrap();
    drop(server);
    tokio::time::timeout(PATIENCE, client.0.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, b"");
    live.says("ticks", "true").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_connections_can_be_reached_from_a_command() {
    let source = "
        local script = { commands = {} }
        function script.commands.say()
            for _, ctx in mitmsn.connections() do ctx:inject('CHG {trid} ' .. ctx.version .. ctx.account) end
            return #mitmsn.connections()
        end
        return script";
    let live = Live::start(source, &patient()).await;
    let (_alice, mut server) = live.log_in("alice@example.com").await;
    live.says("say", "1").await;
    server.expect("CHG 3 ").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_connections_go_on_while_a_script_loops() {
    let source = "return { from = 'client', verbs = { 'CHG', 'XXX' }, command = function(cmd)
        if cmd.verb == 'CHG' then while true do end end
        cmd.args[1] = 'seen'
    end }";
    let mut settings = patient();
    settings.time_limit = Duration::from_millis(300);
    let live = Live::start(source, &settings).await;
    let (mut alice, mut alice_server) = live.log_in("alice@example.com").await;
    let (mut bob, mut bob_server) = live.log_in("bob@example.com").await;
    // the first call of all may keep the only thread of the runtime, the others keep nothing
    alice.send("CHG 3 NLN\r\n").await;
    alice_server.expect("CHG 3 NLN\r\n").await;
    let commands: String = (4..12).map(|id| format!("CHG {id} NLN\r\n")).collect();
    alice.send(&commands).await;
    let mut longest = Duration::ZERO;
    for id in 3..60 {
        let start = Instant::now();
        bob.send(&format!("SND {id}\r\n")).await;
        bob_server.expect(&format!("SND {id}\r\n")).await;
        longest = longest.max(start.elapsed());
    }
    assert!(longest < settings.time_limit + Duration::from_secs(1), "{longest:?}");
    alice_server.expect(&commands).await;
}
