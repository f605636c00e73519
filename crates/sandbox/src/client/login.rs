//! From the first connection to `USR OK`.

use msnp::challenge;

use super::error::ClientError;
use super::link::{Link, text};
use super::{Login, passport};

/// Logs in, and returns the connection and all addresses connected to.
pub(super) async fn log_in(login: &Login) -> Result<(Link, Vec<String>), ClientError> {
    let mut connected_to = vec![login.server.clone()];
    let mut address = login.server.clone();
    for _ in 0..=MAX_REDIRECTS {
        let mut link = Link::connect(&address, login.version, login.timeout).await?;
        match authenticate(&mut link, login).await? {
            None => return Ok((link, connected_to)),
            Some(next) => {
                connected_to.push(next.clone());
                address = next;
            }
        }
    }
    Err(ClientError::TooManyRedirects { limit: MAX_REDIRECTS })
}

/// Logs in on one connection; returns the address of the next if the server sends the client on.
async fn authenticate(link: &mut Link, login: &Login) -> Result<Option<String>, ClientError> {
    let version = login.version;
    let chosen = link.request("VER", &format!("{version} CVR0"), None).await?;
    if text(&chosen, 1) != Some(version.to_string()) {
        return Err(ClientError::VersionRefused { version });
    }
    let scheme = match version.0 {
        ..=7 => "MD5",
        8..=14 => "TWN",
        _ => "SSO",
    };
    if scheme == "MD5" {
        link.request("INF", "", None).await?;
    } else {
        let client = format!("0x0409 winnt 5.1 i386 SANDBOX 1.0.0000 MSMSGS {}", login.email);
        link.request("CVR", &client, None).await?;
    }
    let asked = link.request_any("USR", &format!("{scheme} I {}", login.email), None, &["USR", "XFR"]).await?;
    if asked.verb().as_str() == "XFR" {
        let address = text(&asked, 2).filter(|_| asked.argument(1) == Some(b"NS"));
        return address.map(Some).ok_or_else(|| ClientError::unexpected("XFR trid NS host:port", &asked));
    }
    let Some(question) = text(&asked, 3).filter(|_| asked.argument(2) == Some(b"S")) else {
        return Err(ClientError::unexpected("USR trid scheme S question", &asked));
    };
    let answer = match scheme {
        "MD5" => challenge::md5_login(question.as_bytes(), login.password.as_bytes()),
        "TWN" => passport::nexus_ticket(login, &question).await?,
        _ => {
            let nonce =
                text(&asked, 4).ok_or_else(|| ClientError::unexpected("USR trid SSO S policy nonce", &asked))?;
            passport::proof(login, &nonce).await?
        }
    };
    let done = link.request("USR", &format!("{scheme} S {answer}"), None).await?;
    match done.argument(1) {
        Some(b"OK") => Ok(None),
        _ => Err(ClientError::unexpected("USR trid OK", &done)),
    }
}

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
