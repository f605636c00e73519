//! Accounts and what belongs to them: contacts, lists, groups, settings. All in memory; nobody is connected here.

use std::collections::BTreeMap;

use msnp::argument;

use crate::code::{self, ErrorCode};
use crate::options::Account;

/// Most contacts of one account, on all lists together.
const MAX_CONTACTS: usize = 1000;
/// Most groups of one account.
const MAX_GROUPS: usize = 30;
/// Longest name of a group in wire form, in bytes.
const MAX_GROUP_NAME_BYTES: usize = 61;
/// Longest friendly name in wire form, in bytes.
const MAX_NAME_BYTES: usize = 387;

/// One account.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) email: String,
    pub(crate) password: String,
    /// The friendly name in wire form.
    pub(crate) name: String,
    pub(crate) contacts: BTreeMap<String, Contact>,
    pub(crate) groups: Vec<Group>,
    /// Grows with every change of what `SYN` tells.
    pub(crate) list_version: u32,
    /// Whether the client asks its user when somebody adds them: `A` (ask) or `N`.
    pub(crate) prompt: String,
    /// Whether people on neither list are on the allow (`AL`) or the block list (`BL`).
    pub(crate) privacy: String,
    /// Phone numbers and the like (`PRP`), values in wire form.
    pub(crate) properties: BTreeMap<String, String>,
}

/// One entry of the contact lists.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    pub(crate) email: String,
    /// The friendly name in wire form.
    pub(crate) name: String,
    pub(crate) guid: String,
    pub(crate) lists: Lists,
    /// The groups it is in, by number; empty means the default group.
    pub(crate) groups: Vec<u32>,
}

/// One group of contacts. The default group, number 0, has no entry.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// How versions before MSNP10 call it.
    pub(crate) number: u32,
    /// How MSNP10 and later call it.
    pub(crate) guid: String,
    /// The name in wire form.
    pub(crate) name: String,
}

impl Group {
    /// Whether `word` is the group's number or id.
    fn is_called(&self, word: &str) -> bool {
        self.guid.eq_ignore_ascii_case(word) || word == self.number.to_string()
    }
}

/// One of the contact lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum List {
    Forward = 1,
    Allow = 2,
    Block = 4,
    Reverse = 8,
    Pending = 16,
}

impl List {
    /// The lists of all versions, in the order in which they are told.
    pub(crate) const TOLD: [List; 4] = [List::Forward, List::Allow, List::Block, List::Reverse];

    /// Parses `FL`, `AL`, `BL`, `RL` or `PL`.
    pub(crate) fn parse(word: &str) -> Option<List> {
        [List::Forward, List::Allow, List::Block, List::Reverse, List::Pending]
            .into_iter()
            .find(|list| list.as_str() == word)
    }

    /// Returns the two letters.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            List::Forward => "FL",
            List::Allow => "AL",
            List::Block => "BL",
            List::Reverse => "RL",
            List::Pending => "PL",
        }
    }

    /// Whether the client decides who is on it. The others follow from what other people do.
    pub(crate) fn is_own(self) -> bool {
        matches!(self, List::Forward | List::Allow | List::Block)
    }
}

/// A set of lists, as the number that stands in `LST` and `ADL`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Lists(pub(crate) u8);

impl Lists {
    pub(crate) fn contains(self, list: List) -> bool {
        self.0 & list as u8 != 0
    }

    fn insert(&mut self, list: List) {
        self.0 |= list as u8;
    }

    fn remove(&mut self, list: List) {
        self.0 &= !(list as u8);
    }
}

impl User {
    /// Returns a user with the contacts of the account; `names` knows the friendly names of all accounts.
    pub(crate) fn new(account: &Account) -> User {
        User {
            email: account.email.to_lowercase(),
            password: account.password.clone(),
            name: wire(&account.name),
            contacts: BTreeMap::new(),
            groups: Vec::new(),
            list_version: 1,
            prompt: "A".into(),
            privacy: "AL".into(),
            properties: BTreeMap::new(),
        }
    }

    /// Puts somebody on a list. `name` is in wire form; `None` keeps the one that is there.
    pub(crate) fn add(&mut self, list: List, email: &str, name: Option<&str>) -> Result<&Contact, ErrorCode> {
        if name.is_some_and(|name| name.len() > MAX_NAME_BYTES) {
            return Err(code::INVALID_FRIENDLY_NAME);
        }
        if !self.contacts.contains_key(email) && self.contacts.len() >= MAX_CONTACTS {
            return Err(code::LIST_FULL);
        }
        let contact = self.contacts.entry(email.into()).or_insert_with(|| Contact {
            email: email.into(),
            name: name.unwrap_or(email).into(),
            guid: guid(),
            lists: Lists::default(),
            groups: Vec::new(),
        });
        if contact.lists.contains(list) {
            return Err(code::ALREADY_ON_LIST);
        }
        contact.lists.insert(list);
        if let Some(name) = name {
            contact.name = name.into();
        }
        self.list_version += 1;
        Ok(contact)
    }

    /// Takes somebody off a list, and off all groups with the forward list.
    pub(crate) fn remove(&mut self, list: List, email: &str) -> Result<(), ErrorCode> {
        let contact = self.contacts.get_mut(email).ok_or(code::NOT_ON_LIST)?;
        if !contact.lists.contains(list) {
            return Err(code::NOT_ON_LIST);
        }
        contact.lists.remove(list);
        if list == List::Forward {
            contact.groups.clear();
        }
        if contact.lists == Lists::default() {
            self.contacts.remove(email);
        }
        self.list_version += 1;
        Ok(())
    }

    /// Puts a contact of the forward list into a group, given by number or id.
    pub(crate) fn add_to_group(&mut self, email: &str, group: &str) -> Result<(), ErrorCode> {
        let number = self.group(group)?;
        let contact = self.forward_contact(email)?;
        if contact.groups.contains(&number) || (number == 0 && contact.groups.is_empty()) {
            return Err(code::ALREADY_ON_LIST);
        }
        contact.groups.push(number);
        self.list_version += 1;
        Ok(())
    }

    /// Takes a contact of the forward list out of a group.
    pub(crate) fn remove_from_group(&mut self, email: &str, group: &str) -> Result<(), ErrorCode> {
        let number = self.group(group)?;
        let contact = self.forward_contact(email)?;
        let place = contact.groups.iter().position(|&of| of == number).ok_or(code::NOT_IN_GROUP)?;
        contact.groups.remove(place);
        self.list_version += 1;
        Ok(())
    }

    /// Makes a group.
    pub(crate) fn add_group(&mut self, name: &str) -> Result<&Group, ErrorCode> {
        self.check_group_name(name)?;
        if self.groups.len() >= MAX_GROUPS {
            return Err(code::TOO_MANY_GROUPS);
        }
        let number = (1..).find(|number| self.groups.iter().all(|group| group.number != *number)).unwrap_or(u32::MAX);
        self.list_version += 1;
        Ok(self.groups.push_mut(Group { number, guid: guid(), name: name.into() }))
    }

    /// Removes a group; its contacts fall back to the default group.
    pub(crate) fn remove_group(&mut self, group: &str) -> Result<(), ErrorCode> {
        let number = self.group(group)?;
        if number == 0 {
            return Err(code::CANNOT_REMOVE_GROUP_ZERO);
        }
        self.groups.retain(|group| group.number != number);
        for contact in self.contacts.values_mut() {
            contact.groups.retain(|&of| of != number);
        }
        self.list_version += 1;
        Ok(())
    }

    /// Renames a group.
    pub(crate) fn rename_group(&mut self, group: &str, name: &str) -> Result<(), ErrorCode> {
        self.check_group_name(name)?;
        let found = self.groups.iter_mut().find(|candidate| candidate.is_called(group)).ok_or(code::INVALID_GROUP)?;
        found.name = name.into();
        self.list_version += 1;
        Ok(())
    }

    /// Changes the own friendly name, in wire form.
    pub(crate) fn rename(&mut self, name: &str) -> Result<(), ErrorCode> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(code::INVALID_FRIENDLY_NAME);
        }
        self.name = name.into();
        self.list_version += 1;
        Ok(())
    }

    /// Changes the name that a contact is shown with, in wire form.
    pub(crate) fn rename_contact(&mut self, email: &str, name: &str) -> Result<(), ErrorCode> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(code::INVALID_FRIENDLY_NAME);
        }
        let contact = self.contacts.get_mut(email).ok_or(code::NOT_ON_LIST)?;
        contact.name = name.into();
        self.list_version += 1;
        Ok(())
    }

    /// Whether somebody is on a list.
    pub(crate) fn has(&self, list: List, email: &str) -> bool {
        self.contacts.get(email).is_some_and(|contact| contact.lists.contains(list))
    }

    /// Whether somebody may see and invite this user.
    pub(crate) fn allows(&self, email: &str) -> bool {
        !self.has(List::Block, email) && (self.privacy == "AL" || self.has(List::Allow, email))
    }

    /// Returns the e-mail address that belongs to a contact id.
    pub(crate) fn email_of(&self, guid: &str) -> Option<&str> {
        let contact = self.contacts.values().find(|contact| contact.guid.eq_ignore_ascii_case(guid))?;
        Some(&contact.email)
    }

    /// Returns the number of the group with this number or id.
    pub(crate) fn group(&self, word: &str) -> Result<u32, ErrorCode> {
        if word == "0" {
            return Ok(0);
        }
        self.groups.iter().find(|group| group.is_called(word)).map(|group| group.number).ok_or(code::INVALID_GROUP)
    }

    fn forward_contact(&mut self, email: &str) -> Result<&mut Contact, ErrorCode> {
        let contact = self.contacts.get_mut(email).filter(|contact| contact.lists.contains(List::Forward));
        contact.ok_or(code::NOT_ON_LIST)
    }

    fn check_group_name(&self, name: &str) -> Result<(), ErrorCode> {
        match name {
            "" => Err(code::INVALID_PARAMETER),
            _ if name.len() > MAX_GROUP_NAME_BYTES => Err(code::GROUP_NAME_TOO_LONG),
            _ if self.groups.iter().any(|group| group.name == name) => Err(code::GROUP_NAME_EXISTS),
            _ => Ok(()),
        }
    }
}

/// Returns text as it stands in an argument.
pub(crate) fn wire(text: &str) -> String {
    String::from_utf8_lossy(&argument::encode(text.as_bytes())).into_owned()
}

/// Returns a random id in the usual form, without braces.
fn guid() -> String {
    let bits = fastrand::u128(..);
    let digits = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> User {
        User::new(&Account::new("Alice@Example.com", "password", "Alice 100%"))
    }

    #[test]
    fn an_account_becomes_a_user_in_wire_form() {
        let alice = alice();
        assert_eq!((alice.email.as_str(), alice.name.as_str()), ("alice@example.com", "Alice%20100%25"));
    }

    #[test]
    fn nobody_is_on_a_list_twice_or_taken_off_it_twice() {
        let mut alice = alice();
        assert!(alice.add(List::Forward, "bob@example.com", Some("Bob")).is_ok());
        assert_eq!(alice.add(List::Forward, "bob@example.com", None).map(|_| ()), Err(code::ALREADY_ON_LIST));
        assert_eq!(alice.remove(List::Allow, "bob@example.com"), Err(code::NOT_ON_LIST));
        assert_eq!(alice.remove(List::Forward, "bob@example.com"), Ok(()));
        assert!(alice.contacts.is_empty());
    }

    #[test]
    fn groups_are_known_by_number_and_by_id() {
        let mut alice = alice();
        alice.add(List::Forward, "bob@example.com", None).unwrap();
        let group = alice.add_group("Friends").unwrap().clone();
        assert_eq!(group.number, 1);
        assert_eq!(alice.add_to_group("bob@example.com", "1"), Ok(()));
        assert_eq!(alice.add_to_group("bob@example.com", &group.guid), Err(code::ALREADY_ON_LIST));
        assert_eq!(alice.remove_from_group("bob@example.com", &group.guid), Ok(()));
        assert_eq!(alice.remove_from_group("bob@example.com", "1"), Err(code::NOT_IN_GROUP));
        assert_eq!(alice.remove_group("0"), Err(code::CANNOT_REMOVE_GROUP_ZERO));
        assert_eq!(alice.remove_group("7"), Err(code::INVALID_GROUP));
        assert_eq!(alice.add_group("Friends").map(|_| ()), Err(code::GROUP_NAME_EXISTS));
        assert_eq!(alice.add_group(&"x".repeat(62)).map(|_| ()), Err(code::GROUP_NAME_TOO_LONG));
        assert_eq!(alice.remove_group(&group.guid), Ok(()));
    }

    #[test]
    fn lists_and_groups_are_limited() {
        let mut alice = alice();
        for number in 0..MAX_CONTACTS {
            alice.add(List::Allow, &format!("{number}@example.com"), None).unwrap();
        }
        assert_eq!(alice.add(List::Allow, "bob@example.com", None).map(|_| ()), Err(code::LIST_FULL));
        for number in 0..MAX_GROUPS {
            alice.add_group(&format!("Group{number}")).unwrap();
        }
        assert_eq!(alice.add_group("Friends").map(|_| ()), Err(code::TOO_MANY_GROUPS));
        assert_eq!(alice.rename(&"x".repeat(MAX_NAME_BYTES + 1)), Err(code::INVALID_FRIENDLY_NAME));
    }

    #[test]
    fn a_blocked_person_is_not_allowed_whatever_else_holds() {
        let mut alice = alice();
        assert!(alice.allows("bob@example.com"));
        alice.add(List::Allow, "bob@example.com", None).unwrap();
        alice.add(List::Block, "bob@example.com", None).unwrap();
        assert!(!alice.allows("bob@example.com"));
        alice.privacy = "BL".into();
        assert!(!alice.allows("carol@example.com"));
    }
}
