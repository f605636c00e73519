//! `mitmsn demo`: a server, the proxy and two people, in one process.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use mitmsn_proxy::observers::{Console, Recording};
use mitmsn_proxy::rules::{Rules, render_all};
use mitmsn_proxy::{Engine, EngineBuilder, Target};
use msnp::Version;
use msnp::flow::Address;
use msnp_sandbox::client::{Client, Login};
use msnp_sandbox::{Options, Sandbox};

use super::{output, sandbox};
use crate::cli::{Demo, Sources};
use crate::config::Config;

/// Runs the demonstration.
pub(super) fn run(arguments: &Demo) -> Result<ExitCode> {
    output::start_log(true)?;
    let mut config = Config::load(&Sources::default())?;
    if let Some(folder) = &arguments.record {
        config.record_folder.clone_from(folder);
    }
    let folder = config.folder()?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    runtime.block_on(async {
        let sandbox = Sandbox::start(Options::default()).await?;
        let rules = Rules::from_text("config/rules/demo.toml", RULES);
        let rules = Arc::new(rules.map_err(|problems| anyhow!("{}", render_all(&problems, false)))?);
        let recording = Arc::new(Recording::start(&folder, false));
        let screen = output::standard_output()?;
        let console = Arc::new(Console::new(screen.clone(), output::options(arguments.verbose), None, false));
        let builder = builder(&sandbox, port(arguments.keep_running), &rules, &recording, console);
        #[cfg(feature = "web")]
        let control = match arguments.keep_running {
            true => super::control::Prepared::new(&config).await?,
            false => None,
        };
        #[cfg(feature = "web")]
        let builder = control.iter().fold(builder, |builder, control| control.join(builder));
        let engine = Arc::new(builder.start().await?);
        let address = *engine.addresses().first().context("the proxy listens nowhere")?;
        anstream::println!("a sandbox server on {}, the proxy in front of it on {address}\n", sandbox.dispatch());
        chat(&sandbox, address).await.context("the demonstration failed")?;
        screen.flush(output::READING);
        let mut code = ExitCode::SUCCESS;
        if arguments.keep_running {
            instructions(&sandbox, address);
            #[cfg(feature = "web")]
            let control = match control {
                Some(prepared) => {
                    let control = prepared.start(&engine, &config, |control| {
                        control.rules = Some(Arc::clone(&rules));
                        control.recording = Some(Arc::clone(&recording));
                        control.upstream = sandbox.dispatch().to_string();
                    })?;
                    anstream::println!(
                        "Look in and take part: mitmsn sessions, tail, send, hold (control on {}).\n",
                        control.address()
                    );
                    Some(control)
                }
                None => None,
            };
            code = output::until_signal()?.await;
            #[cfg(feature = "web")]
            if let Some(control) = control {
                control.stop().await;
            }
        }
        engine.shutdown().await;
        sandbox.shutdown().await;
        recording.finish(Duration::from_secs(5));
        screen.flush(output::READING);
        summary(&recording, &rules);
        if recording.lost() > 0 {
            bail!("nothing could be recorded in {}; name another folder with --record", folder.display());
        }
        Ok(code)
    })
}

/// The rules, which a reader finds as a file too.
const RULES: &str = include_str!("../../../config/rules/demo.toml");

/// Returns the port of MSNP for real clients, if it is free; else any.
fn port(for_real_clients: bool) -> u16 {
    let is_free = || TcpListener::bind(("127.0.0.1", Address::DEFAULT_PORT)).is_ok();
    if for_real_clients && is_free() { Address::DEFAULT_PORT } else { 0 }
}

fn builder(
    sandbox: &Sandbox,
    port: u16,
    rules: &Arc<Rules>,
    recording: &Arc<Recording>,
    console: Arc<Console>,
) -> EngineBuilder {
    let upstream = Address { host: sandbox.dispatch().ip().to_string(), port: Some(sandbox.dispatch().port()) };
    Engine::builder(Target::Fixed(upstream))
        .listen(([127, 0, 0, 1], port))
        .hook(Arc::clone(rules) as _)
        .observer(Arc::clone(recording) as _)
        .observer(console)
}

/// Alice and Bob log in, chat and leave.
async fn chat(sandbox: &Sandbox, proxy: SocketAddr) -> Result<()> {
    let login = |email, version| {
        let mut login = Login::to(sandbox, email, "password", Version(version));
        login.server = proxy.to_string();
        login
    };
    let mut bob = Client::login(&login("bob@example.com", 12)).await?;
    bob.set_status("NLN").await?;
    let mut alice = Client::login(&login("alice@example.com", 8)).await?;
    alice.set_status("NLN").await?;
    bob.set_personal_message("gone fishing ☕").await?;
    let mut hers = alice.open_switchboard().await?;
    hers.invite("bob@example.com").await?;
    let mut his = bob.accept_invitation().await?;
    hers.wait_for_participant().await?;
    hers.send_typing().await?;
    hers.send_text("Hello Bob!\r\nça va?").await?;
    his.next_message().await?;
    his.next_message().await?;
    his.send_text("Très bien, merci 😀").await?;
    hers.next_message().await?;
    his.leave().await?;
    hers.wait_for_departure().await?;
    hers.leave().await?;
    bob.logout().await?;
    alice.logout().await?;
    Ok(())
}

fn instructions(sandbox: &Sandbox, proxy: SocketAddr) {
    anstream::println!("\nServer and proxy stay up. Point a client at {proxy}:");
    anstream::println!("  accounts alice@example.com and bob@example.com, password `password`");
    anstream::println!("  libpurple: account options, server {}, port {}", proxy.ip(), proxy.port());
    anstream::println!(
        "  MSN 1.0 to 4.7: registry HKCU\\SOFTWARE\\Microsoft\\MessengerService, value Server = {proxy};{proxy}"
    );
    if proxy.port() == Address::DEFAULT_PORT {
        anstream::println!("  Escargot-patched clients: server = {} in msnmsgr.exe-escargot.ini", proxy.ip());
    }
    anstream::println!("The proxy leads to");
    sandbox::describe(sandbox);
    anstream::println!("Ctrl-C ends both.\n");
}

fn summary(recording: &Recording, rules: &Rules) {
    anstream::println!("\nRules:");
    for rule in rules.list().iter() {
        anstream::println!("  {:>3} x {}", rule.hits(), rule.name());
    }
    anstream::println!("Transcripts, one for each login (read them with `mitmsn show FILE`):");
    for path in recording.paths() {
        anstream::println!("  {}", path.display());
    }
}
