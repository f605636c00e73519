//! `mitmsn sandbox`: the server alone.

use std::process::ExitCode;

use anyhow::{Context, Result};
use msnp_sandbox::{Account, Options, Sandbox};

use super::output;
use crate::cli;

/// Runs the server until a signal ends it.
pub(super) fn run(arguments: &cli::Sandbox) -> Result<ExitCode> {
    output::start_log(false)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    runtime.block_on(async {
        let ended = output::until_signal()?;
        let sandbox = Sandbox::start(options(arguments)).await?;
        describe(&sandbox);
        let code = ended.await;
        sandbox.shutdown().await;
        Ok(code)
    })
}

/// Says where the servers are.
pub(super) fn describe(sandbox: &Sandbox) {
    anstream::println!("dispatch server      {}", sandbox.dispatch());
    anstream::println!("notification server  {}", sandbox.notification());
    anstream::println!("switchboard server   {}", sandbox.switchboard());
    anstream::println!("nexus (MSNP8-12)     {}", sandbox.nexus_url());
    anstream::println!("RST (MSNP15)         {}", sandbox.rst_url());
}

fn options(arguments: &cli::Sandbox) -> Options {
    let mut options = Options {
        dispatch: arguments.dispatch,
        notification: arguments.notification,
        switchboard: arguments.switchboard,
        http: arguments.http,
        public_host: arguments.public_host.clone(),
        ..Options::default()
    };
    for (email, password) in &arguments.account {
        let name = email.split('@').next().unwrap_or(email);
        let mut account = Account::new(email, password, name);
        for other in &mut options.accounts {
            account = account.with_contact(&other.email);
            other.contacts.push(email.clone());
        }
        options.accounts.push(account);
    }
    options
}
