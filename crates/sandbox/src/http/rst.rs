//! The ticket service: `POST /RST.srf`, SOAP.
//!
//! The request names a user, a password and, in order, the domains that tickets are wanted for. The answer has one ticket
//! a domain, numbered from 1 (`Compact1`), without white space between elements: libpurple reads them by number and
//! crashes on anything else. `http://Passport.NET/tb` is about the session as a whole: it is not counted and its token
//! is opaque. Only `messengerclear.live.com` gets a secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use quick_xml::events::Event;
use quick_xml::{Reader, escape};
use tokio::time::Instant;

use super::message::Response;
use crate::world::{Ticket, World};

/// The domain whose ticket opens a notification connection.
const MESSENGER: &str = "messengerclear.live.com";
/// The domain that stands for the session as a whole.
const SESSION: &str = "http://Passport.NET/tb";
/// Most tickets in one answer.
const MAX_DOMAINS: usize = 32;

const OPEN: &str = r#"<?xml version="1.0" encoding="utf-8" ?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsse="http://schemas.xmlsoap.org/ws/2003/06/secext" xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" xmlns:wsp="http://schemas.xmlsoap.org/ws/2002/12/policy" xmlns:wst="http://schemas.xmlsoap.org/ws/2004/04/trust" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/03/addressing" xmlns:psf="http://schemas.microsoft.com/Passport/SoapServices/SOAPFault">"#;

/// Gives tickets for a password.
pub(super) fn tickets(body: &[u8], world: &mut World, now: Instant) -> Response {
    let Some(request) = TicketRequest::parse(body) else {
        return soap(&fault("wsse:InvalidRequest", "Invalid Request"));
    };
    let Some(email) = world.check_password(&request.email, &request.password).map(str::to_owned) else {
        return soap(&fault("wsse:FailedAuthentication", "Authentication Failure"));
    };
    let mut number = 0;
    let mut responses = String::new();
    for domain in &request.domains {
        if domain == SESSION {
            responses.push_str(&session_response());
        } else {
            number += 1;
            let secret =
                (domain == MESSENGER).then(|| STANDARD.encode(std::array::from_fn::<u8, 24, _>(|_| fastrand::u8(..))));
            let ticket = world.issue_ticket(Ticket { email: email.clone(), secret: secret.clone() }, now);
            responses.push_str(&domain_response(domain, number, &ticket, secret.as_deref()));
        }
    }
    soap(&format!(
        "<S:Header><psf:pp><psf:serverVersion>1</psf:serverVersion><psf:authstate>0x48803</psf:authstate>\
         <psf:reqstatus>0x0</psf:reqstatus></psf:pp></S:Header><S:Body><wst:RequestSecurityTokenResponseCollection>\
         {responses}</wst:RequestSecurityTokenResponseCollection></S:Body>"
    ))
}

fn domain_response(domain: &str, number: u32, ticket: &str, secret: Option<&str>) -> String {
    let proof = secret.map(|secret| {
        format!("<wst:RequestedProofToken><wst:BinarySecret>{secret}</wst:BinarySecret></wst:RequestedProofToken>")
    });
    format!(
        "<wst:RequestSecurityTokenResponse><wst:TokenType>urn:passport:compact</wst:TokenType>{}\
         <wst:RequestedSecurityToken><wsse:BinarySecurityToken Id=\"Compact{number}\">t={ticket}&amp;p=\
         </wsse:BinarySecurityToken></wst:RequestedSecurityToken><wst:RequestedTokenReference>\
         <wsse:KeyIdentifier ValueType=\"urn:passport:compact\"/><wsse:Reference URI=\"#Compact{number}\"/>\
         </wst:RequestedTokenReference>{}</wst:RequestSecurityTokenResponse>",
        validity(domain),
        proof.unwrap_or_default()
    )
}

fn session_response() -> String {
    format!(
        "<wst:RequestSecurityTokenResponse><wst:TokenType>urn:passport:legacy</wst:TokenType>{}\
         <wst:RequestedSecurityToken><EncryptedData xmlns=\"http://www.w3.org/2001/04/xmlenc#\" Id=\"BinaryDAToken0\">\
         <CipherData><CipherValue>AAAA</CipherValue></CipherData></EncryptedData></wst:RequestedSecurityToken>\
         </wst:RequestSecurityTokenResponse>",
        validity(SESSION)
    )
}

fn validity(domain: &str) -> String {
    let now = Timestamp::now();
    let until = now.checked_add(SignedDuration::from_hours(24)).unwrap_or(now);
    format!(
        "<wsp:AppliesTo><wsa:EndpointReference><wsa:Address>{}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>\
         <wst:LifeTime><wsu:Created>{}</wsu:Created><wsu:Expires>{}</wsu:Expires></wst:LifeTime>",
        escape::escape(domain),
        now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        until.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
}

/// A fault stands right in the envelope, as the live service had it.
fn fault(code: &str, text: &str) -> String {
    format!("<S:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></S:Fault>")
}

fn soap(content: &str) -> Response {
    Response::status(200, "OK")
        .with_header("Content-Type", "text/xml; charset=utf-8")
        .with_body(format!("{OPEN}{content}</S:Envelope>"))
}

/// What a client asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct TicketRequest {
    email: String,
    password: String,
    domains: Vec<String>,
}

impl TicketRequest {
    fn parse(body: &[u8]) -> Option<TicketRequest> {
        let mut reader = Reader::from_str(std::str::from_utf8(body).ok()?);
        let mut request = TicketRequest::default();
        let mut text = String::new();
        let mut has_user = false;
        loop {
            match reader.read_event().ok()? {
                Event::Start(_) => text.clear(),
                Event::Text(part) => text.push_str(&part),
                Event::CData(part) => text.push_str(&part),
                Event::GeneralRef(name) => text.push_str(&escape::unescape(&format!("&{};", &*name)).ok()?),
                Event::End(element) => {
                    match element.local_name().as_ref() {
                        "Username" => {
                            request.email = text.trim().to_owned();
                            has_user = true;
                        }
                        "Password" => request.password = text.clone(),
                        "Address" if request.domains.len() < MAX_DOMAINS => {
                            request.domains.push(text.trim().to_owned())
                        }
                        _ => {}
                    }
                    text.clear();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        if request.domains.is_empty() {
            request.domains.push(MESSENGER.into());
        }
        has_user.then_some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::world::Addresses;

    const REQUEST: &str = "<Envelope><Header><wsse:Security><wsse:UsernameToken Id=\"user\">\
        <wsse:Username>alice@example.com</wsse:Username><wsse:Password>PASSWORD</wsse:Password></wsse:UsernameToken>\
        </wsse:Security></Header><Body><ps:RequestMultipleSecurityTokens Id=\"RSTS\">\
        <wst:RequestSecurityToken Id=\"RST0\"><wsa:Address>http://Passport.NET/tb</wsa:Address></wst:RequestSecurityToken>\
        <wst:RequestSecurityToken Id=\"RST1\"><wsa:Address>messengerclear.live.com</wsa:Address></wst:RequestSecurityToken>\
        <wst:RequestSecurityToken Id=\"RST2\"><wsa:Address>messenger.msn.com</wsa:Address></wst:RequestSecurityToken>\
        </ps:RequestMultipleSecurityTokens></Body></Envelope>";

    fn ask(body: &str) -> String {
        let mut world = World::new(&Options::default(), Addresses::default());
        String::from_utf8(tickets(body.as_bytes(), &mut world, Instant::now()).into_bytes()).unwrap()
    }

    #[test]
    fn tickets_are_numbered_from_one_and_only_messenger_has_a_secret() {
        let answer = ask(&REQUEST.replace("PASSWORD", "password"));
        assert_eq!(answer.matches("Id=\"Compact1\"").count(), 1);
        assert_eq!(answer.matches("Id=\"Compact2\"").count(), 1);
        assert_eq!(answer.matches("Id=\"Compact").count(), 2);
        assert_eq!(answer.matches("<wst:BinarySecret>").count(), 1);
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        assert!(!body.contains("> <") && !body.contains(">\n<"), "{body}");
        assert!(msnp::payload::xml::pretty(body.as_bytes()).is_some(), "{body}");
    }

    #[test]
    fn a_wrong_password_and_nonsense_are_faults() {
        assert!(
            ask(&REQUEST.replace("PASSWORD", "wrong")).contains("<faultcode>wsse:FailedAuthentication</faultcode>")
        );
        for body in ["", "<a", "<Envelope/>", "</a>"] {
            assert!(ask(body).contains("<faultcode>wsse:InvalidRequest</faultcode>"), "{body}");
        }
    }

    #[test]
    fn a_password_may_hold_what_xml_escapes() {
        let request = TicketRequest::parse(REQUEST.replace("PASSWORD", "a&lt;b &amp;&#x41;").as_bytes()).unwrap();
        assert_eq!(request.password, "a<b &A");
        assert_eq!(request.domains.len(), 3);
    }
}
