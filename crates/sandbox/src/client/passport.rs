//! Tickets by HTTP: the nexus and its login page (TWN), the ticket service (SSO).

use std::io;

use msnp::challenge;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::events::Event;
use quick_xml::{Reader, escape};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Login;
use super::error::ClientError;
use crate::http::message::{Message, Side};

/// Asks the nexus and its login page (MSNP8 to MSNP14) for the ticket of `USR TWN S`. `parameters` are those of the
/// server's `USR TWN S`.
///
/// # Errors
///
/// If the password is refused, or what answers is no login service.
pub async fn nexus_ticket(login: &Login, parameters: &str) -> Result<String, ClientError> {
    let nexus = exchange(login, "GET", &login.nexus_url, "", "").await?;
    let missing = |missing| ClientError::LoginService { url: login.nexus_url.clone(), missing };
    let urls = nexus.header("PassportURLs").ok_or_else(|| missing("PassportURLs"))?;
    let page = urls.split(',').find_map(|url| url.trim().strip_prefix("DALogin=")).ok_or_else(|| missing("DALogin"))?;
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let authorization = format!(
        "Authorization: Passport1.4 OrgVerb=GET,OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in={},pwd={},{parameters}\r\n",
        encode(&login.email),
        encode(&login.password)
    );
    let answer = exchange(login, "GET", page, &authorization, "").await?;
    if answer.status == 401 {
        return Err(ClientError::PasswordRefused { url: page.into() });
    }
    let info = answer.header("Authentication-Info").unwrap_or_default();
    let ticket = info.split("from-PP='").nth(1).and_then(|rest| rest.split('\'').next());
    ticket.map(str::to_owned).ok_or_else(|| ClientError::LoginService { url: page.into(), missing: "from-PP" })
}

/// Returns the ticket and the proof for `USR SSO S`. `nonce` is that of the server's `USR SSO S`.
pub(super) async fn proof(login: &Login, nonce: &str) -> Result<String, ClientError> {
    let (ticket, secret) = single_sign_on_ticket(login).await?;
    let iv = std::array::from_fn(|_| fastrand::u8(..));
    let response = challenge::sso_response(secret.as_bytes(), nonce.as_bytes(), iv);
    let missing = |_| ClientError::LoginService { url: login.rst_url.clone(), missing: "a secret" };
    Ok(format!("{ticket} {}", response.map_err(missing)?))
}

/// Asks the ticket service (MSNP15 and later) for the ticket of `USR SSO S` and the secret, base64, that its proof is
/// made with.
///
/// # Errors
///
/// If the password is refused, or what answers is no ticket service.
pub async fn single_sign_on_ticket(login: &Login) -> Result<(String, String), ClientError> {
    let url = &login.rst_url;
    let answer = exchange(login, "POST", url, "Content-Type: text/xml\r\n", &ticket_request(login)).await?;
    let missing = |missing| ClientError::LoginService { url: url.clone(), missing };
    let document = String::from_utf8(answer.body).map_err(|_| missing("a document"))?;
    if document.contains("FailedAuthentication") {
        return Err(ClientError::PasswordRefused { url: url.clone() });
    }
    messenger_ticket(&document).ok_or_else(|| missing("a ticket for messengerclear.live.com"))
}

fn ticket_request(login: &Login) -> String {
    let domains: String = ["http://Passport.NET/tb", MESSENGER, "messenger.msn.com"]
        .iter()
        .enumerate()
        .map(|(index, domain)| {
            format!(
                "<wst:RequestSecurityToken Id=\"RST{index}\"><wsp:AppliesTo><wsa:EndpointReference>\
                 <wsa:Address>{domain}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo></wst:RequestSecurityToken>"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:wsse=\"http://schemas.xmlsoap.org/ws/2003/06/secext\" xmlns:wsp=\"http://schemas.xmlsoap.org/ws/2002/12/policy\" \
         xmlns:wsa=\"http://schemas.xmlsoap.org/ws/2004/03/addressing\" \
         xmlns:wst=\"http://schemas.xmlsoap.org/ws/2004/04/trust\" \
         xmlns:ps=\"http://schemas.microsoft.com/Passport/SoapServices/PPCRL\"><Header><wsse:Security>\
         <wsse:UsernameToken Id=\"user\"><wsse:Username>{}</wsse:Username><wsse:Password>{}</wsse:Password>\
         </wsse:UsernameToken></wsse:Security></Header><Body><ps:RequestMultipleSecurityTokens Id=\"RSTS\">{domains}\
         </ps:RequestMultipleSecurityTokens></Body></Envelope>",
        escape::escape(&login.email),
        escape::escape(&login.password)
    )
}

/// Returns ticket and secret of the answer's part for [`MESSENGER`].
fn messenger_ticket(document: &str) -> Option<(String, String)> {
    let mut reader = Reader::from_str(document);
    let (mut domain, mut ticket, mut secret) = (String::new(), String::new(), String::new());
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) => text.clear(),
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(name) => text.push_str(&escape::unescape(&format!("&{};", &*name)).ok()?),
            Event::End(element) => {
                let text = std::mem::take(&mut text);
                match element.local_name().as_ref() {
                    "Address" => domain = text,
                    "BinarySecurityToken" => ticket = text,
                    "BinarySecret" => secret = text,
                    "RequestSecurityTokenResponse" if domain == MESSENGER => {
                        return (!ticket.is_empty() && !secret.is_empty()).then_some((ticket, secret));
                    }
                    _ => {}
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Sends one request on a connection of its own, and returns the answer. `headers` end with a line end each.
async fn exchange(login: &Login, method: &str, url: &str, headers: &str, body: &str) -> Result<Message, ClientError> {
    let bad = || ClientError::BadAddress { address: url.into() };
    let rest = url.strip_prefix("http://").ok_or_else(bad)?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let address = if has_port { host.to_owned() } else { format!("{host}:80") };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let conversation = async {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_all(request.as_bytes()).await?;
        Message::read(&mut stream, Side::Client).await.map_err(io::Error::other)
    };
    let answer = timeout(login.timeout, conversation).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    answer.map_err(|source| ClientError::Connect { address: url.into(), source })
}

/// The domain whose ticket opens a notification connection.
const MESSENGER: &str = "messengerclear.live.com";
