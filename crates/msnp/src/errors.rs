//! What every three-digit error means. One row per code; unknown codes are errors too, just without a meaning.

/// Whether an error is known to carry a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PayloadSeen {
    /// Never seen with one.
    No,
    /// Listed with one, not seen.
    Maybe,
    /// Seen with one.
    Yes,
}

/// One error code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorCode {
    /// The three digits.
    pub code: u16,
    /// A short name, in the words of client sources.
    pub name: &'static str,
    /// What it means, one sentence.
    pub meaning: &'static str,
    /// Which sources name it.
    pub sources: &'static str,
    /// Whether it was seen with a payload.
    pub payload_seen: PayloadSeen,
}

/// Returns what is known about `code`.
pub fn lookup(code: u16) -> Option<&'static ErrorCode> {
    let index = ERRORS.binary_search_by_key(&code, |error| error.code).ok()?;
    ERRORS.get(index)
}

const fn code(
    code: u16,
    name: &'static str,
    meaning: &'static str,
    sources: &'static str,
    payload_seen: PayloadSeen,
) -> ErrorCode {
    ErrorCode { code, name, meaning, sources, payload_seen }
}

/// Every known error code, ascending.
#[rustfmt::skip]
pub const ERRORS: &[ErrorCode] = &[
    code(200, "SyntaxError", "Command could not be parsed", "PUR MIR SHARP NINA HYP", PayloadSeen::No),
    code(201, "InvalidParameter", "An argument is not acceptable (bad status, malformed address)", "PUR MIR SHARP ESC NINA HYP", PayloadSeen::Maybe),
    code(203, "InvalidFederatedUser", "Address cannot be used on the federated network", "SHARP", PayloadSeen::Maybe),
    code(204, "InvalidNetworkId", "Network id in ADL/RML unknown or not routable for that address", "SHARP ESC WIKI", PayloadSeen::Maybe),
    code(205, "InvalidUser", "Account does not exist (before MSNP10; later 208)", "PUR MIR SHARP ESC NINA HYP", PayloadSeen::Maybe),
    code(206, "DomainMissing", "Address has no domain part", "PUR MIR SHARP NINA HYP", PayloadSeen::No),
    code(207, "AlreadyLoggedIn", "USR sent twice on one connection", "PUR MIR SHARP ESC NINA HYP", PayloadSeen::No),
    code(208, "InvalidUsername", "Account name invalid or unknown (SB CAL; ADC/ADL from MSNP10)", "PUR MIR SHARP ESC WIKI NINA HYP", PayloadSeen::Maybe),
    code(209, "InvalidFriendlyName", "Friendly name refused (blocked words or unverified account)", "PUR MIR SHARP NINA HYP", PayloadSeen::No),
    code(210, "ListFull", "Contact list or membership list is full", "PUR MIR SHARP ESC WIKI NINA HYP", PayloadSeen::Maybe),
    code(213, "InvalidNameRequest", "Property or rename request invalid", "SHARP", PayloadSeen::No),
    code(215, "AlreadyOnList", "User already on that list, or CAL of someone already in the session", "PUR MIR SHARP ESC AMSN HYP", PayloadSeen::No),
    code(216, "NotOnList", "User not on that list; on CAL also seen when the peer blocks you", "PUR MIR ESC AMSN (SHARP names it UserAlreadyOnList: believed wrong)", PayloadSeen::No),
    code(217, "NotOnline", "Peer is offline or invisible", "PUR MIR ESC AMSN (SHARP: NotAcceptingIMs)", PayloadSeen::No),
    code(218, "AlreadyInMode", "Setting already has that value", "PUR MIR SHARP ESC", PayloadSeen::No),
    code(219, "InOppositeList", "User is on the opposite (allow/block) list", "PUR MIR SHARP", PayloadSeen::No),
    code(220, "NotAcceptingPages", "Peer does not accept pages", "SHARP", PayloadSeen::No),
    code(223, "TooManyGroups", "Group limit reached", "PUR SHARP", PayloadSeen::No),
    code(224, "InvalidGroup", "No such group", "PUR SHARP ESC AMSN", PayloadSeen::No),
    code(225, "NotInGroup", "User is not in that group", "PUR SHARP ESC", PayloadSeen::No),
    code(227, "GroupNotEmpty", "Group still has members", "SHARP", PayloadSeen::No),
    code(228, "GroupNameExists", "Group name is taken", "SHARP ESC", PayloadSeen::No),
    code(229, "GroupNameTooLong", "Group name exceeds the limit", "PUR SHARP ESC", PayloadSeen::No),
    code(230, "CannotRemoveGroupZero", "The default group cannot be removed (before MSNP10)", "PUR SHARP ESC", PayloadSeen::No),
    code(231, "InvalidGroupForAdd", "Add to a group that does not exist", "PUR", PayloadSeen::No),
    code(232, "InvalidMsisdn", "Phone number malformed", "SHARP", PayloadSeen::Maybe),
    code(233, "UnknownMsisdn", "Phone number unknown", "SHARP", PayloadSeen::Maybe),
    code(234, "UnknownKeitaiDomain", "Mobile mail domain unknown", "SHARP", PayloadSeen::Maybe),
    code(240, "XmlEmptyDomain", "ADL/RML/FQY document has no usable <d>/<c> content", "SHARP ESC WIKI", PayloadSeen::Maybe),
    code(241, "XmlInvalid", "ADL/RML/FQY document malformed, or list bits not allowed (RL, PL), or contact missing from address book", "PUR BIT MIR PAP SHARP ESC WIKI", PayloadSeen::Yes),
    code(280, "SwitchboardFailed", "Switchboard could not be created", "PUR MIR SHARP", PayloadSeen::No),
    code(281, "TransferFailed", "Transfer to another server failed", "PUR MIR SHARP", PayloadSeen::No),
    code(282, "BadP2PMessage", "MSG with ack type D that is not a well-formed P2P message", "SHARP WIKI NINA", PayloadSeen::No),
    code(283, "UnknownUunApp", "UUN type unknown", "SHARP", PayloadSeen::No),
    code(285, "MessageTooLong", "Message exceeds the size limit", "SHARP", PayloadSeen::No),
    code(290, "SmsOutOfFundsNow", "SMS credit has just run out", "SHARP", PayloadSeen::Maybe),
    code(300, "RequiredFieldMissing", "A mandatory field is absent", "PUR MIR SHARP", PayloadSeen::No),
    code(301, "TooManyHits", "Directory search returned too many results", "PUR", PayloadSeen::No),
    code(302, "NotLoggedIn", "Command needs a completed login", "PUR MIR SHARP", PayloadSeen::No),
    code(402, "ListUnavailable", "Contact list cannot be read", "SHARP ESC", PayloadSeen::Maybe),
    code(403, "AddressBookError", "Contact list or address book operation failed", "SHARP ESC", PayloadSeen::Maybe),
    code(413, "SmsSubscriptionRequired", "SMS service needs a subscription", "SHARP", PayloadSeen::Maybe),
    code(414, "SmsSubscriptionDisabled", "SMS subscription disabled", "SHARP", PayloadSeen::Maybe),
    code(415, "SmsOutOfFunds", "No SMS credit", "SHARP", PayloadSeen::Maybe),
    code(416, "SmsDisabledMarket", "Service not available in this country", "SHARP AMSN", PayloadSeen::Maybe),
    code(417, "SmsDisabledGlobal", "SMS disabled everywhere", "SHARP", PayloadSeen::Maybe),
    code(418, "TryAgainLater", "Temporary refusal", "SHARP", PayloadSeen::Maybe),
    code(419, "NoMarketSpecified", "Account has no market set", "SHARP", PayloadSeen::Maybe),
    code(420, "AccountPermissions", "Account lacks permission (seen on CVR)", "SHARP M11", PayloadSeen::No),
    code(500, "InternalServerError", "Server fault or service unavailable", "PUR MIR SHARP ESC AMSN M11", PayloadSeen::No),
    code(501, "DatabaseError", "Database server fault", "PUR MIR SHARP", PayloadSeen::No),
    code(502, "CommandDisabled", "Command no longer served", "PUR SHARP ESC WIKI", PayloadSeen::No),
    code(503, "BadParameters", "Parameters refused; server closes (seen on SND)", "WIKI", PayloadSeen::No),
    code(504, "UpsDown", "Mobile delivery backend down", "SHARP", PayloadSeen::Maybe),
    code(508, "ListUnavailableOrFederation", "Federation partner error / list unavailable", "SHARP (FederatedPartnerError) MIR (list unavailable, with payload)", PayloadSeen::Yes),
    code(509, "MobileSendFailed", "Mobile/page-mode message failed", "PAP SHARP", PayloadSeen::Yes),
    code(510, "FileOperationFailed", "File operation failed", "PUR MIR SHARP", PayloadSeen::No),
    code(511, "DetailedError", "Error with detail document", "SHARP", PayloadSeen::Yes),
    code(520, "OutOfMemory", "Memory allocation failed", "PUR MIR SHARP", PayloadSeen::No),
    code(540, "ChallengeFailed", "QRY answer wrong or late; server closes", "PUR SHARP ESC", PayloadSeen::No),
    code(550, "SmsAccountMuted", "SMS account muted", "SHARP", PayloadSeen::Maybe),
    code(551, "SmsAccountDisabled", "SMS account disabled", "SHARP", PayloadSeen::Maybe),
    code(552, "SmsAccountMaxed", "SMS account limit reached", "SHARP", PayloadSeen::Maybe),
    code(580, "SmsInternalError", "SMS backend fault", "SHARP", PayloadSeen::Maybe),
    code(590, "SmsCarrierInvalid", "Carrier invalid", "SHARP", PayloadSeen::Maybe),
    code(591, "SmsCarrierNoRoute", "No route to carrier", "SHARP", PayloadSeen::Yes),
    code(592, "SmsCarrierErrored", "Carrier reported an error", "SHARP", PayloadSeen::Maybe),
    code(593, "SmsAddressMappingFull", "SMS address table full", "SHARP", PayloadSeen::Maybe),
    code(594, "SmsIncorrectSourceCountry", "Source country not allowed", "SHARP", PayloadSeen::Maybe),
    code(595, "SmsMobileCacheFull", "Mobile cache full", "SHARP", PayloadSeen::Maybe),
    code(596, "SmsIncorrectFormat", "SMS format wrong", "SHARP", PayloadSeen::Maybe),
    code(597, "SmsInvalidText", "SMS text not allowed", "SHARP", PayloadSeen::Maybe),
    code(598, "SmsMessageTooLong", "SMS text too long", "SHARP", PayloadSeen::Maybe),
    code(600, "ServerBusy", "Server is busy", "PUR MIR SHARP AMSN", PayloadSeen::No),
    code(601, "ServerUnavailable", "Server is unavailable", "PUR MIR SHARP AMSN M11", PayloadSeen::No),
    code(602, "PeerNsDown", "The peer notification server is down", "PUR MIR SHARP", PayloadSeen::No),
    code(603, "DatabaseConnectFailed", "Database connection failed (seen on SYN)", "PUR MIR SHARP M11", PayloadSeen::No),
    code(604, "ServerGoingDown", "Server is shutting down", "PUR MIR SHARP", PayloadSeen::No),
    code(605, "ServerUnavailable2", "Server is unavailable", "PUR SHARP", PayloadSeen::No),
    code(606, "PagingUnavailable", "Paging service is unavailable", "SHARP", PayloadSeen::Maybe),
    code(700, "ConnectionCreateFailed", "Could not create the connection", "SHARP", PayloadSeen::No),
    code(707, "ConnectionCreateFailed2", "Could not create the connection", "PUR MIR", PayloadSeen::No),
    code(710, "BadCvrParameters", "CVR parameters unknown or not allowed", "PUR SHARP M11 (MIR: invalid locale)", PayloadSeen::No),
    code(711, "WriteBlockedOrRestricted", "Write would block (PUR MIR) / session restricted (SHARP): unclear", "PUR MIR SHARP", PayloadSeen::No),
    code(712, "SessionOverload", "Session overloaded", "PUR MIR SHARP", PayloadSeen::No),
    code(713, "TooActive", "Too many requests, e.g. CAL, in a short time", "PUR MIR SHARP AMSN", PayloadSeen::No),
    code(714, "TooManySessions", "Too many switchboards", "PUR MIR", PayloadSeen::No),
    code(715, "NotExpected", "Command not allowed in this state or version; also bad PSM or unverified account", "MIR SHARP ESC AMSN WIKI PUR", PayloadSeen::No),
    code(717, "BadFriendFile", "Stored contact data bad", "PUR MIR SHARP", PayloadSeen::No),
    code(718, "UserRestricted", "User restricted", "SHARP", PayloadSeen::No),
    code(719, "SessionFederated", "Not possible in a federated session", "SHARP", PayloadSeen::No),
    code(726, "UserFederated", "Not possible for a federated user", "SHARP", PayloadSeen::No),
    code(731, "NotExpectedCvr", "CVR not expected / unexpected command", "PUR SHARP M11", PayloadSeen::Maybe),
    code(733, "RoamingLogoff", "Roaming log-off", "SHARP", PayloadSeen::No),
    code(734, "TooManyEndpoints", "Too many endpoints signed in", "SHARP", PayloadSeen::No),
    code(800, "TooFast", "Rate limit, e.g. renaming too quickly or paging failed", "PUR SHARP WIKI", PayloadSeen::No),
    code(801, "SdgNotDelivered", "MSNP21: datagram (SDG) with that TrID was not delivered; recorded trace has TrID, length 5, then a 5-byte text payload", "SHARP", PayloadSeen::Yes),
    code(910, "TooBusy", "Server too busy", "PUR SHARP M11", PayloadSeen::No),
    code(911, "AuthenticationFailed", "Bad password, ticket or cookie; server closes", "PUR MIR SHARP ESC AMSN WIKI", PayloadSeen::No),
    code(912, "TooBusy2", "Server too busy", "PUR", PayloadSeen::No),
    code(913, "NotAllowedOffline", "Not allowed while hidden or not yet online (XFR SB)", "PUR MIR SHARP ESC AMSN WIKI", PayloadSeen::No),
    code(914, "ServerUnavailable3", "Server unavailable", "PUR", PayloadSeen::No),
    code(915, "ServerUnavailable4", "Server unavailable", "PUR", PayloadSeen::No),
    code(916, "ServerUnavailable5", "Server unavailable", "PUR", PayloadSeen::No),
    code(917, "AuthenticationFailed2", "Authentication failed", "PUR", PayloadSeen::No),
    code(918, "TooBusy3", "Server too busy", "PUR", PayloadSeen::No),
    code(919, "TooBusy4", "Server too busy", "PUR", PayloadSeen::No),
    code(920, "NoNewUsers", "New users not accepted", "PUR MIR SHARP", PayloadSeen::No),
    code(921, "TimedOut", "Too busy / timed out", "PUR SHARP M11", PayloadSeen::No),
    code(922, "TooBusy5", "Too busy; after 24 h also expired authorisation (Skype era)", "PUR MIR", PayloadSeen::No),
    code(923, "KidsNoConsent", "Child account without parental consent", "PUR SHARP WIKI", PayloadSeen::No),
    code(924, "NotVerified", "Account e-mail not verified", "PUR MIR SHARP WIKI", PayloadSeen::No),
    code(926, "ManagedUserWrongClient", "Managed account needs another client", "SHARP", PayloadSeen::No),
    code(927, "ManagedUserDenied", "Account suspended or managed user denied", "PUR SHARP AMSN", PayloadSeen::No),
    code(928, "BadTicket", "Ticket refused; account may live on another server, log in again via the dispatch server", "PUR SHARP AMSN M11", PayloadSeen::No),
    code(931, "WrongServer", "Account does not belong on this server", "M11 WIKI (SHARP: DomainReserved)", PayloadSeen::No),
    code(933, "InvalidCircleMembership", "Circle membership or contact list invalid (ADL/RML with t=9)", "SHARP ESC", PayloadSeen::Yes),
    code(935, "InvalidSignature", "Signed circle ticket refused", "SHARP", PayloadSeen::No),
];
