//! Dialogues with a played server, without sockets: what the client says, when, and what it gets.

use std::net::Ipv4Addr;

use msnp::challenge;

use super::*;
use crate::server::Pace;
use crate::testing::{client, script};

struct Table {
    play: Play,
    began: Instant,
    connections: u64,
}

impl Table {
    fn set(recording: &str, options: Options) -> Table {
        let began = Instant::now();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Table { play: Play::new(script(recording), options, (began, wall)), began, connections: 0 }
    }

    fn loose(recording: &str) -> Table {
        Table::set(recording, Options::default())
    }

    /// Connects and says the first command; returns the dialogue and what comes at once.
    fn connects(&mut self, millis: u64, first: &str) -> (usize, Vec<String>) {
        let first = client(first);
        self.connections += 1;
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ends = Ends { number: self.connections, peer: address(258), reached: address(1863) };
        let place = self.play.open(&first, ends, self.at(millis)).unwrap();
        self.play.receive(place, &first, self.at(millis));
        (place, self.gets(place, millis))
    }

    fn refused(&mut self, first: &str) -> Option<String> {
        let ends = Ends { number: 0, peer: "192.0.2.1:1".parse().unwrap(), reached: "192.0.2.2:2".parse().unwrap() };
        let answer = self.play.open(&client(first), ends, self.began).unwrap_err();
        answer.map(|answer| lossy(answer.line()))
    }

    /// Says a command; returns what comes at once.
    fn says(&mut self, place: usize, millis: u64, text: &str) -> Vec<String> {
        self.play.receive(place, &client(text), self.at(millis));
        self.gets(place, millis)
    }

    /// Returns what comes by then; `(closed)` if the connection is.
    fn gets(&mut self, place: usize, millis: u64) -> Vec<String> {
        let out = self.play.due(place, self.at(millis));
        let mut lines: Vec<String> = out.commands.iter().map(|command| lossy(command.as_bytes())).collect();
        lines.extend(out.close.then(|| "(closed)".to_owned()));
        lines
    }

    fn at(&self, millis: u64) -> Instant {
        self.began + Duration::from_millis(millis)
    }

    fn report(&self) -> String {
        self.play.report().to_string()
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

const LOGIN: &str = "
      0 #1 > VER 1 MSNP8 CVR0
     10 #1 < VER 1 MSNP8
     20 #1 > USR 2 TWN I alice@example.com
     30 #1 < XFR 2 NS 192.0.2.2:1863 0 192.0.2.1:1863
     31 #1 closed server
    100 #2 > VER 1 MSNP8 CVR0
    110 #2 < VER 1 MSNP8
    120 #2 > USR 2 TWN I alice@example.com
    130 #2 < USR 2 TWN S lc=1033,ct=12
    140 #2 > USR 3 TWN S t=1
    150 #2 < USR 3 OK alice@example.com Alice 1 0
    151 #2 < MSG Hotmail Hotmail|Content-Type: text/x-msmsgsprofile\\r\\nLoginTime: 5\\r\\nClientIP: 192.0.2.9\\r\\nClientPort: 1\\r\\n
    200 #2 > SYN 4 0
    210 #2 < SYN 4 4 1 1
    211 #2 < LST bob@example.com Bob 11 0
    300 #2 > CHG 5 NLN 0
    310 #2 < CHG 5 NLN 0
    320 #2 < ILN 5 NLN bob@example.com Bob 0
   5300 #2 < NLN AWY bob@example.com Bob 0
  10300 #2 > XFR 6 SB
  10310 #2 < XFR 6 SB 192.0.2.3:1863 CKI 1.2.3
  10320 #3 > USR 1 alice@example.com 1.2.3
  10330 #3 < USR 1 OK alice@example.com Alice
  10340 #3 > CAL 2 bob@example.com
  10350 #3 < CAL 2 RINGING 11
  12340 #3 < JOI bob@example.com Bob
  13000 #3 > MSG 3 N|Content-Type: text/plain\\r\\n\\r\\nHello
  14000 #3 < MSG bob@example.com Bob|Content-Type: text/plain\\r\\n\\r\\nHi
  15000 #3 > OUT
  15001 #3 closed server
  16000 #2 < FLN bob@example.com
  17000 #2 > OUT
  17001 #2 closed server";

fn log_in(table: &mut Table) -> usize {
    let (dispatch, _) = table.connects(0, "VER 1 MSNP8 CVR0");
    table.says(dispatch, 0, "USR 2 TWN I alice@example.com");
    assert_eq!(table.gets(dispatch, 11), ["(closed)"]);
    table.play.ended(dispatch);
    let (server, _) = table.connects(0, "VER 1 MSNP8 CVR0");
    table.says(server, 0, "USR 2 TWN I alice@example.com");
    table.says(server, 0, "USR 3 TWN S t=5");
    table.says(server, 1, "SYN 4 0");
    assert_eq!(table.gets(server, 12), ["LST bob@example.com Bob 11 0"]);
    server
}

#[test]
fn a_whole_session_is_played_with_the_clients_own_ids_and_addresses() {
    let mut table = Table::loose(LOGIN);
    let (dispatch, said) = table.connects(0, "VER 7 MSNP9 MSNP8 CVR0");
    assert_eq!(said, ["VER 7 MSNP8"]);
    assert_eq!(table.says(dispatch, 0, "USR 8 TWN I alice@example.com"), ["XFR 8 NS 127.0.0.1:1863 0 127.0.0.1:1863"]);
    assert_eq!(table.gets(dispatch, 11), ["(closed)"]);
    table.play.ended(dispatch);
    let (server, _) = table.connects(20, "VER 7 MSNP9 MSNP8 CVR0");
    assert_eq!(table.says(server, 20, "USR 9 TWN I alice@example.com"), ["USR 9 TWN S lc=1033,ct=12"]);
    assert_eq!(table.says(server, 20, "USR 10 TWN S t=2"), ["USR 10 OK alice@example.com Alice 1 0"]);
    assert_eq!(
        table.gets(server, 31),
        [
            "MSG Hotmail Hotmail 97\r\nContent-Type: text/x-msmsgsprofile\r\nLoginTime: 1800000000\r\nClientIP: 127.0.0.1\r\nClientPort: 513"
        ]
    );
    assert_eq!(table.says(server, 40, "SYN 11 0"), ["SYN 11 4 1 1"]);
    assert_eq!(
        table.says(server, 60, "CHG 12 NLN 0"),
        ["LST bob@example.com Bob 11 0", "CHG 12 NLN 0", "ILN 12 NLN bob@example.com Bob 0"]
    );
    let xfr = table.says(server, 100, "XFR 13 SB");
    let [xfr] = &xfr[..] else { panic!("{xfr:?}") };
    let cookie = xfr.strip_prefix("XFR 13 SB 127.0.0.1:1863 CKI ").unwrap();
    assert_ne!(cookie, "1.2.3");
    let (board, said) = table.connects(110, &format!("USR 1 alice@example.com {cookie}"));
    assert_eq!(said, ["USR 1 OK alice@example.com Alice"]);
    assert_eq!(table.says(board, 120, "CAL 2 bob@example.com"), ["CAL 2 RINGING 11"]);
    assert_eq!(table.gets(board, 2119), Vec::<String>::new());
    assert_eq!(table.gets(board, 2120), ["JOI bob@example.com Bob"]);
    // unasked, five seconds after the status was set
    assert_eq!(table.gets(server, 5059), Vec::<String>::new());
    assert_eq!(table.gets(server, 5060), ["NLN AWY bob@example.com Bob 0"]);
    let hello = "MSG 3 N|Content-Type: text/plain\\r\\n\\r\\nHello";
    assert_eq!(table.says(board, 5100, hello), Vec::<String>::new());
    assert_eq!(table.gets(board, 6100).len(), 1);
    assert_eq!(table.says(board, 6200, "OUT"), ["(closed)"]);
    table.play.ended(board);
    assert_eq!(table.gets(server, 6500), ["FLN bob@example.com"]);
    assert!(!table.play.is_over());
    assert_eq!(table.says(server, 6600, "OUT"), ["(closed)"]);
    table.play.ended(server);
    assert!(table.play.is_over());
    assert_eq!(table.report(), "11 command(s) as recorded\nresult: same\n");
}

#[test]
fn what_the_client_did_differently_is_named() {
    let mut table = Table::loose(LOGIN);
    let server = log_in(&mut table);
    assert_eq!(table.says(server, 50, "CHG 9 AWY 0")[0], "CHG 9 NLN 0");
    assert_eq!(table.says(server, 60, "URL 10 INBOX"), Vec::<String>::new());
    assert_eq!(table.says(server, 60, "PNG"), ["QNG"]);
    table.says(server, 70, "OUT");
    table.play.ended(server);
    assert_eq!(
        table.report(),
        "6 command(s) as recorded\n\
         not as recorded (1):\n  ns#2 CHG: status NLN -> AWY\n\
         not in the recording (1):\n  ns#2 >>> URL 10 INBOX\n\
         in the recording, but missing (2):\n  ns#2 >>> XFR 6 SB\n  sb#3 connection, opened with >>> USR 1 alice@example.com *****\n\
         notes (1):\n  3 commands of the recorded server were not sent: the client did not come so far\n\
         result: different\n"
    );
}

#[test]
fn a_strict_server_answers_only_what_comes_next() {
    let mut table = Table::set(LOGIN, Options { matching: Matching::Strict, ..Options::default() });
    let server = log_in(&mut table);
    assert_eq!(table.says(server, 50, "XFR 9 SB"), Vec::<String>::new());
    assert_eq!(table.says(server, 50, "CHG 10 AWY 0"), Vec::<String>::new());
    assert_eq!(table.says(server, 50, "CHG 11 NLN 0").len(), 2);
    let report = table.play.report();
    let texts: Vec<&str> = report.not_in_recording.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, [">>> XFR 9 SB", ">>> CHG 10 AWY 0"]);
}

#[test]
fn a_loose_server_takes_the_recorded_command_that_is_most_alike() {
    let mut table = Table::loose(
        "0 #1 > VER 1 MSNP8 CVR0
         1 #1 < VER 1 MSNP8
         2 #1 > CHG 2 NLN 0
         3 #1 < CHG 2 NLN 0
         4 #1 > CHG 3 AWY 0
         5 #1 < CHG 3 AWY 0",
    );
    let (place, _) = table.connects(0, "VER 1 MSNP8 CVR0");
    assert_eq!(table.says(place, 0, "CHG 2 AWY 0"), ["CHG 2 AWY 0"]);
    assert_eq!(table.says(place, 0, "CHG 3 BSY 0"), ["CHG 3 NLN 0"]);
    assert_eq!(table.says(place, 0, "CHG 4 BSY 0"), Vec::<String>::new());
}

#[test]
fn somebody_else_may_log_in() {
    let mut table = Table::loose(
        "0 #1 > VER 1 MSNP8 CVR0
         1 #1 < VER 1 MSNP8
         2 #1 > USR 2 TWN I alice@example.com
         3 #1 < USR 2 TWN S lc=1033
         4 #1 > USR 3 TWN S t=1
         5 #1 < USR 3 OK alice@example.com alice@example.com 1 0",
    );
    let (place, _) = table.connects(0, "VER 1 MSNP8 CVR0");
    assert_eq!(table.says(place, 0, "USR 2 TWN I Carol@example.com").len(), 1);
    assert_eq!(table.says(place, 0, "USR 3 TWN S t=7"), ["USR 3 OK carol@example.com carol@example.com 1 0"]);
    assert_eq!(table.report(), "3 command(s) as recorded\nresult: same\n");
}

#[test]
fn challenges_are_checked_for_the_product_that_answers() {
    let recording = "
        0 #1 > VER 1 MSNP8 CVR0
        1 #1 < VER 1 MSNP8
        2 #1 < CHL 0 15570131571988941333
        3 #1 > QRY 2 PROD0038W!61ZTF9|00000000000000000000000000000000
        4 #1 < QRY 2";
    let answer = |text: &str| {
        let mut table = Table::loose(recording);
        let (place, said) = table.connects(0, "VER 1 MSNP8 CVR0");
        assert_eq!(said, ["VER 1 MSNP8"]);
        assert_eq!(table.gets(place, 2), ["CHL 0 15570131571988941333"]);
        assert_eq!(table.says(place, 3, text), ["QRY 2"]);
        table.report()
    };
    assert!(answer("QRY 2 msmsgs@msnmsgr.com|8f2f5a91b72102cd28355e9fc9000d6e").ends_with("result: same\n"));
    assert!(
        answer("QRY 2 msmsgs@msnmsgr.com|8f2f").contains("QRY: payload 8f2f5a91b72102cd28355e9fc9000d6e -> 8f2f\n")
    );
    assert!(answer("QRY 2 PROD|8f2f").contains("QRY: product_id a known product -> PROD\n"));
}

#[test]
fn a_password_is_checked_if_there_is_one_to_check_against() {
    let recording = "
        0 #1 > VER 1 MSNP2 CVR0
        1 #1 < VER 1 MSNP2
        2 #1 > USR 2 MD5 I alice@example.com
        3 #1 < USR 2 MD5 S 1013928519.693957190
        4 #1 > USR 3 MD5 S 7f919fab309532df353c901430df36fa
        5 #1 < USR 3 OK alice@example.com Alice";
    let login = |password: Option<&str>, typed: &str| {
        let mut table = Table::set(recording, Options { password: password.map(str::to_owned), ..Options::default() });
        let (place, _) = table.connects(0, "VER 1 MSNP2 CVR0");
        let salt = table.says(place, 0, "USR 2 MD5 I alice@example.com");
        // the salt was masked in the recording: one as long is made up
        assert_eq!(salt, ["USR 2 MD5 S 12345678912345678912"]);
        let hash = challenge::md5_login(b"12345678912345678912", typed.as_bytes());
        (table.says(place, 0, &format!("USR 3 MD5 S {hash}")), table.report())
    };
    let welcome = ["USR 3 OK alice@example.com Alice"];
    assert_eq!(login(None, "wrong").0, welcome);
    assert_eq!(login(Some("password"), "password").0, welcome);
    let (said, report) = login(Some("password"), "wrong");
    assert_eq!(said, ["911 3", "(closed)"]);
    assert!(report.contains("USR: md5_response the right one -> a wrong one\n"), "{report}");
}

#[test]
fn cookies_are_good_once_and_strangers_are_refused() {
    let mut table = Table::loose(LOGIN);
    assert_eq!(table.refused("USR 1 alice@example.com 1.2.3"), Some("911 1".into()));
    let server = log_in(&mut table);
    let xfr = table.says(server, 50, "XFR 6 SB");
    let cookie = xfr[0].rsplit(' ').next().unwrap().to_owned();
    table.connects(60, &format!("USR 1 alice@example.com {cookie}"));
    assert_eq!(table.refused(&format!("USR 1 alice@example.com {cookie}")), Some("911 1".into()));
    assert_eq!(table.refused("VER 1 MSNP8 CVR0"), None);
    assert_eq!(table.play.report().not_in_recording.len(), 3);
}

#[test]
fn an_invitation_comes_unasked_and_leads_to_its_switchboard() {
    let mut table = Table::loose(
        "0 #1 > VER 1 MSNP8 CVR0
         1 #1 < VER 1 MSNP8
         2 #1 > CHG 2 NLN 0
         3 #1 < CHG 2 NLN 0
      1002 #1 < RNG 11 192.0.2.3:1863 CKI 9.9 bob@example.com Bob
      1010 #2 > ANS 1 alice@example.com 9.9 11
      1011 #2 < IRO 1 1 1 bob@example.com Bob
      1012 #2 < ANS 1 OK
      1500 #2 < BYE bob@example.com
      1600 #2 closed client",
    );
    let (server, _) = table.connects(0, "VER 1 MSNP8 CVR0");
    table.says(server, 0, "CHG 5 NLN 0");
    let rung = table.gets(server, 1000);
    let cookie = rung[0].split(' ').nth(4).unwrap().to_owned();
    assert_eq!(rung, [format!("RNG 11 127.0.0.1:1863 CKI {cookie} bob@example.com Bob")]);
    let (board, said) = table.connects(1100, &format!("ANS 3 alice@example.com {cookie} 11"));
    assert_eq!(said, ["IRO 3 1 1 bob@example.com Bob", "ANS 3 OK"]);
    assert_eq!(table.gets(board, 1590), ["BYE bob@example.com"]);
    table.play.ended(board);
    assert!(table.report().ends_with("result: same\n"), "{}", table.report());
}

#[test]
fn time_can_run_faster_or_not_at_all() {
    let recording = "
        0 #1 > VER 1 MSNP8 CVR0
        1 #1 < VER 1 MSNP8
     9001 #1 < NLN NLN bob@example.com Bob 0";
    let mut fast = Table::set(recording, Options { pace: Pace::Recorded(90.0), ..Options::default() });
    let (place, _) = fast.connects(0, "VER 1 MSNP8 CVR0");
    assert_eq!(fast.gets(place, 99).len(), 0);
    assert_eq!(fast.gets(place, 101).len(), 1);
    let mut at_once = Table::set(recording, Options { pace: Pace::AtOnce, ..Options::default() });
    assert_eq!(at_once.connects(0, "VER 1 MSNP8 CVR0").1.len(), 2);
}

#[test]
fn what_the_client_said_elsewhere_is_waited_for_but_not_for_ever() {
    let recording = "
        0 #1 > VER 1 MSNP8 CVR0
        1 #1 < VER 1 MSNP8
        2 #1 > XFR 2 SB
        3 #1 < XFR 2 SB 192.0.2.3:1863 CKI 1.2
        4 #2 > USR 1 alice@example.com 1.2
        5 #2 < USR 1 OK alice@example.com Alice
       10 #1 < FLN bob@example.com";
    let mut table = Table::loose(recording);
    let (server, _) = table.connects(0, "VER 1 MSNP8 CVR0");
    let xfr = table.says(server, 0, "XFR 2 SB");
    let cookie = xfr[0].rsplit(' ').next().unwrap().to_owned();
    assert_eq!(table.gets(server, 20), Vec::<String>::new());
    table.connects(30, &format!("USR 1 alice@example.com {cookie}"));
    assert_eq!(table.gets(server, 31), ["FLN bob@example.com"]);
    let mut table = Table::loose(recording);
    let (server, _) = table.connects(0, "VER 1 MSNP8 CVR0");
    table.says(server, 0, "XFR 2 SB");
    assert_eq!(table.gets(server, 10_007), Vec::<String>::new());
    assert_eq!(table.gets(server, 10_008), ["FLN bob@example.com"]);
}
