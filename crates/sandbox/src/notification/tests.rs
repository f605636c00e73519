use super::*;
use crate::dialogue::{Dialogue, versions};
use crate::options::Challenges;
use Role::{Dispatch, Notification};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";

fn quiet() -> Dialogue {
    Dialogue::new(Challenges::Never)
}

#[test]
fn the_best_version_offered_is_chosen() {
    for (offer, answer) in [
        ("VER 1 MSNP7 MSNP6 MSNP5 MSNP4 CVR0", "VER 1 MSNP7\r\n"),
        ("VER 2 MSNP18 MSNP15 MSNP12", "VER 2 MSNP15\r\n"),
        ("VER 3 MSNP14 MSNP13 MSNP12 CVR0", "VER 3 MSNP12\r\n"),
        ("VER 4 CVR0", "VER 4 CVR0\r\n"),
    ] {
        let mut dialogue = quiet();
        let mut line = dialogue.connect(Dispatch);
        assert_eq!(dialogue.say(&mut line, &format!("{offer}\r\n")), answer);
        assert!(!line.is_closed());
    }
}

#[test]
fn who_offers_nothing_known_is_told_so_and_disconnected() {
    for offer in ["VER 1 MSNP18 MSNP21 CVR0", "VER 1 MSNP13", "VER 1"] {
        let mut dialogue = quiet();
        let mut line = dialogue.connect(Dispatch);
        assert_eq!(dialogue.say(&mut line, &format!("{offer}\r\n")), "VER 1 0\r\n");
        assert!(line.is_closed());
    }
}

#[test]
fn a_session_for_version_information_only_gets_it() {
    let mut dialogue = quiet();
    let mut line = dialogue.connect(Dispatch);
    dialogue.say(&mut line, "VER 1 CVR0\r\n");
    let answer = dialogue.say(&mut line, "CVQ 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0813 MSMSGS alice@example.com\r\n");
    assert_eq!(
        answer,
        "CVQ 2 7.0.0813 7.0.0813 1.0.0000 http://download.example/setup.exe http://messenger.example\r\n"
    );
    assert_eq!(dialogue.say(&mut line, "USR 3 TWN I alice@example.com\r\n"), "715 3\r\n");
}

#[test]
fn the_dispatch_server_sends_everybody_on() {
    for version in versions() {
        let mut dialogue = quiet();
        let mut line = dialogue.connect(Dispatch);
        dialogue.say(&mut line, &format!("VER 1 MSNP{version} CVR0\r\n"));
        let scheme = ["MD5", "TWN", "SSO"][usize::from(version > 7) + usize::from(version > 12)];
        let answer = dialogue.say(&mut line, &format!("USR 3 {scheme} I alice@example.com\r\n"));
        let tail = match version {
            2 => "",
            3..=6 => " 0",
            7..=12 => " 0 192.0.2.1:1863",
            _ => " U D",
        };
        assert_eq!(answer, format!("XFR 3 NS 192.0.2.10:1863{tail}\r\n"));
        assert!(line.is_closed());
    }
}

#[test]
fn a_login_of_msnp2_goes_as_documented() {
    let mut dialogue = quiet();
    let mut line = dialogue.connect(Notification);
    assert_eq!(dialogue.say(&mut line, "VER 4 MSNP2 CVR0\r\n"), "VER 4 MSNP2\r\n");
    assert_eq!(dialogue.say(&mut line, "INF 5\r\n"), "INF 5 MD5\r\n");
    let asked = dialogue.say(&mut line, "USR 6 MD5 I alice@example.com\r\n");
    let salt = asked.trim_end().strip_prefix("USR 6 MD5 S ").unwrap();
    let response = msnp::challenge::md5_login(salt.as_bytes(), b"password");
    let done = dialogue.say(&mut line, &format!("USR 7 MD5 S {response}\r\n"));
    assert!(done.starts_with("USR 7 OK alice@example.com Alice\r\nMSG Hotmail Hotmail "), "{done}");
    assert_eq!(
        dialogue.say(&mut line, "SYN 8 0\r\n"),
        "SYN 8 4\r\nGTC 8 4 A\r\nBLP 8 4 AL\r\nLST 8 FL 4 1 1 bob@example.com Bob\r\n\
         LST 8 AL 4 1 1 bob@example.com Bob\r\nLST 8 BL 4 0 0\r\nLST 8 RL 4 1 1 bob@example.com Bob\r\n"
    );
    assert_eq!(dialogue.say(&mut line, "SYN 9 4\r\n"), "SYN 9 4\r\n");
    assert_eq!(dialogue.say(&mut line, "CHG 10 NLN\r\n"), "CHG 10 NLN\r\n");
    assert_eq!(dialogue.say(&mut line, "PNG\r\n"), "QNG\r\n");
    dialogue.say(&mut line, "OUT\r\n");
    assert!(line.is_closed());
}

#[test]
fn contact_lists_have_the_shape_of_their_version() {
    let mut dialogue = quiet();
    let mut line = dialogue.log_in(ALICE, 7);
    dialogue.say(&mut line, "ADG 5 Friends 0\r\n");
    dialogue.say(&mut line, "ADD 6 FL bob@example.com Bob 1\r\n");
    assert_eq!(
        dialogue.say(&mut line, "SYN 8 0\r\n"),
        "SYN 8 6\r\nGTC 8 6 A\r\nBLP 8 6 AL\r\nLSG 8 6 1 2 0 Other%20Contacts 0\r\nLSG 8 6 2 2 1 Friends 0\r\n\
         LST 8 FL 6 1 1 bob@example.com Bob 1\r\nLST 8 AL 6 1 1 bob@example.com Bob\r\nLST 8 BL 6 0 0\r\n\
         LST 8 RL 6 1 1 bob@example.com Bob\r\n"
    );
    dialogue.hang_up(line);

    let mut line = dialogue.log_in(ALICE, 9);
    dialogue.say(&mut line, "PRP 7 PHH 555%20010\r\n");
    assert_eq!(
        dialogue.say(&mut line, "SYN 8 0\r\n"),
        "SYN 8 7 1 2\r\nGTC A\r\nBLP AL\r\nPRP PHH 555%20010\r\nLSG 0 Other%20Contacts 0\r\nLSG 1 Friends 0\r\n\
         LST bob@example.com Bob 11 1\r\n"
    );
    dialogue.hang_up(line);

    let alice = &dialogue.world.users[ALICE];
    let (guid, group) = (alice.contacts[BOB].guid.clone(), alice.groups[0].guid.clone());
    for (version, network) in [(10, ""), (11, ""), (12, " 1")] {
        let mut line = dialogue.log_in(ALICE, version);
        let date = "2003-05-01T00:00:07.0000000-00:00";
        assert_eq!(
            dialogue.say(&mut line, "SYN 8 0 0\r\n"),
            format!(
                "SYN 8 {date} {date} 1 1\r\nGTC A\r\nBLP AL\r\nPRP PHH 555%20010\r\nPRP MFN Alice\r\n\
                 LSG Friends {group}\r\nLST N=bob@example.com F=Bob C={guid} 11{network} {group}\r\n"
            )
        );
        assert_eq!(dialogue.say(&mut line, &format!("SYN 9 {date} {date}\r\n")), format!("SYN 9 {date} {date}\r\n"));
        dialogue.hang_up(line);
    }
}

#[test]
fn adding_and_removing_is_told_to_both_sides() {
    let mut dialogue = quiet();
    let mut alice = dialogue.go_online(ALICE, 9);
    let mut carol = dialogue.go_online(CAROL, 12);
    assert_eq!(
        dialogue.say(&mut alice, "ADD 5 FL carol@example.com Carol 0\r\n"),
        "ADD 5 FL 5 carol@example.com Carol 0\r\n"
    );
    assert_eq!(carol.told(), "ADC 0 RL N=alice@example.com F=Alice\r\n");
    assert_eq!(alice.told(), "NLN NLN carol@example.com Carol%20C 0\r\n");
    assert_eq!(dialogue.say(&mut alice, "REM 6 FL carol@example.com 0\r\n"), "REM 6 FL 6 carol@example.com 0\r\n");
    assert_eq!(carol.told(), "REM 0 RL alice@example.com\r\n");
    assert_eq!(alice.told(), "FLN carol@example.com\r\n");

    let answer = dialogue.say(&mut carol, "ADC 7 FL N=alice@example.com F=Alice\r\n");
    let guid = dialogue.world.users[CAROL].contacts[ALICE].guid.clone();
    assert_eq!(answer, format!("ADC 7 FL N=alice@example.com F=Alice C={guid}\r\n"));
    assert_eq!(alice.told(), "ADD 0 RL 7 carol@example.com Carol%20C\r\n");
    assert_eq!(carol.told(), "NLN NLN alice@example.com Alice 0 0\r\n");
    assert_eq!(dialogue.say(&mut carol, &format!("SBP 8 {guid} MFN Ally\r\n")), format!("SBP 8 {guid} MFN Ally\r\n"));
    assert_eq!(dialogue.say(&mut carol, &format!("REM 9 FL {guid}\r\n")), format!("REM 9 FL {guid}\r\n"));
    assert_eq!(alice.told(), "REM 0 RL 8 carol@example.com\r\n");
}

#[test]
fn blocking_somebody_means_being_offline_for_them() {
    let mut dialogue = quiet();
    let mut alice = dialogue.go_online(ALICE, 12);
    let mut bob = dialogue.go_online(BOB, 15);
    assert_eq!(alice.told(), "NLN NLN bob@example.com Bob 0 0\r\n");
    assert_eq!(dialogue.say(&mut alice, "ADC 5 BL N=bob@example.com\r\n"), "ADC 5 BL N=bob@example.com\r\n");
    assert_eq!(bob.told(), "FLN alice@example.com 1 0\r\n");
    assert_eq!(dialogue.say(&mut alice, "REM 6 BL bob@example.com\r\n"), "REM 6 BL bob@example.com\r\n");
    assert_eq!(bob.told(), "NLN NLN alice@example.com 1 Alice 0 0\r\n");
}

#[test]
fn groups_are_numbers_and_then_ids() {
    let mut dialogue = quiet();
    let mut old = dialogue.log_in(ALICE, 8);
    assert_eq!(dialogue.say(&mut old, "ADG 5 Friends 0\r\n"), "ADG 5 5 Friends 1 0\r\n");
    assert_eq!(dialogue.say(&mut old, "REG 6 1 Pals 0\r\n"), "REG 6 6 1 Pals 0\r\n");
    assert_eq!(dialogue.say(&mut old, "RMG 7 1\r\n"), "RMG 7 7 1\r\n");
    assert_eq!(dialogue.say(&mut old, "RMG 8 1\r\n"), "224 8\r\n");
    assert_eq!(dialogue.say(&mut old, "RMG 9 0\r\n"), "230 9\r\n");
    let mut new = dialogue.log_in(BOB, 10);
    let answer = dialogue.say(&mut new, "ADG 5 Friends 0\r\n");
    let group = dialogue.world.users[BOB].groups[0].guid.clone();
    let guid = dialogue.world.users[BOB].contacts[ALICE].guid.clone();
    assert_eq!(answer, format!("ADG 5 Friends {group} 0\r\n"));
    assert_eq!(
        dialogue.say(&mut new, &format!("ADC 6 FL C={guid} {group}\r\n")),
        format!("ADC 6 FL C={guid} {group}\r\n")
    );
    assert_eq!(dialogue.say(&mut new, &format!("REM 7 FL {guid} {group}\r\n")), format!("REM 7 FL {guid} {group}\r\n"));
    assert_eq!(dialogue.say(&mut new, &format!("REM 8 FL {guid} {group}\r\n")), "225 8\r\n");
    assert_eq!(dialogue.say(&mut new, &format!("REG 9 {group} Pals 0\r\n")), format!("REG 9 1 Pals {group} 0\r\n"));
    assert_eq!(dialogue.say(&mut new, &format!("RMG 10 {group}\r\n")), format!("RMG 10 1 {group}\r\n"));
}

#[test]
fn single_sign_on_comes_with_policies_and_no_list() {
    let mut dialogue = quiet();
    let mut line = dialogue.connect(Notification);
    dialogue.say(&mut line, "VER 1 MSNP15 CVR0\r\n");
    let asked = dialogue.say(&mut line, "USR 3 SSO I alice@example.com\r\n");
    assert!(asked.starts_with("GCF 0 21\r\n<Policies></Policies>USR 3 SSO S MBI_KEY_OLD "), "{asked}");
    assert_eq!(asked.trim_end().rsplit(' ').next().map(str::len), Some(64));
    dialogue.hang_up(line);
    let mut line = dialogue.log_in(ALICE, 15);
    assert_eq!(dialogue.say(&mut line, "SYN 5 0 0\r\n"), "715 5\r\n");
    assert_eq!(dialogue.say(&mut line, "BLP 6 AL\r\n"), "BLP 6 AL\r\n");
    assert_eq!(dialogue.say(&mut line, "PRP 7 MFN Alice%20Example\r\n"), "PRP 7 MFN Alice%20Example\r\n");
}

#[test]
fn lists_in_documents_are_accepted_or_refused_as_a_whole() {
    let mut dialogue = quiet();
    let mut carol = dialogue.go_online(CAROL, 15);
    let mut bob = dialogue.go_online(BOB, 15);
    let mut say =
        |verb: &str, document: &str| dialogue.say(&mut carol, &format!("{verb} 6 {}\r\n{document}", document.len()));
    let bob_on_both = r#"<ml l="1"><d n="example.com"><c n="bob" l="3" t="1"/></d></ml>"#;
    assert_eq!(say("ADL", bob_on_both), "ADL 6 OK\r\n");
    assert_eq!(say("ADL", bob_on_both), "ADL 6 OK\r\n");
    let told = r#"<ml><d n="example.com"><c n="carol" t="1" l="8" f="Carol C"/></d></ml>"#;
    assert_eq!(bob.told(), format!("ADL 0 {}\r\n{told}", told.len()));
    let reverse = r#"<ml><d n="example.com"><c n="bob" l="8" t="1"/></d></ml>"#;
    assert_eq!(say("ADL", reverse), format!("241 6 {}\r\n{reverse}", reverse.len()));
    assert_eq!(say("ADL", "<ml></ml>"), "240 6\r\n");
    assert_eq!(say("ADL", "<ml>"), "241 6 4\r\n<ml>");
    assert_eq!(say("ADL", r#"<ml><d n="example.com"><c n="ghost" l="1" t="1"/></d></ml>"#), "208 6\r\n");
    let asked = r#"<ml><d n="example.com"><c n="bob"/><c n="ghost"/></d></ml>"#;
    let known = r#"<ml><d n="example.com"><c n="bob" t="1"/></d></ml>"#;
    assert_eq!(say("FQY", asked), format!("FQY 6 {}\r\n{known}", known.len()));
    let off = r#"<ml><d n="example.com"><c n="bob" l="1" t="1"/></d></ml>"#;
    assert_eq!(say("RML", off), "RML 6 OK\r\n");
    assert_eq!(say("RML", off), "216 6\r\n");
    let told = r#"<ml><d n="example.com"><c n="carol" t="1" l="8"/></d></ml>"#;
    assert_eq!(bob.told(), format!("RML 0 {}\r\n{told}", told.len()));
}

#[test]
fn what_is_refused_is_refused_with_its_documented_error() {
    for (version, command, error) in [
        (8, "XYZ 9", "200 9"),
        (8, "CHG 9 FOO 0", "201 9"),
        (8, "CHG 9 NLN x", "201 9"),
        (8, "USR 9 TWN I alice@example.com", "207 9"),
        (9, "ADD 9 FL ghost@example.com Ghost", "205 9"),
        (10, "ADC 9 FL N=ghost@example.com F=Ghost", "208 9"),
        (9, "ADD 9 FL bob@example.com Bob", "215 9"),
        (9, "ADD 9 RL carol@example.com Carol", "201 9"),
        (9, "ADD 9 XL carol@example.com Carol", "201 9"),
        (9, "REM 9 BL bob@example.com", "216 9"),
        (9, "ADD 9 FL bob@example.com Bob 7", "224 9"),
        (9, "ADC 9 FL N=bob@example.com", "715 9"),
        (8, "GTC 9 A", "218 9"),
        (8, "GTC 9 X", "201 9"),
        (8, "BLP 9 AL", "218 9"),
        (8, "PRP 9 XXX y", "201 9"),
        (8, "SYN 9 x", "201 9"),
        (11, "GCF 9 Other.xml", "201 9"),
        (8, "XFR 9 SB", "913 9"),
        (8, "XFR 9 NS", "201 9"),
        (8, "SND 9 bob@example.com 1033", "502 9"),
        (8, "VER 9 MSNP8", "715 9"),
        (15, "QRY 9 msmsgs@msnmsgr.com 0", "715 9"),
        (12, "UUX 9 4\r\n<a>x", "715 9"),
        (2, "PRP 9 PHH 1", "715 9"),
    ] {
        let mut dialogue = quiet();
        let mut line = dialogue.log_in(ALICE, version);
        let command = if command.contains("\r\n") { command.to_owned() } else { format!("{command}\r\n") };
        assert_eq!(dialogue.say(&mut line, &command), format!("{error}\r\n"), "MSNP{version} {command}");
        assert!(!line.is_closed(), "{command}");
    }
}

#[test]
fn before_login_there_is_nothing_but_login() {
    let mut dialogue = quiet();
    for role in [Dispatch, Notification] {
        let mut line = dialogue.connect(role);
        assert_eq!(dialogue.say(&mut line, "CHG 1 NLN\r\n"), "302 1\r\n");
        dialogue.say(&mut line, "VER 2 MSNP8\r\n");
        assert_eq!(dialogue.say(&mut line, "SYN 3 0\r\n"), "302 3\r\n");
        assert_eq!(dialogue.say(&mut line, "USR 4 TWN S t=x\r\n"), "715 4\r\n");
        assert_eq!(
            dialogue.say(&mut line, "USR 5 TWN I nobody\r\n"),
            if role == Dispatch { "XFR 5 NS 192.0.2.10:1863 0 192.0.2.1:1863\r\n" } else { "201 5\r\n" }
        );
    }
}

#[test]
fn a_login_of_another_version_fails() {
    for (version, command) in [(7, "USR 3 TWN I alice@example.com"), (8, "USR 3 MD5 I alice@example.com")] {
        let mut dialogue = quiet();
        let mut line = dialogue.connect(Notification);
        dialogue.say(&mut line, &format!("VER 1 MSNP{version}\r\n"));
        assert_eq!(dialogue.say(&mut line, &format!("{command}\r\n")), "911 3\r\n");
        assert!(line.is_closed());
    }
    let mut dialogue = quiet();
    let mut line = dialogue.connect(Notification);
    dialogue.say(&mut line, "VER 1 MSNP2\r\n");
    assert_eq!(dialogue.say(&mut line, "USR 3 CTP I alice@example.com\r\n"), "502 3\r\n");
}

#[test]
fn what_is_no_command_ends_the_connection() {
    for garbage in ["hello\r\n", "\0\0\0\0", "SYN\r\n", "SYN x\r\n", "GET / HTTP/1.1\r\n", "QRY 1 x y\r\n"] {
        let mut dialogue = quiet();
        let mut line = dialogue.connect(Notification);
        assert_eq!(dialogue.say(&mut line, garbage), "");
        assert!(line.is_closed(), "{garbage:?}");
    }
    let mut dialogue = quiet();
    let mut line = dialogue.connect(Notification);
    dialogue.say(&mut line, "\r\n");
    assert!(!line.is_closed());
}

#[test]
fn nobody_may_take_their_time_to_log_in() {
    let mut line = quiet().connect(Notification);
    assert_eq!(line.wait().as_deref(), Some(""));
    assert!(line.is_closed());
}

#[test]
fn a_challenge_comes_with_the_login_and_must_be_answered() {
    for version in [6, 10, 11, 15] {
        let mut dialogue = Dialogue::new(Challenges::Every(Duration::from_secs(60)));
        let mut line = dialogue.log_in(ALICE, version);
        // the dialogue's helper dropped the login's answer with the first challenge in it: wrong is all that is left
        let wrong = dialogue.say(&mut line, &format!("QRY 9 msmsgs@msnmsgr.com 32\r\n{}", "0".repeat(32)));
        assert_eq!(wrong, "540 9\r\n");
        assert!(line.is_closed());
    }
}

#[test]
fn who_does_not_answer_a_challenge_is_disconnected() {
    let mut dialogue = Dialogue::new(Challenges::AfterLogin);
    let mut line = dialogue.log_in(ALICE, 8);
    assert_eq!(line.wait().as_deref(), Some("540 0\r\n"));
    assert!(line.is_closed());
    let mut old = dialogue.log_in(ALICE, 5);
    assert_eq!(old.wait(), None);
}

#[test]
fn challenges_are_repeated_when_answered() {
    let mut member = Member::new(
        ALICE.into(),
        Version(8),
        quiet().world.log_in(ALICE, Version(8), Outbox::new().0),
        Challenges::Every(Duration::from_secs(60)),
        Instant::now(),
    );
    let mut dialogue = quiet();
    for _ in 0..3 {
        let mut output = Output::default();
        let now = member.deadline().unwrap();
        member.expire(now, &mut output);
        let sent = String::from_utf8(output.into_bytes().to_vec()).unwrap();
        let text = sent.trim_end().strip_prefix("CHL 0 ").unwrap();
        let answer = msnp::challenge::answer_md5(text.as_bytes(), b"Q1P7W2E4J9R8U3S5");
        let command = format!("QRY 10 msmsgs@msnmsgr.com 32\r\n{answer}");
        let command = msnp::Command::parse(msnp::Direction::ClientToServer, command.as_bytes()).unwrap();
        let request = crate::request::Request::parse(&command).unwrap();
        let mut output = Output::default();
        let mut turn = Turn { request: &request, world: &mut dialogue.world, now, output: &mut output };
        assert_eq!(member::qry(&mut member, &mut turn), Ok(()));
        assert_eq!(&output.into_bytes()[..], b"QRY 10\r\n");
        assert_eq!(member.deadline(), Some(now + Duration::from_secs(60)));
    }
}

#[test]
fn a_new_name_is_shown_to_everybody() {
    let mut dialogue = quiet();
    let mut alice = dialogue.go_online(ALICE, 12);
    let mut bob = dialogue.go_online(BOB, 9);
    alice.told();
    assert_eq!(dialogue.say(&mut bob, "REA 5 bob@example.com Bobby\r\n"), "REA 5 5 bob@example.com Bobby\r\n");
    assert_eq!(alice.told(), "NLN NLN bob@example.com Bobby 0 0\r\n");
    assert_eq!(dialogue.say(&mut alice, "PRP 6 MFN Al\r\n"), "PRP 6 MFN Al\r\n");
    assert_eq!(bob.told(), "NLN NLN alice@example.com Al 0\r\n");
    assert_eq!(dialogue.say(&mut bob, &format!("REA 7 bob@example.com {}\r\n", "x".repeat(400))), "209 7\r\n");
}

#[test]
fn phone_numbers_are_told_to_contacts() {
    let mut dialogue = quiet();
    let mut alice = dialogue.go_online(ALICE, 9);
    let mut bob = dialogue.go_online(BOB, 12);
    alice.told();
    assert_eq!(dialogue.say(&mut bob, "PRP 5 PHM 555%20010\r\n"), "PRP 5 PHM 555%20010\r\n");
    assert_eq!(alice.told(), "BPR 4 bob@example.com PHM 555%20010\r\n");
    let list = dialogue.say(&mut alice, "SYN 6 0\r\n");
    assert!(list.ends_with("LST bob@example.com Bob 11 0\r\nBPR PHM 555%20010\r\n"), "{list}");
}

#[test]
fn no_command_makes_the_server_panic() {
    let long = "x".repeat(5000);
    let arguments = [
        "",
        "0",
        "x",
        "@",
        "FL",
        "FL @",
        "FL N=",
        "FL C= 0",
        "FL bob@example.com",
        "FL bob@example.com Bob 4294967295",
        "NLN 0 %",
        "MFN",
        "MFN %ff",
        "é 😀",
        "SB",
        "I",
        "TWN I",
        "MD5 S",
        "SSO S t= =",
        &long,
    ];
    for version in versions() {
        for row in COMMANDS.iter().filter(|row| row.verb != "OUT") {
            for arguments in arguments {
                let mut dialogue = quiet();
                let mut line = dialogue.log_in(ALICE, version);
                let verb = row.verb;
                dialogue.say(&mut line, &format!("{verb} 9 {arguments}\r\n"));
                let mut line = dialogue.log_in(ALICE, version);
                for payload in ["", "<ml>", "<ml><d n=\"\"><c n=\"\" l=\"255\"/></d></ml>", "\u{1}"] {
                    dialogue.say(&mut line, &format!("{verb} 9 {arguments} {}\r\n{payload}", payload.len()));
                }
                let mut stranger = dialogue.connect(Notification);
                dialogue.say(&mut stranger, &format!("{verb} 9 {arguments}\r\n"));
            }
        }
    }
}
