use std::time::UNIX_EPOCH;

use crate::testing::Told;

use super::*;
use Direction::{ClientToServer, ServerToClient};

/// Tells gateways of TCP connections, one byte of time after the other.
#[derive(Default)]
struct Script {
    gateways: Gateways,
    told: Told,
    report: Report,
    millis: u64,
}

impl Script {
    fn now(&mut self) -> SystemTime {
        self.millis += 1;
        UNIX_EPOCH + Duration::from_millis(self.millis)
    }

    fn open(&mut self, tcp: u64) {
        let time = self.now();
        let peers = Peers { client: format!("10.0.0.5:{tcp}"), server: "10.0.0.80:80".into() };
        self.gateways.opened(TcpKey(tcp), &peers, time, &mut self.report);
    }

    fn client(&mut self, tcp: u64, text: &str) {
        let time = self.now();
        self.gateways.data(TcpKey(tcp), ClientToServer, time, text.as_bytes(), &mut self.told);
    }

    fn server(&mut self, tcp: u64, text: &str) {
        let time = self.now();
        self.gateways.data(TcpKey(tcp), ServerToClient, time, text.as_bytes(), &mut self.told);
    }

    fn gap(&mut self, tcp: u64, direction: Direction, length: u64) {
        let time = self.now();
        self.gateways.gap(TcpKey(tcp), direction, time, Some(length), &mut self.told);
    }

    fn close(&mut self, tcp: u64) {
        let time = self.now();
        self.gateways.closed(TcpKey(tcp), time, Closer::Client, &mut self.told);
    }

    fn finish(mut self) -> Vec<String> {
        let time = self.now();
        self.gateways.finish(time, &mut self.told);
        self.told.lines
    }
}

fn post(query: &str, body: &str) -> String {
    format!(
        "POST http://gateway.example/gateway/gateway.dll?{query} HTTP/1.1\r\nHost: gateway.example\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn answer(session: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nx-msn-messenger: SessionID={session}; GW-IP=10.0.0.80\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A login over one connection, and what it is to become.
fn login() -> ([(bool, String); 8], [&'static str; 8]) {
    let dialogue = [
        (true, post("Action=open&Server=NS&IP=messenger.hotmail.com", "VER 1 MSNP12 CVR0\r\n")),
        (false, answer("123.1", "VER 1 MSNP12\r\n")),
        (true, post("SessionID=123.1", "CVR 2 a\r\nUSR 3 TWN I alice@example.com\r\n")),
        (false, answer("123.2", "CVR 2 b\r\n")),
        (true, post("Action=poll&SessionID=123.2", "")),
        (false, answer("123.3", "")),
        (true, post("Action=poll&Lifespan=3&SessionID=123.3", "")),
        (false, answer("123.4; Session=close", "OUT OTH\r\n")),
    ];
    let wanted = [
        r#"1 opened "10.0.0.5:1" "messenger.hotmail.com:1863""#,
        "1 note inside HTTP to the gateway gateway.example",
        r"1 >>> VER 1 MSNP12 CVR0\r\n",
        r"1 <<< VER 1 MSNP12\r\n",
        r"1 >>> CVR 2 a\r\nUSR 3 TWN I alice@example.com\r\n",
        r"1 <<< CVR 2 b\r\n",
        r"1 <<< OUT OTH\r\n",
        "1 closed by Server",
    ];
    (dialogue, wanted)
}

/// Joins what follows one another in a direction.
fn joined(lines: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in lines {
        match out.last_mut() {
            Some(last)
                if line.len() > 6
                    && last.get(..6) == line.get(..6)
                    && (&line[2..5] == ">>>" || &line[2..5] == "<<<") =>
            {
                last.push_str(&line[6..]);
            }
            _ => out.push(line),
        }
    }
    out
}

#[test]
fn a_login_is_unwrapped_wherever_the_bytes_are_cut() {
    let (dialogue, wanted) = login();
    for size in [1, 2, 3, 7, 64, 10_000] {
        let mut script = Script::default();
        script.open(1);
        for (is_client, text) in &dialogue {
            for piece in text.as_bytes().chunks(size) {
                let piece = std::str::from_utf8(piece).unwrap();
                if *is_client { script.client(1, piece) } else { script.server(1, piece) }
            }
        }
        assert_eq!(joined(script.finish()), joined(wanted.map(String::from).into()), "in pieces of {size}");
    }
}

#[test]
fn a_session_goes_on_over_other_connections() {
    let (dialogue, wanted) = login();
    let mut script = Script::default();
    for (index, pair) in dialogue.chunks(2).enumerate() {
        let tcp = index as u64 + 1;
        script.open(tcp);
        script.client(tcp, &pair[0].1);
        script.server(tcp, &pair[1].1);
        script.close(tcp);
    }
    assert_eq!(script.finish(), wanted);
}

#[test]
fn requests_may_be_pipelined_and_mixed_with_others() {
    let mut script = Script::default();
    script.open(1);
    let first = post("SessionID=&Action=open&Server=SB&IP=10.0.0.9", "ANS 1 a b c\r\n");
    let other = "GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n";
    let second = post("Action=open&Server=SB&IP=", "USR 1 a b\r\n");
    script.client(1, &[&first, other, &second].concat());
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    script.server(1, &[&answer("7", "ANS 1 OK\r\n"), page, &answer("8", "USR 1 OK\r\n")].concat());
    let wanted = [
        r#"1 opened "10.0.0.5:1" "10.0.0.9:1863""#,
        "1 note inside HTTP to the gateway gateway.example",
        r"1 >>> ANS 1 a b c\r\n",
        r#"2 opened "10.0.0.5:1" """#,
        "2 note inside HTTP to the gateway gateway.example",
        r"2 >>> USR 1 a b\r\n",
        r"1 <<< ANS 1 OK\r\n",
        r"2 <<< USR 1 OK\r\n",
        "1 closed by Source",
        "2 closed by Source",
    ];
    assert_eq!(script.finish(), wanted);
}

#[test]
fn bodies_may_be_chunked_and_requests_expect_to_be_told_to_go_on() {
    let mut script = Script::default();
    script.open(1);
    script.client(
        1,
        "POST /gateway/gateway.dll?Action=open&Server=NS&IP=h HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    script.server(1, "HTTP/1.1 100 Continue\r\n\r\n");
    script.client(1, "4;x=y\r\nVER \r\nb\r\n1 MSNP8\r\nPN\r\n2\r\nG\r\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n");
    script.server(1, "HTTP/1.1 200 OK\r\nX-MSN-Messenger: SessionID=7\r\nTransfer-Encoding: chunked\r\n\r\n");
    script.server(1, "9\r\nVER 1 0\r\n\r\n0\r\n\r\n");
    script.client(1, &post("SessionID=7", "OUT\r\n"));
    // an answer of a server that only ends with its connection
    script.server(1, "HTTP/1.0 200 OK\r\nX-MSN-Messenger: SessionID=7; Session=close\r\n\r\nOUT\r\n");
    script.close(1);
    let wanted = [
        r#"1 opened "10.0.0.5:1" "h:1863""#,
        "1 note inside HTTP to the gateway g",
        r"1 >>> VER 1 MSNP8\r\nPNG\r\n",
        r"1 <<< VER 1 0\r\n",
        r"1 >>> OUT\r\n",
        r"1 <<< OUT\r\n",
        "1 closed by Server",
    ];
    assert_eq!(joined(script.finish()), wanted);
}

#[test]
fn the_gateway_may_send_the_client_elsewhere_and_refuse() {
    let mut script = Script::default();
    script.open(1);
    script.client(1, &post("SessionID=9.1", "PNG\r\n"));
    script.server(1, &answer("9.2", "QNG 50\r\n"));
    script.client(1, &post("SessionID=9.2", "PNG\r\n"));
    script.server(1, &answer("9.3", "").replace("GW-IP=10.0.0.80", "GW-IP=10.0.0.81"));
    script.client(1, &post("SessionID=9.3", "PNG\r\n"));
    script.server(1, "HTTP/1.1 500 Internal Error\r\nContent-Length: 4\r\n\r\nhtml");
    let wanted = [
        r#"1 opened "10.0.0.5:1" """#,
        "1 note the source begins within this connection",
        "1 note inside HTTP to the gateway gateway.example",
        r"1 >>> PNG\r\n",
        r"1 <<< QNG 50\r\n",
        r"1 >>> PNG\r\n",
        "1 note the gateway sends the client to 10.0.0.81",
        r"1 >>> PNG\r\n",
        "1 closed by Server",
    ];
    assert_eq!(script.finish(), wanted);
}

#[test]
fn missing_bytes_are_gaps_and_the_next_head_is_found() {
    let mut script = Script::default();
    script.open(1);
    script.client(1, &post("Action=open&Server=NS&IP=h", "VER 1 MSNP8\r\n"));
    script.server(1, "HTTP/1.1 200 OK\r\nX-MSN-Messenger: SessionID=7\r\nContent-Length: 17\r\n\r\nVER 1");
    script.gap(1, ServerToClient, 5);
    script.server(1, "NG 50\r\n");
    script.client(1, "POST /gateway/gate");
    script.gap(1, ClientToServer, 300);
    script.client(1, "rest of it");
    script.client(1, &post("SessionID=7", "PNG\r\n"));
    script.server(1, &answer("7", "QNG 9\r\n"));
    let wanted = [
        r#"1 opened "10.0.0.5:1" "h:1863""#,
        "1 note inside HTTP to the gateway gateway.example",
        r"1 >>> VER 1 MSNP8\r\n",
        "1 <<< VER 1",
        "1 <<< missing Some(5)",
        r"1 <<< NG 50\r\n",
        "1 >>> missing None",
        r"1 >>> PNG\r\n",
        r"1 <<< QNG 9\r\n",
        "1 closed by Source",
    ];
    assert_eq!(script.finish(), wanted);
}

#[test]
fn a_session_that_nobody_asks_for_is_over() {
    let mut script = Script::default();
    script.open(1);
    script.client(1, &post("Action=open&Server=NS&IP=h", "VER 1 MSNP8\r\n"));
    script.millis += 600_000;
    script.open(2);
    script.client(2, &post("Action=open&Server=NS&IP=h", "VER 1 MSNP8\r\n"));
    let lines = script.finish();
    assert_eq!(lines[3], "1 closed by Source");
    assert_eq!(lines[4], r#"2 opened "10.0.0.5:2" "h:1863""#);
}

#[test]
fn what_is_no_http_is_passed_over() {
    let mut script = Script::default();
    script.open(1);
    script.client(1, "\x16\x03\x01 garbage POST nonsense\r\n\r\n");
    script.client(1, &post("Action=open&Server=NS&IP=h", "VER 1 MSNP8\r\n"));
    script.server(1, "HTTP/9 what\r\n\r\n");
    script.server(1, &answer("7", "VER 1 MSNP8\r\n"));
    let lines = script.finish();
    assert_eq!(lines[2..4], [r"1 >>> VER 1 MSNP8\r\n", "1 <<< missing None"].map(String::from));
    assert_eq!(lines.last().unwrap(), "1 closed by Source");
}
