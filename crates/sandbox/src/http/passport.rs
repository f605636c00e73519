//! The nexus and its login page, Passport 1.4.
//!
//! ```text
//! GET /rdr/pprdr.asp        200  PassportURLs: DALogin=http://host:port/login2.srf
//! GET /login2.srf           200  Authentication-Info: Passport1.4 da-status=success,...,from-PP='t=...&p='
//!     Authorization: Passport1.4 OrgVerb=GET,...,sign-in=alice%40example.com,pwd=password,...
//!                           401  WWW-Authenticate: Passport1.4 da-status=failed,...
//! ```

use msnp::argument;
use tokio::time::Instant;

use super::LOGIN_PATH;
use super::message::Response;
use crate::world::{Ticket, World};

/// Tells where to log in. `DALogin` stands alone: msnp11-sdk 0.13 takes all of the header for it.
pub(super) fn nexus(host: &str) -> Response {
    Response::status(200, "OK").with_header("PassportURLs", &format!("DALogin=http://{host}{LOGIN_PATH}"))
}

/// Gives a ticket for a password. `from-PP` comes last, for the same reason.
pub(super) fn login(authorization: Option<&str>, world: &mut World, now: Instant) -> Response {
    let email = authorization.and_then(|header| {
        let fields = header.strip_prefix("Passport1.4")?.trim_start();
        let field =
            |name: &str| fields.split(',').find_map(|field| field.trim_start().strip_prefix(name)?.strip_prefix('='));
        let (sign_in, password) = (field("sign-in")?, field("pwd")?);
        // clients differ in whether they percent-encode
        let raw = world.check_password(&decode(sign_in), password);
        raw.or_else(|| world.check_password(&decode(sign_in), &decode(password))).map(str::to_owned)
    });
    match email {
        Some(email) => {
            let ticket = world.issue_ticket(Ticket { email, secret: None }, now);
            let info = format!(
                "Passport1.4 da-status=success,tname=MSPAuth,tname=MSPProf,tname=MSPSec,from-PP='t={ticket}&p='"
            );
            Response::status(200, "OK").with_header("Authentication-Info", &info)
        }
        None => Response::status(401, "Unauthorized").with_header(
            "WWW-Authenticate",
            "Passport1.4 da-status=failed,srealm=Passport.NET,ts=0,prompt,cburl=http://messenger.example,cbtxt=Wrong",
        ),
    }
}

fn decode(text: &str) -> String {
    String::from_utf8_lossy(&argument::decode(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Account, Options};
    use crate::world::Addresses;

    fn log_in(authorization: Option<&str>) -> String {
        let accounts = vec![Account::new("alice@example.com", "p%41 ss", "Alice")];
        let mut world = World::new(&Options { accounts, ..Options::default() }, Addresses::default());
        String::from_utf8(login(authorization, &mut world, Instant::now()).into_bytes()).unwrap()
    }

    #[test]
    fn a_password_may_be_encoded_or_not() {
        for password in ["p%41 ss", "p%2541%20ss"] {
            for email in ["alice%40example.com", "Alice@example.com"] {
                let answer = log_in(Some(&format!("Passport1.4 OrgVerb=GET,sign-in={email},pwd={password},lc=1033")));
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\nAuthentication-Info: Passport1.4 da-status=success,"));
                assert!(answer.contains("from-PP='t=") && answer.contains("&p='\r\n"), "{answer}");
            }
        }
    }

    #[test]
    fn a_wrong_password_and_none_are_refused() {
        let wrong = "Passport1.4 sign-in=alice@example.com,pwd=wrong";
        for header in [Some(wrong), Some("Basic YTpi"), Some("Passport1.4 "), None] {
            let answer = log_in(header);
            assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Passport1.4 da-status=failed,"));
        }
    }
}
