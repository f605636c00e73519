//! What the recorded client knew and a transcript does not tell: passwords, tickets, proofs.

use std::collections::HashMap;
use std::fmt;

use msnp::{Command, challenge};

use crate::error::Error;
use crate::script::{Script, Step};

/// Passwords and tickets, for everybody or for one account.
#[derive(Clone, Default)]
pub struct Secrets {
    everybody: Keys,
    accounts: HashMap<String, Keys>,
    passwords: String,
}

#[derive(Clone, Default)]
struct Keys {
    password: Option<String>,
    ticket: Option<String>,
    secret: Option<String>,
    circle: Option<String>,
    account: Option<String>,
}

/// What the live server asked, for which an answer is to be computed.
#[derive(Clone, Default)]
pub(super) struct Questions {
    pub(super) salt: Option<Vec<u8>>,
    pub(super) nonce: Option<Vec<u8>>,
}

impl Secrets {
    /// Takes a setting, `[ACCOUNT:]KEY=VALUE`. Keys are `ticket` (of `USR TWN S` and `USR SSO S`), `secret` (the
    /// BinarySecret that came with a ticket of SSO, base64), `circle` (the ticket of `USR SHA A`) and `account` (who logs
    /// in instead).
    ///
    /// # Errors
    ///
    /// If it is no such setting. The error does not repeat the value.
    pub fn set(&mut self, text: &str) -> Result<(), Error> {
        let (place, value) = text.split_once('=').unwrap_or((text, ""));
        let bad = |problem: &str| Error::Setting { text: place.to_owned(), problem: problem.to_owned() };
        let (account, key) = place.rsplit_once(':').map_or((None, place), |(account, key)| (Some(account), key));
        if value.is_empty() {
            return Err(bad("expected [ACCOUNT:]KEY=VALUE, e.g. ticket=t=...&p="));
        }
        if value.bytes().any(|byte| byte.is_ascii_whitespace()) {
            return Err(bad("a value with a space or line end cannot stand in a command"));
        }
        let keys = self.keys(account);
        let place = match key {
            "ticket" => &mut keys.ticket,
            "secret" => &mut keys.secret,
            "circle" => &mut keys.circle,
            "account" if value.contains('@') => &mut keys.account,
            "account" => return Err(bad("expected an e-mail address")),
            _ => return Err(bad("unknown key; keys are ticket, secret, circle, account")),
        };
        *place = Some(value.to_owned());
        Ok(())
    }

    /// Takes a password: of one account, or of everybody.
    pub fn set_password(&mut self, account: Option<&str>, password: &str) {
        self.keys(account).password = Some(password.to_owned());
    }

    /// Takes the text of a password file: one line with the password, or lines `ACCOUNT:PASSWORD`.
    pub fn set_password_file(&mut self, text: &str) {
        text.clone_into(&mut self.passwords);
    }

    /// Returns the password of an account, if it was given.
    pub fn password(&self, account: &str) -> Option<&str> {
        let lines = || self.passwords.lines().filter(|line| !line.is_empty());
        let own = lines().find_map(|line| {
            let (other, password) = line.split_at_checked(account.len())?;
            password.strip_prefix(':').filter(|_| other.eq_ignore_ascii_case(account))
        });
        let only = || lines().next().filter(|_| lines().count() == 1);
        self.of(account)
            .and_then(|keys| keys.password.as_deref())
            .or(own)
            .or_else(only)
            .or(self.everybody.password.as_deref())
    }

    /// Returns who logs in instead of an account.
    pub fn account(&self, account: &str) -> Option<&str> {
        self.find(account, |keys| keys.account.as_ref())
    }

    /// Whether a ticket was given for an account.
    pub fn has_ticket(&self, account: &str) -> bool {
        self.find(account, |keys| keys.ticket.as_ref()).is_some()
    }

    /// Checks that settings of one account are of an account that is recorded.
    ///
    /// # Errors
    ///
    /// If one is not.
    pub fn check_accounts(&self, scripts: &[Script]) -> Result<(), Error> {
        let recorded: Vec<&str> = scripts.iter().filter_map(|script| script.account.as_deref()).collect();
        let stray = self.accounts.keys().find(|account| !recorded.iter().any(|one| one.eq_ignore_ascii_case(account)));
        match stray {
            Some(account) => Err(Error::Setting {
                text: account.clone(),
                problem: format!("nobody logs in so in the recording; accounts are {}", recorded.join(", ")),
            }),
            None => Ok(()),
        }
    }

    /// Checks that there is what every login of a script needs, as [`play`](super::play) does first.
    ///
    /// # Errors
    ///
    /// If something is missing; it is named.
    pub fn check(&self, script: &Script) -> Result<(), Error> {
        for (_, step) in script.dialogues.iter().flat_map(|dialogue| dialogue.requests()) {
            let account = script.account.as_deref().unwrap_or_default();
            self.complete(&mut step.command.clone(), step, account, None).map_err(|what| {
                let arguments: Vec<_> = step.command.arguments().take(3).map(String::from_utf8_lossy).collect();
                Error::Secret {
                    name: script.name.clone(),
                    seq: step.seq,
                    command: format!("USR {}", arguments.join(" ")),
                    account: account.to_owned(),
                    what,
                }
            })?;
        }
        Ok(())
    }

    /// Puts the secrets of a login into a command; without questions it only checks that they are there. Other commands
    /// stay as they are.
    ///
    /// # Errors
    ///
    /// What is missing, in words.
    pub(super) fn complete(
        &self,
        command: &mut Command,
        step: &Step,
        account: &str,
        questions: Option<&Questions>,
    ) -> Result<(), &'static str> {
        if command.verb().as_bytes() != b"USR" {
            return Ok(());
        }
        let readable = |index: usize| {
            let is_masked = step.masked.iter().any(|place| *place == format!("args[{index}]"));
            step.command.argument(index).filter(|_| !is_masked).map(<[u8]>::to_vec)
        };
        let given = |value: Option<&str>| value.map(|value| value.as_bytes().to_vec());
        let mut set = |index: usize, value: Vec<u8>| {
            // settings were checked for spaces, and computed values have none
            let _ = command.set_argument(index, &value);
        };
        match (step.command.argument(1), step.command.argument(2)) {
            (Some(b"CTP"), Some(b"S")) => {
                set(3, given(self.password(account)).or_else(|| readable(3)).ok_or(PASSWORD)?);
            }
            (Some(b"MD5"), Some(b"S")) => {
                let password = self.password(account).ok_or(PASSWORD)?;
                if let Some(salt) = questions.and_then(|questions| questions.salt.as_ref()) {
                    set(3, challenge::md5_login(salt, password.as_bytes()).into_bytes());
                }
            }
            (Some(b"TWN"), Some(b"S")) => {
                let ticket = given(self.find(account, |keys| keys.ticket.as_ref()));
                set(3, ticket.or_else(|| readable(3)).ok_or(NEXUS_TICKET)?);
            }
            (Some(b"SSO"), Some(b"S")) => {
                let ticket = given(self.find(account, |keys| keys.ticket.as_ref()));
                set(3, ticket.or_else(|| readable(3)).ok_or(RST_TICKET)?);
                let secret = self.find(account, |keys| keys.secret.as_ref());
                if let Some(response) = step.command.argument(4) {
                    let response = match (secret, questions.and_then(|questions| questions.nonce.as_ref())) {
                        (Some(secret), Some(nonce)) => {
                            let iv = std::array::from_fn(|_| fastrand::u8(..));
                            challenge::sso_response(secret.as_bytes(), nonce, iv).map_err(|_| BAD_SECRET)?.into_bytes()
                        }
                        (Some(secret), None) => {
                            challenge::sso_response(secret.as_bytes(), b"", [0; 8]).map_err(|_| BAD_SECRET)?;
                            response.to_vec()
                        }
                        (None, _) => readable(4).ok_or(SECRET)?,
                    };
                    set(4, response);
                }
            }
            (Some(b"SHA"), Some(b"A")) => {
                set(3, given(self.find(account, |keys| keys.circle.as_ref())).or_else(|| readable(3)).ok_or(CIRCLE)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn keys(&mut self, account: Option<&str>) -> &mut Keys {
        match account {
            Some(account) => self.accounts.entry(account.to_lowercase()).or_default(),
            None => &mut self.everybody,
        }
    }

    fn of(&self, account: &str) -> Option<&Keys> {
        self.accounts.get(&account.to_lowercase())
    }

    fn find<'a>(&'a self, account: &str, key: impl Fn(&'a Keys) -> Option<&'a String>) -> Option<&'a str> {
        self.of(account).and_then(&key).or_else(|| key(&self.everybody)).map(String::as_str)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

const PASSWORD: &str = "the password: give it with --password-file or in MITMSN_PASSWORD";
const NEXUS_TICKET: &str = "a ticket: give it with --set ticket=..., or let it be fetched with --nexus and a password";
const RST_TICKET: &str = "a ticket: give it with --set ticket=..., or let it be fetched with --rst and a password";
const BAD_SECRET: &str = "the secret (base64) that came with the ticket: what --set secret=... gives is not that";
const SECRET: &str =
    "the secret (base64) that came with the ticket: give it with --set secret=..., or let it be fetched with --rst";
const CIRCLE: &str = "the ticket of the circles: give it with --set circle=...";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, script};

    fn secrets(settings: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        settings.iter().for_each(|setting| secrets.set(setting).unwrap());
        secrets
    }

    fn login(rest: &str) -> Script {
        script(&format!("0 #1 > VER 1 MSNP8 CVR0\n1 #1 > USR 2 TWN I alice@example.com\n2 #1 > USR 3 {rest}"))
    }

    fn completed(secrets: &Secrets, rest: &str, questions: &Questions) -> String {
        let script = login(rest);
        let step = &script.dialogues[0].steps[2];
        let mut command = step.command.clone();
        secrets.complete(&mut command, step, "alice@example.com", Some(questions)).unwrap();
        String::from_utf8_lossy(command.line()).into_owned()
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |rest: &str, settings: &[&str]| secrets(settings).check(&login(rest)).unwrap_err().to_string();
        assert_eq!(
            missing("TWN S t=1", &[]),
            "t.jsonl: USR 3 TWN S of alice@example.com (seq 4) needs a ticket: give it with --set ticket=..., or let it be \
             fetched with --nexus and a password"
        );
        assert!(missing("MD5 S 7f91", &[]).contains("needs the password: "));
        assert!(missing("SSO S t=1 HAAA", &["ticket=t=2"]).contains("needs the secret (base64)"));
        assert!(missing("SSO S t=1 HAAA", &["ticket=t=2", "secret=?"]).contains("needs the secret (base64)"));
        assert!(missing("SHA A PD94", &[]).contains("needs the ticket of the circles"));
        assert!(secrets(&["ticket=t=2"]).check(&login("TWN S t=1")).is_ok());
        let bobs = secrets(&["bob@example.com:ticket=t=2"]);
        assert!(bobs.check(&login("TWN S t=1")).is_err());
        let error = bobs.check_accounts(&[login("TWN S t=1")]).unwrap_err().to_string();
        assert!(error.contains("accounts are alice@example.com"), "{error}");
    }

    #[test]
    fn a_ticket_that_the_recording_kept_is_good_enough() {
        let text = testing::transcript("0 #1 > VER 1 MSNP8 CVR0\n1 #1 > USR 3 TWN S t=1");
        let kept = text.replace(r#","masked":["args[3]"]"#, "").replace("***", "t=1");
        let script = testing::read(&kept).unwrap();
        assert!(Secrets::default().check(&script).is_ok());
    }

    #[test]
    fn answers_are_computed_from_what_the_live_server_asks() {
        let salted = Questions { salt: Some(b"1013928519.693957190".to_vec()), nonce: None };
        let mut with_password = Secrets::default();
        with_password.set_password(None, "password");
        assert_eq!(completed(&with_password, "MD5 S 0000", &salted), "USR 3 MD5 S 7f919fab309532df353c901430df36fa");
        let asked = Questions { salt: None, nonce: Some(b"AAA=".to_vec()) };
        let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let with_ticket = secrets(&["ticket=t=5&p=", &format!("secret={secret}")]);
        let line = completed(&with_ticket, "SSO S t=1 HAAA", &asked);
        let response = line.strip_prefix("USR 3 SSO S t=5&p= ").unwrap();
        assert_eq!(challenge::check_sso_response(response.as_bytes(), secret.as_bytes(), b"AAA="), Ok(true));
        assert_eq!(completed(&with_ticket, "SSO S t=1", &asked), "USR 3 SSO S t=5&p=");
    }

    #[test]
    fn passwords_come_from_one_line_or_from_one_for_each_account() {
        let file = |text: &str| {
            let mut secrets = Secrets::default();
            secrets.set_password(None, "from the environment");
            secrets.set_password_file(text);
            secrets
        };
        let one = file("pass:word\r\n");
        assert_eq!(one.password("alice@example.com"), Some("pass:word"));
        let many = file("Alice@example.com:a:b\nbob@example.com:c\n");
        assert_eq!(many.password("alice@example.com"), Some("a:b"));
        assert_eq!(many.password("bob@example.com"), Some("c"));
        assert_eq!(many.password("carol@example.com"), Some("from the environment"));
    }

    #[test]
    fn bad_settings_are_named_without_their_value() {
        let error = |text: &str| Secrets::default().set(text).unwrap_err().to_string();
        assert_eq!(error("tikcet=geheim"), "--set tikcet: unknown key; keys are ticket, secret, circle, account");
        assert!(error("ticket").starts_with("--set ticket: expected [ACCOUNT:]KEY=VALUE"));
        assert!(error("ticket=a b").contains("a space"));
        assert_eq!(error("account=carol"), "--set account: expected an e-mail address");
    }
}
