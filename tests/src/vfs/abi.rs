//! The C side: one `sqlite3_vfs` per disk and one table of file methods, on the raw FFI.
//!
//! Only translates: every decision is in [`Handle`](super::handle::Handle) and
//! [`Disk`](super::disk::Disk).

#![allow(unsafe_code, reason = "SQLite takes a VFS as C structs of function pointers only")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr, slice,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicPtr, Ordering},
    },
    thread,
    time::Duration,
};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use super::{
    disk::Disk,
    fault::Call,
    handle::{Handle, lock},
};

const PATH_LEN_MAX: usize = 1024;

/// An open file as SQLite sees it: it allocates `szOsFile` bytes and hands them back in each call.
#[repr(C)]
struct File {
    base: sqlite3_file,
    handle: *mut Handle,
}

/// A VFS known to SQLite by name, until dropped.
#[derive(Debug)]
pub(super) struct Registration {
    vfs: AtomicPtr<sqlite3_vfs>,
}

impl Registration {
    /// Registers a disk under `name`. Returns `None` if SQLite refuses.
    pub(super) fn new(name: &str, disk: &Arc<Mutex<Disk>>) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // Struct, name and weak reference are never freed: a connection keeps the pointer to its
        // VFS after the unregistration. That costs some 300 bytes per disk; the disk itself goes.
        let disk: *mut Weak<Mutex<Disk>> = Box::into_raw(Box::new(Arc::downgrade(disk)));
        let vfs = Box::into_raw(Box::new(sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<File>() as c_int,
            mxPathname: PATH_LEN_MAX as c_int,
            pNext: ptr::null_mut(),
            zName: name.into_raw(),
            pAppData: disk.cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: None,
            xCurrentTimeInt64: Some(current_time_ms),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: `vfs` points to a complete structure that is never freed; 0 keeps the default.
        let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        (code == ffi::SQLITE_OK).then(|| Self { vfs: AtomicPtr::new(vfs) })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the pointer was registered in `new` and is unregistered only here.
        unsafe { ffi::sqlite3_vfs_unregister(self.vfs.load(Ordering::Relaxed)) };
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(raise_lock),
    xUnlock: Some(lower_lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Returns the disk of a VFS, unless it has been dropped.
///
/// # Safety
/// `vfs` must come from [`Registration::new`].
unsafe fn disk_of(vfs: *mut sqlite3_vfs) -> Option<Arc<Mutex<Disk>>> {
    // SAFETY: `pAppData` was set to a leaked `Weak` in `Registration::new` and never changes.
    unsafe { (*(*vfs).pAppData.cast::<Weak<Mutex<Disk>>>()).upgrade() }
}

/// Returns the handle behind an open file.
///
/// # Safety
/// `file` must have been opened by [`open`] and not closed; SQLite uses a file from one thread at
/// a time, so that the reference is the only one.
unsafe fn handle_of<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    // SAFETY: `open` stored a pointer from `Box::into_raw`, `close` is the only one to free it.
    unsafe { &mut *(*file.cast::<File>()).handle }
}

/// Copies a C string.
///
/// # Safety
/// `text` must be null or end with a zero byte.
unsafe fn owned(text: *const c_char) -> Option<String> {
    // SAFETY: required of the caller.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

fn code(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes its own VFS, a valid or null name, `szOsFile` writable bytes for the
    // file and a valid or null pointer for the flags.
    unsafe {
        (*file).pMethods = ptr::null();
        let Some(disk) = disk_of(vfs) else {
            return ffi::SQLITE_CANTOPEN;
        };
        match Handle::open(disk, owned(name), flags) {
            Ok(handle) => {
                (*file.cast::<File>()).handle = Box::into_raw(Box::new(handle));
                (*file).pMethods = &raw const METHODS;
                if !out_flags.is_null() {
                    *out_flags = flags;
                }
                ffi::SQLITE_OK
            }
            Err(code) => code,
        }
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: SQLite passes its own VFS and a valid name.
    let (disk, name) = unsafe { (disk_of(vfs), owned(name)) };
    match (disk, name) {
        (Some(disk), Some(name)) => code(lock(&disk).delete(&name, sync_dir != 0)),
        _ => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes its own VFS and a valid name.
    let (disk, name) = unsafe { (disk_of(vfs), owned(name)) };
    let (Some(disk), Some(name)) = (disk, name) else {
        return ffi::SQLITE_IOERR_ACCESS;
    };
    let mut disk = lock(&disk);
    let generation = disk.generation;
    if let Err(code) = disk.admit_plain(Call::Access, generation) {
        return code;
    }
    let len = disk.names.get(&name).and_then(|n| disk.inodes.get(n)).map(|f| f.image.live().len());
    // As in the unix VFS: an empty file does not "exist", so that an empty journal is not hot.
    let exists = len.is_some_and(|len| len > 0 || flags != ffi::SQLITE_ACCESS_EXISTS);
    // SAFETY: SQLite passes a valid place for the answer.
    unsafe { *out = c_int::from(exists) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut sqlite3_vfs,
    name: *const c_char,
    out_len: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a valid name.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if name.len() > out_len as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: the length was checked; a name and SQLite's buffer do not overlap.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len()) };
    ffi::SQLITE_OK
}

/// Gives bytes that only need to differ from call to call: SQLite seeds its generator from the
/// default VFS, and SQLCipher draws from the system.
unsafe extern "C" fn randomness(vfs: *mut sqlite3_vfs, len: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite passes its own VFS and `len` writable bytes.
    let (disk, out) =
        unsafe { (disk_of(vfs), slice::from_raw_parts_mut(out.cast::<u8>(), len as usize)) };
    let number = disk.map_or(0, |disk| lock(&disk).number());
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = (super::fault::fnv(number, &at.to_le_bytes()) >> 32 & 0xff) as u8;
    }
    len
}

unsafe extern "C" fn sleep(_vfs: *mut sqlite3_vfs, time_us: c_int) -> c_int {
    thread::sleep(Duration::from_micros(time_us.max(0) as u64));
    time_us
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    let mut time_ms = 0;
    // SAFETY: SQLite passes its own VFS; `time_ms` is ours.
    unsafe { current_time_ms(vfs, &raw mut time_ms) };
    // SAFETY: SQLite passes a valid place for the answer.
    unsafe { *out = time_ms as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

/// Tells a time that depends only on the calls so far: one millisecond per call, from 2026 on.
unsafe extern "C" fn current_time_ms(vfs: *mut sqlite3_vfs, out: *mut sqlite3_int64) -> c_int {
    const START_MS: sqlite3_int64 = 2_461_042 * 86_400_000;
    // SAFETY: SQLite passes its own VFS.
    let calls = unsafe { disk_of(vfs) }.map_or(0, |disk| lock(&disk).stats.calls);
    // SAFETY: SQLite passes a valid place for the answer.
    unsafe { *out = START_MS + calls as sqlite3_int64 };
    ffi::SQLITE_OK
}

// In the file methods below SQLite passes a file that `open` filled, out-pointers that are valid,
// and buffers of at least the stated length: that is their SAFETY comment where none is given more
// narrowly.

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: the pointer came from `Box::into_raw` in `open`; SQLite closes a file once, and a
    // null `pMethods` keeps it from calling again.
    unsafe {
        drop(Box::from_raw((*file.cast::<File>()).handle));
        (*file).pMethods = ptr::null();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    buffer: *mut c_void,
    len: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: an open file and a writable buffer of `len` bytes, initialised or not as `u8`.
    unsafe {
        let buffer = slice::from_raw_parts_mut(buffer.cast::<u8>(), len as usize);
        code(handle_of(file).read(buffer, offset as usize))
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: an open file and a readable buffer of `len` bytes.
    unsafe {
        let bytes = slice::from_raw_parts(bytes.cast::<u8>(), len as usize);
        code(handle_of(file).write(bytes, offset as usize))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, len: sqlite3_int64) -> c_int {
    // SAFETY: an open file.
    code(unsafe { handle_of(file) }.truncate(len as usize))
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file.
    code(unsafe { handle_of(file) }.sync())
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: an open file and a valid place for the answer.
    unsafe {
        match handle_of(file).size() {
            Ok(size) => {
                *out = size as sqlite3_int64;
                ffi::SQLITE_OK
            }
            Err(code) => code,
        }
    }
}

unsafe extern "C" fn raise_lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file.
    unsafe { handle_of(file) }.raise_lock(level)
}

unsafe extern "C" fn lower_lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file.
    unsafe { handle_of(file) }.lower_lock(level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: an open file and a valid place for the answer.
    unsafe { *out = c_int::from(handle_of(file).is_reserved()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(
    _file: *mut sqlite3_file,
    _op: c_int,
    _arg: *mut c_void,
) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut sqlite3_file) -> c_int {
    4096
}

/// Claims what the unix VFS claims by default, so that SQLite takes the same paths as on a phone.
unsafe extern "C" fn device_characteristics(_file: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: an open file and a valid place for the address.
    unsafe {
        *out = ptr::null_mut();
        match handle_of(file).map_shm(region as usize, size as usize, extend != 0) {
            Ok(address) => {
                *out = address.unwrap_or(ptr::null_mut());
                ffi::SQLITE_OK
            }
            Err(code) => code,
        }
    }
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: an open file.
    unsafe { handle_of(file) }.change_shm_slots(first as usize, count as usize, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: an open file.
    unsafe { handle_of(file) }.shm_barrier();
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: an open file.
    unsafe { handle_of(file) }.unmap_shm();
    ffi::SQLITE_OK
}
