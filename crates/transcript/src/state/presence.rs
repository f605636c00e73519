//! Presence: `CHG`, `ILN`, `NLN`, `FLN`, `UBX`, and `NFY` of MSNP21.

use msnp::command::lossy;
use msnp::payload::datagram::Datagram;
use msnp::payload::msnobject::MsnObject;
use msnp::payload::xml;

use super::contact::Presence;
use super::line::{Address, Line};
use super::{SessionState, text};

/// A part of someone's presence; what is absent stays, what is empty goes.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Told {
    status: Option<String>,
    name: Option<String>,
    object: Option<String>,
    personal_message: Option<String>,
    current_media: Option<String>,
}

impl SessionState {
    pub(super) fn told_presence(&mut self, line: &Line<'_>) {
        match line.command.verb().as_bytes() {
            b"CHG" => self.appear(None, line),
            b"ILN" | b"NLN" => self.appear(line.address(), line),
            b"FLN" => self.disappear(line.address()),
            b"UBX" => {
                let told = match line.command.payload() {
                    [] => Some(Told::empty()),
                    payload => of_data(payload),
                };
                if let (Some(address), Some(told)) = (line.address(), told) {
                    self.apply_presence(Some(address), told);
                }
            }
            _ => self.notified(line),
        }
    }

    /// Someone is there with status, name, capabilities and picture; the client itself, if there is no address.
    fn appear(&mut self, address: Option<Address>, line: &Line<'_>) {
        if address.is_none() && line.command.verb().as_bytes() != b"CHG" {
            return;
        }
        let Some((presence, name)) = self.presence_of(address) else { return };
        presence.status = line.token("status").or(presence.status.take());
        presence.capabilities = line.token("capabilities");
        presence.object = line.get("msnobject_urlenc").and_then(object);
        *name = line.text("friendly_name").or(name.take());
    }

    fn disappear(&mut self, address: Option<Address>) {
        let Some(address) = address.filter(|address| !self.is_self(address)) else { return };
        if let Some((presence, _)) = self.presence_of(Some(address)) {
            *presence = Presence { status: Some("FLN".into()), ..Presence::default() };
        }
    }

    fn notified(&mut self, line: &Line<'_>) {
        let datagram = Datagram::parse(line.command.payload());
        let Some(address) = datagram.routing().get("From").and_then(Address::parse) else { return };
        match line.get("action") {
            Some(b"DEL") if datagram.content().get("Uri") == Some(b"/user") => self.disappear(Some(address)),
            Some(b"PUT") => {
                if let Some(told) = of_user(&datagram) {
                    self.apply_presence(Some(address), told);
                }
            }
            _ => {}
        }
    }

    /// Changes what was told of someone's presence; of the client's own, if there is no address.
    pub(super) fn apply_presence(&mut self, address: Option<Address>, told: Told) {
        let Some((presence, name)) = self.presence_of(address) else { return };
        for (field, told) in [
            (&mut presence.status, told.status),
            (name, told.name),
            (&mut presence.object, told.object),
            (&mut presence.personal_message, told.personal_message),
            (&mut presence.current_media, told.current_media),
        ] {
            if let Some(told) = told {
                *field = Some(told).filter(|told| !told.is_empty());
            }
        }
    }

    /// Returns presence and name of an address. Members of a circle are not told apart, so they have none.
    fn presence_of(&mut self, address: Option<Address>) -> Option<(&mut Presence, &mut Option<String>)> {
        match address {
            Some(address) if address.is_via_circle => None,
            Some(address) if !self.is_self(&address) => {
                let contact = self.contact(&address.address)?;
                contact.network_id = address.network_id.or(contact.network_id);
                Some((&mut contact.presence, &mut contact.name))
            }
            _ => Some((&mut self.presence, &mut self.friendly_name)),
        }
    }

    fn is_self(&self, address: &Address) -> bool {
        self.account.as_ref() == Some(&address.address)
    }
}

impl Told {
    fn empty() -> Told {
        Told { personal_message: Some(String::new()), current_media: Some(String::new()), ..Told::default() }
    }
}

/// Reads the `<Data>` of a `UBX` or `UUX`; `None` for other documents, such as those about endpoints.
pub(super) fn of_data(payload: &[u8]) -> Option<Told> {
    let document = std::str::from_utf8(payload).ok()?;
    xml::text_of(document, "Data")?;
    let text = |name| Some(element(document, name).unwrap_or_default());
    Some(Told { personal_message: text("PSM"), current_media: text("CurrentMedia"), ..Told::default() })
}

/// Reads the `<user>` of a `PUT` or `NFY PUT`; `None` for other datagrams, such as those about circles.
pub(super) fn of_user(datagram: &Datagram<'_>) -> Option<Told> {
    if datagram.content().get("Uri") != Some(b"/user") {
        return None;
    }
    let document = std::str::from_utf8(datagram.body()).ok()?;
    Some(Told {
        status: element(document, "Status"),
        name: element(document, "FriendlyName"),
        object: element(document, "UserTileLocation"),
        personal_message: element(document, "PSM"),
        current_media: element(document, "CurrentMedia"),
    })
}

fn element(document: &str, name: &str) -> Option<String> {
    xml::text_of(document, name).map(|found| text::shorten(xml::unescape(found).into_owned()))
}

fn object(argument: &[u8]) -> Option<String> {
    MsnObject::parse(argument).map(|object| text::shorten(lossy(object.xml()).into_owned()))
}
