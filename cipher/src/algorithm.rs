//! The algorithms, on slices.
//!
//! Must not know: pointers, SQLCipher's numbers.

use aes::Aes256;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;

/// Bytes of a key.
pub(crate) const KEY_LEN: usize = 32;
/// Bytes of a block, and of what the first one is mixed with.
pub(crate) const BLOCK_LEN: usize = 16;
/// Bytes of an authentication code.
pub(crate) const CODE_LEN: usize = 64;

/// Encrypts whole blocks of `plain` into `sealed`, which is as long (NIST SP 800-38A, 6.2); tells
/// whether lengths were as they must be.
pub(crate) fn encrypt(key: &[u8], first: &[u8], plain: &[u8], sealed: &mut [u8]) -> bool {
    let Ok(mode) = cbc::Encryptor::<Aes256>::new_from_slices(key, first) else {
        return false;
    };
    mode.encrypt_padded_b2b::<NoPadding>(plain, sealed).is_ok()
}

/// As [`encrypt`], the other way.
pub(crate) fn decrypt(key: &[u8], first: &[u8], sealed: &[u8], plain: &mut [u8]) -> bool {
    let Ok(mode) = cbc::Decryptor::<Aes256>::new_from_slices(key, first) else {
        return false;
    };
    mode.decrypt_padded_b2b::<NoPadding>(sealed, plain).is_ok()
}

/// Returns the HMAC-SHA-512 (RFC 2104, FIPS 180-4) of two parts one after the other.
pub(crate) fn authenticate(key: &[u8], parts: [&[u8]; 2]) -> Option<[u8; CODE_LEN]> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

/// Derives a key by PBKDF2 with HMAC-SHA-512 (RFC 8018, 5.2).
pub(crate) fn derive(secret: &[u8], salt: &[u8], rounds: u32, key: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha512>(secret, salt, rounds, key);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |digit: u8| (digit as char).to_digit(16).expect("a digit");
        let pairs = hex.as_bytes().chunks(2);
        pairs.map(|pair| (digit(pair[0]) * 16 + digit(pair[1])) as u8).collect()
    }

    #[test]
    fn aes_256_cbc_is_that_of_nist() {
        // NIST SP 800-38A, F.2.5 and F.2.6: the first two blocks.
        let key = bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let first = bytes("000102030405060708090a0b0c0d0e0f");
        let plain = bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let sealed = bytes("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d");
        let mut out = vec![0; plain.len()];
        assert!(encrypt(&key, &first, &plain, &mut out));
        assert_eq!(out, sealed);
        assert!(decrypt(&key, &first, &sealed, &mut out));
        assert_eq!(out, plain);
        assert!(!encrypt(&key, &first, &plain[1..], &mut out), "a part of a block");
        assert!(!decrypt(&key[1..], &first, &sealed, &mut out), "a short key");
    }

    #[test]
    fn hmac_sha_512_is_that_of_rfc_4231() {
        // Test case 2, in two parts.
        let code = authenticate(b"Jefe", [b"what do ya want ", b"for nothing?"]).expect("made");
        let expected = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                        9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        assert_eq!(code.to_vec(), bytes(expected));
    }

    #[test]
    fn pbkdf2_is_that_of_other_programs() {
        // PBKDF2-HMAC-SHA-512 of "password" and "salt", 2 rounds, as many programs print it.
        let mut key = [0; CODE_LEN];
        derive(b"password", b"salt", 2, &mut key);
        let expected = "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c\
                        f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e";
        assert_eq!(key.to_vec(), bytes(expected));
    }
}
