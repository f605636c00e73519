//! What a TCP connection carries, told by its content and not by its port alone.

/// What a TCP connection carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carries {
    /// MSNP itself.
    Msnp,
    /// HTTP to a gateway of MSNP.
    HttpGateway,
    /// Something else.
    Other,
}
