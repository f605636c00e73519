//! The error codes that the sandbox answers with, by name. What they mean is in [`msnp::errors`].

/// A three-digit error.
pub(crate) type ErrorCode = u16;

/// An unknown verb, or a line that cannot be understood.
pub(crate) const SYNTAX_ERROR: ErrorCode = 200;
/// An argument is missing or not acceptable.
pub(crate) const INVALID_PARAMETER: ErrorCode = 201;
/// No such account, before MSNP10.
pub(crate) const INVALID_USER: ErrorCode = 205;
/// `USR` although the login is complete.
pub(crate) const ALREADY_LOGGED_IN: ErrorCode = 207;
/// No such account, from MSNP10 on and on switchboards.
pub(crate) const INVALID_USERNAME: ErrorCode = 208;
/// A friendly name that is too long.
pub(crate) const INVALID_FRIENDLY_NAME: ErrorCode = 209;
/// The contact list has no room.
pub(crate) const LIST_FULL: ErrorCode = 210;
/// The contact is on that list, or the invited person in the session, already.
pub(crate) const ALREADY_ON_LIST: ErrorCode = 215;
/// The contact is not on that list.
pub(crate) const NOT_ON_LIST: ErrorCode = 216;
/// The person is offline or hidden.
pub(crate) const NOT_ONLINE: ErrorCode = 217;
/// The setting has that value already.
pub(crate) const ALREADY_IN_MODE: ErrorCode = 218;
/// There are too many groups.
pub(crate) const TOO_MANY_GROUPS: ErrorCode = 223;
/// No such group.
pub(crate) const INVALID_GROUP: ErrorCode = 224;
/// The contact is not in that group.
pub(crate) const NOT_IN_GROUP: ErrorCode = 225;
/// The group's name is taken.
pub(crate) const GROUP_NAME_EXISTS: ErrorCode = 228;
/// The group's name is too long.
pub(crate) const GROUP_NAME_TOO_LONG: ErrorCode = 229;
/// The default group cannot be removed.
pub(crate) const CANNOT_REMOVE_GROUP_ZERO: ErrorCode = 230;
/// A list document that names nobody.
pub(crate) const XML_EMPTY: ErrorCode = 240;
/// A list document that is malformed or asks for lists that are the server's.
pub(crate) const XML_INVALID: ErrorCode = 241;
/// A message of acknowledgement type D that is no P2P message.
pub(crate) const BAD_P2P_MESSAGE: ErrorCode = 282;
/// A command that needs a completed login.
pub(crate) const NOT_LOGGED_IN: ErrorCode = 302;
/// A documented command that the sandbox does not serve.
pub(crate) const COMMAND_DISABLED: ErrorCode = 502;
/// A wrong answer to a challenge, or none in time.
pub(crate) const CHALLENGE_FAILED: ErrorCode = 540;
/// A command of another version, or not now.
pub(crate) const NOT_EXPECTED: ErrorCode = 715;
/// A wrong password, ticket, response or cookie.
pub(crate) const AUTHENTICATION_FAILED: ErrorCode = 911;
/// `XFR SB` while hidden or before the first `CHG`.
pub(crate) const NOT_ALLOWED_OFFLINE: ErrorCode = 913;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_documented_one() {
        let codes = [
            SYNTAX_ERROR,
            INVALID_PARAMETER,
            INVALID_USER,
            ALREADY_LOGGED_IN,
            INVALID_USERNAME,
            INVALID_FRIENDLY_NAME,
            LIST_FULL,
            ALREADY_ON_LIST,
            NOT_ON_LIST,
            NOT_ONLINE,
            ALREADY_IN_MODE,
            TOO_MANY_GROUPS,
            INVALID_GROUP,
            NOT_IN_GROUP,
            GROUP_NAME_EXISTS,
            GROUP_NAME_TOO_LONG,
            CANNOT_REMOVE_GROUP_ZERO,
            XML_EMPTY,
            XML_INVALID,
            BAD_P2P_MESSAGE,
            NOT_LOGGED_IN,
            COMMAND_DISABLED,
            CHALLENGE_FAILED,
            NOT_EXPECTED,
            AUTHENTICATION_FAILED,
            NOT_ALLOWED_OFFLINE,
        ];
        for code in codes {
            assert!(msnp::errors::lookup(code).is_some(), "{code}");
        }
    }
}
