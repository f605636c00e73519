//! What logins and challenges compute: `QRY`, `USR MD5`, `USR SSO`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

use crate::types::Version;

/// A client's product id and the key that belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Product {
    /// As it stands in `QRY`.
    pub id: &'static str,
    /// The key, which never travels.
    pub key: &'static str,
    /// First version whose challenges it answers.
    pub since: Version,
    /// Last version, if there is one.
    pub until: Option<Version>,
}

/// Returns the product called `id`.
pub fn product(id: &[u8]) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.id.as_bytes() == id)
}

/// Returns the newest known product for `version`.
pub fn product_for(version: Version) -> Option<&'static Product> {
    PRODUCTS.iter().rev().find(|product| product.since <= version && product.until.is_none_or(|until| version <= until))
}

/// Returns the payload of `QRY` for the text of a `CHL`: 32 hexadecimal digits.
pub fn answer(challenge: &[u8], product: &Product, version: Version) -> String {
    if version <= Version(10) {
        answer_md5(challenge, product.key.as_bytes())
    } else {
        answer_msnp11(challenge, product.id.as_bytes(), product.key.as_bytes())
    }
}

/// Returns the answer of MSNP6 to MSNP10: the MD5 of challenge and key.
pub fn answer_md5(challenge: &[u8], key: &[u8]) -> String {
    hex(&Md5::new().chain_update(challenge).chain_update(key).finalize())
}

/// Returns the answer of MSNP11 and later.
///
/// Source: session-flow documents and clients agree; where the padded text is a multiple of 8 already they differ, and
/// this adds nothing, as libpurple and bitlbee do.
pub fn answer_msnp11(challenge: &[u8], id: &[u8], key: &[u8]) -> String {
    const MODULUS: u64 = 0x7fff_ffff;
    const FACTOR: u64 = 0x0e79_a9c1;
    let hash = words(&Md5::new().chain_update(challenge).chain_update(key).finalize());
    let masked: Vec<u64> = hash.iter().map(|word| word & MODULUS).collect();
    let [k0, k1, k2, k3] = masked[..] else { return String::new() };
    let mut text = [challenge, id].concat();
    text.resize(text.len().next_multiple_of(8), b'0');
    let (mut high, mut low) = (0u64, 0u64);
    for pair in words(&text).chunks_exact(2) {
        let mixed = (pair[0] * FACTOR % MODULUS + high) % MODULUS * k0 % MODULUS;
        let mixed = (mixed + k1) % MODULUS;
        high = ((pair[1] + mixed) % MODULUS * k2 + k3) % MODULUS;
        low = low.wrapping_add(high).wrapping_add(mixed);
    }
    let high = (high + k1) % MODULUS;
    let low = (low + k3) % MODULUS;
    let answer: Vec<u8> =
        hash.iter().zip([high, low, high, low]).flat_map(|(word, key)| ((word ^ key) as u32).to_le_bytes()).collect();
    hex(&answer)
}

/// Returns the answer to `USR MD5 S salt` (MSNP2 to MSNP7).
pub fn md5_login(salt: &[u8], password: &[u8]) -> String {
    hex(&Md5::new().chain_update(salt).chain_update(password).finalize())
}

/// Why a single sign-on response cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SsoError {
    /// The BinarySecret is not base64.
    #[error("the binary secret is not base64")]
    Secret,
    /// The response is not a blob of the documented shape.
    #[error("the response is not a blob of the documented shape")]
    Shape,
}

/// Returns the fifth argument of `USR SSO S` (MSNP15 and later): the proof that the client holds `secret` (base64, from
/// RST) for `nonce` (text, as the server sent it). `iv` should be random.
///
/// ```text
/// u32 LE: 28, 1 (CBC), 0x6603 (3DES), 0x8004 (SHA1), 8 (iv), 20 (hash), 72 (cipher); iv, hash, cipher; all base64
/// ```
///
/// # Errors
///
/// If the secret is not base64.
pub fn sso_response(secret: &[u8], nonce: &[u8], iv: [u8; 8]) -> Result<String, SsoError> {
    let (hash, cipher) = sso_proof(secret, nonce, iv)?;
    let mut blob = Vec::new();
    for word in [28, 1, 0x6603, 0x8004, 8, 20, cipher.len() as u32] {
        blob.extend_from_slice(&word.to_le_bytes());
    }
    blob.extend_from_slice(&iv);
    blob.extend_from_slice(&hash);
    blob.extend_from_slice(&cipher);
    Ok(STANDARD.encode(blob))
}

/// Whether `response` proves that its sender holds `secret`.
///
/// # Errors
///
/// If the secret or the response is not what it should be.
pub fn check_sso_response(response: &[u8], secret: &[u8], nonce: &[u8]) -> Result<bool, SsoError> {
    let blob = STANDARD.decode(response).map_err(|_| SsoError::Shape)?;
    let iv = blob.get(28..36).and_then(|iv| <[u8; 8]>::try_from(iv).ok()).ok_or(SsoError::Shape)?;
    Ok(sso_response(secret, nonce, iv)?.as_bytes() == response)
}

fn sso_proof(secret: &[u8], nonce: &[u8], iv: [u8; 8]) -> Result<(Vec<u8>, Vec<u8>), SsoError> {
    let secret = STANDARD.decode(secret).map_err(|_| SsoError::Secret)?;
    let hash_key = derive(&secret, b"WS-SecureConversationSESSION KEY HASH");
    let cipher_key = derive(&secret, b"WS-SecureConversationSESSION KEY ENCRYPTION");
    let hash = hmac(&hash_key, nonce);
    let mut plain = nonce.to_vec();
    plain.extend_from_slice(&[8; 8]);
    plain.resize(plain.len().next_multiple_of(8), 8);
    let cipher = cbc::Encryptor::<des::TdesEde3>::new_from_slices(&cipher_key, &iv)
        .expect("the key has 24 bytes and the iv 8")
        .encrypt_padded_vec::<NoPadding>(&plain);
    Ok((hash, cipher))
}

fn derive(key: &[u8], magic: &[u8]) -> Vec<u8> {
    let first = hmac(key, magic);
    let second = hmac(key, &[&first, magic].concat());
    let third = hmac(key, &first);
    let fourth = hmac(key, &[&third, magic].concat());
    [&second[..], &fourth[..4]].concat()
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<4>().0.iter().map(|word| u64::from(u32::from_le_bytes(*word))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const fn key(id: &'static str, key: &'static str, since: u8, until: u8) -> Product {
    Product { id, key, since: Version(since), until: if until == 0 { None } else { Some(Version(until)) } }
}

/// The known products.
pub const PRODUCTS: &[Product] = &[
    key("msmsgs@msnmsgr.com", "Q1P7W2E4J9R8U3S5", 6, 10),
    key("PROD0038W!61ZTF9", "VT6PX?UQTM4WM%YR", 6, 10),
    key("PROD0058#7IL2{QD", "QHDCY@7R1TB6W?5B", 6, 10),
    key("PROD0061VRRZH@4F", "JXQ6J@TUOGYV@N0M", 6, 10),
    key("PROD00504RLUG%WL", "I2EBK%PYNLZL5_J4", 6, 10),
    key("PROD0076ENE8*@AW", "CEQJ8}OE0!WTSWII", 6, 10),
    key("PROD0090YUAUV{2B", "YMM8C_H7KCQ2S_KL", 11, 12),
    key("PROD0101{0RM?UBW", "CFHUR$52U_{VIX5T", 11, 12),
    key("PROD01065C%ZFN6F", "O4BG@C7BWLYQX?5G", 13, 14),
    key("PROD0112J1LW7%NB", "RH96F{PHI8PPX_TJ", 13, 14),
    key("PROD0113H11T8$X_", "RG@XY*28Q5QHS%Q5", 15, 0),
    key("PROD0114ES4Z%Q5W", "PK}_A_0N_K%O?A9S", 15, 0),
    key("PROD0118R6%2WYOS", "YIXPX@5I2P0UT*LK", 15, 0),
    key("PROD0119GSJUC$18", "ILTXC!4IXB5FB*PX", 15, 0),
    key("PROD0120PW!CCV9@", "C1BX{V4W}Q3*10SM", 15, 0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_challenges_are_answered_as_published() {
        let product = product(b"msmsgs@msnmsgr.com").unwrap();
        assert_eq!(answer(b"15570131571988941333", product, Version(8)), "8f2f5a91b72102cd28355e9fc9000d6e");
    }

    #[test]
    fn new_challenges_are_answered_as_published() {
        let cases = [
            ("PROD0090YUAUV{2B", "22210219642164014968", "85ecb0db8f32113df79ce0892b9a102c"),
            ("PROD0090YUAUV{2B", "36819795137093047918", "e7ad3cb09d3e9e4e7c720175984809e9"),
            ("PROD0090YUAUV{2B", "21948129323261853323", "59bcf63ed21f44906c3d3e121ddbed65"),
            ("PROD0090YUAUV{2B", "41525959199453244913", "dcb8ff529e4dd12cc43389851128d2db"),
            ("PROD0113H11T8$X_", "11533365622852247127", "f086d1ded067186deca8dba2231602cf"),
            ("PROD0113H11T8$X_", "237191752526424888127371168", "65b6b623c649c25629af048d34066040"),
            ("PROD0120PW!CCV9@", "1663122458434562624782678054", "f379e91748f9722568da550eccefec47"),
        ];
        for (id, challenge, expected) in cases {
            assert_eq!(answer(challenge.as_bytes(), product(id.as_bytes()).unwrap(), Version(15)), expected);
        }
    }

    #[test]
    fn the_md5_login_is_the_hash_of_salt_and_password() {
        assert_eq!(md5_login(b"1013928519.693957190", b"password"), "7f919fab309532df353c901430df36fa");
    }

    #[test]
    fn the_single_sign_on_response_is_the_published_one() {
        let secret = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let nonce = [vec![b'A'; 63], b"=".to_vec()].concat();
        let key = STANDARD.decode(secret).unwrap();
        assert_eq!(
            hex(&derive(&key, b"WS-SecureConversationSESSION KEY HASH")),
            "51fecc58efdcf0b3a156dd7fb63b2b35525abb6e44fb28bc"
        );
        assert_eq!(
            hex(&derive(&key, b"WS-SecureConversationSESSION KEY ENCRYPTION")),
            "5fb82627f21ddea543ca19997f4ad06e16aa09a623b78152"
        );
        let response = sso_response(secret, &nonce, [0; 8]).unwrap();
        assert_eq!(
            response,
            "HAAAAAEAAAADZgAABIAAAAgAAAAUAAAASAAAAAAAAAAAAAAA7XgT5ohvaZdoXdrWUUcMF2G8OK2JohyYcK5l5MJSitab33scxJeK/RQXcUr0L+R2ZA9CEAzn0izmUzSMp2LZdxSbHtnuxCmptgtoScHp9E26HjQVkA9YJxgK/HM="
        );
        assert_eq!(check_sso_response(response.as_bytes(), secret, &nonce), Ok(true));
        assert_eq!(check_sso_response(response.as_bytes(), b"AQID", &nonce), Ok(false));
        assert_eq!(check_sso_response(b"AAAA", secret, &nonce), Err(SsoError::Shape));
    }
}
