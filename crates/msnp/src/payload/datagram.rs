//! The datagrams of MSNP18 and MSNP21: payloads of `PUT`, `DEL`, `NFY` and `SDG`.
//!
//! ```text
//! Routing: 1.0 ...          To, From, Service-Channel, Options
//!
//! Reliability: 1.0 ...      Stream, Segment, Flags
//!
//! Messaging: 2.0 ...        or Publication, Notification: Content-Type, Content-Length, Message-Type, Uri
//!
//! body
//! ```

use crate::payload::mime::Headers;

/// A datagram: up to three blocks of headers, then a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'a> {
    routing: Headers<'a>,
    reliability: Headers<'a>,
    content: Headers<'a>,
}

impl<'a> Datagram<'a> {
    /// Reads the blocks. An acknowledgement may lack the third, and an empty payload has none.
    pub fn parse(payload: &'a [u8]) -> Datagram<'a> {
        let routing = Headers::parse(payload);
        let reliability = Headers::parse(routing.body());
        let content = Headers::parse(reliability.body());
        Datagram { routing, reliability, content }
    }

    /// Returns the block that starts with `Routing`.
    pub fn routing(&self) -> Headers<'a> {
        self.routing
    }

    /// Returns the block that starts with `Reliability`.
    pub fn reliability(&self) -> Headers<'a> {
        self.reliability
    }

    /// Returns the block that starts with `Messaging`, `Publication` or `Notification`.
    pub fn content(&self) -> Headers<'a> {
        self.content
    }

    /// Returns all that follows the blocks. `Content-Length` is often wrong, so it is not asked.
    pub fn body(&self) -> &'a [u8] {
        self.content.body()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_blocks_and_the_body_are_found() {
        let payload = b"Routing: 1.0\r\nTo: 1:bob@example.com\r\n\r\nReliability: 1.0\r\n\r\nMessaging: 2.0\r\nMessage-Type: Text\r\n\r\nhi\r\n\r\nthere";
        let datagram = Datagram::parse(payload);
        assert_eq!(datagram.routing().get("To"), Some(&b"1:bob@example.com"[..]));
        assert_eq!(datagram.content().get("Message-Type"), Some(&b"Text"[..]));
        assert_eq!(datagram.body(), b"hi\r\n\r\nthere");
    }

    #[test]
    fn an_acknowledgement_has_two_blocks() {
        let datagram = Datagram::parse(b"Routing: 1.0\r\n\r\nReliability: 1.0\r\n\r\n");
        assert!(datagram.content().is_empty());
        assert_eq!(datagram.body(), b"");
    }
}
