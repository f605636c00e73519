//! Which account of one session stands for which of the other.

use std::collections::BTreeMap;

use super::atoms::{Atom, atoms};
use super::side::Side;
use super::{Accounts, Options};

/// A map of accounts, one to one. What it does not name stands for itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct AccountMap {
    pairs: BTreeMap<String, String>,
}

/// A map that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// An account stands for two.
    #[error("{account} cannot stand for both {first} and {second}")]
    Two {
        /// The account.
        account: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

impl AccountMap {
    /// Puts together what was given and what follows from whose sessions they are.
    pub(super) fn of(a: &Side, b: &Side, options: &Options) -> Result<AccountMap, MapError> {
        let mut map = AccountMap::default();
        for (from, to) in &options.map {
            map.insert(&from.to_lowercase(), &to.to_lowercase())?;
        }
        if options.accounts == Accounts::Exact {
            map.close();
            return Ok(map);
        }
        if let (Some(from), Some(to)) = (&a.account, &b.account)
            && map.is_free(from, to)
        {
            map.insert(from, to)?;
        }
        if options.accounts == Accounts::Any {
            let (ours, theirs) = (everybody(a), everybody(b));
            for both in ours.iter().filter(|account| theirs.contains(account)) {
                if map.is_free(both, both) {
                    map.insert(both, both)?;
                }
            }
            let ours: Vec<&String> = ours.iter().filter(|account| !map.pairs.contains_key(*account)).collect();
            let taken: Vec<&String> = map.pairs.values().collect();
            let theirs: Vec<&String> = theirs.iter().filter(|account| !taken.contains(account)).collect();
            let pairs: Vec<(String, String)> =
                ours.into_iter().zip(theirs).map(|(from, to)| (from.clone(), to.clone())).collect();
            map.pairs.extend(pairs);
        }
        map.close();
        Ok(map)
    }

    /// Returns what stands for an account of A in B, in lower case.
    pub(super) fn stands_for(&self, account: &[u8]) -> Vec<u8> {
        let account = account.to_ascii_lowercase();
        match std::str::from_utf8(&account).ok().and_then(|account| self.pairs.get(account)) {
            Some(other) => other.clone().into_bytes(),
            None => account,
        }
    }

    /// Returns the accounts that stand for another.
    pub(super) fn renamed(&self) -> BTreeMap<String, String> {
        let differ = self.pairs.iter().filter(|(from, to)| from != to);
        differ.map(|(from, to)| (from.clone(), to.clone())).collect()
    }

    fn insert(&mut self, from: &str, to: &str) -> Result<(), MapError> {
        let two = |account: &str, first: &str, second: &str| MapError::Two {
            account: account.to_owned(),
            first: first.to_owned(),
            second: second.to_owned(),
        };
        if let Some(other) = self.pairs.get(from).filter(|other| *other != to) {
            return Err(two(from, other, to));
        }
        if let Some((other, _)) = self.pairs.iter().find(|(other, known)| *known == to && *other != from) {
            return Err(two(to, other, from));
        }
        self.pairs.insert(from.to_owned(), to.to_owned());
        Ok(())
    }

    fn is_free(&self, from: &str, to: &str) -> bool {
        !self.pairs.contains_key(from) && !self.pairs.values().any(|known| known == to)
    }

    /// Where Alice stands for Bob, Bob stands for somebody else: for who is left over, Alice if it is the two of them.
    fn close(&mut self) {
        let back: BTreeMap<&String, &String> = self.pairs.iter().map(|(from, to)| (to, from)).collect();
        let open: Vec<&String> = back.keys().copied().filter(|to| !self.pairs.contains_key(*to)).collect();
        let ends = open.into_iter().map(|to| {
            let mut start = to;
            // a chain has no circle: its end stands for nobody yet
            while let Some(before) = back.get(start) {
                start = before;
            }
            (to.clone(), start.clone())
        });
        let ends: Vec<(String, String)> = ends.collect();
        self.pairs.extend(ends);
    }
}

/// Returns the accounts that a session names in arguments, in order of appearance.
fn everybody(side: &Side) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let commands = side.connections.iter().flat_map(|connection| &connection.items).filter_map(|item| item.command());
    for argument in commands.flat_map(|command| command.arguments()) {
        let decoded = msnp::argument::decode(argument);
        for atom in atoms(&decoded) {
            if let Atom::Account(account) = atom
                && let Ok(account) = String::from_utf8(account.to_ascii_lowercase())
                && seen.insert(account.clone())
            {
                found.push(account);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)], accounts: Accounts, owners: [&str; 2]) -> Result<AccountMap, MapError> {
        let side = |account: &str| Side { account: Some(account.to_owned()), ..Side::default() };
        let options = Options {
            accounts,
            map: pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect(),
            ..Options::default()
        };
        AccountMap::of(&side(owners[0]), &side(owners[1]), &options)
    }

    #[test]
    fn the_owners_stand_for_one_another_and_trade_places() {
        let found = map(&[], Accounts::Owner, ["alice@a", "bob@b"]).unwrap();
        assert_eq!(found.stands_for(b"Alice@A"), b"bob@b");
        assert_eq!(found.stands_for(b"bob@b"), b"alice@a");
        assert_eq!(found.stands_for(b"carol@c"), b"carol@c");
        assert_eq!(map(&[], Accounts::Exact, ["alice@a", "bob@b"]).unwrap().stands_for(b"alice@a"), b"alice@a");
    }

    #[test]
    fn what_is_given_comes_first_and_is_one_to_one() {
        let found =
            map(&[("alice@a", "carol@c"), ("dora@d", "alice@a")], Accounts::Owner, ["alice@a", "bob@b"]).unwrap();
        assert_eq!(found.stands_for(b"alice@a"), b"carol@c");
        assert_eq!(found.stands_for(b"carol@c"), b"dora@d");
        let error = map(&[("a@a", "b@b"), ("c@c", "B@b")], Accounts::Owner, ["x@x", "x@x"]).unwrap_err();
        assert_eq!(error.to_string(), "b@b cannot stand for both a@a and c@c");
        assert!(map(&[("a@a", "b@b"), ("a@a", "c@c")], Accounts::Owner, ["x@x", "x@x"]).is_err());
    }
}
