use std::path::PathBuf;

use msnp_transcript::event::Lack;

use crate::testing::Told;

use super::*;

fn told(text: &str) -> (Told, Logs) {
    told_bytes(text.as_bytes())
}

fn told_bytes(text: &[u8]) -> (Told, Logs) {
    let (mut told, mut report) = (Told::default(), Logs::default());
    let log = Log::of(&text[..text.len().min(4096)]).expect("a known log");
    read(log, text, Path::new("/logs/a.log"), &mut told, &mut report).unwrap();
    (told, report)
}

#[test]
fn an_escargot_log_has_connections_and_payloads_in_pythons_notation() {
    let log = concat!(
        "Serving on 0.0.0.0:1863\n",
        "MS/2a1f con\n",
        "MS/2a1f >>> VER 1 MSNP8 CVR0\n",
        "MS/9b01 con\n",
        "MS/2a1f <<< VER 1 MSNP8\n",
        "MS/9b01 >>> USR 1 bob@example.com 1.2\n",
        "MS/9b01 <<< MSG alice@example.com Alice 2\n",
        "b'Content-Type: a\\r\\n\\r\\nIt\\'s \\xc3\\xa9'\n",
        "MS/2a1f >>> QRY 7 msmsgs@msnmsgr.com\n",
        "b'0123456789abcdef0123456789abcdef'\n",
        "MS/9b01 dis\n",
        "MS/2a1f >>> MSG 4 A 133\n",
        "MS/2a1f >>> PNG\n",
    );
    let (told, report) = told(log);
    let wanted = [
        r#"1 opened "" """#,
        r"1 >>> VER 1 MSNP8 CVR0\r\n",
        r#"2 opened "" """#,
        r"1 <<< VER 1 MSNP8\r\n",
        r"2 >>> USR 1 bob@example.com 1.2\r\n",
        r#"2 note the log has "MSG alice@example.com Alice 2": the length was put in"#,
        r"2 <<< MSG alice@example.com Alice 26\r\nContent-Type: a\r\n\r\nIt\'s \xc3\xa9",
        r#"1 note the log has "QRY 7 msmsgs@msnmsgr.com": the length was put in"#,
        r"1 >>> QRY 7 msmsgs@msnmsgr.com 32\r\n0123456789abcdef0123456789abcdef",
        "2 closed by Source",
        r"1 >>> MSG 4 A 133\r\n",
        "1 >>> missing Some(133)",
        r"1 >>> PNG\r\n",
        "1 closed by Source",
    ];
    assert_eq!(told.lines, wanted);
    assert_eq!(told.sources[0].format, "arrows");
    assert_eq!(told.sources[0].file.as_deref(), Some("a.log"));
    assert_eq!(told.sources[0].lacks, [Lack::Bytes, Lack::Times, Lack::Addresses]);
    assert_eq!((report.commands, report.missing_payloads, report.other_lines), (7, 1, 1));
}

#[test]
fn a_page_with_line_ends_in_letters_is_read_between_its_prose() {
    let page = concat!(
        "Another principal invites Alice.\n\n",
        "<<< RNG 17342299 192.0.2.20:1863 CKI 1056411141.26158 bob@example.com Bob\\r\\n\n\n",
        "The connection to the NS remains open.\n\n",
        ">>> ANS 1 alice@example.com 1056411141.26158 17342299\\r\\n\n\n",
        "<<< IRO 1 1 1 bob@example.com Bob\\r\\n\n\n",
        "<<< ANS 1 OK\\r\\n\n\n",
        "<<< MSG bob@example.com Bob 89\\r\\n\n\n",
        "    MIME-Version: 1.0\\r\\n\n\n",
        "    Content-Type: text/x-msmsgscontrol\\r\\n\n\n",
        "    TypingUser: bob@example.com\\r\\n\n\n",
        "    \\r\\n\n\n",
        "    \\r\\n\n\n",
        "Alice answers.\n\n",
        ">>> MSG 2 N 100\\r\\n\n\n",
        "    MIME-Version: 1.0\\r\\n\n\n",
        "    \\r\\n\n\n",
        "    Hello\n\n",
        "Meanwhile on the notification server:\n\n",
        "<<< NLN NLN bob@example.com Bob\\r\\n\n\n",
        ">>> OUT\\r\\n\n",
    );
    let (told, report) = told(page);
    let wanted = [
        r#"1 opened "" """#,
        r"1 <<< RNG 17342299 192.0.2.20:1863 CKI 1056411141.26158 bob@example.com Bob\r\n",
        r#"2 opened "" """#,
        r"2 >>> ANS 1 alice@example.com 1056411141.26158 17342299\r\n",
        r"2 <<< IRO 1 1 1 bob@example.com Bob\r\n",
        r"2 <<< ANS 1 OK\r\n",
        r#"2 note the line announces 89 bytes, the log shows 88: the length was corrected"#,
        r"2 <<< MSG bob@example.com Bob 88\r\nMIME-Version: 1.0\r\nContent-Type: text/x-msmsgscontrol\r\nTypingUser: bob@example.com\r\n\r\n\r\n",
        r#"2 note the line announces 100 bytes, the log shows 26: the length was corrected"#,
        r"2 >>> MSG 2 N 26\r\nMIME-Version: 1.0\r\n\r\nHello",
        r"1 <<< NLN NLN bob@example.com Bob\r\n",
        r"1 >>> OUT\r\n",
        "1 closed by Client",
        "2 closed by Source",
    ];
    assert_eq!(told.lines, wanted);
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.other_lines, 4);
}

#[test]
fn a_papyon_log_has_times_of_day_and_redirects() {
    let log = concat!(
        "[23:59:59 DEBUG papyon.transport] <-> Connecting to messenger.hotmail.com:1863\n",
        "[23:59:59 DEBUG papyon.transport] >>> VER 0 MSNP18 MSNP16\n",
        "[00:00:01 DEBUG papyon.transport] <<< XFR 2 NS 192.0.2.10:1863 U D\n",
        "[00:00:01 DEBUG papyon.protocol.notification] <-> Redirecting to 192.0.2.10:1863\n",
        "[00:00:02 DEBUG papyon.transport] >>> VER 3 MSNP18 MSNP16\n",
        "[00:00:03 DEBUG papyon.transport] >>> UUX 7 51\r\n\t[payload]\n",
        "[00:00:03 DEBUG papyon.transport] >>> not a command\n",
    );
    let (told, report) = told(log);
    assert_eq!(report.problems, ["/logs/a.log:8: no command behind the arrow"]);
    let wanted = [
        r#"1 opened "" """#,
        r"1 >>> VER 0 MSNP18 MSNP16\r\n",
        r"1 <<< XFR 2 NS 192.0.2.10:1863 U D\r\n",
        "1 closed by Source",
        r#"2 opened "" """#,
        r"2 >>> VER 3 MSNP18 MSNP16\r\n",
        r"2 >>> UUX 7 51\r\n",
        "2 >>> missing Some(51)",
        "2 closed by Source",
    ];
    assert_eq!(told.lines, wanted);
    let seconds = told.times.last().unwrap().duration_since(told.times[0]).unwrap();
    assert_eq!(seconds.as_secs(), 4);
}

#[test]
fn a_wikis_dialogue_has_payload_lines_below_the_command() {
    let page = concat!(
        "## Login\n```\nC: VER 1 MSNP8 CVR0\nS: VER 1 MSNP8\n```\n",
        "```\nS: MSG Hotmail Hotmail 57\nMIME-Version: 1.0\nContent-Type: text/x-msmsgsprofile\n\n```\n",
        "```\nC: USR 1 alice@example.com 17262740.1050826919.32308\nS: USR 1 OK alice@example.com Alice\n",
        "C: MSG 4 N 24\nMIME-Version: 1.0\n\nHello\nS: JOI bob@example.com Bob\nS: 911 4\n",
        "C: hello there\n```\n",
    );
    let (told, report) = told(page);
    let wanted = [
        r#"1 opened "" """#,
        r"1 >>> VER 1 MSNP8 CVR0\r\n",
        r"1 <<< VER 1 MSNP8\r\n",
        r"1 <<< MSG Hotmail Hotmail 57\r\nMIME-Version: 1.0\r\nContent-Type: text/x-msmsgsprofile\r\n\r\n",
        r#"2 opened "" """#,
        r"2 >>> USR 1 alice@example.com 17262740.1050826919.32308\r\n",
        r"2 <<< USR 1 OK alice@example.com Alice\r\n",
        r"2 >>> MSG 4 N 24\r\nMIME-Version: 1.0\n\nHello",
        r"2 <<< JOI bob@example.com Bob\r\n",
        r"2 <<< 911 4\r\n",
        "1 closed by Source",
        "2 closed by Source",
    ];
    assert_eq!(told.lines, wanted);
    assert_eq!(report.problems, ["/logs/a.log:21: no command behind the letter"]);
    assert_eq!(told.sources[0].format, "letters");
}

#[test]
fn a_libpurple_log_has_no_payloads_and_uses_connections_again() {
    let log = concat!(
        "(18:37:50) account: Connecting to account alice@example.com.\n",
        "(18:37:50) dns: Wait for DNS child 59068 failed: No child processes\n",
        "(18:37:51) msn: C: NS 000: VER 1 MSNP18 CVR0\n",
        "(18:37:51) msn: S: NS 000: XFR 3 NS 192.0.2.10:1863 U D\n",
        "(18:37:52) msn: C: NS 000: VER 4 MSNP18 CVR0\n",
        "(18:37:53) msn: S: NS 000: GCF 0 6812\n",
        "(18:37:53) msn: C: SB 001: ANS 1 alice@example.com;{1} 2 3\n",
        "(18:37:54) msn: S: SB 001: IRO 1 1 1 bob@example.com Bob 0\n",
        "(18:37:54) msn: C: SB 001: nothing\n",
    );
    let (told, report) = told(log);
    let wanted = [
        r#"1 opened "" """#,
        r"1 >>> VER 1 MSNP18 CVR0\r\n",
        r"1 <<< XFR 3 NS 192.0.2.10:1863 U D\r\n",
        "1 closed by Source",
        r#"2 opened "" """#,
        r"2 >>> VER 4 MSNP18 CVR0\r\n",
        r"2 <<< GCF 0 6812\r\n",
        "2 <<< missing Some(6812)",
        r#"3 opened "" """#,
        r"3 >>> ANS 1 alice@example.com;{1} 2 3\r\n",
        r"3 <<< IRO 1 1 1 bob@example.com Bob 0\r\n",
        "2 closed by Source",
        "3 closed by Source",
    ];
    assert_eq!(told.lines, wanted);
    assert_eq!(report.problems, ["/logs/a.log:9: no command behind the number of the connection"]);
    assert_eq!((report.commands, report.missing_payloads, report.other_lines), (6, 1, 2));
    assert_eq!(told.sources[0].format, "libpurple");
}

#[test]
fn a_debug_log_without_msn_is_told_to_be_one() {
    let (told, report) = told("(18:37:50) prefs: Reading /home/a\n(18:37:50) dns: x\n");
    assert_eq!((told.lines.len(), told.sources.len()), (0, 0));
    assert_eq!(report.problems, ["/logs/a.log: no command of MSNP in this log"]);
}

#[test]
fn the_drawing_of_show_is_read_back() {
    let log = concat!(
        "12:00:00.000 alice@example.com          ns#2 --- connected: 127.0.0.1:5 -> 127.0.0.1:1863 -> ns.example:1863\n",
        "12:00:01.000 alice@example.com          ns#2 >>> CVR 2 0x0409 win 4.10 i386 MSNMSGR 5.0 MSMSGS alice@example.com\n",
        "                                             ~>> CVR 2 0x0409 win 4.10 i386 MSNMSGR 7.5 MSMSGS alice@example.com   (newer)\n",
        "12:00:01.500 alice@example.com          ns#2 <<< 911 3   (AuthenticationFailed: the password is wrong)\n",
        "12:00:02.000 alice@example.com          sb#3 <<< MSG bob@example.com Bob 26\n",
        "                                             | Content-Type: a\n",
        "                                             | \n",
        "                                             | Hello\n",
        "12:00:03.000 alice@example.com          sb#3 <<< MSG bob@example.com Bob 18\n",
        "                                             | <a>\n",
        "                                             |   <b/>\n",
        "                                             | 000000  3c 61 3e 20 20 20 20 20 20 20 3c 62 2f 3e 3c 2f  <a>       <b/></\n",
        "                                             | 000010  61 3e                                            a>\n",
        "12:00:04.000 alice@example.com          sb#3 <<< MSG bob@example.com Bob 99\n",
        "                                             | <a>\n",
        "12:00:05.000 alice@example.com          ns#2 >>> PNG [LF]\n",
        "12:00:06.000 alice@example.com          ns#2 --- closed by client\n",
    );
    let (told, report) = told(log);
    let wanted = [
        r#"1 opened "127.0.0.1:5" "ns.example:1863""#,
        r"1 >>> CVR 2 0x0409 win 4.10 i386 MSNMSGR 5.0 MSMSGS alice@example.com\r\n",
        "1 note ~>> CVR 2 0x0409 win 4.10 i386 MSNMSGR 7.5 MSMSGS alice@example.com   (newer)",
        r"1 <<< 911 3\r\n",
        r#"2 opened "" """#,
        r"2 <<< MSG bob@example.com Bob 26\r\nContent-Type: a\r\n\r\nHello\r\n",
        r"2 <<< MSG bob@example.com Bob 18\r\n<a>       <b/></a>",
        r"2 <<< MSG bob@example.com Bob 99\r\n",
        "2 <<< missing Some(99)",
        r"1 >>> PNG\n",
        "1 closed by Client",
        "2 closed by Source",
    ];
    assert_eq!(told.lines, wanted);
    assert_eq!(told.sources[0].lacks, [Lack::Bytes, Lack::Times]);
    assert_eq!(report.problems, Vec::<String>::new());
}

#[test]
fn remarks_of_the_text_export_say_where_the_dialogue_goes_on() {
    let log = concat!(
        "# Session: 01jd\n# 12:00:00.000 #3 connected: a -> b -> c\n\n# 12:00:01.000 ns#3\n>>> VER 1 MSNP8 CVR0\n",
        "\n# 12:00:02.500 sb#4\n<<< NAK 1\n\n# 12:00:03.000 ds#3\n<<< VER 1 MSNP8\n",
    );
    let (told, _) = told(log);
    let wanted = [
        r#"1 opened "" """#,
        r">>> VER 1 MSNP8 CVR0\r\n",
        r#"2 opened "" """#,
        r"<<< NAK 1\r\n",
        r"<<< VER 1 MSNP8\r\n",
    ];
    for (line, wanted) in told.lines.iter().zip(wanted) {
        assert!(line.ends_with(wanted), "{line}");
    }
    assert!(told.lines[4].starts_with("1 "));
    assert_eq!(told.times[4].duration_since(told.times[1]).unwrap().as_secs(), 2);
}

#[test]
fn the_text_form_of_commands_loses_nothing() {
    let log = ">>> MSG 4 D 5\n: 00 ff 0a\n| hi\n<<< NOT 7\n| a\n| \n| b\\n\n| \n<<< UBX bob@example.com 0\n";
    let (told, _) = told(log);
    let wanted = [
        r"1 >>> MSG 4 D 5\r\n\x00\xff\nhi",
        r#"2 opened "" """#,
        r"2 <<< NOT 7\r\na\r\n\r\nb\n",
        r"2 <<< UBX bob@example.com 0\r\n",
    ];
    assert_eq!(told.lines[1..5], wanted);
}

#[test]
fn dates_are_kept_and_bytes_that_are_not_utf8_too() {
    let (told, _) = told_bytes(b"2010-05-05 11:44:10,250 [7] >>> CHG 8 NLN Caf\xe9\n");
    assert_eq!(told.sources[0].lacks, [Lack::Bytes, Lack::Addresses]);
    assert_eq!(told.lines[1], r"1 >>> CHG 8 NLN Caf\xe9\r\n");
    assert_eq!(msnp_transcript::id::Stamp::of(told.times[1]).as_str(), "2010-05-05T11:44:10.250000Z");
}

#[test]
fn a_dialogue_is_exact() {
    let text = concat!(
        "# remark\n@conn ns1 NS MSNP9 client=10.0.0.5:4000 server=ns.example:1863\n",
        "C> VER 1 MSNP9\\r\\n\nS> VER 1\nS|  MSNP9\\r\\n\n",
        "@conn sb2 SB MSNP9\nC> MSG 3 D 4\\r\\n\nC| \\x00\\xff\\\\\\t\n@use ns1\nC> PNG\\x20\\n\n@close ns1 by=server\n",
        "C| more\nS> bad \\q\n@use nobody\nS> QNG\\r\\n\nC> hé\nnonsense\n",
    );
    let (told, report) = told(text);
    let wanted = [
        r#"1 opened "10.0.0.5:4000" "ns.example:1863""#,
        r"1 >>> VER 1 MSNP9\r\n",
        r"1 <<< VER 1 MSNP9\r\n",
        r#"2 opened "" """#,
        r"2 >>> MSG 3 D 4\r\n\x00\xff\\\t",
        r"1 >>> PNG \n",
        "1 closed by Server",
    ];
    assert_eq!(told.lines[..7], wanted);
    assert_eq!(told.sources[0].lacks, [Lack::Times]);
    let wanted = [
        "3 <<< missing None",
        r#"4 opened "" """#,
        r"4 <<< QNG\r\n",
        r"4 >>> h\xc3\xa9",
        "2 closed by Source",
        "3 closed by Source",
        "4 closed by Source",
    ];
    assert_eq!(told.lines[8..], wanted);
    assert_eq!(
        report.problems,
        [
            "/logs/a.log:12: more bytes of a message that did not begin: there is no C> or S> before it",
            "/logs/a.log:13: an escape that is none: expected \\r, \\n, \\t, \\\\ or \\x and two digits",
            "/logs/a.log:14: no connection \"nobody\" is open: a new one is taken",
            "/logs/a.log:17: not a record: expected C>, C|, S>, S|, @conn, @use, @close or #",
        ]
    );
}

#[test]
fn the_example_dialogues_are_told_as_they_are_framed() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../msnp/tests/data/examples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        assert_eq!(Log::of(&text[..text.len().min(4096)]), Some(Log::Dialogue), "{}", path.display());
        let (told, report) = told_bytes(&text);
        assert_eq!(report.problems, Vec::<String>::new());
        count += told.lines.iter().filter(|line| line.contains(">>> ") || line.contains("<<< ")).count();
    }
    assert_eq!(count, 315);
}

#[test]
fn a_line_without_end_takes_no_more_memory_than_the_longest() {
    let text = [b">>> PNG\n>>> ".to_vec(), vec![b'x'; 6 << 20], b"\n>>> OUT\n".to_vec()].concat();
    let (told, report) = told_bytes(&text);
    assert_eq!(told.lines[1..3], [r"1 >>> PNG\r\n", r"1 >>> OUT\r\n"].map(String::from));
    assert_eq!(
        report.problems,
        ["/logs/a.log:2: the line is too long: its end is left out", "/logs/a.log:2: no command behind the arrow"]
    );
}

#[test]
fn what_is_no_log_is_not_taken_for_one() {
    for text in
        ["", "hello\n", "From: a@b\nC: \\Windows\nS: maybe\n", ">>> quoted mail\n<<< x\n", "(parenthesis) a: b\n"]
    {
        assert_eq!(Log::of(text.as_bytes()), None, "{text}");
    }
}
