//! Contacts: `LST`, `ADD`, `ADC`, `REM`, `REA`, `SBP`, and from MSNP13 on `ADL`, `RML` and `FQY`.

use msnp::command::lossy;
use msnp::payload::membership::Member;

use super::contact::{Contact, List, Lists};
use super::line::{Line, is_address};
use super::transactions::usable;
use super::{SessionState, text};

/// A session keeps no more contacts than these, nor waits for more to be confirmed on one connection.
pub(super) const MOST_CONTACTS: usize = 10_000;
/// A contact is in no more groups than these.
const MOST_GROUPS_OF_ONE: usize = 64;

impl SessionState {
    pub(super) fn told_member(&mut self, line: &Line<'_>) {
        let payload = line.command.payload();
        match line.command.verb().as_bytes() {
            b"LST" => self.listed(line),
            b"ADD" | b"ADC" => self.added(line),
            b"REM" => self.removed(line),
            b"REA" => self.renamed(line),
            b"SBP" if line.get("key") == Some(b"MFN") => {
                if let (Some(contact), Some(name)) = (self.contact_with(line, "contact_guid"), line.text("value")) {
                    contact.name = Some(name);
                }
            }
            b"ADL" => usable(payload).into_iter().for_each(|member| self.add_member(member)),
            b"RML" => usable(payload).into_iter().for_each(|member| self.remove_member(member)),
            b"FQY" => usable(payload).into_iter().for_each(|member| {
                if let Some(contact) = self.contacts.get_mut(&member.address) {
                    contact.network_id = member.network_id.or(contact.network_id);
                }
            }),
            _ => {}
        }
    }

    /// One entry of a list (to MSNP7), or one contact with all its lists.
    fn listed(&mut self, line: &Line<'_>) {
        let list = line.get("list").and_then(List::from_token);
        if let Some(list) = list
            && (line.get("index") == Some(b"1") || line.get("total") == Some(b"0"))
        {
            self.clear_list(list);
        }
        let Some(address) = line.address() else { return };
        let Some(contact) = self.contact(&address.address) else { return };
        contact.name = line.text("friendly_name").or(contact.name.take());
        contact.guid = line.token("guid").or(contact.guid.take());
        contact.network_id = address.network_id.or(contact.network_id);
        match list {
            Some(list) => contact.lists.insert(list.into()),
            None => contact.lists = Lists::from_bits(line.number("list_bits").unwrap_or_default()),
        }
        // to MSNP7 each list has its entry, and only the forward list has groups
        if list.is_none_or(|list| list == List::Fl) {
            contact.groups = ["group_ids", "group_guids"]
                .into_iter()
                .filter_map(|name| line.get(name))
                .flat_map(|groups| groups.split(|&byte| byte == b','))
                .filter(|group| !group.is_empty())
                .take(MOST_GROUPS_OF_ONE)
                .map(text::token)
                .collect();
        }
    }

    fn added(&mut self, line: &Line<'_>) {
        let Some(list) = line.get("list").and_then(List::from_token) else { return };
        let contact = match line.address() {
            Some(address) => self.contact(&address.address),
            None => self.contact_with(line, "guid"),
        };
        let Some(contact) = contact else { return };
        contact.lists.insert(list.into());
        contact.name = line.text("friendly_name").or(contact.name.take());
        contact.guid = line.token("guid").or(contact.guid.take());
        let group = line.token("group_id").or_else(|| line.token("group_guid"));
        if contact.groups.len() < MOST_GROUPS_OF_ONE {
            contact.groups.extend(group);
        }
    }

    /// With a group, the contact leaves only that.
    fn removed(&mut self, line: &Line<'_>) {
        let Some(list) = line.get("list").and_then(List::from_token) else { return };
        let name = if line.get("email").is_some() { "email" } else { "email_or_guid" };
        let Some(contact) = self.contact_with(line, name) else { return };
        match line.token("group_id").or_else(|| line.token("group_guid")) {
            Some(group) => {
                contact.groups.remove(&group);
            }
            None => {
                contact.lists.remove(list.into());
                if list == List::Fl {
                    contact.groups.clear();
                }
                self.forget_strangers();
            }
        }
    }

    fn renamed(&mut self, line: &Line<'_>) {
        let (Some(address), Some(name)) = (line.address(), line.text("friendly_name")) else { return };
        if self.account.as_ref() == Some(&address.address) {
            self.friendly_name = Some(name);
        } else if let Some(contact) = self.contacts.get_mut(&address.address) {
            contact.name = Some(name);
        }
    }

    pub(super) fn add_member(&mut self, member: Member) {
        let Some(contact) = self.contact(&member.address) else { return };
        contact.lists.insert(Lists::from_bits(member.lists.unwrap_or_default()));
        contact.network_id = member.network_id.or(contact.network_id);
        contact.name = member.name.or(contact.name.take());
    }

    pub(super) fn remove_member(&mut self, member: Member) {
        let Some(contact) = self.contacts.get_mut(&member.address) else { return };
        contact.lists.remove(Lists::from_bits(member.lists.unwrap_or_default()));
        if contact.lists.is_empty() {
            self.contacts.remove(&member.address);
        }
    }

    /// Returns the contact with this address, a new one if there is room.
    pub(super) fn contact(&mut self, address: &str) -> Option<&mut Contact> {
        if self.contacts.len() >= MOST_CONTACTS && !self.contacts.contains_key(address) {
            self.left_out += 1;
            return None;
        }
        Some(self.contacts.entry(address.to_owned()).or_default())
    }

    /// Returns the known contact that an argument names by address or GUID.
    fn contact_with(&mut self, line: &Line<'_>, name: &str) -> Option<&mut Contact> {
        let token = lossy(line.get(name)?).to_lowercase();
        if is_address(&token) {
            return self.contacts.get_mut(&token);
        }
        self.contacts
            .values_mut()
            .find(|contact| contact.guid.as_deref().is_some_and(|guid| guid.eq_ignore_ascii_case(&token)))
    }

    /// Takes everybody off a list that is about to be told anew.
    fn clear_list(&mut self, list: List) {
        for contact in self.contacts.values_mut() {
            contact.lists.remove(list.into());
            if list == List::Fl {
                contact.groups.clear();
            }
        }
        self.forget_strangers();
    }

    /// Forgets who is on no list and of whose presence nothing was told.
    fn forget_strangers(&mut self) {
        self.contacts.retain(|_, contact| !contact.lists.is_empty() || contact.presence.status.is_some());
    }
}
