//! The provider as SQLCipher takes it: `sqlcipher_provider` of SQLCipher 4.19, in its order.
//!
//! A function that is handed what cannot be says so by its result, which SQLCipher turns into a failed
//! call. Must not know: algorithms.

use std::ffi::{CStr, c_char, c_int, c_uchar, c_void};
use std::slice;

use crate::algorithm::{self, BLOCK_LEN, CODE_LEN, KEY_LEN};

/// What it calls itself in `PRAGMA cipher_provider`.
pub(crate) const NAME: &str = "tuquan";
const C_NAME: &CStr = c"tuquan";
const C_VERSION: &CStr = c"1";
const C_CIPHER: &CStr = c"aes-256-cbc";
/// SQLite's codes.
const OK: c_int = 0;
const ERROR: c_int = 1;
/// SQLCipher's number of HMAC-SHA-512, for codes and for keys: the only one that stores use.
const SHA512: c_int = 2;
/// SQLCipher's numbers of the two directions.
const DECRYPT: c_int = 0;
const ENCRYPT: c_int = 1;

type Bytes = *const c_uchar;

/// `struct sqlcipher_provider`.
#[repr(C)]
#[derive(Debug)]
pub struct Provider {
    init: Option<unsafe extern "C" fn() -> c_int>,
    shutdown: Option<unsafe extern "C" fn()>,
    provider_name: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    add_random: unsafe extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int,
    random: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    hmac: unsafe extern "C" fn(
        *mut c_void,
        c_int,
        Bytes,
        c_int,
        Bytes,
        c_int,
        Bytes,
        c_int,
        *mut c_uchar,
    ) -> c_int,
    kdf: unsafe extern "C" fn(
        *mut c_void,
        c_int,
        Bytes,
        c_int,
        Bytes,
        c_int,
        c_int,
        c_int,
        *mut c_uchar,
    ) -> c_int,
    cipher: unsafe extern "C" fn(
        *mut c_void,
        c_int,
        Bytes,
        c_int,
        Bytes,
        Bytes,
        c_int,
        *mut c_uchar,
    ) -> c_int,
    cipher_name: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    key_len: unsafe extern "C" fn(*mut c_void) -> c_int,
    first_len: unsafe extern "C" fn(*mut c_void) -> c_int,
    block_len: unsafe extern "C" fn(*mut c_void) -> c_int,
    code_len: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    begin: unsafe extern "C" fn(*mut *mut c_void) -> c_int,
    end: unsafe extern "C" fn(*mut *mut c_void) -> c_int,
    fips_status: unsafe extern "C" fn(*mut c_void) -> c_int,
    version: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    next: *mut Self,
}

/// Fills the provider that SQLCipher asks for.
///
/// # Safety
/// `to` points to room for a provider, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tuquan_cipher(to: *mut Provider) -> c_int {
    if to.is_null() {
        return ERROR;
    }
    let provider = Provider {
        init: None,
        shutdown: None,
        provider_name,
        add_random,
        random,
        hmac,
        kdf,
        cipher,
        cipher_name,
        key_len,
        first_len,
        block_len,
        code_len,
        begin,
        end,
        fips_status,
        version,
        next: std::ptr::null_mut(),
    };
    // SAFETY: the caller gives room for one; what was there is no Rust value.
    unsafe { to.write(provider) };
    OK
}

/// Returns what SQLCipher gives as a pointer and a length; empty for NULL, none for a negative length.
///
/// # Safety
/// `bytes` points to `len` bytes that nobody writes meanwhile, or is NULL.
unsafe fn given<'a>(bytes: Bytes, len: c_int) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok()?;
    if bytes.is_null() {
        return Some(&[]);
    }
    // SAFETY: as the caller says.
    Some(unsafe { slice::from_raw_parts(bytes, len) })
}

/// As [`given`], to be written.
///
/// # Safety
/// `bytes` points to `len` bytes that nobody else reads or writes meanwhile, or is NULL.
unsafe fn wanted<'a>(bytes: *mut c_uchar, len: c_int) -> Option<&'a mut [u8]> {
    let len = usize::try_from(len).ok()?;
    if bytes.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    Some(unsafe { slice::from_raw_parts_mut(bytes, len) })
}

fn code(is_done: bool) -> c_int {
    if is_done { OK } else { ERROR }
}

unsafe extern "C" fn provider_name(_: *mut c_void) -> *const c_char {
    C_NAME.as_ptr()
}

unsafe extern "C" fn version(_: *mut c_void) -> *const c_char {
    C_VERSION.as_ptr()
}

unsafe extern "C" fn cipher_name(_: *mut c_void) -> *const c_char {
    C_CIPHER.as_ptr()
}

/// The system's randomness needs nothing from outside.
unsafe extern "C" fn add_random(_: *mut c_void, _: *const c_void, _: c_int) -> c_int {
    OK
}

unsafe extern "C" fn random(_: *mut c_void, to: *mut c_void, len: c_int) -> c_int {
    // SAFETY: SQLCipher gives room for `len` bytes.
    let to = unsafe { wanted(to.cast(), len) };
    code(to.is_some_and(|to| getrandom::fill(to).is_ok()))
}

unsafe extern "C" fn hmac(
    _: *mut c_void,
    algorithm: c_int,
    key: Bytes,
    key_len: c_int,
    one: Bytes,
    one_len: c_int,
    two: Bytes,
    two_len: c_int,
    to: *mut c_uchar,
) -> c_int {
    // SAFETY: SQLCipher gives three stretches with their lengths, the last of which may be NULL.
    let parts = unsafe { (given(key, key_len), given(one, one_len), given(two, two_len)) };
    let (Some(key), Some(one), Some(two)) = parts else {
        return ERROR;
    };
    if algorithm != SHA512 || to.is_null() {
        return ERROR;
    }
    let Some(made) = algorithm::authenticate(key, [one, two]) else {
        return ERROR;
    };
    // SAFETY: SQLCipher gives room for a code of the length that `code_len` tells. It may lie in what
    // was authenticated, so it is written only now.
    unsafe { std::ptr::copy_nonoverlapping(made.as_ptr(), to, CODE_LEN) };
    OK
}

unsafe extern "C" fn kdf(
    _: *mut c_void,
    algorithm: c_int,
    secret: Bytes,
    secret_len: c_int,
    salt: Bytes,
    salt_len: c_int,
    rounds: c_int,
    len: c_int,
    to: *mut c_uchar,
) -> c_int {
    // SAFETY: SQLCipher gives two stretches with their lengths, and room for a key of `len` bytes.
    let parts = unsafe { (given(secret, secret_len), given(salt, salt_len), wanted(to, len)) };
    let (Some(secret), Some(salt), Some(to)) = parts else {
        return ERROR;
    };
    let Ok(rounds @ 1..) = u32::try_from(rounds) else {
        return ERROR;
    };
    if algorithm != SHA512 {
        return ERROR;
    }
    algorithm::derive(secret, salt, rounds, to);
    OK
}

unsafe extern "C" fn cipher(
    _: *mut c_void,
    direction: c_int,
    key: Bytes,
    key_len: c_int,
    first: Bytes,
    from: Bytes,
    len: c_int,
    to: *mut c_uchar,
) -> c_int {
    let block = BLOCK_LEN as c_int;
    // SAFETY: SQLCipher gives a key, a block, `len` bytes and room for as many elsewhere.
    let parts =
        unsafe { (given(key, key_len), given(first, block), given(from, len), wanted(to, len)) };
    let (Some(key), Some(first), Some(from), Some(to)) = parts else {
        return ERROR;
    };
    code(match direction {
        ENCRYPT => algorithm::encrypt(key, first, from, to),
        DECRYPT => algorithm::decrypt(key, first, from, to),
        _ => false,
    })
}

unsafe extern "C" fn key_len(_: *mut c_void) -> c_int {
    KEY_LEN as c_int
}

unsafe extern "C" fn first_len(_: *mut c_void) -> c_int {
    BLOCK_LEN as c_int
}

unsafe extern "C" fn block_len(_: *mut c_void) -> c_int {
    BLOCK_LEN as c_int
}

unsafe extern "C" fn code_len(_: *mut c_void, algorithm: c_int) -> c_int {
    if algorithm == SHA512 { CODE_LEN as c_int } else { 0 }
}

/// There is nothing to remember between two calls.
unsafe extern "C" fn begin(to: *mut *mut c_void) -> c_int {
    if !to.is_null() {
        // SAFETY: SQLCipher gives room for a pointer.
        unsafe { to.write(std::ptr::null_mut()) };
    }
    OK
}

unsafe extern "C" fn end(_: *mut *mut c_void) -> c_int {
    OK
}

unsafe extern "C" fn fips_status(_: *mut c_void) -> c_int {
    0
}
