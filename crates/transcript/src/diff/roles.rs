//! Which connection of one session is which of the other.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::accounts::AccountMap;
use super::side::{Connection, Role, Side};

/// Returns which connections belong together, by index; those that have no partner stand alone. The order is that of A,
/// with what only B has behind its neighbour.
pub(super) fn pair(a: &Side, b: &Side, accounts: &AccountMap) -> Vec<(Option<usize>, Option<usize>)> {
    let ours: Vec<Known> = a.connections.iter().map(|connection| Known::of(connection, Some(accounts))).collect();
    let theirs: Vec<Known> = b.connections.iter().map(|connection| Known::of(connection, None)).collect();
    let mut partner: Vec<Option<usize>> = vec![None; ours.len()];
    let mut owner: Vec<Option<usize>> = vec![None; theirs.len()];
    // a dispatch server is one by what it says at last; where both sessions have as many logins, their order is enough
    let logins = |list: &[Known]| -> Vec<usize> {
        let is_login = |known: &Known| matches!(known.role, Role::Dispatch | Role::Notification);
        list.iter().enumerate().filter(|(_, known)| is_login(known)).map(|(index, _)| index).collect()
    };
    let (mine, yours) = (logins(&ours), logins(&theirs));
    if mine.len() == yours.len() {
        for (our, their) in mine.into_iter().zip(yours) {
            (partner[our], owner[their]) = (Some(their), Some(our));
        }
    }
    for keys in STAGES {
        let mut waiting: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (index, known) in theirs.iter().enumerate().filter(|(index, _)| owner[*index].is_none()) {
            keys(known).into_iter().for_each(|key| waiting.entry(key).or_default().push_back(index));
        }
        for (index, known) in ours.iter().enumerate().filter(|(index, _)| partner[*index].is_none()) {
            let found = keys(known).iter().find_map(|key| {
                let queue = waiting.get_mut(key)?;
                while let Some(other) = queue.pop_front() {
                    if owner[other].is_none() {
                        return Some(other);
                    }
                }
                None
            });
            if let Some(other) = found {
                owner[other] = Some(index);
            }
        }
        for (other, index) in owner.iter().enumerate() {
            if let Some(index) = index {
                partner[*index] = Some(other);
            }
        }
    }
    type Pair = (Option<usize>, Option<usize>);
    let mut placed: Vec<(usize, Pair)> =
        partner.iter().enumerate().map(|(index, other)| (2 * index + 1, (Some(index), *other))).collect();
    let mut before = 0;
    for (other, index) in owner.iter().enumerate() {
        match index {
            Some(index) => before = 2 * index + 2,
            None => placed.push((before, (None, Some(other)))),
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, pair)| pair).collect()
}

/// What is known of a connection, with the accounts of B.
struct Known {
    role: Role,
    others: BTreeSet<String>,
}

/// From the surest to the boldest: the keys that two connections have in common. Only switchboards have company.
const STAGES: [fn(&Known) -> Vec<String>; 3] = [
    |known| vec![format!("{:?} {:?}", known.role, known.others)],
    |known| known.others.iter().map(|other| format!("{:?} {other}", known.role)).collect(),
    |known| vec![format!("{:?}", known.role)],
];

impl Known {
    fn of(connection: &Connection, accounts: Option<&AccountMap>) -> Known {
        let name = |account: &String| match accounts {
            Some(accounts) => String::from_utf8_lossy(&accounts.stands_for(account.as_bytes())).into_owned(),
            None => account.clone(),
        };
        Known { role: connection.role, others: connection.others.iter().map(name).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(connections: &[(Role, &str)]) -> Side {
        let connection = |(role, others): &(Role, &str)| Connection {
            role: *role,
            others: others.split_whitespace().map(str::to_owned).collect(),
            ..Connection::default()
        };
        Side { connections: connections.iter().map(connection).collect(), ..Side::default() }
    }

    fn pairs(a: &[(Role, &str)], b: &[(Role, &str)]) -> Vec<(Option<usize>, Option<usize>)> {
        pair(&side(a), &side(b), &AccountMap::default())
    }

    #[test]
    fn servers_are_paired_in_order_and_switchboards_by_who_is_there() {
        use Role::{Callee, Caller, Dispatch, Notification};
        let a = [(Dispatch, ""), (Notification, ""), (Caller, "bob"), (Caller, "carol"), (Callee, "bob")];
        let b = [(Notification, ""), (Callee, "bob"), (Caller, "carol dora"), (Caller, "bob"), (Caller, "eve")];
        assert_eq!(
            pairs(&a, &b),
            [
                (Some(0), None),
                (Some(1), Some(0)),
                (Some(2), Some(3)),
                (None, Some(4)),
                (Some(3), Some(2)),
                (Some(4), Some(1)),
            ]
        );
    }

    #[test]
    fn what_is_left_is_paired_in_order() {
        use Role::Caller;
        assert_eq!(
            pairs(&[(Caller, "bob"), (Caller, "bob")], &[(Caller, "eve"), (Caller, "bob"), (Caller, "")]),
            [(Some(0), Some(1)), (None, Some(2)), (Some(1), Some(0))]
        );
    }
}
