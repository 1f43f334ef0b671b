//! The C ABI: `tuquan.h`.
