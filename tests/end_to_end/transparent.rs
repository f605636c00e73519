//! Transparent mode: clients on another machine, with no setting at all, are brought here by the firewall.
//!
//! Each test makes its own network: it starts itself again in new namespaces, as the gateway, and from there once more
//! as the client's machine. Where that is not permitted the test says so and checks nothing.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use msnp::Version;
use msnp_sandbox::client::{Client, Login};
use msnp_sandbox::{Options, Sandbox};
use msnp_transcript::{Event, Reader};

const STAGE: &str = "MITMSN_TEST_STAGE";
/// An address that only the firewall rule brings to the proxy.
const SERVER: &str = "10.99.0.1";

#[test]
fn redirected_clients_reach_the_server_that_they_meant() {
    run(
        "redirected_clients_reach_the_server_that_they_meant",
        &[
            "nft add table ip t",
            "nft add chain ip t pre { type nat hook prerouting priority dstnat ; }",
            "nft add rule ip t pre iifname r0 tcp dport 1863-1865 redirect to :41863",
        ],
    );
}

#[test]
fn clients_under_tproxy_reach_the_server_that_they_meant() {
    run(
        "clients_under_tproxy_reach_the_server_that_they_meant",
        &[
            "ip rule add fwmark 1 lookup 100",
            "ip route add local 0.0.0.0/0 dev lo table 100",
            "nft add table ip t",
            "nft add chain ip t pre { type filter hook prerouting priority mangle ; }",
            "nft add rule ip t pre iifname r0 tcp dport 1863-1865 tproxy to :41863 meta mark set 1 accept",
        ],
    );
}

#[test]
fn a_client_that_nobody_redirected_is_refused() {
    let mut proxy = start_proxy("127.0.0.1:0");
    let client = std::net::TcpStream::connect(proxy.address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    std::io::Write::write_all(&mut &client, b"VER 1 MSNP8 CVR0\r\n").unwrap();
    assert_eq!(std::io::Read::read(&mut &client, &mut [0; 10]).unwrap(), 0);
    let log = proxy.stop();
    assert!(log.contains("which is the proxy itself: it was not redirected here"), "{log}");
}

#[expect(clippy::print_stdout, reason = "what could not be tested is said plainly")]
fn run(test: &str, firewall: &[&str]) {
    match std::env::var(STAGE).as_deref() {
        Ok("gateway") => gateway(test, firewall),
        Ok(_) => chat(),
        Err(_) => {
            let output = again(&["unshare", "--map-root-user", "--net", "--mount"], test, "gateway");
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            if said.contains(NOT_HERE) || !said.contains("running 1 test") {
                let reason =
                    said.lines().find(|line| line.contains(NOT_HERE) || line.contains("unshare")).unwrap_or("");
                println!("NOT TESTED: this system does not let us make a network: {reason}");
                return;
            }
            assert!(output.status.success(), "{said}");
        }
    }
}

const NOT_HERE: &str = "cannot make a network";

/// Starts this test again, behind a command, in another role.
fn again(before: &[&str], test: &str, stage: &str) -> Output {
    let executable = std::env::current_exe().unwrap();
    let mut command = Command::new(before[0]);
    command
        .args(&before[1..])
        .arg(executable)
        .args(["--exact", &format!("transparent::{test}"), "--nocapture"])
        .env(STAGE, stage);
    command.stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{NOT_HERE}: {before:?}: {error}"))
}

/// The gateway: a network with a client's machine in it, the server, and the proxy in between.
fn gateway(test: &str, firewall: &[&str]) {
    let network = [
        "mount -t tmpfs none /run",
        "mkdir /run/netns",
        "ip link set lo up",
        "ip netns add client",
        "ip link add r0 type veth peer name c0 netns client",
        "ip addr add 10.77.0.1/24 dev r0",
        "ip link set r0 up",
        "ip addr add 10.99.0.1/32 dev lo",
        "ip -n client addr add 10.77.0.2/24 dev c0",
        "ip -n client link set c0 up",
        "ip -n client link set lo up",
        "ip -n client route add default via 10.77.0.1",
    ];
    for line in network.iter().chain(firewall) {
        let status = Command::new("sh").args(["-c", line.replace("{ ", "'{ ").replace(" }", " }'").as_str()]).status();
        assert!(status.is_ok_and(|status| status.success()), "{NOT_HERE}: {line}");
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let at = |port: u16| SocketAddr::new(SERVER.parse().unwrap(), port);
    let options = Options {
        dispatch: at(1863),
        notification: at(1864),
        switchboard: at(1865),
        http: at(1880),
        ..Options::default()
    };
    let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
    let mut proxy = start_proxy("0.0.0.0:41863");
    let client = again(&["ip", "netns", "exec", "client"], test, "client");
    let said = String::from_utf8_lossy(&client.stdout) + String::from_utf8_lossy(&client.stderr);
    let log = proxy.stop();
    assert!(client.status.success(), "{said}\n{log}");
    let accepted = sandbox.accepted();
    assert_eq!(accepted.len(), 6, "{log}");
    // under neither rule does the server see the client itself
    assert!(accepted.iter().all(|accepted| accepted.peer.ip() != "10.77.0.2".parse::<std::net::IpAddr>().unwrap()));
    check_transcripts(&proxy);
}

/// Both logins are one session each, and no address was rewritten.
fn check_transcripts(proxy: &Proxy) {
    let mut sessions = Vec::new();
    for entry in std::fs::read_dir(proxy.folder.path()).unwrap() {
        let events: Vec<Event> = Reader::open(&entry.unwrap().path()).unwrap().map(Result::unwrap).collect();
        let mut servers = Vec::new();
        for event in &events {
            match event {
                Event::ConnectionOpened(opened) => servers.push(opened.upstream.clone()),
                Event::Command(command) => assert_eq!(command.sent, None, "{} was rewritten", command.verb),
                _ => {}
            }
        }
        assert!(matches!(events.last(), Some(Event::SessionClosed(_))));
        sessions.push(servers);
    }
    assert_eq!(sessions, [["10.99.0.1:1863", "10.99.0.1:1864", "10.99.0.1:1865"]; 2]);
}

/// The client's machine: two people log in and chat, and know nothing of a proxy.
fn chat() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let login = |email: &str, version| Login {
            server: format!("{SERVER}:1863"),
            email: email.into(),
            password: "password".into(),
            version: Version(version),
            nexus_url: format!("http://{SERVER}:1880/rdr/pprdr.asp"),
            rst_url: format!("http://{SERVER}:1880/RST.srf"),
            contacts: Vec::new(),
            timeout: Duration::from_secs(20),
        };
        let mut alice = Client::login(&login("alice@example.com", 9)).await.unwrap();
        let mut bob = Client::login(&login("bob@example.com", 11)).await.unwrap();
        alice.set_status("NLN").await.unwrap();
        bob.set_status("NLN").await.unwrap();
        let mut hers = alice.open_switchboard().await.unwrap();
        hers.invite("bob@example.com").await.unwrap();
        let mut his = bob.accept_invitation().await.unwrap();
        hers.send_text("Hello").await.unwrap();
        assert!(his.next_message().await.unwrap().payload().ends_with(b"Hello"));
        his.leave().await.unwrap();
        hers.leave().await.unwrap();
        alice.logout().await.unwrap();
        bob.logout().await.unwrap();
    });
}

struct Proxy {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    said: String,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

fn start_proxy(listen: &str) -> Proxy {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mitmsn"))
        .args(["proxy", "--transparent", "--quiet", "--listen", listen, "--record"])
        .arg(folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("listening on ") {
        assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let address = said.rsplit("listening on ").next().unwrap().trim().parse().unwrap();
    Proxy { child, log, said, address, folder }
}

impl Proxy {
    /// Ends the proxy and returns its log.
    fn stop(&mut self) -> String {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        std::io::Read::read_to_string(&mut self.log, &mut self.said).unwrap();
        self.child.wait().unwrap();
        self.said.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
