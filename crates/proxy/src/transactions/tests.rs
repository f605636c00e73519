use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;

const NOW: Scope = Scope { server: None, version: None };

fn client(line: &str) -> Command {
    Command::new(Direction::ClientToServer, line.as_bytes(), None).unwrap()
}

fn server(line: &str) -> Command {
    Command::new(Direction::ServerToClient, line.as_bytes(), None).unwrap()
}

/// A dialogue on one connection: what the client says and what of it the server hears, and back.
struct Dialogue {
    ids: Transactions,
    now: Instant,
}

impl Dialogue {
    /// The client has used this id before anything was injected.
    fn from(id: u32) -> Dialogue {
        let mut ids = Transactions::default();
        ids.note(TransactionId(id));
        Dialogue { ids, now: Instant::now() }
    }

    /// The client says it; returns what the server hears.
    fn says(&mut self, line: &str) -> String {
        let mut command = client(line);
        if let Some(id) = command.transaction_id()
            && let Some(number) = self.ids.outgoing(id, command.verb())
        {
            renumber(&mut command, number);
        }
        text(&command)
    }

    /// Somebody injects it; returns what the server hears and where the answers come.
    fn injects(&mut self, line: &str) -> (String, mpsc::Receiver<Answer>) {
        let (to, mut answers) = mpsc::channel(16);
        let injection = Injection::new(client(&line.replace("{trid}", "0"))).answers(to);
        let injection = if line.contains("{trid}") { injection.numbered() } else { injection };
        let sent = self.ids.inject(injection, NOW, self.now).unwrap();
        assert_eq!(answers.try_recv(), Ok(Answer::Sent(sent.clone())));
        (text(&sent), answers)
    }

    /// The server says it; returns what the client hears.
    fn hears(&mut self, line: &str) -> Option<String> {
        let mut command = server(line);
        match self.ids.incoming(&command, NOW, self.now) {
            Recipient::Client => {}
            Recipient::ClientAs(id) => renumber(&mut command, id),
            Recipient::Injector(_) => return None,
        }
        Some(text(&command))
    }
}

fn text(command: &Command) -> String {
    String::from_utf8(command.line().to_vec()).unwrap()
}

fn lines(answers: &mut mpsc::Receiver<Answer>) -> Vec<String> {
    std::iter::from_fn(|| answers.try_recv().ok())
        .map(|answer| match answer {
            Answer::Reply(command) => text(&command),
            Answer::Done(done) => done.as_str().to_owned(),
            Answer::Sent(command) => panic!("sent twice: {command:?}"),
        })
        .collect()
}

#[test]
fn an_injection_takes_the_next_id_and_the_clients_are_shifted() {
    let mut dialogue = Dialogue::from(8);
    let (sent, mut answers) = dialogue.injects("CHG {trid} AWY 0");
    assert_eq!(sent, "CHG 9 AWY 0");
    assert_eq!(dialogue.says("URL 9 INBOX"), "URL 10 INBOX");
    assert_eq!(dialogue.hears("CHG 9 AWY 0"), None);
    assert_eq!(dialogue.hears("ILN 9 NLN bob@example.com Bob 0"), None);
    assert_eq!(dialogue.hears("NLN AWY alice@example.com Alice 0").unwrap(), "NLN AWY alice@example.com Alice 0");
    assert_eq!(dialogue.hears("URL 10 /cgi https://h 2").unwrap(), "URL 9 /cgi https://h 2");
    assert_eq!(dialogue.hears("500 10").unwrap(), "500 9");
    // nothing says how many ILN come: silence does
    assert_eq!(lines(&mut answers), ["CHG 9 AWY 0", "ILN 9 NLN bob@example.com Bob 0"]);
    dialogue.ids.expire(dialogue.now + Duration::from_secs(1));
    assert_eq!(lines(&mut answers), ["quiet"]);
    // late: nobody waits, but the client does not know of it either
    assert_eq!(dialogue.hears("ILN 9 NLN carol@example.com Carol 0"), None);
}

#[test]
fn answers_to_what_was_sent_before_the_first_injection_keep_their_id() {
    let mut dialogue = Dialogue::from(8);
    dialogue.injects("URL {trid} INBOX");
    assert_eq!(dialogue.hears("CHG 8 NLN 0").unwrap(), "CHG 8 NLN 0");
    assert_eq!(dialogue.hears("ADC 0 RL N=bob@example.com F=Bob").unwrap(), "ADC 0 RL N=bob@example.com F=Bob");
}

#[test]
fn an_error_completes_any_answer() {
    for line in ["CHG {trid} XXX 0", "SYN {trid} 0 0", "FQY {trid} 0", "XYZ {trid}", "ANS {trid} a@b 1.2 3"] {
        let mut dialogue = Dialogue::from(3);
        let (_, mut answers) = dialogue.injects(line);
        assert_eq!(dialogue.hears("201 4"), None, "{line}");
        assert_eq!(lines(&mut answers), ["201 4", "complete"], "{line}");
    }
}

#[test]
fn a_list_is_complete_when_its_counts_are_met() {
    let mut dialogue = Dialogue::from(7);
    let (_, mut answers) = dialogue.injects("SYN {trid} 0 0");
    assert_eq!(dialogue.hears("LST N=eve@example.com F=Eve 11 1").unwrap(), "LST N=eve@example.com F=Eve 11 1");
    let list =
        ["SYN 8 2003 2003 2 1", "GTC A", "LSG Friends 1", "LST N=a@b F=A 11 1", "BPR PHH 1", "LST N=c@d F=C 8 1"];
    for line in list {
        assert_eq!(dialogue.hears(line), None, "{line}");
    }
    assert_eq!(lines(&mut answers), list);
    dialogue.ids.expire(dialogue.now + Duration::from_secs(1));
    assert_eq!(lines(&mut answers), ["quiet"]);
    assert_eq!(dialogue.hears("LST N=a@b F=A 11 1").unwrap(), "LST N=a@b F=A 11 1");
}

#[test]
fn the_lists_of_the_clients_own_syn_are_the_clients() {
    let mut dialogue = Dialogue::from(7);
    let (_, mut answers) = dialogue.injects("SYN {trid} 0 0");
    assert_eq!(dialogue.says("SYN 8 0 0"), "SYN 9 0 0");
    assert_eq!(dialogue.hears("SYN 8 1 1 1 0"), None);
    assert_eq!(dialogue.hears("SYN 9 1 1 1 0").unwrap(), "SYN 8 1 1 1 0");
    assert_eq!(dialogue.hears("LST N=a@b F=A 11").unwrap(), "LST N=a@b F=A 11");
    assert_eq!(lines(&mut answers), ["SYN 8 1 1 1 0", "quiet"]);
}

#[test]
fn a_pong_is_the_clients_as_long_as_it_waits_for_one() {
    let mut dialogue = Dialogue::from(7);
    let (_, mut answers) = dialogue.injects("PNG");
    dialogue.ids.note_ping();
    assert_eq!(dialogue.hears("QNG 50").unwrap(), "QNG 50");
    assert_eq!(dialogue.hears("QNG 50"), None);
    assert_eq!(lines(&mut answers), ["QNG 50", "complete"]);
    assert_eq!(dialogue.hears("QNG 50").unwrap(), "QNG 50");
}

#[test]
fn an_error_without_an_id_is_about_the_ping_of_whoever_waits() {
    for error in ["200 0", "200"] {
        let mut dialogue = Dialogue::from(7);
        let (_, mut answers) = dialogue.injects("PNG");
        dialogue.ids.note_ping();
        assert_eq!(dialogue.hears(error).unwrap(), error, "the client waits too");
        assert_eq!(dialogue.hears("QNG 50").unwrap(), "QNG 50");
        assert_eq!(dialogue.hears(error), None);
        assert_eq!(lines(&mut answers), [error, "complete"]);
        assert_eq!(dialogue.hears(error).unwrap(), error);
    }
}

#[test]
fn a_pong_that_comes_too_late_is_not_the_clients() {
    let mut dialogue = Dialogue::from(7);
    let (_, mut answers) = dialogue.injects("PNG");
    dialogue.ids.expire(dialogue.now + Duration::from_secs(10));
    assert_eq!(lines(&mut answers), ["quiet"]);
    assert_eq!(dialogue.hears("QNG 50"), None);
    assert_eq!(dialogue.hears("QNG 50").unwrap(), "QNG 50");
}

#[test]
fn the_lists_of_a_second_syn_are_its_own() {
    let mut dialogue = Dialogue::from(7);
    let (_, mut first) = dialogue.injects("SYN {trid} 0 0");
    let (_, mut second) = dialogue.injects("SYN {trid} 0 0");
    for line in ["SYN 8 1 1 1 0", "LST N=a@b F=A 11", "SYN 9 1 1 1 0", "LST N=a@b F=A 11"] {
        assert_eq!(dialogue.hears(line), None, "{line}");
    }
    assert_eq!(lines(&mut first), ["SYN 8 1 1 1 0", "LST N=a@b F=A 11", "quiet"]);
    assert_eq!(lines(&mut second), ["SYN 9 1 1 1 0", "LST N=a@b F=A 11"]);
}

#[test]
fn a_chosen_id_that_the_client_leaves_out_is_its_injectors() {
    let mut dialogue = Dialogue::from(10);
    let (_, mut answers) = dialogue.injects("URL 14 INBOX");
    assert_eq!(dialogue.says("URL 11 INBOX"), "URL 11 INBOX");
    assert_eq!(dialogue.says("URL 20 INBOX"), "URL 20 INBOX");
    assert_eq!(dialogue.hears("URL 14 x"), None);
    assert_eq!(lines(&mut answers), ["URL 14 x", "complete"]);
}

#[test]
fn a_late_reply_to_an_unknown_verb_is_not_the_clients() {
    let mut dialogue = Dialogue::from(10);
    dialogue.injects("XYZ {trid} 5");
    dialogue.ids.expire(dialogue.now + Duration::from_secs(10));
    assert_eq!(dialogue.hears("XYZ 11 ok"), None);
}

#[test]
fn ids_count_on_beyond_the_last_one() {
    let mut dialogue = Dialogue::from(u32::MAX - 1);
    assert_eq!(dialogue.injects("URL {trid} INBOX").0, "URL 4294967295 INBOX");
    assert_eq!(dialogue.says("URL 4294967295 INBOX"), "URL 1 INBOX");
    assert_eq!(dialogue.says("URL 1 INBOX"), "URL 2 INBOX");
    assert_eq!(dialogue.hears("URL 1 x").unwrap(), "URL 4294967295 x");
    assert_eq!(dialogue.hears("URL 2 x").unwrap(), "URL 1 x");
}

#[test]
fn a_client_that_starts_over_reuses_no_id_towards_the_server() {
    let mut dialogue = Dialogue::from(10);
    dialogue.injects("URL {trid} INBOX");
    assert_eq!(dialogue.says("URL 11 INBOX"), "URL 12 INBOX");
    assert_eq!(dialogue.says("URL 1 INBOX"), "URL 13 INBOX");
    assert_eq!(dialogue.says("URL 1 INBOX"), "URL 14 INBOX");
    assert_eq!(dialogue.says("URL 0 INBOX"), "URL 0 INBOX");
    for (line, heard) in [("URL 12 x", "URL 11 x"), ("URL 13 x", "URL 1 x"), ("URL 14 x", "URL 1 x")] {
        assert_eq!(dialogue.hears(line).unwrap(), heard);
    }
}

#[test]
fn the_id_of_a_dropped_command_is_not_used_again() {
    let mut dialogue = Dialogue::from(10);
    dialogue.injects("URL {trid} INBOX");
    // the server never hears of this one
    assert_eq!(dialogue.says("URL 11 INBOX"), "URL 12 INBOX");
    assert_eq!(dialogue.injects("URL {trid} INBOX").0, "URL 13 INBOX");
    assert_eq!(dialogue.says("URL 12 INBOX"), "URL 14 INBOX");
}

#[test]
fn an_id_that_was_chosen_is_sent_as_written_and_its_answer_found() {
    let mut dialogue = Dialogue::from(10);
    let (sent, mut answers) = dialogue.injects("URL 500 INBOX");
    assert_eq!(sent, "URL 500 INBOX");
    assert_eq!(dialogue.hears("URL 500 x"), None);
    assert_eq!(lines(&mut answers), ["URL 500 x", "complete"]);
    assert_eq!(dialogue.says("URL 11 INBOX"), "URL 11 INBOX");
}

#[test]
fn replies_to_unknown_verbs_are_known_by_verb_and_id() {
    let mut dialogue = Dialogue::from(10);
    let (_, mut answers) = dialogue.injects("XYZ {trid} 5");
    assert_eq!(dialogue.says("ABC 11 5"), "ABC 12 5");
    assert_eq!(dialogue.hears("XYZ 11 ok"), None);
    assert_eq!(dialogue.hears("ABC 12 ok").unwrap(), "ABC 11 ok");
    // no reply of anything: left alone
    assert_eq!(dialogue.hears("DEF 12 ok").unwrap(), "DEF 12 ok");
    assert_eq!(lines(&mut answers), ["XYZ 11 ok"]);
}

#[test]
fn many_injections_wait_each_for_its_own_answer_and_too_many_are_refused() {
    let mut dialogue = Dialogue::from(0);
    let mut waiting: Vec<_> = (0..MOST_PENDING).map(|_| dialogue.injects("URL {trid} INBOX")).collect();
    let (to, mut answers) = mpsc::channel(1);
    let one_more = Injection::new(client("URL 0 INBOX")).numbered().answers(to);
    assert_eq!(dialogue.ids.inject(one_more, NOW, dialogue.now), None);
    assert_eq!(lines(&mut answers), ["busy"]);
    for (sent, answers) in waiting.iter_mut().rev() {
        let reply = sent.replace("INBOX", "x");
        assert_eq!(dialogue.hears(&reply), None);
        assert_eq!(lines(answers), [reply, "complete".to_owned()]);
    }
}

#[test]
fn old_ids_are_forgotten_but_for_those_that_wait_and_the_latest() {
    let mut dialogue = Dialogue::from(0);
    let command = Command::new(Direction::ClientToServer, b"URL 0 INBOX", None).unwrap();
    let patient = Injection::new(command).numbered().patience(Duration::from_secs(3600));
    assert!(dialogue.ids.inject(patient, NOW, dialogue.now).is_some());
    for id in 1..=1000_u32 {
        dialogue.now += Duration::from_secs(1);
        dialogue.says(&format!("CHG {id} NLN 0"));
        dialogue.injects("PNG");
        let (sent, _) = dialogue.injects("URL {trid} INBOX");
        assert_eq!(dialogue.hears(&sent), None);
        dialogue.hears("QNG 50");
        if id == 500 {
            assert!(dialogue.ids.runs.len() >= 1000, "one still waits");
            assert_eq!(dialogue.hears("URL 1 x"), None);
        }
        // what was asked two minutes ago is answered yet
        let asked = id.saturating_sub(119).max(1);
        assert_eq!(dialogue.hears(&format!("CHG {} NLN 0", 2 * asked)), Some(format!("CHG {asked} NLN 0")));
    }
    assert!(dialogue.ids.runs.len() <= 2 * 2 * 120 + 2, "{} runs", dialogue.ids.runs.len());
    // however long the client goes on alone, the latest of its ids are known
    for (own, number) in [(1001, 2002), (1002, 2004), (1003, 2006)] {
        dialogue.now += Duration::from_secs(3600);
        dialogue.says(&format!("CHG {own} NLN 0"));
        dialogue.injects("URL {trid} INBOX");
        assert_eq!(dialogue.hears(&format!("CHG {number} NLN 0")), Some(format!("CHG {own} NLN 0")));
    }
    assert!(dialogue.ids.runs.len() <= 6, "{} runs", dialogue.ids.runs.len());
}

#[test]
fn the_end_of_the_connection_ends_every_wait() {
    let mut dialogue = Dialogue::from(1);
    let (_, mut url) = dialogue.injects("URL {trid} INBOX");
    let (_, mut out) = dialogue.injects("OUT");
    dialogue.ids.close();
    assert_eq!((lines(&mut url), lines(&mut out)), (vec!["closed".to_owned()], vec!["complete".to_owned()]));
}

#[test]
fn what_is_injected_to_the_client_has_an_id_that_it_can_accept() {
    let mut dialogue = Dialogue::from(8);
    let mut inject = |line: &str| {
        let injection = Injection::new(server(line)).numbered();
        text(&dialogue.ids.inject(injection, NOW, dialogue.now).unwrap())
    };
    assert_eq!(inject("ADC 5 RL N=bob@example.com F=Bob"), "ADC 0 RL N=bob@example.com F=Bob");
    assert_eq!(inject("CHG 5 AWY"), "CHG 8 AWY");
    assert_eq!(inject("911 5"), "911 8");
    // nothing is translated for that
    assert!(!dialogue.ids.is_on());
}

proptest! {
    #[test]
    fn any_interleaving_is_consistent(input in prop::collection::vec(any::<u8>(), 0..600)) {
        check_any_interleaving(&input);
    }
}
