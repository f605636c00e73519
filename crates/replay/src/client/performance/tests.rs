//! Dialogues with a live server, without sockets: what the played client says, and after what.

use msnp::challenge;

use super::*;
use crate::testing::{script, server};

struct Stage {
    performance: Performance,
}

impl Stage {
    fn set(recordings: &[&str], settings: &[&str]) -> Stage {
        let mut secrets = Secrets::default();
        secrets.set_password(None, "password");
        settings.iter().for_each(|setting| secrets.set(setting).unwrap());
        let scripts = recordings.iter().map(|recording| script(recording)).collect();
        let to = Address::parse("ns.example:1863").unwrap();
        Stage { performance: Performance::new(scripts, to, secrets).unwrap() }
    }

    fn of(recording: &str) -> Stage {
        Stage::set(&[recording], &["ticket=t=live"])
    }

    /// Returns what is done until something has to be waited for.
    fn does(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        loop {
            match self.performance.next() {
                Action::Connect { part, address } => {
                    self.performance.connected(part);
                    done.push(format!("{part} to {address}"));
                }
                Action::Say { part, command } => {
                    let text = String::from_utf8_lossy(command.as_bytes()).replace("\r\n", "|");
                    done.push(format!("{part} {}", text.trim_end_matches('|')));
                }
                Action::Close { part } => done.push(format!("{part} closed")),
                Action::Over => {
                    done.push("over".to_owned());
                    return done;
                }
                Action::Wait { .. } => return done,
            }
        }
    }

    /// Lets the server say something; returns what the client does then.
    fn hears(&mut self, part: usize, text: &str) -> Vec<String> {
        self.performance.heard(part, server(text));
        self.does()
    }

    fn gives_up(&mut self) -> Vec<String> {
        self.performance.gave_up();
        self.does()
    }

    fn report(&self) -> String {
        self.performance.report().to_string()
    }
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
   130 #2 < USR 2 TWN S lc=1033
   140 #2 > USR 3 TWN S t=1
   150 #2 < USR 3 OK alice@example.com Alice 1 0
   151 #2 < CHL 0 1557
   160 #2 > QRY 4 msmsgs@msnmsgr.com|00000000000000000000000000000000
   161 #2 < QRY 4
   200 #2 > CHG 5 NLN 0
   210 #2 < CHG 5 NLN 0
   220 #2 < ILN 5 NLN bob@example.com Bob 0
   300 #2 > XFR 6 SB
   310 #2 < XFR 6 SB 192.0.2.3:1863 CKI 1.2.3
   320 #3 > USR 1 alice@example.com 1.2.3
   330 #3 < USR 1 OK alice@example.com Alice
   340 #3 > CAL 2 bob@example.com
   350 #3 < CAL 2 RINGING 11
   360 #3 < JOI bob@example.com Bob
   370 #3 > MSG 3 A|Content-Type: text/plain\\r\\n\\r\\nHello
   380 #3 < ACK 3
   390 #3 > OUT
   391 #3 closed client
   400 #2 > OUT
   401 #2 closed server";

#[test]
fn a_whole_session_is_played_with_what_the_live_server_says() {
    let mut stage = Stage::of(LOGIN);
    assert_eq!(stage.does(), ["0 to ns.example:1863", "0 VER 1 MSNP8 CVR0"]);
    assert_eq!(stage.hears(0, "VER 1 MSNP8"), ["0 USR 2 TWN I alice@example.com"]);
    assert_eq!(stage.hears(0, "XFR 2 NS 127.0.0.1:7 0 127.0.0.1:6"), Vec::<String>::new());
    stage.performance.ended(0);
    assert_eq!(stage.does(), ["1 to 127.0.0.1:7", "1 VER 1 MSNP8 CVR0"]);
    assert_eq!(stage.hears(1, "VER 1 MSNP8"), ["1 USR 2 TWN I alice@example.com"]);
    assert_eq!(stage.hears(1, "USR 2 TWN S lc=1033,ct=9"), ["1 USR 3 TWN S t=live"]);
    assert_eq!(stage.hears(1, "CHL 0 15570131571988941333"), Vec::<String>::new());
    assert_eq!(
        stage.hears(1, "USR 3 OK alice@example.com Alice 1 0"),
        ["1 QRY 4 msmsgs@msnmsgr.com 32|8f2f5a91b72102cd28355e9fc9000d6e"]
    );
    assert_eq!(stage.hears(1, "QRY 4"), ["1 CHG 5 NLN 0"]);
    assert_eq!(stage.hears(1, "ILN 5 NLN bob@example.com Bob 0"), Vec::<String>::new());
    assert_eq!(stage.hears(1, "CHG 5 NLN 0"), ["1 XFR 6 SB"]);
    assert_eq!(stage.hears(1, "XFR 6 SB 127.0.0.1:8 CKI 9.9"), ["2 to 127.0.0.1:8", "2 USR 1 alice@example.com 9.9"]);
    assert_eq!(stage.hears(2, "USR 1 OK alice@example.com Alice"), ["2 CAL 2 bob@example.com"]);
    assert_eq!(stage.hears(2, "CAL 2 RINGING 77"), Vec::<String>::new());
    assert_eq!(stage.hears(2, "JOI bob@example.com Bob"), ["2 MSG 3 A 33|Content-Type: text/plain||Hello"]);
    assert_eq!(stage.hears(2, "ACK 3"), ["2 OUT", "2 closed", "1 OUT"]);
    stage.performance.ended(1);
    assert_eq!(stage.does(), ["over"]);
    assert_eq!(stage.report(), "14 command(s) as recorded\nresult: same\n");
}

#[test]
fn an_invitation_is_waited_for_and_answered_with_its_live_cookie_and_session() {
    let mut stage = Stage::of(
        "0 #1 > VER 1 MSNP8 CVR0
         1 #1 < VER 1 MSNP8
         2 #1 < RNG 11 192.0.2.3:1863 CKI 9.9 bob@example.com Bob
         3 #2 > ANS 1 alice@example.com 9.9 11
         4 #2 < ANS 1 OK",
    );
    stage.does();
    assert_eq!(stage.hears(0, "VER 1 MSNP8"), Vec::<String>::new());
    assert_eq!(
        stage.hears(0, "RNG 99 127.0.0.1:8 CKI 5.5 bob@example.com Bob"),
        ["1 to 127.0.0.1:8", "1 ANS 1 alice@example.com 5.5 99"]
    );
    assert_eq!(stage.hears(1, "ANS 1 OK"), ["0 closed", "1 closed", "over"]);
    assert!(stage.report().ends_with("result: same\n"));
}

#[test]
fn recordings_of_one_time_are_played_as_they_happened() {
    let alice = "
        0 #1 > VER 1 MSNP8 CVR0
        1 #1 < VER 1 MSNP8
       20 #1 < NLN NLN bob@example.com Bob 0
       30 #1 > PNG
       31 #1 < QNG";
    let bob = "
       10 #1 > VER 1 MSNP8 CVR0
       11 #1 < VER 1 MSNP8
       12 #1 > CHG 2 NLN 0
       13 #1 < CHG 2 NLN 0";
    let mut stage = Stage::set(&[alice, bob], &[]);
    assert_eq!(stage.does(), ["0 to ns.example:1863", "0 VER 1 MSNP8 CVR0"]);
    assert_eq!(stage.hears(0, "VER 1 MSNP8"), ["1 to ns.example:1863", "1 VER 1 MSNP8 CVR0"]);
    assert_eq!(stage.hears(1, "VER 1 MSNP8"), ["1 CHG 2 NLN 0"]);
    assert_eq!(stage.hears(0, "NLN NLN bob@example.com Bob 0"), Vec::<String>::new());
    assert_eq!(stage.hears(1, "CHG 2 NLN 0"), ["0 PNG"]);
    assert_eq!(stage.hears(0, "QNG 45"), ["0 closed", "1 closed", "over"]);
    assert!(stage.report().ends_with("result: same\n"), "{}", stage.report());
}

#[test]
fn other_answers_are_named_and_what_cannot_come_is_not_waited_for() {
    let mut stage = Stage::of(
        "0 #1 > VER 1 MSNP8 CVR0
         1 #1 < VER 1 MSNP8
         2 #1 > CHG 2 NLN 0
         3 #1 < CHG 2 NLN 0
         4 #1 < ILN 2 NLN bob@example.com Bob 0
         5 #1 > REA 3 alice@example.com Alice
         6 #1 < REA 3 5 alice@example.com Alice
         7 #1 > PNG
         8 #1 < QNG",
    );
    stage.does();
    stage.hears(0, "VER 1 MSNP8");
    assert_eq!(stage.hears(0, "201 2"), ["0 REA 3 alice@example.com Alice"]);
    assert_eq!(stage.hears(0, "NOT 5|12345"), Vec::<String>::new());
    assert_eq!(stage.gives_up(), ["0 PNG"]);
    assert_eq!(stage.hears(0, "QNG"), ["0 closed", "over"]);
    assert_eq!(
        stage.report(),
        "2 command(s) as recorded\n\
         not as recorded (1):\n  ns#1 CHG: verb CHG -> 201\n\
         not in the recording (1):\n  ns#1 <<< NOT 5 5\n\
         in the recording, but missing (2):\n  ns#1 <<< ILN 2 NLN bob@example.com Bob 0\n  ns#1 <<< REA 3 5 alice@example.com Alice\n\
         result: different\n"
    );
}

#[test]
fn what_comes_late_is_no_difference() {
    let mut stage = Stage::of(
        "0 #1 > VER 1 MSNP8 CVR0
         1 #1 < VER 1 MSNP8
         2 #1 < NLN NLN bob@example.com Bob 0
         3 #1 > PNG
         4 #1 < QNG",
    );
    stage.does();
    stage.hears(0, "VER 1 MSNP8");
    assert_eq!(stage.gives_up(), ["0 PNG"]);
    stage.hears(0, "NLN NLN bob@example.com Bob 0");
    stage.hears(0, "QNG");
    assert_eq!(
        stage.report(),
        "3 command(s) as recorded\nnotes (1):\n  ns#1 <<< NLN NLN bob@example.com Bob 0 came late\nresult: same\n"
    );
}

#[test]
fn challenges_are_answered_as_the_live_server_sends_them() {
    let recording = "
        0 #1 > VER 1 MSNP8 CVR0
        1 #1 < VER 1 MSNP8
        2 #1 < CHL 0 1557
        3 #1 > QRY 2 msmsgs@msnmsgr.com|00000000000000000000000000000000
        4 #1 < QRY 2
        5 #1 > CHG 3 NLN 0
        6 #1 < CHG 3 NLN 0";
    // one that never comes: its answer is left out
    let mut stage = Stage::of(recording);
    stage.does();
    stage.hears(0, "VER 1 MSNP8");
    assert_eq!(stage.gives_up(), ["0 CHG 3 NLN 0"]);
    stage.hears(0, "CHG 3 NLN 0");
    assert!(stage.report().contains("is left out: the server did not challenge"), "{}", stage.report());
    // one more than recorded: it is answered all the same, and the answer's answer is nobody's business
    let mut stage = Stage::of(recording);
    stage.does();
    stage.hears(0, "VER 1 MSNP8");
    stage.hears(0, "CHL 0 15570131571988941333");
    stage.hears(0, "QRY 2");
    let said = stage.hears(0, "CHL 0 15570131571988941333");
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("0 QRY 1003 "), "{said:?}");
    assert_eq!(stage.hears(0, "QRY 1003"), Vec::<String>::new());
    stage.hears(0, "CHG 3 NLN 0");
    assert!(stage.report().ends_with("result: same\n"), "{}", stage.report());
}

#[test]
fn a_redirect_that_was_not_recorded_is_followed_and_one_that_does_not_come_is_no_end() {
    let direct = "
        0 #1 > VER 1 MSNP8 CVR0
        1 #1 < VER 1 MSNP8
        2 #1 > USR 2 TWN I alice@example.com
        3 #1 < USR 2 TWN S lc=1033
        4 #1 > USR 3 TWN S t=1
        5 #1 < USR 3 OK alice@example.com Alice 1 0";
    let mut stage = Stage::of(direct);
    stage.does();
    stage.hears(0, "VER 1 MSNP8");
    assert_eq!(
        stage.hears(0, "XFR 2 NS 127.0.0.1:7 0 127.0.0.1:6"),
        ["0 closed", "0 to 127.0.0.1:7", "0 VER 1 MSNP8 CVR0"]
    );
    stage.hears(0, "VER 1 MSNP8");
    assert_eq!(stage.hears(0, "USR 2 TWN S lc=1033"), ["0 USR 3 TWN S t=live"]);
    stage.hears(0, "USR 3 OK alice@example.com Alice 1 0");
    assert!(stage.report().starts_with("3 command(s) as recorded\n"), "{}", stage.report());
    assert!(stage.report().ends_with("result: same\n"));

    let mut stage = Stage::of(LOGIN);
    stage.does();
    stage.hears(0, "VER 1 MSNP8");
    stage.hears(0, "USR 2 TWN S lc=1033");
    assert_eq!(stage.gives_up(), ["0 closed", "1 to ns.example:1863", "1 VER 1 MSNP8 CVR0"]);
}

#[test]
fn guids_of_the_live_server_replace_those_of_the_recording() {
    let (old, new) = ("a56b9148-1496-61cf-b95d-bddbe89b3ddf", "00000000-1496-61cf-b95d-bddbe89b3ddf");
    let mut stage = Stage::of(&format!(
        "0 #1 > VER 1 MSNP12 CVR0
         1 #1 < VER 1 MSNP12
         2 #1 < LST N=bob@example.com F=Bob C={old} 11 1
         3 #1 > REM 2 FL {old}
         4 #1 < REM 2 FL {old}"
    ));
    stage.does();
    stage.hears(0, "VER 1 MSNP12");
    assert_eq!(stage.hears(0, &format!("LST N=bob@example.com F=Bob C={new} 11 1")), [format!("0 REM 2 FL {new}")]);
    stage.hears(0, &format!("REM 2 FL {new}"));
    assert!(stage.report().ends_with("result: same\n"), "{}", stage.report());
}

#[test]
fn somebody_else_can_log_in() {
    let recording = "
        0 #1 > VER 1 MSNP2 CVR0
        1 #1 < VER 1 MSNP2
        2 #1 > USR 2 MD5 I alice@example.com
        3 #1 < USR 2 MD5 S 12.34
        4 #1 > USR 3 MD5 S 0000
        5 #1 < USR 3 OK alice@example.com Alice";
    let mut stage = Stage::set(&[recording], &["account=carol@example.com"]);
    stage.does();
    assert_eq!(stage.hears(0, "VER 1 MSNP2"), ["0 USR 2 MD5 I carol@example.com"]);
    let hash = challenge::md5_login(b"56.78", b"password");
    assert_eq!(stage.hears(0, "USR 2 MD5 S 56.78"), [format!("0 USR 3 MD5 S {hash}")]);
    stage.hears(0, "USR 3 OK carol@example.com Alice");
    assert!(stage.report().ends_with("result: same\n"), "{}", stage.report());
}

#[test]
fn the_masked_machine_of_a_login_is_the_one_on_switchboards() {
    let machine = "{a56b9148-1496-61cf-b95d-bddbe89b3ddf}";
    let recording = format!(
        "0 #1 > VER 1 MSNP16 CVR0
         1 #1 < VER 1 MSNP16
         2 #1 > USR 2 SSO S t=1 HAAA {machine}
         3 #2 > USR 1 alice@example.com;{machine} 1.2"
    );
    let mut stage = Stage::set(&[&recording], &["ticket=t=2", "secret=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]);
    stage.does();
    let said = stage.hears(0, "VER 1 MSNP16");
    assert!(said[0].starts_with("0 USR 2 SSO S t=2 ") && said[0].ends_with(machine), "{said:?}");
}

#[test]
fn a_connection_that_the_server_closes_early_is_one_difference() {
    let mut stage = Stage::of(
        "0 #1 > VER 1 MSNP8 CVR0
         1 #1 < VER 1 MSNP8
         2 #1 > CHG 2 NLN 0
         3 #1 < CHG 2 NLN 0
         4 #1 > PNG
         5 #1 < QNG",
    );
    stage.does();
    stage.hears(0, "VER 1 MSNP8");
    stage.performance.ended(0);
    assert_eq!(stage.does(), ["over"]);
    let report = stage.performance.report();
    let texts: Vec<&str> = report.missing.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["<<< CHG 2 NLN 0 and what follows: the server closed the connection before"]);
}

#[test]
fn an_end_that_was_recorded_after_its_effect_is_no_deadlock() {
    let alice = "
        0 #1 > VER 1 MSNP8 CVR0
        1 #1 < VER 1 MSNP8
       10 #1 < FLN bob@example.com
     5000 #1 closed client";
    let bob = "
        2 #1 > VER 1 MSNP8 CVR0
        3 #1 < VER 1 MSNP8
       11 #1 closed client";
    let mut stage = Stage::set(&[alice, bob], &[]);
    stage.does();
    stage.hears(0, "VER 1 MSNP8");
    assert_eq!(stage.hears(1, "VER 1 MSNP8"), Vec::<String>::new());
    assert!(stage.performance.stalled());
    assert_eq!(stage.does(), ["1 closed"]);
    assert!(!stage.performance.stalled());
    assert_eq!(stage.hears(0, "FLN bob@example.com"), ["0 closed", "over"]);
    assert!(stage.report().ends_with("result: same\n"));
}

#[test]
fn a_server_cannot_fill_the_memory() {
    let mut stage = Stage::of("0 #1 > VER 1 MSNP8 CVR0\n1 #1 < VER 1 MSNP8");
    stage.does();
    (0..10_100).for_each(|_| stage.performance.heard(0, server("QNG 5")));
    let report = stage.performance.report();
    assert_eq!((report.not_in_recording.len(), report.more), (1000, 9000));
    assert_eq!(report.notes.len(), 1);
}
