//! Experiments on a client that others wrote (msnp11-sdk), logged in to the sandbox through the proxy.

use msnp_sandbox::{Challenges, Options, Sandbox};
use serde_json::Value;

use crate::clients::Person;
use crate::support::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_tried_on_a_real_client() {
    // this client answers no challenge
    let options = Options { challenges: Challenges::Never, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let proxy = Setup::before(sandbox.dispatch()).controlled().start();
    let alice = Person::log_in(proxy.address(), &sandbox.nexus_url(), "alice@example.com").await;
    let status = msnp11_sdk::MsnpStatus::Online;
    alice.client.set_presence(status).await.unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/experiments/statuses.toml");
    let proxy = tokio::task::spawn_blocking(move || {
        let (code, out, progress) = proxy.tool(&["experiment", file, "--account", "alice", "--format", "json"]);
        assert_eq!(code, Some(0), "{out}\n{progress}");
        let table: Value = serde_json::from_str(&out).unwrap();
        let rows = table["rows"].as_array().unwrap();
        let got = |row: &Value| row["got"][0].as_str().unwrap().split(' ').next().unwrap().to_owned();
        assert_eq!(rows.iter().map(got).collect::<Vec<_>>()[7..], ["CHG", "201", "201", "201"]);
        assert!(rows.iter().all(|row| row["passed"] == true && row["disconnected"] == false));
        assert!(progress.contains("[11/11] "), "{progress}");
        // what is not as expected is 3
        let wrong = proxy.folder().join("wrong.toml");
        let text = "name = 'no'\n[[step]]\nsend = 'CHG {trid} XXX 0'\nexpect = 'verb == \"CHG\"'\n\
                    [[step]]\nsend = 'PNG'\nexpect = 'none'\n";
        std::fs::write(&wrong, text).unwrap();
        let table = proxy.folder().join("table.md");
        let (code, _, progress) =
            proxy.tool(&["experiment", wrong.to_str().unwrap(), "-q", "-o", table.to_str().unwrap()]);
        assert_eq!((code, progress.as_str()), (Some(3), "mitmsn: 2 of 2 not as expected\n"));
        let table = std::fs::read_to_string(table).unwrap();
        assert!(table.contains("| `201 ") && table.contains("| `QNG 50` |"), "{table}");
        // a session that never comes is 1, and says what was waited for
        let text = "name = 'no'\nwhen = 'size(switchboards) > 5'\npatience = '10ms'\n[[step]]\nsend = 'PNG'\n";
        std::fs::write(&wrong, text).unwrap();
        let (code, _, problem) = proxy.tool(&["experiment", wrong.to_str().unwrap(), "-q"]);
        assert_eq!(code, Some(1));
        assert!(
            problem.contains("no session of any account in 10ms for which `size(switchboards) > 5` holds"),
            "{problem}"
        );
        proxy
    })
    .await
    .unwrap();
    // the client has noticed nothing: its own commands are answered
    alice.client.set_presence(msnp11_sdk::MsnpStatus::Busy).await.unwrap();
    alice.client.disconnect().await.unwrap();
    let ended = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap();
    assert_eq!(ended.warnings(), Vec::<String>::new());
}
