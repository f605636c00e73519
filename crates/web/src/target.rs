//! Which connection is meant: `alice`, `alice/ns`, `alice/sb2`, `01jd.../ns`, `7`.

use axum::http::StatusCode;
use msnp::ServerKind;

use crate::error::ApiError;
use crate::live::Candidate;

/// Finds the one connection that `target` names.
///
/// Before the slash stands an account, whole or as far as its `@`, or the start of a session's id; behind it a kind of
/// server, with a number where there are several. Without a slash the notification server is meant, or else the only
/// connection. A number alone is that of a connection.
pub(crate) fn resolve<'c>(target: &str, open: &'c [Candidate]) -> Result<&'c Candidate, ApiError> {
    if let Ok(number) = target.parse::<u64>() {
        let found = open.iter().find(|candidate| candidate.number == number);
        return found.ok_or_else(|| nothing(format!("no open connection {number}"), open));
    }
    let (who, place) = target.split_once('/').map_or((target, None), |(who, place)| (who, Some(place)));
    let theirs: Vec<&Candidate> = open.iter().filter(|candidate| is_theirs(candidate, who)).collect();
    if theirs.is_empty() {
        return Err(nothing(format!("nobody called {who:?} has an open connection"), open));
    }
    let meant: Vec<&Candidate> = match place {
        Some(place) => theirs.iter().copied().filter(|candidate| is_place(candidate, place)).collect(),
        None => {
            let logins = theirs.iter().copied().filter(|candidate| candidate.kind == ServerKind::Notification);
            let logins: Vec<&Candidate> = logins.collect();
            if logins.is_empty() { theirs.clone() } else { logins }
        }
    };
    match &meant[..] {
        [one] => Ok(one),
        [] => Err(nothing(format!("{who} has no open connection {:?}", place.unwrap_or_default()), theirs)),
        several => {
            let error = format!("{target:?} can mean {} connections: name one by its number", several.len());
            Err(ApiError::new(StatusCode::CONFLICT, error).candidates(list(several.iter().copied())))
        }
    }
}

fn is_theirs(candidate: &Candidate, who: &str) -> bool {
    let local = candidate.account.split('@').next().unwrap_or_default();
    (!who.is_empty() && candidate.account.eq_ignore_ascii_case(who))
        || (!local.is_empty() && local.eq_ignore_ascii_case(who))
        || (who.len() >= SHORTEST_ID && candidate.session.starts_with(who))
}

fn is_place(candidate: &Candidate, place: &str) -> bool {
    candidate.kind.as_str() == place || candidate.name == place
}

fn nothing<'c>(error: String, open: impl IntoIterator<Item = &'c Candidate>) -> ApiError {
    ApiError::missing(error).candidates(list(open))
}

fn list<'c>(candidates: impl IntoIterator<Item = &'c Candidate>) -> Vec<String> {
    let name = |candidate: &Candidate| {
        let who = if candidate.account.is_empty() { &candidate.session } else { &candidate.account };
        format!("{}  {who}/{}", candidate.number, candidate.name)
    };
    candidates.into_iter().map(name).collect()
}

/// Shortest start of a session's id that is taken for one.
const SHORTEST_ID: usize = 4;

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;
    use ServerKind::{Dispatch, Notification, Switchboard};

    fn open() -> Vec<Candidate> {
        let all = [
            (1, "01aa", "alice@example.com", Dispatch, "ds1"),
            (2, "01aa", "alice@example.com", Notification, "ns1"),
            (5, "01aa", "alice@example.com", Switchboard, "sb1"),
            (7, "01aa", "alice@example.com", Switchboard, "sb2"),
            (3, "01bb", "bob@example.com", Notification, "ns1"),
            (4, "01cc", "bob@example.org", Notification, "ns1"),
            (6, "01dd", "", Switchboard, "sb1"),
        ];
        let candidate = |(number, session, account, kind, name): (u64, &str, &str, ServerKind, &str)| Candidate {
            number,
            session: session.into(),
            account: account.into(),
            kind,
            name: name.into(),
        };
        all.map(candidate).to_vec()
    }

    fn number(target: &str) -> Result<u64, u16> {
        match resolve(target, &open()) {
            Ok(candidate) => Ok(candidate.number),
            Err(error) => Err(error.into_response().status().as_u16()),
        }
    }

    #[test]
    fn a_connection_is_found_by_number_account_session_and_kind() {
        for (target, expected) in [
            ("7", 7),
            ("alice", 2),
            ("alice/ns", 2),
            ("Alice@Example.com/ds", 1),
            ("alice/sb2", 7),
            ("bob@example.org", 4),
            ("01bb", 3),
            ("01dd", 6),
        ] {
            assert_eq!(number(target), Ok(expected), "{target}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_missing_is_an_error() {
        for (target, status) in
            [("bob", 409), ("alice/sb", 409), ("carol", 404), ("alice/sb3", 404), ("9", 404), ("", 404)]
        {
            assert_eq!(number(target), Err(status), "{target}");
        }
    }
}
