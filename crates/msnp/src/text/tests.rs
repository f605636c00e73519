use proptest::prelude::*;

use super::*;
use Direction::{ClientToServer, ServerToClient};
use LengthPolicy::{Keep, Repair};

fn server(bytes: &[u8]) -> Command {
    Command::parse(ServerToClient, bytes).unwrap()
}

fn client(bytes: &[u8]) -> Command {
    Command::parse(ClientToServer, bytes).unwrap()
}

/// Reads one command from the client and returns its bytes as text.
fn read(text: &str, length: LengthPolicy) -> String {
    let drafts = parse(text).unwrap();
    assert_eq!(drafts.len(), 1);
    let command = drafts[0].command(Some(ClientToServer), length).unwrap();
    String::from_utf8(command.as_bytes().to_vec()).unwrap()
}

fn problem(text: &str) -> String {
    let problem = parse(text).and_then(|drafts| drafts[0].command(None, Repair));
    problem.unwrap_err().to_string()
}

#[test]
fn headers_and_a_body_need_no_marks() {
    let payload = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nGrüße, ça va? 你好";
    let command = client(format!("MSG 2 N {}\r\n{payload}", payload.len()).as_bytes());
    assert_eq!(
        write(&command),
        concat!(
            ">>> MSG 2 N 85\n",
            "| MIME-Version: 1.0\n",
            "| Content-Type: text/plain; charset=UTF-8\n",
            "|\n",
            "| Grüße, ça va? 你好\n",
        )
    );
    check_any_command(&command);
}

#[test]
fn a_line_end_at_the_end_is_shown() {
    let command = client(b"MSG 3 U 8\r\nA: b\r\n\r\n");
    assert_eq!(write(&command), ">>> MSG 3 U 8\n| A: b\n| \\r\\n\n");
    assert_eq!(read("MSG 3 U 8\n| A: b\n| \n|\n", Keep), "MSG 3 U 8\r\nA: b\r\n\r\n");
}

#[test]
fn other_line_ends_than_crlf_are_shown() {
    assert_eq!(write(&server(b"QNG 50\n")), "<<< QNG 50\\n\n");
    assert_eq!(write(&server(b"NOT 9\na\nb\r\r\nc\r\n")), "<<< NOT 9\\n\n| a\\n\n| b\\r\n| c\\r\\n\n");
    assert_eq!(read("MSG 1 N 3\n| a\\\n| b\\n\n", Repair), "MSG 1 N 3\r\nab\n");
}

#[test]
fn what_cannot_be_seen_is_escaped() {
    let command = server("NLN NLN b@c B\u{200f}\u{a0}\\\tC \r\r\n".as_bytes());
    assert_eq!(write(&command), "<<< NLN NLN b@c B\\xe2\\x80\\x8f\\xc2\\xa0\\\\\\tC \\r\n");
    let command = server(b"LST N=carol@example.com F=Carol C=8d2f0f4e 3 \r\n");
    assert_eq!(write(&command), "<<< LST N=carol@example.com F=Carol C=8d2f0f4e 3\\x20\n");
    assert_eq!(write(&server(b"NOT 6\r\nGr\xfc\xdfe\0")), "<<< NOT 6\n| Gr\\xfc\\xdfe\\x00\n");
    check_any_command(&command);
}

#[test]
fn a_packet_is_hexadecimal_where_it_is_no_text() {
    let mut payload = b"Content-Type: application/x-msnmsgrp2p\r\nP2P-Dest: b@example.com\r\n\r\n".to_vec();
    payload.extend_from_slice(&[0, 0, 0, 0, 10, 13, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 57, 0, 0, 0]);
    payload.extend_from_slice(b"INVITE MSNMSGR:b@example.com MSNSLP/1.0\r\nCall-ID: {1A}\r\n\r\n\0\0\0\0\0");
    let command = Command::new(ClientToServer, b"MSG 10 D", Some(&payload)).unwrap();
    let text = write(&command);
    assert_eq!(
        text,
        concat!(
            ">>> MSG 10 D 150\n",
            "| Content-Type: application/x-msnmsgrp2p\n",
            "| P2P-Dest: b@example.com\n",
            "|\n",
            ": 00 00 00 00 0a 0d fe ff 00 00 00 00 00 00 00 00\n",
            ": 39 00 00 00\n",
            "| INVITE MSNMSGR:b@example.com MSNSLP/1.0\n",
            "| Call-ID: {1A}\n",
            "|\n",
            ": 00 00 00 00 00\n",
        )
    );
    check_any_command(&command);
    assert_eq!(read("MSG 1 N 3\n: 4142 43", Keep), "MSG 1 N 3\r\nABC");
}

#[test]
fn several_commands_stand_in_one_text() {
    let text = "# hello\n\n>>> PNG\r\n  <<< NOT 3\n  # the payload\n  | abc\n\nOUT";
    let drafts = parse(text).unwrap();
    let commands: Vec<Command> =
        drafts.iter().map(|draft| draft.command(Some(ClientToServer), Repair).unwrap()).collect();
    assert_eq!(commands, [client(b"PNG\r\n"), server(b"NOT 3\r\nabc"), client(b"OUT\r\n")]);
    assert_eq!(drafts.iter().map(Draft::line_number).collect::<Vec<_>>(), [3, 4, 8]);
    assert_eq!(drafts[2].direction(), None);
}

#[test]
fn the_length_is_that_of_the_payload_unless_it_is_kept() {
    for (text, repaired) in [
        ("MSG 1 N 9\n| abc", "MSG 1 N 3\r\nabc"),
        ("MSG 1 N\n| abc", "MSG 1 N 3\r\nabc"),
        ("MSG 1 N 003\n| abc", "MSG 1 N 003\r\nabc"),
        ("MSG 1 N 9", "MSG 1 N 0\r\n"),
        ("MSG 1 N", "MSG 1 N 0\r\n"),
        ("ADL 6\n| <ml></ml>", "ADL 6 9\r\n<ml></ml>"),
        ("UBX {len}\n| abc", "UBX 3\r\nabc"),
        ("CHG 1 NLN 0", "CHG 1 NLN 0\r\n"),
        ("ZZZ 1 5", "ZZZ 1 5\r\n"),
        ("ZZZ 1 5\n| abc", "ZZZ 1 3\r\nabc"),
        ("ZZZ 1 5 {len}\n| abc", "ZZZ 1 5 3\r\nabc"),
    ] {
        assert_eq!(read(text, Repair), repaired);
    }
    assert_eq!(read("MSG 1 N 9\n| abc", Keep), "MSG 1 N 9\r\nabc");
    assert_eq!(read("MSG 1 N {len}\n| abc", Keep), "MSG 1 N 3\r\nabc");
    assert_eq!(read("PNG\n| abc", Keep), "PNG\r\nabc");
}

#[test]
fn a_length_of_a_server_is_repaired_only_in_the_form_that_has_one() {
    for (text, repaired) in [
        ("<<< ADL 6 OK", "ADL 6 OK\r\n"),
        ("<<< UUX 9", "UUX 9\r\n"),
        ("<<< 911 12", "911 12\r\n"),
        ("<<< 241 9 58\n| <ml/>", "241 9 5\r\n<ml/>"),
        ("<<< UBX bob@example.com 1 0\\x20\n| <Data/>", "UBX bob@example.com 1 7 \r\n<Data/>"),
        ("<<< NOT\n| <a/>", "NOT 4\r\n<a/>"),
        ("<<< QNG 50", "QNG 50\r\n"),
    ] {
        assert_eq!(read(text, Repair), repaired);
    }
}

#[test]
fn placeholders_are_filled_in_before_the_length_is_counted() {
    let mut drafts = parse("MSG {trid} N {len}\n| {text}, {9a8b} {{text} {1}").unwrap();
    assert_eq!(drafts[0].placeholders().collect::<Vec<_>>(), ["trid", "text", "1"]);
    drafts[0].fill(|name| match name {
        "trid" => Some(b"7".to_vec()),
        "1" => Some(Vec::new()),
        _ => Some("Grüße".into()),
    });
    let command = drafts[0].command(Some(ClientToServer), Repair).unwrap();
    assert_eq!(command.as_bytes(), "MSG 7 N 23\r\nGrüße, {9a8b} {text} ".as_bytes());
    assert_eq!(write(&command), ">>> MSG 7 N 23\n| Grüße, {9a8b} {{text}\\x20\n");
}

#[test]
fn a_problem_is_told_with_its_place() {
    for (text, expected) in [
        ("PNG", "line 1, column 1: from the client or the server? start the line with `>>> ` or `<<< `"),
        (
            "\n>>> png",
            "line 2, column 5: not a command: it starts with three capital letters or three digits; the lines of a payload with `|`",
        ),
        ("| abc", "line 1, column 1: a payload without a command; its line comes first"),
        ("MSG 1 N 3\n\n| abc", "line 3, column 1: a payload has no empty lines; write `|` for an empty line of it"),
        (
            ">>> ÄÖ",
            "line 1, column 5: not a command: it starts with three capital letters or three digits; the lines of a payload with `|`",
        ),
        (">>> CHG 1 ä\\q", "line 1, column 12: unknown escape; there are `\\\\`, `\\r`, `\\n`, `\\t` and `\\x41`"),
        (">>> CHG 1 \\xg0", "line 1, column 13: not a byte; write two hexadecimal digits for each"),
        ("MSG 1 N 3\n: 00 1", "line 2, column 6: not a byte; write two hexadecimal digits for each"),
        (">>> PNG\\nOUT", "line 1, column 10: the line has ended; a payload stands in lines that start with `|`"),
        (">>> PNG\\", "line 1, column 8: the line of a command has an end; write `\\\\` for a backslash"),
        (">>> PNG\rOUT", "line 1, column 8: a carriage return within a line; write `\\r`"),
        (">>> CHG {trd}", "line 1, column 9: nothing is known for `{trd}`; write `{{trd}` for these characters"),
        (
            ">>> MSG 1 N 3\n| {len}",
            "line 2, column 3: nothing is known for `{len}`; write `{{len}` for these characters",
        ),
        (
            "#\n>>> PNG\n| x",
            "line 2, column 5: PNG in this direction carries no payload; keep the length to send it nevertheless",
        ),
    ] {
        assert_eq!(problem(text), expected);
    }
    let mut drafts = parse(">>> CHG {trid}").unwrap();
    drafts[0].fill(|_| Some(b"1\r\nOUT".to_vec()));
    assert!(drafts[0].command(None, Keep).is_err());
}

#[test]
fn debug_output_shows_no_argument() {
    let drafts = parse(">>> USR 4 TWN S t=secret\n\n{verb} {1}").unwrap();
    assert_eq!(format!("{drafts:?}"), "[Draft(c2s USR, line 1, 0 placeholders), Draft( , line 3, 2 placeholders)]");
}

#[test]
fn the_example_of_the_documentation_is_right() {
    let example: String = include_str!("../text.rs")
        .split("```text\n")
        .nth(2)
        .and_then(|block| block.split("//! ```").next())
        .unwrap()
        .lines()
        .map(|line| line.strip_prefix("//! ").unwrap().to_owned() + "\n")
        .collect();
    let drafts = parse(&example).unwrap();
    assert_eq!(drafts.len(), 5);
    let mut written = String::new();
    for draft in drafts {
        let command = draft.command(None, Keep).unwrap();
        assert_eq!(draft.command(None, Repair).as_ref(), Ok(&command));
        assert_eq!(Command::parse(command.direction(), command.as_bytes()).as_ref(), Ok(&command));
        written += &write(&command);
    }
    let without_comments: String = example.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    assert_eq!(written.trim_end(), without_comments.replace("{len}", "90"));
}

fn line_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            " ", "  ", "\r", "\r\n", "\\", "\\n", "\t", "{", "{{", "{len}", "{trid}", "{12}", "}", "|", ":", "#", ">>> ",
            "abc", "0", "5", " 12", "ü", "你好", "\u{200f}", "\u{feff}", "A: b\r\n", "\r\n\r\n", "\n", "\0\0\0\0",
            "a longer piece of text to end what is binary",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..24),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_command_comes_back(
        verb in prop::sample::select(vec!["MSG", "PNG", "UUX", "ADL", "NOT", "801", "ZZZ", "UBX"]),
        arguments in line_bytes(),
        crlf in any::<bool>(),
        payload in line_bytes(),
        from_server in any::<bool>(),
    ) {
        let mut line = verb.as_bytes().to_vec();
        line.push(b' ');
        line.extend(arguments.into_iter().filter(|&byte| byte != b'\n'));
        let direction = Direction::BOTH[usize::from(from_server)];
        check_any_command(&assemble(direction, &line, if crlf { b"\r\n" } else { b"\n" }, &payload).unwrap());
    }

    #[test]
    fn any_text_is_read_or_refused(text in line_bytes(), more in line_bytes()) {
        for mark in ["", ">>> ", ">>> MSG 1 N 3\n| ", "<<< NOT 1\n: "] {
            let text = [mark.as_bytes(), &text, b"\n", mark.as_bytes(), &more].concat();
            check_any_text(&String::from_utf8_lossy(&text));
        }
    }
}
