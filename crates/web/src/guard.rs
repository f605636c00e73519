//! Who may ask: whoever has the token, at an address that is meant, and no page of another site.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::server::Control;

/// Lets a request through, or says why not.
pub(crate) async fn guard(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    match check(request.headers(), control.token()) {
        Ok(()) => {
            control.live.wake();
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

fn check(headers: &HeaderMap, token: &str) -> Result<(), ApiError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST).unwrap_or_default();
    if !is_meant(host) {
        // a page of another site can make a browser come here under a name of its own
        let error = format!("host {host:?} is not this machine: use an IP address or localhost");
        return Err(ApiError::new(StatusCode::FORBIDDEN, error));
    }
    if headers.contains_key(ORIGIN) && text(ORIGIN) != Some(&format!("http://{host}")) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "a page of another origin may not ask"));
    }
    let given = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !is_equal(given.as_bytes(), token.as_bytes()) {
        let error = "the token is missing or wrong: send `Authorization: Bearer TOKEN` with that of the file that the \
                     proxy named when it started";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, error));
    }
    Ok(())
}

/// Whether a host is an IP address or `localhost`, with or without a port.
fn is_meant(host: &str) -> bool {
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => name,
        Some((name, port)) if port.strip_prefix(':').is_some_and(is_port) => name,
        Some(_) => return false,
        None => match host.split_once(':') {
            Some((name, port)) if is_port(port) => name,
            Some(_) => return false,
            None => host,
        },
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// Compares in a time that does not tell where they differ.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(headers: &[(&'static str, &str)]) -> Option<StatusCode> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        check(&headers, "secret").err().map(|error| error.into_response().status())
    }

    #[test]
    fn only_the_token_opens() {
        let host = ("host", "127.0.0.1:8863");
        assert_eq!(status(&[host, ("authorization", "Bearer secret")]), None);
        for wrong in ["Bearer secreT", "Bearer secret ", "Bearer ", "secret", "Basic secret"] {
            assert_eq!(status(&[host, ("authorization", wrong)]), Some(StatusCode::UNAUTHORIZED), "{wrong}");
        }
        assert_eq!(status(&[host]), Some(StatusCode::UNAUTHORIZED));
    }

    #[test]
    fn a_name_that_points_here_is_not_this_machine() {
        let token = ("authorization", "Bearer secret");
        for host in ["localhost", "localhost:8863", "[::1]:8863", "10.0.0.5:80", "[::1]"] {
            assert_eq!(status(&[("host", host), token]), None, "{host}");
        }
        for host in ["evil.example", "evil.example:8863", "localhost.evil.example", "[::1", "127.0.0.1:x", ""] {
            assert_eq!(status(&[("host", host), token]), Some(StatusCode::FORBIDDEN), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_site_may_not_ask() {
        let all = |origin| [("host", "127.0.0.1:8863"), ("authorization", "Bearer secret"), ("origin", origin)];
        assert_eq!(status(&all("http://127.0.0.1:8863")), None);
        for origin in ["http://evil.example", "null", "https://127.0.0.1:8863", "http://127.0.0.1:80"] {
            assert_eq!(status(&all(origin)), Some(StatusCode::FORBIDDEN), "{origin}");
        }
    }
}
