//! Adapts recorded commands to a live peer: transaction ids, masked values, the account, addresses.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;

use msnp::flow::Redirect;
use msnp::{Command, LengthPolicy};
use msnp_transcript::diff::volatile::{GUID, starts_with_guid};

/// Puts made-up values in place of masked ones, as long as they were: a `*` means nothing to anybody.
pub(crate) fn fill(command: &Command, masked: &[String]) -> Command {
    let mut filled = command.clone();
    for place in masked {
        let index = place.strip_prefix("args[").and_then(|rest| rest.strip_suffix(']')?.parse().ok());
        match index {
            Some(index) => {
                if let Some(argument) = command.argument(index) {
                    // the masked value had no space, nor has the made-up one
                    let _ = filled.set_argument(index, &without_stars(argument, false));
                }
            }
            // every masked part of a payload is a run of `*`; single ones are text
            None => {
                let payload = without_stars(filled.payload(), true);
                let _ = filled.set_payload(&payload, LengthPolicy::Repair);
            }
        }
    }
    filled
}

/// Replaces the transaction id, which is the first argument.
pub(crate) fn set_id(command: &mut Command, id: &[u8]) {
    // an id was one argument, and stays one
    let _ = command.set_argument(0, id);
}

/// Puts an address into a redirect, wherever it names one.
pub(crate) fn set_address(command: &mut Command, redirect: &Redirect, address: SocketAddr) {
    let text = address.to_string();
    for index in [Some(redirect.index), redirect.current].into_iter().flatten() {
        // an address holds no space
        let _ = command.set_argument(index, text.as_bytes());
    }
}

/// Replaces one account by another in all arguments and in the payload. Accounts are whole words there; upper and lower case
/// are the same.
pub(crate) fn rename(command: &mut Command, from: &str, to: &str) {
    if from.eq_ignore_ascii_case(to) || from.is_empty() {
        return;
    }
    let encoded = |account: &str| account.replace('@', "%40");
    let pairs = [(from.to_owned(), to.to_owned()), (encoded(from), encoded(to))];
    for (from, to) in &pairs {
        let arguments: Vec<Vec<u8>> = command.arguments().map(<[u8]>::to_vec).collect();
        for (index, argument) in arguments.iter().enumerate() {
            if let Some(renamed) = replace(argument, from, to, 0..argument.len()) {
                // accounts hold no space
                let _ = command.set_argument(index, &renamed);
            }
        }
        let payload = command.payload();
        if let Some(renamed) = replace(payload, from, to, renamable(command, from.len() == to.len())) {
            // it had a payload, so it may have one
            let _ = command.set_payload(&renamed, LengthPolicy::Repair);
        }
    }
}

/// Returns the GUID that an argument is, behind a prefix such as `C=`.
pub(crate) fn guid_of(argument: &[u8]) -> Option<&[u8]> {
    let (prefix, guid) = argument.split_at_checked(argument.len().checked_sub(GUID)?)?;
    let is_one = starts_with_guid(guid) && matches!(prefix, [] | [.., b'=']);
    is_one.then_some(guid)
}

/// Replaces the GUIDs that a server made up by those that the live one did.
pub(crate) fn replace_guids(command: &mut Command, guids: &HashMap<Vec<u8>, Vec<u8>>) {
    let arguments: Vec<Vec<u8>> = command.arguments().map(<[u8]>::to_vec).collect();
    for (index, argument) in arguments.iter().enumerate() {
        if let Some(live) = guid_of(argument).and_then(|guid| guids.get(guid)) {
            let prefix = &argument[..argument.len() - GUID];
            // a GUID holds no space
            let _ = command.set_argument(index, &[prefix, live].concat());
        }
    }
}

/// Where a payload may change its length: binary headers of P2P count the bytes behind them.
fn renamable(command: &Command, keeps_length: bool) -> Range<usize> {
    let headers = command.headers();
    match headers.is("application/x-msnmsgrp2p") && !keeps_length {
        true => 0..headers.end_of_lines(),
        false => 0..command.payload().len(),
    }
}

/// Replaces whole words within a range; `None` if there is none.
fn replace(text: &[u8], from: &str, to: &str, range: Range<usize>) -> Option<Vec<u8>> {
    let from = from.as_bytes();
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"._-+@".contains(byte));
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut at = range.start;
    while at + from.len() <= range.end.min(text.len()) {
        let found = text[at..at + from.len()].eq_ignore_ascii_case(from);
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        if !found || is_word(before) || is_word(text.get(at + from.len())) {
            at += 1;
            continue;
        }
        let out = out.get_or_insert_default();
        out.extend_from_slice(&text[copied..at]);
        out.extend_from_slice(to.as_bytes());
        at += from.len();
        copied = at;
    }
    if let Some(out) = &mut out {
        out.extend_from_slice(&text[copied..]);
    }
    out
}

/// Replaces runs of `*`: all of them, or only those that are longer than one.
fn without_stars(text: &[u8], only_long: bool) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut at = 0;
    while at < out.len() {
        let run = out[at..].iter().take_while(|&&byte| byte == b'*').count();
        if run > usize::from(only_long) {
            out[at..at + run].copy_from_slice(&made_up(run));
        }
        at += run.max(1);
    }
    out
}

/// Makes up a value: a GUID in braces if it is as long as one, else digits, which are numbers and base64 at once.
fn made_up(length: usize) -> Vec<u8> {
    let mut value: Vec<u8> = (0..length).map(|at| b'1' + (at % 9) as u8).collect();
    if length == GUID + 2 {
        value[0] = b'{';
        value[length - 1] = b'}';
        for dash in [9, 14, 19, 24] {
            value[dash] = b'-';
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{client, server};

    fn renamed(text: &str, to: &str) -> String {
        let mut command = client(text);
        rename(&mut command, "alice@example.com", to);
        String::from_utf8_lossy(command.as_bytes()).trim_end().to_owned()
    }

    #[test]
    fn masked_values_become_made_up_ones_of_the_same_length() {
        let filled = |text: &str, places: &[&str]| {
            let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
            String::from_utf8(fill(&server(text), &places).as_bytes().to_vec()).unwrap()
        };
        assert_eq!(filled("USR 3 MD5 S *****", &["args[3]"]), "USR 3 MD5 S 12345\r\n");
        assert_eq!(filled("USR 3 TWN S lc=1033,ct=*,tpf=***", &["args[3]"]), "USR 3 TWN S lc=1033,ct=1,tpf=123\r\n");
        let profile = "MSG Hotmail Hotmail|sid: ***\\r\\nkv: 5\\r\\n\\r\\n 3*4";
        assert_eq!(filled(profile, &["payload.sid"]), "MSG Hotmail Hotmail 23\r\nsid: 123\r\nkv: 5\r\n\r\n 3*4");
        assert_eq!(
            filled("USR 4 SSO S p **************************************", &["args[4]"]),
            "USR 4 SSO S p {23456781-3456-8123-5678-123456789123}\r\n"
                .replace("{23456781-3456-8123-5678-123456789123}", &String::from_utf8(made_up(38)).unwrap())
        );
        assert!(starts_with_guid(&made_up(38)[1..]));
    }

    #[test]
    fn an_account_is_renamed_wherever_it_stands_as_a_word() {
        assert_eq!(renamed("USR 3 TWN I Alice@Example.com", "c@d.ef"), "USR 3 TWN I c@d.ef");
        assert_eq!(renamed("USR 1 alice@example.com;{1f2e} 1.2", "c@d.ef"), "USR 1 c@d.ef;{1f2e} 1.2");
        assert_eq!(renamed("ADC 3 AL N=alice@example.com", "c@d.ef"), "ADC 3 AL N=c@d.ef");
        assert_eq!(renamed("REA 3 alice%40example.com", "c@d.ef"), "REA 3 c%40d.ef");
        assert_eq!(renamed("CAL 2 malice@example.com", "c@d.ef"), "CAL 2 malice@example.com");
        assert_eq!(renamed("CAL 2 alice@example.com.au", "c@d.ef"), "CAL 2 alice@example.com.au");
        assert_eq!(
            renamed("MSG 2 U|TypingUser: alice@example.com\\r\\n", "c@d.ef"),
            "MSG 2 U 20\r\nTypingUser: c@d.ef"
        );
    }

    #[test]
    fn the_body_of_a_p2p_message_keeps_its_length() {
        let message = "MSG 2 D|Content-Type: application/x-msnmsgrp2p\\r\\nP2P-Dest: alice@example.com\\r\\n\\r\\nTo: <msnmsgr:alice@example.com>";
        let text = renamed(message, "c@d.ef");
        assert!(text.contains("P2P-Dest: c@d.ef\r\n") && text.ends_with("To: <msnmsgr:alice@example.com>"), "{text}");
        assert!(renamed(message, "carol@example.com").ends_with("To: <msnmsgr:carol@example.com>"));
    }

    #[test]
    fn every_address_of_a_redirect_is_replaced() {
        let mut command = server("XFR 3 NS 192.0.2.10:1863 0 192.0.2.1:1863");
        let redirect = Redirect::of(&command).unwrap();
        set_address(&mut command, &redirect, "[::1]:1864".parse().unwrap());
        assert_eq!(command.line(), b"XFR 3 NS [::1]:1864 0 [::1]:1864");
    }
}
