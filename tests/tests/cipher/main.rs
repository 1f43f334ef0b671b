//! The store's cipher is that of `cipher/`, and reads and writes the files that SQLCipher makes with
//! OpenSSL's algorithms: `made_with_openssl.db` was made so, by SQLCipher 4.19.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, ErrorCode as Code};
use tuquan_core::store::open::initialize;
use tuquan_tests::phone::Folder;

const MADE: &[u8] = include_bytes!("made_with_openssl.db");
/// 32 bytes of a key and 16 of a salt.
const KEY: &str = "x'0707070707070707070707070707070707070707070707070707070707070707\
                   000102030405060708090a0b0c0d0e0f'";
const SAID: &str = "Khoá cửa phòng 204.";

fn open(path: &Path) -> Connection {
    initialize();
    let connection = Connection::open(path).expect("opened");
    connection.pragma_update(None, "key", KEY).expect("keyed");
    connection.pragma_update(None, "cipher_log_level", "NONE").ok();
    connection
}

fn said(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT text FROM said ORDER BY rowid")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

#[test]
fn the_algorithms_are_our_own() {
    let folder = Folder::new("cipher");
    let connection = open(&folder.path().join("store.db"));
    let ask = |name: &str| -> String {
        let sql = format!("PRAGMA {name}");
        connection.query_row(&sql, [], |row| row.get(0)).expect("answered")
    };
    assert_eq!(ask("cipher_provider"), tuquan_cipher::name());
    assert_eq!(ask("cipher"), "aes-256-cbc");
    assert_eq!(ask("cipher_hmac_algorithm"), "HMAC_SHA512");
}

#[test]
fn a_file_that_was_made_with_openssl_is_read_and_written() {
    let folder = Folder::new("cipher");
    let path = folder.path().join("store.db");
    fs::write(&path, MADE).expect("written");
    let connection = open(&path);
    assert_eq!(said(&connection).expect("read"), [SAID]);
    connection.execute("INSERT INTO said VALUES ('Đã thay khoá.')", []).expect("written");
    drop(connection);
    let connection = open(&path);
    assert_eq!(said(&connection).expect("read").len(), 2);
    let mut check = connection.prepare("PRAGMA cipher_integrity_check").expect("prepared");
    assert!(check.query([]).expect("asked").next().expect("answered").is_none());
}

#[test]
fn a_bit_that_was_turned_anywhere_is_noticed() {
    let folder = Folder::new("cipher");
    let path = folder.path().join("store.db");
    // The second page: salt and header of the first are read in other ways.
    for at in (4_096..MADE.len()).step_by(61) {
        let mut bytes = MADE.to_vec();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, bytes).expect("written");
        let error = said(&open(&path)).expect_err("noticed");
        let code = error.sqlite_error_code();
        assert!(matches!(code, Some(Code::NotADatabase | Code::DatabaseCorrupt)), "byte {at}");
    }
}
